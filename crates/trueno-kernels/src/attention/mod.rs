//! Scaled dot-product attention, `softmax(scale q k^T + mask) v`, by tiles: the matrix of scores is never held (Dao et al., 2022).
//!
//! A tile is [`QUERIES`] rows by [`KEYS`] columns of scores. Rows keep the largest score so far and the sum of the
//! exponentials; when a later tile has a larger one, what was summed is scaled down (Milakov and Gimelshein, 2018). The
//! gradient computes the tiles again from the logarithm of that sum.
//!
//! ```
//! use trueno_kernels::attention::{Attention, attention, scratch_len};
//! use trueno_kernels::{Isa, matmul::MatRef};
//!
//! let (q, k, v) = ([0.0, 0.0], [1.0, 2.0, 3.0, 4.0], [10.0, 20.0]);
//! let (q, k, v) = (MatRef::row_major(&q, 1, 2), MatRef::row_major(&k, 2, 2), MatRef::row_major(&v, 2, 1));
//! let (isa, settings) = (Isa::best(), Attention { scale: 1.0, causal: false, mask: None });
//! let mut scratch = vec![0.0; scratch_len::<f64>(isa, [1, 2, 2, 1])];
//! let (mut out, mut log_sum) = ([0.0], [0.0]);
//! attention(isa, &settings, 0, [q, k, v], &mut out, &mut log_sum, &mut scratch);
//! assert_eq!(out, [15.0]); // a query that likes all keys alike gets the mean of their values
//! ```

mod backward;
mod forward;
mod rows;
#[cfg(test)]
mod tests;

pub use backward::{attention_gradient, gradient_scratch_len};
pub use forward::{attention, scratch_len};

use crate::Isa;
use crate::matmul::{Epilogue, MatMut, MatRef, Plan, gemm};
use crate::simd::Real;
use core::ops::Range;

/// Queries that are worked on together. Callers cut queries among threads at multiples of this.
pub const QUERIES: usize = 128;
/// Keys that are worked on together.
pub const KEYS: usize = 128;

/// What attention does besides its operands.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a, T> {
    /// Factor of the scores.
    pub scale: f64,
    /// Whether query `i` sees keys `0..=i` only.
    pub causal: bool,
    /// Added to the scores, `[queries, keys]`; minus infinity hides a key.
    pub mask: Option<MatRef<'a, T>>,
}

/// The sizes that blocks of an axis have.
fn sizes(length: usize, block: usize) -> [usize; 2] {
    [block.min(length), length % block]
}

/// What [`product`] needs for any of the given sizes.
fn product_scratch<T: Real>(isa: Isa, rows: &[usize], cols: &[usize], summed: &[usize]) -> usize {
    let mut most = 0;
    for &m in rows {
        for &n in cols {
            for &k in summed {
                most = most.max(Plan::new::<T>(isa, m, n, k).scratch_len());
            }
        }
    }
    most
}

/// `c = a b`, or with `accumulate` `c += a b`.
fn product<T: Real>(
    isa: Isa,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    c: &mut [T],
    epilogue: &Epilogue<'_, T>,
    scratch: &mut [T],
) {
    let (rows, cols) = (a.rows(), b.cols());
    let plan = Plan::new::<T>(isa, rows, cols, a.cols());
    gemm(isa, &plan, a, b, MatMut::row_major(&mut c[..rows * cols], rows, cols), epilogue, scratch);
}

/// The scores of a tile: `queries` (already scaled) times `keys`, masked. `spare` is as long as the tile.
fn scores<T: Real>(
    isa: Isa,
    settings: &Attention<'_, T>,
    [queries, keys]: [(MatRef<'_, T>, &Range<usize>); 2],
    tile: &mut [T],
    spare: &mut [T],
    scratch: &mut [T],
) {
    let ((q, rows), (k, cols)) = (queries, keys);
    product(isa, q, k.transposed(), tile, &Epilogue::STORE, scratch);
    if let Some(mask) = settings.mask {
        let spare = &mut spare[..tile.len()];
        mask.block(rows.clone(), cols.clone()).copy_to(spare);
        tile.iter_mut().zip(spare).for_each(|(score, mask)| *score = *score + *mask);
    }
    if settings.causal {
        for (row, scores) in rows.clone().zip(tile.chunks_exact_mut(cols.len())) {
            let seen = (row + 1).saturating_sub(cols.start).min(cols.len());
            scores[seen..].fill(-T::INFINITY);
        }
    }
}

/// The blocks of keys that some of the queries see.
fn key_blocks(causal: bool, queries: &Range<usize>, keys: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let seen = if causal { keys.min(queries.end) } else { keys };
    (0..seen).step_by(KEYS).map(move |start| start..keys.min(start + KEYS))
}

/// Copies queries, scaled.
fn scaled<T: Real>(q: MatRef<'_, T>, scale: f64, out: &mut [T]) {
    q.copy_to(out);
    let scale = T::from_f64(scale);
    out.iter_mut().for_each(|x| *x = *x * scale);
}

/// Panics unless the operands fit: `q` `[queries, width]`, `k` `[keys, width]`, `v` `[keys, values]`.
fn check<T>(settings: &Attention<'_, T>, first: usize, [q, k, v]: &[MatRef<'_, T>; 3]) {
    assert!(q.cols() == k.cols() && k.rows() == v.rows(), "queries, keys and values that fit");
    if let Some(mask) = &settings.mask {
        assert!(mask.rows() >= first + q.rows() && mask.cols() == k.rows(), "a mask of [queries, keys]");
    }
}
