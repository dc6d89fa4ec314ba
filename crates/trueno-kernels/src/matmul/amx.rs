//! Products of words by instructions that multiply whole tiles: AMX.
//!
//! Panels of the right factor are as elsewhere, and a row of one as wide as two tiles. Rows of the left factor are packed as tiles, which
//! stay in the first level of cache while the panels go by.

use super::pack::pack_a;
use super::tile::{Target, TileShape, finish_in_place};
use super::unit::{Finish, Kind, Unit};
use super::view::{MatMut, MatRef};
use crate::Isa;
use crate::simd::{Amx, Numbers, SIDE, TileProduct, Tiles, kernel};

/// Rows and columns of sums that are in registers together.
const SUMS: usize = 2 * SIDE;

/// The tile of products of these units, if instructions for it are there.
pub(super) fn shape<T: Unit>(isa: Isa) -> Option<TileShape> {
    multiplier::<T>(isa).map(|_| TileShape { rows: SUMS, cols: SUMS, steps: SIDE })
}

/// The instructions, and which of them products of these units take.
pub(super) fn multiplier<T: Unit>(isa: Isa) -> Option<(Amx, Numbers)> {
    let numbers = match T::KIND {
        Kind::Single | Kind::Double => return None,
        Kind::Word => Numbers::Bytes,
        Kind::Pair => Numbers::Halves,
    };
    isa.amx().map(|amx| (amx, numbers))
}

/// `to = a * b` for panels of `b`, where `room` takes the tiles of some rows of `a`.
pub(super) fn block_product<T: Unit>(
    isa: Isa,
    (amx, numbers): (Amx, Numbers),
    a: MatRef<'_, T>,
    panels: &[T],
    to: Target<'_, '_, T>,
    room: &mut [T],
) {
    let (mut to, k) = (to, a.cols());
    let (m, n) = (to.c.rows(), to.c.cols());
    assert!(a.rows() == m && k.is_multiple_of(SIDE), "words of whole tiles: see `Grouped::steps`");
    assert!(panels.len() >= n.next_multiple_of(SUMS) * k && size_of::<T>() == size_of::<f32>());
    // SAFETY: nothing that is called below takes them, and they are back before this returns.
    let mut tiles = unsafe { amx.tiles() };
    for row in (0..m).step_by(SUMS) {
        let rows = row..m.min(row + SUMS);
        let left = &mut room[..SUMS * k];
        pack_tiles(isa, a.block(rows.clone(), 0..k), left);
        for col in (0..n).step_by(SUMS) {
            let mut part = to.part(rows.clone(), col..n.min(col + SUMS));
            sums(&mut tiles, numbers, left, &panels[col * k..][..SUMS * k], &mut part);
            if part.epilogue.as_ref().is_some_and(|epilogue| !epilogue.is_identity()) {
                finish_in_place(isa, part);
            }
        }
    }
}

kernel! {
    /// Packs rows, as many as two tiles have at most. The place of those that are missing keeps what it holds, which goes into no sum of others.
    fn pack_tiles<T: Unit, V>(simd, a: MatRef<'_, T>, packed: &mut [T]) {
        for (depth, tiles) in packed.chunks_exact_mut(SUMS * SIDE).enumerate() {
            let columns = a.block(0..a.rows(), depth * SIDE..(depth + 1) * SIDE).transposed();
            pack_a::<V>(simd, columns, SIDE, tiles);
        }
    }
}

/// The sums of one target, before the epilogue.
fn sums<T: Unit>(tiles: &mut Tiles, numbers: Numbers, a: &[T], panel: &[T], to: &mut Target<'_, '_, T>) {
    if !to.c.rows().is_multiple_of(SIDE) || to.c.cols() != SUMS {
        return sums_beside(tiles, numbers, a, panel, to);
    }
    let product = TileProduct {
        a: a.as_ptr().cast(),
        b: panel.as_ptr().cast(),
        depth: a.len() / (SUMS * SIDE),
        c: to.c.at(0, 0).cast(),
        c_row: to.c.row_stride() * size_of::<T>(),
        accumulate: to.accumulate,
    };
    // SAFETY: the factors are slices of so many tiles, of words as large as floats, and the target has one or two tiles of rows.
    unsafe {
        if to.c.rows() <= SIDE {
            tiles.multiply::<1>(numbers, product);
        } else {
            tiles.multiply::<2>(numbers, product);
        }
    }
}

/// As [`sums`] for a target that is smaller than its tiles: they go beside it.
#[cold]
fn sums_beside<T: Unit>(tiles: &mut Tiles, numbers: Numbers, a: &[T], panel: &[T], to: &mut Target<'_, '_, T>) {
    let (rows, cols) = (to.c.rows(), to.c.cols());
    let mut beside = [T::NOTHING; SUMS * SUMS];
    let row = |i| i * SUMS..i * SUMS + cols;
    if to.accumulate {
        (0..rows).for_each(|i| beside[row(i)].copy_from_slice(target_row(to, i)));
    }
    let c = MatMut::row_major(&mut beside, rows.next_multiple_of(SIDE), SUMS);
    sums(tiles, numbers, a, panel, &mut Target { c, accumulate: to.accumulate, epilogue: None });
    (0..rows).for_each(|i| target_row(to, i).copy_from_slice(&beside[row(i)]));
}

fn target_row<'c, T: Unit>(to: &'c mut Target<'_, '_, T>, i: usize) -> &'c mut [T] {
    assert!(i < to.c.rows());
    // SAFETY: the row is in the target, and its elements are adjacent.
    unsafe { core::slice::from_raw_parts_mut(to.c.at(i, 0), to.c.cols()) }
}
