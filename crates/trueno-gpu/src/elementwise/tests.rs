use std::sync::OnceLock;

use trueno_core::table::*;
use trueno_core::{DType, Element, Layout, SliceItem, bf16, f16};

use super::*;
use crate::testing::{SPECIAL, all, assert_close, device, gather, is_close, read, samples, shaped, upload};
use crate::{Device, Options, Selector};
use trueno_core::fuse::{Listing, Step};

/// Samples of the domain, then special values.
fn operand(stream: u64, domain: [f64; 2]) -> Vec<f32> {
    let mut values = samples(stream, 103, domain);
    values.extend(SPECIAL);
    values
}

/// Every pair of special values, and samples of both domains.
fn pair(domains: &[[f64; 2]]) -> (Vec<f32>, Vec<f32>) {
    let (mut a, mut b) = (samples(1, 50, domains[0]), samples(2, 50, domains[1]));
    for x in SPECIAL {
        for y in SPECIAL {
            a.push(x);
            b.push(y);
        }
    }
    (a, b)
}

/// The bound of a single precision result: the row's own inside its domain, and a looser one at special values, whose
/// results may be large or the difference of nearly equal numbers.
fn check(name: &str, at: usize, got: f32, want: f64, tolerance: f64, inside: bool, operands: &[f32]) {
    let bound = if inside { tolerance.max(1e-6) } else { 1e-5 };
    assert!(is_close(got, want, bound), "{name}({operands:?}) is {got:e}, not {want:e} (element {at})");
}

#[test]
fn unary_rows_agree_with_the_oracle() {
    let Some(device) = device() else { return };
    for &op in UnaryOp::ALL {
        let parameters = op.default_parameters();
        let x = operand(0, op.info().domain[0]);
        let got = read(unary(op, parameters, &all(&upload(device, &x))));
        for (i, (&x, &got)) in x.iter().zip(&got).enumerate() {
            let want = op.eval(f64::from(x), parameters);
            // In single precision a formula may overflow on its way to a finite result, as on the processor.
            let overflows = x.abs() > 1e38 && x.is_finite() && got.is_infinite();
            let want = if overflows { f64::from(got).copysign(want) } else { want };
            check(op.name(), i, got, want, op.info().tolerance[0], i < 103, &[x]);
        }
    }
}

#[test]
fn unary_gradients_agree_with_the_oracle() {
    let Some(device) = device() else { return };
    for &op in UnaryOp::ALL {
        let parameters = op.default_parameters();
        let x: Vec<f32> = samples(0, 103, op.info().domain[0]);
        let g = samples(1, x.len(), [-2.0, 2.0]);
        let saved: Vec<f32> = match op.saves() {
            Saves::Output => x.iter().map(|&x| op.eval(f64::from(x), parameters) as f32).collect(),
            Saves::Input | Saves::Nothing => x.clone(),
        };
        let got = read(unary_grad(op, parameters, &all(&upload(device, &saved)), &all(&upload(device, &g))));
        let want: Vec<f64> = x
            .iter()
            .zip(&g)
            .map(|(&x, &g)| op.eval_with_derivative(f64::from(x), parameters).1 * f64::from(g))
            .collect();
        assert_close(op.name(), &got, &want, 3e-6);
    }
}

#[test]
fn binary_rows_and_gradients_agree_with_the_oracle() {
    let Some(device) = device() else { return };
    for &op in BinaryOp::ALL {
        let (a, b) = pair(op.info().domain);
        let (da, db) = (upload(device, &a), upload(device, &b));
        let got = read(binary(op, &all(&da), &all(&db)));
        for i in 0..a.len() {
            let want = op.eval(f64::from(a[i]), f64::from(b[i]));
            check(op.name(), i, got[i], want, op.info().tolerance[0], i < 50, &[a[i], b[i]]);
        }
        let (a, b) = (shaped(&da, &[50]), shaped(&db, &[50]));
        let g = samples(3, 50, [-2.0, 2.0]);
        let gradient = upload(device, &g);
        for side in [Side::Left, Side::Right] {
            let got = read(binary_grad(op, side, &a, &b, &all(&gradient)));
            let (a, b) = pair(op.info().domain);
            let want = (0..50).map(|i| {
                let (left, right) = op.eval_gradients(f64::from(a[i]), f64::from(b[i]));
                f64::from(g[i]) * if side == Side::Left { left } else { right }
            });
            assert_close(op.name(), &got, &want.collect::<Vec<_>>(), 3e-6);
        }
    }
}

#[test]
fn comparisons_agree_with_the_oracle_also_for_nan() {
    let Some(device) = device() else { return };
    for &op in CompareOp::ALL {
        let (a, b) = pair(op.info().domain);
        let result = compare(op, &all(&upload(device, &a)), &all(&upload(device, &b))).unwrap();
        let got: Vec<bool> = result.download("test").wait().unwrap();
        for i in 0..a.len() {
            let want = op.eval(f64::from(a[i]), f64::from(b[i]));
            assert_eq!(got[i], want, "{}({:e}, {:e})", op.name(), a[i], b[i]);
        }
    }
}

#[test]
fn ternary_rows_and_gradients_agree_with_the_oracle() {
    let Some(device) = device() else { return };
    let operands = [0, 1, 2].map(|stream| samples(stream, 101, [-2.0, 2.0]));
    let buffers = [0, 1, 2].map(|i| upload(device, &operands[i]));
    let views = [0, 1, 2].map(|i| all(&buffers[i]));
    let [a, b, c] = [0, 1, 2].map(|i| operands[i].iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    for &op in TernaryOp::ALL {
        let got = read(ternary(op, [&views[0], &views[1], &views[2]]));
        let want: Vec<f64> = (0..101).map(|i| op.eval(a[i], b[i], c[i])).collect();
        assert_close(op.name(), &got, &want, op.info().tolerance[0]);
        for index in 0..3 {
            let got = read(ternary_grad(op, index, [&views[0], &views[1], &views[2]], &views[0]));
            let want: Vec<f64> = (0..101)
                .map(|i| {
                    let h = 1e-6;
                    let at = |d: f64| {
                        let shift = |k: usize| if k == index { d } else { 0.0 };
                        op.eval(a[i] + shift(0), b[i] + shift(1), c[i] + shift(2))
                    };
                    (at(h) - at(-h)) / (2.0 * h) * a[i]
                })
                .collect();
            assert_close(op.name(), &got, &want, 1e-5);
        }
    }
}

#[test]
fn integers_wrap_as_on_the_processor() {
    let Some(device) = device() else { return };
    use trueno_kernels::{Isa, Operand, elementwise as cpu};
    let a: Vec<i32> = vec![i32::MIN, i32::MAX, -7, 0, 5, 1 << 20, -1];
    let b: Vec<i32> = vec![-1, 1, 3, -9, i32::MIN, 1 << 12, i32::MAX];
    let (da, db) = (Buffer::from_slice(device, "test", &a).unwrap(), Buffer::from_slice(device, "test", &b).unwrap());
    for &op in BinaryOp::ALL.iter().filter(|op| op.info().integers) {
        let got: Vec<i32> = binary(op, &all(&da), &all(&db)).unwrap().download("test").wait().unwrap();
        let mut want = vec![0; a.len()];
        cpu::binary_int(Isa::best(), op, Operand::Slice(&a), Operand::Slice(&b), &mut want);
        assert_eq!(got, want, "{}", op.name());
    }
    for &op in UnaryOp::ALL.iter().filter(|op| op.info().integers) {
        let parameters = op.default_parameters();
        let got: Vec<i32> = unary(op, parameters, &all(&da)).unwrap().download("test").wait().unwrap();
        let mut want = vec![0; a.len()];
        cpu::unary_int(Isa::best(), op, parameters, Operand::Slice(&a), &mut want);
        assert_eq!(got, want, "{}", op.name());
    }
    let unsigned = Buffer::from_slice(device, "test", &[3_u32, u32::MAX, 0]).unwrap();
    let got = unary(UnaryOp::Neg, [0.0; 2], &all(&unsigned)).unwrap();
    assert_eq!(got.download::<u32>("test").wait().unwrap(), [3_u32.wrapping_neg(), 1, 0]);
}

#[test]
fn half_precision_is_computed_in_single_and_rounded_once() {
    let Some(device) = device() else { return };
    let values: Vec<f32> =
        (0..4001).map(|i| (i as f32 - 2000.0) * 0.37).chain([1e-6, 3e-8, 65519.0, 65520.0, 1e9]).collect();
    let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
    let brains: Vec<bf16> = values.iter().map(|&x| bf16::from_f32(x)).collect();
    let x = upload(device, &values);
    let cast_half = cast(&all(&x), DType::F16).unwrap();
    let cast_brain = cast(&all(&x), DType::BF16).unwrap();
    assert_eq!(cast_half.download::<f16>("test").wait().unwrap(), halves);
    assert_eq!(cast_brain.download::<bf16>("test").wait().unwrap(), brains);
    let tripled = ternary(TernaryOp::Fma, [&all(&cast_half), &all(&cast_half), &all(&cast_half)]).unwrap();
    let got: Vec<f16> = tripled.download("test").wait().unwrap();
    let want: Vec<f16> = halves.iter().map(|x| f16::from_f64(x.to_f64() * x.to_f64() + x.to_f64())).collect();
    let off = got.iter().zip(&want).filter(|(a, b)| a.to_bits().abs_diff(b.to_bits()) > 1).count();
    assert_eq!(off, 0, "{:?}", got.iter().zip(&want).find(|(a, b)| a != b));
    let back = read(cast(&all(&cast_brain), DType::F32));
    assert_eq!(back, brains.iter().map(|x| x.to_f32()).collect::<Vec<_>>());
}

#[test]
fn casts_agree_with_the_processor() {
    let Some(device) = device() else { return };
    fn both<A: Element + bytemuck::NoUninit, B: Element + bytemuck::CheckedBitPattern + bytemuck::NoUninit>(
        device: &Device,
        x: &[A],
    ) {
        let mut want = vec![B::default(); x.len()];
        trueno_kernels::elementwise::convert(trueno_kernels::Isa::best(), x, &mut want);
        let buffer = Buffer::from_slice(device, "test", x).unwrap();
        let got: Vec<B> = cast(&all(&buffer), B::DTYPE).unwrap().download("test").wait().unwrap();
        assert_eq!(got, want, "{} to {}", A::DTYPE, B::DTYPE);
    }
    let floats = [0.0_f32, -0.0, 1.9, -1.9, 255.5, 300.0, -5.0, 3e9, -3e9, 5e9, f32::NAN, f32::INFINITY, 0.25];
    both::<f32, i32>(device, &floats);
    both::<f32, u32>(device, &floats);
    both::<f32, u8>(device, &floats);
    both::<f32, i8>(device, &floats);
    both::<f32, bool>(device, &floats);
    let integers = [0_i32, -1, 256, i32::MIN, 77];
    both::<i32, u8>(device, &integers);
    both::<i32, i8>(device, &[0, -1, 127, 128, -129, 256, i32::MIN]);
    both::<i8, i32>(device, &[0, 1, -1, 127, -128]);
    both::<i8, u8>(device, &[0, 1, -1, 127, -128]);
    both::<i8, f32>(device, &[0, 1, -1, 127, -128]);
    both::<i8, bool>(device, &[0, 1, -128]);
    both::<i32, u32>(device, &integers);
    both::<i32, bool>(device, &integers);
    both::<i32, f32>(device, &integers);
    both::<u8, i32>(device, &[0, 1, 255]);
    both::<bool, f32>(device, &[true, false, true, true, false]);
    both::<bool, f16>(device, &[true, false, true]);
}

/// Layouts over a buffer of 4096 elements: transposed, flipped, sliced, broadcast, windowed, odd and aligned.
pub(super) fn layouts() -> Vec<Layout> {
    let grid = Layout::contiguous(&[8, 16, 32]);
    let every_other = [SliceItem::Index(1), SliceItem::Range { start: Some(1), stop: None, step: 2 }];
    vec![
        grid.clone(),
        grid.permute("test", &[2, 0, 1]).unwrap(),
        grid.flip("test", &[0, 2]).unwrap(),
        grid.narrow("test", 2, 4, 8).unwrap(),
        grid.narrow("test", 2, 3, 7).unwrap(),
        grid.slice("test", &every_other).unwrap(),
        Layout::contiguous(&[5, 1]).broadcast_to("test", &[3, 5, 12]).unwrap(),
        Layout::contiguous(&[12]).broadcast_to("test", &[7, 12]).unwrap(),
        Layout::contiguous(&[]).broadcast_to("test", &[9]).unwrap(),
        Layout::contiguous(&[64]).unfold("test", 0, 5, 3).unwrap(),
        Layout::contiguous(&[1]),
        Layout::contiguous(&[3, 0, 2]),
    ]
}

#[test]
fn views_are_read_in_place() {
    let Some(device) = device() else { return };
    let values = samples(5, 4096, [-8.0, 8.0]);
    let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
    let bools: Vec<bool> = values.iter().map(|&x| x > 0.0).collect();
    let (x, h) = (upload(device, &values), Buffer::from_slice(device, "test", &halves).unwrap());
    let m = Buffer::from_slice(device, "test", &bools).unwrap();
    for layout in layouts() {
        let view = View::new("test", &x, &layout).unwrap();
        assert_eq!(read(contiguous(&view)), gather(&values, &layout), "{layout:?}");
        let half = contiguous(&View::new("test", &h, &layout).unwrap()).unwrap();
        assert_eq!(half.download::<f16>("test").wait().unwrap(), gather(&halves, &layout), "{layout:?}");
        // A mask under one layout, a row-major operand, and a scalar: three ways to read in one kernel.
        let plain = shaped(&x, layout.shape());
        let one = shaped(&x, &[]);
        let chosen = select(&View::new("test", &m, &layout).unwrap(), &plain, &one);
        let want = gather(&bools, &layout)
            .iter()
            .zip(&values)
            .map(|(&m, &v)| if m { v } else { values[0] })
            .collect::<Vec<_>>();
        assert_eq!(read(chosen), want, "{layout:?}");
    }
}

#[test]
fn a_large_grid_has_a_second_row() {
    let Some(device) = device() else { return };
    let most = device.capabilities().groups_per_axis as usize;
    assert_eq!(record::grid(device, most), [most as u32, 1, 1]);
    let [x, y, _] = record::grid(device, most + 1);
    assert!(y == 2 && (x as usize) * 2 > most && (x as usize) * 2 <= most + 2);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let Some(device) = device() else { return };
    let x = upload(device, &[1.0; 6]);
    let error = binary(BinaryOp::Add, &shaped(&x, &[2, 3]), &shaped(&x, &[2])).unwrap_err();
    assert!(matches!(error, Error::Broadcast { op: "add", .. }), "{error}");
    let integers = Buffer::from_slice(device, "test", &[1_i32; 6]).unwrap();
    assert!(matches!(binary(BinaryOp::Add, &all(&x), &all(&integers)), Err(Error::DType { .. })));
    assert!(matches!(unary(UnaryOp::Exp, [0.0; 2], &all(&integers)), Err(Error::DType { .. })));
    let wide = Buffer::from_slice(device, "test", &[1_i64; 6]).unwrap();
    assert!(matches!(unary(UnaryOp::Exp, [0.0; 2], &all(&wide)), Err(Error::DType { .. })));
    assert!(View::contiguous("test", &x, &[7]).is_err());
    assert!(View::new("test", &x, &Layout::contiguous(&[2, 3]).broadcast_to("test", &[9, 2, 3]).unwrap()).is_ok());
    let full: Vec<f32> = fill(device, DType::F32, 5, 2.5).unwrap().download("test").wait().unwrap();
    assert_eq!(full, [2.5; 5]);
}

/// `(a * b + c * p).relu() - c`, with a number that is captured.
pub(super) fn affine() -> &'static Listing {
    static LISTING: OnceLock<Listing> = OnceLock::new();
    LISTING.get_or_init(|| {
        Listing::new(3, 1, |x, p| {
            let sum = x[0].mul(x[1]).output().add(x[2].mul(p[0]).output()).output();
            sum.relu().output().sub(x[2]).output()
        })
    })
}

/// Equal bits, or both NaN.
fn assert_same(context: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{context}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        assert!(same, "{context}: element {i} is {got:e}, not {want:e}");
    }
}

#[test]
fn fusion_changes_no_bit() {
    let Some(device) = device() else { return };
    let number = 0.7_f32;
    let [a, b, c, g] = [1, 2, 3, 4].map(|stream| upload(device, &operand(stream, [-4.0, 4.0])));
    let (a, b, c, g, p) = (all(&a), all(&b), all(&c), all(&g), upload(device, &[number]));
    let value = read(fused(affine(), &[f64::from(number)], &[&a, &b, &c]));
    let product = binary(BinaryOp::Mul, &a, &b).unwrap();
    let scaled = binary(BinaryOp::Mul, &c, &shaped(&p, &[])).unwrap();
    let sum = binary(BinaryOp::Add, &all(&product), &all(&scaled)).unwrap();
    let positive = unary(UnaryOp::Relu, [0.0; 2], &all(&sum)).unwrap();
    assert_same("value", &value, &read(binary(BinaryOp::Sub, &all(&positive), &c)));

    let by_sum = unary_grad(UnaryOp::Relu, [0.0; 2], &all(&positive), &g).unwrap();
    let by_scaled = binary(BinaryOp::Mul, &all(&by_sum), &shaped(&p, &[])).unwrap();
    let by_c = unary(UnaryOp::Neg, [0.0; 2], &g).unwrap();
    let want = [
        read(binary(BinaryOp::Mul, &all(&by_sum), &b)),
        read(binary(BinaryOp::Mul, &all(&by_sum), &a)),
        read(binary(BinaryOp::Add, &all(&by_c), &all(&by_scaled))),
    ];
    for wanted in [[true; 3], [true, false, true], [false, true, false], [false; 3]] {
        let got = fused_grad(affine(), &[f64::from(number)], &[&a, &b, &c], &g, &wanted).unwrap();
        for (i, (got, want)) in got.into_iter().zip(&want).enumerate() {
            assert_eq!(got.is_some(), wanted[i]);
            if let Some(got) = got {
                assert_same(&format!("gradient {i} of {wanted:?}"), &read(Ok(got)), want);
            }
        }
    }
}

#[test]
fn fused_formulas_read_views_and_round_half_precision_once() {
    let Some(device) = device() else { return };
    let values = samples(5, 4096, [-8.0, 8.0]);
    let x = upload(device, &values);
    let compute = |a: f32, b: f32, c: f32| (a * b + c * 0.5).max(0.0) - c;
    for layout in layouts() {
        let (view, plain, one) = (View::new("test", &x, &layout).unwrap(), shaped(&x, layout.shape()), shaped(&x, &[]));
        let want: Vec<f32> =
            gather(&values, &layout).iter().zip(&values).map(|(&a, &b)| compute(a, b, values[0])).collect();
        assert_same(&format!("{layout:?}"), &read(fused(affine(), &[0.5], &[&view, &plain, &one])), &want);
    }
    let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
    let h = Buffer::from_slice(device, "test", &halves).unwrap();
    let got = fused(affine(), &[0.5], &[&all(&h), &all(&h), &all(&h)]).unwrap();
    let want = halves.iter().map(|x| x.to_f32()).map(|x| f16::from_f32(compute(x, x, x)));
    assert_eq!(got.download::<f16>("test").wait().unwrap(), want.collect::<Vec<_>>());
}

#[test]
fn captured_numbers_are_no_part_of_a_shader() {
    if device().is_none() {
        return;
    }
    // Its own, for it counts.
    let device = &Device::open(&Selector::from_env().unwrap(), &Options::default()).unwrap();
    let x = upload(device, &[1.0, -2.0, 3.0]);
    let run = |number: f64| read(fused(affine(), &[number], &[&all(&x), &all(&x), &all(&x)]));
    assert_eq!(run(0.5), [0.5, 5.0, 7.5]);
    let before = device.stats().pipelines;
    assert_eq!(run(2.0), [2.0, 2.0, 12.0]);
    assert_eq!(device.stats().pipelines, before);
    let misfit = fused(affine(), &[], &[&all(&x), &all(&x), &all(&x)]).unwrap_err();
    assert!(misfit.to_string().contains("3 operands and 0 numbers; it takes 3 and 1"), "{misfit}");
}
