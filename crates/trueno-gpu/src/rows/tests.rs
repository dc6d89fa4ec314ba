use trueno_core::{DType, Error, Layout, f16};
use trueno_kernels::{AxisBlocks, Isa, norm, softmax as cpu};

use super::*;
use crate::testing::{assert_close, device, gather, read, samples, shaped, upload};

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn softmax_and_its_gradients_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for (rows, columns) in [(3, 4), (5, 7), (1, 1), (70, 33), (4, 1000), (2, 4099), (2, 40_000), (2, 9001)] {
        let values = samples(1, rows * columns, [-5.0, 5.0]);
        let gradient = samples(2, rows * columns, [-1.0, 1.0]);
        let (x, g) = (upload(device, &values), upload(device, &gradient));
        let (view, g) = (shaped(&x, &[rows, columns]), shaped(&g, &[rows, columns]));
        let blocks = AxisBlocks::rows(rows, columns);
        let (exact, slope) = (wide(&values), wide(&gradient));
        let (mut y, mut want) = (vec![0.0; exact.len()], vec![0.0; exact.len()]);
        cpu::softmax(Isa::best(), &exact, blocks, &mut y);
        assert_close("softmax", &read(softmax(&view, 1)), &y, 1e-6);
        cpu::softmax_gradient(Isa::best(), &y, &slope, blocks, &mut want);
        let single = upload(device, &y.iter().map(|&y| y as f32).collect::<Vec<_>>());
        assert_close("softmax gradient", &read(softmax_grad(&shaped(&single, &[rows, columns]), &g, 1)), &want, 2e-6);
        cpu::log_softmax(Isa::best(), &exact, blocks, &mut y);
        assert_close("log_softmax", &read(log_softmax(&view, 1)), &y, 1e-5);
        cpu::log_softmax_gradient(Isa::best(), &y, &slope, blocks, &mut want);
        let single = upload(device, &y.iter().map(|&y| y as f32).collect::<Vec<_>>());
        let got = read(log_softmax_grad(&shaped(&single, &[rows, columns]), &g, 1));
        assert_close("log_softmax gradient", &got, &want, 1e-5);
    }
}

#[test]
fn any_axis_of_any_view_and_special_values() {
    let Some(device) = device() else { return };
    let values = samples(3, 240, [-3.0, 3.0]);
    let x = upload(device, &values);
    for layout in
        [Layout::contiguous(&[4, 6, 10]), Layout::contiguous(&[4, 6, 10]).permute("test", &[2, 0, 1]).unwrap()]
    {
        let exact = wide(&gather(&values, &layout));
        for axis in 0..3 {
            let shape = layout.shape();
            let inner: usize = shape[axis + 1..].iter().product();
            let blocks = AxisBlocks { outer: shape[..axis].iter().product(), len: shape[axis], inner };
            let mut want = vec![0.0; 240];
            cpu::softmax(Isa::best(), &exact, blocks, &mut want);
            assert_close("softmax", &read(softmax(&View::new("test", &x, &layout).unwrap(), axis)), &want, 1e-6);
        }
    }
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let special = upload(
        device,
        &[-inf, 0.0, 0.0, -inf, -inf, -inf, -inf, -inf, inf, 0.0, 1.0, 2.0, nan, 0.0, 1.0, 2.0, 1000.0, 0.0, 0.0, 0.0],
    );
    let got = read(softmax(&shaped(&special, &[5, 4]), 1));
    assert_eq!(got[..4], [0.0, 0.5, 0.5, 0.0]);
    assert!(got[4..16].iter().all(|y| y.is_nan()), "{got:?}");
    assert_eq!(got[16..], [1.0, 0.0, 0.0, 0.0]);
    assert!(matches!(softmax(&shaped(&special, &[5, 4]), 2), Err(Error::Axis { .. })));
    assert!(read(softmax(&shaped(&special, &[5, 0]), 1)).is_empty());
}

#[test]
fn layer_norm_and_its_gradients_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for (rows, columns) in [(3, 8), (9, 5), (6, 768), (2, 8192)] {
        let [values, weights, biases, gradient] =
            [(1, rows * columns), (2, columns), (3, columns), (4, rows * columns)]
                .map(|(s, n)| samples(s, n, [-2.0, 3.0]));
        let [x, w, b, g] = [&values, &weights, &biases, &gradient].map(|values| upload(device, values));
        let (view, slope) = (shaped(&x, &[rows, columns]), shaped(&g, &[rows, columns]));
        let (w, b) = (shaped(&w, &[columns]), shaped(&b, &[columns]));
        let exact = [&values, &weights, &biases, &gradient].map(|values| wide(values));
        let (mut want, mut mean, mut rstd) = (vec![0.0; rows * columns], vec![0.0; rows], vec![0.0; rows]);
        let stats = [&mut mean[..], &mut rstd[..]];
        norm::layer_norm(Isa::best(), &exact[0], columns, Some(&exact[1]), Some(&exact[2]), 1e-5, &mut want, stats);
        let got = layer_norm(&view, 1, Some(&w), Some(&b), 1e-5).unwrap();
        let grad = layer_norm_grad(&view, &slope, 1, Some(&w), &got.mean, &got.rstd);
        let [dw, db] = layer_norm_grad_params(&view, &slope, 1, &got.mean, &got.rstd).unwrap();
        assert_close("layer_norm", &read(Ok(got.output)), &want, 1e-5);
        let mut input = vec![0.0; rows * columns];
        norm::layer_norm_gradient_input(
            Isa::best(),
            &exact[0],
            &exact[3],
            columns,
            Some(&exact[1]),
            [&mean, &rstd],
            &mut input,
        );
        assert_close("input gradient", &read(grad), &input, 2e-5);
        let (mut weight, mut bias) = (vec![0.0; columns], vec![0.0; columns]);
        norm::layer_norm_gradient_params(
            Isa::best(),
            &exact[0],
            &exact[3],
            columns,
            [&mean, &rstd],
            &mut weight,
            &mut bias,
        );
        assert_close("weight gradient", &read(Ok(dw)), &weight, 2e-5);
        assert_close("bias gradient", &read(Ok(db)), &bias, 2e-5);
        let plain = read(layer_norm(&view, 1, None, None, 1e-5).map(|got| got.output));
        norm::layer_norm(Isa::best(), &exact[0], columns, None, None, 1e-5, &mut want, [&mut mean, &mut rstd]);
        assert_close("plain", &plain, &want, 1e-5);
    }
    let x = upload(device, &[1.0; 6]);
    assert!(matches!(layer_norm(&shaped(&x, &[2, 3]), 3, None, None, 1e-5), Err(Error::Argument { .. })));
    assert!(layer_norm(&shaped(&x, &[2, 3]), 1, Some(&shaped(&x, &[2])), None, 1e-5).is_err());
}

#[test]
fn half_precision_rows() {
    let Some(device) = device() else { return };
    for columns in [12, 13] {
        let halves: Vec<f16> = samples(8, 3 * columns, [-2.0, 2.0]).into_iter().map(f16::from_f32).collect();
        let x = Buffer::from_slice(device, "test", &halves).unwrap();
        let y = softmax(&shaped(&x, &[3, columns]), 1).unwrap();
        assert_eq!(y.dtype(), DType::F16);
        let got: Vec<f32> = y.download::<f16>("test").wait().unwrap().iter().map(|y| y.to_f32()).collect();
        let mut want = vec![0.0; 3 * columns];
        let exact: Vec<f64> = halves.iter().map(|x| x.to_f64()).collect();
        cpu::softmax(Isa::best(), &exact, AxisBlocks::rows(3, columns), &mut want);
        assert_close("softmax", &got, &want, 5e-4);
    }
}
