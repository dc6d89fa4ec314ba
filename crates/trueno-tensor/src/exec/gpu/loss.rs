//! Losses. A label that is no class shows when something is next read back.

use super::operand::Operand;
use super::shaped;
use crate::{CrossEntropyConfig, DynTensor};
use trueno_core::Result;
use trueno_gpu::{View, loss as kernel};

const OP: &str = "cross_entropy";

fn options(config: &CrossEntropyConfig) -> kernel::CrossEntropy {
    let CrossEntropyConfig { mean, ignore_index, label_smoothing } = *config;
    kernel::CrossEntropy { mean, ignore_index, label_smoothing }
}

pub(super) fn cross_entropy(config: &CrossEntropyConfig, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let [logits, labels] = [operands[0].view(OP)?, operands[1].view(OP)?];
    shaped(&[], kernel::cross_entropy(&options(config), &logits, &labels))
}

/// Of `[logits, labels, g]`.
pub(super) fn cross_entropy_grad(config: &CrossEntropyConfig, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let [logits, labels, g] = [operands[0].view(OP)?, operands[1].view(OP)?, operands[2].view(OP)?];
    shaped(logits.shape(), kernel::cross_entropy_grad(&options(config), &logits, &labels, &g))
}

pub(super) fn logsumexp(axis: usize, keep_dims: bool, x: &Operand<'_>) -> Result<DynTensor> {
    let shape = crate::exec::reduce::reduced_shape(x.shape(), &[axis], keep_dims);
    shaped(&shape, kernel::logsumexp(&x.view("logsumexp")?, axis))
}

/// Of `[x, y, g]`; the two last have lost the axis or kept it with size 1.
pub(super) fn logsumexp_grad(axis: usize, operands: &[Operand<'_>]) -> Result<DynTensor> {
    let op = "logsumexp";
    let x = &operands[0];
    let [y, g] = [1, 2].map(|at| kept(op, &operands[at], axis, x.shape().len()));
    shaped(x.shape(), kernel::logsumexp_grad(&x.view(op)?, &y?, &g?))
}

/// What was reduced along an axis, with that axis back at size 1.
fn kept<'a>(op: &'static str, reduced: &'a Operand<'_>, axis: usize, rank: usize) -> Result<View<'a>> {
    match reduced.shape().len() < rank {
        true => reduced.with_layout(op, &reduced.layout().unsqueeze(op, axis as isize)?),
        false => reduced.view(op),
    }
}
