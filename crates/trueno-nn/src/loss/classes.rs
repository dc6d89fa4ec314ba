//! Losses of one class out of several.

use super::Reduction;
use crate::layer::expect;
use trueno_core::table::{ReduceOp, UnaryOp};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{CrossEntropyConfig as Settings, DynTensor, Tensor};

/// What [`cross_entropy_with`] does with rows and labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropyConfig {
    /// Mean (over the rows that count) or sum.
    pub reduction: Reduction,
    /// Rows with this label count for nothing.
    pub ignore_index: Option<i64>,
    /// Share of the target that is spread over all classes (Szegedy et al., 2016).
    pub label_smoothing: f64,
}

/// PyTorch's: the mean, without smoothing; rows labelled -100 count for nothing.
impl Default for CrossEntropyConfig {
    fn default() -> CrossEntropyConfig {
        CrossEntropyConfig { reduction: Reduction::Mean, ignore_index: Some(-100), label_smoothing: 0.0 }
    }
}

/// The mean over the rows of `-ln(softmax(logits)[label])`, for logits `[N, C]` and labels `[N]`.
///
/// ```
/// use trueno_nn::cross_entropy;
/// use trueno_nn::tensor::tensor;
/// let loss = cross_entropy(&tensor![[0.0, 0.0], [0.0, 0.0]], &tensor![0_i64, 1]);
/// assert!((loss.item() - 2.0_f32.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// At the caller's line, with the error of [`try_cross_entropy`] as the message.
#[track_caller]
pub fn cross_entropy<T: Float>(logits: &Tensor<T, 2>, labels: &Tensor<i64, 1>) -> Tensor<T, 0> {
    cross_entropy_with(logits, labels, CrossEntropyConfig::default())
}

/// As [`cross_entropy`], with other settings.
///
/// # Panics
/// At the caller's line, with the error of [`try_cross_entropy`] as the message.
#[track_caller]
pub fn cross_entropy_with<T: Float>(
    logits: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: CrossEntropyConfig,
) -> Tensor<T, 0> {
    expect(try_cross_entropy(logits, labels, config))
}

/// As [`cross_entropy_with`], for labels that are not known to be classes.
///
/// # Errors
/// [`Error::ShapePair`] if there is not one label per row, [`Error::Index`] for a label that is no class.
pub fn try_cross_entropy<T: Float>(
    logits: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: CrossEntropyConfig,
) -> Result<Tensor<T, 0>> {
    let CrossEntropyConfig { reduction, ignore_index, label_smoothing } = config;
    logits.cross_entropy(labels, Settings { mean: reduction == Reduction::Mean, ignore_index, label_smoothing })
}

/// `-ln(softmax(logits)[label])` of each row.
///
/// # Errors
/// [`Error::ShapePair`] if there is not one label per row, [`Error::Index`] for a label that is no class.
pub fn cross_entropy_unreduced<T: Float>(logits: &Tensor<T, 2>, labels: &Tensor<i64, 1>) -> Result<Tensor<T, 1>> {
    Tensor::from_dyn(negative_at("cross_entropy", &logits.as_dyn().log_softmax(1)?, labels)?)
}

/// The mean over the rows of `-log_probabilities[label]`, for `[N, C]` and labels `[N]`. On logits,
/// [`cross_entropy`] does both steps in one.
///
/// # Panics
/// At the caller's line, with the error of [`try_nll_loss`] as the message.
#[track_caller]
pub fn nll_loss<T: Float>(log_probabilities: &Tensor<T, 2>, labels: &Tensor<i64, 1>) -> Tensor<T, 0> {
    nll_loss_with(log_probabilities, labels, Reduction::Mean)
}

/// As [`nll_loss`]: the mean or the sum.
///
/// # Panics
/// At the caller's line, with the error of [`try_nll_loss`] as the message.
#[track_caller]
pub fn nll_loss_with<T: Float>(
    log_probabilities: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    reduction: Reduction,
) -> Tensor<T, 0> {
    expect(try_nll_loss(log_probabilities, labels, reduction))
}

/// As [`nll_loss_with`], for labels that are not known to be classes.
///
/// # Errors
/// [`Error::ShapePair`] if there is not one label per row, [`Error::Index`] for a label that is no class.
pub fn try_nll_loss<T: Float>(
    log_probabilities: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    reduction: Reduction,
) -> Result<Tensor<T, 0>> {
    reduction.apply(&negative_at("nll_loss", log_probabilities.as_dyn(), labels)?)
}

/// Minus the element of each row at its label.
fn negative_at(op: &'static str, rows: &DynTensor, labels: &Tensor<i64, 1>) -> Result<DynTensor> {
    let [count] = labels.shape();
    if rows.shape()[0] != count {
        let reason = "there must be one label per row".into();
        return Err(Error::ShapePair { op, lhs: rows.shape().into(), rhs: [count].into(), reason });
    }
    // A position counted from the end is no class, though `gather` would take it.
    let lowest = if count == 0 { 0 } else { labels.as_dyn().reduce(ReduceOp::Min, &[0], false, 0.0)?.item::<i64>()? };
    if lowest < 0 {
        return Err(Error::Index { op, index: lowest, axis: 1, size: rows.shape()[1] });
    }
    let picked = rows.gather(1, &labels.as_dyn().unsqueeze(1)?)?.squeeze(1)?;
    picked.unary(UnaryOp::Neg, [0.0; 2])
}
