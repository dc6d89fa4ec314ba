//! Arrangements, and questions about elements, that NumPy and PyTorch have.

use super::{Tensor, twins};
use trueno_core::{Element, Float, Number};

impl<T: Element, const N: usize> Tensor<T, N> {
    twins! {
        /// One element, at an index per axis; negative ones count from the end.
        ///
        /// It is a copy: elements may live on a device, from which nothing can be borrowed.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![[1, 2], [3, 4]].at([1, -2]), 3);
        /// ```
        pub fn at(&self, index: [isize; N]) -> T {
            self.inner.at::<T>(&index)
        }

        /// Elements moved along an axis by `shift`; what leaves at one end comes in at the other.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![1, 2, 3, 4].roll(1, 0), tensor![4, 1, 2, 3]);
        /// ```
        pub fn roll(&self, shift: isize, axis: isize) -> Tensor<T, N> {
            self.inner.roll(shift, axis).map(Tensor::new)
        }

        /// Each slice of an axis `times` times in a row (NumPy's `repeat`, PyTorch's `repeat_interleave`).
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![1, 2].repeat(2, 0), tensor![1, 1, 2, 2]);
        /// assert_eq!(tensor![1, 2].tile([2]), tensor![1, 2, 1, 2]);
        /// ```
        pub fn repeat(&self, times: usize, axis: isize) -> Tensor<T, N> {
            self.inner.repeat(times, axis).map(Tensor::new)
        }

        /// Copies of the whole beside each other, `times` along each axis (NumPy's `tile`, PyTorch's `repeat`).
        pub fn tile(&self, times: [usize; N]) -> Tensor<T, N> {
            self.inner.tile(&times).map(Tensor::new)
        }
    }
}

impl<T: Element> Tensor<T, 2> {
    twins! {
        /// Zeros above a diagonal: 0 is the main one, 1 the next to the right.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = tensor![[1, 2], [3, 4]];
        /// assert_eq!((x.tril(0), x.triu(0)), (tensor![[1, 0], [3, 4]], tensor![[1, 2], [0, 4]]));
        /// assert_eq!((x.diagonal(0), x.diagonal(1)), (tensor![1, 4], tensor![2]));
        /// assert_eq!(tensor![1, 4].diag(), tensor![[1, 0], [0, 4]]);
        /// ```
        pub fn tril(&self, diagonal: i64) -> Tensor<T, 2> {
            self.inner.tril(diagonal).map(Tensor::new)
        }

        /// Zeros below a diagonal: 0 is the main one, 1 the next to the right.
        pub fn triu(&self, diagonal: i64) -> Tensor<T, 2> {
            self.inner.triu(diagonal).map(Tensor::new)
        }

        /// The elements of a diagonal: 0 is the main one, 1 the next to the right. A view where strides allow.
        pub fn diagonal(&self, offset: isize) -> Tensor<T, 1> {
            self.inner.diagonal(offset).map(Tensor::new)
        }
    }
}

impl<T: Element> Tensor<T, 1> {
    twins! {
        /// A matrix with these elements on its main diagonal, and zeros elsewhere.
        pub fn diag(&self) -> Tensor<T, 2> {
            self.inner.diag().map(Tensor::new)
        }
    }
}

impl<T: Number> Tensor<T, 1> {
    twins! {
        /// Every product of an element with one of `other`: `out[i, j] = self[i] * other[j]`.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![1, 2].outer(&tensor![3, 4, 5]), tensor![[3, 4, 5], [6, 8, 10]]);
        /// ```
        pub fn outer(&self, other: &Tensor<T, 1>) -> Tensor<T, 2> {
            let column = self.inner.unsqueeze(1)?;
            column.binary(trueno_core::table::BinaryOp::Mul, &other.inner).map(Tensor::new)
        }
    }
}

impl<T: Number, const N: usize> Tensor<T, N> {
    twins! {
        /// Differences of neighbours along an axis, which gets one shorter (NumPy's `diff`).
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![1, 4, 9].diff(0), tensor![3, 5]);
        /// ```
        pub fn diff(&self, axis: isize) -> Tensor<T, N> {
            self.inner.diff(axis).map(Tensor::new)
        }
    }
}

impl<T: Float, const N: usize> Tensor<T, N> {
    twins! {
        /// True where an element is NaN.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = tensor![1.0, f32::NAN, f32::INFINITY];
        /// assert_eq!(x.isnan(), tensor![false, true, false]);
        /// assert_eq!(x.isinf(), tensor![false, false, true]);
        /// assert_eq!(x.isfinite(), tensor![true, false, false]);
        /// ```
        pub fn isnan(&self) -> Tensor<bool, N> {
            self.inner.isnan().map(Tensor::new)
        }

        /// True where an element is infinite.
        pub fn isinf(&self) -> Tensor<bool, N> {
            self.inner.isinf().map(Tensor::new)
        }

        /// True where an element is neither NaN nor infinite.
        pub fn isfinite(&self) -> Tensor<bool, N> {
            self.inner.isfinite().map(Tensor::new)
        }

        /// True where two elements are near each other: equal, or `|a - b| <= absolute + relative * |b|`. NumPy's
        /// defaults are `1e-5` and `1e-8`.
        pub fn isclose(&self, other: &Tensor<T, N>, relative: f64, absolute: f64) -> Tensor<bool, N> {
            self.inner.isclose(&other.inner, relative, absolute).map(Tensor::new)
        }

        /// Whether all elements are near each other, as [`isclose`](Tensor::isclose) has it.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x: Tensor<f64, 1> = tensor![0.1, 0.2];
        /// assert!((&x * 3.0).allclose(&tensor![0.3, 0.6], 1e-5, 1e-8));
        /// ```
        pub fn allclose(&self, other: &Tensor<T, N>, relative: f64, absolute: f64) -> bool {
            self.inner.allclose(&other.inner, relative, absolute)
        }
    }
}
