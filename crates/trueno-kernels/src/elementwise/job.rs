//! Operands and result of one elementwise kernel, as pointers that advance or stand still.

use core::marker::PhantomData;

use super::Operand;
use crate::simd::{MAX_LANES, Real, RealVector};

/// The most operands that a row has.
pub(super) const MAX_OPERANDS: usize = 3;

/// One operand: `step` is 1 for a slice and 0 for a block that holds a scalar.
#[derive(Clone, Copy)]
pub(super) struct Source<T> {
    pub pointer: *const T,
    pub step: usize,
}

/// A block of `MAX_LANES` copies or elements per operand.
pub(super) type Blocks<T, const N: usize> = [[T; MAX_LANES]; N];

/// What a kernel of up to `N` operands reads and writes: `length` elements, a multiple of `MAX_LANES`.
///
/// Operands may be the result's own memory, so all access is through pointers.
pub(super) struct Job<'a, T, const N: usize = MAX_OPERANDS> {
    out: *mut T,
    length: usize,
    sources: [Source<T>; N],
    memory: PhantomData<&'a mut [T]>,
}

impl<T: Real, const N: usize> Job<'_, T, N> {
    /// Runs `kernel` over whole blocks of the operands, then over the rest, padded with zeros to one block.
    ///
    /// The rest goes through the same code as the body, whatever the instruction set.
    ///
    /// # Panics
    /// If a slice has another length than `out`.
    pub fn run(operands: &[Operand<'_, T>], out: &mut [T], kernel: &dyn Fn(Job<'_, T, N>)) {
        assert!(operands.len() <= N);
        for operand in operands {
            operand.check(out.len());
        }
        let rest = out.len() % MAX_LANES;
        let whole = out.len() - rest;
        if whole > 0 {
            let blocks: Blocks<T, N> = scalar_blocks(operands);
            let (pointer, length) = (out.as_mut_ptr(), whole);
            let mut sources = [Source { pointer: pointer.cast_const(), step: 1 }; N];
            for ((source, operand), block) in sources.iter_mut().zip(operands).zip(&blocks) {
                match operand {
                    Operand::Slice(values) => source.pointer = values.as_ptr(),
                    Operand::Scalar(_) => *source = Source { pointer: block.as_ptr(), step: 0 },
                    Operand::InPlace => {}
                }
            }
            kernel(Job { out: pointer, length, sources, memory: PhantomData });
        }
        if rest > 0 {
            let mut result = [T::ZERO; MAX_LANES];
            let mut blocks: Blocks<T, N> = scalar_blocks(operands);
            for (operand, block) in operands.iter().zip(&mut blocks) {
                match operand {
                    Operand::Slice(values) => block[..rest].copy_from_slice(&values[whole..]),
                    Operand::InPlace => block[..rest].copy_from_slice(&out[whole..]),
                    Operand::Scalar(_) => {}
                }
            }
            let sources = blocks.each_ref().map(|block| Source { pointer: block.as_ptr(), step: 1 });
            kernel(Job { out: result.as_mut_ptr(), length: MAX_LANES, sources, memory: PhantomData });
            out[whole..].copy_from_slice(&result[..rest]);
        }
    }

    /// How many elements there are: a multiple of the lanes of any vector.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The vectors of the first `count` operands at element `at`; the others are 0.
    ///
    /// # Safety
    /// `at + LANES` must be at most the length.
    #[inline(always)]
    pub unsafe fn load<V: RealVector<Elem = T>>(&self, token: V::Token, count: usize, at: usize) -> [V; N] {
        let mut vectors = [V::splat(token, T::ZERO); N];
        let mut index = 0;
        while index < count {
            let Source { pointer, step } = self.sources[index];
            // SAFETY: a source is readable for the length, or for `MAX_LANES` from its start if it does not advance.
            vectors[index] = unsafe { V::load(token, pointer.add(at * step)) };
            index += 1;
        }
        vectors
    }

    /// Writes a vector of the result at element `at`.
    ///
    /// # Safety
    /// `at + LANES` must be at most the length.
    #[inline(always)]
    pub unsafe fn store<V: RealVector<Elem = T>>(&self, at: usize, vector: V) {
        // SAFETY: the result is writable for the length.
        unsafe { vector.store(self.out.add(at)) }
    }
}

/// The scalars among the operands, each repeated through a block.
pub(super) fn scalar_blocks<T: Real, const N: usize>(operands: &[Operand<'_, T>]) -> Blocks<T, N> {
    let mut blocks = [[T::ZERO; MAX_LANES]; N];
    for (operand, block) in operands.iter().zip(&mut blocks) {
        if let Operand::Scalar(value) = operand {
            block.fill(*value);
        }
    }
    blocks
}
