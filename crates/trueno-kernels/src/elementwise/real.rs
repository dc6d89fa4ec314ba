//! From an operation as a value to the kernel of its row.
//!
//! Kernels are instantiated here, in functions that are not generic, so that they are compiled once and optimised
//! with this crate, not in every crate that calls them.

use core::marker::PhantomData;

use trueno_core::table::{
    BinaryOp, BinaryRow, BinaryVisitor, TernaryOp, TernaryRow, TernaryVisitor, UnaryOp, UnaryRow, UnaryVisitor,
};

use super::Operand;
use super::formula::{BinaryValue, Formula, TernaryValue, UnaryGrad, UnaryValue, map};
use super::job::Job;
use crate::Isa;
use crate::simd::Real;

/// The elementwise kernels of one type; see the functions of [`elementwise`](super).
#[doc(hidden)]
pub trait RealKernels: Sized {
    fn unary(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, Self>, out: &mut [Self]);
    fn unary_grad(isa: Isa, op: UnaryOp, parameters: [f64; 2], operands: [Operand<'_, Self>; 2], out: &mut [Self]);
    fn binary(isa: Isa, op: BinaryOp, operands: [Operand<'_, Self>; 2], out: &mut [Self]);
    fn ternary(isa: Isa, op: TernaryOp, operands: [Operand<'_, Self>; 3], out: &mut [Self]);
}

/// Visitor of a row that makes its formula and runs it.
struct Run<'a, T, E> {
    isa: Isa,
    operands: &'a [Operand<'a, T>],
    out: &'a mut [T],
    /// What the formula has beside the operands.
    extra: E,
}

impl<T: Real, E> Run<'_, T, E> {
    fn run<F: Formula>(self, formula: F) {
        let isa = self.isa;
        Job::run(self.operands, self.out, &|job| map(isa, formula, job));
    }
}

struct Value;
struct Parameters([f64; 2]);
struct ParametersGrad([f64; 2]);

macro_rules! visit {
    ($($visitor:ident of $row:ident with $extra:ident $(($field:ident))? => $formula:expr;)*) => {$(
        impl<T: Real> $visitor for Run<'_, T, $extra> {
            type Output = ();
            fn visit<R: $row>(self) {
                let $extra $(($field))? = self.extra;
                self.run($formula);
            }
        }
    )*};
}

visit! {
    UnaryVisitor of UnaryRow with Parameters(parameters) => UnaryValue { parameters, row: PhantomData::<R> };
    UnaryVisitor of UnaryRow with ParametersGrad(parameters) => UnaryGrad { parameters, row: PhantomData::<R> };
    BinaryVisitor of BinaryRow with Value => BinaryValue { row: PhantomData::<R> };
    TernaryVisitor of TernaryRow with Value => TernaryValue { row: PhantomData::<R> };
}

macro_rules! real_kernels {
    ($t:ty) => {
        impl RealKernels for $t {
            fn unary(isa: Isa, op: UnaryOp, parameters: [f64; 2], x: Operand<'_, $t>, out: &mut [$t]) {
                op.dispatch(Run { isa, operands: &[x], out, extra: Parameters(parameters) });
            }
            fn unary_grad(isa: Isa, op: UnaryOp, parameters: [f64; 2], operands: [Operand<'_, $t>; 2], out: &mut [$t]) {
                op.dispatch(Run { isa, operands: &operands, out, extra: ParametersGrad(parameters) });
            }
            fn binary(isa: Isa, op: BinaryOp, operands: [Operand<'_, $t>; 2], out: &mut [$t]) {
                op.dispatch(Run { isa, operands: &operands, out, extra: Value });
            }
            fn ternary(isa: Isa, op: TernaryOp, operands: [Operand<'_, $t>; 3], out: &mut [$t]) {
                op.dispatch(Run { isa, operands: &operands, out, extra: Value });
            }
        }
    };
}

real_kernels!(f32);
real_kernels!(f64);
