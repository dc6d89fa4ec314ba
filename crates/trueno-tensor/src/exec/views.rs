//! Operations that are new layouts over the same memory, wherever that is.

use crate::{Axes, DynTensor};
use trueno_core::{Layout, Result, SliceItem};

fn seen(x: &DynTensor, layout: Result<Layout>) -> Result<DynTensor> {
    Ok(x.view(layout?))
}

fn signed(axes: &Axes) -> Vec<isize> {
    axes.iter().map(|&axis| axis as isize).collect()
}

pub(super) fn permute(axes: &Axes, x: &DynTensor) -> Result<DynTensor> {
    seen(x, x.layout().permute("permute", &signed(axes)))
}

pub(super) fn flip(axes: &Axes, x: &DynTensor) -> Result<DynTensor> {
    seen(x, x.layout().flip("flip", &signed(axes)))
}

pub(super) fn unfold(axis: usize, size: usize, step: usize, x: &DynTensor) -> Result<DynTensor> {
    seen(x, x.layout().unfold("unfold", axis as isize, size, step))
}

pub(super) fn slice(items: &[SliceItem], x: &DynTensor) -> Result<DynTensor> {
    seen(x, x.layout().slice("slice", items))
}

pub(super) fn broadcast(shape: &[usize], x: &DynTensor) -> Result<DynTensor> {
    seen(x, x.layout().broadcast_to("broadcast_to", shape))
}
