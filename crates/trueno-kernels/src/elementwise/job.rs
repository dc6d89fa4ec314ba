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

/// What a kernel of up to `N` operands reads and writes: `length` elements.
///
/// Operands may be the result's own memory, so all access is through pointers.
pub(super) struct Job<'a, T, const N: usize = MAX_OPERANDS> {
    out: *mut T,
    length: usize,
    sources: [Source<T>; N],
    memory: PhantomData<&'a mut [T]>,
}

impl<T: Real, const N: usize> Job<'_, T, N> {
    /// Runs `kernel` over the operands.
    ///
    /// # Panics
    /// If a slice has another length than `out`.
    pub fn run(operands: &[Operand<'_, T>], out: &mut [T], kernel: &dyn Fn(Job<'_, T, N>)) {
        assert!(operands.len() <= N);
        for operand in operands {
            operand.check(out.len());
        }
        let blocks: Blocks<T, N> = scalar_blocks(operands);
        let (out, length) = (out.as_mut_ptr(), out.len());
        let mut sources = [Source { pointer: out.cast_const(), step: 1 }; N];
        for ((source, operand), block) in sources.iter_mut().zip(operands).zip(&blocks) {
            match operand {
                Operand::Slice(values) => source.pointer = values.as_ptr(),
                Operand::Scalar(_) => *source = Source { pointer: block.as_ptr(), step: 0 },
                Operand::InPlace => {}
            }
        }
        kernel(Job { out, length, sources, memory: PhantomData });
    }

    /// How many elements there are.
    #[inline(always)]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The vectors of the first `count` operands from element `at` on, with zeros after the end; the other vectors are 0.
    ///
    /// # Safety
    /// `at` must be less than the length.
    #[inline(always)]
    pub unsafe fn load<V: RealVector<Elem = T>>(&self, token: V::Token, count: usize, at: usize) -> [V; N] {
        let mut vectors = [V::splat(token, T::ZERO); N];
        let left = self.length - at;
        let mut index = 0;
        while index < count {
            let Source { pointer, step } = self.sources[index];
            // SAFETY: a source is readable for the length, or for `MAX_LANES` from its start if it does not advance.
            vectors[index] = unsafe {
                let pointer = pointer.add(at * step);
                if left >= V::LANES { V::load(token, pointer) } else { V::load_partial(token, pointer, left) }
            };
            index += 1;
        }
        vectors
    }

    /// Writes a vector of the result from element `at` on, up to the end.
    ///
    /// # Safety
    /// `at` must be less than the length.
    #[inline(always)]
    pub unsafe fn store<V: RealVector<Elem = T>>(&self, at: usize, vector: V) {
        let left = self.length - at;
        // SAFETY: the result is writable for the length.
        unsafe {
            let out = self.out.add(at);
            if left >= V::LANES { vector.store(out) } else { vector.store_partial(out, left) }
        }
    }
}

/// The scalars among the operands, each repeated through a block. Made where they are wanted: to move them would be a call.
#[inline(always)]
pub(super) fn scalar_blocks<T: Real, const N: usize>(operands: &[Operand<'_, T>]) -> Blocks<T, N> {
    let mut blocks = [[T::ZERO; MAX_LANES]; N];
    for (operand, block) in operands.iter().zip(&mut blocks) {
        if let Operand::Scalar(value) = operand {
            block.fill(*value);
        }
    }
    blocks
}
