//! Means of windows that are as large as the wanted output needs.
//!
//! Window `i` of `o` over an axis of `n` starts at `i * n / o` rounded down and ends at `(i + 1) * n / o` rounded up, as in PyTorch.

use core::ops::Range;

use crate::Isa;
use crate::lanes::{Sum, read};
use crate::simd::{Real, RealVector, kernel};

/// The elements of window `index` of `windows` over an axis of `size`.
#[inline(always)]
fn span(index: usize, windows: usize, size: usize) -> Range<usize> {
    index * size / windows..((index + 1) * size).div_ceil(windows)
}

kernel! {
    /// Pools planes of `input` rows and columns to `output` rows and columns.
    ///
    /// # Panics
    /// If `x` and `out` are not whole planes, as many each, or the input is empty where the output is not.
    pub fn adaptive_avg_pool2d<T: Real>(simd: S, x: &[T], input: [usize; 2], output: [usize; 2], out: &mut [T]) {
        check(x, input, out, output);
        if out.is_empty() {
            return;
        }
        let planes = x.chunks_exact(input[0] * input[1]).zip(out.chunks_exact_mut(output[0] * output[1]));
        for (x, out) in planes {
            for oy in 0..output[0] {
                let rows = span(oy, output[0], input[0]);
                for ox in 0..output[1] {
                    let cols = span(ox, output[1], input[1]);
                    let count = rows.len() * cols.len();
                    let total = if cols.len() == input[1] {
                        sum::<T::Vector<S>>(simd, &x[rows.start * input[1]..rows.end * input[1]])
                    } else {
                        let mut total = 0.0;
                        for row in rows.clone() {
                            total += sum::<T::Vector<S>>(simd, &x[row * input[1]..][cols.clone()]);
                        }
                        total
                    };
                    out[oy * output[1] + ox] = T::from_f64(total / count as f64);
                }
            }
        }
    }
}

/// The sum of the elements.
#[inline(always)]
fn sum<V: RealVector>(simd: V::Token, x: &[V::Elem]) -> f64 {
    let mut sum = Sum::<V>::new(simd);
    for from in (0..x.len()).step_by(V::LANES) {
        sum.add(read::<V>(simd, x, from));
    }
    sum.finish()
}

/// The gradient of [`adaptive_avg_pool2d`]: every element gets its share of the `g` of each window over it.
///
/// # Panics
/// If `g` and `out` are not whole planes, as many each.
pub fn adaptive_avg_pool2d_gradient<T: Real>(g: &[T], output: [usize; 2], input: [usize; 2], out: &mut [T]) {
    spread(Isa::best(), g, output, input, out);
}

kernel! {
    /// The body of [`adaptive_avg_pool2d_gradient`].
    fn spread<T: Real>(simd: S, g: &[T], output: [usize; 2], input: [usize; 2], out: &mut [T]) {
    let _ = simd;
    check(out, input, g, output);
    out.fill(T::ZERO);
    if g.is_empty() {
        return;
    }
    let planes = g.chunks_exact(output[0] * output[1]).zip(out.chunks_exact_mut(input[0] * input[1]));
    for (g, out) in planes {
        for oy in 0..output[0] {
            let rows = span(oy, output[0], input[0]);
            for ox in 0..output[1] {
                let cols = span(ox, output[1], input[1]);
                let share = g[oy * output[1] + ox] * T::from_f64(1.0 / (rows.len() * cols.len()) as f64);
                for row in rows.clone() {
                    for out in &mut out[row * input[1]..][cols.clone()] {
                        *out = *out + share;
                    }
                }
            }
        }
    }
}

}

/// Panics unless both are whole planes, and as many.
fn check<T>(x: &[T], input: [usize; 2], y: &[T], output: [usize; 2]) {
    let (plane_in, plane_out) = (input[0] * input[1], output[0] * output[1]);
    assert!(
        x.len() * plane_out == y.len() * plane_in
            && x.len().is_multiple_of(plane_in.max(1))
            && y.len().is_multiple_of(plane_out.max(1)),
        "{} elements in planes of {input:?} and {} in planes of {output:?}",
        x.len(),
        y.len()
    );
    assert!(plane_in > 0 || y.is_empty(), "empty planes have no mean");
}
