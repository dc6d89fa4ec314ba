//! The operations that networks are made of, and picking by position.

use super::rank::{Lower, Lowered, Raise, Raised, Rank, Shell};
use super::{Tensor, twins};
use crate::{Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, DropoutConfig, Pool2dConfig};
use trueno_core::{Element, Float, Result};

impl<T: Float, const N: usize> Tensor<T, N> {
    twins! {
        /// Exponentials divided by their sum along an axis.
        pub fn softmax(&self, axis: isize) -> Tensor<T, N> {
            self.inner.softmax(axis).map(Tensor::new)
        }

        /// Logarithm of [`softmax`](Tensor::softmax), without its underflow.
        pub fn log_softmax(&self, axis: isize) -> Tensor<T, N> {
            self.inner.log_softmax(axis).map(Tensor::new)
        }

        /// Logarithm of the sum of exponentials along an axis, which goes.
        pub fn logsumexp_axis(&self, axis: isize) -> Lowered<T, N> where [Rank<N>: Lower] {
            self.inner.logsumexp(axis, false).map(Shell::shell)
        }

        /// Logarithm of the sum of exponentials along an axis, which stays with size 1.
        pub fn logsumexp_keepdims(&self, axis: isize) -> Tensor<T, N> {
            self.inner.logsumexp(axis, true).map(Tensor::new)
        }

        /// Normalisation over the trailing `K` axes to mean 0 and variance 1 (`eps` is added to it), then times `weight`
        /// plus `bias`.
        pub fn layer_norm[const K: usize](&self, weight: &Tensor<T, K>, bias: &Tensor<T, K>, eps: f64) -> Tensor<T, N> {
            self.inner.layer_norm(K, Some((&weight.inner, &bias.inner)), eps).map(Tensor::new)
        }

        /// Normalisation of each channel (axis 1) by the statistics of the batch, or by given `(mean, variance)`, then
        /// times `weight` plus `bias`.
        pub fn batch_norm(
            &self,
            weight: &Tensor<T, 1>,
            bias: &Tensor<T, 1>,
            running: Option<(&Tensor<T, 1>, &Tensor<T, 1>)>,
            eps: f64,
        ) -> Tensor<T, N> {
            let running = running.map(|(mean, variance)| (&mean.inner, &variance.inner));
            self.inner.batch_norm(&weight.inner, &bias.inner, running, eps).map(Tensor::new)
        }

        /// As [`batch_norm`](Tensor::batch_norm) by the statistics of the batch, which come with the result: the mean
        /// and the unbiased variance of each channel, outside any gradient graph.
        pub fn batch_norm_with_stats(
            &self,
            weight: &Tensor<T, 1>,
            bias: &Tensor<T, 1>,
            eps: f64,
        ) -> (Tensor<T, N>, [Tensor<T, 1>; 2]) {
            let (output, [mean, variance]) =
                crate::batch_norm_with_stats(&self.inner, &weight.inner, &bias.inner, eps)?;
            // The engine leaves those of half precision in `f32`.
            let stats = [mean.cast(T::DTYPE)?, variance.cast(T::DTYPE)?];
            Ok((Tensor::new(output), stats.map(Tensor::new)))
        }

        /// Normalisation of `[N, C, ...]` in `groups` groups of channels, sample by sample, to mean 0 and variance 1 (`eps` is added to
        /// it), then times `weight` `[C]` plus `bias` `[C]`.
        pub fn group_norm(&self, groups: usize, weight: &Tensor<T, 1>, bias: &Tensor<T, 1>, eps: f64) -> Tensor<T, N> {
            self.inner.group_norm(groups, Some((&weight.inner, &bias.inner)), eps).map(Tensor::new)
        }

        /// `x wᵀ + b` over the last axis: `[..., in]` to `[..., out]`, with a weight `[out, in]` and an optional bias `[out]` (PyTorch's
        /// `linear`).
        pub fn linear(&self, weight: &Tensor<T, 2>, bias: Option<&Tensor<T, 1>>) -> Tensor<T, N> {
            self.inner.linear(&weight.inner, bias.map(Tensor::as_dyn)).map(Tensor::new)
        }

        /// Zeros with probability `p`, the rest scaled by `1 / (1 - p)`.
        pub fn dropout(&self, config: DropoutConfig) -> Tensor<T, N> {
            self.inner.dropout(config).map(Tensor::new)
        }
    }
}

impl<T: Float> Tensor<T, 4> {
    twins! {
        /// Cross-correlation of `[N, C, H, W]` with `weight` `[O, C / groups, KH, KW]` and an optional bias `[O]`. Half precision is summed
        /// in `f32` and rounded once; where the machine multiplies tiles of `bfloat16` (AMX), numbers below 2^-126 count as 0 in it.
        pub fn conv2d(&self, weight: &Tensor<T, 4>, bias: Option<&Tensor<T, 1>>, config: Conv2dConfig) -> Tensor<T, 4> {
            self.inner.conv2d(&weight.inner, bias.map(Tensor::as_dyn), config).map(Tensor::new)
        }

        /// The transpose of [`conv2d`](Tensor::conv2d): `weight` is `[C, O / groups, KH, KW]`, the bias `[O]`, and a height becomes
        /// `(H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1`.
        pub fn conv_transpose2d(
            &self,
            weight: &Tensor<T, 4>,
            bias: Option<&Tensor<T, 1>>,
            config: ConvTranspose2dConfig,
        ) -> Tensor<T, 4> {
            self.inner.conv_transpose2d(&weight.inner, bias.map(Tensor::as_dyn), config).map(Tensor::new)
        }

        /// Largest element of each window of `[N, C, H, W]`.
        pub fn max_pool2d(&self, config: Pool2dConfig) -> Tensor<T, 4> {
            self.inner.max_pool2d(config).map(Tensor::new)
        }

        /// Mean of each window of `[N, C, H, W]`; padding counts as zeros.
        pub fn avg_pool2d(&self, config: Pool2dConfig) -> Tensor<T, 4> {
            self.inner.avg_pool2d(config).map(Tensor::new)
        }

        /// Means over windows chosen so that the result has height and width `size`.
        pub fn adaptive_avg_pool2d(&self, size: [usize; 2]) -> Tensor<T, 4> {
            self.inner.adaptive_avg_pool2d(size).map(Tensor::new)
        }
    }
}

impl<T: Element, const N: usize> Tensor<T, N> {
    /// Slices of an axis at `index` positions; negative ones count from the end.
    ///
    /// # Errors
    /// [`trueno_core::Error::Index`] for a position outside the axis.
    pub fn index_select(&self, axis: isize, index: &Tensor<i64, 1>) -> Result<Tensor<T, N>> {
        self.inner.index_select(axis, &index.inner).map(Tensor::new)
    }

    /// Elements along an axis at `index` positions (PyTorch's `gather`).
    ///
    /// # Errors
    /// [`trueno_core::Error::Index`] for a position outside the axis.
    pub fn gather(&self, axis: isize, index: &Tensor<i64, N>) -> Result<Tensor<T, N>> {
        self.inner.gather(axis, &index.inner).map(Tensor::new)
    }
}

impl<T: Float> Tensor<T, 2> {
    /// The rows of this table at `index` positions: the result has their shape followed by the row's.
    ///
    /// # Errors
    /// [`trueno_core::Error::Index`] for a position outside the table.
    pub fn embedding<const K: usize>(&self, index: &Tensor<i64, K>) -> Result<Raised<T, K>>
    where
        Rank<K>: Raise,
    {
        self.inner.embedding(&index.inner).map(Shell::shell)
    }

    /// Cross-entropy of these logits `[N, C]` with labels `[N]`.
    ///
    /// # Errors
    /// [`trueno_core::Error::ShapePair`], or [`trueno_core::Error::Index`] for a label that is no class.
    pub fn cross_entropy(&self, labels: &Tensor<i64, 1>, config: CrossEntropyConfig) -> Result<Tensor<T, 0>> {
        self.inner.cross_entropy(&labels.inner, config).map(Tensor::new)
    }
}
