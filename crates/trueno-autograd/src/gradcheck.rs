//! Gradients against differences: the check that a gradient is one.

use crate::backward::{GradOptions, grads};
use crate::checkpoint::untyped;
use crate::mode;
use crate::tensor::Autograd;
use trueno_core::{DType, Error, Result};
use trueno_tensor::DynTensor;

/// How [`gradcheck`] compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradcheckOptions {
    /// Half the distance between the two evaluations of a central difference.
    pub step: f64,
    /// Largest absolute difference that passes.
    pub absolute: f64,
    /// Largest difference relative to the numeric value that passes, on top of the absolute one.
    pub relative: f64,
}

impl Default for GradcheckOptions {
    fn default() -> Self {
        GradcheckOptions { step: 1e-5, absolute: 1e-7, relative: 1e-6 }
    }
}

/// Compares the gradients of `f` with central differences, every element of the result by every element of every
/// tracked input.
///
/// Inputs are `f64`; those that are not tracked are constants. `f` must be smooth around them.
///
/// # Errors
/// [`Error::Gradient`] with the input, the element, and the analytic and the numeric value of the first difference; or if
/// the result of `f` carries no graph, or an input is not `f64`. Besides, the errors of `f`.
///
/// ```
/// use trueno_autograd::{gradcheck, prelude::*};
/// use trueno_tensor::prelude::*;
/// let x = tensor![0.5_f64, 1.5].requires_grad();
/// gradcheck(|inputs| Ok(inputs[0].tanh()), &[x], Default::default())?;
/// # Ok::<(), trueno_core::Error>(())
/// ```
pub fn gradcheck<X: Autograd, Y: Autograd>(
    f: impl Fn(&[X]) -> Result<Y>,
    inputs: &[X],
    options: GradcheckOptions,
) -> Result<()> {
    let inputs: Vec<DynTensor> = inputs.iter().map(|x| x.as_dyn().clone()).collect();
    first_order(&untyped(f), &inputs, options)
}

fn first_order(
    f: &dyn Fn(&[DynTensor]) -> Result<DynTensor>,
    inputs: &[DynTensor],
    options: GradcheckOptions,
) -> Result<()> {
    check_inputs(inputs)?;
    let inputs: Vec<DynTensor> = inputs.iter().map(fresh).collect();
    let tracked: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].tracks_gradient()).collect();
    let targets: Vec<&DynTensor> = tracked.iter().map(|&i| &inputs[i]).collect();
    let output = f(&inputs)?;
    if !output.tracks_gradient() {
        return Err(failure("the result carries no graph: an operation on the way is not recorded".into()));
    }
    let numeric = tracked.iter().map(|&i| differences(f, &inputs, i, options.step)).collect::<Result<Vec<_>>>()?;
    // An empty result has one pass too, which must give gradients of the inputs' shapes.
    for element in 0..output.size().max(1) {
        let seed = one_hot(&output, element)?;
        let pass = GradOptions { retain_graph: true, allow_unused: true, ..GradOptions::default() };
        let analytic = grads(&[&output], &targets, &[&seed], pass)?;
        for ((&input, analytic), numeric) in tracked.iter().zip(&analytic).zip(&numeric) {
            for (at, (&analytic, numeric)) in analytic.to_vec::<f64>()?.iter().zip(numeric).enumerate() {
                let numeric = numeric.get(element).copied().unwrap_or(0.0);
                compare(Place { input, at, element }, analytic, numeric, options)?;
            }
        }
    }
    Ok(())
}

/// As [`gradcheck`], for the gradients of `f`: compares gradients of gradients with differences of gradients.
///
/// # Errors
/// As [`gradcheck`].
pub fn gradgradcheck<X: Autograd, Y: Autograd>(
    f: impl Fn(&[X]) -> Result<Y>,
    inputs: &[X],
    options: GradcheckOptions,
) -> Result<()> {
    let inputs: Vec<DynTensor> = inputs.iter().map(|x| x.as_dyn().clone()).collect();
    second_order(&untyped(f), &inputs, options)
}

fn second_order(
    f: &dyn Fn(&[DynTensor]) -> Result<DynTensor>,
    inputs: &[DynTensor],
    options: GradcheckOptions,
) -> Result<()> {
    check_inputs(inputs)?;
    let inputs: Vec<DynTensor> = inputs.iter().map(fresh).collect();
    // The seed varies too: a gradient is a linear function of it.
    let output = f(&inputs)?;
    let wave: Vec<f64> = (0..output.size()).map(|i| 0.7 + 0.4 * (i as f64 * 1.3).sin()).collect();
    let seed = DynTensor::from_slice(&wave, output.shape())?.requires_grad();
    let gradients = |all: &[DynTensor]| {
        let (seed, inputs) = all.split_last().ok_or_else(|| failure("there is no input".into()))?;
        let output = mode::enable_grad(|| f(inputs))?;
        let targets: Vec<&DynTensor> = inputs.iter().filter(|x| x.tracks_gradient()).collect();
        let options = GradOptions { create_graph: true, allow_unused: true, ..GradOptions::default() };
        let found = grads(&[&output], &targets, &[seed], options)?;
        let flat = found.iter().map(|g| g.reshape(&[-1])).collect::<Result<Vec<_>>>()?;
        DynTensor::concat(&flat.iter().collect::<Vec<_>>(), 0)
    };
    let all: Vec<DynTensor> = inputs.iter().cloned().chain([seed]).collect();
    first_order(&gradients, &all, options)
}

fn check_inputs(inputs: &[DynTensor]) -> Result<()> {
    match inputs.iter().find(|x| x.tracks_gradient() && x.dtype() != DType::F64) {
        Some(x) => {
            let expected = "differences of smaller types say nothing; check in float64".into();
            Err(Error::DType { op: "gradcheck", got: x.dtype(), expected })
        }
        None => Ok(()),
    }
}

/// An input as a leaf of its own if it is tracked, so that no other graph is walked.
fn fresh(input: &DynTensor) -> DynTensor {
    if input.tracks_gradient() { input.detach().requires_grad() } else { input.clone() }
}

/// The central differences of every element of the result by every element of one input: a row per input element.
fn differences(
    f: &dyn Fn(&[DynTensor]) -> Result<DynTensor>,
    inputs: &[DynTensor],
    index: usize,
    step: f64,
) -> Result<Vec<Vec<f64>>> {
    let elements = inputs[index].to_vec::<f64>()?;
    let evaluate = |at: usize, value: f64| {
        let mut elements = elements.clone();
        elements[at] = value;
        let mut inputs = inputs.to_vec();
        // The strides stay those of the original: a copy in row-major order would hide what is wrong with them.
        let moved = DynTensor::from_slice(&elements, inputs[index].shape())?;
        inputs[index] = with_strides_of(&inputs[index], &moved)?.requires_grad();
        f(&inputs)?.to_vec::<f64>()
    };
    let slope = |(at, &x): (usize, &f64)| {
        let (above, below) = (evaluate(at, x + step)?, evaluate(at, x - step)?);
        Ok(above.iter().zip(&below).map(|(above, below)| (above - below) / (2.0 * step)).collect())
    };
    elements.iter().enumerate().map(slope).collect()
}

/// The elements of `x` in the order of axes in memory that `like` has.
fn with_strides_of(like: &DynTensor, x: &DynTensor) -> Result<DynTensor> {
    let mut order: Vec<isize> = (0..like.rank() as isize).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(like.layout().strides()[axis as usize].unsigned_abs()));
    let mut inverse = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        inverse[from as usize] = to as isize;
    }
    mode::no_grad(|| x.permute(&order)?.contiguous()?.permute(&inverse))
}

fn one_hot(output: &DynTensor, element: usize) -> Result<DynTensor> {
    let mut seed = vec![0.0; output.size()];
    if let Some(one) = seed.get_mut(element) {
        *one = 1.0;
    }
    if output.dtype() != DType::F64 {
        let expected = "the result must be float64 as the inputs are".into();
        return Err(Error::DType { op: "gradcheck", got: output.dtype(), expected });
    }
    DynTensor::from_slice(&seed, output.shape())
}

struct Place {
    input: usize,
    at: usize,
    element: usize,
}

fn compare(place: Place, analytic: f64, numeric: f64, options: GradcheckOptions) -> Result<()> {
    let difference = (analytic - numeric).abs();
    // Written so that a NaN fails.
    if difference <= options.absolute + options.relative * numeric.abs() {
        return Ok(());
    }
    let Place { input, at, element } = place;
    Err(failure(format!(
        "the gradient of element {element} of the result by element {at} of input {input} is {analytic}, \
         but differences say {numeric}"
    )))
}

fn failure(reason: String) -> Error {
    Error::Gradient { op: "gradcheck", reason: reason.into() }
}
