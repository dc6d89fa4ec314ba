//! Running sums.

use crate::Isa;
use crate::elementwise::Integer;
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, Simd, kernel};

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
        // Less than a block is a row of many, and what comes after it is wanted next.
        let is_far = x.len() < SCAN_BLOCK || size_of_val(x) > FAR;
        line(isa, x, -T::ZERO, is_far, out);
    } else if !x.is_empty() {
        rows(isa, x, inner, out);
    }
}

/// Parts of a block whose sums run side by side, so that no addition waits for the one before.
const SCAN_PARTS: usize = 8;
/// Elements of a block: few enough that they are still near when the sum before their part is added to them.
pub const SCAN_BLOCK: usize = 4096;
/// Bytes that come together from memory.
const LINE: usize = 64;
/// Bytes of a line that is worth asking for ahead: a shorter one is in the second level, or on its way there.
const FAR: usize = 1 << 20;

kernel! {
    /// Running sums of one line, from `total` on.
    ///
    /// Each part of a block is summed by itself, and then what came before is added to all of it. Like the plain order,
    /// this never lets the sums of positive numbers fall: the part after begins where the last sum of this one ends.
    fn line<T: Real>(simd: S, x: &[T], total: T, is_far: bool, out: &mut [T]) {
        // The first is -0, which leaves every number as it is, 0 and -0 too.
        let mut total = total;
        for start in (0..x.len()).step_by(SCAN_BLOCK) {
            let end = x.len().min(start + SCAN_BLOCK);
            let length = (end - start) / SCAN_PARTS;
            sum_parts(simd, &x[start..], length, is_far, &mut out[start..]);
            let (x, out) = (&x[start..end], &mut out[start..end]);
            total = go_on(simd, total, length, out);
            let rest = SCAN_PARTS * length;
            for (out, &x) in out[rest..].iter_mut().zip(&x[rest..]) {
                total = total + x;
                *out = total;
            }
        }
    }
}

/// Running sums of the first `SCAN_PARTS` parts of `x`, each of `length` elements and from 0.
///
/// A part is too short for the machine to see where its elements lead, so what lies a block further is asked for if it is far.
#[inline(always)]
fn sum_parts<S: Simd, T: Real>(simd: S, x: &[T], length: usize, is_far: bool, out: &mut [T]) {
    assert!(SCAN_PARTS * length <= x.len() && x.len() == out.len());
    // What is near is one loop, which the compiler unrolls as it likes.
    let together = if is_far { LINE / size_of::<T>() } else { length };
    let mut sums = [-T::ZERO; SCAN_PARTS];
    let mut at = 0;
    while at < length {
        let mut chain = 0;
        while is_far && chain < SCAN_PARTS {
            let ahead = chain * length + at + SCAN_BLOCK;
            simd.prefetch(x.as_ptr().wrapping_add(ahead));
            simd.prefetch(out.as_ptr().wrapping_add(ahead));
            chain += 1;
        }
        let end = length.min(at + together);
        while at < end {
            let mut chain = 0;
            while chain < SCAN_PARTS {
                let index = chain * length + at;
                // SAFETY: the index is below `SCAN_PARTS * length`, which is at most the length of both.
                unsafe {
                    sums[chain] = sums[chain] + *x.get_unchecked(index);
                    *out.get_unchecked_mut(index) = sums[chain];
                }
                chain += 1;
            }
            at += 1;
        }
    }
}

/// Adds the sum of all that lies before to each of the first `SCAN_PARTS` parts of `sums`, and gives the sum of all after them.
#[inline(always)]
fn go_on<S: Simd, T: Real>(simd: S, total: T, length: usize, sums: &mut [T]) -> T {
    let mut total = total;
    for part in sums.chunks_exact_mut(length.max(1)).take(if length > 0 { SCAN_PARTS } else { 0 }) {
        let before = T::Vector::<S>::splat(simd, total);
        let mut from = 0;
        while from < part.len() {
            write(before.add(read(simd, part, from)), part, from);
            from += T::Vector::<S>::LANES;
        }
        total = part[length - 1];
    }
    total
}

/// Running sums of each part of each block of a line by itself: `x` consists of whole blocks. [`scan_go_on`] makes them those of the line.
///
/// # Panics
/// If `x` is not of whole blocks, or `out` not as long.
pub fn scan_parts<T: Real>(isa: Isa, x: &[T], out: &mut [T]) {
    check(x.len(), SCAN_BLOCK, out.len());
    parts(isa, x, out);
}

kernel! {
    fn parts<T: Real>(simd: S, x: &[T], out: &mut [T]) {
        for (x, out) in x.chunks_exact(SCAN_BLOCK).zip(out.chunks_exact_mut(SCAN_BLOCK)) {
            sum_parts(simd, x, SCAN_BLOCK / SCAN_PARTS, true, out);
        }
    }
}

/// The sum of a line up to the end of a block, from that of all `before` it and what [`scan_parts`] made of the block.
pub fn scan_total<T: Real>(before: T, block: &[T]) -> T {
    block.chunks_exact(SCAN_BLOCK / SCAN_PARTS).fold(before, |total, part| total + part[part.len() - 1])
}

/// Running sums of a line, from what [`scan_parts`] made of some of its blocks and the sum of all `before` them: -0 at the beginning.
///
/// # Panics
/// If there are not whole blocks.
pub fn scan_go_on<T: Real>(isa: Isa, before: T, sums: &mut [T]) {
    assert!(sums.len().is_multiple_of(SCAN_BLOCK), "{} sums are not whole blocks", sums.len());
    blocks_go_on(isa, before, sums);
}

kernel! {
    fn blocks_go_on<T: Real>(simd: S, before: T, sums: &mut [T]) {
        let mut total = before;
        for block in sums.chunks_exact_mut(SCAN_BLOCK) {
            total = go_on(simd, total, SCAN_BLOCK / SCAN_PARTS, block);
        }
    }
}

/// Running sums of one line that goes on from the sum `before` of what lies before it: -0 at the beginning.
///
/// # Panics
/// If the lengths differ.
pub fn cumsum_from<T: Real>(isa: Isa, x: &[T], before: T, out: &mut [T]) {
    check(x.len(), 1, out.len());
    line(isa, x, before, true, out);
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
