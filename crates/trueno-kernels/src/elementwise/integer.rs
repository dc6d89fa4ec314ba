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

/// Elements that go through a block on the stack at a time.
const BLOCK: usize = 512;

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

impl<T: Element> Unary<'_, T> {
    /// Hands the operand to `row`: a slice as it is, others block by block.
    fn run(self, row: impl Fn(&[T], &mut [T])) {
        self.x.check(self.out.len());
        if let Operand::Slice(x) = self.x {
            return row(x, self.out);
        }
        let mut block = [T::default(); BLOCK];
        for (index, out) in self.out.chunks_mut(BLOCK).enumerate() {
            row(part(&self.x, out, index * BLOCK, &mut block), out);
        }
    }
}

impl<T: Element> Binary<'_, T> {
    /// Hands the operands to `row`: two slices as they are, others block by block.
    fn run(self, row: impl Fn(&[T], &[T], &mut [T])) {
        self.a.check(self.out.len());
        self.b.check(self.out.len());
        if let (Operand::Slice(a), Operand::Slice(b)) = (self.a, self.b) {
            return row(a, b, self.out);
        }
        let (mut first, mut second) = ([T::default(); BLOCK], [T::default(); BLOCK]);
        for (index, out) in self.out.chunks_mut(BLOCK).enumerate() {
            let a = part(&self.a, out, index * BLOCK, &mut first);
            let b = part(&self.b, out, index * BLOCK, &mut second);
            row(a, b, out);
        }
    }
}

/// The operand's elements of the block `out` that begins at `start`: borrowed, or copied to the beginning of `block`.
fn part<'a, T: Copy>(operand: &Operand<'a, T>, out: &[T], start: usize, block: &'a mut [T; BLOCK]) -> &'a [T] {
    let block = &mut block[..out.len()];
    match operand {
        Operand::Slice(values) => return &values[start..start + out.len()],
        Operand::Scalar(value) => block.fill(*value),
        Operand::InPlace => block.copy_from_slice(out),
    }
    block
}

macro_rules! integer {
    ($t:ty) => {
        const _: () = {
            kernel! {
                /// Applies a unary row.
                fn unary_slices<R: ArithUnaryRow>(_simd: S, parameters: [f64; 2], x: &[$t], out: &mut [$t]) {
                    let parameters = [Int(<$t>::from_f64(parameters[0])), Int(<$t>::from_f64(parameters[1]))];
                    for (&x, out) in x.iter().zip(out) {
                        *out = R::value_arith(Int(x), parameters).0;
                    }
                }
            }
            kernel! {
                /// Applies a binary row.
                fn binary_slices<R: ArithBinaryRow>(_simd: S, a: &[$t], b: &[$t], out: &mut [$t]) {
                    for ((&a, &b), out) in a.iter().zip(b).zip(out) {
                        *out = R::value_arith(Int(a), Int(b)).0;
                    }
                }
            }

            impl ArithUnaryVisitor for Unary<'_, $t> {
                type Output = ();
                fn visit<R: ArithUnaryRow>(self) {
                    let (isa, parameters) = (self.isa, self.parameters);
                    self.run(|x, out| unary_slices::<R>(isa, parameters, x, out));
                }
            }

            impl ArithBinaryVisitor for Binary<'_, $t> {
                type Output = ();
                fn visit<R: ArithBinaryRow>(self) {
                    let isa = self.isa;
                    self.run(|a, b, out| binary_slices::<R>(isa, a, b, out));
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
