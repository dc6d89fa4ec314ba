//! Operations that only move elements: each way back is another one.

use super::{Grads, Step};
use smallvec::SmallVec;
use trueno_core::{Dims, Result, SliceItem};
use trueno_tensor::{Op, apply};

pub(super) fn permute(axes: &[usize], step: &Step<'_>) -> Result<Grads> {
    let mut inverse: SmallVec<[isize; 6]> = SmallVec::from_elem(0, axes.len());
    for (to, &from) in axes.iter().enumerate() {
        inverse[from] = to as isize;
    }
    step.each(|_| step.g.permute(&inverse))
}

pub(super) fn flip(axes: &[usize], step: &Step<'_>) -> Result<Grads> {
    let axes: SmallVec<[isize; 6]> = axes.iter().map(|&axis| axis as isize).collect();
    step.each(|_| step.g.flip(&axes))
}

pub(super) fn slice(items: &[SliceItem], step: &Step<'_>) -> Result<Grads> {
    step.each(|i| {
        let shape = Dims::from_slice(step.shape(i));
        apply(&Op::SliceScatter(shape, SmallVec::from_slice(items)), &[&step.g])
    })
}

/// Each operand's part of the joined axis.
pub(super) fn concat(axis: usize, step: &Step<'_>) -> Result<Grads> {
    let start = |operand: usize| (0..operand).map(|i| step.shape(i)[axis]).sum();
    step.each(|i| step.g.narrow(axis as isize, start(i), step.shape(i)[axis]))
}

/// All but the border.
pub(super) fn pad(widths: &[[usize; 2]], step: &Step<'_>) -> Result<Grads> {
    let inside = |(&[before, _], &size): (&[usize; 2], &usize)| SliceItem::Range {
        start: Some(before as isize),
        stop: Some((before + size) as isize),
        step: 1,
    };
    step.each(|i| {
        let items: SmallVec<[SliceItem; 6]> = widths.iter().zip(step.shape(i)).map(inside).collect();
        step.g.slice(&items)
    })
}
