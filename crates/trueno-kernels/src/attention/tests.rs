use super::*;
use std::vec::Vec;
use std::{format, vec};

fn ramp(len: usize, salt: usize) -> Vec<f64> {
    (0..len).map(|i| ((i * 37 + salt * 11) % 101) as f64 / 40.0 - 1.2).collect()
}

/// Results and weights by the definition.
fn naive(sizes: [usize; 4], settings: &Attention<'_, f64>, mask: &[f64], x: [&[f64]; 3]) -> (Vec<f64>, Vec<f64>) {
    let [queries, keys, width, values] = sizes;
    let [q, k, v] = x;
    let (mut out, mut weights) = (Vec::new(), Vec::new());
    for i in 0..queries {
        let score = |j: usize| {
            let dot: f64 = (0..width).map(|e| q[i * width + e] * k[j * width + e]).sum();
            let hidden = settings.causal && j > i;
            if hidden { f64::NEG_INFINITY } else { dot * settings.scale + mask.get(i * keys + j).unwrap_or(&0.0) }
        };
        let exps: Vec<f64> = (0..keys).map(|j| score(j).exp()).collect();
        let total: f64 = exps.iter().sum();
        let row: Vec<f64> = exps.iter().map(|e| if total == 0.0 { 0.0 } else { e / total }).collect();
        out.extend((0..values).map(|c| (0..keys).map(|j| row[j] * v[j * values + c]).sum::<f64>()));
        weights.extend(row);
    }
    (out, weights)
}

fn run<T: Real>(isa: Isa, sizes: [usize; 4], settings: &Attention<'_, T>, x: [&[T]; 3]) -> (Vec<T>, Vec<T>) {
    let [queries, keys, width, values] = sizes;
    let (k, v) = (MatRef::row_major(x[1], keys, width), MatRef::row_major(x[2], keys, values));
    let (mut out, mut log_sum) = (vec![T::NAN; queries * values], vec![T::NAN; queries]);
    let mut scratch = vec![T::NAN; scratch_len::<T>(isa, sizes)];
    let q = MatRef::row_major(x[0], queries, width);
    for first in (0..queries).step_by(QUERIES) {
        let rows = first..queries.min(first + QUERIES);
        let (out, log_sum) = (&mut out[rows.start * values..rows.end * values], &mut log_sum[rows.clone()]);
        attention(isa, settings, first, [q.block(rows, 0..width), k, v], out, log_sum, &mut scratch);
    }
    (out, log_sum)
}

fn assert_close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= 1e-12 * want.abs().max(1.0), "{what}, element {i}: {got}, not {want}");
    }
}

/// Sizes within a tile and across several of both kinds, with and without masks; row 1 of a masked one sees nothing.
fn cases() -> Vec<([usize; 4], bool, Vec<f64>)> {
    let mut cases = Vec::new();
    for sizes in [[1, 1, 1, 1], [5, 7, 4, 3], [QUERIES + 3, KEYS + 9, 8, 5], [QUERIES, KEYS * 2, 3, 17], [3, 0, 2, 2]] {
        for causal in [false, true] {
            let len = sizes[0] * sizes[1];
            let hidden = |i: usize| i / sizes[1] == 1 || i % 5 == 3;
            let mask = (0..len).map(|i| if hidden(i) { f64::NEG_INFINITY } else { (i % 7) as f64 / 5.0 }).collect();
            cases.extend([(sizes, causal, Vec::new()), (sizes, causal, mask)]);
        }
    }
    cases
}

#[test]
fn results_are_those_of_the_definition_on_every_level() {
    for (sizes, causal, mask) in cases() {
        let [queries, keys, width, values] = sizes;
        let (q, k, v) = (ramp(queries * width, 0), ramp(keys * width, 1), ramp(keys * values, 2));
        let view = (!mask.is_empty()).then(|| MatRef::row_major(&mask, queries, keys));
        let settings = Attention { scale: 0.7, causal, mask: view };
        let (want, _) = naive(sizes, &settings, &mask, [&q, &k, &v]);
        for isa in Isa::available() {
            let (out, _) = run(isa, sizes, &settings, [&q, &k, &v]);
            assert_close(&out, &want, &format!("{isa:?} {sizes:?} causal {causal}"));
        }
    }
}

#[test]
fn gradients_are_those_of_the_definition_on_every_level() {
    for (sizes, causal, mask) in cases() {
        let [queries, keys, width, values] = sizes;
        let (q, k, v) = (ramp(queries * width, 0), ramp(keys * width, 1), ramp(keys * values, 2));
        let g = ramp(queries * values, 3);
        let view = (!mask.is_empty()).then(|| MatRef::row_major(&mask, queries, keys));
        let settings = Attention { scale: 0.7, causal, mask: view };
        let (out, p) = naive(sizes, &settings, &mask, [&q, &k, &v]);
        let mut want = [vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]];
        for i in 0..queries {
            let dot: f64 = (0..values).map(|c| g[i * values + c] * out[i * values + c]).sum();
            for j in 0..keys {
                let p = p[i * keys + j];
                let slope: f64 = (0..values).map(|c| g[i * values + c] * v[j * values + c]).sum();
                let ds = p * (slope - dot) * 0.7;
                (0..values).for_each(|c| want[2][j * values + c] += p * g[i * values + c]);
                (0..width).for_each(|e| want[0][i * width + e] += ds * k[j * width + e]);
                (0..width).for_each(|e| want[1][j * width + e] += ds * q[i * width + e]);
            }
        }
        for isa in Isa::available() {
            let (out, log_sum) = run(isa, sizes, &settings, [&q, &k, &v]);
            let [mut gq, mut gk, mut gv] = [vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]];
            let mut scratch = vec![f64::NAN; gradient_scratch_len::<f64>(isa, sizes)];
            let operands = [(&q, queries, width), (&k, keys, width), (&v, keys, values)];
            let operands = operands.map(|(x, rows, cols)| MatRef::row_major(x, rows, cols));
            let results = [&out, &g].map(|x| MatRef::row_major(x, queries, values));
            let gradients = [&mut gq[..], &mut gk[..], &mut gv[..]];
            attention_gradient(isa, &settings, operands, results, &log_sum, gradients, &mut scratch);
            for (got, want) in [gq, gk, gv].iter().zip(&want) {
                assert_close(got, want, &format!("{isa:?} {sizes:?} causal {causal}"));
            }
        }
    }
}

#[test]
fn nan_and_infinite_scores_spread_as_in_softmax() {
    for isa in Isa::available() {
        let sizes = [2, 3, 1, 1];
        let settings = Attention { scale: 1.0, causal: false, mask: None };
        let (q, v) = ([1.0_f32, 0.0], [1.0, 2.0, 3.0]);
        for odd in [f32::NAN, f32::INFINITY] {
            let (out, _) = run(isa, sizes, &settings, [&q, &[odd, 0.0, 1.0], &v]);
            assert!(out[0].is_nan(), "{isa:?} {odd}");
        }
        let (out, _) = run(isa, sizes, &settings, [&q, &[1000.0, -1000.0, 0.0], &v]);
        assert_eq!(out, [1.0, 2.0], "{isa:?}");
    }
}
