//! Transposed convolutions.

use super::Pair;
use crate::init::{default_bias, default_weight, fans};
use crate::{Layer, Mode, Module, Param};
use trueno_core::{Float, Result};
use trueno_tensor::{ConvTranspose2dConfig as Geometry, Rng, Tensor};

/// How a [`ConvTranspose2d`] moves over its result, per axis (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2dConfig {
    /// Distance between the kernels that neighbouring elements add.
    pub stride: [usize; 2],
    /// Rows and columns taken off the result on both sides.
    pub padding: [usize; 2],
    /// Rows and columns put to the result at the bottom and right; less than the stride or the dilation.
    pub output_padding: [usize; 2],
    /// Distance between the elements of a kernel.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups that do not mix.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
}

/// PyTorch's: stride 1, no padding, dilation 1, one group, a bias.
impl Default for ConvTranspose2dConfig {
    fn default() -> ConvTranspose2dConfig {
        let Geometry { stride, padding, output_padding, dilation, groups } = Geometry::default();
        ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups, bias: true }
    }
}

/// The transpose of a [`Conv2d`](crate::Conv2d): makes larger images of smaller, `[N, out, H', W']` of `[N, in, H, W]`, where
/// `H' = (H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{ConvTranspose2d, ConvTranspose2dConfig, Layer, Mode, Rng};
/// let config = ConvTranspose2dConfig { stride: [2, 2], padding: [1, 1], output_padding: [1, 1], ..Default::default() };
/// let layer: ConvTranspose2d = ConvTranspose2d::with_config(16, 3, 3, config, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&Tensor::zeros([1, 16, 8, 8]), Mode::Eval).shape(), [1, 3, 16, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct ConvTranspose2d<T: Float = f32> {
    /// `[in, out / groups, KH, KW]`.
    pub weight: Param<4, T>,
    /// `[out]`.
    pub bias: Option<Param<1, T>>,
    #[module(skip)]
    geometry: Geometry,
}

impl<T: Float> ConvTranspose2d<T> {
    /// One of stride 1 without padding, with a bias and PyTorch's first values: both uniform within `1 / sqrt(out * KH * KW)`.
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Pair>, rng: &mut Rng) -> ConvTranspose2d<T> {
        ConvTranspose2d::with_config(inputs, outputs, kernel, ConvTranspose2dConfig::default(), rng)
    }

    /// The same with another geometry.
    pub fn with_config(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        config: ConvTranspose2dConfig,
        rng: &mut Rng,
    ) -> ConvTranspose2d<T> {
        let ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups, bias } = config;
        let Pair([height, width]) = kernel.into();
        let shape = [inputs, outputs / groups.max(1), height, width];
        let weight = default_weight(shape, rng);
        let bias = bias.then(|| default_bias(outputs, fans(shape).0, rng).into());
        let geometry = Geometry { stride, padding, output_padding, dilation, groups };
        ConvTranspose2d { weight: weight.into(), bias, geometry }
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for ConvTranspose2d<T> {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        input.try_conv_transpose2d(&self.weight, self.bias.as_deref(), self.geometry)
    }
}
