//! Recurrent layers and their cells.

mod cell;
mod kind;
mod sequence;

pub use cell::{GruCell, LstmCell, RnnCell};
pub use kind::RnnActivation;

use super::Dropout;
use crate::init::uniform;
use crate::layer::expect;
use crate::{Layer, Mode, Module, Param, Scoped, Visitor, VisitorMut};
use kind::Kind;
use sequence::{Operands, Outcome};
use trueno_core::table::BinaryOp;
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Rng, Tensor};

/// How an [`Rnn`], [`Lstm`] or [`Gru`] is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentConfig {
    /// Layers, each of which takes what the one before gives.
    pub num_layers: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether sequences come and go as `[N, T, ...]` rather than `[T, N, ...]`. States are `[layers, N, ...]` either way.
    pub batch_first: bool,
    /// Probability of dropping an element of what a layer gives the next one, in training.
    pub dropout: f64,
    /// Whether each layer also runs from the last step to the first; the results lie side by side.
    pub bidirectional: bool,
}

/// PyTorch's: one layer with biases, in one direction, the steps along axis 0, nothing dropped.
impl Default for RecurrentConfig {
    fn default() -> RecurrentConfig {
        RecurrentConfig { num_layers: 1, bias: true, batch_first: false, dropout: 0.0, bidirectional: false }
    }
}

/// The parameters of one direction of one layer.
#[derive(Clone, Debug)]
struct Direction<T: Float> {
    weight_ih: Param<2, T>,
    weight_hh: Param<2, T>,
    bias: Option<[Param<1, T>; 2]>,
    weight_hr: Option<Param<2, T>>,
}

/// What recurrent layers of every kind are.
#[derive(Clone, Debug)]
struct Recurrent<T: Float> {
    kind: Kind,
    config: RecurrentConfig,
    /// Sizes of the input, of the hidden state and of its projection, which is the hidden state if there is none.
    sizes: [usize; 3],
    /// Layer by layer, forwards before backwards.
    directions: Vec<Direction<T>>,
    dropout: Dropout,
}

/// The states of all layers and directions, `[layers, N, size]`: the hidden ones and, of an LSTM, the cells'.
type States = (DynTensor, Option<DynTensor>);

impl<T: Float> Recurrent<T> {
    fn new(
        kind: Kind,
        [inputs, hidden]: [usize; 2],
        projection: Option<usize>,
        config: RecurrentConfig,
        rng: &mut Rng,
    ) -> Recurrent<T> {
        let bound = 1.0 / (hidden.max(1) as f64).sqrt();
        let (gates, width) = (kind.gates() * hidden, projection.unwrap_or(hidden));
        let per_layer = if config.bidirectional { 2 } else { 1 };
        let mut directions = Vec::new();
        for index in 0..config.num_layers * per_layer {
            let entering = if index < per_layer { inputs } else { width * per_layer };
            let mut matrix = |rows, cols| Param::new(uniform([rows, cols], -bound, bound, rng));
            let (weight_ih, weight_hh) = (matrix(gates, entering), matrix(gates, width));
            let weight_hr = projection.map(|projection| matrix(projection, hidden));
            let mut vector = || Param::new(uniform([gates], -bound, bound, rng));
            let bias = config.bias.then(|| [vector(), vector()]);
            directions.push(Direction { weight_ih, weight_hh, bias, weight_hr });
        }
        let dropout = Dropout::new(config.dropout, rng);
        Recurrent { kind, config, sizes: [inputs, hidden, width], directions, dropout }
    }

    fn per_layer(&self) -> usize {
        if self.config.bidirectional { 2 } else { 1 }
    }

    /// The name of a parameter of direction `index`.
    fn named(&self, name: &str, index: usize) -> String {
        let (layer, backwards) = (index / self.per_layer(), index % self.per_layer());
        format!("{name}_l{layer}{}", if backwards == 1 { "_reverse" } else { "" })
    }

    /// What the layers give for a sequence from the given states, or from zeros; and the states after it.
    fn forward(&self, x: &DynTensor, states: Option<States>, mode: Mode) -> Result<(DynTensor, States)> {
        let mut x = if self.config.batch_first { x.swap_axes(0, 1)? } else { x.clone() };
        let states = self.first_states(&x, states)?;
        let (mut last_h, mut last_c) = (Vec::new(), Vec::new());
        for (layer, directions) in self.directions.chunks(self.per_layer()).enumerate() {
            if layer > 0 && self.config.dropout > 0.0 {
                x = self.dropout.try_forward(&Tensor::<T, 3>::from_dyn(x)?, mode)?.into_dyn();
            }
            let mut outputs = Vec::new();
            for (backwards, direction) in directions.iter().enumerate() {
                let state = |states: &DynTensor| states.narrow(0, last_h.len(), 1)?.squeeze(0);
                let (h, c) = (state(&states.0)?, states.1.as_ref().map(state).transpose()?);
                let Outcome { output, h, c } = self.direction(direction, backwards == 1, &x, &h, c.as_ref())?;
                outputs.push(output);
                last_h.push(h);
                last_c.extend(c);
            }
            x = match &outputs[..] {
                [only] => only.clone(),
                both => DynTensor::concat(&both.iter().collect::<Vec<_>>(), 2)?,
            };
        }
        let stack = |states: &[DynTensor]| DynTensor::stack(&states.iter().collect::<Vec<_>>(), 0);
        let states = (stack(&last_h)?, if last_c.is_empty() { None } else { Some(stack(&last_c)?) });
        Ok((if self.config.batch_first { x.swap_axes(0, 1)? } else { x }, states))
    }

    fn direction(
        &self,
        direction: &Direction<T>,
        reverse: bool,
        x: &DynTensor,
        h: &DynTensor,
        c: Option<&DynTensor>,
    ) -> Result<Outcome> {
        let bias = direction.bias.as_ref().map(|[ih, hh]| [ih.as_dyn(), hh.as_dyn()]);
        let (before, recurrent) = biases(self.kind, bias)?;
        let input = x.linear(direction.weight_ih.as_dyn(), before.as_ref())?;
        let projection = direction.weight_hr.as_ref().map(|weight| weight.as_dyn());
        let (weight, bias) = (direction.weight_hh.as_dyn(), recurrent.as_ref());
        sequence::run(self.kind, reverse, Operands { input: &input, h, c, weight, bias, projection })
    }

    /// The given states if they fit, or zeros.
    fn first_states(&self, x: &DynTensor, given: Option<States>) -> Result<States> {
        let op = self.kind.name();
        let refuse =
            |got: &DynTensor, reason: String| Error::Shape { op, got: got.shape().into(), reason: reason.into() };
        let [inputs, hidden, width] = self.sizes;
        let &[steps, batch, size] = x.shape() else { return Err(refuse(x, "must have three axes".into())) };
        if size != inputs {
            return Err(refuse(x, format!("must have {inputs} as its last size, the inputs of the layer")));
        }
        if steps == 0 {
            return Err(refuse(x, "has no steps; at least one is needed".into()));
        }
        let count = self.directions.len();
        let fit = |state: &DynTensor, size: usize, what: &str| {
            let wanted = [count, batch, size];
            let reason = || format!("the {what} state must have shape {wanted:?}: layers and directions, batch, size");
            if state.shape() == wanted { Ok(()) } else { Err(refuse(state, reason())) }
        };
        let zeros = |size: usize| DynTensor::zeros(&[count, batch, size], T::DTYPE)?.to(&x.device());
        let has_cell = self.kind == Kind::Lstm;
        match given {
            Some((h, c)) => {
                fit(&h, width, "hidden")?;
                c.as_ref().map(|c| fit(c, hidden, "cell")).transpose()?;
                Ok((h, c))
            }
            None => Ok((zeros(width)?, if has_cell { Some(zeros(hidden)?) } else { None })),
        }
    }
}

/// What is added to the product with the input, and to that with the hidden state.
fn biases(kind: Kind, bias: Option<[&DynTensor; 2]>) -> Result<(Option<DynTensor>, Option<DynTensor>)> {
    match bias {
        Some([input, recurrent]) if kind.adds_products() => Ok((Some(input.binary(BinaryOp::Add, recurrent)?), None)),
        Some([input, recurrent]) => Ok((Some(input.clone()), Some(recurrent.clone()))),
        None => Ok((None, None)),
    }
}

impl<T: Float> Module for Recurrent<T> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        for (index, direction) in self.directions.iter().enumerate() {
            let mut show =
                |name: &str, part: &dyn Module| part.visit(&mut Scoped::new(&self.named(name, index), visitor));
            show("weight_ih", &direction.weight_ih);
            show("weight_hh", &direction.weight_hh);
            if let Some([ih, hh]) = &direction.bias {
                show("bias_ih", ih);
                show("bias_hh", hh);
            }
            show("weight_hr", &direction.weight_hr);
        }
        self.dropout.visit(&mut Scoped::new("dropout", visitor));
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"];
        let names: Vec<_> = (0..self.directions.len()).map(|index| names.map(|name| self.named(name, index))).collect();
        for (direction, [ih, hh, bias_ih, bias_hh, hr]) in self.directions.iter_mut().zip(&names) {
            direction.weight_ih.visit_mut(&mut Scoped::new(ih, visitor));
            direction.weight_hh.visit_mut(&mut Scoped::new(hh, visitor));
            if let Some([ih, hh]) = &mut direction.bias {
                ih.visit_mut(&mut Scoped::new(bias_ih, visitor));
                hh.visit_mut(&mut Scoped::new(bias_hh, visitor));
            }
            direction.weight_hr.visit_mut(&mut Scoped::new(hr, visitor));
        }
        self.dropout.visit_mut(&mut Scoped::new("dropout", visitor));
    }
}

/// Defines a recurrent layer over [`Recurrent`]: its states as a user has them, and both ways to what the layers take.
macro_rules! recurrent {
    ($($(#[doc = $doc:literal])+ $name:ident $state:ty, |$given:ident| $split:expr, |$found:ident| $join:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        pub struct $name<T: Float = f32>(Recurrent<T>);

        // By hand: derived, it would have a bound that names a private type.
        impl<T: Float> Module for $name<T> {
            fn visit(&self, visitor: &mut dyn Visitor) {
                self.0.visit(visitor);
            }

            fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
                self.0.visit_mut(visitor);
            }
        }

        impl<T: Float> $name<T> {
            /// As [`forward`](Layer::forward), from given states before the first step.
            ///
            /// # Panics
            /// At the caller's line, with the error of [`try_forward_from`](Self::try_forward_from) as the message.
            #[track_caller]
            pub fn forward_from(&self, input: &Tensor<T, 3>, state: &$state, mode: Mode) -> (Tensor<T, 3>, $state) {
                expect(self.try_forward_from(input, state, mode))
            }

            /// As [`try_forward`](Layer::try_forward), from given states before the first step.
            ///
            /// # Errors
            /// [`Error::Shape`] if the input or a state has another size than the layer, or there are no steps.
            pub fn try_forward_from(
                &self,
                input: &Tensor<T, 3>,
                $given: &$state,
                mode: Mode,
            ) -> Result<(Tensor<T, 3>, $state)> {
                self.run(input, Some($split), mode)
            }

            fn run(&self, input: &Tensor<T, 3>, states: Option<States>, mode: Mode) -> Result<(Tensor<T, 3>, $state)> {
                let (output, $found) = self.0.forward(input.as_dyn(), states, mode)?;
                Ok((Tensor::from_dyn(output)?, $join))
            }
        }

        impl<T: Float> Layer<Tensor<T, 3>> for $name<T> {
            type Output = (Tensor<T, 3>, $state);

            fn try_forward(&self, input: &Tensor<T, 3>, mode: Mode) -> Result<Self::Output> {
                self.run(input, None, mode)
            }
        }
    )+};
}

recurrent! {
    /// A recurrent layer (Elman, 1990): `h' = act(W_ih x + b_ih + W_hh h + b_hh)` at every step of `[T, N, in]`.
    ///
    /// Gives the hidden states after every step, `[T, N, hidden]`, and those of all layers after the last one, `[layers, N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{Layer, Mode, Rng, Rnn};
    /// let layer: Rnn = Rnn::new(3, 4, &mut Rng::seed(0));
    /// let (y, h) = layer.forward(&Tensor::ones([5, 2, 3]), Mode::Eval);
    /// assert_eq!((y.shape(), h.shape()), ([5, 2, 4], [1, 2, 4]));
    /// ```
    Rnn Tensor<T, 3>, |state| (state.as_dyn().clone(), None), |states| Tensor::from_dyn(states.0)?;
    /// A long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000), for sequences `[T, N, in]`. Its gates lie in
    /// PyTorch's order: input, forget, cell, output.
    ///
    /// Gives the hidden states after every step, `[T, N, hidden]`, and the hidden and the cells' states of all layers after the last one,
    /// both `[layers, N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{Layer, Lstm, Mode, Module, RecurrentConfig, Rng};
    /// let config = RecurrentConfig { num_layers: 2, bidirectional: true, ..Default::default() };
    /// let layer: Lstm = Lstm::with_config(3, 4, config, &mut Rng::seed(0));
    /// let (y, (h, c)) = layer.forward(&Tensor::ones([5, 2, 3]), Mode::Eval);
    /// assert_eq!((y.shape(), h.shape(), c.shape()), ([5, 2, 8], [4, 2, 4], [4, 2, 4]));
    /// assert_eq!(layer.named_parameters()[4].0, "weight_ih_l0_reverse");
    ///
    /// // A sequence in two parts.
    /// let layer: Lstm = Lstm::new(3, 4, &mut Rng::seed(0));
    /// let (_, state) = layer.forward(&Tensor::ones([2, 1, 3]), Mode::Eval);
    /// let (_, in_two) = layer.forward_from(&Tensor::ones([3, 1, 3]), &state, Mode::Eval);
    /// let (_, at_once) = layer.forward(&Tensor::ones([5, 1, 3]), Mode::Eval);
    /// assert_eq!(in_two, at_once);
    /// ```
    Lstm (Tensor<T, 3>, Tensor<T, 3>), |state| (state.0.as_dyn().clone(), Some(state.1.as_dyn().clone())), |states| {
        let (h, c) = states;
        let c = c.unwrap_or_else(|| unreachable!("every layer of an LSTM leaves the state of its cell"));
        (Tensor::from_dyn(h)?, Tensor::from_dyn(c)?)
    };
    /// Gated recurrent units (Cho et al., 2014), for sequences `[T, N, in]`. The gates lie in PyTorch's order: reset, update, new; and as there,
    /// the reset gate is applied to the product with the hidden state.
    ///
    /// Gives the hidden states after every step, `[T, N, hidden]`, and those of all layers after the last one, `[layers, N, hidden]`.
    ///
    /// ```
    /// use trueno_nn::tensor::Tensor;
    /// use trueno_nn::{Gru, Layer, Mode, RecurrentConfig, Rng};
    /// let config = RecurrentConfig { batch_first: true, ..Default::default() };
    /// let layer: Gru = Gru::with_config(3, 4, config, &mut Rng::seed(0));
    /// let (y, h) = layer.forward(&Tensor::ones([2, 5, 3]), Mode::Eval);
    /// assert_eq!((y.shape(), h.shape()), ([2, 5, 4], [1, 2, 4]));
    /// ```
    Gru Tensor<T, 3>, |state| (state.as_dyn().clone(), None), |states| Tensor::from_dyn(states.0)?;
}

impl<T: Float> Rnn<T> {
    /// A layer of `inputs` inputs and `hidden` units with the hyperbolic tangent, PyTorch's defaults and first values: all uniform within
    /// `1 / sqrt(hidden)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Rnn<T> {
        Rnn::with_config(inputs, hidden, RnnActivation::Tanh, RecurrentConfig::default(), rng)
    }

    /// The same with another activation and other settings.
    pub fn with_config(
        inputs: usize,
        hidden: usize,
        activation: RnnActivation,
        config: RecurrentConfig,
        rng: &mut Rng,
    ) -> Rnn<T> {
        Rnn(Recurrent::new(Kind::Rnn(activation), [inputs, hidden], None, config, rng))
    }
}

impl<T: Float> Lstm<T> {
    /// A layer of `inputs` inputs and `hidden` cells with PyTorch's defaults and first values: all uniform within `1 / sqrt(hidden)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Lstm<T> {
        Lstm::with_config(inputs, hidden, RecurrentConfig::default(), rng)
    }

    /// The same with other settings.
    pub fn with_config(inputs: usize, hidden: usize, config: RecurrentConfig, rng: &mut Rng) -> Lstm<T> {
        Lstm(Recurrent::new(Kind::Lstm, [inputs, hidden], None, config, rng))
    }

    /// The same with hidden states that are projected to `projection` elements before they are given on (PyTorch's `proj_size`; Sak et
    /// al., 2014). The cells' states keep their size.
    pub fn with_projection(
        inputs: usize,
        hidden: usize,
        projection: usize,
        config: RecurrentConfig,
        rng: &mut Rng,
    ) -> Lstm<T> {
        Lstm(Recurrent::new(Kind::Lstm, [inputs, hidden], Some(projection), config, rng))
    }
}

impl<T: Float> Gru<T> {
    /// A layer of `inputs` inputs and `hidden` units with PyTorch's defaults and first values: all uniform within `1 / sqrt(hidden)`.
    pub fn new(inputs: usize, hidden: usize, rng: &mut Rng) -> Gru<T> {
        Gru::with_config(inputs, hidden, RecurrentConfig::default(), rng)
    }

    /// The same with other settings.
    pub fn with_config(inputs: usize, hidden: usize, config: RecurrentConfig, rng: &mut Rng) -> Gru<T> {
        Gru(Recurrent::new(Kind::Gru, [inputs, hidden], None, config, rng))
    }
}
