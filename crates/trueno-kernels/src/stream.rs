//! Results that go past the caches.
//!
//! A store to a line that no cache holds reads the line from memory before it replaces it, and drives out of the cache what may
//! still be wanted. Where a result is so large that its beginning has left the caches when its end is written, both are for
//! nothing: so it is computed block by block in the first level, and written to memory from there.

use core::slice;

use trueno_core::Element;

use crate::Isa;
use crate::simd::{RealVector, kernel};

/// Elements that are computed at a time, at most.
const BLOCK: usize = 1024;
/// Bytes that memory and caches exchange at a time.
const LINE: usize = 64;

/// Where a block is computed.
#[repr(align(64))]
struct Block<T>([T; BLOCK]);

/// Calls `compute` with the first position and the place of each block of `out`, which it fills. A block has about `together`
/// elements, from 64 to 1024: the fewer there are, the more often reading and writing take turns, and the more calls there are.
///
/// ```
/// use trueno_kernels::{Isa, stream};
///
/// let mut out = vec![0_i64; 5000];
/// stream::fill(Isa::best(), &mut out, 512, &mut |start, block| {
///     block.iter_mut().enumerate().for_each(|(i, value)| *value = (start + i) as i64);
/// });
/// assert!(out.iter().enumerate().all(|(i, &value)| i as i64 == value));
/// ```
pub fn fill<T: Element>(isa: Isa, out: &mut [T], together: usize, compute: &mut dyn FnMut(usize, &mut [T])) {
    let head = out.as_ptr().align_offset(LINE).min(out.len());
    let (unaligned, lines) = out.split_at_mut(head);
    if head > 0 {
        compute(0, unaligned);
    }
    let _settled = Settled(isa);
    let mut block = Block([T::default(); BLOCK]);
    let mut start = head;
    // Whole lines of any type.
    let together = together.clamp(LINE, BLOCK) / LINE * LINE;
    for out in lines.chunks_mut(together) {
        let block = &mut block.0[..out.len()];
        compute(start, block);
        start += out.len();
        let whole = out.len() - out.len() % (LINE / size_of::<T>());
        let (out, rest) = out.split_at_mut(whole);
        write_lines(isa, bytes(&block[..whole]), bytes_mut(out));
        rest.copy_from_slice(&block[whole..]);
    }
}

/// Makes what was written visible to other threads, however the writing ends.
struct Settled(Isa);

impl Drop for Settled {
    fn drop(&mut self) {
        settle(self.0);
    }
}

/// The representations of elements.
fn bytes<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: elements are numbers and truth values, which have no padding; the slice is as long in bytes.
    unsafe { slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

/// The same, to write the representations of other elements of the type.
fn bytes_mut<T: Element>(elements: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `bytes`, and the borrow is unique. Only `fill` writes there, and only what elements of the type are made of.
    unsafe { slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), size_of_val(elements)) }
}

kernel! {
    /// Copies whole lines.
    fn write_lines(simd: S, from: &[u8], out: &mut [u8]) {
        let step = 4 * S::F32::LANES;
        assert!(from.len() == out.len() && from.len().is_multiple_of(LINE) && out.as_ptr().cast::<u8>().align_offset(LINE) == 0);
        let mut at = 0;
        while at < from.len() {
            // SAFETY: both have `step` bytes from `at` on, for that divides a line; a target begins at a multiple of `step`.
            unsafe {
                let lanes = S::F32::load(simd, from.as_ptr().add(at).cast());
                lanes.store_past_caches(out.as_mut_ptr().add(at).cast());
            }
            at += step;
        }
    }
}

kernel! {
    /// Ends a run of stores past the caches.
    fn settle(simd: S) {
        simd.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn check<T: Element + PartialEq>(value: impl Fn(usize) -> T) {
        for isa in Isa::available() {
            for length in [0, 1, 15, 64, BLOCK - 1, 3 * BLOCK + 21] {
                for skip in 0..20 {
                    let mut out = vec![T::default(); skip + length + 1];
                    fill(isa, &mut out[skip..skip + length], 100 * skip, &mut |start, block| {
                        block.iter_mut().enumerate().for_each(|(i, to)| *to = value(start + i));
                    });
                    let want: Vec<T> = (0..length).map(&value).collect();
                    assert!(
                        out[skip..skip + length] == want && out[skip + length] == T::default(),
                        "{length} at {skip}"
                    );
                    assert!(out[..skip].iter().all(|&before| before == T::default()));
                }
            }
        }
    }

    #[test]
    fn every_element_is_written_once_wherever_it_lies() {
        check(|i| i as f32 + 1.0);
        check(|i| -(i as f64) - 1.0);
        check(|i| (i % 251) as u8 + 1);
        check(|i| i % 3 == 0);
        check(|i| i as i64 + 1);
    }

    #[test]
    fn representations_are_kept() {
        for isa in Isa::available() {
            let mut out = [0.0_f32; 40];
            fill(isa, &mut out, 64, &mut |_, block| block.fill(f32::from_bits(0x7FA0_0001)));
            assert!(out.iter().all(|value| value.to_bits() == 0x7FA0_0001));
        }
    }
}
