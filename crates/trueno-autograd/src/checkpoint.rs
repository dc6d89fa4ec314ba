//! Gradient checkpointing: forget what the forward pass computed, compute it again for the backward pass.

use crate::backward::{GradOptions, towards};
use crate::mode;
use crate::replay;
use crate::tensor::Autograd;
use crate::variable::Variable;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use trueno_core::{DType, Error, Result};
use trueno_tensor::{DynTensor, Function, Op, Saved, autocast_dtype, try_autocast};

/// `f(inputs)` without its graph: the backward pass runs `f` again to get it (Chen et al., 2016). Memory for
/// intermediate values is then needed for one such piece at a time.
///
/// Gradients reach the inputs and whatever tracked tensors `f` closes over, parameters above all. `f` must give the same
/// value when called again: what it draws by [`draw_once`](crate::draw_once), as dropout does, is the same again, and what it
/// does unless [`is_recomputing`](crate::is_recomputing), as batch normalisation keeps its statistics, is done once. Called inside
/// a region of [`autocast`](trueno_tensor::autocast()), it runs in such a region again.
///
/// # Errors
/// Those of `f`.
///
/// ```
/// use trueno_autograd::{checkpoint, prelude::*};
/// use trueno_tensor::prelude::*;
/// let weight = Tensor::scalar(3.0_f64).requires_grad();
/// let x = Tensor::scalar(0.5_f64); // not tracked: the weight's gradient does not depend on that
/// let closed = weight.clone();
/// checkpoint(move |inputs: &[Tensor<f64, 0>]| Ok((&inputs[0] * &closed).exp()), &[&x])?.backward();
/// assert!((weight.grad().unwrap().item() - 0.5 * 1.5_f64.exp()).abs() < 1e-12);
/// # Ok::<(), trueno_core::Error>(())
/// ```
pub fn checkpoint<X: Autograd, Y: Autograd>(
    f: impl Fn(&[X]) -> Result<Y> + Send + Sync + 'static,
    inputs: &[&X],
) -> Result<Y> {
    let inputs: Vec<&DynTensor> = inputs.iter().map(|x| x.as_dyn()).collect();
    let f = Box::new(untyped(f));
    let (drawn, precision) = (Arc::default(), autocast_dtype().unwrap_or(DType::F32));
    Y::from_dyn(Checkpoint { f, inputs: inputs.len(), drawn, precision }.apply(&inputs)?)
}

/// A function of engine values.
type Untyped = dyn Fn(&[DynTensor]) -> Result<DynTensor> + Send + Sync;

/// A function of typed values as one of engine values.
pub(crate) fn untyped<X: Autograd, Y: Autograd>(
    f: impl Fn(&[X]) -> Result<Y>,
) -> impl Fn(&[DynTensor]) -> Result<DynTensor> {
    move |inputs| {
        let inputs = inputs.iter().map(|x| X::from_dyn(x.clone())).collect::<Result<Vec<X>>>()?;
        f(&inputs).map(|output| output.as_dyn().clone())
    }
}

/// Each place in the graph once.
fn distinct(reached: Vec<DynTensor>) -> Vec<DynTensor> {
    let mut seen = HashSet::new();
    reached.into_iter().filter(|x| Variable::of(x).is_some_and(|variable| seen.insert(variable.id()))).collect()
}

/// A function that is run again for its graph. Its operands are its inputs and then what it closes over.
struct Checkpoint {
    f: Box<Untyped>,
    inputs: usize,
    /// What the function drew when it ran first.
    drawn: Arc<[u64]>,
    /// What products were computed in then: other than `f32` in a region of `autocast`.
    precision: DType,
}

impl Checkpoint {
    /// The value, recorded as one operation on the inputs and on the tracked tensors that the function reached for.
    fn apply(mut self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        let detached: Vec<DynTensor> = inputs.iter().map(|x| x.detach()).collect();
        let ((output, reached), drawn) = replay::first(|| mode::watch(|| (self.f)(&detached)));
        self.drawn = drawn;
        let output = output?.detach();
        let closed_over = distinct(reached);
        let operands: Vec<&DynTensor> = inputs.iter().copied().chain(&closed_over).collect();
        let Some(recorder) = operands.iter().find_map(|x| x.recorder()).filter(|_| output.dtype().is_float()) else {
            return Ok(output);
        };
        let place = recorder.record(&Op::Custom(Arc::new(self)), &operands, &output, Saved::new());
        Ok(output.with_recorder(place))
    }

    /// Runs the function as it ran first: with the same numbers drawn and in the same precision.
    fn again<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        replay::again(&self.drawn, || try_autocast(self.precision, f))?
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint({} inputs)", self.inputs)
    }
}

impl Function for Checkpoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        let inputs: Vec<DynTensor> = inputs[..self.inputs].iter().map(|x| x.detach()).collect();
        self.again(|| mode::no_grad(|| (self.f)(&inputs)))
    }

    fn backward(&self, inputs: &[&DynTensor], output: &DynTensor, g: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        let create_graph = mode::is_grad_enabled();
        mode::recording(|| {
            // If this pass is recorded, the inner graph continues the outer one; else it starts at leaves of its own.
            let again = |x: &&DynTensor| match x.recorder() {
                Some(_) if !create_graph => x.detach().requires_grad(),
                _ => (*x).clone(),
            };
            let operands: Vec<DynTensor> = inputs[..self.inputs].iter().map(again).collect();
            let result = self.again(|| (self.f)(&operands))?;
            if (result.shape(), result.dtype()) != (output.shape(), output.dtype()) {
                let reason = "the function gave another shape or type when it was called again".into();
                return Err(Error::Gradient { op: "checkpoint", reason });
            }
            let operands: Vec<&DynTensor> = operands.iter().chain(inputs[self.inputs..].iter().copied()).collect();
            let places: Vec<Option<Arc<Variable>>> = operands.iter().map(|x| Variable::of(x)).collect();
            let targets: Vec<Arc<Variable>> = places.iter().flatten().cloned().collect();
            let options = GradOptions { create_graph, ..GradOptions::default() };
            let mut found = towards(&[&result], &[g], &targets, true, options)?.into_iter();
            Ok(places.iter().map(|place| place.as_ref().and_then(|_| found.next().flatten())).collect())
        })
    }
}
