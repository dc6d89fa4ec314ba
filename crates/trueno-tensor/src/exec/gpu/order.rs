//! Running sums, sorting, and what is selected by its value.

use super::operand::Operand;
use super::shaped;
use crate::{DynTensor, Extreme};
use trueno_core::{Dims, Result};
use trueno_gpu::{scan, sort};

pub(super) fn cumsum(axis: usize, x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), scan::cumsum(&x.view("cumsum")?, axis))
}

pub(super) fn sort(axis: usize, descending: bool, x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), sort::sort(&x.view("sort")?, axis, descending))
}

pub(super) fn argsort(axis: usize, descending: bool, x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), sort::argsort(&x.view("argsort")?, axis, descending))
}

pub(super) fn top_k(axis: usize, k: usize, extreme: Extreme, x: &Operand<'_>) -> Result<DynTensor> {
    let mut shape = Dims::from_slice(x.shape());
    shape[axis] = k;
    shaped(&shape, sort::topk(&x.view("topk")?, axis, k, extreme == Extreme::Max))
}

/// Of `[x, mask]`. Waits: how many elements there are is a value on the device.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn masked_select(operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "masked_select";
    let selected = trueno_gpu::mask::masked_select(&operands[0].view(op)?, &operands[1].view(op)?)?;
    let count = selected.len();
    Ok(DynTensor::from_gpu(selected, &[count]))
}

/// Waits, as [`masked_select`] does.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn nonzero(x: &Operand<'_>) -> Result<DynTensor> {
    let (positions, count) = trueno_gpu::mask::nonzero(&x.view("nonzero")?)?;
    Ok(DynTensor::from_gpu(positions, &[count, x.shape().len()]))
}

#[cfg(target_arch = "wasm32")]
pub(super) fn masked_select(operands: &[Operand<'_>]) -> Result<DynTensor> {
    Err(waits("masked_select", &operands[0]))
}

#[cfg(target_arch = "wasm32")]
pub(super) fn nonzero(x: &Operand<'_>) -> Result<DynTensor> {
    Err(waits("nonzero", x))
}

/// What a browser, which cannot wait for a GPU, has no synchronous form of.
#[cfg(target_arch = "wasm32")]
fn waits(op: &'static str, x: &Operand<'_>) -> trueno_core::Error {
    let device = x.buffer().device().info().to_string();
    let reason =
        "its result's shape depends on values, and a browser cannot wait for them; read the operand, and select there";
    trueno_core::Error::Device { op, device, reason: reason.into() }
}
