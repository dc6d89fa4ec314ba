//! Copies of blocks in the order in which tiles read them.
//!
//! A panel of A is `rows` (of the tile) elements per step of the summed axis, a panel of B is `cols`; rows and columns
//! that the matrix lacks are zeros, so that tiles need no edges.

use super::tile::{TileShape, cols, load_some};
use super::transpose::transpose_square;
use super::unit::{ProductVector, Unit};
use super::view::MatRef;
use crate::Isa;
use crate::simd::{MAX_LANES, Token, kernel};
use core::ops::Range;

/// Where blocks of B come from: a matrix, one that was packed before, or an image (see `conv`).
pub(crate) trait PanelSource<T: Unit> {
    /// The panels of the given steps of the summed axis and of the given columns, which start at a multiple of the
    /// tile's; made in `scratch` if they are not there yet.
    ///
    /// The slice has at least `cols.len()` rounded up to the tile, times `steps.len()`, elements; so has `scratch`.
    fn panels<'s>(&'s self, isa: Isa, steps: Range<usize>, cols: Range<usize>, scratch: &'s mut [T]) -> &'s [T];
}

impl<T: Unit> PanelSource<T> for MatRef<'_, T> {
    fn panels<'s>(&'s self, isa: Isa, steps: Range<usize>, cols: Range<usize>, scratch: &'s mut [T]) -> &'s [T] {
        let b = self.block(steps, cols);
        let len = b.cols().next_multiple_of(TileShape::of::<T>(isa).cols) * b.rows();
        pack_b(isa, b, &mut scratch[..len]);
        &scratch[..len]
    }
}

/// Packs at most `height` rows of A, all of its columns, in `height` times its columns elements of `panel`.
#[inline(always)]
pub(super) fn pack_a<V: ProductVector>(simd: V::Token, a: MatRef<'_, V::Elem>, height: usize, panel: &mut [V::Elem]) {
    if a.col_stride() == 1 {
        turn_rows::<V>(simd, a, height, panel);
    } else if a.row_stride() == 1 {
        copy_rows::<V>(simd, a.transposed(), height, panel);
    } else {
        copy_elements(a.transposed(), height, panel);
    }
}

kernel! {
    /// Packs a block of B in its columns rounded up to the tile, times its rows, elements of `out`.
    pub(super) fn pack_b<T: Unit, V>(simd, b: MatRef<'_, T>, out: &mut [T]) {
        let width = cols::<V>();
        let k = b.rows();
        for (index, panel) in out.chunks_exact_mut((width * k).max(1)).enumerate() {
            let first = index * width;
            let block = b.block(0..k, first..b.cols().min(first + width));
            if b.col_stride() == 1 {
                copy_rows::<V>(simd, block, width, panel);
            } else if b.row_stride() == 1 {
                turn_rows::<V>(simd, block.transposed(), width, panel);
            } else {
                copy_elements(block, width, panel);
            }
        }
    }
}

/// One panel of which row `p`, `width` elements, is row `p` of a matrix of adjacent columns, and zeros.
#[inline(always)]
fn copy_rows<V: ProductVector>(simd: V::Token, matrix: MatRef<'_, V::Elem>, width: usize, panel: &mut [V::Elem]) {
    assert!(matrix.col_stride() == 1 || matrix.cols() < 2);
    for (step, start) in (0..panel.len()).step_by(width).enumerate().take(matrix.rows()) {
        for col in (0..width).step_by(V::LANES) {
            let count = matrix.cols().saturating_sub(col).min(V::LANES);
            // SAFETY: `count` elements from `col` are in row `step`.
            let values = unsafe { load_some::<V>(simd, matrix.at(step, col), count) };
            // What it writes past its row, the next one replaces.
            store_first(values, &mut panel[start + col..]);
        }
    }
}

/// Squares that are asked for before they are turned.
const AHEAD: usize = 4;

/// One panel of which row `p`, `width` elements, is column `p` of a matrix of adjacent columns, and zeros.
#[inline(always)]
fn turn_rows<V: ProductVector>(simd: V::Token, matrix: MatRef<'_, V::Elem>, width: usize, panel: &mut [V::Elem]) {
    assert!(matrix.col_stride() == 1 || matrix.cols() < 2);
    for step in (0..matrix.cols()).step_by(V::LANES) {
        let depth = (matrix.cols() - step).min(V::LANES);
        // From the right: what a square writes past its row, the first of the next row replaces.
        for first in (0..width).step_by(V::LANES).rev() {
            let lines = matrix.rows().saturating_sub(first).min(V::LANES);
            let target = &mut panel[step * width + first..];
            let whole = depth == V::LANES && lines == (width - first).min(V::LANES);
            if whole && target.len() >= (V::LANES - 1) * width + V::LANES {
                let square = matrix.block(first..first + lines, step..step + depth);
                // SAFETY: the block has `LANES` columns and at least a row, the target was just compared.
                unsafe { turn_square::<V>(simd, square, target.as_mut_ptr(), width) };
                continue;
            }
            let mut square = [V::splat(simd, V::Elem::NOTHING); MAX_LANES];
            for (i, line) in square.iter_mut().enumerate().take(lines) {
                // SAFETY: `depth` elements from `step` are in row `first + i`.
                *line = unsafe { load_some::<V>(simd, matrix.at(first + i, step), depth) };
            }
            transpose_square(&mut square);
            for (i, values) in square.iter().enumerate().take(depth) {
                store_first(*values, &mut target[i * width..]);
            }
        }
    }
}

/// Writes the columns of a block as rows that start `width` elements apart, each a whole vector whose lanes past the block's rows say
/// nothing. That everything has one size keeps the square in registers.
///
/// # Safety
/// The block must have `LANES` adjacent columns and 1 to `LANES` rows, and `target` be writable for `LANES` such rows.
#[inline(always)]
unsafe fn turn_square<V: ProductVector>(
    simd: V::Token,
    block: MatRef<'_, V::Elem>,
    target: *mut V::Elem,
    width: usize,
) {
    let mut square = [V::splat(simd, V::Elem::NOTHING); MAX_LANES];
    let last = block.rows() - 1;
    for (i, line) in square.iter_mut().enumerate().take(V::LANES) {
        let row = block.at(i.min(last), 0);
        // SAFETY: the caller vouches for `LANES` elements of every row.
        *line = unsafe { V::load(simd, row) };
        // Each row is a stream of its own, too short for the machine to notice it.
        simd.prefetch(row.wrapping_add(AHEAD * V::LANES));
    }
    transpose_square(&mut square);
    for (i, values) in square.iter().enumerate().take(V::LANES) {
        // SAFETY: the caller vouches for the target.
        unsafe { values.store(target.wrapping_add(i * width)) };
    }
}

/// Writes the first lanes to `out`: all, or as many as it takes.
#[inline(always)]
fn store_first<V: ProductVector>(values: V, out: &mut [V::Elem]) {
    // SAFETY: `out` was compared with the vector, or takes as many lanes as it has elements.
    unsafe {
        if out.len() >= V::LANES {
            values.store(out.as_mut_ptr());
        } else {
            values.store_partial(out.as_mut_ptr(), out.len());
        }
    }
}

/// One panel of which row `p`, `width` elements, is row `p` of a matrix of any strides, and zeros.
#[inline(always)]
fn copy_elements<T: Unit>(matrix: MatRef<'_, T>, width: usize, panel: &mut [T]) {
    for (step, row) in panel.chunks_exact_mut(width).enumerate().take(matrix.rows()) {
        for (i, value) in row.iter_mut().enumerate() {
            // SAFETY: the column was just compared with their number, `step < rows`.
            *value = if i < matrix.cols() { unsafe { *matrix.at(step, i) } } else { T::NOTHING };
        }
    }
}
