//! Matrix products.

use super::rank::{Product, Rank, Ranked, Shell};
use super::{Tensor, expect};
use trueno_core::{Number, Result};

impl<T: Number, const N: usize> Tensor<T, N> {
    /// Matrix product as NumPy's `matmul`: over the last axis of `self` and the last but one of `other`; a vector is a matrix of
    /// one row or column that is taken away again; leading axes broadcast.
    ///
    /// ```
    /// use trueno_tensor::prelude::*;
    /// let (a, x) = (Tensor::<f32, 2>::zeros([2, 3]), Tensor::<f32, 1>::zeros([3]));
    /// assert_eq!(a.matmul(&x).shape(), [2]);
    /// assert_eq!(x.matmul(&x).item(), 0.0);
    /// ```
    ///
    /// # Panics
    /// At the caller's line if the shapes do not fit.
    #[track_caller]
    pub fn matmul<const M: usize>(&self, other: &Tensor<T, M>) -> <<Rank<N> as Product<M>>::Output as Ranked>::Tensor<T>
    where
        Rank<N>: Product<M>,
    {
        expect(self.try_matmul(other))
    }

    /// As [`Tensor::matmul`], for shapes that are not known to fit.
    ///
    /// # Errors
    /// [`trueno_core::Error::ShapePair`] if the inner sizes differ, [`trueno_core::Error::Broadcast`] for the leading axes.
    pub fn try_matmul<const M: usize>(
        &self,
        other: &Tensor<T, M>,
    ) -> Result<<<Rank<N> as Product<M>>::Output as Ranked>::Tensor<T>>
    where
        Rank<N>: Product<M>,
    {
        self.inner.matmul(&other.inner).map(Shell::shell)
    }
}
