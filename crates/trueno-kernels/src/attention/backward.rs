//! The gradient.

use super::rows::{row_dots, score_gradient, weigh};
use super::{Attention, KEYS, QUERIES, check, key_blocks, product, product_scratch, scaled, scores, sizes};
use crate::Isa;
use crate::matmul::{Epilogue, MatRef};
use crate::simd::Real;
use core::ops::Range;

/// Elements of scratch that [`attention_gradient`] needs for `[queries, keys, width, values]`.
pub fn gradient_scratch_len<T: Real>(isa: Isa, [queries, keys, width, values]: [usize; 4]) -> usize {
    let (rows, cols) = (sizes(queries, QUERIES), sizes(keys, KEYS));
    let products = product_scratch::<T>(isa, &rows, &cols, &[width, values])
        .max(product_scratch::<T>(isa, &cols, &[width, values], &rows))
        .max(product_scratch::<T>(isa, &rows, &[width], &cols));
    rows[0] * (width + 2 * values + 2 * cols[0] + 1) + products
}

/// The gradients of one attention by its queries, keys and values; `[gq, gk, gv]` must come as zeros.
///
/// `[q, k, v]` are all queries, keys and values, `out` and `log_sum` what [`attention`](super::attention()) gave for them, and `g`
/// the gradient by `out`. With weights `p` and `d = sum(g * out)`: `gv = p^T g`, the gradient by the scores is
/// `p (g v^T - d)`, and its products with `k` and `q`, scaled, are `gq` and `gk`.
///
/// # Panics
/// If the sizes do not fit together, or `scratch` is shorter than [`gradient_scratch_len`].
pub fn attention_gradient<T: Real>(
    isa: Isa,
    settings: &Attention<'_, T>,
    [q, k, v]: [MatRef<'_, T>; 3],
    [out, g]: [MatRef<'_, T>; 2],
    log_sum: &[T],
    [gq, gk, gv]: [&mut [T]; 3],
    scratch: &mut [T],
) {
    check(settings, 0, &[q, k, v]);
    let (width, values) = (q.cols(), v.cols());
    assert!(gq.len() == q.rows() * width && gk.len() == k.rows() * width && gv.len() == k.rows() * values, "gradients");
    assert!(log_sum.len() == q.rows() && out.rows() == q.rows() && g.rows() == q.rows(), "a result for each query");
    assert!(out.cols() == values && g.cols() == values, "results as wide as values");
    for start in (0..q.rows()).step_by(QUERIES) {
        let rows = start..q.rows().min(start + QUERIES);
        let block = [out, g].map(|x| x.block(rows.clone(), 0..values));
        let gq = &mut gq[rows.start * width..rows.end * width];
        let log_sum = &log_sum[rows.clone()];
        query_block(isa, settings, &rows, [q, k, v], block, log_sum, [&mut *gq, &mut *gk, &mut *gv], scratch);
    }
}

/// What one block of queries adds to the gradients; `gq` is its own part.
#[expect(clippy::too_many_arguments, reason = "operands, results and scratch of one step")]
fn query_block<T: Real>(
    isa: Isa,
    settings: &Attention<'_, T>,
    rows: &Range<usize>,
    [q, k, v]: [MatRef<'_, T>; 3],
    [out, g]: [MatRef<'_, T>; 2],
    log_sum: &[T],
    [gq, gk, gv]: [&mut [T]; 3],
    scratch: &mut [T],
) {
    let (count, width, values) = (rows.len(), q.cols(), v.cols());
    let (asked, scratch) = scratch.split_at_mut(count * width);
    let (slopes, scratch) = scratch.split_at_mut(count * values);
    let (results, scratch) = scratch.split_at_mut(count * values);
    let (tiles, scratch) = scratch.split_at_mut(2 * count * KEYS.min(k.rows()));
    let (dots, scratch) = scratch.split_at_mut(count);
    let (weights, slope) = tiles.split_at_mut(tiles.len() / 2);
    scaled(q.block(rows.clone(), 0..width), settings.scale, asked);
    g.copy_to(slopes);
    out.copy_to(results);
    row_dots(isa, slopes, results, values, dots);
    let (asked, g) = (MatRef::row_major(asked, count, width), MatRef::row_major(slopes, count, values));
    for cols in key_blocks(settings.causal, rows, k.rows()) {
        let (keys, wide) = (k.block(cols.clone(), 0..width), cols.len());
        let (weights, slope) = (&mut weights[..count * wide], &mut slope[..count * wide]);
        scores(isa, settings, [(asked, rows), (keys, &cols)], weights, slope, scratch);
        weigh(isa, weights, wide, log_sum);
        let p = MatRef::row_major(weights, count, wide);
        product(isa, p.transposed(), g, &mut gv[cols.start * values..], &Epilogue::ADD, scratch);
        product(isa, g, v.block(cols.clone(), 0..values).transposed(), slope, &Epilogue::STORE, scratch);
        score_gradient(isa, weights, slope, wide, dots);
        let by_scores = MatRef::row_major(slope, count, wide);
        product(isa, by_scores, keys, gq, &Epilogue::ADD, scratch);
        product(isa, by_scores.transposed(), asked, &mut gk[cols.start * width..], &Epilogue::ADD, scratch);
    }
    let scale = T::from_f64(settings.scale);
    gq.iter_mut().for_each(|x| *x = *x * scale);
}
