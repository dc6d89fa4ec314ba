//! Cross-entropy of rows of logits with class labels, softmax included.
//!
//! With smoothing `s` and `c` classes, the target of a row with label `y` is `(1 - s) onehot(y) + s / c`, as in PyTorch; the loss is
//! its cross-entropy with `softmax(row)`, the gradient `softmax(row) - target`. Rows whose label is `ignore` have loss and gradient 0.
//!
//! ```
//! use trueno_kernels::{Isa, loss::{CrossEntropy, cross_entropy}};
//!
//! let options = CrossEntropy { classes: 2, ignore: -100, smoothing: 0.0 };
//! let mut losses = [0.0; 2];
//! cross_entropy(Isa::best(), options, &[0.0, 0.0, 3.0, 1.0], &[1, -100], &mut losses)?;
//! assert_eq!(losses, [core::f64::consts::LN_2, 0.0]);
//! # Ok::<(), trueno_kernels::IndexError>(())
//! ```

#[cfg(test)]
mod tests;

use trueno_core::Element;

use crate::IndexError;
use crate::lanes::{Sum, keep_first, largest, read, write};
use crate::math::{exp, ln_of_one as ln};
use crate::simd::{Real, RealVector, kernel};
use crate::softmax::sum_of_exp;

/// What a cross-entropy is told besides logits and labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Logits per row.
    pub classes: usize,
    /// The label of rows that do not count (PyTorch's default is -100).
    pub ignore: i64,
    /// The share of the target that is spread over all classes, 0 for none.
    pub smoothing: f64,
}

impl CrossEntropy {
    /// The first label that is neither a class nor ignored.
    pub fn check_labels(&self, labels: &[i64]) -> Result<(), IndexError> {
        let size = self.classes;
        match labels.iter().position(|&label| label != self.ignore && label as u64 >= size as u64) {
            Some(position) => Err(IndexError { index: labels[position], position, size }),
            None => Ok(()),
        }
    }

    /// Rows that count: what a mean divides by.
    pub fn counted(&self, labels: &[i64]) -> usize {
        labels.iter().filter(|&&label| label != self.ignore).count()
    }
}

/// The loss of every row of `logits`, `[labels.len(), classes]`.
///
/// # Errors
/// If a label is neither a class nor ignored; nothing was written then.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn cross_entropy<T: Real>(
    isa: crate::Isa,
    options: CrossEntropy,
    logits: &[T],
    labels: &[i64],
    losses: &mut [T],
) -> Result<(), IndexError> {
    assert_eq!(logits.len(), labels.len() * options.classes, "logits");
    assert_eq!(losses.len(), labels.len(), "losses");
    options.check_labels(labels)?;
    row_losses(isa, options, logits, labels, losses);
    Ok(())
}

/// The gradient of [`cross_entropy`] by the logits: row `r` of `out` is `scale[r] * (softmax(row) - target)`, where `scale` is the
/// gradient of the losses (all `1 / counted` for a mean).
///
/// # Errors
/// If a label is neither a class nor ignored; nothing was written then.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn cross_entropy_gradient<T: Real>(
    isa: crate::Isa,
    options: CrossEntropy,
    logits: &[T],
    labels: &[i64],
    scale: &[T],
    out: &mut [T],
) -> Result<(), IndexError> {
    assert_eq!(logits.len(), labels.len() * options.classes, "logits");
    assert_eq!(scale.len(), labels.len(), "scale");
    assert_eq!(out.len(), logits.len(), "out");
    options.check_labels(labels)?;
    row_gradients(isa, options, logits, labels, scale, out);
    Ok(())
}

kernel! {
    fn row_losses<T: Real>(simd: S, options: CrossEntropy, logits: &[T], labels: &[i64], losses: &mut [T]) {
        if options.classes == 0 {
            losses.fill(T::ZERO);
            return;
        }
        for ((row, &label), loss) in logits.chunks_exact(options.classes).zip(labels).zip(losses) {
            *loss = if label == options.ignore {
                T::ZERO
            } else {
                row_loss::<T::Vector<S>>(simd, row, label as usize, options.smoothing)
            };
        }
    }
}

kernel! {
    fn row_gradients<T: Real>(
        simd: S, options: CrossEntropy, logits: &[T], labels: &[i64], scale: &[T], out: &mut [T],
    ) {
        if options.classes == 0 {
            return;
        }
        let rows = logits.chunks_exact(options.classes).zip(out.chunks_exact_mut(options.classes));
        for ((row, out), (&label, &scale)) in rows.zip(labels.iter().zip(scale)) {
            if label == options.ignore {
                out.fill(T::ZERO);
            } else {
                row_gradient::<T::Vector<S>>(simd, row, label as usize, options.smoothing, scale, out);
            }
        }
    }
}

/// `(1 - s) * -log_softmax[label] + s * mean(-log_softmax)`, each as its distance from the largest logit, which loses no digits.
#[inline(always)]
fn row_loss<V: RealVector>(simd: V::Token, row: &[V::Elem], label: usize, smoothing: f64) -> V::Elem {
    let largest = largest::<V>(simd, row);
    let log = ln(sum_of_exp::<V>(simd, row, largest));
    let loss = log + (largest - row[label]);
    if smoothing == 0.0 {
        return loss;
    }
    let shift = V::splat(simd, largest);
    let mut distances = Sum::<V>::new(simd);
    for from in (0..row.len()).step_by(V::LANES) {
        distances.add(keep_first(shift.sub(read::<V>(simd, row, from)), row.len() - from));
    }
    let mean = log + V::Elem::from_f64(distances.finish() / row.len() as f64);
    V::Elem::from_f64(1.0 - smoothing) * loss + V::Elem::from_f64(smoothing) * mean
}

/// `scale * (softmax - target)`.
#[inline(always)]
fn row_gradient<V: RealVector>(
    simd: V::Token,
    row: &[V::Elem],
    label: usize,
    smoothing: f64,
    scale: V::Elem,
    out: &mut [V::Elem],
) {
    let shift = V::splat(simd, largest::<V>(simd, row));
    let mut sum = Sum::<V>::new(simd);
    for from in (0..row.len()).step_by(V::LANES) {
        let term = exp(read::<V>(simd, row, from).sub(shift));
        write(term, out, from);
        sum.add(keep_first(term, row.len() - from));
    }
    let sum = V::splat(simd, V::Elem::from_f64(sum.finish()));
    let spread = V::splat(simd, V::Elem::from_f64(smoothing / row.len() as f64));
    // The label's own lane is written last, from its unscaled softmax, so that no digits cancel twice.
    let own = V::splat(simd, out[label]).div(sum).to_lanes()[0];
    let scales = V::splat(simd, scale);
    for from in (0..row.len()).step_by(V::LANES) {
        write(read::<V>(simd, out, from).div(sum).sub(spread).mul(scales), out, from);
    }
    out[label] = scale * (own - V::Elem::from_f64(1.0 - smoothing + smoothing / row.len() as f64));
}
