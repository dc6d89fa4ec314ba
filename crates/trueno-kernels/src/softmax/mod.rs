//! Softmax and its kin along one axis of an array, with their gradients.
//!
//! Every line of the axis is shifted by its maximum first, so that nothing overflows. As in PyTorch, a line that holds NaN or
//! +inf, or nothing but -inf, has a softmax of NaN; the logsumexp of nothing but -inf (or of nothing) is -inf.
//!
//! ```
//! use trueno_kernels::{AxisBlocks, Isa, softmax::softmax};
//!
//! let mut y = [0.0; 4];
//! softmax(Isa::best(), &[1.0, 1.0, 1000.0, 0.0], AxisBlocks::rows(2, 2), &mut y);
//! assert_eq!(y, [0.5, 0.5, 1.0, 0.0]);
//! ```

mod columns;
mod rows;
pub(crate) use rows::sum_of_exp;
#[cfg(test)]
mod tests;

use crate::AxisBlocks;
use crate::simd::{Real, kernel};

/// Panics unless every slice has as many elements as the array.
fn check<T>(shape: AxisBlocks, arrays: &[&[T]]) {
    for array in arrays {
        assert_eq!(array.len(), shape.elements(), "array of {shape:?}");
    }
}

/// Panics unless a slice has one element per line.
fn check_lines<T>(shape: AxisBlocks, lines: &[T]) {
    assert_eq!(lines.len(), shape.lines(), "lines of {shape:?}");
}

kernel! {
    /// `out = exp(x) / sum(exp(x))` along the axis.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn softmax<T: Real>(simd: S, x: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[x, out]);
        if out.is_empty() {
            return;
        }
        let block = shape.len * shape.inner;
        for (x, out) in x.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
            if shape.inner == 1 {
                rows::softmax::<T::Vector<S>>(simd, x, out);
            } else {
                columns::softmax::<T::Vector<S>>(simd, x, shape.inner, out);
            }
        }
    }
}

kernel! {
    /// `out = x - ln(sum(exp(x)))` along the axis.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn log_softmax<T: Real>(simd: S, x: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[x, out]);
        if out.is_empty() {
            return;
        }
        let block = shape.len * shape.inner;
        for (x, out) in x.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
            if shape.inner == 1 {
                rows::log_softmax::<T::Vector<S>>(simd, x, out);
            } else {
                columns::log_softmax::<T::Vector<S>>(simd, x, shape.inner, out);
            }
        }
    }
}

kernel! {
    /// `out = ln(sum(exp(x)))` along the axis: one value per line, of shape `[outer, inner]`.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn logsumexp<T: Real>(simd: S, x: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[x]);
        check_lines(shape, out);
        if x.is_empty() {
            out.fill(-T::INFINITY);
            return;
        }
        let lines = x.chunks_exact(shape.len * shape.inner).zip(out.chunks_exact_mut(shape.inner));
        for (x, out) in lines {
            if shape.inner == 1 {
                out[0] = rows::logsumexp::<T::Vector<S>>(simd, x);
            } else {
                columns::logsumexp::<T::Vector<S>>(simd, x, out);
            }
        }
    }
}

kernel! {
    /// The gradient of [`softmax`]: `out = y * (g - sum(g * y))`, from its result `y` and the gradient `g` of that.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn softmax_gradient<T: Real>(simd: S, y: &[T], g: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[y, g, out]);
        if out.is_empty() {
            return;
        }
        let block = shape.len * shape.inner;
        for ((y, g), out) in y.chunks_exact(block).zip(g.chunks_exact(block)).zip(out.chunks_exact_mut(block)) {
            if shape.inner == 1 {
                rows::softmax_gradient::<T::Vector<S>>(simd, y, g, out);
            } else {
                columns::softmax_gradient::<T::Vector<S>>(simd, y, g, shape.inner, out);
            }
        }
    }
}

kernel! {
    /// The gradient of [`log_softmax`]: `out = g - exp(y) * sum(g)`, from its result `y` and the gradient `g` of that.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn log_softmax_gradient<T: Real>(simd: S, y: &[T], g: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[y, g, out]);
        if out.is_empty() {
            return;
        }
        let block = shape.len * shape.inner;
        for ((y, g), out) in y.chunks_exact(block).zip(g.chunks_exact(block)).zip(out.chunks_exact_mut(block)) {
            if shape.inner == 1 {
                rows::log_softmax_gradient::<T::Vector<S>>(simd, y, g, out);
            } else {
                columns::log_softmax_gradient::<T::Vector<S>>(simd, y, g, shape.inner, out);
            }
        }
    }
}

kernel! {
    /// The gradient of [`logsumexp`]: `out = g * exp(x - y)`, from its argument `x`, its result `y` and the gradient `g`
    /// of that, the last two of one value per line.
    ///
    /// # Panics
    /// If a slice is not as long as the shape says.
    pub fn logsumexp_gradient<T: Real>(simd: S, x: &[T], y: &[T], g: &[T], shape: AxisBlocks, out: &mut [T]) {
        check(shape, &[x, out]);
        check_lines(shape, y);
        check_lines(shape, g);
        if out.is_empty() {
            return;
        }
        let (block, inner) = (shape.len * shape.inner, shape.inner);
        let lines = y.chunks_exact(inner).zip(g.chunks_exact(inner));
        for ((x, (y, g)), out) in x.chunks_exact(block).zip(lines).zip(out.chunks_exact_mut(block)) {
            if inner == 1 {
                rows::logsumexp_gradient::<T::Vector<S>>(simd, x, y[0], g[0], out);
            } else {
                columns::logsumexp_gradient::<T::Vector<S>>(simd, x, y, g, out);
            }
        }
    }
}
