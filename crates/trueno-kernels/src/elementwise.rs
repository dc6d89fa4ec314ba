//! Elementwise kernels, element by element through the oracle: stand-ins with the final signatures, to be
//! replaced by the vector kernels (keep the names and signatures, which trueno-tensor calls).
#![allow(missing_docs)]
use crate::{Isa, simd::Real};
use trueno_core::table::*;
use trueno_core::{Element, Number};
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T> {
    Slice(&'a [T]),
    Scalar(T),
    InPlace,
}
impl<T: Copy> Operand<'_, T> {
    fn at(&self, i: usize, o: T) -> T {
        match self {
            Operand::Slice(s) => s[i],
            Operand::Scalar(v) => *v,
            Operand::InPlace => o,
        }
    }
}
pub fn unary<T: Real>(_: Isa, op: UnaryOp, p: [f64; 2], x: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.eval(x.at(i, out[i]).to_f64(), p));
    }
}
pub fn unary_int<T: Number>(_: Isa, op: UnaryOp, p: [f64; 2], x: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.eval(x.at(i, out[i]).to_f64(), p));
    }
}
struct G(f64, f64, [f64; 2]);
impl UnaryVisitor for G {
    type Output = f64;
    fn visit<R: UnaryRow>(self) -> f64 {
        R::grad(self.0, self.1, self.2)
    }
}
pub fn unary_grad<T: Real>(_: Isa, op: UnaryOp, p: [f64; 2], x: Operand<T>, g: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.dispatch(G(x.at(i, out[i]).to_f64(), g.at(i, out[i]).to_f64(), p)));
    }
}
pub fn binary<T: Real>(_: Isa, op: BinaryOp, a: Operand<T>, b: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.eval(a.at(i, out[i]).to_f64(), b.at(i, out[i]).to_f64()));
    }
}
pub fn binary_int<T: Number>(_: Isa, op: BinaryOp, a: Operand<T>, b: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.eval(a.at(i, out[i]).to_f64(), b.at(i, out[i]).to_f64()));
    }
}
pub fn ternary<T: Real>(_: Isa, op: TernaryOp, a: Operand<T>, b: Operand<T>, c: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = T::from_f64(op.eval(a.at(i, out[i]).to_f64(), b.at(i, out[i]).to_f64(), c.at(i, out[i]).to_f64()));
    }
}
pub fn compare<T: Number>(_: Isa, op: CompareOp, a: Operand<T>, b: Operand<T>, out: &mut [bool]) {
    for i in 0..out.len() {
        out[i] = op.eval(a.at(i, T::default()).to_f64(), b.at(i, T::default()).to_f64());
    }
}
pub fn select<T: Element>(_: Isa, m: Operand<bool>, a: Operand<T>, b: Operand<T>, out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = if m.at(i, false) { a.at(i, out[i]) } else { b.at(i, out[i]) };
    }
}
pub fn convert<A: Element, B: Element>(_: Isa, x: &[A], out: &mut [B]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o = B::from_f64(x.to_f64());
    }
}
