//! First values of parameters, as PyTorch's `torch.nn.init` draws them.
//!
//! Each function takes the generator, so that one seed decides every weight of a network. The element type is that of
//! the layer the values are for.
//!
//! ```
//! use trueno_nn::init::{self, Fan, Nonlinearity};
//! use trueno_nn::{Param, Rng};
//! let mut rng = Rng::seed(0);
//! let weight: Param<2> = Param::new(init::kaiming_normal([64, 32], Fan::In, Nonlinearity::Relu, &mut rng));
//! assert_eq!(weight.shape(), [64, 32]);
//! ```

use trueno_core::Float;
use trueno_tensor::{Lower, Rank, Rng, Tensor};

/// Which side's width a scale is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The inputs of a unit: keeps the size of the activations on the way forward.
    In,
    /// The outputs: keeps the size of the gradients on the way back.
    Out,
}

/// What follows a layer, for the gain of [`kaiming_uniform`] and [`kaiming_normal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// Nothing, or a sigmoid.
    Linear,
    /// The hyperbolic tangent.
    Tanh,
    /// Rectification.
    Relu,
    /// Rectification with this slope below 0.
    LeakyRelu(f64),
    /// SELU.
    Selu,
}

impl Nonlinearity {
    /// The factor that makes up for it (PyTorch's `calculate_gain`).
    pub fn gain(self) -> f64 {
        match self {
            Nonlinearity::Linear => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2.0_f64.sqrt(),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

/// The numbers of inputs and outputs of a unit whose weight has this shape: `[out, in, kernel...]`.
///
/// ```
/// assert_eq!(trueno_nn::init::fans([16, 8, 3, 3]), (72, 144));
/// ```
pub fn fans<const N: usize>(shape: [usize; N]) -> (usize, usize)
where
    Rank<N>: Lower<2>,
{
    let receptive: usize = shape[2..].iter().product();
    (shape[1] * receptive, shape[0] * receptive)
}

/// Every element `value`.
pub fn constant<T: Float, const N: usize>(shape: [usize; N], value: T) -> Tensor<T, N> {
    Tensor::full(shape, value)
}

/// Uniform from `low` to `high`.
pub fn uniform<T: Float, const N: usize>(shape: [usize; N], low: f64, high: f64, rng: &mut Rng) -> Tensor<T, N> {
    rng.uniform(shape, low, high)
}

/// Normal with this mean and standard deviation.
pub fn normal<T: Float, const N: usize>(shape: [usize; N], mean: f64, std: f64, rng: &mut Rng) -> Tensor<T, N> {
    rng.normal(shape, mean, std)
}

/// Uniform within `gain * sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
pub fn xavier_uniform<T: Float, const N: usize>(shape: [usize; N], gain: f64, rng: &mut Rng) -> Tensor<T, N>
where
    Rank<N>: Lower<2>,
{
    let bound = 3.0_f64.sqrt() * xavier_std(shape, gain);
    uniform(shape, -bound, bound, rng)
}

/// Normal with standard deviation `gain * sqrt(2 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
pub fn xavier_normal<T: Float, const N: usize>(shape: [usize; N], gain: f64, rng: &mut Rng) -> Tensor<T, N>
where
    Rank<N>: Lower<2>,
{
    normal(shape, 0.0, xavier_std(shape, gain), rng)
}

/// Uniform within `gain * sqrt(3 / fan)` (He et al., 2015).
pub fn kaiming_uniform<T: Float, const N: usize>(
    shape: [usize; N],
    fan: Fan,
    nonlinearity: Nonlinearity,
    rng: &mut Rng,
) -> Tensor<T, N>
where
    Rank<N>: Lower<2>,
{
    let bound = 3.0_f64.sqrt() * kaiming_std(shape, fan, nonlinearity);
    uniform(shape, -bound, bound, rng)
}

/// Normal with standard deviation `gain / sqrt(fan)` (He et al., 2015).
pub fn kaiming_normal<T: Float, const N: usize>(
    shape: [usize; N],
    fan: Fan,
    nonlinearity: Nonlinearity,
    rng: &mut Rng,
) -> Tensor<T, N>
where
    Rank<N>: Lower<2>,
{
    normal(shape, 0.0, kaiming_std(shape, fan, nonlinearity), rng)
}

fn xavier_std<const N: usize>(shape: [usize; N], gain: f64) -> f64
where
    Rank<N>: Lower<2>,
{
    let (fan_in, fan_out) = fans(shape);
    gain * (2.0 / (fan_in + fan_out).max(1) as f64).sqrt()
}

fn kaiming_std<const N: usize>(shape: [usize; N], fan: Fan, nonlinearity: Nonlinearity) -> f64
where
    Rank<N>: Lower<2>,
{
    let (fan_in, fan_out) = fans(shape);
    let fan = match fan {
        Fan::In => fan_in,
        Fan::Out => fan_out,
    };
    nonlinearity.gain() / (fan.max(1) as f64).sqrt()
}

/// The weight that PyTorch gives a new linear or convolutional layer.
pub(crate) fn default_weight<T: Float, const N: usize>(shape: [usize; N], rng: &mut Rng) -> Tensor<T, N>
where
    Rank<N>: Lower<2>,
{
    kaiming_uniform(shape, Fan::In, Nonlinearity::LeakyRelu(5.0_f64.sqrt()), rng)
}

/// The bias that PyTorch gives a new layer of this fan-in.
pub(crate) fn default_bias<T: Float>(size: usize, fan_in: usize, rng: &mut Rng) -> Tensor<T, 1> {
    let bound = if fan_in == 0 { 0.0 } else { 1.0 / (fan_in as f64).sqrt() };
    uniform([size], -bound, bound, rng)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt(), values.iter().fold(0.0, |most, &v| f64::from(v.abs()).max(most)))
    }

    /// 18,432 draws: the standard error of a standard deviation is about 0.5 %.
    #[test]
    fn scales_are_those_of_the_papers() {
        let (shape, mut rng) = ([64, 32, 3, 3], Rng::seed(0));
        let (fan_in, fan_out) = (288.0_f64, 576.0_f64);
        let relu = Nonlinearity::Relu;
        for (values, std, bounded) in [
            (kaiming_uniform(shape, Fan::In, relu, &mut rng), (2.0 / fan_in).sqrt(), true),
            (kaiming_normal(shape, Fan::Out, relu, &mut rng), (2.0 / fan_out).sqrt(), false),
            (xavier_uniform(shape, 1.5, &mut rng), 1.5 * (2.0 / (fan_in + fan_out)).sqrt(), true),
            (xavier_normal(shape, 1.0, &mut rng), (2.0 / (fan_in + fan_out)).sqrt(), false),
            (default_weight(shape, &mut rng), (1.0 / (3.0 * fan_in)).sqrt(), true),
        ] {
            let (mean, found, largest) = moments(&values.to_vec());
            assert!(mean.abs() < 0.03 * std && (found / std - 1.0).abs() < 0.02, "{mean} {found} {std}");
            let bound = 3.0_f64.sqrt() * std;
            assert_eq!(largest <= bound * (1.0 + 1e-6), bounded, "{largest} {bound}");
        }
    }

    #[test]
    fn a_seed_decides_and_constants_are_constant() {
        let draw = |seed| normal::<f32, 2>([3, 2], 1.0, 2.0, &mut Rng::seed(seed));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_eq!(constant([2], 0.5_f32).to_vec(), [0.5, 0.5]);
        assert_eq!(default_bias::<f32>(2, 0, &mut Rng::seed(0)).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn gains_are_pytorchs() {
        let gains = [Nonlinearity::Linear, Nonlinearity::Tanh, Nonlinearity::LeakyRelu(0.0), Nonlinearity::Selu];
        assert_eq!(gains.map(Nonlinearity::gain), [1.0, 5.0 / 3.0, Nonlinearity::Relu.gain(), 0.75]);
    }
}
