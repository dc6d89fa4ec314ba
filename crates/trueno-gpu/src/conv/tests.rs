use trueno_core::{DType, Error, Layout, bf16, f16};

use super::*;
use crate::testing::{assert_close, device, gather, own, read, samples, shaped, upload};

const PLAIN: Config = Config { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
const SAME: Config = Config { padding: [1, 1], ..PLAIN };

const CASES: [([usize; 4], [usize; 4], Config); 19] = [
    ([2, 3, 5, 6], [4, 3, 3, 3], SAME),
    ([1, 1, 1, 1], [1, 1, 1, 1], PLAIN),
    ([3, 4, 9, 7], [6, 2, 3, 2], Config { stride: [2, 1], padding: [0, 3], dilation: [2, 1], groups: 2 }),
    ([2, 5, 6, 6], [5, 1, 3, 3], Config { groups: 5, ..SAME }),
    ([2, 5, 6, 7], [10, 1, 3, 2], Config { groups: 5, stride: [2, 3], ..SAME }),
    ([2, 16, 5, 4], [20, 8, 3, 3], Config { groups: 2, ..SAME }),
    ([2, 3, 8, 8], [16, 3, 1, 1], Config { stride: [2, 2], ..PLAIN }),
    ([1, 2, 4, 4], [3, 2, 4, 4], Config { stride: [3, 3], ..PLAIN }),
    ([0, 2, 4, 4], [3, 2, 2, 2], PLAIN),
    ([2, 0, 4, 4], [3, 0, 2, 2], PLAIN),
    ([2, 3, 0, 4], [2, 3, 1, 2], Config { stride: [1, 2], padding: [1, 0], ..PLAIN }),
    ([2, 3, 4, 4], [0, 3, 1, 2], Config { stride: [1, 2], padding: [1, 0], ..PLAIN }),
    // Vectors along K and across, pointwise, in rows, and with more than a tile each way.
    ([3, 12, 4, 8], [72, 12, 1, 1], PLAIN),
    ([5, 12, 6, 8], [20, 12, 3, 3], SAME),
    ([9, 20, 8, 8], [68, 20, 3, 3], Config { stride: [2, 2], ..SAME }),
    ([20, 8, 10, 10], [17, 8, 3, 3], SAME),
    ([2, 4, 9, 8], [8, 4, 3, 3], Config { stride: [2, 3], padding: [3, 2], dilation: [3, 2], groups: 1 }),
    ([1, 4, 3, 3], [4, 4, 1, 1], Config { stride: [5, 2], padding: [2, 0], ..PLAIN }),
    ([33, 64, 16, 16], [130, 64, 1, 1], PLAIN),
];

/// Calls `visit(output, input, weight)` for every product that a convolution is a sum of.
fn products(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let ([_, channels, height, width], [outputs, inner, rows, columns]) = (geometry.input, geometry.weight);
    let (config, [_, _, oh, ow]) = (geometry.config, geometry.output);
    for at in 0..geometry.output.iter().product() {
        let (n, o, oy, ox) = (at / (outputs * oh * ow), at / (oh * ow) % outputs, at / ow % oh, at % ow);
        for tap in 0..inner * rows * columns {
            let (c, ky, kx) = (tap / (rows * columns), tap / columns % rows, tap % columns);
            let y = (oy * config.stride[0] + ky * config.dilation[0]).wrapping_sub(config.padding[0]);
            let x = (ox * config.stride[1] + kx * config.dilation[1]).wrapping_sub(config.padding[1]);
            if y < height && x < width {
                let channel = o / (outputs / config.groups) * inner + c;
                visit(at, ((n * channels + channel) * height + y) * width + x, o * inner * rows * columns + tap);
            }
        }
    }
}

/// The result and the gradients by input and weight, in double precision.
fn oracle(geometry: &Geometry, x: &[f32], w: &[f32], g: &[f32]) -> [Vec<f64>; 3] {
    let (mut y, mut gx, mut gw) = (vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    products(geometry, |to, from, tap| {
        y[to] += f64::from(x[from]) * f64::from(w[tap]);
        gx[from] += f64::from(g[to]) * f64::from(w[tap]);
        gw[tap] += f64::from(g[to]) * f64::from(x[from]);
    });
    [y, gx, gw]
}

/// Off by what the terms of a sum of `k` round to.
fn bound(k: usize) -> f64 {
    1e-5 * (k as f64 / 256.0).sqrt().max(1.0)
}

/// Elements as a view of the shape: in order, channels last, or a part of a larger buffer that steps backwards.
fn views(shape: [usize; 4]) -> [(usize, Layout); 3] {
    let [n, c, h, w] = shape;
    let last = Layout::contiguous(&[n, h, w, c]).permute("test", &[0, 3, 1, 2]).unwrap();
    let wide = Layout::contiguous(&[n, c, h, w + 3]).narrow("test", 3, 1, w).unwrap().flip("test", &[2, 3]).unwrap();
    [(n * c * h * w, Layout::contiguous(&shape)), (n * c * h * w, last), (n * c * h * (w + 3), wide)]
}

#[test]
fn convolutions_and_gradients_of_any_view_agree_with_loops() {
    let Some(device) = device() else { return };
    for (input, weight, config) in CASES {
        let geometry = Geometry::new("test", &config, &input, &weight).unwrap();
        let operands = views(input).into_iter().zip(views(weight)).zip(views(geometry.output));
        for (((nx, lx), (nw, lw)), (ng, lg)) in operands {
            let (x, w, g) = (samples(1, nx, [-1.0, 1.0]), samples(2, nw, [-1.0, 1.0]), samples(3, ng, [-1.0, 1.0]));
            let bias = samples(4, weight[0], [-1.0, 1.0]);
            let (dx, dw, dg, db) = (upload(device, &x), upload(device, &w), upload(device, &g), upload(device, &bias));
            let [y, gx, gw] = oracle(&geometry, &gather(&x, &lx), &gather(&w, &lw), &gather(&g, &lg));
            let view = |buffer, layout| View::new("test", buffer, layout).unwrap();
            let (vx, vw, vg) = (view(&dx, &lx), view(&dw, &lw), view(&dg, &lg));
            let name = |what: &str| format!("{what} of {:?} by {:?} {config:?}", vx.layout(), vw.layout());
            let taps = weight[1] * weight[2] * weight[3];
            assert_close(&name("result"), &read(conv2d(&vx, &vw, None, &config)), &y, bound(taps));
            let plane = geometry.output[2] * geometry.output[3];
            let shifted: Vec<f64> =
                y.iter().enumerate().map(|(i, v)| v + f64::from(bias[i / plane % weight[0]])).collect();
            let vb = shaped(&db, &[weight[0]]);
            assert_close(&name("bias"), &read(conv2d(&vx, &vw, Some(&vb), &config)), &shifted, bound(taps));
            let got = read(input_grad(&vg, &vw, input, &config));
            assert_close(&name("input gradient"), &got, &gx, bound(weight[0] * weight[2] * weight[3]));
            let got = read(weight_grad(&vg, &vx, weight, &config, vg.buffer().dtype()));
            assert_close(&name("weight gradient"), &got, &gw, bound(input[0] * plane));
        }
    }
}

#[test]
fn a_transposed_convolution_is_the_gradient_with_a_bias() {
    let Some(device) = device() else { return };
    let config = Config { stride: [2, 2], padding: [1, 0], ..PLAIN };
    let (output, weight) = ([2, 6, 7, 9], [5, 6, 3, 3]);
    let geometry = Geometry::new("test", &config, &output, &weight).unwrap();
    let (g, w) = (samples(1, geometry.output.iter().product(), [-1.0, 1.0]), samples(2, 270, [-1.0, 1.0]));
    let bias = samples(3, 6, [-1.0, 1.0]);
    let [_, want, _] = oracle(&geometry, &[0.0; 2 * 6 * 7 * 9], &w, &g);
    let want: Vec<f64> = want.iter().enumerate().map(|(i, v)| v + f64::from(bias[i / 63 % 6])).collect();
    let (dg, dw, db) = (upload(device, &g), upload(device, &w), upload(device, &bias));
    let x = shaped(&dg, &geometry.output);
    let got = conv_transpose2d(&x, &shaped(&dw, &weight), Some(&shaped(&db, &[6])), output, &config);
    assert_close("transposed", &read(got), &want, 1e-5);
}

#[test]
fn weight_gradients_over_many_positions_join_the_same_way_twice() {
    let Some(device) = device() else { return };
    let (input, weight) = ([24, 8, 20, 20], [12, 8, 3, 3]);
    let geometry = Geometry::new("test", &SAME, &input, &weight).unwrap();
    let (x, g) = (samples(1, 24 * 8 * 400, [-1.0, 1.0]), samples(2, 24 * 12 * 400, [-1.0, 1.0]));
    let (dx, dg) = (upload(device, &x), upload(device, &g));
    let run = || read(weight_grad(&shaped(&dg, &geometry.output), &shaped(&dx, &input), weight, &SAME, dg.dtype()));
    let got = run();
    let [_, _, want] = oracle(&geometry, &x, &[0.0; 12 * 8 * 9], &g);
    assert_close("parts", &got, &want, bound(24 * 400));
    assert_eq!(got, run());
}

#[test]
fn half_precision_accumulates_in_single() {
    let Some(device) = &own() else { return };
    for (input, weight, config) in [
        ([4, 8, 6, 8], [12, 8, 3, 3], SAME),
        ([2, 8, 5, 5], [6, 8, 3, 3], Config { stride: [2, 2], ..SAME }),
        ([2, 32, 8, 8], [64, 32, 1, 1], PLAIN),
        ([3, 6, 5, 5], [6, 1, 3, 3], Config { groups: 6, ..SAME }),
        // As matrix units take them: vectors, rows, steps of two, groups, taps apart, tiles that are not whole.
        ([3, 16, 8, 8], [40, 16, 1, 1], PLAIN),
        ([3, 24, 8, 8], [40, 24, 3, 3], SAME),
        ([2, 32, 16, 16], [16, 32, 3, 3], Config { stride: [2, 2], ..SAME }),
        ([2, 32, 16, 16], [64, 32, 1, 1], Config { stride: [2, 2], ..PLAIN }),
        ([2, 64, 8, 8], [64, 32, 3, 3], Config { groups: 2, ..SAME }),
        ([2, 16, 8, 12], [32, 16, 3, 3], Config { padding: [2, 2], dilation: [2, 2], ..PLAIN }),
        ([8, 64, 16, 16], [128, 64, 1, 1], PLAIN),
        // Weights that are whole tiles, the largest too.
        ([2, 64, 8, 8], [64, 64, 3, 3], SAME),
        ([2, 256, 8, 8], [128, 256, 1, 1], PLAIN),
    ] {
        let geometry = Geometry::new("test", &config, &input, &weight).unwrap();
        let rounded = |stream, count| -> Vec<f16> {
            samples(stream, count, [-1.0, 1.0]).into_iter().map(f16::from_f32).collect()
        };
        let count = |shape: [usize; 4]| shape.iter().product::<usize>();
        let (x, w, g) = (rounded(1, count(input)), rounded(2, count(weight)), rounded(3, count(geometry.output)));
        let wide = |values: &[f16]| values.iter().map(|x| x.to_f32()).collect::<Vec<_>>();
        let want = oracle(&geometry, &wide(&x), &wide(&w), &wide(&g));
        let [dx, dw, dg] = [&x, &w, &g].map(|values| Buffer::from_slice(device, "test", values).unwrap());
        let (vx, vw, vg) = (shaped(&dx, &input), shaped(&dw, &weight), shaped(&dg, &geometry.output));
        let ones = Buffer::from_slice(device, "test", &vec![f16::ONE; weight[0]]).unwrap();
        let raised: Vec<f64> = want[0].iter().map(|v| v + 1.0).collect();
        let bias = shaped(&ones, &[weight[0]]);
        device.by_each_tile(|| {
            let got: Vec<f16> = conv2d(&vx, &vw, Some(&bias), &config).unwrap().download("test").wait().unwrap();
            assert_close("bias", &wide(&got), &raised, 6e-4);
            let got = [
                conv2d(&vx, &vw, None, &config),
                input_grad(&vg, &vw, input, &config),
                weight_grad(&vg, &vx, weight, &config, vg.buffer().dtype()),
            ];
            for (got, want) in got.into_iter().zip(&want) {
                let got: Vec<f16> = got.unwrap().download("test").wait().unwrap();
                // Half a unit in the last place of the result.
                assert_close(&format!("{input:?} {weight:?}"), &wide(&got), want, 6e-4);
            }
        });
    }
    let ones = Buffer::from_slice(device, "test", &[bf16::from_f32(1.5); 72]).unwrap();
    let (x, w) = (shaped(&ones, &[1, 8, 3, 3]), shaped(&ones, &[1, 8, 3, 3]));
    let got: Vec<bf16> = conv2d(&x, &w, None, &PLAIN).unwrap().download("test").wait().unwrap();
    assert_eq!(got, [bf16::from_f32(162.0)]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let Some(device) = device() else { return };
    let buffer = upload(device, &[1.0; 512]);
    let run = |x: &[usize], w: &[usize], config: Config| {
        conv2d(&shaped(&buffer, x), &shaped(&buffer, w), None, &config).map(|_| ()).unwrap_err().to_string()
    };
    assert!(run(&[1, 3, 4, 4], &[2, 4, 3, 3], PLAIN).contains("3 channels are not 1 group(s) of 4"));
    assert!(run(&[3, 4, 4], &[2, 3, 3, 3], PLAIN).contains("[N, C, H, W]"));
    assert!(run(&[1, 3, 2, 4], &[2, 3, 3, 3], PLAIN).contains("height 2"));
    assert!(run(&[1, 4, 4, 4], &[3, 2, 3, 3], Config { groups: 2, ..PLAIN }).contains("2 groups"));
    assert!(run(&[1, 3, 4, 4], &[2, 3, 3, 3], Config { stride: [0, 1], ..PLAIN }).contains("stride [0, 1]"));
    assert!(run(&[1, 3, 4, 4], &[2, 3, 3, 3], Config { padding: [usize::MAX / 4, 0], ..PLAIN }).contains("2^30"));
    let (x, w) = (shaped(&buffer, &[1, 3, 4, 4]), shaped(&buffer, &[2, 3, 3, 3]));
    let bias = shaped(&buffer, &[3]);
    assert!(conv2d(&x, &w, Some(&bias), &PLAIN).unwrap_err().to_string().contains("bias of shape [2]"));
    let g = shaped(&buffer, &[1, 2, 2, 1]);
    assert!(input_grad(&g, &w, [1, 3, 4, 4], &PLAIN).unwrap_err().to_string().contains("[1, 2, 2, 2]"));
    assert!(matches!(weight_grad(&g, &x, [2, 3, 3, 3], &PLAIN, DType::F32), Err(Error::ShapePair { .. })));
    let integers = Buffer::from_slice(device, "test", &[1_i32; 48]).unwrap();
    let wrong = conv2d(&shaped(&integers, &[1, 3, 4, 4]), &w, None, &PLAIN);
    assert!(matches!(wrong, Err(Error::DType { got: DType::I32, .. })));
    let mixed = conv2d(&x, &shaped(&integers, &[1, 3, 4, 4]), None, &PLAIN);
    assert!(matches!(mixed, Err(Error::DType { got: DType::I32, .. })));
}
