//! New tensors.

use super::{Tensor, expect, twins};
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use trueno_core::{Element, Error, Number, Result};

impl<T: Element, const N: usize> Tensor<T, N> {
    twins! {
        /// Every element 0 (`false`).
        pub fn zeros(shape: [usize; N]) -> Self {
            DynTensor::zeros(&shape, T::DTYPE).map(Tensor::new)
        }

        /// Every element 1 (`true`).
        pub fn ones(shape: [usize; N]) -> Self {
            DynTensor::full(&shape, T::DTYPE, 1.0).map(Tensor::new)
        }

        /// Every element `value`.
        pub fn full(shape: [usize; N], value: T) -> Self {
            DynTensor::filled(&shape, value).map(Tensor::new)
        }

        /// Zeros of the shape of `self`.
        pub fn zeros_like(&self) -> Self {
            Tensor::try_zeros(self.shape())
        }

        /// Ones of the shape of `self`.
        pub fn ones_like(&self) -> Self {
            Tensor::try_ones(self.shape())
        }

        /// `value` in the shape of `self`.
        pub fn full_like(&self, value: T) -> Self {
            Tensor::try_full(self.shape(), value)
        }

        /// The element at each index is what `f` gives for it.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = Tensor::from_fn([2, 3], |[i, j]| 10 * i as i64 + j as i64);
        /// assert_eq!(x, tensor![[0_i64, 1, 2], [10, 11, 12]]);
        /// ```
        pub fn from_fn(shape: [usize; N], f: impl FnMut([usize; N]) -> T) -> Self {
            indexed("from_fn", shape, f)
        }
    }

    /// Elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] if their number is not that of the shape.
    ///
    /// ```
    /// use trueno_tensor::prelude::*;
    /// let x = Tensor::from_vec(vec![1, 2, 3, 4, 5, 6], [2, 3])?;
    /// assert_eq!(x, tensor![[1, 2, 3], [4, 5, 6]]);
    /// assert!(Tensor::from_vec(vec![1, 2, 3], [2, 2]).is_err());
    /// # Ok::<(), trueno_tensor::core::Error>(())
    /// ```
    pub fn from_vec(elements: Vec<T>, shape: [usize; N]) -> Result<Self> {
        Tensor::from_slice(&elements, shape)
    }

    /// A copy of elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] if their number is not that of the shape.
    pub fn from_slice(elements: &[T], shape: [usize; N]) -> Result<Self> {
        DynTensor::from_slice(elements, &shape).map(Tensor::new)
    }
}

/// The element at each index is what `f` gives for it.
fn indexed<T: Element, const N: usize>(
    op: &'static str,
    shape: [usize; N],
    mut f: impl FnMut([usize; N]) -> T,
) -> Result<Tensor<T, N>> {
    let mut index = [0; N];
    let elements = listed(op, checked_size(op, &shape)?, |_| {
        let element = f(index);
        for axis in (0..N).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
        element
    })?;
    Tensor::from_vec(elements, shape)
}

impl<T: Element> Tensor<T, 0> {
    twins! {
        /// A value of rank 0.
        pub fn scalar(value: T) -> Self {
            DynTensor::scalar(value).map(Tensor::new)
        }
    }
}

impl<T: Element> From<T> for Tensor<T, 0> {
    fn from(value: T) -> Self {
        Tensor::scalar(value)
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T, 1> {
    fn from(elements: Vec<T>) -> Self {
        let shape = [elements.len()];
        expect(Tensor::from_vec(elements, shape))
    }
}

/// `arange` of integers, which `f64` does not hold exactly beyond 2^53.
fn integer_range<T: Number>(bounds: [T; 3]) -> Result<Tensor<T, 1>> {
    let wide = Tensor::from_slice(&bounds, [3])?.try_cast::<i64>()?.try_to_vec()?;
    let [first, last, by] = [0, 1, 2].map(|i| i128::from(wide[i]));
    let count = ((last - first + by - by.signum()) / by).max(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // Between the bounds, which are of this type.
    let elements = listed("arange", count, |i| (first + i as i128 * by) as i64)?;
    Tensor::from_vec(elements, [count])?.try_cast()
}

/// The elements that `f` gives for `0..count`, if there is memory for so many.
fn listed<T>(op: &'static str, count: usize, f: impl FnMut(usize) -> T) -> Result<Vec<T>> {
    let mut elements = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    elements.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { op, bytes })?;
    elements.extend((0..count).map(f));
    Ok(elements)
}

impl<T: Number> Tensor<T, 1> {
    /// Numbers from `start` up to, not including, `stop`, `step` apart (NumPy's `arange`).
    ///
    /// # Errors
    /// [`Error::Argument`] for a step of 0 or a number that is not finite, [`Error::OutOfMemory`].
    ///
    /// ```
    /// use trueno_tensor::prelude::*;
    /// assert_eq!(Tensor::arange(0, 10, 3)?, tensor![0, 3, 6, 9]);
    /// assert_eq!(Tensor::arange(1.0, 0.0, -0.5)?, tensor![1.0_f64, 0.5]);
    /// # Ok::<(), trueno_tensor::core::Error>(())
    /// ```
    pub fn arange(start: T, stop: T, step: T) -> Result<Self> {
        let (first, last, by) = (start.to_f64(), stop.to_f64(), step.to_f64());
        if by == 0.0 || ![first, last, by].iter().all(|v| v.is_finite()) {
            let reason = format!("from {start:?} to {stop:?} by {step:?}: the step is not 0 and all are finite");
            return Err(Error::Argument { op: "arange", reason: reason.into() });
        }
        if !T::DTYPE.is_float() {
            return integer_range([start, stop, step]);
        }
        let count = ((last - first) / by).ceil().max(0.0) as usize;
        let elements = listed("arange", count, |i| T::from_f64(first + i as f64 * by))?;
        Tensor::from_vec(elements, [count])
    }

    twins! {
        /// `count` numbers evenly spaced from `start` to `stop`, both included (NumPy's `linspace`).
        pub fn linspace(start: T, stop: T, count: usize) -> Self {
            let (first, last) = (start.to_f64(), stop.to_f64());
            let step = (last - first) / (count.max(2) - 1) as f64;
            indexed("linspace", [count], |[i]| match i {
                0 => start,
                i if i == count - 1 => stop,
                i => T::from_f64(first + i as f64 * step),
            })
        }
    }
}

impl<T: Number> Tensor<T, 2> {
    twins! {
        /// The identity matrix.
        pub fn eye(size: usize) -> Self {
            indexed("eye", [size, size], |[i, j]| T::from_f64(f64::from(u8::from(i == j))))
        }
    }
}
