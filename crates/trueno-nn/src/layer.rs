//! What a layer is: a module with an input and an output.

use crate::Module;
use std::sync::Arc;
use trueno_core::Result;

/// What a network is run for. It is an argument of `forward`, so that a network is never left in the wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Training: dropout drops, batch normalisation uses and records the statistics of the batch.
    Train,
    /// Evaluation: the result depends on the input alone.
    Eval,
}

/// A module that computes one value from one value. Ranks and types are checked by the compiler.
///
/// ```
/// use trueno_nn::tensor::{Tensor, core::Result};
/// use trueno_nn::{Layer, Linear, Mode, Module, Relu, Rng};
///
/// /// Adds what its layer makes of the input.
/// #[derive(Module)]
/// struct Residual {
///     inner: Linear,
/// }
///
/// impl Layer<Tensor<f32, 2>> for Residual {
///     type Output = Tensor<f32, 2>;
///     fn try_forward(&self, x: &Tensor<f32, 2>, mode: Mode) -> Result<Tensor<f32, 2>> {
///         x.try_add(&self.inner.try_forward(x, mode)?)
///     }
/// }
///
/// let mut rng = Rng::seed(0);
/// let net = trueno_nn::sequential![Residual { inner: Linear::new(3, 3, &mut rng) }, Relu];
/// assert_eq!(net.forward(&Tensor::zeros([5, 3]), Mode::Eval).shape(), [5, 3]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer that takes `{Input}`",
    label = "does not take `{Input}`",
    note = "the rank or the element type of what comes before may not be what this layer is for"
)]
pub trait Layer<Input: ?Sized>: Module {
    /// What it gives.
    type Output;

    /// The output.
    ///
    /// # Errors
    /// If the shape of the input, or an element of it, is not what the layer takes.
    fn try_forward(&self, input: &Input, mode: Mode) -> Result<Self::Output>;

    /// The output.
    ///
    /// # Panics
    /// At the caller's line, with the error of [`try_forward`](Layer::try_forward) as the message.
    #[track_caller]
    fn forward(&self, input: &Input, mode: Mode) -> Self::Output {
        expect(self.try_forward(input, mode))
    }
}

/// The value, or a panic with the error's message at the caller's line.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl<Input: ?Sized, L: Layer<Input> + ?Sized> Layer<Input> for Box<L> {
    type Output = L::Output;

    fn try_forward(&self, input: &Input, mode: Mode) -> Result<L::Output> {
        (**self).try_forward(input, mode)
    }
}

impl<Input: ?Sized, L: Layer<Input>> Layer<Input> for Arc<L> {
    type Output = L::Output;

    fn try_forward(&self, input: &Input, mode: Mode) -> Result<L::Output> {
        (**self).try_forward(input, mode)
    }
}
