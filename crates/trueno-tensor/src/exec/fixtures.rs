//! What the tests of this folder share: operands, comparison with sums in `f64`, and runs on several thread counts.

use super::movement::cast;
use crate::{DynTensor, Saved, with_num_threads};
use trueno_core::{DType, Result};

/// Values of `f64` that are exact in `f32` too and differ by position.
pub(crate) fn numbers(shape: &[usize]) -> DynTensor {
    let size: usize = shape.iter().product();
    let elements: Vec<f64> = (0..size).map(|i| ((i * 37 + 11) % 101) as f64 / 16.0 - 3.0).collect();
    DynTensor::from_slice(&elements, shape).unwrap()
}

/// A result and what the operation saved.
pub(crate) fn with_saved(run: impl FnOnce(&mut Saved) -> Result<DynTensor>) -> Result<(DynTensor, Saved)> {
    let mut saved = Saved::new();
    run(&mut saved).map(|output| (output, saved))
}

/// The elements in row-major order as `f64`.
pub(crate) fn values(x: &DynTensor) -> Vec<f64> {
    cast(x, DType::F64).unwrap().to_vec::<f64>().unwrap()
}

/// Every element is within `tolerance` of what is wanted, relative to numbers above 1.
#[track_caller]
pub(crate) fn assert_close(got: &DynTensor, want: &[f64], tolerance: f64) {
    let got = values(got);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= tolerance * want.abs().max(1.0), "element {i}: {got}, not {want}");
    }
}

/// The same operands in single precision.
pub(crate) fn single<const N: usize>(operands: [&DynTensor; N]) -> [DynTensor; N] {
    operands.map(|x| if x.dtype() == DType::F64 { cast(x, DType::F32).unwrap() } else { x.clone() })
}

/// The results on 1, 2 and 7 threads are the same to the bit.
#[track_caller]
pub(crate) fn assert_threads_agree(work: impl Fn() -> DynTensor) {
    let bits = |threads| {
        let result = with_num_threads(threads, &work);
        values(&result).into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert!(!one.is_empty() && one == bits(2) && one == bits(7));
}

/// The text of the error, which holds all the given parts.
#[track_caller]
pub(crate) fn assert_refused(result: trueno_core::Result<DynTensor>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}
