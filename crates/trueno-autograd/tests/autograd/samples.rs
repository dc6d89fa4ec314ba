//! Sample values for checks of gradients.

use trueno_autograd::Autograd;
use trueno_core::SliceItem;
use trueno_tensor::DynTensor;

/// How close to a kink differences may look.
const MARGIN: f64 = 0.02;

/// Distinct points of a range, spread evenly, away from kinks. Another `salt` gives others.
pub fn spread(count: usize, [low, high]: [f64; 2], kinks: &[f64], salt: usize) -> Vec<f64> {
    let golden = 0.618_033_988_749_894_9;
    let point = |i: usize| low + MARGIN + (high - low - 2.0 * MARGIN) * ((i + 31 * salt + 1) as f64 * golden).fract();
    let smooth = |x: &f64| kinks.iter().all(|kink| (x - kink).abs() > MARGIN);
    (0..).map(point).filter(smooth).take(count).collect()
}

/// A leaf of points of a range.
pub fn leaf(shape: &[usize], range: [f64; 2], kinks: &[f64], salt: usize) -> DynTensor {
    let points = spread(shape.iter().product(), range, kinks, salt);
    DynTensor::from_slice(&points, shape).unwrap().requires_grad()
}

/// A leaf of smooth points around 0.
pub fn normal(shape: &[usize], salt: usize) -> DynTensor {
    leaf(shape, [-1.5, 1.5], &[], salt)
}

/// Leaves of awkward shapes and strides: rows, a transpose, a reversed slice with a step, rank 0, empty.
pub fn awkward(range: [f64; 2], kinks: &[f64]) -> Vec<DynTensor> {
    let plain = |shape: &[usize], salt| leaf(shape, range, kinks, salt).detach();
    let back = SliceItem::Range { start: None, stop: None, step: -2 };
    let views = [
        plain(&[2, 3], 0),
        plain(&[3, 2], 1).transpose().unwrap(),
        plain(&[3, 5], 2).slice(&[SliceItem::FULL, back]).unwrap(),
        plain(&[], 3),
        plain(&[0, 2], 4),
        plain(&[1, 1], 5),
    ];
    views.into_iter().map(|view| view.requires_grad()).collect()
}

/// An `i64` tensor.
pub fn indices(elements: &[i64], shape: &[usize]) -> DynTensor {
    DynTensor::from_slice(elements, shape).unwrap()
}
