//! Matrix products.

use super::rank::{Product, Rank, Ranked, Shell};
use super::{Tensor, expect, twins};
use trueno_core::{Float, Number, Result};

impl<T: Number, const N: usize> Tensor<T, N> {
    /// Matrix product as NumPy's `matmul`: over the last axis of `self` and the last but one of `other`; a vector is a matrix of
    /// one row or column that is taken away again; leading axes broadcast. Half precision is summed in `f32` and rounded once; where the
    /// machine multiplies `bfloat16` (AVX512-BF16, AMX), numbers below 2^-126 count as 0 in it.
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

impl<const N: usize> Tensor<i8, N> {
    twins! {
        /// Matrix product of 8-bit integers with sums of 32 bits, over the same axes as [`matmul`](Tensor::matmul) (ONNX's `MatMulInteger`,
        /// PyTorch's `_int_mm`). It is exact, but for sums that wrap at 32 bits, which takes 131,072 products at least.
        ///
        /// Integers have no gradient.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let (a, b) = (tensor![[-128_i8, 127]], tensor![[-128_i8, 1], [127, 2]]);
        /// assert_eq!(a.matmul_integer(&b), tensor![[32_513_i32, 126]]);
        /// ```
        pub fn matmul_integer[const M: usize](
            &self,
            other: &Tensor<i8, M>,
        ) -> <<Rank<N> as Product<M>>::Output as Ranked>::Tensor<i32> where [Rank<N>: Product<M>] {
            self.inner.matmul_integer(&other.inner).map(Shell::shell)
        }

        /// A `linear` of quantised values: `x wᵀ` over the last axis, `[..., in]` and `[out, in]` to `[..., out]`, whose sums become floats as
        /// `sum * (x_scale * weight_scale) + bias` before they reach memory.
        ///
        /// `scales` are those by which `x` and `weight` were divided: of `x` one number or one per row, `[..., 1]`; of the weight one
        /// number or one per output, `[out]`. The bias is `[out]`. Scales and bias have gradients; integers have none.
        ///
        /// ```
        /// use trueno_tensor::prelude::*;
        /// let x = Tensor::<f32, 2>::randn([4, 32], &mut Rng::seed(0));
        /// let w = Tensor::<f32, 2>::randn([8, 32], &mut Rng::seed(1));
        ///
        /// // The largest element of each row becomes 127.
        /// let x_scale = x.abs().max_keepdims(1) / 127.0;
        /// let w_scale = w.abs().max_keepdims(1) / 127.0;
        /// let (xq, wq) = ((&x / &x_scale).round().cast::<i8>(), (&w / &w_scale).round().cast::<i8>());
        ///
        /// let y = xq.linear_int8(&wq, (&x_scale, &w_scale.squeeze(1)), None);
        /// assert!((y - x.linear(&w, None)).abs().max().item() < 0.3);
        /// ```
        pub fn linear_int8[T: Float, const A: usize, const B: usize](
            &self,
            weight: &Tensor<i8, 2>,
            scales: (&Tensor<T, A>, &Tensor<T, B>),
            bias: Option<&Tensor<T, 1>>,
        ) -> Tensor<T, N> {
            let scales = [&scales.0.inner, &scales.1.inner];
            self.inner.linear_int8(&weight.inner, scales, bias.map(Tensor::as_dyn)).map(Tensor::new)
        }
    }
}
