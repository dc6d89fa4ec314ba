//! Selection by a mask, for elements of any type.

use core::mem::transmute_copy;
use trueno_core::Element;

use super::Operand;
use crate::Isa;
use crate::simd::kernel;

/// Elements that go through a block on the stack at a time.
const BLOCK: usize = 512;

kernel! {
    /// The elements of `yes` where `mask` holds, and of `no` elsewhere.
    fn blend<T: Element>(_simd: S, mask: &[bool], yes: &[T], no: &[T], out: &mut [T]) {
        for (((&mask, &yes), &no), out) in mask.iter().zip(yes).zip(no).zip(out) {
            *out = choose(mask, yes, no);
        }
    }
}

/// One of two elements, by its bits. Of a choice between values the compiler can make one between places to read from, which
/// branches.
#[inline(always)]
fn choose<T: Element>(mask: bool, yes: T, no: T) -> T {
    macro_rules! by_bits {
        ($bits:ident) => {{
            // SAFETY: an element is as large as these bits, and the result has those of one of the two elements.
            unsafe {
                let [yes, no]: [$bits; 2] = [transmute_copy(&yes), transmute_copy(&no)];
                transmute_copy(&(no ^ (yes ^ no) & $bits::from(mask).wrapping_neg()))
            }
        }};
    }
    match size_of::<T>() {
        1 => by_bits!(u8),
        2 => by_bits!(u16),
        4 => by_bits!(u32),
        8 => by_bits!(u64),
        _ => {
            if mask {
                yes
            } else {
                no
            }
        }
    }
}

/// `count` of the operand's elements from `start` on: borrowed, or copied to the beginning of `block`.
fn part<'a, T: Copy>(
    operand: &Operand<'a, T>,
    out: &[T],
    start: usize,
    count: usize,
    block: &'a mut [T; BLOCK],
) -> &'a [T] {
    match operand {
        Operand::Slice(values) => return &values[start..start + count],
        Operand::Scalar(value) => block.fill(*value),
        Operand::InPlace => block[..count].copy_from_slice(&out[start..start + count]),
    }
    &block[..count]
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
    for start in (0..out.len()).step_by(BLOCK) {
        let count = BLOCK.min(out.len() - start);
        let mask = part(&mask, &[], start, count, &mut masks);
        let yes = part(&yes, out, start, count, &mut yeses);
        let no = part(&no, out, start, count, &mut noes);
        blend(isa, mask, yes, no, &mut out[start..start + count]);
    }
}
