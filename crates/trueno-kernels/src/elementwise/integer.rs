//! Integer rows: loops that the compiler vectorises for each instruction set.

use trueno_core::Element;
use trueno_core::math::Int;
use trueno_core::table::{ArithBinaryRow, ArithBinaryVisitor, ArithUnaryRow, ArithUnaryVisitor, BinaryOp, UnaryOp};

use super::Operand;
use crate::Isa;
use crate::matmul::{MatRef, product_of_integers};
use crate::simd::kernel;

/// An element whose rows are evaluated through [`Int`]; see [`unary_int`] and [`binary_int`].
pub trait Integer: Element {
    /// `self + other`, wrapping on overflow.
    fn wrapping_sum(self, other: Self) -> Self;
    /// `self * other`, wrapping on overflow.
    fn wrapping_product(self, other: Self) -> Self;
    /// See [`wrapping_product`](crate::matmul::wrapping_product).
    #[doc(hidden)]
    fn product(isa: Isa, a: MatRef<'_, Self>, b: MatRef<'_, Self>, out: &mut [Self], panel: &mut [Self]);
    /// See [`unary_int`].
    #[doc(hidden)]
    fn unary(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, Self>, out: &mut [Self]);
    /// See [`binary_int`].
    #[doc(hidden)]
    fn binary(isa: Isa, op: BinaryOp, a: Operand<'_, Self>, b: Operand<'_, Self>, out: &mut [Self]);
}

/// `out[i] = op(x[i])` for a row that integers have, wrapping on overflow.
///
/// # Panics
/// If a slice has another length than `out`, or the row is for floats alone
/// ([`RowInfo::integers`](trueno_core::table::RowInfo::integers)).
pub fn unary_int<T: Integer>(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, T>, out: &mut [T]) {
    T::unary(isa, op, parameters, x, out);
}

/// `out[i] = op(a[i], b[i])` for a row that integers have, wrapping on overflow.
///
/// # Panics
/// If a slice has another length than `out`, or the row is for floats alone
/// ([`RowInfo::integers`](trueno_core::table::RowInfo::integers)).
pub fn binary_int<T: Integer>(isa: Isa, op: BinaryOp, a: Operand<'_, T>, b: Operand<'_, T>, out: &mut [T]) {
    T::binary(isa, op, a, b, out);
}

/// How many elements go through a block on the stack at a time.
const BLOCK: usize = 256;

struct Unary<'a, T> {
    isa: Isa,
    parameters: [f64; 2],
    x: Operand<'a, T>,
    out: &'a mut [T],
}

struct Binary<'a, T> {
    isa: Isa,
    a: Operand<'a, T>,
    b: Operand<'a, T>,
    out: &'a mut [T],
}

/// Copies the operand's elements from `start` on to `block`.
fn gather<T: Copy>(operand: &Operand<'_, T>, out: &[T], start: usize, block: &mut [T]) {
    let range = start..start + block.len();
    match operand {
        Operand::Slice(values) => block.copy_from_slice(&values[range]),
        Operand::Scalar(value) => block.fill(*value),
        Operand::InPlace => block.copy_from_slice(&out[range]),
    }
}

macro_rules! integer {
    ($t:ty) => {
        const _: () = {
            kernel! {
                /// Applies a unary row to a block in place.
                fn unary_block<R: ArithUnaryRow>(_simd: S, parameters: [f64; 2], block: &mut [$t]) {
                    for value in block {
                        let x = Int(*value);
                        let [first, second] = parameters;
                        *value = R::value_arith(x, [Int(<$t>::from_f64(first)), Int(<$t>::from_f64(second))]).0;
                    }
                }
            }
            kernel! {
                /// Applies a binary row to two blocks, leaving the result in the first.
                fn binary_block<R: ArithBinaryRow>(_simd: S, a: &mut [$t], b: &[$t]) {
                    for (a, b) in a.iter_mut().zip(b) {
                        *a = R::value_arith(Int(*a), Int(*b)).0;
                    }
                }
            }

            impl ArithUnaryVisitor for Unary<'_, $t> {
                type Output = ();
                fn visit<R: ArithUnaryRow>(self) {
                    self.x.check(self.out.len());
                    let mut start = 0;
                    while start < self.out.len() {
                        let mut block = [0; BLOCK];
                        let block = &mut block[..BLOCK.min(self.out.len() - start)];
                        gather(&self.x, self.out, start, block);
                        unary_block::<R>(self.isa, self.parameters, block);
                        self.out[start..start + block.len()].copy_from_slice(block);
                        start += BLOCK;
                    }
                }
            }

            impl ArithBinaryVisitor for Binary<'_, $t> {
                type Output = ();
                fn visit<R: ArithBinaryRow>(self) {
                    self.a.check(self.out.len());
                    self.b.check(self.out.len());
                    let mut start = 0;
                    while start < self.out.len() {
                        let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
                        let count = BLOCK.min(self.out.len() - start);
                        gather(&self.a, self.out, start, &mut a[..count]);
                        gather(&self.b, self.out, start, &mut b[..count]);
                        binary_block::<R>(self.isa, &mut a[..count], &b[..count]);
                        self.out[start..start + count].copy_from_slice(&a[..count]);
                        start += BLOCK;
                    }
                }
            }

            impl Integer for $t {
                fn wrapping_sum(self, other: $t) -> $t {
                    self.wrapping_add(other)
                }
                fn wrapping_product(self, other: $t) -> $t {
                    self.wrapping_mul(other)
                }
                fn product(isa: Isa, a: MatRef<'_, $t>, b: MatRef<'_, $t>, out: &mut [$t], panel: &mut [$t]) {
                    product_of_integers(isa, a, b, out, panel);
                }
                fn unary(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, $t>, out: &mut [$t]) {
                    let done = op.dispatch_arith(Unary { isa, parameters, x, out });
                    assert!(done.is_some(), "{} is for floats", op.name());
                }
                fn binary(isa: Isa, op: BinaryOp, a: Operand<'_, $t>, b: Operand<'_, $t>, out: &mut [$t]) {
                    let done = op.dispatch_arith(Binary { isa, a, b, out });
                    assert!(done.is_some(), "{} is for floats", op.name());
                }
            }
        };
    };
}

integer!(u8);
integer!(i8);
integer!(i32);
integer!(u32);
integer!(i64);
