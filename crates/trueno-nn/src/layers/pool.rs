//! Pooling, and what comes between it and a linear layer.

use super::Pair;
use crate::{Layer, Mode, Module};
use trueno_core::{Element, Float, Result};
use trueno_tensor::{Lower, Pool2dConfig, Rank, Tensor};

/// How the windows of a [`MaxPool2d`] or an [`AvgPool2d`] lie, per axis (height, width).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolConfig {
    /// Distance between windows; `None` puts them side by side.
    pub stride: Option<[usize; 2]>,
    /// Border on both sides.
    pub padding: [usize; 2],
}

impl PoolConfig {
    fn geometry(self, Pair(kernel): Pair) -> Pool2dConfig {
        Pool2dConfig { kernel, stride: self.stride.unwrap_or(kernel), padding: self.padding }
    }
}

/// Defines the pooling layers that differ in nothing but the operation.
macro_rules! pools {
    ($($(#[doc = $doc:literal])+ $name:ident $method:ident;)+) => {$(
        $(#[doc = $doc])+
        ///
        /// ```
        /// use trueno_nn::tensor::Tensor;
        #[doc = concat!("use trueno_nn::{Layer, Mode, ", stringify!($name), "};")]
        #[doc = concat!("let layer = ", stringify!($name), "::new(2);")]
        /// assert_eq!(layer.forward(&Tensor::<f32, 4>::zeros([1, 3, 8, 6]), Mode::Eval).shape(), [1, 3, 4, 3]);
        /// ```
        #[derive(Clone, Copy, Debug, Module)]
        pub struct $name {
            #[module(skip)]
            geometry: Pool2dConfig,
        }

        impl $name {
            /// Windows of this size side by side.
            pub fn new(kernel: impl Into<Pair>) -> $name {
                $name::with_config(kernel, PoolConfig::default())
            }

            /// Windows of this size with another stride or padding.
            pub fn with_config(kernel: impl Into<Pair>, config: PoolConfig) -> $name {
                $name { geometry: config.geometry(kernel.into()) }
            }
        }

        impl<T: Float> Layer<Tensor<T, 4>> for $name {
            type Output = Tensor<T, 4>;

            fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
                input.$method(self.geometry)
            }
        }
    )+};
}

pools! {
    /// Largest element of each window of `[N, C, H, W]`; the border counts as minus infinity.
    MaxPool2d try_max_pool2d;
    /// Mean of each window of `[N, C, H, W]`; the border counts as zeros.
    AvgPool2d try_avg_pool2d;
}

/// How the windows of a [`MaxPool1d`] or an [`AvgPool1d`] lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool1dConfig {
    /// Distance between windows; `None` puts them side by side.
    pub stride: Option<usize>,
    /// Border on both sides.
    pub padding: usize,
}

/// Defines the pooling layers along one axis: those of images that are one row high.
macro_rules! pools_of_sequences {
    ($($(#[doc = $doc:literal])+ $name:ident $method:ident;)+) => {$(
        $(#[doc = $doc])+
        ///
        /// ```
        /// use trueno_nn::tensor::Tensor;
        #[doc = concat!("use trueno_nn::{Layer, Mode, ", stringify!($name), "};")]
        #[doc = concat!("let layer = ", stringify!($name), "::new(2);")]
        /// assert_eq!(layer.forward(&Tensor::<f32, 3>::zeros([1, 3, 8]), Mode::Eval).shape(), [1, 3, 4]);
        /// ```
        #[derive(Clone, Copy, Debug, Module)]
        pub struct $name {
            #[module(skip)]
            geometry: Pool2dConfig,
        }

        impl $name {
            /// Windows of this size side by side.
            pub fn new(kernel: usize) -> $name {
                $name::with_config(kernel, Pool1dConfig::default())
            }

            /// Windows of this size with another stride or padding.
            pub fn with_config(kernel: usize, Pool1dConfig { stride, padding }: Pool1dConfig) -> $name {
                let stride = [1, stride.unwrap_or(kernel)];
                $name { geometry: Pool2dConfig { kernel: [1, kernel], stride, padding: [0, padding] } }
            }
        }

        impl<T: Float> Layer<Tensor<T, 3>> for $name {
            type Output = Tensor<T, 3>;

            fn try_forward(&self, input: &Tensor<T, 3>, _: Mode) -> Result<Tensor<T, 3>> {
                Tensor::from_dyn(input.as_dyn().unsqueeze(2)?.$method(self.geometry)?.squeeze(2)?)
            }
        }
    )+};
}

pools_of_sequences! {
    /// Largest element of each window of `[N, C, L]`; the border counts as minus infinity.
    MaxPool1d max_pool2d;
    /// Mean of each window of `[N, C, L]`; the border counts as zeros.
    AvgPool1d avg_pool2d;
}

/// Means over windows chosen so that `[N, C, H, W]` becomes `[N, C, height, width]`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{AdaptiveAvgPool2d, Layer, Mode};
/// let layer = AdaptiveAvgPool2d::new(1);
/// assert_eq!(layer.forward(&Tensor::<f32, 4>::zeros([2, 3, 7, 5]), Mode::Eval).shape(), [2, 3, 1, 1]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct AdaptiveAvgPool2d {
    #[module(skip)]
    size: [usize; 2],
}

impl AdaptiveAvgPool2d {
    /// A result of this height and width.
    pub fn new(size: impl Into<Pair>) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d { size: size.into().0 }
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for AdaptiveAvgPool2d {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        input.try_adaptive_avg_pool2d(self.size)
    }
}

/// All axes but the first joined: `[N, ...]` to `[N, features]`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Flatten, Layer, Mode};
/// assert_eq!(Flatten.forward(&Tensor::<f32, 4>::zeros([2, 3, 4, 5]), Mode::Eval).shape(), [2, 60]);
/// ```
#[derive(Clone, Copy, Debug, Default, Module)]
pub struct Flatten;

impl<T: Element, const N: usize> Layer<Tensor<T, N>> for Flatten
where
    Rank<N>: Lower<2>,
{
    type Output = Tensor<T, 2>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, 2>> {
        Tensor::from_dyn(input.as_dyn().flatten(1, -1)?)
    }
}
