//! Reduction kernels, element by element through the oracle: stand-ins with the final signatures, to be
//! replaced by the vector kernels (keep the names and signatures, which trueno-tensor calls).
#![allow(missing_docs)]
use crate::{Isa, simd::Real};
use trueno_core::Number;
use trueno_core::table::*;
pub const BLOCK: usize = 8192;
struct Acc(f64, f64, f64);
impl ReduceVisitor for Acc {
    type Output = f64;
    fn visit<R: ReduceRow>(self) -> f64 {
        R::combine(self.0, R::map(self.1, self.2))
    }
}
struct Init;
impl ReduceVisitor for Init {
    type Output = f64;
    fn visit<R: ReduceRow>(self) -> f64 {
        R::init(0.0)
    }
}
struct Comb(f64, f64);
impl ReduceVisitor for Comb {
    type Output = f64;
    fn visit<R: ReduceRow>(self) -> f64 {
        R::combine(self.0, self.1)
    }
}
struct Fin(f64, f64);
impl ReduceVisitor for Fin {
    type Output = f64;
    fn visit<R: ReduceRow>(self) -> f64 {
        R::finish(self.0, self.1)
    }
}
pub fn accumulate_rows<T: Real>(_: Isa, op: ReduceOp, x: &[T], length: usize, c: Option<&[T]>, acc: &mut [T]) {
    for (r, o) in acc.iter_mut().enumerate() {
        let mut a = op.dispatch(Init);
        for i in 0..length {
            a = op.dispatch(Acc(a, x[r * length + i].to_f64(), c.map_or(0.0, |c| c[r].to_f64())));
        }
        *o = T::from_f64(a);
    }
}
pub fn accumulate_columns<T: Real>(_: Isa, op: ReduceOp, x: &[T], c: Option<&[T]>, acc: &mut [T]) {
    let n = acc.len();
    for (j, o) in acc.iter_mut().enumerate() {
        let mut a = op.dispatch(Init);
        let mut i = j;
        while i < x.len() {
            a = op.dispatch(Acc(a, x[i].to_f64(), c.map_or(0.0, |c| c[j].to_f64())));
            i += n;
        }
        *o = T::from_f64(a);
    }
}
pub fn combine<T: Real>(_: Isa, op: ReduceOp, a: &mut [T], b: &[T]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = T::from_f64(op.dispatch(Comb(a.to_f64(), b.to_f64())));
    }
}
pub fn finish<T: Real>(_: Isa, op: ReduceOp, n: usize, corr: f64, a: &mut [T]) {
    for a in a {
        *a = T::from_f64(op.dispatch(Fin(a.to_f64(), n as f64 - corr)));
    }
}
pub fn reduce_int<T: Number>(_: Isa, op: ReduceOp, x: &[T], acc: &mut [T]) {
    let n = acc.len();
    for (j, o) in acc.iter_mut().enumerate() {
        let mut a = op.dispatch(Init);
        let mut i = j;
        while i < x.len() {
            a = op.dispatch(Acc(a, x[i].to_f64(), 0.0));
            i += n;
        }
        *o = T::from_f64(a);
    }
}
pub fn arg_columns<T: Number>(_: Isa, largest: bool, x: &[T], acc: &mut [i64]) {
    let n = acc.len();
    for (j, o) in acc.iter_mut().enumerate() {
        let (mut best, mut k, mut i) = (x[j].to_f64(), 0, 0);
        while j + i * n < x.len() {
            let v = x[j + i * n].to_f64();
            if !best.is_nan() && (v.is_nan() || if largest { v > best } else { v < best }) {
                best = v;
                k = i;
            }
            i += 1;
        }
        *o = k as i64;
    }
}
pub fn arg_int<T: Number>(i: Isa, largest: bool, x: &[T], acc: &mut [i64]) {
    arg_columns(i, largest, x, acc)
}
pub fn cumsum<T: Number>(_: Isa, x: &[T], inner: usize, out: &mut [T]) {
    for i in 0..x.len() {
        out[i] = if i < inner { x[i] } else { T::from_f64(out[i - inner].to_f64() + x[i].to_f64()) };
    }
}
pub fn cumsum_int<T: Number>(i: Isa, x: &[T], inner: usize, out: &mut [T]) {
    cumsum(i, x, inner, out)
}
