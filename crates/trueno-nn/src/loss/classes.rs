//! Losses of one class out of several.

use super::Reduction;
use crate::layer::expect;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{CrossEntropyConfig as Fused, DynTensor, Tensor};

/// What [`cross_entropy_with`] does with rows and labels.
#[derive(Clone, Debug)]
pub struct CrossEntropyConfig<T: Float> {
    /// Mean (over the rows that count, by their weights) or sum.
    pub reduction: Reduction,
    /// A factor for each class.
    pub weight: Option<Tensor<T, 1>>,
    /// Rows with this label count for nothing.
    pub ignore_index: Option<i64>,
    /// Share of the target that is spread over all classes (Szegedy et al., 2016).
    pub label_smoothing: f64,
}

/// PyTorch's: the mean, without weights or smoothing; rows labelled -100 count for nothing.
impl<T: Float> Default for CrossEntropyConfig<T> {
    fn default() -> Self {
        CrossEntropyConfig { reduction: Reduction::Mean, weight: None, ignore_index: Some(-100), label_smoothing: 0.0 }
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
    cross_entropy_with(logits, labels, &CrossEntropyConfig::default())
}

/// As [`cross_entropy`], with other settings.
///
/// # Panics
/// At the caller's line, with the error of [`try_cross_entropy`] as the message.
#[track_caller]
pub fn cross_entropy_with<T: Float>(
    logits: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &CrossEntropyConfig<T>,
) -> Tensor<T, 0> {
    expect(try_cross_entropy(logits, labels, config))
}

/// As [`cross_entropy_with`], for labels that are not known to be classes.
///
/// # Errors
/// [`Error::ShapePair`] if there is not one label per row or one weight per class, [`Error::Index`] for a label that is no
/// class, [`Error::Argument`] if the smoothing is not between 0 and 1.
pub fn try_cross_entropy<T: Float>(
    logits: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &CrossEntropyConfig<T>,
) -> Result<Tensor<T, 0>> {
    if config.weight.is_none() {
        let &CrossEntropyConfig { reduction, ignore_index, label_smoothing, .. } = config;
        return logits
            .cross_entropy(labels, Fused { mean: reduction == Reduction::Mean, ignore_index, label_smoothing });
    }
    let rows = Rows::new("cross_entropy", labels, logits.shape(), config.weight.as_ref(), config.ignore_index)?;
    rows.reduce(&rows.cross_entropies(logits.as_dyn(), config)?, config.reduction)
}

/// As [`cross_entropy_with`], one loss per row; 0 for those that do not count.
///
/// # Errors
/// As [`try_cross_entropy`].
pub fn cross_entropy_unreduced<T: Float>(
    logits: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &CrossEntropyConfig<T>,
) -> Result<Tensor<T, 1>> {
    let rows = Rows::new("cross_entropy", labels, logits.shape(), config.weight.as_ref(), config.ignore_index)?;
    Tensor::from_dyn(rows.cross_entropies(logits.as_dyn(), config)?)
}

/// What [`nll_loss_with`] does with rows and labels.
#[derive(Clone, Debug)]
pub struct NllLossConfig<T: Float> {
    /// Mean (over the rows that count, by their weights) or sum.
    pub reduction: Reduction,
    /// A factor for each class.
    pub weight: Option<Tensor<T, 1>>,
    /// Rows with this label count for nothing.
    pub ignore_index: Option<i64>,
}

/// PyTorch's: the mean, without weights; rows labelled -100 count for nothing.
impl<T: Float> Default for NllLossConfig<T> {
    fn default() -> Self {
        NllLossConfig { reduction: Reduction::Mean, weight: None, ignore_index: Some(-100) }
    }
}

/// The mean over the rows of `-log_probabilities[label]`, for `[N, C]` and labels `[N]`. On logits,
/// [`cross_entropy`] does both steps in one.
///
/// # Panics
/// At the caller's line, with the error of [`try_nll_loss`] as the message.
#[track_caller]
pub fn nll_loss<T: Float>(log_probabilities: &Tensor<T, 2>, labels: &Tensor<i64, 1>) -> Tensor<T, 0> {
    nll_loss_with(log_probabilities, labels, &NllLossConfig::default())
}

/// As [`nll_loss`], with other settings.
///
/// # Panics
/// At the caller's line, with the error of [`try_nll_loss`] as the message.
#[track_caller]
pub fn nll_loss_with<T: Float>(
    log_probabilities: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &NllLossConfig<T>,
) -> Tensor<T, 0> {
    expect(try_nll_loss(log_probabilities, labels, config))
}

/// As [`nll_loss_with`], for labels that are not known to be classes.
///
/// # Errors
/// [`Error::ShapePair`] if there is not one label per row or one weight per class, [`Error::Index`] for a label that is no
/// class.
pub fn try_nll_loss<T: Float>(
    log_probabilities: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &NllLossConfig<T>,
) -> Result<Tensor<T, 0>> {
    let rows = Rows::new("nll_loss", labels, log_probabilities.shape(), config.weight.as_ref(), config.ignore_index)?;
    rows.reduce(&rows.likelihoods(log_probabilities.as_dyn())?, config.reduction)
}

/// As [`nll_loss_with`], one loss per row; 0 for those that do not count.
///
/// # Errors
/// As [`try_nll_loss`].
pub fn nll_loss_unreduced<T: Float>(
    log_probabilities: &Tensor<T, 2>,
    labels: &Tensor<i64, 1>,
    config: &NllLossConfig<T>,
) -> Result<Tensor<T, 1>> {
    let rows = Rows::new("nll_loss", labels, log_probabilities.shape(), config.weight.as_ref(), config.ignore_index)?;
    Tensor::from_dyn(rows.likelihoods(log_probabilities.as_dyn())?)
}

/// Labels that were found to be classes, and what their rows weigh.
struct Rows {
    /// Classes; 0 where a row does not count.
    labels: DynTensor,
    /// Whether each row counts.
    counts: DynTensor,
    /// A factor for each class.
    weight: Option<DynTensor>,
}

impl Rows {
    fn new<T: Float>(
        op: &'static str,
        labels: &Tensor<i64, 1>,
        [count, classes]: [usize; 2],
        weight: Option<&Tensor<T, 1>>,
        ignore_index: Option<i64>,
    ) -> Result<Rows> {
        let shapes = |rhs: usize, reason: &'static str| Error::ShapePair {
            op,
            lhs: [count, classes].as_slice().into(),
            rhs: [rhs].as_slice().into(),
            reason: reason.into(),
        };
        let ids = labels.to_vec();
        if ids.len() != count {
            return Err(shapes(ids.len(), "there must be one label per row"));
        }
        if let Some(weight) = weight.filter(|weight| weight.size() != classes) {
            return Err(shapes(weight.size(), "there must be one weight per class"));
        }
        let ignored = |id: i64| Some(id) == ignore_index;
        let stray = |id: &&i64| !ignored(**id) && usize::try_from(**id).map_or(true, |id| id >= classes);
        if let Some(&index) = ids.iter().find(stray) {
            return Err(Error::Index { op, index, axis: 1, size: classes });
        }
        let mask = DynTensor::from_slice(&ids.iter().map(|&id| !ignored(id)).collect::<Vec<_>>(), &[count])?;
        let safe: Vec<i64> = ids.iter().map(|&id| if ignored(id) { 0 } else { id }).collect();
        let weight = weight.map(|weight| weight.as_dyn().clone());
        let device = labels.device();
        Ok(Rows { labels: DynTensor::from_slice(&safe, &[count])?.to(&device)?, counts: mask.to(&device)?, weight })
    }

    /// `losses` where rows count, 0 elsewhere.
    fn counted(&self, losses: &DynTensor) -> Result<DynTensor> {
        self.counts.select(losses, &losses.constant(0.0)?)
    }

    /// Minus the element of each row at its label, times the weight of the label.
    fn likelihoods(&self, log_probabilities: &DynTensor) -> Result<DynTensor> {
        if log_probabilities.shape()[1] == 0 {
            return DynTensor::zeros(self.labels.shape(), log_probabilities.dtype())?.to(&self.labels.device());
        }
        let picked = log_probabilities.gather(1, &self.labels.unsqueeze(1)?)?.squeeze(1)?;
        let losses = picked.unary(UnaryOp::Neg, [0.0; 2])?;
        self.counted(&match &self.weight {
            Some(weight) => losses.binary(BinaryOp::Mul, &weight.index_select(0, &self.labels)?)?,
            None => losses,
        })
    }

    /// The cross-entropy of each row, smoothed as asked.
    fn cross_entropies<T: Float>(&self, logits: &DynTensor, config: &CrossEntropyConfig<T>) -> Result<DynTensor> {
        let smoothing = config.label_smoothing;
        if !(0.0..=1.0).contains(&smoothing) {
            let reason = format!("label_smoothing = {smoothing} is not between 0 and 1").into();
            return Err(Error::Argument { op: "cross_entropy", reason });
        }
        let log_probabilities = logits.log_softmax(1)?;
        let losses = self.likelihoods(&log_probabilities)?;
        if smoothing == 0.0 {
            return Ok(losses);
        }
        let all = match &self.weight {
            Some(weight) => log_probabilities.binary(BinaryOp::Mul, weight)?,
            None => log_probabilities,
        };
        let spread = self.counted(&all.reduce(ReduceOp::Sum, &[1], false, 0.0)?)?;
        let spread = spread.binary_scalar(BinaryOp::Mul, smoothing / logits.shape()[1] as f64)?;
        losses.binary_scalar(BinaryOp::Mul, 1.0 - smoothing)?.binary(BinaryOp::Sub, &spread)
    }

    /// The sum of the losses, or their mean by the weights of the rows that count.
    fn reduce<T: Float>(&self, losses: &DynTensor, reduction: Reduction) -> Result<Tensor<T, 0>> {
        let sum = losses.reduce(ReduceOp::Sum, &[0], false, 0.0)?;
        if reduction == Reduction::Sum {
            return Tensor::from_dyn(sum);
        }
        let ones = losses.constant(1.0)?.broadcast_to(self.labels.shape())?;
        let weights = match &self.weight {
            Some(weight) => weight.detach().index_select(0, &self.labels)?,
            None => ones,
        };
        // The mean of no rows is NaN.
        let total = self.counted(&weights)?.reduce(ReduceOp::Sum, &[0], false, 0.0)?;
        Tensor::from_dyn(sum.binary(BinaryOp::Div, &total)?)
    }
}
