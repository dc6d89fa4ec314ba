//! The state of a random stream inside a module.

use crate::{Module, Visitor, VisitorMut};
use std::sync::atomic::{AtomicU64, Ordering};
use trueno_autograd::draw_once;
use trueno_core::DType;
use trueno_tensor::DynTensor;

/// A random stream that a module draws from while it computes: a seed and the number of calls so far.
///
/// A draw is a pure function of both, so that a network continues from a checkpoint bit for bit. The count goes
/// up through a shared reference, because `forward` takes one.
#[derive(Debug)]
pub struct RngState {
    seed: u64,
    calls: AtomicU64,
}

impl RngState {
    /// A stream from its start.
    pub const fn new(seed: u64) -> RngState {
        RngState::at(seed, 0)
    }

    /// A stream after a number of calls.
    pub const fn at(seed: u64, calls: u64) -> RngState {
        RngState { seed, calls: AtomicU64::new(calls) }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The number of this call, which no other call gets. What a [`checkpoint`](trueno_autograd::checkpoint()) computes again
    /// gets the number that it got at first.
    pub fn next_call(&self) -> u64 {
        draw_once(|| self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Both numbers as an `i64` tensor of shape `[2]`, bit for bit.
    pub(crate) fn to_tensor(&self) -> DynTensor {
        DynTensor::from_slice(&[self.seed as i64, self.calls() as i64], &[2]).expect("two numbers fit shape [2]")
    }

    /// What [`to_tensor`](RngState::to_tensor) gave, or `None` if it is something else.
    pub(crate) fn from_tensor(tensor: &DynTensor) -> Option<RngState> {
        if tensor.shape() != [2] || tensor.dtype() != DType::I64 {
            return None;
        }
        match tensor.to_vec::<i64>().ok()?.as_slice() {
            &[seed, calls] => Some(RngState::at(seed as u64, calls as u64)),
            _ => None,
        }
    }
}

impl Clone for RngState {
    fn clone(&self) -> RngState {
        RngState::at(self.seed, self.calls())
    }
}

impl Module for RngState {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.rng_state("", self);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        visitor.rng_state("", self);
    }
}
