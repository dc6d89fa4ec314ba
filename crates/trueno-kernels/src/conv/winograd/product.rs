//! The products of transformed weights and images, position by position of the tile.

use super::transform::AREA;
use crate::simd::{MAX_LANES, Real, RealVector, Simd, kernel};

/// Lanes of the widest vector.
pub(super) const LANES_MOST: usize = MAX_LANES;

/// Rows of the largest register tile.
#[inline(always)]
const fn most_rows<S: Simd>() -> usize {
    if S::LEVEL.has_many_registers() { 14 } else { 6 }
}

kernel! {
    /// The most channels of the result that a panel of weights has (the least is half of it), and the lanes of a vector.
    pub(super) fn tile_size<T: Real>(simd: S) -> [usize; 2] {
        let _ = simd;
        [most_rows::<S>(), T::Vector::<S>::LANES]
    }
}

kernel! {
    /// For each position of the tile the product `[rows, channels] x [channels, width]`.
    ///
    /// `weights` are `[AREA, channels, rows]`, `images` at least `[AREA, channels, width]`, and `sums` at least `[AREA, rows, width]`, where `width` is that
    /// of one vector or two.
    pub(super) fn products<T: Real>(simd: S, weights: &[T], rows: usize, images: &[T], width: usize, sums: &mut [T]) {
        let channels = weights.len() / (AREA * rows);
        let vectors = width / T::Vector::<S>::LANES;
        assert!(weights.len() == AREA * channels * rows && rows <= most_rows::<S>() && rows >= most_rows::<S>().div_ceil(2));
        assert!(images.len() >= AREA * channels * width && sums.len() >= AREA * rows * width);
        assert!(width == vectors * T::Vector::<S>::LANES && (vectors == 1 || vectors == 2));
        for position in 0..AREA {
            let a = weights[position * channels * rows..].as_ptr();
            let b = images[position * channels * width..].as_ptr();
            let out = sums[position * rows * width..].as_mut_ptr();
            // SAFETY: the lengths were just seen to hold `AREA` matrices each, of which this is one; `rows` and `vectors` are in range.
            unsafe {
                match vectors {
                    1 => fitting_tile::<S, T, 1>(simd, a, b, channels, rows, out),
                    _ => fitting_tile::<S, T, 2>(simd, a, b, channels, rows, out),
                }
            }
        }
    }
}

/// The tile of `rows` rows.
///
/// # Safety
/// As [`tile`], and `rows` is from half to the whole of [`most_rows`].
#[inline(always)]
unsafe fn fitting_tile<S: Simd, T: Real, const N: usize>(
    simd: S,
    a: *const T,
    b: *const T,
    steps: usize,
    rows: usize,
    out: *mut T,
) {
    // SAFETY: the caller's promises are those of `tile`.
    unsafe {
        if most_rows::<S>() == 14 {
            match rows {
                7 => tile::<T::Vector<S>, 7, N>(simd, a, b, steps, out),
                8 => tile::<T::Vector<S>, 8, N>(simd, a, b, steps, out),
                9 => tile::<T::Vector<S>, 9, N>(simd, a, b, steps, out),
                10 => tile::<T::Vector<S>, 10, N>(simd, a, b, steps, out),
                11 => tile::<T::Vector<S>, 11, N>(simd, a, b, steps, out),
                12 => tile::<T::Vector<S>, 12, N>(simd, a, b, steps, out),
                13 => tile::<T::Vector<S>, 13, N>(simd, a, b, steps, out),
                _ => tile::<T::Vector<S>, 14, N>(simd, a, b, steps, out),
            }
        } else {
            match rows {
                3 => tile::<T::Vector<S>, 3, N>(simd, a, b, steps, out),
                4 => tile::<T::Vector<S>, 4, N>(simd, a, b, steps, out),
                5 => tile::<T::Vector<S>, 5, N>(simd, a, b, steps, out),
                _ => tile::<T::Vector<S>, 6, N>(simd, a, b, steps, out),
            }
        }
    }
}

/// `out = a * b` for `R` rows of `N` vectors, which stay in registers while the summed axis runs.
///
/// # Safety
/// `a` must be readable for `steps * R` elements, `b` for `steps * N` vectors, and `out` writable for `R * N` vectors.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "iterators over registers would have to be unrolled through their adaptors"
)]
unsafe fn tile<V: RealVector, const R: usize, const N: usize>(
    simd: V::Token,
    a: *const V::Elem,
    b: *const V::Elem,
    steps: usize,
    out: *mut V::Elem,
) {
    let mut sums = [[V::splat(simd, V::Elem::ZERO); N]; R];
    for step in 0..steps {
        let mut row = [sums[0][0]; N];
        for j in 0..N {
            // SAFETY: the caller vouches for this row of `b`.
            row[j] = unsafe { V::load(simd, b.wrapping_add((step * N + j) * V::LANES)) };
        }
        for i in 0..R {
            // SAFETY: the caller vouches for this column of `a`.
            let x = V::splat(simd, unsafe { *a.wrapping_add(step * R + i) });
            for j in 0..N {
                sums[i][j] = x.mul_add(row[j], sums[i][j]);
            }
        }
    }
    for i in 0..R {
        for j in 0..N {
            // SAFETY: the caller vouches for these vectors of `out`.
            unsafe { sums[i][j].store(out.wrapping_add((i * N + j) * V::LANES)) };
        }
    }
}
