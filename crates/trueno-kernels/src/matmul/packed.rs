//! The product of packed blocks: the summed axis is cut outermost but one, so that a packed block of B stays in the last
//! level of cache, one of A in the second, and a panel of B in the first.

use super::epilogue::Epilogue;
use super::pack::{PanelSource, pack_a};
use super::plan::{Plan, aligned};
use super::tile::{Target, cols, packed_tile, rows};
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{Real, kernel};

/// `c = a * b` or `c += a * b`, where `b` has `c.cols()` columns and as many steps as `a`.
pub(crate) fn packed_product<T: Real, B: PanelSource<T>>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: &B,
    c: &mut MatMut<'_, T>,
    epilogue: &Epilogue<'_, T>,
    scratch: &mut [T],
) {
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    let (scratch_a, scratch_b) = scratch.split_at_mut(plan.packed_a_len());
    let (scratch_a, scratch_b) = (aligned(scratch_a), aligned(scratch_b));
    for first_col in (0..n).step_by(plan.nc.max(1)) {
        let block_cols = first_col..n.min(first_col + plan.nc);
        for first_step in (0..k).step_by(plan.kc.max(1)) {
            let steps = first_step..k.min(first_step + plan.kc);
            let last = steps.end == k;
            let packed_b = b.panels(isa, steps.clone(), block_cols.clone(), scratch_b);
            for first_row in (0..m).step_by(plan.mc.max(1)) {
                let block_rows = first_row..m.min(first_row + plan.mc);
                let packed_a = &mut scratch_a[..block_rows.len().next_multiple_of(plan.tile.rows) * steps.len()];
                pack_a(isa, a.block(block_rows.clone(), steps.clone()), packed_a);
                let target = Target {
                    c: c.reborrow().block(block_rows.clone(), block_cols.clone()),
                    accumulate: epilogue.accumulate || first_step > 0,
                    epilogue: last.then(|| epilogue.block(block_rows, block_cols.clone())),
                };
                block_product(isa, packed_a, packed_b, steps.len(), target);
            }
        }
    }
}

kernel! {
    /// The product of one packed block of each, tile by tile.
    fn block_product<T: Real>(simd: S, a: &[T], b: &[T], k: usize, to: Target<'_, T>) {
        let mut to = to;
        let (height, width) = (rows::<S>(), cols::<S, T>());
        let (m, n) = (to.c.rows(), to.c.cols());
        assert!(a.len() >= m.next_multiple_of(height) * k && b.len() >= n.next_multiple_of(width) * k);
        for col in (0..n).step_by(width) {
            let panel_b = b.as_ptr().wrapping_add(col * k);
            for row in (0..m).step_by(height) {
                let panel_a = a.as_ptr().wrapping_add(row * k);
                let part = to.part(row..m.min(row + height), col..n.min(col + width));
                // SAFETY: the panels start at `row` and `col` and were just seen to be whole.
                unsafe { packed_tile(simd, panel_a, panel_b, k, &part) };
            }
        }
    }
}
