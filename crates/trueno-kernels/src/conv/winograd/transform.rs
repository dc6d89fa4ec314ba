//! The transforms of weights, images and results.
//!
//! A row of a tile is a product of polynomials (the Toom-Cook way to such algorithms), evaluated at six points: 0, `±P`, `±Q` and
//! infinity. Textbooks take 1 and 2; 5/8 and 3/2 keep all factors near 1, so that on uniform data the largest error is about twice that
//! of summing products one by one (with 1 and 2 it is six times that), and are exact in binary, as their squares are.

use core::ops::Range;

use super::Runs;
use crate::conv::geometry::Geometry;
use crate::conv::panels::copy_vectors;
use crate::conv::{Conv2dShape, Filter};
use crate::lanes::{read, write};
use crate::matmul::Activation;
use crate::simd::{MAX_LANES, Real, RealVector, kernel};

/// Rows and columns of results of a tile, and of the elements that they depend on.
pub(super) const OUT: usize = 4;
pub(super) const TILE: usize = 6;
/// Elements of a tile.
pub(super) const AREA: usize = TILE * TILE;

/// The points, their squares and cubes.
const P: f64 = 0.625;
const Q: f64 = 1.5;
const P2: f64 = P * P;
const Q2: f64 = Q * Q;
/// Values at 0, `±P` and `±Q` of the derivative of `x (x^2 - P^2) (x^2 - Q^2)`.
const SLOPES: [f64; 3] = [P2 * Q2, 2.0 * P2 * (P2 - Q2), 2.0 * Q2 * (Q2 - P2)];

/// Six elements of a row of an image: the transpose of evaluation, `x (x^2 - P^2) (x^2 - Q^2)` divided by one of its factors for each point.
#[inline(always)]
fn of_image<V: RealVector>([d0, d1, d2, d3, d4, d5]: [V; TILE]) -> [V; TILE] {
    let (sum, product) = (d0.lit(P2 + Q2), d0.lit(P2 * Q2));
    let (even_p, odd_p) = (d2.neg_mul_add(d2.lit(Q2), d4), d1.neg_mul_add(d1.lit(Q2), d3));
    let (even_q, odd_q) = (d2.neg_mul_add(d2.lit(P2), d4), d1.neg_mul_add(d1.lit(P2), d3));
    let (p, q) = (d0.lit(P), d0.lit(Q));
    [
        d0.mul_add(product, d2.neg_mul_add(sum, d4)),
        odd_p.mul_add(p, even_p),
        odd_p.neg_mul_add(p, even_p),
        odd_q.mul_add(q, even_q),
        odd_q.neg_mul_add(q, even_q),
        d1.mul_add(product, d3.neg_mul_add(sum, d5)),
    ]
}

/// Three weights, as a polynomial, at the points; divided by the slopes there.
#[inline(always)]
fn of_weights<V: RealVector>([w0, w1, w2]: [V; 3]) -> [V; TILE] {
    let [at_zero, at_p, at_q] = [w0.lit(1.0 / SLOPES[0]), w0.lit(1.0 / SLOPES[1]), w0.lit(1.0 / SLOPES[2])];
    let (even_p, odd_p) = (w2.mul_add(w2.lit(P2), w0), w1.mul(w1.lit(P)));
    let (even_q, odd_q) = (w2.mul_add(w2.lit(Q2), w0), w1.mul(w1.lit(Q)));
    [
        w0.mul(at_zero),
        even_p.add(odd_p).mul(at_p),
        even_p.sub(odd_p).mul(at_p),
        even_q.add(odd_q).mul(at_q),
        even_q.sub(odd_q).mul(at_q),
        w2,
    ]
}

/// Four results of a row: the transpose of evaluating a polynomial of four coefficients at the points.
#[inline(always)]
fn of_products<V: RealVector>([m0, m1, m2, m3, m4, m5]: [V; TILE]) -> [V; OUT] {
    let (even_p, odd_p) = (m1.add(m2), m1.sub(m2));
    let (even_q, odd_q) = (m3.add(m4), m3.sub(m4));
    [
        m0.add(even_p).add(even_q),
        odd_p.mul_add(m0.lit(P), odd_q.mul(m0.lit(Q))),
        even_p.mul_add(m0.lit(P2), even_q.mul(m0.lit(Q2))),
        odd_p.mul_add(m0.lit(P * P2), odd_q.mul_add(m0.lit(Q * Q2), m5)),
    ]
}

kernel! {
    /// The transformed weights, `[AREA, ins, rows]`, of a panel: the given channels of the result, then zeros.
    ///
    /// `weight` is `[outs, ins, 3, 3]` or, `turned` around, `[ins, outs, 3, 3]` from its last element to its first.
    pub(super) fn transform_weights<T: Real>(
        simd: S, weight: &[T], ins: usize, outs: Range<usize>, turned: bool, out: &mut [T],
    ) {
        let rows = out.len() / (AREA * ins);
        let all = weight.len() / (9 * ins);
        let lanes = T::Vector::<S>::LANES;
        for channel in 0..ins {
            for first in (0..rows).step_by(lanes) {
                let mut taps = [[T::ZERO; MAX_LANES]; 9];
                for (lane, row) in outs.clone().skip(first).take(lanes).enumerate() {
                    let start = if turned { channel * all + row } else { row * ins + channel } * 9;
                    for (tap, &value) in weight[start..start + 9].iter().enumerate() {
                        taps[if turned { 8 - tap } else { tap }][lane] = value;
                    }
                }
                let mut columns = [[T::Vector::<S>::splat(simd, T::ZERO); TILE]; 3];
                for (x, column) in columns.iter_mut().enumerate() {
                    let mut weights = [T::Vector::<S>::splat(simd, T::ZERO); 3];
                    for (y, weight) in weights.iter_mut().enumerate() {
                        *weight = T::Vector::<S>::from_lanes(simd, &taps[3 * y + x]);
                    }
                    *column = of_weights(weights);
                }
                for y in 0..TILE {
                    for (x, value) in of_weights([columns[0][y], columns[1][y], columns[2][y]]).into_iter().enumerate() {
                        write(value, &mut out[((y * TILE + x) * ins + channel) * rows..][..rows], first);
                    }
                }
            }
        }
    }
}

/// Elements of a panel of tiles of one channel, and what its last vector may have too many.
const STAGED: usize = AREA * 2 * MAX_LANES + MAX_LANES;

kernel! {
    /// The transformed tiles `[AREA, channels, width]` of a panel. `arranged` goes on for a vector after the last image.
    pub(super) fn transform_images<T: Real>(simd: S, geometry: &Geometry, arranged: &[T], runs: &Runs, out: &mut [T]) {
        let lanes = T::Vector::<S>::LANES;
        let (width, channels) = (runs.width(lanes), geometry.taps() / AREA);
        let mut staged = [T::ZERO; STAGED];
        let mut reach = 0;
        for tiles in runs.iter() {
            reach = reach.max(tiles.run.source + tiles.run.len.next_multiple_of(lanes));
            assert!(tiles.run.at + tiles.run.len <= width && width <= 2 * lanes);
        }
        for channel in 0..channels {
            for (place, tap) in geometry.taps_from(channel * AREA).take(AREA).enumerate() {
                assert!(tap + reach <= arranged.len());
                for tiles in runs.iter() {
                    let run = tiles.run;
                    // SAFETY: no run reaches further than `reach`, which was just seen to be inside `arranged`; in `staged` it ends a
                    // vector after its row at most, for which there is room.
                    unsafe {
                        let target = &mut staged[place * width..];
                        copy_vectors::<T::Vector<S>>(simd, arranged, tap + run.source, run.len, target, run.at);
                    }
                }
            }
            for from in (0..width).step_by(lanes) {
                let mut columns = [[T::Vector::<S>::splat(simd, T::ZERO); TILE]; TILE];
                for (x, column) in columns.iter_mut().enumerate() {
                    for (y, value) in column.iter_mut().enumerate() {
                        *value = read::<T::Vector<S>>(simd, &staged, (y * TILE + x) * width + from);
                    }
                    *column = of_image(*column);
                }
                for y in 0..TILE {
                    let mut row = columns[0];
                    for (value, column) in row.iter_mut().zip(&columns) {
                        *value = column[y];
                    }
                    for (x, value) in of_image(row).into_iter().enumerate() {
                        write(value, out, ((y * TILE + x) * channels + channel) * width + from);
                    }
                }
            }
        }
    }
}

/// Where results go: some of the channels of images that have `channels` of them.
pub(super) struct Place<'a> {
    pub shape: &'a Conv2dShape,
    pub channels: usize,
    pub rows: Range<usize>,
    pub runs: &'a Runs,
}

kernel! {
    /// The results of a panel from their products `[AREA, rows, width]`, to their places in `output`. Whether all are finite.
    pub(super) fn transform_results<T: Real>(
        simd: S,
        products: &[T],
        rows: usize,
        filter: &Filter<'_, T>,
        place: &Place<'_>,
        output: &mut [T],
    ) -> bool {
        let lanes = T::Vector::<S>::LANES;
        let ([height, cols], width) = (place.shape.output(), place.runs.width(lanes));
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        // Times zero everything finite is zero, and anything else is NaN.
        let mut check = zero;
        let mut lines = [[T::ZERO; OUT * 2 * MAX_LANES]; OUT];
        for (row, channel) in place.rows.clone().enumerate() {
            let bias = T::Vector::<S>::splat(simd, filter.bias.map_or(T::ZERO, |bias| bias[row]));
            for from in (0..width).step_by(lanes) {
                let mut columns = [[zero; OUT]; TILE];
                for (x, column) in columns.iter_mut().enumerate() {
                    let mut sums = [zero; TILE];
                    for (y, sum) in sums.iter_mut().enumerate() {
                        *sum = read::<T::Vector<S>>(simd, products, ((y * TILE + x) * rows + row) * width + from);
                    }
                    *column = of_products(sums);
                }
                for (y, line) in lines.iter_mut().enumerate() {
                    let mut sums = [zero; TILE];
                    for (x, sum) in sums.iter_mut().enumerate() {
                        *sum = columns[x][y];
                    }
                    let mut values = of_products(sums);
                    for value in &mut values {
                        *value = value.add(bias);
                        check = value.mul_add(zero, check);
                        *value = match filter.activation {
                            Activation::Identity => *value,
                            Activation::Relu => zero.max(*value),
                        };
                    }
                    interleave(values, &mut line[OUT * from..]);
                }
            }
            for tiles in place.runs.iter() {
                let len = (OUT * tiles.run.len).min(cols - OUT * tiles.col);
                for (y, line) in lines.iter().enumerate().take(height - OUT * tiles.row) {
                    let start = (tiles.image * place.channels + channel) * height + OUT * tiles.row + y;
                    let target = &mut output[start * cols + OUT * tiles.col..][..len];
                    let source = &line[OUT * tiles.run.at..][..len];
                    for at in (0..len).step_by(lanes) {
                        write(read::<T::Vector<S>>(simd, source, at), target, at);
                    }
                }
            }
        }
        check.reduce_add() == T::ZERO
    }
}

/// `out[4 t + j]` is lane `t` of vector `j`.
#[inline(always)]
fn interleave<V: RealVector>(values: [V; OUT], out: &mut [V::Elem]) {
    let lanes = [values[0].to_lanes(), values[1].to_lanes(), values[2].to_lanes(), values[3].to_lanes()];
    for (t, group) in out[..OUT * V::LANES].chunks_exact_mut(OUT).enumerate() {
        for (j, value) in group.iter_mut().enumerate() {
            *value = lanes[j][t];
        }
    }
}
