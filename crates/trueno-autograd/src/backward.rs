//! The backward pass as users call it.

use crate::gradients::Gradients;
use crate::tensor::Autograd;
use crate::variable::Variable;
use crate::walk::{BackwardOptions, Targets, walk};
use std::sync::Arc;
use trueno_core::{Error, Result};
use trueno_tensor::DynTensor;

/// Walks from one result to all leaves, adds what it finds to their `grad()` and gives it.
pub(crate) fn backward(root: &DynTensor, seed: &DynTensor, options: BackwardOptions) -> Result<Gradients> {
    let variable = tracked("backward", root)?;
    check_seed("backward", root, seed)?;
    let found = walk(vec![(variable, seed.clone())], options, None)?;
    // Only now, so that a pass that fails halfway leaves every `grad()` as it was.
    for (leaf, gradient) in found.values() {
        leaf.accumulate(gradient)?;
    }
    Ok(Gradients::new(found))
}

/// How [`grad`] and [`grads`] treat the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GradOptions {
    /// As [`BackwardOptions::retain_graph`].
    pub retain_graph: bool,
    /// As [`BackwardOptions::create_graph`].
    pub create_graph: bool,
    /// Zeros for an input that no output depends on, instead of an error.
    pub allow_unused: bool,
}

/// The gradients of a value of rank 0 by `inputs` (leaves or not), without touching any `grad()`: PyTorch's
/// `autograd.grad`. [`grads`] takes several outputs, of any shape.
///
/// # Errors
/// As [`grads`].
///
/// ```
/// use trueno_autograd::{GradOptions, grad, prelude::*};
/// use trueno_tensor::prelude::*;
/// // The third derivative of the sine is minus the cosine.
/// let x = Tensor::scalar(0.5_f64).requires_grad();
/// let mut y = x.sin();
/// for _ in 0..3 {
///     [y] = grad(&y, [&x], GradOptions { create_graph: true, ..Default::default() })?;
/// }
/// assert!((y.item() + 0.5_f64.cos()).abs() < 1e-12);
/// # Ok::<(), trueno_core::Error>(())
/// ```
pub fn grad<Y: Autograd, X: Autograd, const K: usize>(
    output: &Y,
    inputs: [&X; K],
    options: GradOptions,
) -> Result<[X; K]> {
    let found = grads(&[output], &inputs, &[], options)?;
    Ok(found.try_into().unwrap_or_else(|_| unreachable!("there is a gradient per input")))
}

/// The gradients of `outputs` by `inputs` (leaves or not), without touching any `grad()`: PyTorch's `autograd.grad` of
/// lists.
///
/// `seeds` holds the gradient by each output. An empty slice stands for ones, if all outputs have rank 0.
///
/// # Errors
/// [`Error::Gradient`] if an output or input is not tracked, no output depends on an input, or the graph was consumed;
/// [`Error::ShapePair`] if a seed has not its output's shape.
pub fn grads<Y: Autograd, X: Autograd>(
    outputs: &[&Y],
    inputs: &[&X],
    seeds: &[&Y],
    options: GradOptions,
) -> Result<Vec<X>> {
    let outputs: Vec<&DynTensor> = outputs.iter().map(|y| y.as_dyn()).collect();
    let seeds: Vec<&DynTensor> = seeds.iter().map(|g| g.as_dyn()).collect();
    let targets = inputs.iter().map(|input| tracked("grad", input.as_dyn())).collect::<Result<Vec<_>>>()?;
    let found = towards(&outputs, &seeds, &targets, false, options)?;
    let gradient = |(i, gradient): (usize, Option<DynTensor>)| match (gradient, inputs[i].as_dyn()) {
        (Some(gradient), _) => X::from_dyn(gradient),
        (None, input) if options.allow_unused => {
            X::from_dyn(input.detach().constant(0.0)?.broadcast_to(input.shape())?)
        }
        (None, _) => {
            let reason = format!("no output depends on input {i}; pass `allow_unused: true` to get zeros");
            Err(Error::Gradient { op: "grad", reason: reason.into() })
        }
    };
    found.into_iter().enumerate().map(gradient).collect()
}

/// The gradients of outputs by variables, `None` where there is no path. With `cut`, the variables count as independent.
pub(crate) fn towards(
    outputs: &[&DynTensor],
    seeds: &[&DynTensor],
    targets: &[Arc<Variable>],
    cut: bool,
    options: GradOptions,
) -> Result<Vec<Option<DynTensor>>> {
    let ones = if seeds.is_empty() { outputs.iter().map(|y| one(y)).collect::<Result<_>>()? } else { Vec::new() };
    let seeds: Vec<&DynTensor> = if seeds.is_empty() { ones.iter().collect() } else { seeds.to_vec() };
    if seeds.len() != outputs.len() {
        let reason = format!("{} seeds for {} outputs", seeds.len(), outputs.len());
        return Err(Error::Argument { op: "grad", reason: reason.into() });
    }
    let mut roots = Vec::with_capacity(outputs.len());
    for (output, seed) in outputs.iter().zip(seeds) {
        check_seed("grad", output, seed)?;
        roots.push((tracked("grad", output)?, seed.clone()));
    }
    let variables: Vec<Arc<Variable>> = roots.iter().map(|(variable, _)| variable.clone()).collect();
    let paths = Targets::find(&variables, targets, cut)?;
    let GradOptions { retain_graph, create_graph, .. } = options;
    let found = walk(roots, BackwardOptions { retain_graph, create_graph }, Some(&paths))?;
    Ok(targets.iter().map(|target| found.get(&target.id()).map(|(_, gradient)| gradient.clone())).collect())
}

/// The gradient of a value of rank 0 by itself.
pub(crate) fn one(output: &DynTensor) -> Result<DynTensor> {
    if output.rank() == 0 {
        return output.detach().constant(1.0)?.to(&output.device());
    }
    let reason = "has no one gradient to start from; only rank 0 does: pass a seed, or reduce it to rank 0 first";
    Err(Error::Shape { op: "backward", got: output.shape().into(), reason: reason.into() })
}

fn tracked(op: &'static str, tensor: &DynTensor) -> Result<Arc<Variable>> {
    Variable::of(tensor).ok_or_else(|| {
        let reason = "the value has no path to a leaf: nothing it was made from has `requires_grad()`, or the graph \
                      was cut on the way by `detach()`, `no_grad` or an integer result";
        Error::Gradient { op, reason: reason.into() }
    })
}

fn check_seed(op: &'static str, output: &DynTensor, seed: &DynTensor) -> Result<()> {
    if seed.shape() != output.shape() {
        let reason = "the seed must have the shape of the value it is the gradient by".into();
        return Err(Error::ShapePair { op, lhs: output.shape().into(), rhs: seed.shape().into(), reason });
    }
    if seed.dtype() != output.dtype() {
        let expected = format!("the value is {}; cast the seed", output.dtype());
        return Err(Error::DType { op, got: seed.dtype(), expected: expected.into() });
    }
    Ok(())
}
