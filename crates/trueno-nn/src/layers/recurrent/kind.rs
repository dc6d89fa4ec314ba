//! One step of each kind of recurrent layer, and the gradients of a step.
//!
//! What is done to single elements is one formula or two, each one pass over memory, forward and backward. The gradients read what
//! entered the formulas, so a step keeps that alone.

use trueno_core::Result;
use trueno_core::table::BinaryOp;
use trueno_tensor::fused::Fusion;
use trueno_tensor::{DynTensor, Op, apply, apply_owned, backward, fuse};

/// What follows the sums of an [`Rnn`](crate::Rnn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RnnActivation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// Rectification.
    Relu,
}

/// The kinds of recurrent layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rnn(RnnActivation),
    Lstm,
    Gru,
}

/// What a step came to: the hidden state and, of an LSTM, the cell's.
pub(super) struct State {
    pub h: DynTensor,
    pub c: Option<DynTensor>,
}

/// What the gradients of a step read.
pub(super) struct Kept(Vec<DynTensor>);

/// The gradients of a step.
pub(super) struct StepGradient {
    /// By the product with the hidden state.
    pub recurrent: DynTensor,
    /// By the product with the input, where that is another.
    pub input: Option<DynTensor>,
    /// By the hidden state before, beside what comes through the product.
    pub h: Option<DynTensor>,
    /// By the cell's state before.
    pub c: Option<DynTensor>,
}

impl Kind {
    /// The name of the layer, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rnn(_) => "rnn",
            Kind::Lstm => "lstm",
            Kind::Gru => "gru",
        }
    }

    /// How many vectors as long as the hidden state each product gives.
    pub fn gates(self) -> usize {
        match self {
            Kind::Rnn(_) => 1,
            Kind::Lstm => 4,
            Kind::Gru => 3,
        }
    }

    /// Whether the two products are only ever added, so that their biases can be added before.
    pub fn adds_products(self) -> bool {
        match self {
            Kind::Rnn(_) | Kind::Lstm => true,
            Kind::Gru => false,
        }
    }

    /// The states `[N, H]` after a step, from the products `[N, gates * H]` with the input and with the hidden state.
    pub fn step(self, input: &DynTensor, recurrent: DynTensor, before: &State) -> Result<(State, Kept)> {
        match self {
            Kind::Rnn(activation) => {
                let sum = apply_owned(&Op::Binary(BinaryOp::Add), recurrent, &[input])?;
                let h = apply(&Op::Fused(activated(activation)), &[&sum])?;
                Ok((State { h, c: None }, Kept(vec![sum])))
            }
            Kind::Lstm => {
                let sum = apply_owned(&Op::Binary(BinaryOp::Add), recurrent, &[input])?;
                let [i, f, g, o] = parts(&sum)?;
                let before = before.c.as_ref().unwrap_or(&before.h).clone();
                let c = apply(&Op::Fused(lstm_cell()), &[&i, &f, &g, &before])?;
                let h = apply(&Op::Fused(lstm_hidden()), &[&o, &c])?;
                Ok((State { h, c: Some(c.clone()) }, Kept(vec![sum, before, c])))
            }
            Kind::Gru => {
                let ([ir, iz, new], [hr, hz, old]) = (parts(input)?, parts(&recurrent)?);
                let (r, z) = (ir.binary(BinaryOp::Add, &hr)?, iz.binary(BinaryOp::Add, &hz)?);
                let h = apply(&Op::Fused(gru_hidden()), &[&r, &z, &new, &old, &before.h])?;
                Ok((State { h, c: None }, Kept(vec![r, z, new, old, before.h.clone()])))
            }
        }
    }

    /// The gradients of a step from those by its states.
    pub fn step_gradient(self, Kept(kept): &Kept, by_h: DynTensor, by_c: Option<DynTensor>) -> Result<StepGradient> {
        match self {
            Kind::Rnn(activation) => {
                let [recurrent] = gradients(&activated(activation), [&kept[0]], &by_h)?;
                Ok(StepGradient { recurrent, input: None, h: None, c: None })
            }
            Kind::Lstm => {
                let [i, f, g, o] = parts(&kept[0])?;
                let [o, through_h] = gradients(&lstm_hidden(), [&o, &kept[2]], &by_h)?;
                let by_c = match by_c {
                    Some(by_c) => apply_owned(&Op::Binary(BinaryOp::Add), through_h, &[&by_c])?,
                    None => through_h,
                };
                let [i, f, g, c] = gradients(&lstm_cell(), [&i, &f, &g, &kept[1]], &by_c)?;
                let recurrent = DynTensor::concat(&[&i, &f, &g, &o], 1)?;
                Ok(StepGradient { recurrent, input: None, h: None, c: Some(c) })
            }
            Kind::Gru => {
                let operands = [&kept[0], &kept[1], &kept[2], &kept[3], &kept[4]];
                let [r, z, new, old, h] = gradients(&gru_hidden(), operands, &by_h)?;
                let recurrent = DynTensor::concat(&[&r, &z, &old], 1)?;
                let input = DynTensor::concat(&[&r, &z, &new], 1)?;
                Ok(StepGradient { recurrent, input: Some(input), h: Some(h), c: None })
            }
        }
    }
}

fn activated(activation: RnnActivation) -> Fusion {
    match activation {
        RnnActivation::Tanh => fuse!(|x| x.tanh()).fusion(),
        RnnActivation::Relu => fuse!(|x| x.relu()).fusion(),
    }
}

/// Forget some of what the cell held, take in something new (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).
fn lstm_cell() -> Fusion {
    fuse!(|i, f, g, c| f.sigmoid() * c + i.sigmoid() * g.tanh()).fusion()
}

fn lstm_hidden() -> Fusion {
    fuse!(|o, c| o.sigmoid() * c.tanh()).fusion()
}

/// Between what is new and what was there (Cho et al., 2014, with the reset after the product as in cuDNN and PyTorch).
fn gru_hidden() -> Fusion {
    fuse!(|r, z, new, old, h| {
        let candidate = (new + r.sigmoid() * old).tanh();
        candidate + z.sigmoid() * (h - candidate)
    })
    .fusion()
}

/// The gradients of a formula by all of its operands, which have the shape of its value.
fn gradients<const N: usize>(fusion: &Fusion, operands: [&DynTensor; N], g: &DynTensor) -> Result<[DynTensor; N]> {
    let operands = operands.map(|x| Some(x.clone()));
    let found = backward::fused(fusion, &operands, g, &[true; N])?;
    let found: Vec<DynTensor> = found.into_iter().flatten().collect();
    Ok(found.try_into().unwrap_or_else(|_| unreachable!("every gradient was asked for")))
}

/// Equal parts of axis 1, as views.
fn parts<const N: usize>(x: &DynTensor) -> Result<[DynTensor; N]> {
    let size = x.shape()[1] / N;
    let parts = (0..N).map(|i| x.narrow(1, i * size, size)).collect::<Result<Vec<_>>>()?;
    Ok(parts.try_into().unwrap_or_else(|_| unreachable!("there are so many parts")))
}
