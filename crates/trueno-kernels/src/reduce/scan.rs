//! Running sums.

use crate::Isa;
use crate::elementwise::Integer;
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, kernel};

pub(super) fn check(elements: usize, inner: usize, out: usize) {
    assert_eq!(elements, out, "running sums are as many as the elements");
    assert!(
        elements == 0 || (inner > 0 && elements.is_multiple_of(inner)),
        "cumsum: {elements} elements, {inner} apart"
    );
}

/// See [`cumsum`](super::cumsum).
pub(super) fn cumsum<T: Real>(isa: Isa, x: &[T], inner: usize, out: &mut [T]) {
    if inner == 1 {
        let mut sum = T::ZERO;
        for (out, &x) in out.iter_mut().zip(x) {
            sum = sum + x;
            *out = sum;
        }
    } else if !x.is_empty() {
        rows(isa, x, inner, out);
    }
}

kernel! {
    /// Adds each row to the sum of those before it.
    fn rows<T: Real>(simd: S, x: &[T], inner: usize, out: &mut [T]) {
        out[..inner].copy_from_slice(&x[..inner]);
        let mut start = inner;
        while start < x.len() {
            let (before, after) = out.split_at_mut(start);
            let (sum, row, out) = (&before[start - inner..], &x[start..start + inner], &mut after[..inner]);
            let mut from = 0;
            while from < inner {
                let total = read::<T::Vector<S>>(simd, sum, from).add(read(simd, row, from));
                write(total, out, from);
                from += T::Vector::<S>::LANES;
            }
            start += inner;
        }
    }
}

/// Running sums over the first axis of `x`, which is `[length, inner]`, wrapping on overflow.
///
/// # Panics
/// If the lengths do not fit together.
pub fn cumsum_int<T: Integer>(_isa: Isa, x: &[T], inner: usize, out: &mut [T]) {
    check(x.len(), inner, out.len());
    for (i, &value) in x.iter().enumerate() {
        out[i] = if i < inner { value } else { out[i - inner].wrapping_sum(value) };
    }
}
