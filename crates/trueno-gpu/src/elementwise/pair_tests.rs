//! Elements of 64 bits, which shaders hold as pairs of words.

use bytemuck::{CheckedBitPattern, NoUninit};
use trueno_core::table::CompareOp;
use trueno_core::{DType, Element, bf16, f16};
use trueno_kernels::Isa;
use trueno_kernels::elementwise::convert;

use super::tests::layouts;
use super::*;
use crate::testing::{all, device, gather, shaped};

/// Integers about every power of two, where roundings change.
pub(super) fn integers() -> Vec<i64> {
    let mut values = vec![0, 1, -1, i64::MIN, i64::MAX, 0x4000_0080_0000_0001, 16_777_217, 65_519, 65_520, 65_535];
    for power in 1..63 {
        let one = 1_i64 << power;
        for near in [-1, 0, 1, one >> 24, one >> 25, (one >> 24) + 1, (one >> 9) + (one >> 8), one >> 53] {
            values.extend([one + near, -one - near]);
        }
    }
    values
}

/// Doubles of every kind of `f64` and `f32`, and halfway between two of the narrower types.
fn doubles() -> Vec<f64> {
    let mut values = vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324];
    values.extend([
        2_147_483_647.5,
        -2_147_483_648.9,
        4_294_967_295.9,
        4_294_967_296.0,
        -0.9,
        255.9,
        256.0,
        9.3e18,
        -9.3e18,
    ]);
    for power in -152..130 {
        let one = 2.0_f64.powi(power);
        for digits in
            [1.0, 1.0 + 2.0_f64.powi(-24), 1.5 + 2.0_f64.powi(-23), 1.0 + 2.0_f64.powi(-24) * 1.5, 1.9999999999]
        {
            values.extend([one * digits, -one * digits]);
        }
        // A tie of 11 and of 8 digits, and what lies just above it.
        for tie in [2.0_f64.powi(-11), 2.0_f64.powi(-8)] {
            values.extend([one * (1.0 + tie), one * (1.0 + tie + 2.0_f64.powi(-50)), one * (1.0 + 3.0 * tie)]);
        }
    }
    values
}

/// Casts as the processor does; NaN counts as equal to NaN.
fn both<A: Element + NoUninit, B: Element + CheckedBitPattern + NoUninit>(device: &Device, x: &[A]) {
    let mut want = vec![B::default(); x.len()];
    convert(Isa::best(), x, &mut want);
    let buffer = Buffer::from_slice(device, "test", x).unwrap();
    let got: Vec<B> = cast(&all(&buffer), B::DTYPE).unwrap().download("test").wait().unwrap();
    for ((x, got), want) in x.iter().zip(&got).zip(&want) {
        let same = bytemuck::bytes_of(got) == bytemuck::bytes_of(want)
            || [got, want].iter().all(|x| x.partial_cmp(x).is_none());
        assert!(same, "{x:?} of {} as {}: {got:?}, not {want:?}", A::DTYPE, B::DTYPE);
    }
}

#[test]
fn casts_of_integers_agree_with_the_processor() {
    let Some(device) = device() else { return };
    let x = integers();
    both::<i64, i32>(device, &x);
    both::<i64, u32>(device, &x);
    both::<i64, u8>(device, &x);
    both::<i64, i8>(device, &x);
    both::<i64, bool>(device, &x);
    both::<i64, f32>(device, &x);
    both::<i64, f64>(device, &x);
    both::<i64, f16>(device, &x);
    both::<i64, bf16>(device, &x);
    both::<i32, i64>(device, &[0, 1, -1, i32::MIN, i32::MAX]);
    both::<u32, i64>(device, &[0, 1, u32::MAX]);
    both::<bool, i64>(device, &[true, false, true]);
    both::<u8, f64>(device, &[0, 1, 255]);
    both::<i8, f64>(device, &[0, 1, -1, 127, -128]);
    both::<i8, i64>(device, &[0, 1, -1, 127, -128]);
    both::<i32, f64>(device, &[0, 1, -1, i32::MIN, i32::MAX]);
}

#[test]
fn casts_of_doubles_agree_with_the_processor() {
    let Some(device) = device() else { return };
    let x = doubles();
    both::<f64, f32>(device, &x);
    // The processor's roundings to 16 bits look at the upper word alone.
    let upper: Vec<f64> = x.iter().copied().filter(|x| x.to_bits() as u32 == 0).collect();
    both::<f64, f16>(device, &upper);
    both::<f64, bf16>(device, &upper);
    let above = Buffer::from_slice(device, "test", &[1.0 + 2.0_f64.powi(-11) + 2.0_f64.powi(-50)]).unwrap();
    let rounded: Vec<f16> = cast(&all(&above), DType::F16).unwrap().download("test").wait().unwrap();
    assert_eq!(rounded[0].to_bits(), 0x3C01);
    both::<f64, i64>(device, &x);
    both::<f64, i32>(device, &x);
    both::<f64, u32>(device, &x);
    both::<f64, u8>(device, &x);
    both::<f64, i8>(device, &x);
    both::<f64, bool>(device, &x);
    let mut singles: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    singles.extend([1e-45, -3e-42, 1e-40]);
    both::<f32, i64>(device, &singles);
    // Drivers may take denormals of `f32` for 0.
    singles.retain(|x| x.is_normal() || *x == 0.0);
    both::<f32, f64>(device, &singles);
    both::<bf16, f64>(device, &[bf16::from_f32(-1.5), bf16::from_f32(3e38), bf16::from_f32(0.0)]);
}

#[test]
fn pairs_are_moved_under_any_layout() {
    let Some(device) = device() else { return };
    let values: Vec<i64> = (0..4096).map(|i| (i - 2000) * 0x1_2345_6789).collect();
    let doubles: Vec<f64> = values.iter().map(|&i| i as f64 * 0.37).collect();
    let mask: Vec<bool> = values.iter().map(|i| i % 3 == 0).collect();
    let x = Buffer::from_slice(device, "test", &values).unwrap();
    let d = Buffer::from_slice(device, "test", &doubles).unwrap();
    let m = Buffer::from_slice(device, "test", &mask).unwrap();
    for layout in layouts() {
        let view = |buffer| View::new("test", buffer, &layout).unwrap();
        let copy: Vec<i64> = contiguous(&view(&x)).unwrap().download("test").wait().unwrap();
        assert_eq!(copy, gather(&values, &layout), "{layout:?}");
        let chosen = select(&view(&m), &shaped(&d, layout.shape()), &view(&d)).unwrap();
        let rows = gather(&mask, &layout).into_iter().zip(&doubles).zip(gather(&doubles, &layout));
        let want: Vec<f64> = rows.map(|((m, &a), b)| if m { a } else { b }).collect();
        assert_eq!(chosen.download::<f64>("test").wait().unwrap(), want, "{layout:?}");
    }
}

#[test]
fn pairs_are_filled_and_compared() {
    let Some(device) = device() else { return };
    let full: Vec<i64> = fill(device, DType::I64, 3, -5e12).unwrap().download("test").wait().unwrap();
    assert_eq!(full, [-5_000_000_000_000; 3]);
    let full: Vec<f64> = fill(device, DType::F64, 5, 0.1).unwrap().download("test").wait().unwrap();
    assert_eq!(full, [0.1; 5]);
    let corners = [0, -1, 1, i64::MIN, i64::MAX, 1 << 32, -(1 << 32), (1 << 32) + 1];
    let numbers = [0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0 + f64::EPSILON, -5e-324];
    let column = |len| Layout::contiguous(&[len, 1]).broadcast_to("test", &[len, len]).unwrap();
    let x = Buffer::from_slice(device, "test", &corners).unwrap();
    let d = Buffer::from_slice(device, "test", &numbers).unwrap();
    for &op in CompareOp::ALL {
        let pair = |x: &Buffer| -> Vec<bool> {
            let result = compare(op, &View::new("test", x, &column(x.len())).unwrap(), &all(x)).unwrap();
            result.download("test").wait().unwrap()
        };
        let of_integers: Vec<bool> = corners
            .iter()
            .flat_map(|&a| {
                // Three-way orders, since `f64` does not tell all integers apart.
                let order = move |b: i64| f64::from(a.cmp(&b) as i8);
                let truth = |x: i64| f64::from(u8::from(x != 0));
                let logical = matches!(op, CompareOp::LogicalAnd | CompareOp::LogicalOr | CompareOp::LogicalXor);
                corners.map(|b| if logical { op.eval(truth(a), truth(b)) } else { op.eval(order(b), 0.0) })
            })
            .collect();
        assert_eq!(pair(&x), of_integers, "{}", op.name());
        let of_doubles: Vec<bool> = numbers.iter().flat_map(|&a| numbers.map(|b| op.eval(a, b))).collect();
        assert_eq!(pair(&d), of_doubles, "{}", op.name());
    }
}
