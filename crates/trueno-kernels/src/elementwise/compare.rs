//! Comparisons and logical operations.

use trueno_core::math::Int;
use trueno_core::table::{CompareOp, CompareRow, CompareVisitor};
use trueno_core::{Element, bf16, f16};

use super::{Operand, convert};
use crate::Isa;
use crate::simd::{Lanes, Real, RealVector, Scalar, kernel};

/// The kernels that elements of every type have; see [`compare`](super::compare) and [`select`](super::select()).
#[doc(hidden)]
pub trait ElementKernels: Element {
    fn select(isa: Isa, mask: Operand<'_, bool>, yes: Operand<'_, Self>, no: Operand<'_, Self>, out: &mut [Self]);
    fn compare(isa: Isa, op: CompareOp, a: Operand<'_, Self>, b: Operand<'_, Self>, out: &mut [bool]);
}

/// Elements that go through a block on the stack at a time.
const BLOCK: usize = 512;

/// Compares slices of one length.
type CompareSlices<'a, U> = dyn Fn(&[U], &[U], &mut [bool]) + 'a;

/// Hands the operands to a comparison: slices as they are, and others block by block.
fn compare_plain<T: Copy + Default>(operands: [Operand<'_, T>; 2], out: &mut [bool], compare: &CompareSlices<'_, T>) {
    if let [Operand::Slice(a), Operand::Slice(b)] = operands {
        return compare(a, b, out);
    }
    let blocks = operands.map(|operand| match operand {
        Operand::Scalar(value) => [value; BLOCK],
        Operand::Slice(_) | Operand::InPlace => [T::default(); BLOCK],
    });
    for (index, out) in out.chunks_mut(BLOCK).enumerate() {
        let part = |i: usize| match operands[i] {
            Operand::Slice(values) => &values[index * BLOCK..][..out.len()],
            Operand::Scalar(_) | Operand::InPlace => &blocks[i][..out.len()],
        };
        compare(part(0), part(1), out);
    }
}

/// As [`compare_plain`], for elements that are compared as those of another type.
fn compare_as<T: Element, U: Element>(
    isa: Isa,
    operands: [Operand<'_, T>; 2],
    out: &mut [bool],
    compare: &CompareSlices<'_, U>,
) {
    let mut blocks = [[U::default(); BLOCK]; 2];
    for (block, operand) in blocks.iter_mut().zip(operands) {
        if let Operand::Scalar(value) = operand {
            let mut converted = [U::default()];
            convert(isa, &[value], &mut converted);
            *block = [converted[0]; BLOCK];
        }
    }
    for (index, out) in out.chunks_mut(BLOCK).enumerate() {
        for (block, operand) in blocks.iter_mut().zip(operands) {
            if let Operand::Slice(values) = operand {
                convert(isa, &values[index * BLOCK..][..out.len()], &mut block[..out.len()]);
            }
        }
        compare(&blocks[0][..out.len()], &blocks[1][..out.len()], out);
    }
}

struct Compare<'a, T> {
    isa: Isa,
    operands: [Operand<'a, T>; 2],
    out: &'a mut [bool],
}

/// Comparisons as loops that the compiler vectorises for each instruction set: it knows how truth values become bytes.
macro_rules! compare {
    ($t:ty, $number:expr) => {
        const _: () = {
            kernel! {
                /// Compares element by element.
                fn compare_slices<R: CompareRow>(_simd: S, a: &[$t], b: &[$t], out: &mut [bool]) {
                    for ((&a, &b), out) in a.iter().zip(b).zip(out) {
                        *out = R::value($number(a), $number(b));
                    }
                }
            }
            impl CompareVisitor for Compare<'_, $t> {
                type Output = ();
                fn visit<R: CompareRow>(self) {
                    let isa = self.isa;
                    compare_plain(self.operands, self.out, &|a, b, out| compare_slices::<R>(isa, a, b, out));
                }
            }
        };
        element_kernels!($t);
    };
    ($t:ty as $other:ty, $number:expr) => {
        const _: () = {
            kernel! {
                /// Compares element by element.
                fn compare_slices<R: CompareRow>(_simd: S, a: &[$other], b: &[$other], out: &mut [bool]) {
                    for ((&a, &b), out) in a.iter().zip(b).zip(out) {
                        *out = R::value($number(a), $number(b));
                    }
                }
            }
            impl CompareVisitor for Compare<'_, $t> {
                type Output = ();
                fn visit<R: CompareRow>(self) {
                    let isa = self.isa;
                    compare_as(isa, self.operands, self.out, &|a, b, out| compare_slices::<R>(isa, a, b, out));
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

/// A number as the one lane of plain Rust.
#[inline(always)]
fn one<T: Real>(value: T) -> Lanes<T::Vector<Scalar>> {
    Lanes(T::Vector::<Scalar>::splat(Scalar, value))
}

compare!(f32, one);
compare!(f64, one);
compare!(f16 as f32, one);
compare!(bf16 as f32, one);
compare!(u8, Int);
compare!(i8, Int);
compare!(i32, Int);
compare!(u32, Int);
compare!(i64, Int);
compare!(bool as u8, Int);
