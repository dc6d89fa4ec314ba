//! Comparisons and logical operations.

use trueno_core::math::Int;
use trueno_core::table::{CompareOp, CompareRow, CompareVisitor};
use trueno_core::{Element, bf16, f16};

use super::Operand;
use crate::Isa;
use crate::simd::{Lanes, MAX_LANES, Real, RealVector, kernel};

/// The kernels that elements of every type have; see [`compare`](super::compare) and [`select`](super::select()).
#[doc(hidden)]
pub trait ElementKernels: Element {
    fn select(isa: Isa, mask: Operand<'_, bool>, yes: Operand<'_, Self>, no: Operand<'_, Self>, out: &mut [Self]);
    fn compare(isa: Isa, op: CompareOp, a: Operand<'_, Self>, b: Operand<'_, Self>, out: &mut [bool]);
}

/// Elements that go through a block on the stack at a time: a multiple of `MAX_LANES`.
const BLOCK: usize = 256;

/// Writes one truth value per lane.
#[inline(always)]
fn store_bits(bits: u32, out: &mut [bool]) {
    for (lane, value) in out.iter_mut().enumerate() {
        *value = bits >> lane & 1 != 0;
    }
}

kernel! {
    /// Compares whole blocks of vectors.
    fn compare_reals<T: Real, R: CompareRow>(simd: S, a: &[T; BLOCK], b: &[T; BLOCK], out: &mut [bool; BLOCK]) {
        const { assert!(BLOCK.is_multiple_of(MAX_LANES)) };
        let lanes = T::Vector::<S>::LANES;
        let mut at = 0;
        while at < BLOCK {
            // SAFETY: `at + lanes` is at most `BLOCK`, a multiple of the lanes of any vector.
            let (x, y) = unsafe {
                (T::Vector::<S>::load(simd, a.as_ptr().add(at)), T::Vector::<S>::load(simd, b.as_ptr().add(at)))
            };
            let mask = R::value(Lanes(x), Lanes(y));
            store_bits(T::Vector::<S>::mask_bits(mask), &mut out[at..at + lanes]);
            at += lanes;
        }
    }
}

/// Compares two blocks.
type CompareBlocks<'a, U> = dyn Fn(&[U; BLOCK], &[U; BLOCK], &mut [bool; BLOCK]) + 'a;

/// Hands each block of the operands, padded with the default, to a comparison of blocks.
fn by_blocks<T: Element, U: Copy + Default>(
    operands: [Operand<'_, T>; 2],
    out: &mut [bool],
    convert: fn(T) -> U,
    compare: &CompareBlocks<'_, U>,
) {
    let mut inputs = operands.map(|operand| match operand {
        Operand::Scalar(value) => [convert(value); BLOCK],
        Operand::Slice(_) | Operand::InPlace => [U::default(); BLOCK],
    });
    let mut start = 0;
    for chunk in out.chunks_mut(BLOCK) {
        for (input, operand) in inputs.iter_mut().zip(operands) {
            if let Operand::Slice(values) = operand {
                for (to, &from) in input.iter_mut().zip(&values[start..start + chunk.len()]) {
                    *to = convert(from);
                }
            }
        }
        let mut result = [false; BLOCK];
        compare(&inputs[0], &inputs[1], &mut result);
        chunk.copy_from_slice(&result[..chunk.len()]);
        start += BLOCK;
    }
}

struct Compare<'a, T> {
    isa: Isa,
    operands: [Operand<'a, T>; 2],
    out: &'a mut [bool],
}

macro_rules! real {
    ($t:ty, $real:ty, $convert:expr) => {
        impl CompareVisitor for Compare<'_, $t> {
            type Output = ();
            fn visit<R: CompareRow>(self) {
                let isa = self.isa;
                by_blocks(self.operands, self.out, $convert, &|a, b, out| compare_reals::<$real, R>(isa, a, b, out));
            }
        }
        element_kernels!($t);
    };
}

macro_rules! integer {
    ($t:ty, $int:ty, $convert:expr) => {
        const _: () = {
            kernel! {
                /// Compares whole blocks of integers.
                fn compare_integers<R: CompareRow>(
                    _simd: S, a: &[$int; BLOCK], b: &[$int; BLOCK], out: &mut [bool; BLOCK],
                ) {
                    for ((a, b), out) in a.iter().zip(b).zip(out) {
                        *out = R::value(Int(*a), Int(*b));
                    }
                }
            }
            impl CompareVisitor for Compare<'_, $t> {
                type Output = ();
                fn visit<R: CompareRow>(self) {
                    let isa = self.isa;
                    by_blocks(self.operands, self.out, $convert, &|a, b, out| compare_integers::<R>(isa, a, b, out));
                }
            }
        };
        element_kernels!($t);
    };
}

macro_rules! element_kernels {
    ($t:ty) => {
        impl ElementKernels for $t {
            fn select(isa: Isa, mask: Operand<'_, bool>, yes: Operand<'_, $t>, no: Operand<'_, $t>, out: &mut [$t]) {
                super::select::select(isa, mask, yes, no, out);
            }
            fn compare(isa: Isa, op: CompareOp, a: Operand<'_, $t>, b: Operand<'_, $t>, out: &mut [bool]) {
                op.dispatch(Compare { isa, operands: [a, b], out });
            }
        }
    };
}

real!(f32, f32, |value| value);
real!(f64, f64, |value| value);
real!(f16, f32, f16::to_f32);
real!(bf16, f32, bf16::to_f32);
integer!(u8, u8, |value| value);
integer!(i8, i8, |value| value);
integer!(i32, i32, |value| value);
integer!(u32, u32, |value| value);
integer!(i64, i64, |value| value);
integer!(bool, u8, u8::from);
