//! The innermost loop: a tile of the product that stays in registers while the summed axis runs.

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ops::Range;

use super::amx;
use super::unit::{Finish, ProductVector, Unit};
use super::view::MatMut;
use crate::Isa;
use crate::simd::{Token, kernel};

/// Rows and columns of the register tile, and steps of the summed axis that it takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileShape {
    pub rows: usize,
    pub cols: usize,
    pub steps: usize,
}

impl TileShape {
    pub fn of<T: Unit>(isa: Isa) -> TileShape {
        amx::shape::<T>(isa).unwrap_or_else(|| shape_of::<T>(isa))
    }
}

kernel! {
    fn shape_of<T: Unit, V>(simd) -> TileShape {
        let _ = simd;
        TileShape { rows: rows::<V::Token>(), cols: cols::<V>(), steps: 1 }
    }
}

/// Vectors in a row of the tile. With [`rows`] they fill the registers but for one row of B and one element of A.
const VECTORS: usize = 2;

/// Vectors in the only row of a tile that is one row high.
pub(super) const VECTORS_OF_ROW: usize = 8;

/// Rows of the tile.
#[inline(always)]
pub(crate) const fn rows<S: Token>() -> usize {
    if S::LEVEL.has_many_registers() { 14 } else { 6 }
}

/// Columns of the tile.
#[inline(always)]
pub(crate) const fn cols<V: ProductVector>() -> usize {
    VECTORS * V::LANES
}

/// The factors of a tile: element `[i, p]` of A is `a[i * a_row + p * a_step]`, row `p` of B starts at `b[p * b_step]`.
#[derive(Clone, Copy)]
pub(super) struct Factors<T> {
    pub a: *const T,
    pub a_row: isize,
    pub a_step: isize,
    pub b: *const T,
    pub b_step: isize,
    pub k: usize,
    /// Whether rows of B are as wide as the tile even where the target is not.
    pub padded: bool,
}

/// Where a block of the product goes.
pub(super) struct Target<'c, 'e, T: Unit> {
    pub c: MatMut<'c, T>,
    /// Whether the block is added to what is there.
    pub accumulate: bool,
    /// What is fused, after the last cut of the summed axis.
    pub epilogue: Option<T::Epilogue<'e>>,
}

impl<'e, T: Unit> Target<'_, 'e, T> {
    /// The part of the given rows and columns.
    #[inline(always)]
    pub fn part(&mut self, rows: Range<usize>, cols: Range<usize>) -> Target<'_, 'e, T> {
        let epilogue = self.epilogue.as_ref().map(|whole| whole.block(rows.clone(), cols.clone()));
        Target { c: self.c.reborrow().block(rows, cols), accumulate: self.accumulate, epilogue }
    }
}

/// The smallest of a few tiles that holds the target, so that edges cost little more than their elements.
///
/// # Safety
/// For each of the target's rows `a` must be readable for `k` steps, `b` for `k` rows of as many adjacent elements as the target has columns (as
/// the tile has, where it is `padded`). The target must have rows and columns, and no more than the tile, but a single row may have
/// [`VECTORS_OF_ROW`] vectors.
#[inline(always)]
pub(super) unsafe fn any_tile<V: ProductVector>(simd: V::Token, from: Factors<V::Elem>, to: &Target<'_, '_, V::Elem>) {
    // SAFETY: the caller's promises are those of `tile`.
    unsafe {
        if to.c.rows() == 1 && to.c.cols() > cols::<V>() {
            tile::<V, 1, VECTORS_OF_ROW, false, false>(simd, from, to, None);
        } else if V::Token::LEVEL.has_many_registers() {
            match to.c.rows() {
                9.. => fitting_width::<V, 14>(simd, from, to),
                5.. => fitting_width::<V, 8>(simd, from, to),
                2.. => fitting_width::<V, 4>(simd, from, to),
                _ => fitting_width::<V, 1>(simd, from, to),
            }
        } else {
            match to.c.rows() {
                5.. => fitting_width::<V, 6>(simd, from, to),
                3.. => fitting_width::<V, 4>(simd, from, to),
                2 => fitting_width::<V, 2>(simd, from, to),
                _ => fitting_width::<V, 1>(simd, from, to),
            }
        }
    }
}

/// # Safety
/// As [`any_tile`], for `R` rows at most.
#[inline(always)]
unsafe fn fitting_width<V: ProductVector, const R: usize>(
    simd: V::Token,
    from: Factors<V::Elem>,
    to: &Target<'_, '_, V::Elem>,
) {
    let (whole_rows, lanes) = (to.c.rows() == R, V::LANES);
    // SAFETY: the caller's promises are those of `tile`; whole tiles were just seen to be whole.
    unsafe {
        if to.c.cols() > lanes {
            match (whole_rows && to.c.cols() == VECTORS * lanes, from.a_row) {
                (true, 1) => tile::<V, R, VECTORS, true, true>(simd, from, to, None),
                (true, _) => tile::<V, R, VECTORS, true, false>(simd, from, to, None),
                (false, _) => tile::<V, R, VECTORS, false, false>(simd, from, to, None),
            }
        } else {
            tile::<V, R, 1, false, false>(simd, from, to, None);
        }
    }
}

/// A whole tile that also copies the rows of B that it reads to `panel`, one after the other.
///
/// # Safety
/// As [`any_tile`]; the target must have [`rows`] rows and [`cols`] columns, and `panel` be writable for `k` rows of so many elements.
#[inline(always)]
pub(super) unsafe fn saving_tile<V: ProductVector>(
    simd: V::Token,
    from: Factors<V::Elem>,
    to: &Target<'_, '_, V::Elem>,
    panel: *mut V::Elem,
) {
    // SAFETY: the caller's promises are those of `tile`.
    unsafe {
        match (V::Token::LEVEL.has_many_registers(), from.a_row) {
            (true, 1) => tile::<V, 14, VECTORS, true, true>(simd, from, to, Some(panel)),
            (true, _) => tile::<V, 14, VECTORS, true, false>(simd, from, to, Some(panel)),
            (false, 1) => tile::<V, 6, VECTORS, true, true>(simd, from, to, Some(panel)),
            (false, _) => tile::<V, 6, VECTORS, true, false>(simd, from, to, Some(panel)),
        }
    }
}

/// Rows of B that are asked for before they are read where they lie apart: about the latency of the last level of cache.
const AHEAD: isize = 20;
/// Bytes that a prefetch brings.
const LINE: usize = 64;

/// Rows of A that are reached from one address, by multiples of their stride.
const GROUP: usize = 4;
/// Groups of the highest tile.
const GROUPS: usize = 4;

/// A tile of up to `R` rows of up to `N` vectors, of exactly so many if `WHOLE`, whose rows of A are adjacent if `UNIT`. The rows of B that
/// it reads are copied to `panel` if there is one.
///
/// Every element is `a[0] * b[0]` plus the further products one by one, in order, fused where the machine can.
///
/// # Safety
/// The target must have 1 to `R` rows and 1 to `N * LANES` columns, `R` and `N * LANES` if `WHOLE`. A must be readable for the target's rows and
/// `k` steps, B for `k` rows of the target's columns (`N * LANES` if `padded`), and `panel` writable for `k` rows of `N * LANES` elements. `a_row`
/// must be 1 if `UNIT`.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "iterators over registers would have to be unrolled through their adaptors"
)]
unsafe fn tile<V: ProductVector, const R: usize, const N: usize, const WHOLE: bool, const UNIT: bool>(
    simd: V::Token,
    from: Factors<V::Elem>,
    to: &Target<'_, '_, V::Elem>,
    panel: Option<*mut V::Elem>,
) {
    let zero = V::splat(simd, V::Elem::NOTHING);
    let mut sums = [[zero; N]; R];
    // Lanes that each vector of a row of B may read.
    let mut widths = [V::LANES; N];
    let mut lines = [from.a; GROUPS];
    let mut row_offsets = [0; R];
    if WHOLE {
        if !UNIT {
            for (group, line) in lines.iter_mut().enumerate() {
                // If it knew how these belong together, the compiler would step from each row to the next: a chain of
                // additions that takes longer than the multiply-adds.
                *line = black_box(from.a.wrapping_offset(((group * GROUP) as isize).wrapping_mul(from.a_row)));
            }
        }
        prefetch_target::<V, R, N>(simd, to);
    } else {
        for i in 0..R {
            // Rows below the target repeat its last; their sums are dropped.
            row_offsets[i] = (i.min(to.c.rows() - 1) as isize).wrapping_mul(from.a_row);
        }
        for j in 0..N {
            widths[j] = to.c.cols().saturating_sub(j * V::LANES).min(V::LANES);
        }
    }
    let vectors_fit = WHOLE || from.padded || to.c.cols() == N * V::LANES;
    let mut b = from.b;
    let mut copy = panel.unwrap_or(core::ptr::null_mut());
    for _ in 0..from.k {
        let mut row = [zero; N];
        for j in 0..N {
            let source = b.wrapping_add(j * V::LANES);
            // SAFETY: the caller vouches for this row of B; `widths` keeps to what the target needs where the row may be no wider.
            row[j] =
                unsafe { if vectors_fit { V::load(simd, source) } else { V::load_partial(simd, source, widths[j]) } };
        }
        if panel.is_some() {
            for j in 0..N {
                simd.prefetch(b.wrapping_offset(from.b_step.wrapping_mul(AHEAD)).wrapping_add(j * V::LANES));
                // SAFETY: the caller vouches for the panel.
                unsafe { row[j].store(copy.wrapping_add(j * V::LANES)) };
            }
            copy = copy.wrapping_add(N * V::LANES);
        }
        for i in 0..R {
            let element = match (UNIT, WHOLE) {
                (true, _) => lines[0].wrapping_add(i),
                (false, true) => lines[i / GROUP].wrapping_offset(((i % GROUP) as isize).wrapping_mul(from.a_row)),
                (false, false) => lines[0].wrapping_offset(row_offsets[i]),
            };
            // SAFETY: the caller vouches for this column of A, and the row is one of the target's.
            let x = V::splat(simd, unsafe { *element });
            for j in 0..N {
                sums[i][j] = x.mul_add(row[j], sums[i][j]);
            }
        }
        for line in &mut lines {
            *line = line.wrapping_offset(from.a_step);
        }
        b = b.wrapping_offset(from.b_step);
    }

    if WHOLE && to.epilogue.as_ref().is_none_or(Finish::is_identity) {
        for i in 0..R {
            for j in 0..N {
                let target = to.c.at(i, j * V::LANES);
                // SAFETY: the target has `R` rows of `N` vectors.
                unsafe {
                    if to.accumulate {
                        V::load(simd, target).add(sums[i][j]).store(target);
                    } else {
                        sums[i][j].store(target);
                    }
                }
            }
        }
        return;
    }
    // Through memory: a variable index into the sums would keep them out of registers in the loop above.
    let mut spilled = MaybeUninit::<[[V; N]; R]>::uninit();
    let lanes = spilled.as_mut_ptr().cast::<V::Elem>();
    for i in 0..R {
        for j in 0..N {
            // SAFETY: `spilled` has R * N vectors.
            unsafe { sums[i][j].store(lanes.wrapping_add((i * N + j) * V::LANES)) };
        }
    }
    for i in 0..to.c.rows() {
        // SAFETY: row `i` of `spilled` has N vectors, at least as many lanes as `to.c.cols()`; the target has row `i`.
        unsafe { write_row::<V>(simd, lanes.wrapping_add(i * N * V::LANES), i, to) };
    }
}

/// Asks for the rows of a target of `R` rows of `N` vectors, which the sums are written to at the end.
#[inline(always)]
fn prefetch_target<V: ProductVector, const R: usize, const N: usize>(simd: V::Token, to: &Target<'_, '_, V::Elem>) {
    let line = (LINE / size_of::<V::Elem>()).max(V::LANES);
    for i in 0..R {
        for from in (0..N * V::LANES).step_by(line) {
            simd.prefetch(to.c.at(i, from).cast_const());
        }
    }
}

/// Moves `to.c.cols()` finished sums to row `i` of the target.
///
/// # Safety
/// `sums` must be readable for the target's columns rounded up to a vector, and `i` be one of its rows.
#[inline(always)]
unsafe fn write_row<V: ProductVector>(simd: V::Token, sums: *const V::Elem, i: usize, to: &Target<'_, '_, V::Elem>) {
    let row = to.c.at(i, 0);
    let mut col = 0;
    while col < to.c.cols() {
        let width = (to.c.cols() - col).min(V::LANES);
        // SAFETY: `width` elements from `col` are in `sums` and in row `i`, for which the caller vouches.
        unsafe {
            let mut value = V::load(simd, sums.wrapping_add(col));
            let target = row.wrapping_add(col);
            if to.accumulate {
                value = load_some::<V>(simd, target, width).add(value);
            }
            if let Some(epilogue) = &to.epilogue {
                value = value.finish(epilogue, i, col, width);
            }
            if width == V::LANES {
                value.store(target);
            } else {
                value.store_partial(target, width);
            }
        }
        col += V::LANES;
    }
}

/// # Safety
/// `source` must be readable for `width` elements, `width <= LANES`.
#[inline(always)]
pub(crate) unsafe fn load_some<V: ProductVector>(simd: V::Token, source: *const V::Elem, width: usize) -> V {
    // SAFETY: the caller vouches for `width` elements.
    unsafe { if width == V::LANES { V::load(simd, source) } else { V::load_partial(simd, source, width) } }
}

kernel! {
    /// Applies the epilogue to elements that are already in memory.
    pub(super) fn finish_in_place<T: Unit, V>(simd, to: Target<'_, '_, T>) {
        let Some(epilogue) = &to.epilogue else { return };
        let lanes = V::LANES;
        for i in 0..to.c.rows() {
            for col in (0..to.c.cols()).step_by(lanes) {
                let width = (to.c.cols() - col).min(lanes);
                let target = to.c.at(i, col);
                // SAFETY: `width` elements from `[i, col]` are in the target.
                unsafe {
                    let value = load_some::<V>(simd, target, width);
                    value.finish(epilogue, i, col, width).store_partial(target, width);
                }
            }
        }
    }
}
