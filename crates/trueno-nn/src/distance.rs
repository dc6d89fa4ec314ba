//! How far vectors are from each other.

use crate::layer::expect;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Lower, Lowered, Rank, Shell, Tensor};

/// The cosine of the angle between vectors along an axis: `x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`. The operands broadcast.
///
/// ```
/// use trueno_nn::cosine_similarity;
/// use trueno_nn::tensor::tensor;
/// let cosines = cosine_similarity(&tensor![[3.0, 4.0]], &tensor![[6.0, 8.0], [-3.0, -4.0]], 1, 1e-8);
/// assert_eq!(cosines, tensor![1.0, -1.0]);
/// ```
///
/// # Panics
/// At the caller's line, with the error of [`try_cosine_similarity`] as the message.
#[track_caller]
pub fn cosine_similarity<T: Float, const N: usize>(
    x1: &Tensor<T, N>,
    x2: &Tensor<T, N>,
    axis: isize,
    eps: f64,
) -> Lowered<T, N>
where
    Rank<N>: Lower,
{
    expect(try_cosine_similarity(x1, x2, axis, eps))
}

/// As [`cosine_similarity`].
///
/// # Errors
/// [`Error::Broadcast`](trueno_core::Error::Broadcast) if the shapes do not broadcast, [`Error::Axis`](trueno_core::Error::Axis).
pub fn try_cosine_similarity<T: Float, const N: usize>(
    x1: &Tensor<T, N>,
    x2: &Tensor<T, N>,
    axis: isize,
    eps: f64,
) -> Result<Lowered<T, N>>
where
    Rank<N>: Lower,
{
    let unit = |x: &DynTensor| {
        let length = x.reduce(ReduceOp::NormL2, &[axis], true, 0.0)?;
        x.binary(BinaryOp::Div, &length.binary(BinaryOp::Maximum, &length.constant(eps)?)?)
    };
    let products = unit(x1.as_dyn())?.binary(BinaryOp::Mul, &unit(x2.as_dyn())?)?;
    Ok(Shell::shell(products.reduce(ReduceOp::Sum, &[axis], false, 0.0)?))
}

/// The distance between vectors along the last axis: the `p`-norm of `x1 - x2 + eps`. The operands broadcast.
///
/// ```
/// use trueno_nn::pairwise_distance;
/// use trueno_nn::tensor::tensor;
/// assert_eq!(pairwise_distance(&tensor![[3.0, 0.0]], &tensor![[0.0, 4.0]], 2.0, 0.0), tensor![5.0]);
/// ```
///
/// # Panics
/// At the caller's line, with the error of [`try_pairwise_distance`] as the message.
#[track_caller]
pub fn pairwise_distance<T: Float, const N: usize>(
    x1: &Tensor<T, N>,
    x2: &Tensor<T, N>,
    p: f64,
    eps: f64,
) -> Lowered<T, N>
where
    Rank<N>: Lower,
{
    expect(try_pairwise_distance(x1, x2, p, eps))
}

/// As [`pairwise_distance`].
///
/// # Errors
/// [`Error::Broadcast`](trueno_core::Error::Broadcast) if the shapes do not broadcast, [`Error::Argument`] if `p` is not positive and
/// finite.
pub fn try_pairwise_distance<T: Float, const N: usize>(
    x1: &Tensor<T, N>,
    x2: &Tensor<T, N>,
    p: f64,
    eps: f64,
) -> Result<Lowered<T, N>>
where
    Rank<N>: Lower,
{
    Ok(Shell::shell(distance("pairwise_distance", x1.as_dyn(), x2.as_dyn(), p, eps)?))
}

/// See [`pairwise_distance`].
pub(crate) fn distance(op: &'static str, x1: &DynTensor, x2: &DynTensor, p: f64, eps: f64) -> Result<DynTensor> {
    if !(p > 0.0 && p.is_finite()) {
        return Err(Error::Argument { op, reason: format!("p = {p} is not a positive number").into() });
    }
    let apart = x1.binary(BinaryOp::Sub, x2)?.binary_scalar(BinaryOp::Add, eps)?;
    if p == 2.0 {
        return apart.reduce(ReduceOp::NormL2, &[-1], false, 0.0);
    }
    let powers = apart.unary(UnaryOp::Abs, [0.0; 2])?;
    if p == 1.0 {
        return powers.reduce(ReduceOp::Sum, &[-1], false, 0.0);
    }
    let sum = powers.unary(UnaryOp::Powf, [p, 0.0])?.reduce(ReduceOp::Sum, &[-1], false, 0.0)?;
    sum.unary(UnaryOp::Powf, [1.0 / p, 0.0])
}
