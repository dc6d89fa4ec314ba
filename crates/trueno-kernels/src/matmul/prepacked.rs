//! A right factor that was packed once for many products.

use super::grouped::{Grouped, Side};
use super::pack::{PanelSource, pack_b};
use super::packed::packed_product;
use super::plan::Plan;
use super::tile::TileShape;
use super::unit::Unit;
use super::view::{MatMut, MatRef};
use super::{check, empty_product};
use crate::Isa;
use core::ops::Range;

/// A matrix in the order in which products read it: weights that many calls, or many threads, share.
#[derive(Clone, Copy, Debug)]
pub struct PackedB<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    /// Columns that were packed before the first of these, and all that were packed, in whole tiles.
    first: usize,
    padded: usize,
    kc: usize,
    tile: TileShape,
}

impl<'a, T: Unit> PackedB<'a, T> {
    /// Elements that a packed `[k, n]` matrix takes.
    pub fn len(isa: Isa, k: usize, n: usize) -> usize {
        n.next_multiple_of(TileShape::of::<T>(isa).cols) * k
    }

    /// Packs `b` into the first [`PackedB::len`] elements of `out`.
    ///
    /// # Panics
    /// If `out` is too short.
    pub fn pack(isa: Isa, b: MatRef<'_, T>, out: &'a mut [T]) -> PackedB<'a, T> {
        let plan = Plan::packed::<T>(isa, 1, b.cols(), b.rows());
        let len = PackedB::<T>::len(isa, b.rows(), b.cols());
        assert!(out.len() >= len, "packing needs {len} elements, got {}", out.len());
        for first in (0..b.rows()).step_by(plan.kc.max(1)) {
            let steps = first..b.rows().min(first + plan.kc);
            let padded = b.cols().next_multiple_of(plan.tile.cols);
            let cut = &mut out[steps.start * padded..steps.end * padded];
            pack_b(isa, b.block(steps, 0..b.cols()), cut);
        }
        PackedB::packed(isa, out, b.rows(), b.cols())
    }

    /// What [`PackedB::pack`] left in `data` for a `[k, n]` matrix on the same instruction set. Other elements are another matrix.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn packed(isa: Isa, data: &'a [T], k: usize, n: usize) -> PackedB<'a, T> {
        let (plan, len) = (Plan::packed::<T>(isa, 1, n, k), PackedB::<T>::len(isa, k, n));
        assert!(data.len() >= len, "a packed [{k}, {n}] matrix has {len} elements, got {}", data.len());
        let padded = n.next_multiple_of(plan.tile.cols);
        PackedB { data: &data[..len], rows: k, cols: n, first: 0, padded, kc: plan.kc, tile: plan.tile }
    }

    /// A block of columns, which starts at a multiple of [`Plan::col_unit`].
    ///
    /// # Panics
    /// If it does not, or leaves the matrix.
    pub fn columns(&self, cols: Range<usize>) -> PackedB<'a, T> {
        assert!(cols.start.is_multiple_of(self.tile.cols), "columns from {} on begin inside a tile", cols.start);
        assert!(cols.start <= cols.end && cols.end <= self.cols, "{cols:?} of {} columns", self.cols);
        PackedB { first: self.first + cols.start, cols: cols.len(), ..*self }
    }

    /// Number of rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns of the matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }
}

impl<'a, T: Grouped> PackedB<'a, T> {
    /// As [`PackedB::pack`] of the words of `b`, whose rows are the summed axis and lie without gaps: they go straight to their places.
    ///
    /// # Panics
    /// If `out` is too short, or elements of a row are not adjacent.
    pub fn pack_elements(isa: Isa, b: MatRef<'_, T::Of>, out: &'a mut [T]) -> PackedB<'a, T> {
        assert!(T::lie_across(&b.transposed()), "elements of a row are adjacent");
        let (k, n, steps, per_word) = (b.rows(), b.cols(), T::steps(isa, b.rows()), T::per_word(isa));
        let (plan, len) = (Plan::packed::<T>(isa, 1, n, steps), PackedB::<T>::len(isa, steps, n));
        assert!(out.len() >= len, "packing needs {len} elements, got {}", out.len());
        let (width, padded) = (plan.tile.cols, n.next_multiple_of(plan.tile.cols));
        for first in (0..steps).step_by(plan.kc.max(1)) {
            let last = steps.min(first + plan.kc);
            let cut = &mut out[first * padded..last * padded];
            for (index, panel) in cut.chunks_exact_mut(width * (last - first)).enumerate() {
                let cols = index * width..n.min((index + 1) * width);
                let part = b.block(first * per_word..k.min(last * per_word), cols);
                T::lines(isa, Side::Right, part.transposed(), &mut panel[..part.cols() * (last - first)]);
                spread_rows(panel, part.cols(), width);
            }
        }
        PackedB::packed(isa, out, steps, n)
    }
}

/// Moves rows that follow each other, `from` elements each, to places of `to` elements, and fills these.
fn spread_rows<T: Unit>(rows: &mut [T], from: usize, to: usize) {
    if from == to {
        return;
    }
    for row in (0..rows.len() / to).rev() {
        rows.copy_within(row * from..(row + 1) * from, row * to);
        rows[row * to + from..(row + 1) * to].fill(T::NOTHING);
    }
}

impl<T: Unit> PanelSource<T> for PackedB<'_, T> {
    fn panels<'s>(&'s self, _: Isa, steps: Range<usize>, cols: Range<usize>, _: &'s mut [T]) -> &'s [T] {
        let start = steps.start * self.padded + (self.first + cols.start) * steps.len();
        &self.data[start..][..cols.len().next_multiple_of(self.tile.cols) * steps.len()]
    }
}

/// As [`gemm`](super::gemm) with a right factor that is packed already: the same result, bit for bit, as long as the plan is not for
/// a vector. The plan's caches must be the default ones.
///
/// # Panics
/// As [`gemm`](super::gemm), and if `b` was packed for another instruction set.
pub fn gemm_packed_b<T: Unit>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: &PackedB<'_, T>,
    mut c: MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
    scratch: &mut [T],
) {
    check(isa, plan, [a.rows(), a.cols()], [b.rows, b.cols], &c, epilogue, scratch);
    assert!(b.tile == plan.tile && b.kc == plan.kc, "the matrix was packed for another plan");
    if c.rows() == 0 || c.cols() == 0 {
        return;
    }
    if a.cols() == 0 {
        empty_product(isa, c, epilogue);
        return;
    }
    packed_product(isa, plan, a, b, &mut c, epilogue, scratch);
}
