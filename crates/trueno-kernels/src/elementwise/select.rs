//! Selection by a mask, for elements of any type.

use core::slice::{from_raw_parts, from_raw_parts_mut};

use trueno_core::Element;

use super::Operand;
use crate::Isa;
use crate::simd::kernel;

/// Elements that go through a block on the stack at a time.
const BLOCK: usize = 512;

/// Kernels that pick between words by arithmetic on their bits: the compiler makes a choice between two elements one between
/// their addresses, and a gather of that.
macro_rules! blends {
    ($($name:ident: $word:ty;)*) => {$(
        kernel! {
            /// The words of `yes` where `mask` holds, and of `no` elsewhere.
            fn $name(_simd: S, mask: &[bool], yes: &[$word], no: &[$word], out: &mut [$word]) {
                for (((&mask, &yes), &no), out) in mask.iter().zip(yes).zip(no).zip(out) {
                    *out = no ^ ((no ^ yes) & <$word>::from(mask).wrapping_neg());
                }
            }
        }
    )*};
}
blends! {
    blend_bytes: u8;
    blend_halves: u16;
    blend_words: u32;
    blend_doubles: u64;
}

/// The elements of `yes` where `mask` holds, and of `no` elsewhere.
fn blend<T: Element>(isa: Isa, mask: &[bool], yes: &[T], no: &[T], out: &mut [T]) {
    macro_rules! by_words {
        ($blend:ident) => {
            // SAFETY: the words have the size of an element, and every word that is written is one of `yes` or of `no`.
            unsafe {
                let out = from_raw_parts_mut(out.as_mut_ptr().cast(), out.len());
                $blend(isa, mask, words(yes), words(no), out);
            }
        };
    }
    match size_of::<T>() {
        1 => by_words!(blend_bytes),
        2 => by_words!(blend_halves),
        4 => by_words!(blend_words),
        _ => by_words!(blend_doubles),
    }
}

/// Elements as the words of their bits.
///
/// # Safety
/// `W` must be the unsigned integer of an element's size.
unsafe fn words<T: Element, W>(x: &[T]) -> &[W] {
    // SAFETY: elements have no uninitialised bits, and integers are aligned as elements of their size are, or less.
    unsafe { from_raw_parts(x.as_ptr().cast(), x.len()) }
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
