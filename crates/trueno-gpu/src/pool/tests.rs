use trueno_core::{DType, Error, Layout, bf16, f16};
use trueno_kernels::Isa;
use trueno_kernels::pool::{self as kernel, Pool2dShape};

use super::*;
use crate::testing::{assert_close, device, gather, read, samples, shaped, upload};

const CASES: [([usize; 4], Config); 6] = [
    ([2, 3, 6, 8], Config { kernel: [2, 2], stride: [2, 2], padding: [0, 0] }),
    ([1, 2, 7, 5], Config { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }),
    ([2, 1, 4, 9], Config { kernel: [1, 4], stride: [1, 3], padding: [0, 2] }),
    ([1, 1, 1, 1], Config { kernel: [1, 1], stride: [5, 5], padding: [0, 0] }),
    ([3, 5, 17, 23], Config { kernel: [5, 2], stride: [1, 3], padding: [2, 1] }),
    ([0, 3, 6, 8], Config { kernel: [3, 2], stride: [1, 2], padding: [0, 1] }),
];

fn on_processor([batch, channels, height, width]: [usize; 4], config: &Config) -> (Pool2dShape, [usize; 2]) {
    let Config { kernel, stride, padding } = *config;
    let shape = Pool2dShape { planes: batch * channels, height, width, kernel, stride, padding };
    let output = shape.output("test").unwrap();
    (shape, output)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn windows_agree_with_the_processor_on_any_view() {
    let Some(device) = device() else { return };
    for (shape, config) in CASES {
        let count = shape.iter().product();
        let values = samples(1, count, [-2.0, 2.0]);
        let x = upload(device, &values);
        let turned =
            Layout::contiguous(&[shape[3], shape[1], shape[2], shape[0]]).permute("test", &[3, 1, 2, 0]).unwrap();
        for layout in [Layout::contiguous(&shape), turned] {
            let view = View::new("test", &x, &layout).unwrap();
            let elements = wide(&gather(&values, &layout));
            let (geometry, [oh, ow]) = on_processor(shape, &config);
            let size = geometry.planes * oh * ow;
            let (mut want, mut places) = (vec![0.0; size], vec![0; size]);
            kernel::max_pool2d(Isa::best(), &geometry, &elements, &mut want, Some(&mut places));
            let Largest { output, positions } = max_pool2d(&view, &config).unwrap();
            let name = format!("{shape:?} {config:?}");
            assert_close(&name, &read(Ok(output)), &want, 0.0);
            let got: Vec<u32> = positions.download("test").wait().unwrap();
            assert_eq!(got, places.iter().map(|&place| place as u32).collect::<Vec<_>>(), "{name}");
            kernel::avg_pool2d(Isa::best(), &geometry, &elements, &mut want);
            assert_close(&name, &read(avg_pool2d(&view, &config)), &want, 1e-6);
        }
    }
}

#[test]
fn gradients_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for (shape, config) in CASES {
        let (geometry, [oh, ow]) = on_processor(shape, &config);
        let (count, size) = (shape.iter().product(), geometry.planes * oh * ow);
        let (x, g) = (samples(1, count, [-2.0, 2.0]), samples(2, size, [-1.0, 1.0]));
        let (dx, dg) = (upload(device, &x), upload(device, &g));
        // Columns from right to left, so that the gradient is a view that steps backwards.
        let made = [shape[0], shape[1], oh, ow];
        let layout = Layout::contiguous(&made).flip("test", &[3]).unwrap();
        let view = View::new("test", &dg, &layout).unwrap();
        let g = wide(&gather(&g, &layout));
        let mut want = vec![0.0; count];
        kernel::avg_pool2d_gradient(Isa::best(), &geometry, &g, &mut want);
        assert_close("avg", &read(avg_pool2d_grad(&view, shape, &config)), &want, 1e-6);
        let positions = max_pool2d(&shaped(&dx, &shape), &config).unwrap().positions;
        let places: Vec<u32> = positions.download("test").wait().unwrap();
        want.fill(0.0);
        for (i, (place, g)) in places.iter().zip(&g).enumerate() {
            want[i / (oh * ow) * shape[2] * shape[3] + *place as usize] += g;
        }
        assert_close("max", &read(max_pool2d_grad(&view, &positions, shape, &config)), &want, 1e-6);
    }
}

#[test]
fn adaptive_windows_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for (size, output) in [([5, 7], [3, 4]), ([4, 4], [1, 1]), ([2, 3], [5, 3]), ([8, 12], [4, 6]), ([6, 6], [6, 6])] {
        let shape = [2, 3, size[0], size[1]];
        let (x, g) =
            (samples(1, shape.iter().product(), [-2.0, 2.0]), samples(2, 6 * output[0] * output[1], [-1.0, 1.0]));
        let (dx, dg) = (upload(device, &x), upload(device, &g));
        let mut want = vec![0.0; g.len()];
        kernel::adaptive_avg_pool2d(Isa::best(), &wide(&x), size, output, &mut want);
        assert_close("mean", &read(adaptive_avg_pool2d(&shaped(&dx, &shape), output)), &want, 1e-6);
        let mut want = vec![0.0; x.len()];
        kernel::adaptive_avg_pool2d_gradient(&wide(&g), output, size, &mut want);
        let view = shaped(&dg, &[2, 3, output[0], output[1]]);
        assert_close("gradient", &read(adaptive_avg_pool2d_grad(&view, shape)), &want, 1e-6);
    }
}

#[test]
fn nan_is_the_largest_and_equals_are_the_first() {
    let Some(device) = device() else { return };
    let nan = f32::NAN;
    let x = upload(device, &[1.0, nan, 3.0, nan, 2.0, 2.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    let config = Config { kernel: [1, 4], stride: [1, 4], padding: [0, 0] };
    let Largest { output, positions } = max_pool2d(&shaped(&x, &[1, 1, 2, 4]), &config).unwrap();
    let got = read(Ok(output));
    assert!(got[0].is_nan());
    assert_eq!(got[1], 2.0);
    assert_eq!(positions.download::<u32>("test").wait().unwrap(), [1, 4]);
}

#[test]
fn half_precision_is_rounded_once() {
    let Some(device) = device() else { return };
    let values: Vec<f32> =
        samples(3, 2 * 3 * 5 * 7, [-2.0, 2.0]).into_iter().map(|x| f16::from_f32(x).to_f32()).collect();
    let (half, brain): (Vec<f16>, Vec<bf16>) = values.iter().map(|&x| (f16::from_f32(x), bf16::from_f32(x))).unzip();
    let config = Config { kernel: [3, 2], stride: [2, 1], padding: [1, 0] };
    let single = upload(device, &values);
    let half = Buffer::from_slice(device, "test", &half).unwrap();
    let want = read(avg_pool2d(&shaped(&single, &[2, 3, 5, 7]), &config));
    let got: Vec<f16> = avg_pool2d(&shaped(&half, &[2, 3, 5, 7]), &config).unwrap().download("test").wait().unwrap();
    assert_eq!(got, want.into_iter().map(f16::from_f32).collect::<Vec<_>>());
    let brain = Buffer::from_slice(device, "test", &brain).unwrap();
    let largest = max_pool2d(&shaped(&brain, &[2, 3, 5, 7]), &config).unwrap();
    assert_eq!(largest.output.dtype(), DType::BF16);
}

#[test]
fn what_is_no_pooling_is_an_error() {
    let Some(device) = device() else { return };
    let x = upload(device, &[1.0; 48]);
    let run = |shape: &[usize], kernel, stride, padding| {
        max_pool2d(&shaped(&x, shape), &Config { kernel, stride, padding }).map(|_| ()).unwrap_err().to_string()
    };
    assert!(run(&[3, 4, 4], [2, 2], [2, 2], [0, 0]).contains("[N, C, H, W]"));
    assert!(run(&[1, 1, 4, 4], [5, 2], [1, 1], [0, 0]).contains("height 4"));
    assert!(run(&[1, 1, 4, 4], [2, 2], [2, 0], [0, 0]).contains("stride [2, 0]"));
    assert!(run(&[1, 1, 4, 4], [2, 2], [2, 2], [2, 0]).contains("half"));
    assert!(run(&[1, 1, 4, 4], [usize::MAX, 1], [1, 1], [usize::MAX / 2, 0]).contains("65535"));
    let empty = adaptive_avg_pool2d(&shaped(&x, &[1, 1, 0, 3]), [2, 2]);
    assert!(matches!(empty, Err(Error::Shape { .. })));
    assert_eq!(read(adaptive_avg_pool2d_grad(&shaped(&x, &[1, 1, 0, 3]), [1, 1, 1, 2])), [0.0; 2]);
    let config = Config { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let g = shaped(&x, &[1, 1, 2, 3]);
    assert!(avg_pool2d_grad(&g, [1, 1, 4, 4], &config).unwrap_err().to_string().contains("[1, 1, 2, 2]"));
    let g = shaped(&x, &[1, 1, 2, 2]);
    assert!(matches!(max_pool2d_grad(&g, &x, [1, 1, 4, 4], &config), Err(Error::Argument { .. })));
    let integers = Buffer::from_slice(device, "test", &[1_i32]).unwrap();
    assert!(matches!(adaptive_avg_pool2d(&shaped(&integers, &[1, 1, 1, 1]), [1, 1]), Err(Error::DType { .. })));
}
