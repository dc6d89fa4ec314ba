//! Gradients as methods of tensors.

use crate::backward::{backward, one};
use crate::gradients::Gradients;
use crate::variable::Variable;
use crate::walk::BackwardOptions;
use std::sync::{Arc, Weak};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Recorder, Tensor};

/// What tensors of every kind can do with gradients.
pub trait Autograd: Clone + 'static {
    /// The value as the engine has it.
    fn as_dyn(&self) -> &DynTensor;

    /// A value from the engine's.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`] if it is not of this type.
    fn from_dyn(value: DynTensor) -> Result<Self>;

    /// This value as a leaf of the gradient graph: what is computed from the result is recorded, and backward
    /// passes leave its gradient in [`grad`](Autograd::grad). Shares memory. Of a tracked value it gives the value itself.
    ///
    /// # Panics
    /// If the elements are not floats; see [`try_requires_grad`](Autograd::try_requires_grad).
    #[must_use]
    #[track_caller]
    fn requires_grad(&self) -> Self {
        expect(self.try_requires_grad())
    }

    /// As [`requires_grad`](Autograd::requires_grad).
    ///
    /// # Errors
    /// [`Error::DType`] if the elements are not floats.
    fn try_requires_grad(&self) -> Result<Self> {
        let value = self.as_dyn();
        if !value.dtype().is_float() {
            let expected = "only floats vary smoothly; cast it first".into();
            return Err(Error::DType { op: "requires_grad", got: value.dtype(), expected });
        }
        let recorder = match value.recorder() {
            Some(recorder) => recorder.clone(),
            None => Variable::leaf() as Arc<dyn Recorder>,
        };
        Self::from_dyn(value.clone().with_recorder(Some(recorder)))
    }

    /// Whether operations on this value are recorded: it is a leaf or made from one.
    fn tracks_gradient(&self) -> bool {
        self.as_dyn().recorder().is_some()
    }

    /// Whether this value is a leaf: tracked, and made by `requires_grad()`.
    fn is_leaf(&self) -> bool {
        Variable::of(self.as_dyn()).is_some_and(|variable| variable.is_leaf())
    }

    /// The sum of the gradients that backward passes have left in this leaf since the last
    /// [`zero_grad`](Autograd::zero_grad); `None` if there were none or this is no leaf.
    ///
    /// Never tracked: gradients that have gradients themselves are in the [`Gradients`] that a pass gives.
    fn grad(&self) -> Option<Self> {
        Self::from_dyn(Variable::of(self.as_dyn())?.gradient()?).ok()
    }

    /// Forgets the gradient of this leaf.
    fn zero_grad(&self) {
        if let Some(variable) = Variable::of(self.as_dyn()) {
            variable.set_gradient(None);
        }
    }

    /// Calls `hook` with the gradient by this value in every later backward pass; what it returns, if anything,
    /// goes on in the gradient's place. Hooks run in the order of their registration.
    ///
    /// # Errors
    /// [`Error::Gradient`] if the value is not tracked.
    fn register_hook(&self, hook: impl Fn(&Self) -> Option<Self> + Send + Sync + 'static) -> Result<HookHandle> {
        let Some(variable) = Variable::of(self.as_dyn()) else {
            let reason = "the value is not tracked: no gradient will ever arrive".into();
            return Err(Error::Gradient { op: "register_hook", reason });
        };
        // A gradient has its value's type and rank, so the conversion cannot fail.
        let hook = move |gradient: &DynTensor| Some(hook(&Self::from_dyn(gradient.clone()).ok()?)?.as_dyn().clone());
        let id = variable.add_hook(Arc::new(hook));
        Ok(HookHandle { variable: Arc::downgrade(&variable), id })
    }

    /// Changes a value that others may refer to by its place in the graph, such as a parameter: `change` gets it
    /// detached (so that its memory is its own, once backward passes have released what they kept), and the place is put back.
    ///
    /// # Errors
    /// Those of `change`.
    fn update<R>(&mut self, change: impl FnOnce(&mut DynTensor) -> Result<R>) -> Result<R> {
        let recorder = self.as_dyn().recorder().cloned();
        let shape = self.as_dyn().shape().to_vec();
        let mut value = self.as_dyn().detach();
        *self = Self::from_dyn(DynTensor::zeros(&vec![0; shape.len()], value.dtype())?)?;
        let result = change(&mut value);
        *self = Self::from_dyn(value.with_recorder(recorder))?;
        result
    }

    /// Gradients by all leaves, from the gradient by this value: [`Backward::backward`] for values of any rank.
    ///
    /// # Panics
    /// See [`try_backward_with`](Autograd::try_backward_with).
    #[track_caller]
    fn backward_with(&self, seed: &Self) -> Gradients {
        expect(self.try_backward_with(seed, BackwardOptions::default()))
    }

    /// As [`backward_with`](Autograd::backward_with).
    ///
    /// # Errors
    /// [`Error::ShapePair`] if `seed` has another shape, else as [`Backward::try_backward`].
    fn try_backward_with(&self, seed: &Self, options: BackwardOptions) -> Result<Gradients> {
        backward(self.as_dyn(), seed.as_dyn(), options)
    }
}

/// Backward passes from a single number. Only values of rank 0 have them without a seed.
pub trait Backward: Autograd {
    /// The gradients of this value by all leaves it was made from. Each is also added to its leaf's
    /// [`grad`](Autograd::grad).
    ///
    /// The pass consumes the graph: what the forward pass kept is released on the way.
    ///
    /// # Panics
    /// See [`try_backward`](Backward::try_backward).
    #[track_caller]
    fn backward(&self) -> Gradients {
        expect(self.try_backward(BackwardOptions::default()))
    }

    /// As [`backward`](Backward::backward).
    ///
    /// # Errors
    /// [`Error::Gradient`] if no path leads to a leaf or an earlier pass consumed the graph; [`Error::Shape`] if the
    /// rank is not 0.
    fn try_backward(&self, options: BackwardOptions) -> Result<Gradients> {
        backward(self.as_dyn(), &one(self.as_dyn())?, options)
    }
}

impl<X: RankZero> Backward for X {}

/// Values that are a single number, or may be one at run time.
#[diagnostic::on_unimplemented(
    message = "only a value of rank 0 has `backward()` without a seed",
    label = "this is not known to have rank 0",
    note = "reduce it first (`.sum()`, `.mean()`), or give the gradient by it: `backward_with(&seed)`"
)]
pub trait RankZero: Autograd {}

impl Autograd for DynTensor {
    fn as_dyn(&self) -> &DynTensor {
        self
    }

    fn from_dyn(value: DynTensor) -> Result<DynTensor> {
        Ok(value)
    }
}

impl RankZero for DynTensor {}

impl<T: Float, const N: usize> Autograd for Tensor<T, N> {
    fn as_dyn(&self) -> &DynTensor {
        Tensor::as_dyn(self)
    }

    fn from_dyn(value: DynTensor) -> Result<Tensor<T, N>> {
        Tensor::from_dyn(value)
    }
}

impl<T: Float> RankZero for Tensor<T, 0> {}

/// A registered hook. Dropping it leaves the hook in place.
#[derive(Debug)]
pub struct HookHandle {
    variable: Weak<Variable>,
    id: u64,
}

impl HookHandle {
    /// Removes the hook.
    pub fn remove(self) {
        if let Some(variable) = self.variable.upgrade() {
            variable.remove_hook(self.id);
        }
    }
}

#[track_caller]
fn expect<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
