//! Against formulas in `f64`, on every instruction set.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;
use crate::simd::Real;

const EPS: f64 = 1e-5;

fn numbers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 37 + seed * 11) % 101) as f64 / 25.0 - 2.0)).collect()
}

fn wide<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

#[track_caller]
fn close<T: Real>(got: &[T], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    let tolerance = 40.0 * T::EPSILON.to_f64();
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got.to_f64() - want).abs() <= tolerance * want.abs().max(1.0), "[{i}]: {got:?}, want {want}");
    }
}

/// Mean and `1 / sqrt(var + eps)` of the chosen elements.
fn moments(x: &[f64], at: &[usize]) -> [f64; 2] {
    let n = at.len() as f64;
    let mean = at.iter().map(|&p| x[p]).sum::<f64>() / n;
    let var = at.iter().map(|&p| (x[p] - mean).powi(2)).sum::<f64>() / n;
    [mean, 1.0 / (var + EPS).sqrt()]
}

/// Gradient by `x` of a normalisation over the chosen elements, `gw` being the gradient times the weight.
fn input_gradient(x: &[f64], gw: &[f64], at: &[usize], out: &mut [f64]) {
    let n = at.len() as f64;
    let [mean, rstd] = moments(x, at);
    let total = at.iter().map(|&p| gw[p]).sum::<f64>() / n;
    let product = at.iter().map(|&p| gw[p] * (x[p] - mean) * rstd).sum::<f64>() / n;
    for &p in at {
        out[p] = rstd * (gw[p] - total - (x[p] - mean) * rstd * product);
    }
}

fn layer<T: Real>() {
    for isa in Isa::available() {
        for (rows, cols) in [(0, 4), (1, 1), (3, 5), (2, 64), (4, 133)] {
            for affine in [false, true] {
                let (x, g) = (numbers::<T>(1, rows * cols), numbers::<T>(2, rows * cols));
                let (w, b) = (numbers::<T>(3, cols), numbers::<T>(4, cols));
                let (weight, bias) = if affine { (Some(&w[..]), Some(&b[..])) } else { (None, None) };
                let (mut y, mut mean, mut rstd) = (vec![T::NAN; x.len()], vec![T::NAN; rows], vec![T::NAN; rows]);
                layer_norm(isa, &x, cols, weight, bias, EPS, &mut y, [&mut mean, &mut rstd]);
                let mut dx = vec![T::NAN; x.len()];
                layer_norm_gradient_input(isa, &x, &g, cols, weight, [&mean, &rstd], &mut dx);
                let (mut dw, mut db) = (vec![T::ONE; cols], vec![T::ONE; cols]);
                layer_norm_gradient_params(isa, &x, &g, cols, [&mean, &rstd], &mut dw, &mut db);

                let (x, g, w, b) = (wide(&x), wide(&g), wide(&w), wide(&b));
                let (mut want, mut want_dx) = (x.clone(), x.clone());
                let (mut want_dw, mut want_db) = (vec![1.0; cols], vec![1.0; cols]);
                let gw: Vec<f64> = (0..x.len()).map(|p| g[p] * if affine { w[p % cols] } else { 1.0 }).collect();
                for r in 0..rows {
                    let at: Vec<usize> = (r * cols..(r + 1) * cols).collect();
                    let [mean, rstd] = moments(&x, &at);
                    input_gradient(&x, &gw, &at, &mut want_dx);
                    for p in at {
                        let (c, normal) = (p % cols, (x[p] - mean) * rstd);
                        want[p] = if affine { normal * w[c] + b[c] } else { normal };
                        want_dw[c] += g[p] * normal;
                        want_db[c] += g[p];
                    }
                }
                close(&y, &want);
                close(&dx, &want_dx);
                close(&dw, &want_dw);
                close(&db, &want_db);
            }
        }
    }
}

#[test]
fn layer_norm_f32() {
    layer::<f32>();
}

#[test]
fn layer_norm_f64() {
    layer::<f64>();
}

fn batch<T: Real>() {
    for isa in Isa::available() {
        for [n, c, s] in [[1, 1, 3], [4, 3, 1], [2, 3, 7], [3, 2, 40], [5, 33, 1], [2, 2, 0]] {
            let shape = ChannelShape { batch: n, channels: c, spatial: s };
            for affine in [false, true] {
                let (x, g) = (numbers::<T>(1, n * c * s), numbers::<T>(2, n * c * s));
                let (w, b) = (numbers::<T>(3, c), numbers::<T>(4, c));
                let (weight, bias) = if affine { (Some(&w[..]), Some(&b[..])) } else { (None, None) };
                let [mut mean, mut var, mut inverse] = [(); 3].map(|()| vec![T::ZERO; c]);
                // In two ranges, as threads would.
                let (low, high) = (mean.split_at_mut(c / 2), var.split_at_mut(c / 2));
                batch_moments(isa, &x, shape, 0..c / 2, low.0, high.0);
                batch_moments(isa, &x, shape, c / 2..c, low.1, high.1);
                rstd(&var, EPS, &mut inverse);
                let stats = [&mean[..], &inverse[..]];
                let mut y = vec![T::NAN; x.len()];
                batch_norm(isa, &x, shape, stats, weight, bias, &mut y);
                let (mut db, mut dw) = (vec![T::NAN; c], vec![T::NAN; c]);
                batch_norm_gradient_sums(isa, &x, &g, shape, 0..c, stats, [&mut db, &mut dw]);
                let (mut dx, mut dx_eval) = (y.clone(), y.clone());
                batch_norm_gradient_train(isa, &x, &g, shape, stats, weight, [&db, &dw], n * s, &mut dx);
                batch_norm_gradient_eval(isa, &g, shape, &inverse, weight, &mut dx_eval);
                if s == 0 {
                    continue;
                }

                let (x, g, w, b) = (wide(&x), wide(&g), wide(&w), wide(&b));
                let [mut want, mut want_dx, mut want_eval] = [(); 3].map(|()| x.clone());
                let (mut want_dw, mut want_db) = (vec![0.0; c], vec![0.0; c]);
                let channel = |p: usize| p / s % c;
                let factor = |p: usize| if affine { w[channel(p)] } else { 1.0 };
                let gw: Vec<f64> = (0..x.len()).map(|p| g[p] * factor(p)).collect();
                for k in 0..c {
                    let at: Vec<usize> = (0..x.len()).filter(|&p| channel(p) == k).collect();
                    let [mean, rstd] = moments(&x, &at);
                    input_gradient(&x, &gw, &at, &mut want_dx);
                    for p in at {
                        let normal = (x[p] - mean) * rstd;
                        want[p] = normal * factor(p) + if affine { b[k] } else { 0.0 };
                        want_eval[p] = gw[p] * rstd;
                        want_dw[k] += g[p] * normal;
                        want_db[k] += g[p];
                    }
                }
                close(&y, &want);
                close(&dx, &want_dx);
                close(&dx_eval, &want_eval);
                close(&dw, &want_dw);
                close(&db, &want_db);
            }
        }
    }
}

#[test]
fn batch_norm_f32() {
    batch::<f32>();
}

#[test]
fn batch_norm_f64() {
    batch::<f64>();
}

#[test]
fn a_large_mean_costs_no_digits() {
    // The variance of 10000 + {0, 1} is 0.25; squares of the values would have no digits left for it.
    let x: Vec<f32> = (0..100_000).map(|i| 10_000.0 + (i % 2) as f32).collect();
    let shape = ChannelShape { batch: 1, channels: 1, spatial: x.len() };
    for isa in Isa::available() {
        let (mut mean, mut var) = ([0.0], [0.0]);
        batch_moments(isa, &x, shape, 0..1, &mut mean, &mut var);
        assert_eq!((mean, var), ([10_000.5], [0.25]));
    }
}

fn group<T: Real>() {
    for isa in Isa::available() {
        for [n, groups, channels, spatial] in
            [[1, 1, 1, 3], [3, 2, 3, 1], [2, 3, 2, 7], [2, 1, 5, 40], [1, 4, 1, 33], [2, 2, 19, 1], [2, 2, 2, 0]]
        {
            let shape = GroupShape { groups, channels, spatial };
            let (rows, width, total) = (n * groups, shape.per_row(), n * groups * channels * spatial);
            for affine in [false, true] {
                let (x, g) = (numbers::<T>(1, total), numbers::<T>(2, total));
                let (w, b) = (numbers::<T>(3, groups * channels), numbers::<T>(4, groups * channels));
                let (weight, bias) = if affine { (Some(&w[..]), Some(&b[..])) } else { (None, None) };
                let [mut y, mut dx] = [(); 2].map(|()| vec![T::NAN; total]);
                let [mut mean, mut rstd] = [(); 2].map(|()| vec![T::NAN; rows]);
                let [mut db, mut dw] = [(); 2].map(|()| vec![T::NAN; rows * channels]);
                // In two runs of rows, as threads would; the second starts inside a sample.
                for run in [0..rows / 3, rows / 3..rows] {
                    let (first, at) = (run.start, run.start * width..run.end * width);
                    let of_run = run.start * channels..run.end * channels;
                    let stats = [&mut mean[run.clone()], &mut rstd[run.clone()]];
                    group_norm(isa, &x[at.clone()], shape, first, weight, bias, EPS, &mut y[at.clone()], stats);
                    let (stats, sums) = ([&mean[run.clone()], &rstd[run]], [&mut db[of_run.clone()], &mut dw[of_run]]);
                    let (x, g, dx) = (&x[at.clone()], &g[at.clone()], &mut dx[at]);
                    group_norm_gradient(isa, x, g, shape, first, weight, stats, sums, Some(dx));
                }
                let mut alone = [vec![T::NAN; db.len()], vec![T::NAN; dw.len()]];
                let sums = alone.each_mut().map(|sums| &mut sums[..]);
                group_norm_gradient(isa, &x, &g, shape, 0, weight, [&mean, &rstd], sums, None);
                if spatial > 0 {
                    assert_eq!(alone, [db.clone(), dw.clone()]);
                }

                let (x, g, w, b) = (wide(&x), wide(&g), wide(&w), wide(&b));
                let [mut want, mut want_dx] = [(); 2].map(|()| x.clone());
                let [mut want_dw, mut want_db] = [(); 2].map(|()| vec![0.0; rows * channels]);
                let channel = |p: usize| p / spatial % (groups * channels);
                let gw: Vec<f64> = (0..total).map(|p| g[p] * if affine { w[channel(p)] } else { 1.0 }).collect();
                for row in 0..rows {
                    let at: Vec<usize> = (row * width..(row + 1) * width).collect();
                    let [mean, rstd] = moments(&x, &at);
                    input_gradient(&x, &gw, &at, &mut want_dx);
                    for p in at {
                        let normal = (x[p] - mean) * rstd;
                        want[p] = if affine { normal * w[channel(p)] + b[channel(p)] } else { normal };
                        want_dw[p / spatial] += g[p] * normal;
                        want_db[p / spatial] += g[p];
                    }
                }
                close(&y, &want);
                close(&dx, &want_dx);
                close(&dw, &want_dw);
                close(&db, &want_db);
            }
        }
    }
}

#[test]
fn group_norm_f32() {
    group::<f32>();
}

#[test]
fn group_norm_f64() {
    group::<f64>();
}
