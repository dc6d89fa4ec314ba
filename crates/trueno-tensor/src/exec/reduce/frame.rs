//! How a reduction sees its operand.

use crate::DynTensor;
use crate::exec::movement::contiguous;
use crate::exec::operand::RowMajor;
use trueno_core::{Dims, Result};

/// The shape of a reduction's result.
pub(in crate::exec) fn reduced_shape(shape: &[usize], axes: &[usize], keep_dims: bool) -> Dims {
    let mut sizes = Dims::new();
    for (axis, &size) in shape.iter().enumerate() {
        match axes.contains(&axis) {
            true if keep_dims => sizes.push(1),
            true => {}
            false => sizes.push(size),
        }
    }
    sizes
}

/// How a reduction sees its operand: row-major `[outer, length, inner]`, reduced over the middle.
pub(super) struct Frame<'a> {
    pub x: RowMajor<'a>,
    pub outer: usize,
    pub length: usize,
    pub inner: usize,
    /// What is reduced once the middle is: the results that far as `[length, inner]`, each to `inner`, from there on as before.
    pub folds: Vec<[usize; 2]>,
    pub shape: Dims,
}

/// Inner axes this long are reduced by themselves where others are too: rows shorter than that cost more than to move them together.
const LONG: usize = 16;

impl<'a> Frame<'a> {
    /// Moves the reduced axes together (by a copy if they are not already) and drops or keeps them in the result's shape.
    pub fn new(x: &'a DynTensor, axes: &[usize], keep_dims: bool) -> Result<Frame<'a>> {
        let reduced = |axis: &usize| axes.contains(axis);
        let shape = reduced_shape(x.shape(), axes, keep_dims);
        let adjacent = axes.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let product = |axes: std::ops::Range<usize>| x.shape()[axes].iter().product::<usize>();
        if let (true, Some(&first)) = (adjacent, axes.first()) {
            let end = first + axes.len();
            let (outer, length, inner) = (product(0..first), product(first..end), product(end..x.rank()));
            return Ok(Frame { x: contiguous(x)?, outer, length, inner, folds: vec![], shape });
        }
        if let Some(frame) = Frame::by_groups(x, axes, &shape) {
            return Ok(frame);
        }
        let order: Vec<isize> =
            (0..x.rank()).filter(|a| !reduced(a)).chain(axes.iter().copied()).map(|a| a as isize).collect();
        let moved = x.view(x.layout().permute("reduce", &order)?);
        let length: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
        let outer = x.size().checked_div(length).unwrap_or_else(|| shape.iter().product());
        Ok(Frame { x: contiguous(&moved)?.into_static(), outer, length, inner: 1, folds: vec![], shape })
    }

    /// The innermost of several groups of adjacent axes first, and then the others, where that needs no copy and has long rows.
    fn by_groups(x: &'a DynTensor, axes: &[usize], shape: &Dims) -> Option<Frame<'a>> {
        let rank = x.rank();
        if rank == 0 || axes.last() != Some(&(rank - 1)) || x.size() == 0 || !x.layout().is_contiguous() {
            return None;
        }
        let kept = (0..rank).rev().find(|axis| !axes.contains(axis)).unwrap_or(0);
        let length: usize = x.shape()[kept + 1..].iter().product();
        if length < LONG {
            return None;
        }
        // From the inside out: a reduced axis of the results that far, and how many of them lie inside of it.
        let (mut folds, mut inner) = (Vec::new(), 1);
        for axis in (0..=kept).rev() {
            let size = x.shape()[axis];
            if axes.contains(&axis) {
                folds.push([size, inner]);
            } else {
                inner *= size;
            }
        }
        Some(Frame { x: RowMajor::Lent(x), outer: x.size() / length, length, inner: 1, folds, shape: shape.clone() })
    }

    /// Results before the folds.
    pub fn partial(&self) -> usize {
        self.outer * self.inner
    }

    pub fn results(&self) -> usize {
        self.folds.iter().fold(self.partial(), |count, [length, _]| count / length)
    }

    /// Elements that a result is made of.
    pub fn count(&self) -> usize {
        self.folds.iter().fold(self.length, |count, [length, _]| count * length)
    }
}

/// The same elements with axes in the order in which they lie in memory, and the reduced axes among these, if there is nothing
/// in between and the order of what is kept stays the same: where reduced axes stand, and whether they run backwards, makes no difference.
pub(super) fn in_memory_order(x: &DynTensor, axes: &[usize]) -> Option<(DynTensor, Vec<usize>)> {
    if x.layout().is_contiguous() || x.size() == 0 {
        return None;
    }
    let mut layout = x.layout().clone();
    for &axis in axes {
        if layout.strides()[axis] < 0 {
            layout = layout.flip("reduce", &[axis as isize]).ok()?;
        }
    }
    let mut order: Vec<usize> = (0..x.rank()).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(layout.strides()[axis]));
    if !order.iter().filter(|axis| !axes.contains(axis)).is_sorted() {
        return None;
    }
    let moved: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
    let layout = layout.permute("reduce", &moved).ok().filter(|layout| layout.is_contiguous())?;
    let axes = (0..x.rank()).filter(|&at| axes.contains(&order[at])).collect();
    Some((x.view(layout), axes))
}
