//! Order along an axis, and what a mask picks.

use super::rank::{Raise, Raised, Rank, Shell};
use super::{Tensor, twins};
use crate::{DynTensor, Extreme};
use trueno_core::table::CompareOp;
use trueno_core::{Element, Result};

fn top<T: Element, const N: usize>(
    x: &DynTensor,
    k: usize,
    axis: isize,
    extreme: Extreme,
) -> Result<(Tensor<T, N>, Tensor<i64, N>)> {
    let (elements, positions) = x.topk(k, axis, extreme)?;
    Ok((Tensor::new(elements), Tensor::new(positions)))
}

impl<T: Element, const N: usize> Tensor<T, N> {
    twins! {
        /// The elements along an axis in order, the smallest first; equal ones keep theirs, and NaN comes last (NumPy's
        /// `sort`). Half precision is sorted as `f32`.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![[3.0, 1.0, 2.0]].sort(1), tensor![[1.0, 2.0, 3.0]]);
        /// assert_eq!(tensor![3, 1, 2].argsort(0), tensor![1_i64, 2, 0]);
        /// let (best, at) = tensor![3.0, 1.0, 4.0, 1.0, 5.0].topk(2, 0);
        /// assert_eq!((best, at), (tensor![5.0, 4.0], tensor![4_i64, 2]));
        /// ```
        pub fn sort(&self, axis: isize) -> Tensor<T, N> {
            self.inner.sort(axis, false).map(Tensor::new)
        }

        /// The elements along an axis in order, the largest first; equal ones keep theirs, and NaN comes first (PyTorch's
        /// `sort(descending=True)`).
        pub fn sort_descending(&self, axis: isize) -> Tensor<T, N> {
            self.inner.sort(axis, true).map(Tensor::new)
        }

        /// The positions along an axis in the order of [`sort`](Tensor::sort).
        pub fn argsort(&self, axis: isize) -> Tensor<i64, N> {
            self.inner.argsort(axis, false).map(Tensor::new)
        }

        /// The positions along an axis in the order of [`sort_descending`](Tensor::sort_descending).
        pub fn argsort_descending(&self, axis: isize) -> Tensor<i64, N> {
            self.inner.argsort(axis, true).map(Tensor::new)
        }

        /// The `k` largest elements along an axis, the largest first, and their positions; of equal ones the first comes
        /// first.
        pub fn topk(&self, k: usize, axis: isize) -> (Tensor<T, N>, Tensor<i64, N>) {
            top(&self.inner, k, axis, Extreme::Max)
        }

        /// The `k` smallest elements along an axis, the smallest first, and their positions (PyTorch's
        /// `topk(largest=False)`).
        pub fn bottomk(&self, k: usize, axis: isize) -> (Tensor<T, N>, Tensor<i64, N>) {
            top(&self.inner, k, axis, Extreme::Min)
        }

        /// The elements where a mask holds, in row-major order; the two broadcast (NumPy's `x[mask]`).
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = tensor![[1.0, -2.0], [-3.0, 4.0]];
        /// assert_eq!(x.masked_select(&x.gt(0.0)), tensor![1.0, 4.0]);
        /// assert_eq!(x.gt(0.0).nonzero(), tensor![[0_i64, 0], [1, 1]]);
        /// ```
        pub fn masked_select[const M: usize](&self, mask: &Tensor<bool, M>) -> Tensor<T, 1> {
            self.inner.masked_select(&mask.inner).map(Tensor::new)
        }

        /// The positions of the elements that are not 0, in row-major order, one row each (NumPy's `argwhere`).
        pub fn nonzero(&self) -> Tensor<i64, 2> {
            self.inner.nonzero().map(Tensor::new)
        }

        /// The different elements, in order; all NaN are one (NumPy's `unique`).
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![[3, 1], [1, 2]].unique(), tensor![1, 2, 3]);
        /// ```
        pub fn unique(&self) -> Tensor<T, 1> {
            unique(&self.inner.detach()).map(Tensor::new)
        }

        /// Windows of an axis, `size` long and `step` apart, as a new last axis: a view (PyTorch's `unfold`).
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = tensor![1.0, 2.0, 4.0, 8.0, 16.0];
        /// assert_eq!(x.unfold(0, 3, 2), tensor![[1.0, 2.0, 4.0], [4.0, 8.0, 16.0]]);
        /// assert_eq!(x.unfold(0, 2, 1).mean_axis(-1), tensor![1.5, 3.0, 6.0, 12.0]); // a moving average
        /// ```
        pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Raised<T, N> where [Rank<N>: Raise] {
            self.inner.unfold(axis, size, step).map(Shell::shell)
        }
    }
}

/// Sorted, then each that differs from the one before.
fn unique(x: &DynTensor) -> Result<DynTensor> {
    let sorted = x.reshape_to(&[x.size()])?.sort(0, false)?;
    if sorted.size() < 2 {
        return Ok(sorted);
    }
    let (before, after) = (sorted.narrow(0, 0, x.size() - 1)?, sorted.narrow(0, 1, x.size() - 1)?);
    let numbers = before.compare(CompareOp::Eq, &before)?;
    let new = after.compare(CompareOp::Ne, &before)?.compare(CompareOp::LogicalAnd, &numbers)?;
    let first = DynTensor::from_slice(&[true], &[1])?.to(&x.device())?;
    sorted.masked_select(&DynTensor::concat(&[&first, &new], 0)?)
}

impl Tensor<i64, 1> {
    twins! {
        /// How often each number from 0 to the largest occurs, up to `least` at least (NumPy's `bincount(minlength)`).
        /// Numbers are not negative.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// assert_eq!(tensor![0_i64, 2, 2, 1].bincount(5), tensor![1_i64, 1, 2, 0, 0]);
        /// ```
        pub fn bincount(&self, least: usize) -> Tensor<i64, 1> {
            let numbers = self.try_to_vec()?;
            let largest = numbers.iter().copied().max().unwrap_or(-1);
            let negative = numbers.iter().find(|&&number| number < 0);
            if let Some(number) = negative {
                let reason = format!("{number} is negative").into();
                return Err(trueno_core::Error::Argument { op: "bincount", reason });
            }
            let size = usize::try_from(largest + 1).unwrap_or(usize::MAX).max(least);
            let mut counts = Tensor::<i64, 1>::try_zeros([size]).map_err(|error| error.named("bincount"))?.into_dyn();
            let bins = counts.make_mut::<i64>()?;
            numbers.iter().for_each(|&number| bins[number as usize] += 1);
            Ok(Tensor::new(counts))
        }
    }
}
