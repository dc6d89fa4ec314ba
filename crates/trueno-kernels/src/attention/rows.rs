//! What happens to the rows of a tile between two products.

use crate::lanes::{Sum, keep_first, largest as largest_of, read, write};
use crate::math::{exp, ln_of_one as ln};
use crate::simd::{MAX_LANES, Real, RealVector, kernel};

/// What scores are shifted by: the largest, or nothing if all are minus infinity (they then become 0 and not NaN).
#[inline(always)]
fn shift<T: Real>(largest: T) -> T {
    if largest == -T::INFINITY { T::ZERO } else { largest }
}

/// Multiplies a row by a number.
#[inline(always)]
fn scale_row<V: RealVector>(simd: V::Token, row: &mut [V::Elem], factor: V::Elem) {
    let factor = V::splat(simd, factor);
    for from in (0..row.len()).step_by(V::LANES) {
        write(read::<V>(simd, row, from).mul(factor), row, from);
    }
}

kernel! {
    /// Turns rows of `cols` scores into exponentials, shifted by the largest score of the row so far, and takes them into the
    /// row's `sum`; what the row has so far in `sum` and in `out` is scaled to the same shift.
    pub(super) fn absorb<T: Real>(
        simd: S, scores: &mut [T], cols: usize, largest: &mut [T], sum: &mut [T], out: &mut [T]
    ) {
        let lanes = <T::Vector<S> as RealVector>::LANES;
        let width = out.len() / largest.len().max(1);
        let groups = scores.chunks_mut(lanes * cols).zip(largest.chunks_mut(lanes)).zip(sum.chunks_mut(lanes));
        for (group, ((scores, largest), sum)) in groups.enumerate() {
            // The factors of as many rows as a vector has lanes are exponentials of one vector.
            let mut kept = [T::ZERO; MAX_LANES];
            for ((row, largest), kept) in scores.chunks_exact(cols).zip(&mut *largest).zip(&mut kept) {
                let here = largest_of::<T::Vector<S>>(simd, row);
                if here > *largest {
                    (*kept, *largest) = (*largest - here, here);
                }
            }
            let kept = exp(<T::Vector<S> as RealVector>::from_lanes(simd, &kept)).to_lanes();
            for (i, row) in scores.chunks_exact_mut(cols).enumerate() {
                if kept[i] != T::ONE {
                    sum[i] = sum[i] * kept[i];
                    scale_row::<T::Vector<S>>(simd, &mut out[(group * lanes + i) * width..][..width], kept[i]);
                }
                let shift = <T::Vector<S> as RealVector>::splat(simd, shift(largest[i]));
                let mut total = Sum::<T::Vector<S>>::new(simd);
                for from in (0..cols).step_by(lanes) {
                    let term = exp(read::<T::Vector<S>>(simd, row, from).sub(shift));
                    write(term, row, from);
                    total.add(keep_first(term, cols - from));
                }
                sum[i] = sum[i] + T::from_f64(total.finish());
            }
        }
    }
}

kernel! {
    /// Divides rows by their sums, which become the logarithms of the sums of unshifted exponentials.
    pub(super) fn finish<T: Real>(simd: S, largest: &[T], sum: &mut [T], out: &mut [T]) {
        let width = out.len() / largest.len().max(1);
        for (i, total) in sum.iter_mut().enumerate() {
            // A row that saw nothing is 0.
            if *total != T::ZERO {
                scale_row::<T::Vector<S>>(simd, &mut out[i * width..][..width], T::ONE / *total);
            }
            *total = if *total == T::ZERO { -T::INFINITY } else { ln(*total) + shift(largest[i]) };
        }
    }
}

kernel! {
    /// Turns rows of `cols` scores into weights, by the logarithm of each row's sum.
    pub(super) fn weigh<T: Real>(simd: S, scores: &mut [T], cols: usize, log_sum: &[T]) {
        for (row, &log_sum) in scores.chunks_exact_mut(cols).zip(log_sum) {
            // Of a row that saw nothing all weights are 0.
            let shift = if log_sum == -T::INFINITY { T::INFINITY } else { log_sum };
            let shift = <T::Vector<S> as RealVector>::splat(simd, shift);
            for from in (0..cols).step_by(<T::Vector<S> as RealVector>::LANES) {
                write(exp(read::<T::Vector<S>>(simd, row, from).sub(shift)), row, from);
            }
        }
    }
}

kernel! {
    /// The gradient of a tile by its scores, `weights * (slope - dot)`, in place of `slope`, the gradient by the weights. `dot`
    /// is each row's sum of `weights * slope`.
    pub(super) fn score_gradient<T: Real>(simd: S, weights: &[T], slope: &mut [T], cols: usize, dot: &[T]) {
        for ((weights, slope), &dot) in weights.chunks_exact(cols).zip(slope.chunks_exact_mut(cols)).zip(dot) {
            let dot = <T::Vector<S> as RealVector>::splat(simd, dot);
            for from in (0..cols).step_by(<T::Vector<S> as RealVector>::LANES) {
                let weight = read::<T::Vector<S>>(simd, weights, from);
                write(weight.mul(read::<T::Vector<S>>(simd, slope, from).sub(dot)), slope, from);
            }
        }
    }
}

kernel! {
    /// The dot product of each row of one matrix with the same row of another, both `[dots, width]`.
    pub(super) fn row_dots<T: Real>(simd: S, x: &[T], y: &[T], width: usize, dots: &mut [T]) {
        for ((x, y), dot) in x.chunks_exact(width).zip(y.chunks_exact(width)).zip(dots) {
            let mut sum = Sum::<T::Vector<S>>::new(simd);
            for from in (0..width).step_by(<T::Vector<S> as RealVector>::LANES) {
                sum.add_product(read::<T::Vector<S>>(simd, x, from), read::<T::Vector<S>>(simd, y, from));
            }
            *dot = T::from_f64(sum.finish());
        }
    }
}
