//! Every row on every instruction set against the oracle: body and tail, every kind of operand.

use std::vec::Vec;

use trueno_core::Element;
use trueno_core::table::{BinaryOp, CompareOp, Saves, TernaryOp, UnaryOp};

use super::*;
use crate::simd::MAX_LANES;

/// Lengths around the sizes of vectors and of the blocks that kernels work in.
const LENGTHS: [usize; 12] = [0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 3 * MAX_LANES + 1, 300];

/// `count` values spread over `low..=high`, in no particular order.
fn spread<T: Real>(count: usize, [low, high]: [f64; 2], salt: usize) -> Vec<T> {
    (0..count).map(|i| T::from_f64(low + (high - low) * ((i * 67 + salt * 31 + 11) % 101) as f64 / 100.0)).collect()
}

/// Asserts that `got` is within the row's tolerance (with a margin for the oracle's argument) of `want`.
fn assert_close<T: Real>(got: T, want: f64, tolerance: [f64; 2], context: &str) {
    let tolerance = if T::MANTISSA_BITS < 32 { tolerance[0] } else { tolerance[1] };
    let (got, rounded) = (got.to_f64(), T::from_f64(want).to_f64());
    let close =
        got == rounded || (got.is_nan() && want.is_nan()) || (got - want).abs() <= tolerance * want.abs().max(1.0);
    assert!(close, "{context}: {got:e}, not {want:e}");
}

fn check_unary<T: Real>() {
    for &op in UnaryOp::ALL {
        let parameters = op.default_parameters();
        let info = op.info();
        for (isa, length) in combinations() {
            let x = spread::<T>(length, info.domain[0], 0);
            let g = spread::<T>(length, [-2.0, 2.0], 1);
            let mut out = x.clone();
            unary(isa, op, parameters, Operand::InPlace, &mut out);
            let mut grads = g.clone();
            let saved = if op.saves() == Saves::Output { &out } else { &x };
            unary_grad(isa, op, parameters, Operand::Slice(saved), Operand::InPlace, &mut grads);
            for i in 0..length {
                let context = std::format!("{} of {:?}, element {i} of {length}, {}", op.name(), x[i], isa.level());
                let (want, slope) = op.eval_with_derivative(x[i].to_f64(), parameters);
                assert_close(out[i], want, info.tolerance, &context);
                // A gradient sums and multiplies several rounded parts.
                let loose = [1e-5, 1e-12];
                if !info.kinks.iter().any(|kink| (kink - x[i].to_f64()).abs() < 1e-6) {
                    assert_close(grads[i], slope * g[i].to_f64(), loose, &context);
                }
            }
        }
    }
}

fn combinations() -> impl Iterator<Item = (Isa, usize)> {
    Isa::available().flat_map(|isa| LENGTHS.map(|length| (isa, length)))
}

#[test]
fn unary_rows_match_the_oracle_in_f32() {
    check_unary::<f32>();
}

#[test]
fn unary_rows_match_the_oracle_in_f64() {
    check_unary::<f64>();
}

fn check_binary<T: Real>() {
    for &op in BinaryOp::ALL {
        let info = op.info();
        for (isa, length) in combinations() {
            let a = spread::<T>(length, info.domain[0], 0);
            let b = spread::<T>(length, info.domain[1], 1);
            let scalar = T::from_f64(1.25);
            let (mut both, mut left, mut right) = (std::vec![T::ZERO; length], b.clone(), a.clone());
            binary(isa, op, Operand::Slice(&a), Operand::Slice(&b), &mut both);
            binary(isa, op, Operand::Scalar(scalar), Operand::InPlace, &mut left);
            binary(isa, op, Operand::InPlace, Operand::Scalar(scalar), &mut right);
            for i in 0..length {
                let context = std::format!("{}, element {i} of {length}, {}", op.name(), isa.level());
                let (x, y, c) = (a[i].to_f64(), b[i].to_f64(), 1.25);
                assert_close(both[i], op.eval(x, y), info.tolerance, &context);
                assert_close(left[i], op.eval(c, y), info.tolerance, &context);
                assert_close(right[i], op.eval(x, c), info.tolerance, &context);
            }
        }
    }
}

#[test]
fn binary_rows_match_the_oracle() {
    check_binary::<f32>();
    check_binary::<f64>();
}

fn check_ternary<T: Real>() {
    for &op in TernaryOp::ALL {
        for (isa, length) in combinations() {
            let [a, b, c] = [0, 1, 2].map(|salt| spread::<T>(length, [-2.0, 2.0], salt));
            let mut out = b.clone();
            ternary(isa, op, Operand::Slice(&a), Operand::InPlace, Operand::Slice(&c), &mut out);
            for i in 0..length {
                let context = std::format!("{}, element {i} of {length}, {}", op.name(), isa.level());
                let [x, y, z] = [a[i], b[i], c[i]].map(T::to_f64);
                assert_close(out[i], op.eval(x, y, z), op.info().tolerance, &context);
            }
        }
    }
}

#[test]
fn ternary_rows_match_the_oracle() {
    check_ternary::<f32>();
    check_ternary::<f64>();
}

#[test]
fn rows_treat_nan_and_infinity_as_numpy_does() {
    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;
    let cases = [
        (UnaryOp::Relu, NAN, NAN),
        (UnaryOp::Relu, -INF, 0.0),
        (UnaryOp::Clamp, NAN, NAN),
        (UnaryOp::Sign, NAN, NAN),
        (UnaryOp::Sigmoid, -INF, 0.0),
        (UnaryOp::Sigmoid, INF, 1.0),
        (UnaryOp::Sigmoid, NAN, NAN),
        (UnaryOp::Softplus, INF, INF),
        (UnaryOp::Sqrt, -1.0, NAN),
        (UnaryOp::Recip, 0.0, INF),
        (UnaryOp::Elu, NAN, NAN),
        (UnaryOp::Round, 2.5, 2.0),
        (UnaryOp::Floor, NAN, NAN),
    ];
    for isa in Isa::available() {
        for (op, x, want) in cases {
            let mut out = [0.0_f32; 19];
            unary(isa, op, op.default_parameters(), Operand::Scalar(x as f32), &mut out);
            let want = want as f32;
            assert!(out.iter().all(|&y| y == want || (y.is_nan() && want.is_nan())), "{} of {x}: {out:?}", op.name());
        }
        for op in [BinaryOp::Maximum, BinaryOp::Minimum] {
            for (a, b) in [(NAN, 1.0), (1.0, NAN)] {
                let mut out = [0.0_f64; 19];
                binary(isa, op, Operand::Scalar(a), Operand::Scalar(b), &mut out);
                assert!(out.iter().all(|y| y.is_nan()), "{} of {a} and {b}", op.name());
            }
        }
    }
}

#[test]
fn comparisons_match_the_oracle_for_every_type() {
    fn check<T: ElementKernels>() {
        let values: Vec<T> = [0.0, 1.0, 2.0, 3.0, f64::NAN].map(T::from_f64).into();
        for (isa, length) in combinations() {
            let a: Vec<T> = (0..length).map(|i| values[i % 5]).collect();
            let b: Vec<T> = (0..length).map(|i| values[i / 5 % 5]).collect();
            for &op in CompareOp::ALL {
                let mut out = std::vec![true; length];
                compare(isa, op, Operand::Slice(&a), Operand::Slice(&b), &mut out);
                let mut against_one = std::vec![true; length];
                compare(isa, op, Operand::Slice(&a), Operand::Scalar(values[1]), &mut against_one);
                let mut one_against = std::vec![true; length];
                compare(isa, op, Operand::Scalar(values[1]), Operand::Slice(&a), &mut one_against);
                let mut two_scalars = std::vec![true; length];
                compare(isa, op, Operand::Scalar(values[1]), Operand::Scalar(values[0]), &mut two_scalars);
                assert!(two_scalars.iter().all(|&got| got == op.eval(1.0, values[0].to_f64())));
                for i in 0..length {
                    let context = std::format!("{} of {:?}, {:?}, {}", op.name(), a[i], b[i], isa.level());
                    assert_eq!(out[i], op.eval(a[i].to_f64(), b[i].to_f64()), "{context}");
                    assert_eq!(against_one[i], op.eval(a[i].to_f64(), 1.0), "{context}");
                    assert_eq!(one_against[i], op.eval(1.0, a[i].to_f64()), "{context}");
                }
            }
        }
    }
    check::<bool>();
    check::<u8>();
    check::<i8>();
    check::<i32>();
    check::<u32>();
    check::<i64>();
    check::<trueno_core::f16>();
    check::<trueno_core::bf16>();
    check::<f32>();
    check::<f64>();
}

#[test]
fn integers_wrap() {
    for isa in Isa::available() {
        let mut out = std::vec![250_u8; 300];
        binary_int(isa, BinaryOp::Add, Operand::InPlace, Operand::Scalar(10), &mut out);
        assert!(out.iter().all(|&value| value == 4));
        let x: Vec<i64> = (-150..150).collect();
        let mut out = std::vec![0_i64; 300];
        unary_int(isa, UnaryOp::Relu, [0.0; 2], Operand::Slice(&x), &mut out);
        assert!(out.iter().zip(&x).all(|(&y, &x)| y == x.max(0)));
    }
}

#[test]
fn integers_take_operands_in_any_form_at_any_length() {
    fn check<T: Integer + core::fmt::Debug>(sum: fn(T, T) -> T) {
        for (isa, length) in Isa::available().flat_map(|isa| [0, 1, 63, 512, 1300].map(|length| (isa, length))) {
            let [a, b] =
                [3, 7].map(|step| (0..length).map(|i| T::from_f64((i * step % 101) as f64)).collect::<Vec<T>>());
            let scalar = T::from_f64(100.0);
            let (mut slices, mut left, mut right) = (a.clone(), b.clone(), a.clone());
            binary_int(isa, BinaryOp::Add, Operand::Slice(&a), Operand::Slice(&b), &mut slices);
            binary_int(isa, BinaryOp::Add, Operand::Slice(&a), Operand::InPlace, &mut left);
            binary_int(isa, BinaryOp::Add, Operand::InPlace, Operand::Scalar(scalar), &mut right);
            let mut negative = a.clone();
            unary_int(isa, UnaryOp::Neg, [0.0; 2], Operand::InPlace, &mut negative);
            let mut slice = b.clone();
            unary_int(isa, UnaryOp::Neg, [0.0; 2], Operand::Slice(&a), &mut slice);
            for i in 0..length {
                assert_eq!([slices[i], left[i], right[i]], [sum(a[i], b[i]), sum(a[i], b[i]), sum(a[i], scalar)]);
                assert_eq!((negative[i], sum(slice[i], a[i])), (slice[i], T::default()));
            }
        }
    }
    check(u8::wrapping_add);
    check(i8::wrapping_add);
    check(i32::wrapping_add);
    check(u32::wrapping_add);
    check(i64::wrapping_add);
}

/// Blocks that fit a type whole, and blocks that hold one number that does not.
#[test]
fn floats_become_integers_as_rust_converts_them() {
    macro_rules! check {
        ($from:ty => $($to:ty),*) => {$(
            let bounds = [<$to>::MIN as $from, <$to>::MAX as $from];
            let near = |x: $from| [x.next_down(), x, x.next_up(), x - 1.0, x + 1.0, x * 2.0];
            let odd: Vec<$from> =
                bounds.into_iter().flat_map(near).chain([<$from>::NAN, <$from>::INFINITY, <$from>::NEG_INFINITY, -0.0, -0.5]).collect();
            for isa in Isa::available() {
                for length in [0, 1, 63, 64, 65, 500] {
                    for odd in [None].into_iter().chain(odd.iter().copied().map(Some)) {
                        let mut x: Vec<$from> = (0..length).map(|i| (i % 120) as $from + 0.7).collect();
                        if let (Some(odd), Some(last)) = (odd, x.last_mut()) {
                            *last = odd;
                        }
                        let mut out = std::vec![<$to>::default(); length];
                        convert(isa, &x, &mut out);
                        assert!(out.iter().zip(&x).all(|(&got, &x)| got == x as $to), "{odd:?} {}", isa.level());
                    }
                }
            }
        )*};
    }
    check!(f32 => u8, i8, i32, u32, i64);
    check!(f64 => u8, i8, i32, u32, i64);
}

#[test]
#[should_panic(expected = "pow is for floats")]
fn integers_lack_the_rows_of_floats() {
    binary_int(Isa::best(), BinaryOp::Pow, Operand::InPlace, Operand::Scalar(10_i32), &mut [2]);
}

#[test]
fn selection_takes_each_operand_in_any_form() {
    for (isa, length) in combinations() {
        let mask: Vec<bool> = (0..length).map(|i| i % 3 == 0).collect();
        let yes: Vec<i32> = (0..length as i32).collect();
        let mut out = std::vec![-1; length];
        select(isa, Operand::Slice(&mask), Operand::Slice(&yes), Operand::InPlace, &mut out);
        assert!((0..length).all(|i| out[i] == if i % 3 == 0 { i as i32 } else { -1 }));
        select(isa, Operand::Scalar(true), Operand::Scalar(7), Operand::InPlace, &mut out);
        assert!(out.iter().all(|&value| value == 7));
    }
}

#[test]
fn selection_keeps_the_bits_of_any_type() {
    fn check<T: ElementKernels>(value: impl Fn(usize) -> T) {
        for (isa, length) in combinations() {
            let mask: Vec<bool> = (0..length).map(|i| i * 5 % 7 < 3).collect();
            let [yes, no]: [Vec<T>; 2] = [1, 2].map(|seed| (0..length).map(|i| value(i * 3 + seed)).collect());
            let mut out = std::vec![value(0); length];
            select(isa, Operand::Slice(&mask), Operand::Slice(&yes), Operand::Slice(&no), &mut out);
            assert!((0..length).all(|i| out[i] == if mask[i] { yes[i] } else { no[i] }), "{} {length}", isa.level());
        }
    }
    check(|i| i % 3 == 0);
    check(|i| i as i8);
    check(|i| trueno_core::bf16::from_bits(i as u16));
    check(|i| -(i as f32));
    check(|i| (i as i64) << 40);
}

#[test]
#[should_panic(expected = "as long as the result")]
fn a_short_operand_is_refused() {
    unary(Isa::best(), UnaryOp::Neg, [0.0; 2], Operand::Slice(&[1.0_f32; 3]), &mut [0.0; 4]);
}

/// The two halves of a value's cast are those of the `half` crate and of Rust's `as`.
#[test]
fn casts_round_saturate_and_wrap() {
    use trueno_core::{bf16, f16};
    // Every half there is, and the values between neighbours, which tie.
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let brains: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let singles: Vec<f32> = (0..=u32::MAX).step_by(65_536 / 8 + 1).map(f32::from_bits).collect();
    let ties: Vec<f32> = halves.iter().map(|half| f32::from_bits(half.to_f32().to_bits() ^ 0x1000)).collect();
    for isa in Isa::available() {
        let mut wide = std::vec![0.0_f32; 1 << 16];
        convert(isa, &halves, &mut wide);
        assert!(wide.iter().zip(&halves).all(|(&got, x)| got.to_bits() == x.to_f32().to_bits()), "{}", isa.level());
        convert(isa, &brains, &mut wide);
        assert!(wide.iter().zip(&brains).all(|(&got, x)| got.to_bits() == x.to_f32().to_bits() || got.is_nan()));
        for x in [&singles, &ties] {
            let mut narrow = std::vec![f16::ZERO; x.len()];
            convert(isa, x, &mut narrow);
            for (&got, &x) in narrow.iter().zip(x) {
                assert!(got == f16::from_f32(x) || (got.is_nan() && x.is_nan()), "{x:e}: {got} {}", isa.level());
            }
            let mut brain = std::vec![bf16::ZERO; x.len()];
            convert(isa, x, &mut brain);
            for (&got, &x) in brain.iter().zip(x) {
                assert!(got == bf16::from_f32(x) || (got.is_nan() && x.is_nan()), "{x:e}: {got} {}", isa.level());
            }
        }
        let mut integers = [0_i32; 5];
        convert(isa, &[2.9_f64, -2.9, 1e10, f64::NAN, f64::NEG_INFINITY], &mut integers);
        assert_eq!(integers, [2, -2, i32::MAX, 0, i32::MIN]);
        let mut truths = [false; 3];
        convert(isa, &[0.0_f32, -0.0, f32::NAN], &mut truths);
        assert_eq!(truths, [false, false, true]);
        let mut bytes = [0_i8; 6];
        convert(isa, &[-129.5_f32, 127.9, f32::NAN, f32::INFINITY, -1.5, 0.0], &mut bytes);
        assert_eq!(bytes, [-128, 127, 0, 127, -1, 0]);
        convert(isa, &[128_i64, -129, 255, 256, -1, 77], &mut bytes);
        assert_eq!(bytes, [-128, 127, -1, 0, -1, 77]);
        let mut large = [0_i64];
        convert(isa, &[i64::MAX - 1], &mut large);
        assert_eq!(large, [i64::MAX - 1]);
    }
}

#[test]
fn casts_agree_with_the_element_types_where_nothing_is_lost() {
    use trueno_core::{DType, dispatch_dtype};
    let isa = Isa::best();
    for from in DType::ALL {
        for to in DType::ALL {
            dispatch_dtype!(from, all A => dispatch_dtype!(to, all B => {
                let x = [0.0, 1.0, 2.0, 100.0].map(A::from_f64);
                let mut out = [B::default(); 4];
                convert(isa, &x, &mut out);
                assert_eq!(out, x.map(|x| B::from_f64(x.to_f64())), "{from} to {to}");
            }));
        }
    }
}
