//! Products block by block: the right factor is cut so that a block of it, packed, stays in the second level of cache.

use super::amx;
use super::block::{Right, block_product};
use super::pack::PanelSource;
use super::plan::{Plan, aligned};
use super::tile::Target;
use super::unit::{Finish, Unit};
use super::view::{MatMut, MatRef};
use crate::Isa;
use core::ops::Range;

/// `c = a * b` or `c += a * b`, where `b` has `c.cols()` columns and as many steps as `a`.
pub(crate) fn packed_product<T: Unit, B: PanelSource<T>>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: &B,
    c: &mut MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
    scratch: &mut [T],
) {
    let (scratch_a, scratch_b) = scratch.split_at_mut(plan.packed_a_len());
    let (room, scratch_b) = (aligned(scratch_a), aligned(scratch_b));
    for cols in cuts(c.cols(), plan.nc) {
        for steps in cuts(a.cols(), plan.kc) {
            let panels = b.panels(isa, steps.clone(), cols.clone(), scratch_b);
            let (left, to) = (a.block(0..a.rows(), steps.clone()), target(c, epilogue, a.cols(), steps, cols.clone()));
            match amx::multiplier::<T>(isa) {
                Some(multiplier) => amx::block_product(isa, multiplier, left, panels, to, room),
                None => block_product(isa, left, Right::Packed(panels), to, room),
            }
        }
    }
}

/// `c = a * b` or `c += a * b`, where the columns of `b` are adjacent: it is read where it lies, once.
pub(super) fn strip_product<T: Unit>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    c: &mut MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
    scratch: &mut [T],
) {
    let (scratch_a, scratch_b) = scratch.split_at_mut(plan.packed_a_len());
    let (room, panels) = (aligned(scratch_a), aligned(scratch_b));
    for cols in cuts(c.cols(), plan.nc) {
        for steps in cuts(a.cols(), plan.kc) {
            let right = Right::InPlace(b.block(steps.clone(), cols.clone()), &mut *panels);
            let (left, to) = (a.block(0..a.rows(), steps.clone()), target(c, epilogue, a.cols(), steps, cols.clone()));
            block_product(isa, left, right, to, room);
        }
    }
}

/// An axis cut into ranges of `size`. Most have one, so nothing is divided.
fn cuts(length: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0_usize;
    core::iter::from_fn(move || {
        let cut = start..length.min(start.saturating_add(size.max(1)));
        start = cut.end;
        (!cut.is_empty()).then_some(cut)
    })
}

/// Where the product over some of the `k` steps goes: added to what earlier ones gave, and finished after the last.
fn target<'c, 'e, T: Unit>(
    c: &'c mut MatMut<'_, T>,
    epilogue: &T::Epilogue<'e>,
    k: usize,
    steps: Range<usize>,
    cols: Range<usize>,
) -> Target<'c, 'e, T> {
    let rows = 0..c.rows();
    Target {
        accumulate: epilogue.accumulates() || steps.start > 0,
        epilogue: (steps.end == k).then(|| epilogue.block(rows.clone(), cols.clone())),
        c: c.reborrow().block(rows, cols),
    }
}
