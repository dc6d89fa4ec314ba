//! Dropout.

use crate::{Layer, Mode, Module, RngState};
use trueno_core::{Float, Result};
use trueno_tensor::{DropoutConfig, Rng, Tensor};

/// In training, zeros with probability `p` and the rest scaled by `1 / (1 - p)`; in evaluation the input as it is
/// (Srivastava et al., 2014).
///
/// Which elements are dropped depends on the seed and the number of calls in training so far; a checkpoint keeps both.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Dropout, Layer, Mode, Rng};
/// let layer = Dropout::new(0.5, &mut Rng::seed(0));
/// let x = Tensor::<f32, 1>::ones([100]);
/// assert_eq!(layer.forward(&x, Mode::Eval), x);
/// assert!(layer.forward(&x, Mode::Train).to_vec().iter().all(|&v| v == 0.0 || v == 2.0));
/// ```
#[derive(Clone, Debug, Module)]
pub struct Dropout {
    /// Probability of dropping an element, in `[0, 1)`.
    pub p: f64,
    rng: RngState,
}

impl Dropout {
    /// A dropout whose seed is drawn from a generator, so that no two layers of a network drop alike.
    pub fn new(p: f64, rng: &mut Rng) -> Dropout {
        Dropout { p, rng: RngState::new(rng.next_u64()) }
    }
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for Dropout {
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, mode: Mode) -> Result<Tensor<T, N>> {
        match mode {
            Mode::Eval => Ok(input.clone()),
            Mode::Train => {
                let (seed, call) = (self.rng.seed(), self.rng.next_call());
                // Nothing is dropped: no numbers are drawn and nothing is copied.
                if self.p == 0.0 {
                    return Ok(input.clone());
                }
                input.try_dropout(DropoutConfig { p: self.p, seed, call })
            }
        }
    }
}

/// [`Dropout`] of whole channels of `[N, C, H, W]` (Tompson et al., 2015).
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Dropout2d, Layer, Mode, Rng};
/// let layer = Dropout2d::new(0.5, &mut Rng::seed(0));
/// let y = layer.forward(&Tensor::<f32, 4>::ones([4, 8, 2, 2]), Mode::Train).to_vec();
/// assert!(y.chunks(4).all(|channel| channel.iter().all(|&v| v == channel[0] && (v == 0.0 || v == 2.0))));
/// ```
#[derive(Clone, Debug, Module)]
pub struct Dropout2d(Dropout);

impl Dropout2d {
    /// A dropout whose seed is drawn from a generator, so that no two layers of a network drop alike.
    pub fn new(p: f64, rng: &mut Rng) -> Dropout2d {
        Dropout2d(Dropout::new(p, rng))
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for Dropout2d {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, mode: Mode) -> Result<Tensor<T, 4>> {
        if mode == Mode::Eval || self.0.p == 0.0 {
            return self.0.try_forward(input, mode);
        }
        let [samples, channels, ..] = input.shape();
        let factors: Tensor<T, 4> = self.0.try_forward(&Tensor::ones([samples, channels, 1, 1]), mode)?;
        input.try_mul(&factors.to(&input.as_dyn().device())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_of_zero_copies_nothing_and_still_counts_its_calls() {
        let layer = Dropout::new(0.0, &mut Rng::seed(1));
        let x = Tensor::<f32, 1>::ones([3]);
        let y = layer.forward(&x, Mode::Train);
        let memory = |x: &Tensor<f32, 1>| x.as_dyn().as_slice::<f32>().map(<[f32]>::as_ptr);
        assert_eq!(memory(&y), memory(&x));
        assert_eq!(layer.rng.next_call(), 1);
    }
}
