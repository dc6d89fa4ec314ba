//! Sums of products.

use crate::Isa;
use crate::lanes::read;
use crate::simd::{Real, RealVector, kernel};

/// Vectors that products are added to side by side, so that no addition waits for the one before.
const CHAINS: usize = 8;

/// The sum of `a[i] * b[i]`, in one sequence of additions per lane: long slices are better cut into blocks of
/// [`BLOCK`](super::BLOCK), whose sums [`combine`](super::combine) joins.
///
/// ```
/// use trueno_kernels::{Isa, reduce};
/// assert_eq!(reduce::dot(Isa::best(), &[1.0_f32, 2.0, 3.0], &[4.0, 5.0, 6.0]), 32.0);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn dot<T: Real>(isa: Isa, a: &[T], b: &[T]) -> T {
    assert_eq!(a.len(), b.len(), "a dot product is of two slices of one length");
    let mut sum = [T::ZERO];
    dot_into(isa, a, b, &mut sum);
    sum[0]
}

kernel! {
    /// See [`dot`].
    fn dot_into<T: Real>(simd: S, a: &[T], b: &[T], sum: &mut [T; 1]) {
        let lanes = T::Vector::<S>::LANES;
        let mut sums = [T::Vector::<S>::splat(simd, T::ZERO); CHAINS];
        let blocks = (a.chunks_exact(CHAINS * lanes), b.chunks_exact(CHAINS * lanes));
        let rest = (blocks.0.remainder(), blocks.1.remainder());
        for (a, b) in blocks.0.zip(blocks.1) {
            let mut chain = 0;
            while chain < CHAINS {
                let at = chain * lanes;
                sums[chain] = read::<T::Vector<S>>(simd, a, at).mul_add(read(simd, b, at), sums[chain]);
                chain += 1;
            }
        }
        let (mut from, mut chain) = (0, 0);
        while from < rest.0.len() {
            // Lanes after the end are 0 in both, and add nothing.
            sums[chain] = read::<T::Vector<S>>(simd, rest.0, from).mul_add(read(simd, rest.1, from), sums[chain]);
            from += lanes;
            chain += 1;
        }
        let mut half = CHAINS / 2;
        while half > 0 {
            let mut chain = 0;
            while chain < half {
                sums[chain] = sums[chain].add(sums[chain + half]);
                chain += 1;
            }
            half /= 2;
        }
        sum[0] = sums[0].reduce_add();
    }
}
