//! Which results go past the caches.

use super::isa::isa;
use crate::parallel::num_threads;
use trueno_core::Element;
use trueno_kernels::{CacheSizes, stream};

/// How the elements of a result reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// Through the caches: whoever reads the result next finds it there.
    Cached,
    /// Past them.
    Streamed,
}

impl Writing {
    /// That of a result in memory of its own, if it and the operands are so many bytes: what no cache holds has left it by the time that
    /// anyone asks for it.
    ///
    /// One thread waits for each line that it is about to replace. Of several, one computes while another waits, and what the last
    /// level holds of the operands is worth more: so they write past it only what is twice as large.
    #[inline]
    pub fn of(bytes: usize) -> Writing {
        // What fits the second level of any machine needs no question.
        let large = bytes > 1 << 20 && bytes > CacheSizes::detected().last * num_threads().min(2);
        if large { Writing::Streamed } else { Writing::Cached }
    }

    /// Fills `out` with what `compute` makes of a position and the elements from there on: all at once, or in blocks of about
    /// `together` elements (see [`stream::fill`]).
    #[inline]
    pub fn fill<T: Element>(self, out: &mut [T], together: usize, mut compute: impl FnMut(usize, &mut [T])) {
        match self {
            Writing::Cached => compute(0, out),
            Writing::Streamed => stream::fill(isa(), out, together, &mut compute),
        }
    }
}

/// Elements of a block whose operands are at hand.
pub(super) const AT_HAND: usize = 512;
/// Elements of a block whose operands are looked for.
pub(super) const LOOKED_FOR: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::assert_threads_agree;
    use crate::{DynTensor, with_num_threads};
    use trueno_core::DType;
    use trueno_core::table::{BinaryOp, UnaryOp};

    #[test]
    fn large_results_are_streamed_and_small_ones_are_not() {
        let last = CacheSizes::detected().last;
        for (threads, most) in [(1, last), (2, 2 * last), (7, 2 * last)] {
            let found = with_num_threads(threads, || [Writing::of(most), Writing::of(most + 1)]);
            assert_eq!(found, [Writing::Cached, Writing::Streamed]);
        }
    }

    #[test]
    fn what_goes_past_the_caches_arrives() {
        // Of any machine's operands and result together; not a multiple of anything.
        let size = (CacheSizes::detected().last / 2).min(1 << 24) + 1003;
        let row: Vec<f32> = (0..1003).map(|i| i as f32 * 0.25 - 100.0).collect();
        let x = DynTensor::full(&[size / 1003, 1003], DType::F32, 1.5).unwrap();
        let row = DynTensor::from_slice(&row, &[1003]).unwrap();
        let sum = || x.binary(BinaryOp::Add, &row).unwrap();
        assert_threads_agree(sum);
        let (sum, one) = (sum(), row.unary(UnaryOp::Neg, [0.0; 2]).unwrap().unary(UnaryOp::Neg, [0.0; 2]).unwrap());
        let one = one.binary(BinaryOp::Add, &DynTensor::full(&[1003], DType::F32, 1.5).unwrap()).unwrap();
        let one = one.as_slice::<f32>().unwrap();
        assert!(sum.as_slice::<f32>().unwrap().chunks_exact(1003).all(|row| row == one));
    }
}
