//! The product of one block of the right factor, which stays in the second level of cache, with all rows of the left one.
//!
//! Tiles go along the columns: the few rows of the left factor that a tile needs are packed into the first level of cache
//! just before, and the result is written row by row, as memory likes it.

use super::pack::pack_a;
use super::tile::{Factors, Target, VECTORS_OF_ROW, any_tile, cols, rows, saving_tile};

use super::view::MatRef;
use crate::simd::kernel;

/// A block of the right factor.
pub(super) enum Right<'a, T> {
    /// In panels as wide as a tile, one after the other; the last is as wide as the others.
    Packed(&'a [T]),
    /// Where it lies, in adjacent columns, and room for its panels. The first tiles that read a strip from memory leave a copy for the
    /// others: that costs a store which the multiply-adds hide, and no pass of its own.
    InPlace(MatRef<'a, T>, &'a mut [T]),
}

/// Tiles along the columns from which it pays to pack the rows of the left factor that they share: many, or two where those rows fall on the
/// same lines of the first level and push each other out.
const READS: usize = 8;
const READS_OF_COLLIDING: usize = 2;

/// Addresses that are a multiple of this apart share their lines of the first level.
const PAGE: usize = 4096;

kernel! {
    /// `to = a * b`, where `room` holds a panel of `a`.
    pub(super) fn block_product<T: Unit, V>(simd, a: MatRef<'_, T>, b: Right<'_, T>, to: Target<'_, '_, T>, room: &mut [T]) {
        let (mut to, mut b) = (to, b);
        let (m, n, k) = (to.c.rows(), to.c.cols(), a.cols());
        let (height, lanes) = (rows::<V::Token>(), V::LANES);
        let mut width = cols::<V>();
        assert!(a.rows() == m);
        match &b {
            Right::Packed(panels) => assert!(panels.len() >= n.next_multiple_of(width) * k),
            Right::InPlace(b, _) => assert!(b.rows() == k && b.cols() == n && (b.col_stride() == 1 || n == 1)),
        }
        if m == 1 && matches!(b, Right::InPlace(..)) {
            width = VECTORS_OF_ROW * lanes;
        }
        let collides = a.row_stride() != 1 && (a.row_stride().unsigned_abs() * size_of::<T>()).is_multiple_of(PAGE);
        let packs = m > 1 && n.div_ceil(width) >= if collides { READS_OF_COLLIDING } else { READS };
        for row in (0..m).step_by(height) {
            let tile_rows = row..m.min(row + height);
            let left = a.block(tile_rows.clone(), 0..k);
            let (first, a_row, a_step) = if packs {
                let panel = &mut room[..height * k];
                pack_a::<V>(simd, left, height, panel);
                (panel.as_ptr(), 1, height as isize)
            } else {
                (left.at(0, 0), left.row_stride(), left.col_stride())
            };
            for col in (0..n).step_by(width) {
                let part = to.part(tile_rows.clone(), col..n.min(col + width));
                let whole = part.c.cols() == width;
                let (source, b_step, padded, copy) = match &mut b {
                    Right::Packed(panels) => (panels.as_ptr().wrapping_add(col * k), width as isize, true, None),
                    Right::InPlace(b, panels) => {
                        let saves = whole && m > 2 * height && panels.len() >= (col + width) * k;
                        let panel = panels.as_mut_ptr().wrapping_add(col * k);
                        match row {
                            0 => (b.at(0, col), b.row_stride(), false, saves.then_some(panel)),
                            _ if saves => (panel.cast_const(), width as isize, true, None),
                            _ => (b.at(0, col), b.row_stride(), false, None),
                        }
                    }
                };
                let from = Factors { a: first, a_row, a_step, b: source, b_step, k, padded };
                // SAFETY: `first` has as many rows as the target, and `k` steps: `left` has, and so has the panel that was just packed. `source` has
                // `k` rows of the target's columns, which are adjacent: the matrix has, and a panel, as wide as a tile, was seen to lie inside the slice
                // when it was given, or before it was written. Only whole tiles are saved, and the first is one: there are more rows below it.
                unsafe {
                    match copy {
                        Some(panel) => saving_tile::<V>(simd, from, &part, panel),
                        None => any_tile::<V>(simd, from, &part),
                    }
                }
            }
        }
    }
}
