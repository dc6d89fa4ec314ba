//! Convolutions.

use super::Pair;
use crate::init::{default_bias, default_weight, fans};
use crate::{Layer, Mode, Module, Param};
use trueno_core::{Float, Result};
use trueno_tensor::{Conv2dConfig as Geometry, Rng, Tensor};

/// How a [`Conv2d`] moves over the image, per axis (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Zeros added on both sides.
    pub padding: [usize; 2],
    /// Distance between the elements of a window.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups that do not mix.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

/// PyTorch's: stride 1, no padding, dilation 1, one group, a bias.
impl Default for Conv2dConfig {
    fn default() -> Conv2dConfig {
        let Geometry { stride, padding, dilation, groups } = Geometry::default();
        Conv2dConfig { stride, padding, dilation, groups, bias: true }
    }
}

/// Two-dimensional cross-correlation of `[N, in, H, W]`, giving `[N, out, H', W']`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Conv2d, Conv2dConfig, Layer, Mode, Rng};
/// let config = Conv2dConfig { stride: [2, 2], padding: [1, 1], ..Default::default() };
/// let layer: Conv2d = Conv2d::with_config(3, 16, 3, config, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&Tensor::zeros([1, 3, 32, 32]), Mode::Eval).shape(), [1, 16, 16, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Conv2d<T: Float = f32> {
    /// `[out, in / groups, KH, KW]`.
    pub weight: Param<4, T>,
    /// `[out]`.
    pub bias: Option<Param<1, T>>,
    #[module(skip)]
    geometry: Geometry,
}

impl<T: Float> Conv2d<T> {
    /// A convolution of stride 1 without padding, with a bias and PyTorch's first values: both uniform
    /// within `1 / sqrt(in * KH * KW)`.
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Pair>, rng: &mut Rng) -> Conv2d<T> {
        Conv2d::with_config(inputs, outputs, kernel, Conv2dConfig::default(), rng)
    }

    /// The same with another geometry.
    pub fn with_config(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        config: Conv2dConfig,
        rng: &mut Rng,
    ) -> Conv2d<T> {
        let Conv2dConfig { stride, padding, dilation, groups, bias } = config;
        let Pair([height, width]) = kernel.into();
        let shape = [outputs, inputs / groups.max(1), height, width];
        let weight = default_weight(shape, rng);
        let bias = bias.then(|| default_bias(outputs, fans(shape).0, rng).into());
        Conv2d { weight: weight.into(), bias, geometry: Geometry { stride, padding, dilation, groups } }
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for Conv2d<T> {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        input.try_conv2d(&self.weight, self.bias.as_deref(), self.geometry)
    }
}
