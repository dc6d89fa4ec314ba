//! Losses of yes and no.

use super::{Reduction, same_shape};
use crate::layer::expect;
use trueno_core::table::{BinaryOp, UnaryOp};
use trueno_core::{Float, Result};
use trueno_tensor::{DynTensor, Tensor};

/// How [`binary_cross_entropy_with`] weighs and reduces.
#[derive(Clone, Debug)]
pub struct BinaryCrossEntropyConfig<T: Float, const N: usize> {
    /// Mean or sum.
    pub reduction: Reduction,
    /// A factor for each loss; broadcasts.
    pub weight: Option<Tensor<T, N>>,
}

/// The mean, unweighted.
impl<T: Float, const N: usize> Default for BinaryCrossEntropyConfig<T, N> {
    fn default() -> Self {
        BinaryCrossEntropyConfig { reduction: Reduction::Mean, weight: None }
    }
}

/// The mean over all elements of the cross-entropy of probabilities,
/// `-(target ln(input) + (1 - target) ln(1 - input))`; the logarithms are at least -100. For logits take
/// [`binary_cross_entropy_with_logits`], which loses no digits.
///
/// # Panics
/// At the caller's line if the shapes differ.
#[track_caller]
pub fn binary_cross_entropy<T: Float, const N: usize>(input: &Tensor<T, N>, target: &Tensor<T, N>) -> Tensor<T, 0> {
    binary_cross_entropy_with(input, target, &BinaryCrossEntropyConfig::default())
}

/// As [`binary_cross_entropy`], weighed and reduced as asked.
///
/// # Panics
/// At the caller's line, with the error of [`try_binary_cross_entropy`] as the message.
#[track_caller]
pub fn binary_cross_entropy_with<T: Float, const N: usize>(
    input: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyConfig<T, N>,
) -> Tensor<T, 0> {
    expect(try_binary_cross_entropy(input, target, config))
}

/// As [`binary_cross_entropy_with`], for shapes that are not known to fit.
///
/// # Errors
/// [`Error::ShapePair`](trueno_core::Error::ShapePair) if the shapes of input and target differ,
/// [`Error::Broadcast`](trueno_core::Error::Broadcast) if the weights do not fit.
pub fn try_binary_cross_entropy<T: Float, const N: usize>(
    input: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyConfig<T, N>,
) -> Result<Tensor<T, 0>> {
    config.reduction.apply(binary_cross_entropy_unreduced(input, target, config)?.as_dyn())
}

/// As [`binary_cross_entropy_with`], element by element.
///
/// # Errors
/// As [`try_binary_cross_entropy`].
pub fn binary_cross_entropy_unreduced<T: Float, const N: usize>(
    input: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyConfig<T, N>,
) -> Result<Tensor<T, N>> {
    let (p, t) = (input.as_dyn(), target.as_dyn());
    same_shape("binary_cross_entropy", p, t)?;
    let yes = bounded_ln(p, UnaryOp::Ln)?;
    let no = bounded_ln(&p.unary(UnaryOp::Neg, [0.0; 2])?, UnaryOp::Log1p)?;
    // -(t * yes + (1 - t) * no) = t * (no - yes) - no
    let losses = t.binary(BinaryOp::Mul, &no.binary(BinaryOp::Sub, &yes)?)?.binary(BinaryOp::Sub, &no)?;
    Tensor::from_dyn(weighed(losses, config.weight.as_ref())?)
}

/// The logarithm of a probability, at least -100 as in PyTorch, so that certainty that is wrong costs much and not infinity.
fn bounded_ln(probability: &DynTensor, op: UnaryOp) -> Result<DynTensor> {
    probability.unary(op, [0.0; 2])?.binary_scalar(BinaryOp::Maximum, -100.0)
}

/// Each loss times its weight.
fn weighed<T: Float, const N: usize>(losses: DynTensor, weight: Option<&Tensor<T, N>>) -> Result<DynTensor> {
    match weight {
        // The weights broadcast to the losses, and not the other way.
        Some(weight) => losses.binary(BinaryOp::Mul, &weight.as_dyn().broadcast_to(losses.shape())?),
        None => Ok(losses),
    }
}

/// How [`binary_cross_entropy_with_logits_with`] weighs and reduces.
#[derive(Clone, Debug)]
pub struct BinaryCrossEntropyWithLogitsConfig<T: Float, const N: usize> {
    /// Mean or sum.
    pub reduction: Reduction,
    /// A factor for each loss; broadcasts.
    pub weight: Option<Tensor<T, N>>,
    /// Factors of the positive part, one per position along the last axis: above 1 they favour recall.
    pub pos_weight: Option<Tensor<T, 1>>,
}

/// The mean, unweighted.
impl<T: Float, const N: usize> Default for BinaryCrossEntropyWithLogitsConfig<T, N> {
    fn default() -> Self {
        BinaryCrossEntropyWithLogitsConfig { reduction: Reduction::Mean, weight: None, pos_weight: None }
    }
}

/// The mean over all elements of the cross-entropy of logits, `-(t ln(s) + (1 - t) ln(1 - s))` with `s` the
/// sigmoid of the input, in a form that neither overflows nor cancels.
///
/// ```
/// use trueno_nn::binary_cross_entropy_with_logits;
/// use trueno_nn::tensor::tensor;
/// assert_eq!(binary_cross_entropy_with_logits(&tensor![-1000.0], &tensor![1.0]).item(), 1000.0);
/// ```
///
/// # Panics
/// At the caller's line if the shapes differ.
#[track_caller]
pub fn binary_cross_entropy_with_logits<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
) -> Tensor<T, 0> {
    binary_cross_entropy_with_logits_with(logits, target, &BinaryCrossEntropyWithLogitsConfig::default())
}

/// As [`binary_cross_entropy_with_logits`], weighed and reduced as asked.
///
/// # Panics
/// At the caller's line, with the error of [`try_binary_cross_entropy_with_logits`] as the message.
#[track_caller]
pub fn binary_cross_entropy_with_logits_with<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyWithLogitsConfig<T, N>,
) -> Tensor<T, 0> {
    expect(try_binary_cross_entropy_with_logits(logits, target, config))
}

/// As [`binary_cross_entropy_with_logits_with`], for shapes that are not known to fit.
///
/// # Errors
/// [`Error::ShapePair`](trueno_core::Error::ShapePair) if the shapes of logits and target differ,
/// [`Error::Broadcast`](trueno_core::Error::Broadcast) if weights do not fit.
pub fn try_binary_cross_entropy_with_logits<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyWithLogitsConfig<T, N>,
) -> Result<Tensor<T, 0>> {
    config.reduction.apply(binary_cross_entropy_with_logits_unreduced(logits, target, config)?.as_dyn())
}

/// As [`binary_cross_entropy_with_logits_with`], element by element.
///
/// # Errors
/// As [`try_binary_cross_entropy_with_logits`].
pub fn binary_cross_entropy_with_logits_unreduced<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BinaryCrossEntropyWithLogitsConfig<T, N>,
) -> Result<Tensor<T, N>> {
    let (x, t) = (logits.as_dyn(), target.as_dyn());
    same_shape("binary_cross_entropy_with_logits", x, t)?;
    let sub = |a: &DynTensor, b: &DynTensor| a.binary(BinaryOp::Sub, b);
    // (1 - t) x - w ln(sigmoid(x)), where w is 1 + (pos_weight - 1) t.
    let mut negative_log = x.unary(UnaryOp::LogSigmoid, [0.0; 2])?;
    if let Some(pos_weight) = &config.pos_weight {
        let extra = pos_weight.as_dyn().binary_scalar(BinaryOp::Sub, 1.0)?.binary(BinaryOp::Mul, t)?;
        negative_log = negative_log.binary(BinaryOp::Mul, &extra.binary_scalar(BinaryOp::Add, 1.0)?)?;
    }
    let linear = sub(x, &x.binary(BinaryOp::Mul, t)?)?;
    Tensor::from_dyn(weighed(sub(&linear, &negative_log)?, config.weight.as_ref())?)
}
