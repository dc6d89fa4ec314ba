//! Arithmetic of 64 bits against the processor's: integers bit for bit, and floats to the last place, because the shader's
//! functions are the kernels' own.

use proptest::prelude::*;
use trueno_core::table::{
    BinaryOp, ReduceOp, ReduceRow, ReduceVisitor, Saves, TernaryOp, TernaryRow, TernaryVisitor, UnaryOp,
};
use trueno_core::{DType, Error};
use trueno_kernels::elementwise as cpu;
use trueno_kernels::{Isa, Level, Operand};

use super::pair_tests::integers;
use super::tests::{affine, layouts};
use super::*;
use crate::testing::{all, device, gather, samples, shaped, wide};
use crate::{Device, Options, Selector};

/// Values at which formulas turn.
const SPECIAL: [f64; 34] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.5,
    -3.5,
    1e-9,
    -1e-20,
    1e-300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    4e-310,
    5e-324,
    700.0,
    -700.0,
    745.5,
    -746.0,
    30.0,
    -30.0,
    1e6,
    -123_456_789.0,
    1e15,
    1e22,
    -1e300,
    1.5,
    -33_554_433.5,
    61_728_394.5,
    4_503_599_627_370_495.5,
];

fn doubles(stream: u64, count: usize, domain: [f64; 2]) -> Vec<f64> {
    // Of two words each, so that all digits are drawn.
    let (high, low) = (samples(stream, count, domain), samples(stream + 100, count, [-1e-8, 1e-8]));
    high.iter().zip(&low).map(|(&high, &low)| f64::from(high) * (1.0 + f64::from(low))).collect()
}

fn upload<T: trueno_core::Element + bytemuck::NoUninit>(device: &Device, elements: &[T]) -> Buffer {
    Buffer::from_slice(device, "test", elements).unwrap()
}

fn read<T: trueno_core::Element + bytemuck::CheckedBitPattern + bytemuck::NoUninit>(result: Result<Buffer>) -> Vec<T> {
    result.unwrap().download("test").wait().unwrap()
}

/// What has no fused multiply-add either.
fn scalar() -> Isa {
    Isa::with_level(Level::Scalar).unwrap()
}

/// NaN for NaN, the same zero and infinity, and else as near as `bound` says, relative to the value.
fn assert_near(name: &str, got: &[f64], want: &[f64], bound: f64, operands: &dyn Fn(usize) -> Vec<f64>) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
        let near = (got - want).abs() <= bound * want.abs() + 5e-324;
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()) || (near && want != 0.0);
        assert!(same, "{name}({:?}) is {got:e}, not {want:e}", operands(at));
    }
}

/// What a gradient may be off by, of a few roundings that the driver may leave out.
const GRADIENT: f64 = 2e-14;

#[test]
fn integers_are_the_processors() {
    let Some(device) = wide() else { return };
    let x = integers();
    for &op in UnaryOp::ALL.iter().filter(|op| op.info().integers) {
        for parameters in [op.default_parameters(), [-3.0, 9e18]] {
            let mut want = vec![0; x.len()];
            cpu::unary_int(Isa::best(), op, parameters, Operand::Slice(&x), &mut want);
            assert_eq!(read::<i64>(unary(op, parameters, &all(&upload(device, &x)))), want, "{}", op.name());
        }
    }
    let corners: Vec<i64> = [0, 1, -1, 2, i64::MIN, i64::MIN + 1, i64::MAX, 1 << 32, -(1 << 32), 0xffff_ffff].to_vec();
    let a: Vec<i64> = corners.iter().flat_map(|&a| corners.iter().map(move |_| a)).collect();
    let b = corners.repeat(corners.len());
    for &op in BinaryOp::ALL.iter().filter(|op| op.info().integers) {
        let mut want = vec![0; a.len()];
        cpu::binary_int(Isa::best(), op, Operand::Slice(&a), Operand::Slice(&b), &mut want);
        assert_eq!(
            read::<i64>(binary(op, &all(&upload(device, &a)), &all(&upload(device, &b)))),
            want,
            "{}",
            op.name()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_integers_are_the_processors(pairs in prop::collection::vec(any::<(i64, i64)>(), 1..70), shift in 0..3_usize) {
        let Some(device) = wide() else { return Ok(()) };
        let (a, b): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        let (da, db) = (upload(device, &a), upload(device, &b));
        let shift = shift.min(a.len() - 1);
        let layout = Layout::contiguous(&[a.len()]).narrow("test", 0, shift, a.len() - shift).unwrap();
        let layout = layout.flip("test", &[0]).unwrap();
        let (x, y) = (View::new("test", &da, &layout).unwrap(), View::new("test", &db, &layout).unwrap());
        let (a, b) = (gather(&a, &layout), gather(&b, &layout));
        for &op in BinaryOp::ALL.iter().filter(|op| op.info().integers) {
            let mut want = vec![0; a.len()];
            cpu::binary_int(Isa::best(), op, Operand::Slice(&a), Operand::Slice(&b), &mut want);
            prop_assert_eq!(read::<i64>(binary(op, &x, &y)), want, "{}", op.name());
        }
        for &op in UnaryOp::ALL.iter().filter(|op| op.info().integers) {
            let parameters = op.default_parameters();
            let mut want = vec![0; a.len()];
            cpu::unary_int(Isa::best(), op, parameters, Operand::Slice(&a), &mut want);
            prop_assert_eq!(read::<i64>(unary(op, parameters, &x)), want, "{}", op.name());
        }
    }
}

#[test]
fn unary_rows_of_doubles_are_the_processors() {
    let Some(device) = wide() else { return };
    for &op in UnaryOp::ALL {
        let parameters = op.default_parameters();
        let mut x = doubles(1, 203, op.info().domain[0]);
        x.extend(SPECIAL);
        let mut want = vec![0.0; x.len()];
        cpu::unary(scalar(), op, parameters, Operand::Slice(&x), &mut want);
        let there = upload(device, &x);
        let got = read(unary(op, parameters, &all(&there)));
        assert_near(op.name(), &got, &want, op.info().tolerance[1], &|at| vec![x[at]]);
        let saved = if op.saves() == Saves::Output { &want } else { &x };
        let g = doubles(2, x.len(), [-2.0, 2.0]);
        let mut want = vec![0.0; x.len()];
        cpu::unary_grad(scalar(), op, parameters, Operand::Slice(saved), Operand::Slice(&g), &mut want);
        let got: Vec<f64> = read(unary_grad(op, parameters, &all(&upload(device, saved)), &all(&upload(device, &g))));
        if op.info().cancels.in_gradient() {
            // Of what cancels, devices that fuse keep more: errors are relative to what there was before.
            let far = |(got, want): (&f64, &f64)| (got - want).abs() > GRADIENT * want.abs().max(2.0);
            assert!(!got.iter().zip(&want).any(far), "{}: {got:?}, not {want:?}", op.name());
        } else {
            assert_near(op.name(), &got, &want, GRADIENT, &|at| vec![saved[at], g[at]]);
        }
    }
}

#[test]
fn angles_of_any_size_are_reduced() {
    let Some(device) = wide() else { return };
    let x: Vec<f64> =
        (0..1020).map(|power| 1.37 * 2.0_f64.powi(power)).chain([6381956970095103.0 * 2_f64.powi(797)]).collect();
    for op in [UnaryOp::Sin, UnaryOp::Cos, UnaryOp::Tan] {
        let mut want = vec![0.0; x.len()];
        cpu::unary(scalar(), op, [0.0; 2], Operand::Slice(&x), &mut want);
        let got = read(unary(op, [0.0; 2], &all(&upload(device, &x))));
        assert_near(op.name(), &got, &want, 1e-15, &|at| vec![x[at]]);
    }
}

#[test]
fn binary_rows_of_doubles_are_the_processors() {
    let Some(device) = wide() else { return };
    for &op in BinaryOp::ALL {
        let [mut a, mut b] = [0, 1].map(|at| doubles(at as u64, 100, op.info().domain[at]));
        a.extend(SPECIAL.iter().flat_map(|&a| SPECIAL.map(|_| a)));
        b.extend(SPECIAL.repeat(SPECIAL.len()));
        let mut want = vec![0.0; a.len()];
        cpu::binary(scalar(), op, Operand::Slice(&a), Operand::Slice(&b), &mut want);
        let (x, y) = (upload(device, &a), upload(device, &b));
        let got = read(binary(op, &all(&x), &all(&y)));
        assert_near(op.name(), &got, &want, op.info().tolerance[1], &|at| vec![a[at], b[at]]);
        let g = doubles(3, 100, [-2.0, 2.0]);
        let (x, y, there) = (shaped(&x, &[100]), shaped(&y, &[100]), upload(device, &g));
        for side in [Side::Left, Side::Right] {
            let got = read(binary_grad(op, side, &x, &y, &all(&there)));
            let want = (0..100).map(|at| {
                let (left, right) = op.eval_gradients(a[at], b[at]);
                g[at] * if side == Side::Left { left } else { right }
            });
            assert_near(op.name(), &got, &want.collect::<Vec<_>>(), 5.0 * GRADIENT, &|at| vec![a[at], b[at], g[at]]);
        }
    }
}

/// A gradient by one operand, or that of a reduction of 7.5 elements, at a point, in the table's own words.
struct Grad(usize, [f64; 3], f64);

impl TernaryVisitor for Grad {
    type Output = f64;
    fn visit<R: TernaryRow>(self) -> f64 {
        R::grad(self.0, self.1, self.2)
    }
}

impl ReduceVisitor for Grad {
    type Output = f64;
    fn visit<R: ReduceRow>(self) -> f64 {
        let [x, c, y] = self.1;
        R::grad(x, c, y, self.2, 7.5)
    }
}

#[test]
fn ternary_rows_and_gradients_of_reductions_are_the_oracles() {
    let Some(device) = wide() else { return };
    for &op in TernaryOp::ALL {
        let [a, b, c] = [0, 1, 2].map(|at| doubles(at as u64, 57, op.info().domain[at]));
        let mut want = vec![0.0; 57];
        let slices = [&a, &b, &c].map(|x| Operand::Slice(&x[..]));
        cpu::ternary(scalar(), op, slices[0], slices[1], slices[2], &mut want);
        let there = [&a, &b, &c].map(|x| upload(device, x));
        let views = [all(&there[0]), all(&there[1]), all(&there[2])];
        let operands = [&views[0], &views[1], &views[2]];
        let got = read(ternary(op, operands));
        assert_near(op.name(), &got, &want, op.info().tolerance[1], &|at| vec![a[at], b[at], c[at]]);
        let g = doubles(3, 57, [-2.0, 2.0]);
        let by = upload(device, &g);
        for index in 0..3 {
            let want: Vec<f64> = (0..57).map(|i| op.dispatch(Grad(index, [a[i], b[i], c[i]], g[i]))).collect();
            let got = read(ternary_grad(op, index, operands, &all(&by)));
            assert_near(op.name(), &got, &want, GRADIENT, &|at| vec![a[at], b[at], c[at]]);
        }
    }
    for op in [ReduceOp::Mean, ReduceOp::NormL2, ReduceOp::Std] {
        let [x, c, y, g] = [0, 1, 2, 3].map(|at| doubles(at, 9, [0.5, 2.0]));
        let want: Vec<f64> = (0..9).map(|i| op.dispatch(Grad(0, [x[i], c[i], y[i]], g[i]))).collect();
        let there = [&x, &c, &y, &g].map(|x| upload(device, x));
        let got = read(reduce_grad(op, 7.5, [&all(&there[0]), &all(&there[1]), &all(&there[2]), &all(&there[3])]));
        assert_near(op.name(), &got, &want, GRADIENT, &|at| vec![x[at]]);
    }
}

#[test]
fn views_of_numbers_are_read_in_place() {
    let Some(device) = wide() else { return };
    let values: Vec<i64> = (0..4096).map(|i| (i - 2000) * 0x1_2345_6789).collect();
    let doubles: Vec<f64> = values.iter().map(|&i| i as f64 * 0.37).collect();
    let (x, d) = (upload(device, &values), upload(device, &doubles));
    for layout in layouts() {
        let (plain, one) = (shaped(&x, layout.shape()), shaped(&x, &[]));
        let got = binary(BinaryOp::Sub, &View::new("test", &x, &layout).unwrap(), &plain).unwrap();
        let got: Vec<i64> = read(binary(BinaryOp::Mul, &shaped(&got, layout.shape()), &one));
        let want = gather(&values, &layout).into_iter().zip(&values);
        let want: Vec<i64> = want.map(|(a, &b)| (a - b).wrapping_mul(values[0])).collect();
        assert_eq!(got, want, "{layout:?}");
        let (view, plain, one) = (View::new("test", &d, &layout).unwrap(), shaped(&d, layout.shape()), shaped(&d, &[]));
        let want = gather(&doubles, &layout).into_iter().zip(&doubles);
        let want: Vec<f64> = want.map(|(a, &b)| (a * b + doubles[0] * 0.7).max(0.0) - doubles[0]).collect();
        assert_eq!(read::<f64>(fused(affine(), &[0.7], &[&view, &plain, &one])), want, "{layout:?}");
    }
}

#[test]
fn formulas_of_doubles_have_gradients() {
    let Some(device) = wide() else { return };
    let [a, b, c, g] = [1, 2, 3, 4].map(|stream| doubles(stream, 61, [-4.0, 4.0]));
    let there = [&a, &b, &c, &g].map(|x| upload(device, x));
    let [x, y, z, by] = [0, 1, 2, 3].map(|at| all(&there[at]));
    let got = fused_grad(affine(), &[0.7], &[&x, &y, &z], &by, &[true, false, true]).unwrap();
    let got: Vec<Option<Vec<f64>>> = got.into_iter().map(|by| by.map(|by| read(Ok(by)))).collect();
    for i in 0..61 {
        let want = affine().gradients(&[a[i], b[i], c[i]], &[0.7], g[i], &[true, false, true]);
        for (got, want) in got.iter().zip(want) {
            assert_eq!(got.as_ref().map(|got| got[i]), want, "{i}");
        }
    }
}

/// A device that was opened without the features, as many adapters are.
#[test]
fn without_the_features_an_error_names_them_and_the_rest_works() {
    if device().is_none() {
        return;
    }
    let options = Options { wide: false, ..Options::default() };
    let device = &Device::open(&Selector::from_env().unwrap(), &options).unwrap();
    assert!(!device.capabilities().i64 && !device.capabilities().f64);
    let (x, d) = (upload(device, &[3_i64, -4]), upload(device, &[0.5_f64, -2.0]));
    let refused = |result: Result<Buffer>, words: &[&str]| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::DType { .. }), "{error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    let name = &device.info().name;
    let integer = ["int64", "SHADER_INT64", "cast it to int32", "CPU", name];
    let double = ["float64", "SHADER_F64", "cast it to float32", "CPU", name];
    refused(binary(BinaryOp::Add, &all(&x), &all(&x)), &integer);
    refused(unary(UnaryOp::Neg, [0.0; 2], &all(&x)), &integer);
    refused(unary(UnaryOp::Exp, [0.0; 2], &all(&d)), &double);
    refused(binary(BinaryOp::Mul, &all(&d), &all(&d)), &double);
    refused(fused(affine(), &[0.5], &[&all(&d), &all(&d), &all(&d)]), &double);
    refused(crate::reduce::reduce(ReduceOp::Max, &all(&x), &[0], 0.0), &integer);
    refused(crate::reduce::reduce(ReduceOp::Sum, &all(&d), &[0], 0.0), &double);
    refused(crate::scan::cumsum(&all(&d), 0), &double);
    let square = |x| crate::matmul::matmul(&shaped(x, &[2, 1]), &shaped(x, &[1, 2]), x.dtype(), Default::default());
    refused(square(&x), &integer);
    refused(square(&d), &double);
    // What needs no arithmetic.
    assert_eq!(read::<f32>(cast(&all(&d), DType::F32)), [0.5, -2.0]);
    assert_eq!(read::<bool>(compare(CompareOp::Lt, &all(&x), &all(&x))), [false, false]);
    assert_eq!(read::<i64>(crate::reduce::reduce(ReduceOp::Sum, &all(&x), &[0], 0.0)), [-1]);
    assert_eq!(read::<bool>(crate::reduce::reduce(ReduceOp::Any, &all(&d), &[0], 0.0)), [true]);
    assert_eq!(read::<i64>(crate::sort::sort(&all(&x), 0, false)), [-4, 3]);
}
