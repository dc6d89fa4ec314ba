//! The roof of every product: what the machine's multiply-adds cost when nothing else is in the way.

use crate::simd::{Real, RealVector, kernel};

/// Sums that grow side by side: more than the latency of a multiply-add hides, and few enough for 16 registers.
const CHAINS: usize = 12;

kernel! {
    /// Runs `vectors` multiply-adds (rounded up to a dozen) in registers alone and returns a value that depends on all of them,
    /// with the number of scalar multiply-adds that were done.
    ///
    /// Timed beside [`gemm`](super::gemm), it says what part of the machine's peak a product reaches.
    pub fn multiply_adds<T: Real>(simd: S, vectors: usize, factor: T, term: T) -> (T, usize) {
        let (factor, term) = (<T::Vector<S>>::splat(simd, factor), <T::Vector<S>>::splat(simd, term));
        let mut sums = [term; CHAINS];
        let rounds = vectors.div_ceil(CHAINS);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, term);
            }
        }
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = total.add(*sum);
        }
        (total.reduce_add(), rounds * CHAINS * <T::Vector<S> as RealVector>::LANES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn every_step_is_taken_and_counted() {
        for isa in Isa::available() {
            let (value, count) = multiply_adds::<f64>(isa, 30, 1.0, 1.0);
            // 36 vectors in 12 chains: 3 steps each, from 1 on.
            assert_eq!(count % 36, 0);
            assert_eq!(value, 4.0 * (count / 3) as f64, "{}", isa.level());
        }
    }
}
