//! Affine maps.

use crate::init::{default_bias, default_weight};
use crate::{Layer, Mode, Module, Param};
use trueno_core::{Float, Result};
use trueno_tensor::{Lower, Rank, Rng, Tensor};

/// `y = x W^T + b` over the last axis: `[..., in]` to `[..., out]`.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Layer, Linear, Mode, Rng};
/// let layer: Linear = Linear::new(3, 2, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&Tensor::zeros([5, 3]), Mode::Eval).shape(), [5, 2]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct Linear<T: Float = f32> {
    /// `[out, in]`.
    pub weight: Param<2, T>,
    /// `[out]`.
    pub bias: Option<Param<1, T>>,
}

impl<T: Float> Linear<T> {
    /// A layer with PyTorch's first values: both uniform within `1 / sqrt(inputs)`.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Linear<T> {
        let weight = default_weight([outputs, inputs], rng);
        Linear { weight: weight.into(), bias: Some(default_bias(outputs, inputs, rng).into()) }
    }

    /// The same without a bias.
    pub fn without_bias(inputs: usize, outputs: usize, rng: &mut Rng) -> Linear<T> {
        Linear { weight: default_weight([outputs, inputs], rng).into(), bias: None }
    }
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for Linear<T>
where
    Rank<N>: Lower,
{
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        let bias = self.bias.as_ref().map(|bias| bias.as_dyn());
        Tensor::from_dyn(input.as_dyn().linear(self.weight.as_dyn(), bias)?)
    }
}
