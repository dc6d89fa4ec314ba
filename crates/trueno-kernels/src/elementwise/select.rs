//! Selection by a mask, for elements of any type.

use trueno_core::Element;

use super::Operand;
use crate::Isa;
use crate::simd::kernel;

/// Elements that go through a block on the stack at a time.
const BLOCK: usize = 256;

kernel! {
    /// Replaces the elements of `no` where `mask` holds by those of `yes`.
    fn blend<T: Element>(_simd: S, mask: &[bool; BLOCK], yes: &[T; BLOCK], no: &mut [T; BLOCK]) {
        for ((mask, yes), no) in mask.iter().zip(yes).zip(no) {
            *no = if *mask { *yes } else { *no };
        }
    }
}

/// Copies the operand's elements from `start` on to the beginning of `block`.
fn load<T: Copy>(operand: &Operand<'_, T>, out: &[T], start: usize, count: usize, block: &mut [T; BLOCK]) {
    match operand {
        Operand::Slice(values) => block[..count].copy_from_slice(&values[start..start + count]),
        Operand::Scalar(value) => block.fill(*value),
        Operand::InPlace => block[..count].copy_from_slice(&out[start..start + count]),
    }
}

/// See [`select`](super::select).
pub(super) fn select<T: Element>(
    isa: Isa,
    mask: Operand<'_, bool>,
    yes: Operand<'_, T>,
    no: Operand<'_, T>,
    out: &mut [T],
) {
    mask.check(out.len());
    yes.check(out.len());
    no.check(out.len());
    let (mut masks, mut yeses, mut noes) = ([false; BLOCK], [T::default(); BLOCK], [T::default(); BLOCK]);
    let mut start = 0;
    while start < out.len() {
        let count = BLOCK.min(out.len() - start);
        load(&mask, &[], start, count, &mut masks);
        load(&yes, out, start, count, &mut yeses);
        load(&no, out, start, count, &mut noes);
        blend(isa, &masks, &yeses, &mut noes);
        out[start..start + count].copy_from_slice(&noes[..count]);
        start += BLOCK;
    }
}
