//! Operations that move elements.

use super::operand::{Operand, Operands};
use super::shaped;
use crate::exec::movement::{concat_shape, padded_shape};
use crate::{DropoutConfig, DynTensor};
use trueno_core::{Result, SliceItem};
use trueno_gpu::{View, movement as kernel, random};

pub(super) fn concat(axis: usize, operands: &Operands<'_>) -> Result<DynTensor> {
    let shape = concat_shape(axis, &operands.iter().map(Operand::shape).collect::<Vec<_>>())?;
    let views = operands.iter().map(|operand| operand.view("concat")).collect::<Result<Vec<View<'_>>>>()?;
    shaped(&shape, kernel::concat(&views.iter().collect::<Vec<_>>(), axis))
}

pub(super) fn pad(widths: &[[usize; 2]], value: f64, x: &Operand<'_>) -> Result<DynTensor> {
    let shape = padded_shape(x.shape(), widths)?;
    shaped(&shape, kernel::pad(&x.view("pad")?, widths, value))
}

pub(super) fn slice_scatter(shape: &[usize], items: &[SliceItem], x: &Operand<'_>) -> Result<DynTensor> {
    shaped(shape, kernel::slice_scatter(&x.view("slice_scatter")?, shape, items))
}

pub(super) fn dropout(config: &DropoutConfig, x: &Operand<'_>) -> Result<DynTensor> {
    let DropoutConfig { p, seed, call } = *config;
    shaped(x.shape(), random::dropout(&random::Dropout { p, seed, call }, &x.view("dropout")?))
}
