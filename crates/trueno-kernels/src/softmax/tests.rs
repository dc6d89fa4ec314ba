//! Against formulas in `f64`, on every instruction set, for rows and for the middle of arrays.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;

const SHAPES: [AxisBlocks; 8] = [
    AxisBlocks { outer: 3, len: 1, inner: 1 },
    AxisBlocks { outer: 5, len: 7, inner: 1 },
    AxisBlocks { outer: 2, len: 100, inner: 1 },
    AxisBlocks { outer: 1, len: 5000, inner: 1 },
    AxisBlocks { outer: 2, len: 5, inner: 3 },
    AxisBlocks { outer: 3, len: 4, inner: 37 },
    AxisBlocks { outer: 0, len: 4, inner: 3 },
    AxisBlocks { outer: 2, len: 0, inner: 3 },
];

fn numbers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 37 + seed * 11) % 101) as f64 / 10.0 - 5.0)).collect()
}

/// Calls `f` with the positions of each line.
fn lines(shape: AxisBlocks, mut f: impl FnMut(usize, Vec<usize>)) {
    for o in 0..shape.outer {
        for i in 0..shape.inner {
            f(o * shape.inner + i, (0..shape.len).map(|j| (o * shape.len + j) * shape.inner + i).collect());
        }
    }
}

fn close<T: Real>(got: &[T], want: &[f64], what: &str) {
    let tolerance = 8.0 * T::EPSILON.to_f64();
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got.to_f64() - want).abs();
        assert!(got.to_f64() == *want || error <= tolerance * want.abs().max(1.0), "{what}[{i}]: {got:?}, want {want}");
    }
}

fn values_and_gradients<T: Real>() {
    for isa in Isa::available() {
        for shape in SHAPES {
            let (x, g) = (numbers::<T>(1, shape.elements()), numbers::<T>(2, shape.elements()));
            let line_g = numbers::<T>(3, shape.lines());
            let mut want = [(); 5].map(|()| vec![0.0; x.len()]);
            let mut want_lse = vec![0.0; shape.lines()];
            let [soft, log, soft_grad, log_grad, lse_grad] = &mut want;
            lines(shape, |line, at| {
                let sum: f64 = at.iter().map(|&p| x[p].to_f64().exp()).sum();
                want_lse[line] = sum.ln();
                for &p in &at {
                    soft[p] = x[p].to_f64().exp() / sum;
                    log[p] = x[p].to_f64() - sum.ln();
                }
                let dot: f64 = at.iter().map(|&p| soft[p] * g[p].to_f64()).sum();
                let total: f64 = at.iter().map(|&p| g[p].to_f64()).sum();
                for &p in &at {
                    soft_grad[p] = soft[p] * (g[p].to_f64() - dot);
                    log_grad[p] = g[p].to_f64() - soft[p] * total;
                    lse_grad[p] = soft[p] * line_g[line].to_f64();
                }
            });
            let (mut y, mut dx, mut lse) = (x.clone(), x.clone(), vec![T::ZERO; shape.lines()]);
            softmax(isa, &x, shape, &mut y);
            close(&y, soft, "softmax");
            softmax_gradient(isa, &y, &g, shape, &mut dx);
            close(&dx, soft_grad, "softmax_gradient");
            log_softmax(isa, &x, shape, &mut y);
            close(&y, log, "log_softmax");
            log_softmax_gradient(isa, &y, &g, shape, &mut dx);
            close(&dx, log_grad, "log_softmax_gradient");
            logsumexp(isa, &x, shape, &mut lse);
            close(&lse, &want_lse, "logsumexp");
            logsumexp_gradient(isa, &x, &lse, &line_g, shape, &mut dx);
            close(&dx, lse_grad, "logsumexp_gradient");
        }
    }
}

#[test]
fn values_and_gradients_f32() {
    values_and_gradients::<f32>();
}

#[test]
fn values_and_gradients_f64() {
    values_and_gradients::<f64>();
}

/// A line beside many others, in a wide strip, gives the bits that it gives beside one.
fn neighbours_change_no_bit<T: Real>() {
    const LEN: usize = 9;
    let narrow = AxisBlocks { outer: 1, len: LEN, inner: 2 };
    for (isa, inner) in Isa::available().flat_map(|isa| [64, 65, 150].map(|inner| (isa, inner))) {
        let wide = AxisBlocks { inner, ..narrow };
        let [x, g] = [1, 2].map(|seed| numbers::<T>(seed, LEN * inner));
        let line_g = numbers::<T>(3, inner);
        let all = |x: &[T], g: &[T], line_g: &[T], shape: AxisBlocks| {
            let mut y = [(); 5].map(|()| vec![T::ZERO; x.len()]);
            let mut sums = vec![T::ZERO; shape.lines()];
            softmax(isa, x, shape, &mut y[0]);
            log_softmax(isa, x, shape, &mut y[1]);
            logsumexp(isa, x, shape, &mut sums);
            softmax_gradient(isa, x, g, shape, &mut y[2]);
            log_softmax_gradient(isa, x, g, shape, &mut y[3]);
            logsumexp_gradient(isa, x, &sums, line_g, shape, &mut y[4]);
            (y, sums)
        };
        let (together, sums) = all(&x, &g, &line_g, wide);
        for col in 0..inner - 1 {
            let pick = |values: &[T]| values.chunks(inner).flat_map(|row| [row[col], row[col + 1]]).collect::<Vec<_>>();
            let (apart, of_two) = all(&pick(&x), &pick(&g), &pick(&line_g), narrow);
            assert!(together.each_ref().map(|y| pick(y)) == apart, "{} {inner} {col}", isa.level());
            assert_eq!(sums[col..col + 2], of_two);
        }
    }
}

#[test]
fn neighbours_change_no_bit_of_a_line() {
    neighbours_change_no_bit::<f32>();
    neighbours_change_no_bit::<f64>();
}

#[test]
fn large_values_do_not_overflow() {
    for isa in Isa::available() {
        for inner in [1, 2] {
            let x: Vec<f32> = [1e30, -1e30, 1e30].iter().flat_map(|&v| vec![v; inner]).collect();
            let shape = AxisBlocks { outer: 1, len: 3, inner };
            let mut y = vec![0.0; x.len()];
            softmax(isa, &x, shape, &mut y);
            assert_eq!((y[0], y[inner], y[2 * inner]), (0.5, 0.0, 0.5));
            log_softmax(isa, &x, shape, &mut y);
            assert_eq!(y[inner], -2e30);
        }
    }
}

#[test]
fn nan_and_infinities_as_in_pytorch() {
    const INF: f64 = f64::INFINITY;
    // (line, every softmax is NaN, logsumexp)
    let cases = [
        ([-INF, -INF, -INF], true, -INF),
        ([INF, 0.0, 1.0], true, INF),
        ([f64::NAN, 0.0, 1.0], true, f64::NAN),
        ([1.0, 0.0, f64::NAN], true, f64::NAN),
        ([-INF, 0.0, -INF], false, 0.0),
    ];
    for isa in Isa::available() {
        for (line, all_nan, lse) in cases {
            for inner in [1, 3] {
                // Long enough for a whole vector of any instruction set.
                let x: Vec<f64> = line.iter().cycle().take(21).flat_map(|&v| vec![v; inner]).collect();
                let shape = AxisBlocks { outer: 1, len: 21, inner };
                let (mut y, mut sums) = (vec![0.0; x.len()], vec![0.0; inner]);
                softmax(isa, &x, shape, &mut y);
                assert_eq!(y.iter().all(|v| v.is_nan()), all_nan, "{line:?}");
                logsumexp(isa, &x, shape, &mut sums);
                for got in sums {
                    let want = if lse == 0.0 { 7.0_f64.ln() } else { lse };
                    assert!(
                        (got.is_nan() && want.is_nan()) || got == want || (got - want).abs() < 1e-12,
                        "{line:?}: {got}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_empty_axis_sums_to_nothing() {
    let mut out = [0.0; 6];
    logsumexp(Isa::best(), &[], AxisBlocks { outer: 2, len: 0, inner: 3 }, &mut out);
    assert_eq!(out, [f64::NEG_INFINITY; 6]);
}
