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
        line(isa, x, out);
    } else if !x.is_empty() {
        rows(isa, x, inner, out);
    }
}

/// Parts of a block whose sums run side by side, so that no addition waits for the one before.
const CHAINS: usize = 8;
/// Elements of a block: few enough that they are still near when the sum before their part is added to them.
const BLOCK: usize = 4096;

kernel! {
    /// Running sums of one line.
    ///
    /// Each part of a block is summed by itself, and then what came before is added to all of it. Like the plain order,
    /// this never lets the sums of positive numbers fall: the part after begins where the last sum of this one ends.
    fn line<T: Real>(simd: S, x: &[T], out: &mut [T]) {
        // Leaves every number as it is, 0 and -0 too.
        let mut total = -T::ZERO;
        for (x, out) in x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let length = x.len() / CHAINS;
            sum_parts(x, length, out);
            for part in out.chunks_exact_mut(length.max(1)).take(if length > 0 { CHAINS } else { 0 }) {
                let before = T::Vector::<S>::splat(simd, total);
                let mut from = 0;
                while from < part.len() {
                    write(before.add(read(simd, part, from)), part, from);
                    from += T::Vector::<S>::LANES;
                }
                total = part[length - 1];
            }
            let rest = CHAINS * length;
            for (out, &x) in out[rest..].iter_mut().zip(&x[rest..]) {
                total = total + x;
                *out = total;
            }
        }
    }
}

/// Running sums of the first `CHAINS` parts of `x`, each of `length` elements and from 0.
#[inline(always)]
fn sum_parts<T: Real>(x: &[T], length: usize, out: &mut [T]) {
    assert!(CHAINS * length <= x.len() && x.len() == out.len());
    let mut sums = [-T::ZERO; CHAINS];
    let mut at = 0;
    while at < length {
        let mut chain = 0;
        while chain < CHAINS {
            let index = chain * length + at;
            // SAFETY: the index is below `CHAINS * length`, which is at most the length of both.
            unsafe {
                sums[chain] = sums[chain] + *x.get_unchecked(index);
                *out.get_unchecked_mut(index) = sums[chain];
            }
            chain += 1;
        }
        at += 1;
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
