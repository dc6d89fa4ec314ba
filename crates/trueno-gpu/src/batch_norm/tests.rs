use trueno_core::{DType, Error, Layout, bf16};

use super::*;
use crate::testing::{assert_close, device, gather, read, samples, shaped, upload};

const EPS: f64 = 1e-3;

/// Mean, reciprocal deviation and variance of each channel.
fn moments_of(x: &[f64], channels: usize, row: usize) -> Vec<[f64; 3]> {
    let members = |c: usize| x.iter().enumerate().filter(move |(i, _)| i / row % channels == c).map(|(_, v)| v);
    (0..channels)
        .map(|c| {
            let count = members(c).count() as f64;
            let mean = members(c).sum::<f64>() / count;
            let var = members(c).map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
            [mean, 1.0 / (var + EPS).sqrt(), var]
        })
        .collect()
}

/// Result and the gradients by operand, weight and bias.
fn oracle([x, w, b, g]: [&[f64]; 4], row: usize, stats: &[[f64; 3]], training: bool) -> [Vec<f64>; 4] {
    let channels = w.len();
    let (mut gw, mut gb) = (vec![0.0; channels], vec![0.0; channels]);
    let of = |i: usize| i / row % channels;
    let h = |i: usize| (x[i] - stats[of(i)][0]) * stats[of(i)][1];
    for i in 0..x.len() {
        gw[of(i)] += g[i] * h(i);
        gb[of(i)] += g[i];
    }
    let count = (x.len() / channels) as f64;
    let y = (0..x.len()).map(|i| h(i) * w[of(i)] + b[of(i)]).collect();
    let drawn = |i: usize| if training { (gb[of(i)] + h(i) * gw[of(i)]) / count } else { 0.0 };
    let gx = (0..x.len()).map(|i| w[of(i)] * stats[of(i)][1] * (g[i] - drawn(i))).collect();
    [y, gx, gw, gb]
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn batches_and_their_gradients_agree_with_the_definition() {
    let Some(device) = device() else { return };
    for shape in
        [vec![6, 3], vec![4, 3, 5], vec![2, 5, 4, 4], vec![1, 2, 1, 3], vec![40, 3, 20, 24], vec![3000, 2, 1, 5]]
    {
        let (channels, row) = (shape[1], shape[2..].iter().product::<usize>());
        let count: usize = shape.iter().product();
        // Off centre, so that squares about zero would cancel.
        let (x, g) = (samples(1, count, [30.0, 34.0]), samples(2, count, [-1.0, 1.0]));
        let (w, b) = (samples(3, channels, [0.5, 2.0]), samples(4, channels, [-1.0, 1.0]));
        let (m, v) = (samples(5, channels, [31.0, 33.0]), samples(6, channels, [0.5, 2.0]));
        let [dx, dg, dw, db, dm, dv] = [&x, &g, &w, &b, &m, &v].map(|values| upload(device, values));
        let turned: Vec<usize> = shape.iter().rev().copied().collect();
        let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
        let turned = Layout::contiguous(&turned).permute("test", &order).unwrap();
        let (vw, vb) = (shaped(&dw, &[channels]), shaped(&db, &[channels]));
        for layout in [Layout::contiguous(&shape), turned] {
            let (vx, vg) = (View::new("test", &dx, &layout).unwrap(), View::new("test", &dg, &layout).unwrap());
            let (x, g) = (wide(&gather(&x, &layout)), wide(&gather(&g, &layout)));
            let own = moments_of(&x, channels, row);
            let known: Vec<[f64; 3]> =
                m.iter().zip(&v).map(|(&m, &v)| [f64::from(m), 1.0 / (f64::from(v) + EPS).sqrt(), 0.0]).collect();
            let (vm, vv) = (shaped(&dm, &[channels]), shaped(&dv, &[channels]));
            for (given, stats) in [(None, &own), (Some([&vm, &vv]), &known)] {
                let training = given.is_none();
                let want = oracle([&x, &wide(&w), &wide(&b), &g], row, stats, training);
                let got = batch_norm(&vx, &vw, &vb, given, EPS).unwrap();
                let name = format!("{:?}, training {training}", vx.layout());
                let all = batch_norm_grad(&vx, &vw, [&got.mean, &got.rstd], &vg, training, [true; 3]).unwrap();
                for (gradient, want) in all.into_iter().zip(&want[1..]) {
                    // Sums of products of terms that are rounded when 32 is taken off.
                    assert_close(&name, &read(Ok(gradient.unwrap())), want, 2e-5);
                }
                assert_close(&name, &read(Ok(got.output)), &want[0], 2e-5);
                let part = |at: usize| stats.iter().map(|s| s[at]).collect::<Vec<_>>();
                assert_close(&name, &read(Ok(got.mean)), &part(0), 1e-6);
                assert_close(&name, &read(Ok(got.rstd)), &part(1), 1e-5);
                assert_eq!(got.var.is_some(), training);
                if let Some(var) = got.var {
                    assert_close(&name, &read(Ok(var)), &part(2), 1e-5);
                }
            }
        }
    }
}

#[test]
fn only_what_is_needed_is_made_and_twice_the_same() {
    let Some(device) = device() else { return };
    let (x, w) = (upload(device, &samples(1, 24_000, [-1.0, 1.0])), upload(device, &[1.0, 2.0]));
    let (x, w) = (shaped(&x, &[100, 2, 120]), shaped(&w, &[2]));
    let run = || batch_norm(&x, &w, &w, None, EPS).unwrap();
    let Normalised { output, mean, rstd, .. } = run();
    assert_eq!(read(Ok(output)), read(Ok(run().output)));
    let some = |needs| batch_norm_grad(&x, &w, [&mean, &rstd], &x, true, needs).unwrap();
    assert!(matches!(some([true, false, false]), [Some(_), None, None]));
    assert!(matches!(some([false, true, false]), [None, Some(_), None]));
    assert!(matches!(some([false, false, true]), [None, None, Some(_)]));
    let first = || some([true; 3]).into_iter().flatten().map(|buffer| read(Ok(buffer))).collect::<Vec<_>>();
    assert_eq!(first(), first());
}

#[test]
fn half_precision_keeps_statistics_in_single() {
    let Some(device) = device() else { return };
    let values: Vec<bf16> = samples(1, 2 * 3 * 8, [-2.0, 2.0]).into_iter().map(bf16::from_f32).collect();
    let single: Vec<f32> = values.iter().map(|x| x.to_f32()).collect();
    let params = [1.0, 1.5, 0.5];
    let (x, y) = (Buffer::from_slice(device, "test", &values).unwrap(), upload(device, &single));
    let (half, full) =
        (Buffer::from_slice(device, "test", &params.map(bf16::from_f32)).unwrap(), upload(device, &params));
    let shape = [2, 3, 8];
    let want = batch_norm(&shaped(&y, &shape), &shaped(&full, &[3]), &shaped(&full, &[3]), None, EPS).unwrap();
    for params in [&half, &full] {
        let params = shaped(params, &[3]);
        let x = shaped(&x, &shape);
        let got = batch_norm(&x, &params, &shaped(&full, &[3]), None, EPS).unwrap();
        assert_eq!((got.output.dtype(), got.mean.dtype()), (DType::BF16, DType::F32));
        let output: Vec<bf16> = got.output.download("test").wait().unwrap();
        let rounded: Vec<bf16> =
            want.output.download::<f32>("test").wait().unwrap().into_iter().map(bf16::from_f32).collect();
        assert_eq!(output, rounded);
        let gradients = batch_norm_grad(&x, &params, [&got.mean, &got.rstd], &x, true, [true; 3]).unwrap();
        let types = gradients.map(|gradient| gradient.unwrap().dtype());
        let own = params.buffer().dtype();
        assert_eq!(types, [DType::BF16, own, own]);
    }
}

#[test]
fn nothing_stays_nothing_and_errors_name_what_is_wrong() {
    let Some(device) = device() else { return };
    let x = upload(device, &[1.0; 6]);
    let (row, empty) = (shaped(&x, &[3]), View::contiguous("test", &x, &[0, 3]).unwrap());
    let got = batch_norm(&empty, &row, &row, None, EPS).unwrap();
    assert!(got.output.is_empty());
    assert!(read(Ok(got.mean)).iter().all(|mean| mean.is_nan()));
    let three = upload(device, &[1.0; 3]);
    let [gx, gw, gb] = batch_norm_grad(&empty, &row, [&three, &three], &empty, false, [true; 3]).unwrap();
    assert!(gx.unwrap().is_empty());
    assert_eq!([read(Ok(gw.unwrap())), read(Ok(gb.unwrap()))], [[0.0; 3], [0.0; 3]]);
    let (grid, two) = (shaped(&x, &[2, 3]), shaped(&x, &[2]));
    let refused = batch_norm(&grid, &two, &two, None, EPS).unwrap_err().to_string();
    assert!(refused.contains("batch_norm") && refused.contains("weight of shape [3]"), "{refused}");
    let refused = batch_norm(&grid, &row, &row, Some([&row, &two]), EPS).unwrap_err().to_string();
    assert!(refused.contains("variance of shape [3]"), "{refused}");
    assert!(matches!(batch_norm(&two, &two, &two, None, EPS), Err(Error::Shape { .. })));
    let short = batch_norm_grad(&grid, &row, [&x, &three], &grid, true, [true; 3]);
    assert!(matches!(short, Err(Error::Argument { .. })));
    let integers = Buffer::from_slice(device, "test", &[1_i32; 6]).unwrap();
    let wrong = batch_norm(&shaped(&integers, &[2, 3]), &row, &row, None, EPS);
    assert!(matches!(wrong, Err(Error::DType { .. })));
}
