//! Products whose right factor has adjacent columns: it is read where it lies, strip by strip.
//!
//! A strip is as wide as a tile. The first tile of a strip reads it from memory and leaves a copy, packed, in the first
//! level of cache for the tiles below it: packing costs a store that the multiply-adds hide, and no pass of its own.

use core::marker::PhantomData;

use super::epilogue::Epilogue;
use super::pack::pack_a;
use super::plan::{Plan, aligned};
use super::tile::{Factors, Target, VECTORS_OF_ROW, any_tile, cols, rows, saving_tile};
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{Real, RealVector, kernel};

/// `c = a * b` or `c += a * b`, where the columns of `b` are adjacent.
pub(super) fn strip_product<T: Real>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    c: &mut MatMut<'_, T>,
    epilogue: &Epilogue<'_, T>,
    scratch: &mut [T],
) {
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    let (scratch_a, panel) = scratch.split_at_mut(plan.packed_a_len());
    let (scratch_a, panel) = (aligned(scratch_a), aligned(panel));
    let packs = plan.packs_a(a, n);
    for first_step in (0..k).step_by(plan.kc.max(1)) {
        let steps = first_step..k.min(first_step + plan.kc);
        for first_row in (0..m).step_by(plan.mc.max(1)) {
            let block_rows = first_row..m.min(first_row + plan.mc);
            let block = a.block(block_rows.clone(), steps.clone());
            let left = if packs {
                let packed = &mut scratch_a[..block_rows.len().next_multiple_of(plan.tile.rows) * steps.len()];
                pack_a(isa, block, packed);
                Left::packed(packed, plan.tile.rows, block_rows.len(), steps.len())
            } else {
                Left::in_place(block, plan.tile.rows)
            };
            let target = Target {
                c: c.reborrow().block(block_rows.clone(), 0..n),
                accumulate: epilogue.accumulate || first_step > 0,
                epilogue: (steps.end == k).then(|| epilogue.block(block_rows, 0..n)),
            };
            strips(isa, left, b.block(steps.clone(), 0..n), target, panel);
        }
    }
}

/// A block of the left factor, in place or packed: the element of row `i` of tile `t` at step `p` is
/// `first[t * tile + i * row + p * step]`.
#[derive(Clone, Copy)]
struct Left<'a, T> {
    first: *const T,
    size: [usize; 2],
    tile: isize,
    row: isize,
    step: isize,
    lifetime: PhantomData<&'a [T]>,
}

impl<'a, T> Left<'a, T> {
    fn in_place(a: MatRef<'a, T>, height: usize) -> Self {
        Left {
            first: a.at(0, 0),
            size: [a.rows(), a.cols()],
            tile: (height as isize).wrapping_mul(a.row_stride()),
            row: a.row_stride(),
            step: a.col_stride(),
            lifetime: PhantomData,
        }
    }

    fn packed(panels: &'a [T], height: usize, rows: usize, steps: usize) -> Self {
        assert!(panels.len() >= rows.next_multiple_of(height) * steps);
        let tile = (height * steps) as isize;
        let (first, size) = (panels.as_ptr(), [rows, steps]);
        Left { first, size, tile, row: 1, step: height as isize, lifetime: PhantomData }
    }
}

kernel! {
    /// The product of one block of the left factor, whose tiles are of this instruction set, and as many rows of the right one.
    fn strips<T: Real>(simd: S, a: Left<'_, T>, b: MatRef<'_, T>, to: Target<'_, T>, panel: &mut [T]) {
        let mut to = to;
        let (m, n, k) = (to.c.rows(), to.c.cols(), b.rows());
        let (height, lanes) = (rows::<S>(), <T::Vector<S> as RealVector>::LANES);
        let width = if m == 1 { VECTORS_OF_ROW * lanes } else { cols::<S, T>() };
        assert!(a.size == [m, k] && b.cols() == n && (b.col_stride() == 1 || n == 1));
        for col in (0..n).step_by(width) {
            let saves = m > 2 * height && col + width <= n && panel.len() >= width * k;
            let (mut strip, mut strip_step) = (b.at(0, col), b.row_stride());
            for row in (0..m).step_by(height) {
                let from = Factors {
                    a: a.first.wrapping_offset((row / height) as isize * a.tile),
                    a_row: a.row,
                    a_step: a.step,
                    b: strip,
                    b_step: strip_step,
                    k,
                    padded: false,
                };
                let part = to.part(row..m.min(row + height), col..n.min(col + width));
                // SAFETY: rows, columns and steps are inside `a` and `b`, and the columns of `b` are adjacent; a strip that is saved is as wide as
                // a tile, its first tile as high, and `panel` was seen to hold it.
                unsafe {
                    if saves && row == 0 {
                        saving_tile(simd, from, &part, panel.as_mut_ptr());
                        (strip, strip_step) = (panel.as_ptr(), width as isize);
                    } else {
                        any_tile(simd, from, &part);
                    }
                }
            }
        }
    }
}
