//! A fused kernel against the kernels of its steps, bit for bit, on every instruction set.

use std::vec::Vec;

use trueno_core::fuse::{Adjoint, Listing, Rows, Step};
use trueno_core::math::Math;
use trueno_core::table::{BinaryOp, Saves, UnaryOp};

use super::*;
use crate::elementwise::{binary, unary, unary_grad};

/// `(a * b + c * scale).silu()`, as `fuse!` writes it.
#[derive(Clone, Copy)]
struct Affine;

impl Formula<3, 1> for Affine {
    const TEXT: &'static str = "|a, b, c| (a * b + c * scale).silu()";

    #[inline(always)]
    fn value<M: Rows>([a, b, c]: [Value<M>; 3], [scale]: [Scalar<M>; 1]) -> Value<M> {
        a.mul(b).output().add(c.mul(scale).output()).output().silu().output()
    }

    #[inline(always)]
    fn gradients<M: Math>([a, b, c]: [Value<M>; 3], [scale]: [Scalar<M>; 1], g: Value<M>) -> [Value<M>; 3] {
        let (product, scaled) = (a.mul(b), c.mul(scale));
        let sum = product.output().add(scaled.output());
        let [by_sum, ..] = sum.output().silu().pull(Adjoint::of(g));
        let [by_product, by_scaled, _] = sum.pull(by_sum);
        let ([by_c, ..], [by_a, by_b, _]) = (scaled.pull(by_scaled), product.pull(by_product));
        [by_a.total(a), by_b.total(b), by_c.total(c)]
    }

    fn listing() -> &'static Listing {
        unreachable!("kernels do not read listings")
    }
}

/// Ordinary and special values, the special ones in every lane as the length goes on.
fn values<T: Real>(count: usize, salt: usize) -> Vec<T> {
    const SPECIAL: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e-40];
    let value = |i: usize| match (i * 7 + salt * 5) % 19 {
        special @ 0..6 => SPECIAL[special],
        _ => ((i * 67 + salt * 31) % 101) as f64 / 25.0 - 2.0,
    };
    (0..count).map(|i| T::from_f64(value(i))).collect()
}

/// Equal bits, or both NaN: which NaN an addition of two gives is open.
fn assert_same<T: Real>(got: &[T], want: &[T], context: &str) {
    let length = want.len();
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        assert!(same, "{context}, element {i} of {length}: {got:?}, not {want:?}");
    }
}

const SCALE: f64 = 0.7;

/// The value step by step, and what silu saves.
fn steps<T: Real>(isa: Isa, [a, b, c]: [&[T]; 3]) -> [Vec<T>; 2] {
    let (mut product, mut scaled) = (a.to_vec(), c.to_vec());
    binary(isa, BinaryOp::Mul, Operand::InPlace, Operand::Slice(b), &mut product);
    binary(isa, BinaryOp::Mul, Operand::InPlace, Operand::Scalar(T::from_f64(SCALE)), &mut scaled);
    binary(isa, BinaryOp::Add, Operand::InPlace, Operand::Slice(&scaled), &mut product);
    let mut out = product.clone();
    unary(isa, UnaryOp::Silu, [0.0; 2], Operand::InPlace, &mut out);
    [out, product]
}

fn check<T: FusedKernels>() {
    for isa in Isa::available() {
        for length in [0, 1, 2, 7, 15, 16, 17, 33, 300] {
            let [a, b, c, g] = [0, 1, 2, 3].map(|salt| values::<T>(length, salt));
            let context = std::format!("{} of {}", isa.level(), T::DTYPE);
            let [want, sum] = steps(isa, [&a, &b, &c]);
            let mut out = std::vec![T::ZERO; length];
            let operands = [&a, &b, &c].map(|x| Operand::Slice(&x[..]));
            fused::<Affine, T, 3, 1>(isa, [SCALE], operands, &mut out);
            assert_same(&out, &want, &context);
            let mut reused = a.clone();
            let [_, b_slice, c_slice] = operands;
            fused::<Affine, T, 3, 1>(isa, [SCALE], [Operand::InPlace, b_slice, c_slice], &mut reused);
            assert_same(&reused, &want, &context);

            assert_eq!(UnaryOp::Silu.saves(), Saves::Input);
            let mut by_sum = g.clone();
            unary_grad(isa, UnaryOp::Silu, [0.0; 2], Operand::Slice(&sum), Operand::InPlace, &mut by_sum);
            let product = |factor: Operand<'_, T>| {
                let mut out = by_sum.clone();
                binary(isa, BinaryOp::Mul, Operand::InPlace, factor, &mut out);
                out
            };
            let [mut by_a, mut by_c] = [(); 2].map(|()| std::vec![T::ONE; length]);
            let outs = [Some(&mut by_a[..]), None, Some(&mut by_c[..])];
            fused_grad::<Affine, T, 3, 1>(isa, [SCALE], operands, Operand::Slice(&g), outs);
            assert_same(&by_a, &product(Operand::Slice(&b)), &context);
            assert_same(&by_c, &product(Operand::Scalar(T::from_f64(SCALE))), &context);
        }
    }
}

#[test]
fn fusion_changes_no_bit() {
    check::<f32>();
    check::<f64>();
}

#[test]
fn scalars_stand_for_whole_operands() {
    let isa = Isa::best();
    let (b, g) = (values::<f32>(37, 1), values::<f32>(37, 2));
    let full = |value: f32| std::vec![value; 37];
    let (a, c) = (full(1.5), full(-0.25));
    let run = |a: Operand<'_, f32>, c: Operand<'_, f32>| {
        let (mut out, mut by_b) = (full(0.0), full(0.0));
        let operands = [a, Operand::Slice(&b[..]), c];
        fused::<Affine, f32, 3, 1>(isa, [SCALE], operands, &mut out);
        fused_grad::<Affine, f32, 3, 1>(isa, [SCALE], operands, Operand::Slice(&g), [None, Some(&mut by_b), None]);
        [out, by_b]
    };
    let scalars = run(Operand::Scalar(1.5), Operand::Scalar(-0.25));
    let slices = run(Operand::Slice(&a), Operand::Slice(&c));
    for (got, want) in scalars.iter().zip(&slices) {
        assert_same(got, want, "scalars");
    }
}

#[test]
#[should_panic(expected = "an operand is as long as the result")]
fn a_shorter_operand_is_refused() {
    let operands = [Operand::Slice(&[1.0_f32, 2.0][..]), Operand::Scalar(1.0), Operand::Scalar(1.0)];
    fused::<Affine, f32, 3, 1>(Isa::best(), [SCALE], operands, &mut [0.0; 3]);
}
