//! Single steps of the recurrent layers, for loops of the user's own.

use super::biases;
use super::kind::{Kind, RnnActivation, State};
use crate::init::uniform;
use crate::layer::expect;
use crate::{Layer, Mode, Module, Param};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Rng, Tensor};

/// Defines a cell: its parameters, and its states as a user has them.
macro_rules! cells {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $op:literal $state:ty, $kind:expr, |$given:ident| $split:expr,
        |$after:ident| $join:expr;
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Module)]
        pub struct $name<T: Float = f32> {
            /// `[gates * hidden, in]`.
            pub weight_ih: Param<2, T>,
            /// `[gates * hidden, hidden]`.
            pub weight_hh: Param<2, T>,
            /// `[gates * hidden]`.
            pub bias_ih: Option<Param<1, T>>,
            /// `[gates * hidden]`.
            pub bias_hh: Option<Param<1, T>>,
            #[module(skip)]
            kind: Kind,
        }

        impl<T: Float> $name<T> {
            /// A cell of `inputs` inputs and `hidden` units with PyTorch's first values: all uniform within `1 / sqrt(hidden)`.
            pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> $name<T> {
                let mut cell = $name::without_bias(inputs, hidden, rng);
                let bound = bound(hidden);
                let mut bias = || Some(Param::new(uniform([$kind.gates() * hidden], -bound, bound, rng)));
                (cell.bias_ih, cell.bias_hh) = (bias(), bias());
                cell
            }

            /// The same without biases.
            pub fn without_bias(inputs: usize, hidden: usize, rng: &mut Rng) -> $name<T> {
                let bound = bound(hidden);
                let mut weight = |width| Param::new(uniform([$kind.gates() * hidden, width], -bound, bound, rng));
                let (weight_ih, weight_hh) = (weight(inputs), weight(hidden));
                $name { weight_ih, weight_hh, bias_ih: None, bias_hh: None, kind: $kind }
            }

            /// The state after a step from the given one.
            ///
            /// # Panics
            /// At the caller's line, with the error of [`try_forward_from`](Self::try_forward_from) as the message.
            #[track_caller]
            pub fn forward_from(&self, input: &Tensor<T, 2>, state: &$state) -> $state {
                expect(self.try_forward_from(input, state))
            }

            /// The state after a step from the given one.
            ///
            /// # Errors
            /// [`Error::Shape`] or [`Error::ShapePair`] if the input or the state does not fit the cell.
            pub fn try_forward_from(&self, input: &Tensor<T, 2>, $given: &$state) -> Result<$state> {
                self.step(input, $split)
            }

            fn step(&self, input: &Tensor<T, 2>, before: State) -> Result<$state> {
                let bias = self.bias_ih.as_ref().zip(self.bias_hh.as_ref()).map(|(ih, hh)| [ih.as_dyn(), hh.as_dyn()]);
                let weights = [self.weight_ih.as_dyn(), self.weight_hh.as_dyn()];
                let $after = step($op, self.kind, input.as_dyn(), weights, bias, &before)?;
                Ok($join)
            }
        }

        impl<T: Float> Layer<Tensor<T, 2>> for $name<T> {
            type Output = $state;

            /// The state after a step from zeros.
            fn try_forward(&self, input: &Tensor<T, 2>, _: Mode) -> Result<$state> {
                let shape = [input.shape()[0], self.weight_hh.shape()[1]];
                let zeros = DynTensor::zeros(&shape, T::DTYPE)?.to(&input.as_dyn().device())?;
                self.step(input, State { h: zeros.clone(), c: Some(zeros) })
            }
        }
    )+};
}

cells! {
    /// One step of an [`Rnn`](crate::Rnn): `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, of `[N, in]` and `[N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{Layer, Mode, Rng, RnnCell};
    /// let cell: RnnCell = RnnCell::new(3, 4, &mut Rng::seed(0));
    /// let x = Tensor::ones([2, 3]);
    /// let h = cell.forward(&x, Mode::Eval);
    /// assert_eq!(cell.forward_from(&x, &h).shape(), [2, 4]);
    /// ```
    RnnCell "rnn_cell" Tensor<T, 2>, Kind::Rnn(RnnActivation::Tanh), |state| State { h: state.as_dyn().clone(), c: None }, |after| Tensor::from_dyn(after.h)?;
    /// One step of an [`Lstm`](crate::Lstm), of `[N, in]`: the hidden and the cell's state, both `[N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{Layer, LstmCell, Mode, Rng};
    /// let cell: LstmCell = LstmCell::new(3, 4, &mut Rng::seed(0));
    /// let x = Tensor::ones([2, 3]);
    /// let state = cell.forward(&x, Mode::Eval);
    /// let (h, c) = cell.forward_from(&x, &state);
    /// assert_eq!((h.shape(), c.shape()), ([2, 4], [2, 4]));
    /// ```
    LstmCell "lstm_cell" (Tensor<T, 2>, Tensor<T, 2>), Kind::Lstm, |state| State { h: state.0.as_dyn().clone(), c: Some(state.1.as_dyn().clone()) }, |after| {
        let c = after.c.unwrap_or_else(|| unreachable!("a step of an LSTM leaves the state of its cell"));
        (Tensor::from_dyn(after.h)?, Tensor::from_dyn(c)?)
    };
    /// One step of a [`Gru`](crate::Gru), of `[N, in]` and `[N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{GruCell, Layer, Mode, Rng};
    /// let cell: GruCell = GruCell::new(3, 4, &mut Rng::seed(0));
    /// let x = Tensor::ones([2, 3]);
    /// let h = cell.forward(&x, Mode::Eval);
    /// assert_eq!(cell.forward_from(&x, &h).shape(), [2, 4]);
    /// ```
    GruCell "gru_cell" Tensor<T, 2>, Kind::Gru, |state| State { h: state.as_dyn().clone(), c: None }, |after| Tensor::from_dyn(after.h)?;
}

impl<T: Float> RnnCell<T> {
    /// The same with another activation.
    #[must_use]
    pub fn with_activation(self, activation: RnnActivation) -> RnnCell<T> {
        RnnCell { kind: Kind::Rnn(activation), ..self }
    }
}

/// What first values are uniform within.
fn bound(hidden: usize) -> f64 {
    1.0 / (hidden.max(1) as f64).sqrt()
}

fn step(
    op: &'static str,
    kind: Kind,
    x: &DynTensor,
    [weight_ih, weight_hh]: [&DynTensor; 2],
    bias: Option<[&DynTensor; 2]>,
    before: &State,
) -> Result<State> {
    let wanted = [x.shape()[0], weight_hh.shape()[1]];
    if let Some(state) =
        [Some(&before.h), before.c.as_ref()].into_iter().flatten().find(|state| state.shape() != wanted)
    {
        let reason = format!("a state must have shape {wanted:?}: batch, units of the cell").into();
        return Err(Error::Shape { op, got: state.shape().into(), reason });
    }
    let (input, recurrent) = biases(kind, bias)?;
    let recurrent = before.h.linear(weight_hh, recurrent.as_ref())?;
    Ok(kind.step(&x.linear(weight_ih, input.as_ref())?, recurrent, before)?.0)
}
