//! Squares of a matrix turned on their side, in registers.

use super::unit::ProductVector;
use crate::simd::MAX_LANES;

/// Transposes the square that the first `LANES` vectors are.
///
/// Zipping every vector with the one half a square below moves the highest bit of a row's number to the lowest of the
/// column's; after as many rounds as there are bits, rows and columns have changed places.
#[inline(always)]
pub(crate) fn transpose_square<V: ProductVector>(square: &mut [V; MAX_LANES]) {
    let half = V::LANES / 2;
    let mut rounds = V::LANES;
    while rounds > 1 {
        let before = *square;
        for i in 0..half {
            (square[2 * i], square[2 * i + 1]) = before[i].zip(before[i + half]);
        }
        rounds /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::simd::{Real, kernel};

    kernel! {
        /// Transposes a square of as many rows as a vector has lanes; returns that number.
        fn turn<T: Unit, V>(simd, values: &mut [T]) -> usize {
            let lanes = V::LANES;
            let mut square = [V::splat(simd, T::NOTHING); MAX_LANES];
            for (row, values) in square.iter_mut().zip(values.chunks_exact(lanes)).take(lanes) {
                // SAFETY: a chunk has as many values as a vector.
                *row = unsafe { V::load(simd, values.as_ptr()) };
            }
            transpose_square(&mut square);
            for (row, values) in square.iter().zip(values.chunks_exact_mut(lanes)).take(lanes) {
                // SAFETY: a chunk has as many values as a vector.
                unsafe { row.store(values.as_mut_ptr()) };
            }
            lanes
        }
    }

    fn rows_become_columns<T: Real>() {
        for isa in Isa::available() {
            let mut values: std::vec::Vec<T> = (0..MAX_LANES * MAX_LANES).map(|i| T::from_f64(i as f64)).collect();
            let lanes = turn::<T>(isa, &mut values);
            for (i, value) in values[..lanes * lanes].iter().enumerate() {
                assert_eq!(value.to_f64(), (i % lanes * lanes + i / lanes) as f64, "{} {i}", isa.level());
            }
        }
    }

    #[test]
    fn squares_are_transposed() {
        rows_become_columns::<f32>();
        rows_become_columns::<f64>();
    }
}
