//! Copies of blocks in the order in which tiles read them.
//!
//! A panel of A is `rows` (of the tile) elements per step of the summed axis, a panel of B is `cols`; rows and columns
//! that the matrix lacks are zeros, so that tiles need no edges.

use super::tile::{TileShape, cols, load_some, rows};
use super::view::MatRef;
use crate::Isa;
use crate::simd::{Real, RealVector, Simd, kernel};
use core::ops::Range;

/// Where blocks of B come from: a matrix, one that was packed before, or an image (see `conv`).
pub(crate) trait PanelSource<T: Real> {
    /// The panels of the given steps of the summed axis and of the given columns, which start at a multiple of the
    /// tile's; made in `scratch` if they are not there yet.
    ///
    /// The slice has at least `cols.len()` rounded up to the tile, times `steps.len()`, elements; so has `scratch`.
    fn panels<'s>(&'s self, isa: Isa, steps: Range<usize>, cols: Range<usize>, scratch: &'s mut [T]) -> &'s [T];
}

impl<T: Real> PanelSource<T> for MatRef<'_, T> {
    fn panels<'s>(&'s self, isa: Isa, steps: Range<usize>, cols: Range<usize>, scratch: &'s mut [T]) -> &'s [T] {
        let b = self.block(steps, cols);
        let len = b.cols().next_multiple_of(TileShape::of::<T>(isa).cols) * b.rows();
        pack_b(isa, b, &mut scratch[..len]);
        &scratch[..len]
    }
}

kernel! {
    /// Packs a block of A in its rows rounded up to the tile, times its columns, elements of `out`.
    pub(super) fn pack_a<T: Real>(simd: S, a: MatRef<'_, T>, out: &mut [T]) {
        let _ = simd;
        // The height of a panel is a constant in each branch, so that its copy is straight code.
        match rows::<S>() {
            14 => pack_rows::<T, 14>(a, out),
            6 => pack_rows::<T, 6>(a, out),
            _ => unreachable!("tiles have 14 or 6 rows"),
        }
    }
}

/// Packs a block of A in panels of `R` rows.
#[inline(always)]
fn pack_rows<T: Real, const R: usize>(a: MatRef<'_, T>, out: &mut [T]) {
    let k = a.cols();
    for (index, panel) in out.chunks_exact_mut((R * k).max(1)).enumerate() {
        let first = index * R;
        if first + R <= a.rows() {
            for (step, column) in panel.chunks_exact_mut(R).enumerate() {
                for (i, value) in column.iter_mut().enumerate() {
                    // SAFETY: `first + i < rows`, `step < cols`.
                    *value = unsafe { *a.at(first + i, step) };
                }
            }
        } else {
            for (step, column) in panel.chunks_exact_mut(R).enumerate() {
                for (i, value) in column.iter_mut().enumerate() {
                    // SAFETY: the row was just compared with their number, `step < cols`.
                    *value = if first + i < a.rows() { unsafe { *a.at(first + i, step) } } else { T::ZERO };
                }
            }
        }
    }
}

kernel! {
    /// Packs a block of B in its columns rounded up to the tile, times its rows, elements of `out`.
    pub(super) fn pack_b<T: Real>(simd: S, b: MatRef<'_, T>, out: &mut [T]) {
        let width = cols::<S, T>();
        let k = b.rows();
        for (index, panel) in out.chunks_exact_mut((width * k).max(1)).enumerate() {
            let first = index * width;
            let block = b.block(0..k, first..b.cols().min(first + width));
            if b.col_stride() == 1 {
                pack_adjacent::<S, T>(simd, block, panel);
            } else {
                pack_scattered::<S, T>(block, panel);
            }
        }
    }
}

/// One panel from rows of adjacent elements.
#[inline(always)]
fn pack_adjacent<S: Simd, T: Real>(simd: S, b: MatRef<'_, T>, panel: &mut [T]) {
    let width = cols::<S, T>();
    let lanes = <T::Vector<S> as RealVector>::LANES;
    for (step, row) in panel.chunks_exact_mut(width).enumerate() {
        let mut col = 0;
        while col < width {
            let count = b.cols().saturating_sub(col).min(lanes);
            // SAFETY: `count` elements from `col` are in row `step`; a row of the panel is a whole number of vectors.
            unsafe {
                let values = load_some::<T::Vector<S>>(simd, b.at(step, 0).wrapping_add(col), count);
                values.store(row.as_mut_ptr().wrapping_add(col));
            }
            col += lanes;
        }
    }
}

/// Columns that are copied together where they are apart in memory.
const STREAMS: usize = 8;

/// One panel from any strides.
#[inline(always)]
fn pack_scattered<S: Simd, T: Real>(b: MatRef<'_, T>, panel: &mut [T]) {
    let width = cols::<S, T>();
    let mut first = 0;
    while first < width {
        let group = STREAMS.min(width - first);
        if group == STREAMS && first + STREAMS <= b.cols() {
            for (step, row) in panel.chunks_exact_mut(width).enumerate() {
                for (j, value) in row[first..first + STREAMS].iter_mut().enumerate() {
                    // SAFETY: `step < rows`, `first + j < cols`.
                    *value = unsafe { *b.at(step, first + j) };
                }
            }
        } else {
            for (step, row) in panel.chunks_exact_mut(width).enumerate() {
                for (j, value) in row[first..first + group].iter_mut().enumerate() {
                    // SAFETY: the column was just compared with their number, `step < rows`.
                    *value = if first + j < b.cols() { unsafe { *b.at(step, first + j) } } else { T::ZERO };
                }
            }
        }
        first += group;
    }
}
