use trueno_core::table::UnaryOp;
use trueno_core::{DType, Error, Layout, bf16, f16};

use super::*;
use crate::testing::{assert_close, device, gather, own, read, samples, shaped, upload, wide};

/// The product in double precision of two views of rank 3, `[B, M, K]` and `[B, K, N]`.
fn oracle(a: &[f32], left: &Layout, b: &[f32], right: &Layout) -> Vec<f64> {
    let (a, b) = (gather(a, left), gather(b, right));
    let [batch, m, k] = *left.shape() else { panic!("rank 3") };
    let n = right.shape()[2];
    let mut out = Vec::new();
    for z in 0..batch {
        for i in 0..m {
            for j in 0..n {
                let term = |p: usize| f64::from(a[(z * m + i) * k + p]) * f64::from(b[(z * k + p) * n + j]);
                out.push((0..k).map(term).sum());
            }
        }
    }
    out
}

#[test]
fn products_of_every_shape_and_layout_agree_with_the_oracle() {
    let Some(device) = device() else { return };
    for [m, n, k] in
        [[1, 1, 1], [5, 3, 7], [64, 64, 8], [65, 68, 12], [130, 20, 33], [4, 12, 2048], [1, 40, 600], [160, 132, 20]]
    {
        let (a, b) = (samples(1, 2 * m * k, [-1.0, 1.0]), samples(2, 2 * n * k, [-1.0, 1.0]));
        let (da, db) = (upload(device, &a), upload(device, &b));
        let swap =
            |rows: usize, columns: usize| Layout::contiguous(&[2, columns, rows]).swap_axes("test", 1, 2).unwrap();
        for left in [Layout::contiguous(&[2, m, k]), swap(m, k)] {
            for right in [Layout::contiguous(&[2, k, n]), swap(k, n)] {
                let (x, y) = (View::new("test", &da, &left).unwrap(), View::new("test", &db, &right).unwrap());
                let got = read(matmul(&x, &y, DType::F32, Epilogue::default()));
                let name = format!("{m} x {n} x {k}, {:?} by {:?}", left.strides(), right.strides());
                // Rounding errors of the terms add up like a random walk.
                let bound = 1e-5 * (k as f64 / 256.0).sqrt().max(1.0);
                assert_close(&name, &got, &oracle(&a, &left, &b, &right), bound);
            }
        }
    }
}

#[test]
fn a_grid_of_large_tiles() {
    let Some(device) = device() else { return };
    let (m, n, k) = (1420, 1412, 12);
    let (a, b) = (samples(1, m * k, [-1.0, 1.0]), samples(2, n * k, [-1.0, 1.0]));
    let (da, db) = (upload(device, &a), upload(device, &b));
    let got = read(matmul(&shaped(&da, &[m, k]), &shaped(&db, &[k, n]), DType::F32, Epilogue::default()));
    let want = oracle(&a, &Layout::contiguous(&[1, m, k]), &b, &Layout::contiguous(&[1, k, n]));
    assert_close("large tiles", &got, &want, 1e-5);
}

#[test]
fn batches_broadcast_and_the_epilogue_is_applied_once() {
    let Some(device) = device() else { return };
    let (a, b, c) =
        (samples(1, 3 * 6 * 40, [-1.0, 1.0]), samples(2, 40 * 10, [-1.0, 1.0]), samples(3, 10, [-1.0, 1.0]));
    let (da, db, dc) = (upload(device, &a), upload(device, &b), upload(device, &c));
    let (x, y, bias) = (shaped(&da, &[3, 6, 40]), shaped(&db, &[40, 10]), shaped(&dc, &[10]));
    let repeated = Layout::contiguous(&[40, 10]).broadcast_to("test", &[3, 40, 10]).unwrap();
    let plain = oracle(&a, &Layout::contiguous(&[3, 6, 40]), &b, &repeated);
    assert_close("broadcast", &read(matmul(&x, &y, DType::F32, Epilogue::default())), &plain, 1e-5);
    let epilogue = Epilogue { bias: Some(&bias), activation: Some((UnaryOp::Gelu, [0.0; 2])) };
    let want: Vec<f64> =
        plain.iter().enumerate().map(|(i, v)| UnaryOp::Gelu.eval(v + f64::from(c[i % 10]), [0.0; 2])).collect();
    assert_close("epilogue", &read(matmul(&x, &y, DType::F32, epilogue)), &want, 1e-5);
    // K so long that it is cut, which leaves the epilogue to kernels of its own.
    let (a, b) = (samples(4, 6 * 1024, [-0.1, 0.1]), samples(5, 1024 * 10, [-1.0, 1.0]));
    let (da, db) = (upload(device, &a), upload(device, &b));
    let plain = oracle(&a, &Layout::contiguous(&[1, 6, 1024]), &b, &Layout::contiguous(&[1, 1024, 10]));
    let want: Vec<f64> =
        plain.iter().enumerate().map(|(i, v)| UnaryOp::Gelu.eval(v + f64::from(c[i % 10]), [0.0; 2])).collect();
    let got = read(matmul(&shaped(&da, &[6, 1024]), &shaped(&db, &[1024, 10]), DType::F32, epilogue));
    assert_close("cut", &got, &want, 1e-5);
}

#[test]
fn rows_of_a_batch_by_one_matrix_are_one_product() {
    let Some(device) = device() else { return };
    let (a, b) = (samples(1, 6 * 5 * 4 * 12, [-1.0, 1.0]), samples(2, 12 * 8, [-1.0, 1.0]));
    let (da, db) = (upload(device, &a), upload(device, &b));
    let y = shaped(&db, &[12, 8]);
    let by_rows = Layout::contiguous(&[1, 12, 8]);
    let whole = Layout::contiguous(&[6, 5, 4, 12]);
    let cases = [
        whole.clone(),
        Layout::contiguous(&[120, 1, 12]),
        whole.swap_axes("test", 0, 1).unwrap(),
        whole.swap_axes("test", 1, 2).unwrap(),
        whole.flip("test", &[0]).unwrap(),
    ];
    for layout in cases {
        let x = View::new("test", &da, &layout).unwrap();
        let rows = Layout::contiguous(&[1, 120, 12]);
        let want = oracle(&gather(&a, &layout), &rows, &b, &by_rows);
        assert_close(&format!("{layout:?}"), &read(matmul(&x, &y, DType::F32, Epilogue::default())), &want, 1e-5);
    }
}

#[test]
fn half_precision_accumulates_in_single() {
    let Some(device) = &own() else { return };
    for (m, n, k) in [(128, 256, 64), (17, 9, 40), (8, 12, 700)] {
        let a: Vec<f16> = samples(1, m * k, [-1.0, 1.0]).into_iter().map(f16::from_f32).collect();
        let b: Vec<f16> = samples(2, n * k, [-1.0, 1.0]).into_iter().map(f16::from_f32).collect();
        let (da, db) =
            (Buffer::from_slice(device, "test", &a).unwrap(), Buffer::from_slice(device, "test", &b).unwrap());
        let (x, y) = (shaped(&da, &[m, k]), shaped(&db, &[k, n]));
        let wide = |values: &[f16]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
        let want = oracle(&wide(&a), &Layout::contiguous(&[1, m, k]), &wide(&b), &Layout::contiguous(&[1, k, n]));
        let single = read(matmul(&x, &y, DType::F32, Epilogue::default()));
        assert_close("f16 to f32", &single, &want, 1e-4);
        let half: Vec<f16> = matmul(&x, &y, DType::F16, Epilogue::default()).unwrap().download("test").wait().unwrap();
        assert_close("f16 to f16", &wide(&half), &want, 2e-3);
    }
    // Operands and results as matrix units take them: in whole tiles and not, either side transposed, with a bias.
    for (m, n, k) in [(256, 256, 64), (256, 512, 96), (72, 40, 24), (200, 136, 48), (1000, 8, 16), (640, 1032, 40)] {
        let halves = |stream, count| -> Vec<f16> {
            samples(stream, count, [-1.0, 1.0]).into_iter().map(f16::from_f32).collect()
        };
        let (a, b, bias) = (halves(1, m * k), halves(2, n * k), halves(3, n));
        let [da, db, dc] = [&a, &b, &bias].map(|values| Buffer::from_slice(device, "test", values).unwrap());
        let wide = |values: &[f16]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
        let turned = |rows, columns| Layout::contiguous(&[1, columns, rows]).swap_axes("test", 1, 2).unwrap();
        for left in [Layout::contiguous(&[1, m, k]), turned(m, k)] {
            for right in [Layout::contiguous(&[1, k, n]), turned(k, n)] {
                let want = oracle(&wide(&a), &left, &wide(&b), &right);
                let (x, y) = (View::new("test", &da, &left).unwrap(), View::new("test", &db, &right).unwrap());
                let name = format!("{m} x {n} x {k}, {:?} by {:?}", left.strides(), right.strides());
                let bias_view = shaped(&dc, &[n]);
                let epilogue = Epilogue { bias: Some(&bias_view), activation: Some((UnaryOp::Relu, [0.0; 2])) };
                let done: Vec<f64> =
                    want.iter().enumerate().map(|(i, v)| (v + f64::from(bias[i % n].to_f32())).max(0.0)).collect();
                device.by_each_tile(|| {
                    assert_close(&name, &read(matmul(&x, &y, DType::F32, Epilogue::default())), &want, 1e-4);
                    let half: Vec<f16> = matmul(&x, &y, DType::F16, epilogue).unwrap().download("test").wait().unwrap();
                    assert_close(&name, &wide(&half), &done, 1e-3);
                });
            }
        }
    }
    let a = Buffer::from_slice(device, "test", &[bf16::from_f32(1.5); 16]).unwrap();
    let got: Vec<bf16> = matmul(&shaped(&a, &[4, 4]), &shaped(&a, &[4, 4]), DType::BF16, Epilogue::default())
        .unwrap()
        .download("test")
        .wait()
        .unwrap();
    assert_eq!(got, [bf16::from_f32(9.0); 16]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let Some(device) = device() else { return };
    let x = upload(device, &[1.0; 12]);
    let product = |a: &[usize], b: &[usize]| matmul(&shaped(&x, a), &shaped(&x, b), DType::F32, Epilogue::default());
    assert!(product(&[3, 4], &[3, 4]).unwrap_err().to_string().contains("columns on the left (4)"));
    assert!(matches!(product(&[4], &[4, 3]), Err(Error::ShapePair { .. })));
    assert!(matches!(product(&[2, 2, 3], &[4, 3, 1]), Err(Error::Broadcast { .. })));
    assert!(read(product(&[0, 4], &[4, 3])).is_empty());
    let empty = read(product(&[2, 0], &[0, 3]));
    assert_eq!(empty, [0.0; 6]);
    let bias = shaped(&x, &[5]);
    let epilogue = Epilogue { bias: Some(&bias), activation: None };
    assert!(matmul(&shaped(&x, &[3, 4]), &shaped(&x, &[4, 3]), DType::F32, epilogue).is_err());
    let bools = Buffer::from_slice(device, "test", &[true; 4]).unwrap();
    let view = shaped(&bools, &[2, 2]);
    assert!(matches!(matmul(&view, &view, DType::Bool, Epilogue::default()), Err(Error::DType { .. })));
}

#[test]
fn integers_wrap_as_on_the_processor() {
    let Some(device) = device() else { return };
    let a = [3_i32, -7, i32::MAX, 2, 5, i32::MIN, 9, -1, 4, 11, 6, -2];
    let b = [1_i32 << 30, 5, -6, 7, i32::MAX, 3];
    let (da, db) = (Buffer::from_slice(device, "test", &a).unwrap(), Buffer::from_slice(device, "test", &b).unwrap());
    let right = Layout::contiguous(&[2, 3]).swap_axes("test", 0, 1).unwrap();
    let got =
        matmul(&shaped(&da, &[2, 2, 3]), &View::new("test", &db, &right).unwrap(), DType::I32, Epilogue::default());
    let term = |i: usize, j: usize, k: usize| a[i * 3 + k].wrapping_mul(b[j * 3 + k]);
    let sum = |i: usize, j: usize| (0..3).fold(0_i32, |sum, k| sum.wrapping_add(term(i, j, k)));
    let want: Vec<i32> = (0..8).map(|at| sum(at / 2, at % 2)).collect();
    assert_eq!(got.unwrap().download::<i32>("test").wait().unwrap(), want);
    let bytes = Buffer::from_slice(device, "test", &[200_u8, 3, 100, 7]).unwrap();
    let view = shaped(&bytes, &[2, 2]);
    let got = matmul(&view, &view, DType::U8, Epilogue::default()).unwrap().download::<u8>("test").wait().unwrap();
    let byte = |x: u32| (x % 256) as u8;
    assert_eq!(got, [byte(200 * 200 + 300), byte(600 + 21), byte(20_000 + 700), byte(300 + 49)]);
    assert!(matches!(matmul(&view, &view, DType::F32, Epilogue::default()), Err(Error::DType { .. })));
    let signed = Buffer::from_slice(device, "test", &[-128_i8, 3, 100, -7]).unwrap();
    let view = shaped(&signed, &[2, 2]);
    let got = matmul(&view, &view, DType::I8, Epilogue::default()).unwrap().download::<i8>("test").wait().unwrap();
    assert_eq!(got, [128 * 128 + 300, -128 * 3 - 21, -12_800 - 700, 300 + 49].map(|sum: i32| sum as i8));
}

#[test]
fn products_of_64_bits_are_exact_or_nearly() {
    let Some(device) = wide() else { return };
    let (m, n, k) = (5, 6, 37);
    let a: Vec<i64> = (0..2 * m * k).map(|i| (i as i64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)).collect();
    let b: Vec<i64> = (0..n * k).map(|i| (i as i64 - 9).wrapping_mul(0x2545_f491_4f6c_dd1d)).collect();
    let right = Layout::contiguous(&[n, k]).swap_axes("test", 0, 1).unwrap();
    let (da, db) = (Buffer::from_slice(device, "test", &a).unwrap(), Buffer::from_slice(device, "test", &b).unwrap());
    let (x, y) = (shaped(&da, &[2, m, k]), View::new("test", &db, &right).unwrap());
    let got = matmul(&x, &y, DType::I64, Epilogue::default()).unwrap().download::<i64>("test").wait().unwrap();
    let sum = |row: usize, column: usize| {
        let terms = (0..k).map(|at| a[row * k + at].wrapping_mul(b[column * k + at]));
        terms.fold(0_i64, i64::wrapping_add)
    };
    assert_eq!(got, (0..2 * m * n).map(|at| sum(at / n, at % n)).collect::<Vec<_>>());

    let fraction = |x: &i64| *x as f64 / i64::MAX as f64;
    let (a, b): (Vec<f64>, Vec<f64>) = (a.iter().map(fraction).collect(), b.iter().map(fraction).collect());
    let bias: Vec<f64> = (0..n).map(|i| i as f64 * 0.1 - 0.3).collect();
    let [da, db, dc] = [&a, &b, &bias].map(|x| Buffer::from_slice(device, "test", x).unwrap());
    let (x, y, c) = (shaped(&da, &[2, m, k]), View::new("test", &db, &right).unwrap(), shaped(&dc, &[n]));
    let epilogue = Epilogue { bias: Some(&c), activation: Some((UnaryOp::Tanh, [0.0; 2])) };
    let got: Vec<f64> = matmul(&x, &y, DType::F64, epilogue).unwrap().download("test").wait().unwrap();
    for (at, got) in got.iter().enumerate() {
        let terms = (0..k).map(|p| a[at / n * k + p] * b[at % n * k + p]);
        let want = (terms.sum::<f64>() + bias[at % n]).tanh();
        assert!((got - want).abs() <= 1e-14, "{at}: {got} {want}");
    }
    assert!(matches!(matmul(&x, &y, DType::F32, Epilogue::default()), Err(Error::DType { .. })));
}
