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
use crate::simd::kernel;

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

struct Value;
struct Parameters([f64; 2]);
struct ParametersGrad([f64; 2]);

/// The kernels of one table of rows for one type.
///
/// They have a module of their own because that is the unit in which the compiler makes machine code: modules are
/// compiled side by side, and again only if one of their rows has changed.
macro_rules! table {
    ($module:ident<$t:ty>: $visitor:ident of $row:ident with $extra:ident $(($field:ident))? => $formula:expr) => {
        mod $module {
            use super::super::*;

            kernel! {
                /// Applies a formula to whole blocks of elements.
                fn run<F: Formula>(simd: S, formula: F, job: Job<'_, $t>) {
                    map(simd, formula, job);
                }
            }

            impl $visitor for Run<'_, $t, $extra> {
                type Output = ();
                fn visit<R: $row>(self) {
                    let ($extra $(($field))?, isa) = (self.extra, self.isa);
                    Job::run(self.operands, self.out, &|job| run(isa, $formula, job));
                }
            }
        }
    };
}

macro_rules! real_kernels {
    ($module:ident: $t:ty) => {
        mod $module {
            table!(unary<$t>: UnaryVisitor of UnaryRow with Parameters(parameters) =>
                UnaryValue { parameters, row: PhantomData::<R> });
            table!(unary_grad<$t>: UnaryVisitor of UnaryRow with ParametersGrad(parameters) =>
                UnaryGrad { parameters, row: PhantomData::<R> });
            table!(binary<$t>: BinaryVisitor of BinaryRow with Value => BinaryValue { row: PhantomData::<R> });
            table!(ternary<$t>: TernaryVisitor of TernaryRow with Value => TernaryValue { row: PhantomData::<R> });
        }

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

real_kernels!(single: f32);
real_kernels!(double: f64);
