//! The forward pass.

use super::rows::{absorb, finish};
use super::{Attention, KEYS, QUERIES, check, key_blocks, product, product_scratch, scaled, scores, sizes};
use crate::Isa;
use crate::matmul::{Epilogue, MatRef};
use crate::simd::Real;

/// Elements of scratch that [`attention`] needs for `[queries, keys, width, values]`.
pub fn scratch_len<T: Real>(isa: Isa, [queries, keys, width, values]: [usize; 4]) -> usize {
    let (rows, cols) = (sizes(queries, QUERIES), sizes(keys, KEYS));
    let products =
        product_scratch::<T>(isa, &rows, &cols, &[width]).max(product_scratch::<T>(isa, &rows, &[values], &cols));
    rows[0] * (width + 2 * cols[0] + 1) + products
}

/// The results of up to [`QUERIES`] queries, of which the first is row `first` of the whole: `out` `[queries, values]`, and
/// the logarithm of each row's sum of exponentials. A row that sees no key gives 0, and minus infinity.
///
/// `[q, k, v]` are these queries `[queries, width]`, all keys `[keys, width]` and all values `[keys, values]`. What `scratch`
/// holds does not matter.
///
/// # Panics
/// If the sizes do not fit together, there are more queries, or `scratch` is shorter than [`scratch_len`].
pub fn attention<T: Real>(
    isa: Isa,
    settings: &Attention<'_, T>,
    first: usize,
    [q, k, v]: [MatRef<'_, T>; 3],
    out: &mut [T],
    log_sum: &mut [T],
    scratch: &mut [T],
) {
    check(settings, first, &[q, k, v]);
    let (queries, width, values) = (q.rows(), q.cols(), v.cols());
    assert!(queries <= QUERIES && out.len() == queries * values && log_sum.len() == queries, "a block of results");
    let (asked, scratch) = scratch.split_at_mut(queries * width);
    let (tiles, scratch) = scratch.split_at_mut(2 * queries * KEYS.min(k.rows()));
    let (largest, scratch) = scratch.split_at_mut(queries);
    let (tile, spare) = tiles.split_at_mut(tiles.len() / 2);
    scaled(q, settings.scale, asked);
    let asked = MatRef::row_major(asked, queries, width);
    out.fill(T::ZERO);
    largest.fill(-T::INFINITY);
    log_sum.fill(T::ZERO);
    let rows = first..first + queries;
    for cols in key_blocks(settings.causal, &rows, k.rows()) {
        let tile = &mut tile[..queries * cols.len()];
        let keys = k.block(cols.clone(), 0..width);
        scores(isa, settings, [(asked, &rows), (keys, &cols)], tile, spare, scratch);
        absorb(isa, tile, cols.len(), largest, log_sum, out);
        let weights = MatRef::row_major(tile, queries, cols.len());
        product(isa, weights, v.block(cols, 0..values), out, &Epilogue::ADD, scratch);
    }
    finish(isa, largest, log_sum, out);
}
