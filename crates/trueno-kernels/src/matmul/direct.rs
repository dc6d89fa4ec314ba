//! Products too small or too low for packing: tiles read the matrices where they lie.

use super::tile::{Factors, Target, VECTORS_OF_ROW, cols, direct_tile, rows};
use super::view::MatRef;
use crate::simd::{Real, RealVector, kernel};

kernel! {
    /// The product of matrices of which the right one has adjacent columns, with its summed axis cut every `kc` steps.
    pub(super) fn direct_product<T: Real>(simd: S, kc: usize, a: MatRef<'_, T>, b: MatRef<'_, T>, to: Target<'_, T>) {
        let mut to = to;
        let (m, n, k) = (to.c.rows(), to.c.cols(), a.cols());
        assert!((b.col_stride() == 1 || n == 1) && a.rows() == m && b.cols() == n && b.rows() == k);
        let height = rows::<S>();
        let width = if m == 1 { VECTORS_OF_ROW * <T::Vector<S> as RealVector>::LANES } else { cols::<S, T>() };
        for step in (0..k).step_by(kc.max(1)) {
            let steps = kc.min(k - step);
            for col in (0..n).step_by(width) {
                for row in (0..m).step_by(height) {
                    let from = Factors {
                        a: a.at(row, step),
                        a_row: a.row_stride(),
                        a_step: a.col_stride(),
                        b: b.at(step, col),
                        b_step: b.row_stride(),
                        k: steps,
                    };
                    let mut part = to.part(row..m.min(row + height), col..n.min(col + width));
                    part.accumulate |= step > 0;
                    if step + steps < k {
                        part.epilogue = None;
                    }
                    // SAFETY: rows, columns and steps are inside `a` and `b`, and the columns of `b` are adjacent.
                    unsafe { direct_tile(simd, from, &part) };
                }
            }
        }
    }
}
