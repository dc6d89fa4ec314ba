//! The operations that networks are made of, by hand-worked values and by definition, and what they refuse.

#[macro_use]
mod refusal;

use trueno_tensor::core::f16;
use trueno_tensor::prelude::*;
use trueno_tensor::{Conv2dConfig, CrossEntropyConfig, DropoutConfig, Pool2dConfig};

#[track_caller]
fn assert_close<const N: usize>(got: &Tensor<f64, N>, want: &Tensor<f64, N>) {
    assert_eq!(got.shape(), want.shape());
    assert!(got.is_empty() || (got - want).abs().max().item() < 1e-12, "{got}\nis not\n{want}");
}

fn ramp<const N: usize>(shape: [usize; N]) -> Tensor<f64, N> {
    let size: usize = shape.iter().product();
    Tensor::from_vec((0..size).map(|i| i as f64).collect(), shape).unwrap()
}

#[test]
fn matmul_has_numpys_shape_for_every_pair_of_ranks() {
    let v = tensor![1.0_f64, 2.0, 3.0];
    let (m, n) = (ramp([2, 3]), ramp([3, 4]));
    assert_eq!(v.matmul(&v).item(), 14.0);
    assert_eq!(m.matmul(&v), tensor![8.0_f64, 26.0]);
    assert_eq!(v.matmul(&n), tensor![32.0_f64, 38.0, 44.0, 50.0]);
    assert_eq!(m.matmul(&n), tensor![[20.0_f64, 23.0, 26.0, 29.0], [56.0, 68.0, 80.0, 92.0]]);
    let (batch, other) = (ramp([5, 2, 3]), ramp([5, 3, 4]));
    let each = batch.matmul(&other);
    assert_eq!(each.slice(i![3]), batch.slice(i![3]).matmul(&other.slice(i![3])));
    assert_eq!(batch.matmul(&v).slice(i![4]), batch.slice(i![4]).matmul(&v));
    assert_eq!(v.matmul(&other).slice(i![2]), v.matmul(&other.slice(i![2])));
    assert_eq!(batch.matmul(&n).slice(i![1]), batch.slice(i![1]).matmul(&n));
    assert_eq!(m.matmul(&other).slice(i![2]), m.matmul(&other.slice(i![2])));
    let grid = ramp([2, 1, 2, 3]).matmul(&ramp([1, 5, 3, 4]));
    assert_eq!(grid.shape(), [2, 5, 2, 4]);
    assert_eq!(ramp([2, 1, 2, 3]).matmul(&other).shape(), [2, 5, 2, 4]);
    assert_eq!(v.matmul(&ramp([1, 1, 1, 1, 3, 2])).shape(), [1, 1, 1, 1, 2]);
    assert_eq!(ramp([1, 1, 1, 1, 2, 3]).matmul(&v).shape(), [1, 1, 1, 1, 2]);
    assert_eq!(tensor![[1_i64 << 62, 1]].matmul(&tensor![2_i64, 5]), tensor![i64::MIN + 5]);
}

#[test]
fn matmul_refuses_sizes_that_do_not_meet_and_names_both_shapes() {
    let (m, v, batch) = (ramp([2, 3]), ramp([2]), ramp([5, 2, 3]));
    assert_refused!(m.matmul, try_matmul(&m), "matmul", "[2, 3]", "axis -2");
    assert_refused!(m.matmul, try_matmul(&v), "matmul", "[2, 3]", "3", "2");
    assert_refused!(v.matmul, try_matmul(&ramp([3, 2])), "matmul", "[3, 2]");
    assert_refused!(batch.matmul, try_matmul(&ramp([4, 3, 1])), "matmul", "[5, 2, 3]", "[4, 3, 1]", "axis -3");
}

/// Cross-correlation as its definition reads, one sum per element.
fn naive_conv(x: &Tensor<f64, 4>, w: &Tensor<f64, 4>, c: Conv2dConfig) -> Tensor<f64, 4> {
    let [[batch, _, height, width], [outputs, inner, rows, cols]] = [x.shape(), w.shape()];
    let size = |axis: usize, size: usize, kernel: usize| {
        (size + 2 * c.padding[axis] - c.dilation[axis] * (kernel - 1) - 1) / c.stride[axis] + 1
    };
    let bordered = x.pad([[0, 0], [0, 0], [c.padding[0]; 2], [c.padding[1]; 2]], 0.0);
    Tensor::from_fn([batch, outputs, size(0, height, rows), size(1, width, cols)], |[n, o, i, j]| {
        let first = o / (outputs / c.groups) * inner;
        let terms = Tensor::from_fn([inner, rows, cols], |[k, r, s]| {
            let (y, z) = (i * c.stride[0] + r * c.dilation[0], j * c.stride[1] + s * c.dilation[1]);
            bordered.slice(i![n, first + k, y, z]).item() * w.slice(i![o, k, r, s]).item()
        });
        terms.sum().item()
    })
}

#[test]
fn convolution_is_its_definition_for_every_geometry() {
    let x = ramp([2, 4, 6, 5]) / 16.0;
    let plain = Conv2dConfig::default();
    let cases = [
        (plain, ramp([3, 4, 3, 2])),
        (Conv2dConfig { padding: [1, 2], ..plain }, ramp([3, 4, 3, 3])),
        (Conv2dConfig { stride: [2, 3], padding: [0, 1], ..plain }, ramp([2, 4, 1, 2])),
        (Conv2dConfig { dilation: [2, 1], padding: [2, 0], ..plain }, ramp([1, 4, 3, 5])),
        (Conv2dConfig { groups: 2, ..plain }, ramp([6, 2, 2, 2])),
        (Conv2dConfig { groups: 4, stride: [2, 2], padding: [1, 1], ..plain }, ramp([4, 1, 3, 3])),
    ];
    for (config, weight) in cases {
        let weight = weight / 16.0;
        let want = naive_conv(&x, &weight, config);
        assert_close(&x.conv2d(&weight, None, config), &want);
        let bias = ramp([weight.shape()[0]]);
        assert_close(&x.conv2d(&weight, Some(&bias), config), &(&want + bias.reshape([1, -1, 1, 1])));
    }
}

#[test]
fn convolution_refuses_what_does_not_fit() {
    let (x, w) = (ramp([1, 4, 5, 5]), ramp([6, 4, 3, 3]));
    let plain = Conv2dConfig::default();
    assert_refused!(x.conv2d, try_conv2d(&ramp([6, 3, 3, 3]), None, plain), "conv2d", "[1, 4, 5, 5]", "4 channels");
    assert_refused!(x.conv2d, try_conv2d(&ramp([3, 2, 3, 3]), None, Conv2dConfig { groups: 2, ..plain }), "3 output");
    assert_refused!(x.conv2d, try_conv2d(&w, Some(&ramp([5])), plain), "bias", "[6]");
    assert_refused!(x.conv2d, try_conv2d(&ramp([6, 4, 3, 6]), None, plain), "width 5");
    assert_refused!(
        x.conv2d,
        try_conv2d(&w, None, Conv2dConfig { dilation: [3, 1], ..plain }),
        "height 5",
        "dilation 3"
    );
    assert_refused!(x.conv2d, try_conv2d(&w, None, Conv2dConfig { stride: [0, 1], ..plain }), "stride [0, 1]");
    assert_refused!(x.conv2d, try_conv2d(&w, None, Conv2dConfig { groups: 0, ..plain }), "groups 0");
}

#[test]
fn pools_take_the_largest_and_the_mean_of_each_window() {
    let x = ramp([1, 1, 4, 4]);
    let window = Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    assert_eq!(x.max_pool2d(window), tensor![[[[5.0_f64, 7.0], [13.0, 15.0]]]]);
    assert_eq!(x.avg_pool2d(window), tensor![[[[2.5_f64, 4.5], [10.5, 12.5]]]]);
    let bordered = Pool2dConfig { padding: [1, 1], ..window };
    // A border never wins a maximum, but counts as zeros in a mean.
    let below = &x - 100.0;
    assert_eq!(below.max_pool2d(bordered).slice(i![0, 0, 0]), tensor![-100.0_f64, -98.0, -97.0]);
    assert_eq!(x.avg_pool2d(bordered).slice(i![0, 0, 0]), tensor![0.0_f64, 0.75, 0.75]);
    assert_eq!(x.adaptive_avg_pool2d([1, 1]).flatten(), tensor![7.5_f64]);
    // PyTorch's windows run from floor(i n / m) to ceil((i + 1) n / m): rows 0..2, 1..3 and 2..4 here.
    assert_eq!(x.adaptive_avg_pool2d([3, 1]).flatten(), tensor![3.5_f64, 7.5, 11.5]);
    assert_eq!(x.adaptive_avg_pool2d([4, 4]), x);
    let nan = tensor![[[[1.0, f32::NAN]]]];
    let row = Pool2dConfig { kernel: [1, 2], stride: [1, 2], padding: [0, 0] };
    assert!(nan.max_pool2d(row).flatten().to_vec()[0].is_nan());
}

#[test]
fn pools_refuse_windows_that_do_not_fit() {
    let x = ramp([1, 1, 4, 4]);
    let window = Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    assert_refused!(x.max_pool2d, try_max_pool2d(Pool2dConfig { kernel: [5, 2], ..window }), "max_pool2d", "height 4");
    assert_refused!(
        x.avg_pool2d,
        try_avg_pool2d(Pool2dConfig { kernel: [0, 2], ..window }),
        "avg_pool2d",
        "at least 1"
    );
    assert_refused!(x.avg_pool2d, try_avg_pool2d(Pool2dConfig { stride: [1, 0], ..window }), "avg_pool2d", "[1, 0]");
    assert_refused!(x.max_pool2d, try_max_pool2d(Pool2dConfig { padding: [2, 0], ..window }), "padding [2, 0]", "half");
    let empty = Tensor::<f32, 4>::zeros([1, 1, 0, 4]);
    assert_refused!(empty.adaptive_avg_pool2d, try_adaptive_avg_pool2d([1, 1]), "adaptive_avg_pool2d", "empty");
}

#[test]
fn softmax_and_its_logarithm_neither_overflow_nor_underflow() {
    let x = tensor![[1.0_f64, 2.0, 3.0], [1000.0, 0.0, -1000.0]];
    let e = |v: f64| v.exp();
    let total = e(1.0) + e(2.0) + e(3.0);
    assert_close(&x.softmax(1), &tensor![[e(1.0) / total, e(2.0) / total, e(3.0) / total], [1.0, 0.0, 0.0]]);
    let log = total.ln();
    assert_close(&x.log_softmax(-1), &tensor![[1.0 - log, 2.0 - log, 3.0 - log], [0.0, -1000.0, -2000.0]]);
    assert_close(&x.logsumexp_axis(1), &tensor![log, 1000.0]);
    assert_close(&x.logsumexp_keepdims(1), &tensor![[log], [1000.0]]);
    assert_close(&x.softmax(0).sum_axis(0), &Tensor::ones([3]));
    assert_close(&x.t().softmax(0), &x.softmax(1).t());
    let none = Tensor::full([2], f64::NEG_INFINITY);
    assert_eq!(none.logsumexp_axis(0).item(), f64::NEG_INFINITY);
    assert_refused!(x.softmax, try_softmax(2), "softmax", "axis 2", "rank 2");
    assert_refused!(x.log_softmax, try_log_softmax(-3), "log_softmax", "axis -3");
    assert_refused!(x.logsumexp_axis, try_logsumexp_axis(2), "logsumexp", "axis 2");
    assert_refused!(x.logsumexp_keepdims, try_logsumexp_keepdims(2), "logsumexp", "axis 2");
}

#[test]
fn layer_norm_is_over_the_axes_that_the_weight_has() {
    let x = ramp([2, 3, 4]).square();
    for_both(&x, &ramp([4]), x.mean_keepdims(2), x.var_keepdims(2, 0.0));
    let (mean, var) = (x.mean_axes([1, 2]).reshape([2, 1, 1]), x.var_axes([1, 2], 0.0).reshape([2, 1, 1]));
    for_both(&x, &ramp([3, 4]), mean, var);

    fn for_both<const K: usize>(
        x: &Tensor<f64, 3>,
        weight: &Tensor<f64, K>,
        mean: Tensor<f64, 3>,
        var: Tensor<f64, 3>,
    ) {
        let normal = (x - mean) / (var + 1e-5).sqrt();
        let shape = [vec![1; 3 - K], weight.shape().to_vec()].concat().try_into().expect("three sizes");
        let wide: Tensor<f64, 3> = weight.broadcast_to(shape);
        assert_close(&x.layer_norm(weight, weight, 1e-5), &(normal * &wide + &wide));
    }

    let short = ramp([3]);
    assert_refused!(x.layer_norm, try_layer_norm(&short, &short, 1e-5), "layer_norm", "weight", "[4]");
    assert_refused!(x.layer_norm, try_layer_norm(&ramp([4]), &short, 1e-5), "layer_norm", "bias", "[4]");
    assert_refused!(
        x.layer_norm,
        try_layer_norm(&ramp([2, 2, 3, 4]), &ramp([2, 2, 3, 4]), 0.1),
        "layer_norm",
        "rank 3"
    );
}

#[test]
fn batch_norm_is_by_channel_and_its_statistics_are_unbiased() {
    let x = ramp([2, 3, 2, 2]).square();
    let (weight, bias) = (tensor![1.0_f64, 2.0, -1.0], tensor![0.0_f64, 0.5, 1.0]);
    let wide = |v: &Tensor<f64, 1>| v.reshape([1, 3, 1, 1]);
    let by = |mean: &Tensor<f64, 1>, var: &Tensor<f64, 1>| {
        (&x - wide(mean)) / (wide(var) + 0.1).sqrt() * wide(&weight) + wide(&bias)
    };
    let (mean, var) = (x.mean_axes([0, 2, 3]), x.var_axes([0, 2, 3], 0.0));
    assert_close(&x.batch_norm(&weight, &bias, None, 0.1), &by(&mean, &var));
    let (given_mean, given_var) = (tensor![1.0_f64, 2.0, 3.0], tensor![4.0_f64, 5.0, 6.0]);
    let running = Some((&given_mean, &given_var));
    assert_close(&x.batch_norm(&weight, &bias, running, 0.1), &by(&given_mean, &given_var));
    let (y, [batch_mean, batch_var]) = x.batch_norm_with_stats(&weight, &bias, 0.1);
    assert_close(&y, &by(&mean, &var));
    assert_close(&batch_mean, &mean);
    assert!((batch_var / x.var_axes([0, 2, 3], 1.0) - 1.0).abs().max().item() < 1e-12);
    let short = ramp([2]);
    assert_refused!(x.batch_norm, try_batch_norm(&short, &bias, None, 0.1), "batch_norm", "weight", "[3]");
    assert_refused!(x.batch_norm, try_batch_norm(&weight, &bias, Some((&mean, &short)), 0.1), "batch_norm", "[3]");
    assert_refused!(x.batch_norm_with_stats, try_batch_norm_with_stats(&weight, &short, 0.1), "batch_norm", "bias");
    assert_refused!(short.batch_norm, try_batch_norm(&weight, &bias, None, 0.1), "batch_norm", "channels");
}

#[test]
fn the_statistics_of_half_precision_are_of_half_precision() {
    let x = tensor![[1.0], [3.0]].cast::<f16>();
    let (one, zero) = (Tensor::ones([1]), Tensor::zeros([1]));
    let (y, [mean, var]) = x.batch_norm_with_stats(&one, &zero, 0.0);
    assert_eq!(y.cast::<f32>(), tensor![[-1.0], [1.0]]);
    assert_eq!((mean.to_vec(), var.to_vec()), (vec![f16::from_f32(2.0)], vec![f16::from_f32(2.0)]));
}

#[test]
fn dropout_is_a_pure_function_that_keeps_the_mean() {
    let x = Tensor::<f32, 2>::ones([300, 100]);
    let config = DropoutConfig { p: 0.4, seed: 5, call: 0 };
    let y = x.dropout(config);
    assert_eq!(y, x.dropout(config));
    assert_eq!(y, x.reshape([100, 300]).dropout(config).reshape([300, 100]));
    assert!((y.mean().item() - 1.0).abs() < 0.02 && y.ne(0.0).sum().item() < 20_000);
    assert!(y.ne(&x.dropout(DropoutConfig { call: 1, ..config })).any().item());
    assert!(y.ne(&x.dropout(DropoutConfig { seed: 6, ..config })).any().item());
    assert_eq!(x.dropout(DropoutConfig { p: 0.0, ..config }), x);
    for p in [1.0, -0.1, f64::NAN] {
        assert_refused!(x.dropout, try_dropout(DropoutConfig { p, ..config }), "dropout", "probability");
    }
}

#[test]
fn picking_by_position_counts_negative_ones_from_the_end() {
    let x = tensor![[1, 2, 3], [4, 5, 6]];
    assert_eq!(x.index_select(0, &tensor![1_i64, 1, -2]).unwrap(), tensor![[4, 5, 6], [4, 5, 6], [1, 2, 3]]);
    assert_eq!(x.index_select(-1, &tensor![2_i64, -3]).unwrap(), tensor![[3, 1], [6, 4]]);
    let none: Tensor<i64, 1> = tensor![];
    assert_eq!(x.index_select(0, &none).unwrap().shape(), [0, 3]);
    assert_eq!(x.gather(1, &tensor![[0_i64, 0], [-1, 1]]).unwrap(), tensor![[1, 1], [6, 5]]);
    assert_eq!(x.gather(0, &tensor![[1_i64, 0, 1]]).unwrap(), tensor![[4, 2, 6]]);
    let table = x.cast::<f32>();
    assert_eq!(table.embedding(&tensor![[[1_i64]]]).unwrap().shape(), [1, 1, 1, 3]);
    assert_eq!(table.embedding(&Tensor::scalar(1_i64)).unwrap(), tensor![4.0, 5.0, 6.0]);

    let refusals = [
        (x.index_select(0, &tensor![0_i64, 2]).unwrap_err(), "index 2 is out of range for axis 0 of size 2"),
        (x.index_select(1, &tensor![-4_i64]).unwrap_err(), "index -4 is out of range for axis 1 of size 3"),
        (x.index_select(2, &tensor![0_i64]).unwrap_err(), "axis 2"),
        (x.gather(1, &tensor![[3_i64]]).unwrap_err(), "index 3"),
        (x.gather(1, &tensor![[0_i64], [0], [0]]).unwrap_err(), "[3, 1]"),
        (table.embedding(&tensor![2_i64]).unwrap_err(), "index 2"),
        // Words are no positions: as in PyTorch, none is counted from the end.
        (table.embedding(&tensor![-1_i64]).unwrap_err(), "index -1"),
    ];
    for (refusal, part) in refusals {
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn cross_entropy_is_the_mean_or_sum_of_the_rows_that_count() {
    let x = tensor![[1.0_f64, 2.0, 3.0], [0.0, 0.0, 0.0], [5.0, 1.0, -1.0]];
    let labels = tensor![2_i64, 0, 1];
    let log = x.log_softmax(1);
    let losses = -log.gather(1, &labels.unsqueeze(1)).unwrap();
    let config = CrossEntropyConfig::default();
    let loss = |config| x.cross_entropy(&labels, config).unwrap();
    assert_close(&loss(config), &losses.mean());
    assert_close(&loss(CrossEntropyConfig { mean: false, ..config }), &losses.sum());
    let two = losses.slice(i![:2]).mean();
    assert_close(&loss(CrossEntropyConfig { ignore_index: Some(1), ..config }), &two);
    let smooth = losses.mean() * 0.9 - log.mean() * 0.1;
    assert_close(&loss(CrossEntropyConfig { label_smoothing: 0.1, ..config }), &smooth);
    let beyond = tensor![2_i64, -100, -100];
    let ignoring = CrossEntropyConfig { ignore_index: Some(-100), ..config };
    assert_close(&x.cross_entropy(&beyond, ignoring).unwrap(), &losses.slice(i![0, 0]));
    let none = x.cross_entropy(&Tensor::full([3], -100), ignoring).unwrap();
    assert!(none.item().is_nan());

    let refusals = [
        (x.cross_entropy(&tensor![0_i64, 1, 3], config).unwrap_err(), "index 3"),
        (x.cross_entropy(&beyond, config).unwrap_err(), "index -100"),
        (x.cross_entropy(&tensor![0_i64], config).unwrap_err(), "3 rows of logits, 1 labels"),
        (x.cross_entropy(&labels, CrossEntropyConfig { label_smoothing: 1.5, ..config }).unwrap_err(), "1.5"),
    ];
    for (refusal, part) in refusals {
        let text = refusal.to_string();
        assert!(text.starts_with("cross_entropy") && text.contains(part), "{text}");
    }
}
