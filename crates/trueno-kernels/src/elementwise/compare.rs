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

/// Compares slices as long as the result; one of a single element stands for so many of it.
type CompareSlices<'a, U> = dyn Fn(&[U], &[U], &mut [bool]) + 'a;

/// The elements of an operand, or the one that stands for all.
fn elements<'a, T>(operand: &'a Operand<'_, T>) -> &'a [T] {
    match operand {
        Operand::Slice(values) => values,
        Operand::Scalar(value) => core::slice::from_ref(value),
        Operand::InPlace => &[],
    }
}

/// Compares elements as those of another type, block by block.
fn compare_as<T: Element, U: Element>(
    isa: Isa,
    operands: [Operand<'_, T>; 2],
    out: &mut [bool],
    compare: &CompareSlices<'_, U>,
) {
    let mut blocks = [[U::default(); BLOCK]; 2];
    for (index, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut lengths = [1; 2];
        for ((block, length), operand) in blocks.iter_mut().zip(&mut lengths).zip(operands) {
            let part = operand.part(index * BLOCK, out.len());
            let part = elements(&part);
            *length = part.len();
            convert(isa, part, &mut block[..part.len()]);
        }
        compare(&blocks[0][..lengths[0]], &blocks[1][..lengths[1]], out);
    }
}

struct Compare<'a, T> {
    isa: Isa,
    operands: [Operand<'a, T>; 2],
    out: &'a mut [bool],
}

/// Makes `compare_slices` for elements of one type, in loops that the compiler vectorises for each instruction set: it knows how truth
/// values become bytes. A slice of one element stands for as many as the result has.
macro_rules! compare_slices {
    ($t:ty, $number:expr) => {
        kernel! {
            /// Compares element by element.
            fn compare_slices<R: CompareRow>(_simd: S, a: &[$t], b: &[$t], out: &mut [bool]) {
                match (a, b) {
                    (&[a], &[b]) => out.fill(R::value($number(a), $number(b))),
                    (&[a], b) => {
                        for (&b, out) in b.iter().zip(out) {
                            *out = R::value($number(a), $number(b));
                        }
                    }
                    (a, &[b]) => {
                        for (&a, out) in a.iter().zip(out) {
                            *out = R::value($number(a), $number(b));
                        }
                    }
                    (a, b) => {
                        for ((&a, &b), out) in a.iter().zip(b).zip(out) {
                            *out = R::value($number(a), $number(b));
                        }
                    }
                }
            }
        }
    };
}

/// Comparisons of a type, by itself or as another.
macro_rules! compare {
    ($t:ty, $number:expr) => {
        const _: () = {
            compare_slices!($t, $number);

            impl CompareVisitor for Compare<'_, $t> {
                type Output = ();
                fn visit<R: CompareRow>(self) {
                    let [a, b] = self.operands.each_ref().map(elements);
                    compare_slices::<R>(self.isa, a, b, self.out);
                }
            }
        };
        element_kernels!($t);
    };
    ($t:ty as $other:ty, $number:expr) => {
        const _: () = {
            compare_slices!($other, $number);

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
