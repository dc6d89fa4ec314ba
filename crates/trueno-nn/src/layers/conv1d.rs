//! Convolutions along one axis: those along two of images that are one row high.

use crate::init::{default_bias, default_weight, fans};
use crate::{Layer, Mode, Module, Param};
use trueno_core::{Float, Result};
use trueno_tensor::{Conv2dConfig as Geometry, Rng, Tensor};

/// How a [`Conv1d`] moves over the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dConfig {
    /// Distance between windows.
    pub stride: usize,
    /// Zeros added on both sides.
    pub padding: usize,
    /// Distance between the elements of a window.
    pub dilation: usize,
    /// Channels are split into this many groups that do not mix.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

/// PyTorch's: stride 1, no padding, dilation 1, one group, a bias.
impl Default for Conv1dConfig {
    fn default() -> Conv1dConfig {
        Conv1dConfig { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true }
    }
}

/// One-dimensional cross-correlation of `[N, in, L]`, giving `[N, out, L']`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Conv1d, Conv1dConfig, Layer, Mode, Rng};
/// let config = Conv1dConfig { stride: 2, padding: 1, ..Default::default() };
/// let layer: Conv1d = Conv1d::with_config(3, 16, 3, config, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&Tensor::zeros([1, 3, 32]), Mode::Eval).shape(), [1, 16, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Conv1d<T: Float = f32> {
    /// `[out, in / groups, K]`.
    pub weight: Param<3, T>,
    /// `[out]`.
    pub bias: Option<Param<1, T>>,
    #[module(skip)]
    geometry: Geometry,
}

impl<T: Float> Conv1d<T> {
    /// A convolution of stride 1 without padding, with a bias and PyTorch's first values: both uniform within `1 / sqrt(in * K)`.
    pub fn new(inputs: usize, outputs: usize, kernel: usize, rng: &mut Rng) -> Conv1d<T> {
        Conv1d::with_config(inputs, outputs, kernel, Conv1dConfig::default(), rng)
    }

    /// The same with another geometry.
    pub fn with_config(inputs: usize, outputs: usize, kernel: usize, config: Conv1dConfig, rng: &mut Rng) -> Conv1d<T> {
        let Conv1dConfig { stride, padding, dilation, groups, bias } = config;
        let shape = [outputs, inputs / groups.max(1), kernel];
        let weight = default_weight(shape, rng);
        let bias = bias.then(|| default_bias(outputs, fans(shape).0, rng).into());
        let geometry = Geometry { stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups };
        Conv1d { weight: weight.into(), bias, geometry }
    }
}

impl<T: Float> Layer<Tensor<T, 3>> for Conv1d<T> {
    type Output = Tensor<T, 3>;

    fn try_forward(&self, input: &Tensor<T, 3>, _: Mode) -> Result<Tensor<T, 3>> {
        let (image, weight) = (input.as_dyn().unsqueeze(2)?, self.weight.as_dyn().unsqueeze(2)?);
        let bias = self.bias.as_ref().map(|bias| bias.as_dyn());
        Tensor::from_dyn(image.conv2d(&weight, bias, self.geometry)?.squeeze(2)?)
    }
}
