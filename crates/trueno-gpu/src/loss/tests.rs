use trueno_core::{Layout, bf16, f16};
use trueno_kernels::loss as cpu;
use trueno_kernels::{AxisBlocks, Isa, softmax};

use super::*;
use crate::testing::{all, assert_close, device, gather, read, samples, shaped, upload};

fn labels(device: &Device, labels: &[i64]) -> Buffer {
    Buffer::from_slice(device, "test", labels).unwrap()
}

/// Loss and gradient by the processor, in `f64`.
fn reference(config: &CrossEntropy, logits: &[f32], labels: &[i64], g: f64) -> (f64, Vec<f64>) {
    let wide: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
    let classes = logits.len() / labels.len();
    let ignore = config.ignore_index.unwrap_or(i64::MIN);
    let options = cpu::CrossEntropy { classes, ignore, smoothing: config.label_smoothing };
    let (mut losses, mut out) = (vec![0.0; labels.len()], vec![0.0; logits.len()]);
    cpu::cross_entropy(Isa::best(), options, &wide, labels, &mut losses).unwrap();
    let count = if config.mean { options.counted(labels) as f64 } else { 1.0 };
    let scale = vec![g / count; labels.len()];
    cpu::cross_entropy_gradient(Isa::best(), options, &wide, labels, &scale, &mut out).unwrap();
    (losses.iter().sum::<f64>() / count, out)
}

#[test]
fn losses_and_gradients_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for (rows, classes) in [(1, 1), (7, 5), (64, 10), (9, 4), (3, 1000), (5000, 8), (2, 40_001)] {
        let logits = samples(1, rows * classes, [-8.0, 8.0]);
        let classes_of: Vec<i64> = (0..rows).map(|r| ((r * 7 + 2) % classes) as i64).collect();
        let (x, l, g) = (upload(device, &logits), labels(device, &classes_of), upload(device, &[-1.5]));
        for mean in [true, false] {
            for ignore_index in [None, Some(classes_of[0]), Some(-100)] {
                for label_smoothing in [0.0, 0.25] {
                    let config = CrossEntropy { mean, ignore_index, label_smoothing };
                    let (loss, gradient) = reference(&config, &logits, &classes_of, -1.5);
                    let (logits, labels) = (shaped(&x, &[rows, classes]), all(&l));
                    let name = format!("{config:?} {rows} {classes}");
                    assert_close(&name, &read(cross_entropy(&config, &logits, &labels)), &[loss], 4e-6);
                    let got = read(cross_entropy_grad(&config, &logits, &labels, &all(&g)));
                    assert_close(&name, &got, &gradient, 2e-6);
                }
            }
        }
    }
}

#[test]
fn views_and_half_precision_are_taken() {
    let Some(device) = device() else { return };
    let config = CrossEntropy { mean: true, ignore_index: Some(3), label_smoothing: 0.1 };
    let classes_of = [3, 0, 1, 5, 2, 5, 3];
    for classes in [6, 8] {
        let values = samples(2, classes * 9, [-4.0, 4.0]);
        let layout =
            Layout::contiguous(&[classes, 9]).swap_axes("test", 0, 1).unwrap().narrow("test", 0, 1, 7).unwrap();
        let backwards = Layout::contiguous(&[7]).flip("test", &[0]).unwrap();
        let reversed: Vec<i64> = classes_of.iter().rev().copied().collect();
        let l = labels(device, &reversed);
        let l = View::new("test", &l, &backwards).unwrap();
        let (loss, gradient) = reference(&config, &gather(&values, &layout), &classes_of, 1.0);
        let (x, g) = (upload(device, &values), upload(device, &[1.0]));
        let x = View::new("test", &x, &layout).unwrap();
        assert_close("view", &read(cross_entropy(&config, &x, &l)), &[loss], 2e-6);
        assert_close("view", &read(cross_entropy_grad(&config, &x, &l, &all(&g))), &gradient, 1e-6);
        for (dtype, error) in [(DType::F16, 1e-3), (DType::BF16, 8e-3)] {
            let (x, g) = (cast(&x, dtype).unwrap(), cast(&all(&g), dtype).unwrap());
            let x = shaped(&x, &[7, classes]);
            let got = cast(&all(&cross_entropy(&config, &x, &l).unwrap()), DType::F32);
            assert_close("half", &read(got), &[loss], error);
            let got = cast(&all(&cross_entropy_grad(&config, &x, &l, &all(&g)).unwrap()), DType::F32);
            assert_close("half", &read(got), &gradient, error);
        }
    }
    let exact = [f16::from_f32(0.5), f16::from_f32(0.5)];
    let x = Buffer::from_slice(device, "test", &exact).unwrap();
    let sum = logsumexp(&all(&x), 0).unwrap().download::<f16>("test").wait().unwrap();
    assert_eq!(sum, [f16::from_f32(0.5 + std::f32::consts::LN_2)]);
    let x = Buffer::from_slice(device, "test", &[bf16::ONE; 4]).unwrap();
    assert_eq!(logsumexp(&shaped(&x, &[4, 1]), 1).unwrap().download::<bf16>("test").wait().unwrap(), [bf16::ONE; 4]);
}

#[test]
fn the_mean_of_no_rows_is_nan_and_its_gradient_zero() {
    let Some(device) = device() else { return };
    let config = CrossEntropy { mean: true, ignore_index: Some(1), label_smoothing: 0.0 };
    let (x, ones, g) = (upload(device, &[1.0; 6]), labels(device, &[1, 1]), upload(device, &[1.0]));
    let (x, g) = (shaped(&x, &[2, 3]), all(&g));
    assert!(read(cross_entropy(&config, &x, &all(&ones)))[0].is_nan());
    assert_eq!(read(cross_entropy(&CrossEntropy { mean: false, ..config }, &x, &all(&ones))), [0.0]);
    assert_eq!(read(cross_entropy_grad(&config, &x, &all(&ones), &g)), [0.0; 6]);
    let (none, nothing) = (upload(device, &[]), labels(device, &[]));
    let none = shaped(&none, &[0, 3]);
    assert!(read(cross_entropy(&config, &none, &all(&nothing)))[0].is_nan());
    assert!(read(cross_entropy_grad(&config, &none, &all(&nothing), &g)).is_empty());
}

#[test]
fn a_label_that_is_no_class_is_an_error_once_something_is_read() {
    // A device of its own: others may read at any time.
    let Some(_) = device() else { return };
    let device = &Device::open(&crate::Selector::from_env().unwrap(), &crate::Options::default()).unwrap();
    let config = CrossEntropy { mean: true, ignore_index: None, label_smoothing: 0.0 };
    let x = upload(device, &[1.0; 6]);
    for bad in [3, -1, i64::MIN, 1 << 32] {
        let l = labels(device, &[0, bad]);
        let loss = cross_entropy(&config, &shaped(&x, &[2, 3]), &all(&l)).unwrap();
        let error = loss.download::<f32>("read").wait().unwrap_err();
        assert_eq!(error, Error::Index { op: "cross_entropy", index: bad, axis: 1, size: 3 });
        // Told once; what follows is right.
        let l = labels(device, &[0, 2]);
        let loss = read(cross_entropy(&config, &shaped(&x, &[2, 3]), &all(&l)));
        assert_close("after", &loss, &[3.0_f64.ln()], 1e-6);
    }
}

#[test]
fn logarithms_of_sums_agree_with_the_processor_along_any_axis() {
    let Some(device) = device() else { return };
    let cases: [(&[usize], usize); 6] =
        [(&[5], 0), (&[4, 67], 1), (&[4, 67], 0), (&[2, 3, 8], 1), (&[3, 1], 1), (&[2, 70_000], 1)];
    for (shape, axis) in cases {
        let values = samples(3, shape.iter().product(), [-9.0, 9.0]);
        let wide: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let blocks = AxisBlocks::new(shape, axis);
        let mut want = vec![0.0; blocks.lines()];
        softmax::logsumexp(Isa::best(), &wide, blocks, &mut want);
        let x = upload(device, &values);
        let y = logsumexp(&shaped(&x, shape), axis).unwrap();
        assert_close("logsumexp", &y.download::<f32>("test").wait().unwrap(), &want, 1e-6);
        let g = samples(4, want.len(), [-2.0, 2.0]);
        let (mut slope, wide_g) = (vec![0.0; wide.len()], g.iter().map(|&g| f64::from(g)).collect::<Vec<_>>());
        softmax::logsumexp_gradient(Isa::best(), &wide, &want, &wide_g, blocks, &mut slope);
        let (mut kept, g) = (shape.to_vec(), upload(device, &g));
        kept[axis] = 1;
        let got = read(logsumexp_grad(&shaped(&x, shape), &shaped(&y, &kept), &shaped(&g, &kept)));
        assert_close("gradient", &got, &slope, 3e-6);
    }
    let special = upload(device, &[f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY, 1.0, f32::NAN, 1.0]);
    let got = read(logsumexp(&shaped(&special, &[3, 2]), 1));
    assert!(got[0] == f32::NEG_INFINITY && got[1] == f32::INFINITY && got[2].is_nan(), "{got:?}");
    let none = upload(device, &[]);
    assert_eq!(read(logsumexp(&shaped(&none, &[2, 0]), 1)), [f32::NEG_INFINITY; 2]);
    assert!(read(logsumexp(&shaped(&none, &[2, 0]), 0)).is_empty());
}

#[test]
fn errors_name_what_is_wrong() {
    let Some(device) = device() else { return };
    let config = CrossEntropy { mean: true, ignore_index: None, label_smoothing: 0.0 };
    let (x, l) = (upload(device, &[1.0; 6]), labels(device, &[0; 2]));
    let (grid, list) = (shaped(&x, &[2, 3]), all(&l));
    let refused = |result: Result<Buffer>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(cross_entropy(&config, &shaped(&x, &[3, 2]), &list), "3 rows of logits, 2 labels");
    refused(cross_entropy(&config, &all(&x), &list), "[N, C]");
    refused(cross_entropy(&config, &grid, &shaped(&x, &[2])), "labels are int64");
    refused(cross_entropy(&CrossEntropy { label_smoothing: 1.5, ..config }, &grid, &list), "label_smoothing = 1.5");
    refused(cross_entropy_grad(&config, &grid, &list, &all(&x)), "its gradient is one float32");
    refused(logsumexp(&grid, 2), "axis 2");
    refused(logsumexp(&list, 0), "int64");
}
