//! Cross-entropy of logits with integer labels.

use super::isa::isa;
use super::movement::contiguous;
use super::operand::{RowMajor, elements};
use super::{FLOATS, misfit, mixed, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use crate::{CrossEntropyConfig, DynTensor};
use trueno_core::{DType, Element, Error, Result, dispatch_dtype};
use trueno_kernels::gather::check_indices;
use trueno_kernels::loss as kernel;

const OP: &str = "cross_entropy";
/// Steps per logit.
const COST: usize = 8;

/// Logits and labels that were found to fit.
struct Rows<'a> {
    logits: RowMajor<'a>,
    labels: RowMajor<'a>,
    options: kernel::CrossEntropy,
    /// Rows that are not ignored.
    counted: usize,
}

impl<'a> Rows<'a> {
    fn new(config: &CrossEntropyConfig, logits: &'a DynTensor, labels: &'a DynTensor) -> Result<Rows<'a>> {
        let (&[rows, classes], &[count]) = (logits.shape(), labels.shape()) else {
            return Err(misfit(OP, logits, labels, "logits [N, C] and labels [N] are needed".into()));
        };
        if rows != count {
            return Err(misfit(OP, logits, labels, format!("{rows} rows of logits, {count} labels")));
        }
        if labels.dtype() != DType::I64 {
            return Err(unsupported(OP, labels.dtype(), "labels are int64"));
        }
        let smoothing = config.label_smoothing;
        if !(0.0..=1.0).contains(&smoothing) {
            let reason = format!("label_smoothing = {smoothing} is not between 0 and 1").into();
            return Err(Error::Argument { op: OP, reason });
        }
        let (logits, labels) = (contiguous(logits)?, contiguous(labels)?);
        let indices = elements::<i64>(&labels);
        // Without a label to ignore, any number outside the classes is an error, the stand-in too.
        let ignore = config.ignore_index.unwrap_or(i64::MIN);
        let options = kernel::CrossEntropy { classes, ignore, smoothing };
        let checked = match config.ignore_index {
            Some(_) => options.check_labels(indices),
            None => check_indices(indices, classes),
        };
        checked.map_err(|error| Error::Index { op: OP, index: error.index, axis: 1, size: classes })?;
        let counted = options.counted(indices);
        Ok(Rows { logits, labels, options, counted })
    }

    /// How many rows make a piece.
    fn together(&self) -> usize {
        piece_size(self.labels.size(), self.options.classes * COST)
    }
}

/// Bad labels were refused before any kernel ran.
fn checked(result: std::result::Result<(), trueno_kernels::IndexError>) {
    debug_assert!(result.is_ok(), "labels were checked");
}

/// The mean or sum of the losses of the rows.
pub(crate) fn cross_entropy(config: &CrossEntropyConfig, logits: &DynTensor, labels: &DynTensor) -> Result<DynTensor> {
    let rows = Rows::new(config, logits, labels)?;
    let (together, classes) = (rows.together(), rows.options.classes);
    dispatch_dtype!(logits.dtype(), real T => {
        let (logits, labels) = (elements::<T>(&rows.logits), elements::<i64>(&rows.labels));
        let mut losses = Buffer::new(OP, T::DTYPE, labels.len())?;
        let losses = losses.as_mut_slice::<T>();
        for_each_piece(losses, together, classes * COST, |index, losses| {
            let labels = &labels[index * together..][..losses.len()];
            let logits = &logits[index * together * classes..][..losses.len() * classes];
            checked(kernel::cross_entropy(isa(), rows.options, logits, labels, losses));
        });
        let sum: f64 = losses.iter().map(|loss| loss.to_f64()).sum();
        // The mean of no rows is NaN.
        DynTensor::scalar(T::from_f64(if config.mean { sum / rows.counted as f64 } else { sum }))
    }, else Err(unsupported(OP, logits.dtype(), FLOATS)))
}

/// The gradient of [`cross_entropy`] by the logits.
pub(super) fn cross_entropy_grad(
    config: &CrossEntropyConfig,
    logits: &DynTensor,
    labels: &DynTensor,
    g: &DynTensor,
) -> Result<DynTensor> {
    let rows = Rows::new(config, logits, labels)?;
    if g.dtype() != logits.dtype() {
        return Err(mixed(OP, logits.dtype(), g.dtype()));
    }
    let (together, classes) = (rows.together(), rows.options.classes);
    let mut buffer = Buffer::new(OP, logits.dtype(), logits.size())?;
    dispatch_dtype!(logits.dtype(), real T => {
        let (logits, labels) = (elements::<T>(&rows.logits), elements::<i64>(&rows.labels));
        let g = g.item::<T>()?.to_f64();
        let scale = T::from_f64(if config.mean { g / rows.counted as f64 } else { g });
        let mut scales = Buffer::new(OP, T::DTYPE, labels.len())?;
        scales.as_mut_slice::<T>().fill(scale);
        let scales = scales.as_slice::<T>();
        for_each_piece(buffer.as_mut_slice::<T>(), together * classes, COST, |index, out| {
            let range = index * together..index * together + out.len() / classes;
            let logits = &logits[index * together * classes..][..out.len()];
            let (labels, scales) = (&labels[range.clone()], &scales[range]);
            checked(kernel::cross_entropy_gradient(isa(), rows.options, logits, labels, scales, out));
        });
    }, else return Err(unsupported(OP, logits.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, logits.shape()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::backward;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, single, values};

    /// Loss and gradient of every row that counts, by the definition.
    fn naive(logits: &[f64], labels: &[i64], config: &CrossEntropyConfig) -> (f64, Vec<f64>) {
        let classes = logits.len() / labels.len();
        let counts = |label: &i64| Some(*label) != config.ignore_index;
        let scale = if config.mean { 1.0 / labels.iter().filter(|&l| counts(l)).count() as f64 } else { 1.0 };
        let (mut loss, mut gradient) = (0.0, Vec::new());
        for (row, label) in logits.chunks(classes).zip(labels) {
            let total: f64 = row.iter().map(|v| v.exp()).sum();
            for (class, v) in row.iter().enumerate() {
                let hit = if class as i64 == *label { 1.0 - config.label_smoothing } else { 0.0 };
                let target = hit + config.label_smoothing / classes as f64;
                loss -= if counts(label) { target * (v.exp() / total).ln() * scale } else { 0.0 };
                gradient.push(if counts(label) { (v.exp() / total - target) * scale } else { 0.0 });
            }
        }
        (loss, gradient)
    }

    fn labels(labels: &[i64]) -> DynTensor {
        DynTensor::from_slice(labels, &[labels.len()]).unwrap()
    }

    #[test]
    fn losses_and_gradients_agree_with_the_definition() {
        let logits = numbers(&[7, 5]).transpose().unwrap();
        let classes = [3, 0, 6, 6, 2];
        for mean in [true, false] {
            for ignore_index in [None, Some(6), Some(-100)] {
                for label_smoothing in [0.0, 0.25] {
                    let config = CrossEntropyConfig { mean, ignore_index, label_smoothing };
                    let (loss, gradient) = naive(&values(&logits), &classes, &config);
                    let g = DynTensor::scalar(2.0).unwrap();
                    for ([x, g], tolerance) in [([logits.clone(), g.clone()], 1e-13), (single([&logits, &g]), 1e-5)] {
                        assert_close(&cross_entropy(&config, &x, &labels(&classes)).unwrap(), &[loss], tolerance);
                        let got = backward::cross_entropy(&x, &labels(&classes), &g, &config).unwrap();
                        assert_close(&got, &gradient.iter().map(|v| v * 2.0).collect::<Vec<_>>(), tolerance);
                    }
                }
            }
        }
    }

    #[test]
    fn the_mean_of_no_rows_is_nan_and_its_gradient_zero() {
        let config = CrossEntropyConfig { ignore_index: Some(1), ..Default::default() };
        let (logits, ones) = (numbers(&[2, 3]), labels(&[1, 1]));
        assert_close(&cross_entropy(&config, &logits, &ones).unwrap(), &[f64::NAN], 0.0);
        let sum = CrossEntropyConfig { mean: false, ..config };
        assert_close(&cross_entropy(&sum, &logits, &ones).unwrap(), &[0.0], 0.0);
        let g = DynTensor::scalar(1.0).unwrap();
        assert_close(&backward::cross_entropy(&logits, &ones, &g, &config).unwrap(), &[0.0; 6], 0.0);
        let none = cross_entropy(&CrossEntropyConfig::default(), &numbers(&[0, 3]), &labels(&[])).unwrap();
        assert_close(&none, &[f64::NAN], 0.0);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (logits, classes) = (numbers(&[3000, 101]), labels(&(0..3000).map(|i| i % 101).collect::<Vec<_>>()));
        let (config, g) = (CrossEntropyConfig::default(), DynTensor::scalar(1.0).unwrap());
        assert_threads_agree(|| cross_entropy(&config, &logits, &classes).unwrap());
        assert_threads_agree(|| backward::cross_entropy(&logits, &classes, &g, &config).unwrap());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let config = CrossEntropyConfig::default();
        let run = |config, logits: &[usize], classes: &[i64]| cross_entropy(config, &numbers(logits), &labels(classes));
        assert_refused(run(&config, &[2, 3], &[0, 3]), &["cross_entropy", "index 3", "size 3"]);
        assert_refused(run(&config, &[1, 3], &[i64::MIN]), &["index -9223372036854775808"]);
        assert_refused(run(&config, &[2, 3], &[0]), &["[2, 3]", "[1]", "2 rows"]);
        assert_refused(run(&config, &[6], &[0]), &["[6]", "[N, C]"]);
        let smooth = CrossEntropyConfig { label_smoothing: 1.5, ..config };
        assert_refused(run(&smooth, &[1, 3], &[0]), &["label_smoothing = 1.5"]);
        let floats = cross_entropy(&config, &numbers(&[1, 3]), &numbers(&[1]));
        assert_refused(floats, &["float64", "labels are int64"]);
    }
}
