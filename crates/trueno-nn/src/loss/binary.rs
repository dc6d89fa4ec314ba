//! Losses of yes and no.

use super::{Reduction, elementwise_losses, same_shape};
use crate::layer::expect;
use trueno_core::table::{BinaryOp, UnaryOp};
use trueno_core::{Float, Result};
use trueno_tensor::{DynTensor, Tensor};

/// The logarithm of a probability, at least -100 as in PyTorch, so that certainty that is wrong costs much and not infinity.
fn bounded_ln(probability: &DynTensor, op: UnaryOp) -> Result<DynTensor> {
    probability.unary(op, [0.0; 2])?.binary_scalar(BinaryOp::Maximum, -100.0)
}

elementwise_losses! {
    /// Cross-entropy of probabilities, `-(target ln(input) + (1 - target) ln(1 - input))`; the logarithms are at least
    /// -100. For logits take [`bce_with_logits`], which loses no digits.
    bce: |input, target| {
        let yes = bounded_ln(input, UnaryOp::Ln)?;
        let no = bounded_ln(&input.unary(UnaryOp::Neg, [0.0; 2])?, UnaryOp::Log1p)?;
        // -(t * yes + (1 - t) * no) = t * (no - yes) - no
        target.binary(BinaryOp::Mul, &no.binary(BinaryOp::Sub, &yes)?)?.binary(BinaryOp::Sub, &no)
    };
}

/// How [`bce_with_logits_with`] weighs and reduces.
#[derive(Clone, Debug)]
pub struct BceWithLogitsConfig<T: Float> {
    /// Mean or sum.
    pub reduction: Reduction,
    /// Factors of the positive part, one per position along the last axis: above 1 they favour recall.
    pub pos_weight: Option<Tensor<T, 1>>,
}

/// The mean, unweighted.
impl<T: Float> Default for BceWithLogitsConfig<T> {
    fn default() -> BceWithLogitsConfig<T> {
        BceWithLogitsConfig { reduction: Reduction::Mean, pos_weight: None }
    }
}

/// The mean over all elements of the cross-entropy of logits, `-(t ln(s) + (1 - t) ln(1 - s))` with `s` the
/// sigmoid of the input, in a form that neither overflows nor cancels.
///
/// ```
/// use trueno_nn::bce_with_logits;
/// use trueno_nn::tensor::tensor;
/// assert_eq!(bce_with_logits(&tensor![-1000.0], &tensor![1.0]).item(), 1000.0);
/// ```
///
/// # Panics
/// At the caller's line if the shapes differ.
#[track_caller]
pub fn bce_with_logits<T: Float, const N: usize>(logits: &Tensor<T, N>, target: &Tensor<T, N>) -> Tensor<T, 0> {
    bce_with_logits_with(logits, target, &BceWithLogitsConfig::default())
}

/// As [`bce_with_logits`], weighed and reduced as asked.
///
/// # Panics
/// At the caller's line, with the error of [`try_bce_with_logits`] as the message.
#[track_caller]
pub fn bce_with_logits_with<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BceWithLogitsConfig<T>,
) -> Tensor<T, 0> {
    expect(try_bce_with_logits(logits, target, config))
}

/// As [`bce_with_logits_with`], for shapes that are not known to fit.
///
/// # Errors
/// [`Error::ShapePair`](trueno_core::Error::ShapePair) if the shapes of logits and target differ,
/// [`Error::Broadcast`](trueno_core::Error::Broadcast) if the weights do not fit the last axis.
pub fn try_bce_with_logits<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    config: &BceWithLogitsConfig<T>,
) -> Result<Tensor<T, 0>> {
    config.reduction.apply(bce_with_logits_unreduced(logits, target, config.pos_weight.as_ref())?.as_dyn())
}

/// As [`bce_with_logits`], element by element and with optional weights of the positive part.
///
/// # Errors
/// As [`try_bce_with_logits`].
pub fn bce_with_logits_unreduced<T: Float, const N: usize>(
    logits: &Tensor<T, N>,
    target: &Tensor<T, N>,
    pos_weight: Option<&Tensor<T, 1>>,
) -> Result<Tensor<T, N>> {
    let (x, t) = (logits.as_dyn(), target.as_dyn());
    same_shape("bce_with_logits", x, t)?;
    let sub = |a: &DynTensor, b: &DynTensor| a.binary(BinaryOp::Sub, b);
    // (1 - t) x - w ln(sigmoid(x)), where w is 1 + (pos_weight - 1) t.
    let mut negative_log = x.unary(UnaryOp::LogSigmoid, [0.0; 2])?;
    if let Some(pos_weight) = pos_weight {
        let extra = pos_weight.as_dyn().binary_scalar(BinaryOp::Sub, 1.0)?.binary(BinaryOp::Mul, t)?;
        negative_log = negative_log.binary(BinaryOp::Mul, &extra.binary_scalar(BinaryOp::Add, 1.0)?)?;
    }
    let linear = sub(x, &x.binary(BinaryOp::Mul, t)?)?;
    Tensor::from_dyn(sub(&linear, &negative_log)?)
}
