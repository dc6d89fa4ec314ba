//! The rows of reductions on vectors.

use trueno_core::table::{ReduceOp, ReduceRow, ReduceVisitor};

use super::{extreme, scan};
use crate::Isa;
use crate::lanes::{read, write};
use crate::simd::{Lanes, MAX_LANES, Real, RealVector, kernel};

/// The reductions of one type, compiled with this crate; see the functions of [`reduce`](super).
#[doc(hidden)]
pub trait RealReductions: Sized {
    fn accumulate_rows(isa: Isa, op: ReduceOp, x: &[Self], length: usize, centers: Option<&[Self]>, acc: &mut [Self]);
    fn accumulate_columns(isa: Isa, op: ReduceOp, x: &[Self], centers: Option<&[Self]>, acc: &mut [Self]);
    fn combine(isa: Isa, op: ReduceOp, acc: &mut [Self], other: &[Self]);
    fn finish(isa: Isa, op: ReduceOp, count: f64, acc: &mut [Self]);
    fn arg_columns(isa: Isa, largest: bool, x: &[Self], positions: &mut [i64]);
    fn arg_rows(isa: Isa, largest: bool, x: &[Self], positions: &mut [i64]);
    fn cumsum(isa: Isa, x: &[Self], inner: usize, out: &mut [Self]);
}

/// Vectors that a row is accumulated in side by side, so that no addition waits for the one before.
const CHAINS: usize = 4;

/// What the elements of `x` from `from` on contribute; neutral in the lanes after its end.
#[inline(always)]
fn mapped<V: RealVector, R: ReduceRow>(simd: V::Token, x: &[V::Elem], from: usize, center: V) -> V {
    let Lanes(value) = R::map(Lanes(read::<V>(simd, x, from)), Lanes(center));
    let count = x.len() - from;
    if count >= V::LANES {
        return value;
    }
    let Lanes(neutral) = R::init(Lanes(center));
    V::select(extreme::lane_indices::<V>(simd).lt(value.lit(count as f64)), value, neutral)
}

/// The reduction of one row, unfinished: side by side in vectors, these pairwise, then their lanes by halves.
#[inline(always)]
fn reduce_row<V: RealVector, R: ReduceRow>(simd: V::Token, x: &[V::Elem], center: V) -> V::Elem {
    let Lanes(neutral) = R::init(Lanes(center));
    let mut chains = [neutral; CHAINS];
    let blocks = x.chunks_exact(CHAINS * V::LANES);
    let rest = blocks.remainder();
    for block in blocks {
        let mut chain = 0;
        while chain < CHAINS {
            let Lanes(value) = R::map(Lanes(read::<V>(simd, block, chain * V::LANES)), Lanes(center));
            chains[chain] = join::<V, R>(chains[chain], value);
            chain += 1;
        }
    }
    let mut from = 0;
    while from < rest.len() {
        chains[0] = join::<V, R>(chains[0], mapped::<V, R>(simd, rest, from, center));
        from += V::LANES;
    }
    let [a, b, c, d] = chains;
    let lanes = join::<V, R>(join::<V, R>(a, b), join::<V, R>(c, d)).to_lanes();
    reduce_lanes::<V::Elem, R>(lanes, V::LANES)
}

#[inline(always)]
fn join<V: RealVector, R: ReduceRow>(a: V, b: V) -> V {
    R::combine(Lanes(a), Lanes(b)).0
}

/// Joins the first `count` lanes, a power of two, by halves.
#[inline(always)]
fn reduce_lanes<T: Real, R: ReduceRow>(mut lanes: [T; MAX_LANES], count: usize) -> T {
    let scalar = crate::simd::Scalar;
    let mut half = count / 2;
    while half > 0 {
        let mut lane = 0;
        while lane < half {
            let a = T::Vector::<crate::simd::Scalar>::splat(scalar, lanes[lane]);
            let b = T::Vector::<crate::simd::Scalar>::splat(scalar, lanes[lane + half]);
            lanes[lane] = join::<_, R>(a, b).first();
            lane += 1;
        }
        half /= 2;
    }
    lanes[0]
}

kernel! {
    /// Reduces each row.
    fn rows<T: Real, R: ReduceRow>(simd: S, x: &[T], length: usize, centers: &[T], acc: &mut [T]) {
        for (row, acc) in acc.iter_mut().enumerate() {
            let center = T::Vector::<S>::splat(simd, if R::OP.centered() { centers[row] } else { T::ZERO });
            *acc = reduce_row::<T::Vector<S>, R>(simd, &x[row * length..][..length], center);
        }
    }
}

/// Rows that are added to the accumulators while these are in registers.
const ROWS: usize = 4;

kernel! {
    /// Reduces each column, row after row.
    fn columns<T: Real, R: ReduceRow>(simd: S, x: &[T], centers: &[T], acc: &mut [T]) {
        let width = acc.len();
        let zero = T::Vector::<S>::splat(simd, T::ZERO);
        let Lanes(neutral) = R::init(Lanes(zero));
        acc.fill(neutral.first());
        for rows in x.chunks(ROWS * width) {
            let mut from = 0;
            while from < width {
                let center = if R::OP.centered() { read::<T::Vector<S>>(simd, centers, from) } else { zero };
                let mut total = read::<T::Vector<S>>(simd, acc, from);
                for row in rows.chunks_exact(width) {
                    let Lanes(value) = R::map(Lanes(read::<T::Vector<S>>(simd, row, from)), Lanes(center));
                    total = join::<T::Vector<S>, R>(total, value);
                }
                write(total, acc, from);
                from += T::Vector::<S>::LANES;
            }
        }
    }
}

kernel! {
    /// Joins partial results.
    fn combine_all<T: Real, R: ReduceRow>(simd: S, acc: &mut [T], other: &[T]) {
        let mut from = 0;
        while from < acc.len() {
            let joined = join::<T::Vector<S>, R>(read(simd, acc, from), read(simd, other, from));
            write(joined, acc, from);
            from += T::Vector::<S>::LANES;
        }
    }
}

kernel! {
    /// Finishes results.
    fn finish_all<T: Real, R: ReduceRow>(simd: S, count: f64, acc: &mut [T]) {
        let count = T::Vector::<S>::splat(simd, T::from_f64(count));
        let mut from = 0;
        while from < acc.len() {
            let Lanes(result) = R::finish(Lanes(read::<T::Vector<S>>(simd, acc, from)), Lanes(count));
            write(result, acc, from);
            from += T::Vector::<S>::LANES;
        }
    }
}

struct Rows<'a, T>(Isa, &'a [T], usize, &'a [T], &'a mut [T]);
struct Columns<'a, T>(Isa, &'a [T], &'a [T], &'a mut [T]);
struct Combine<'a, T>(Isa, &'a mut [T], &'a [T]);
struct Finish<'a, T>(Isa, f64, &'a mut [T]);

macro_rules! visit {
    ($($visitor:ident($($field:ident),+) => $kernel:ident;)*) => {$(
        impl<T: Real> ReduceVisitor for $visitor<'_, T> {
            type Output = ();
            fn visit<R: ReduceRow>(self) {
                let $visitor(isa, $($field),+) = self;
                $kernel::<T, R>(isa, $($field),+);
            }
        }
    )*};
}

visit! {
    Rows(x, length, centers, acc) => rows;
    Columns(x, centers, acc) => columns;
    Combine(acc, other) => combine_all;
    Finish(count, acc) => finish_all;
}

macro_rules! real_reductions {
    ($t:ty) => {
        impl RealReductions for $t {
            fn accumulate_rows(
                isa: Isa,
                op: ReduceOp,
                x: &[$t],
                length: usize,
                centers: Option<&[$t]>,
                acc: &mut [$t],
            ) {
                op.dispatch(Rows(isa, x, length, centers.unwrap_or(&[]), acc));
            }
            fn accumulate_columns(isa: Isa, op: ReduceOp, x: &[$t], centers: Option<&[$t]>, acc: &mut [$t]) {
                let centers = centers.unwrap_or(&[]);
                match acc.len() {
                    0 => {}
                    1 => op.dispatch(Rows(isa, x, x.len(), centers, acc)),
                    _ => op.dispatch(Columns(isa, x, centers, acc)),
                }
            }
            fn combine(isa: Isa, op: ReduceOp, acc: &mut [$t], other: &[$t]) {
                op.dispatch(Combine(isa, acc, other));
            }
            fn finish(isa: Isa, op: ReduceOp, count: f64, acc: &mut [$t]) {
                op.dispatch(Finish(isa, count, acc));
            }
            fn arg_columns(isa: Isa, largest: bool, x: &[$t], positions: &mut [i64]) {
                extreme::arg_columns(isa, largest, x, positions);
            }
            fn arg_rows(isa: Isa, largest: bool, x: &[$t], positions: &mut [i64]) {
                extreme::arg_rows(isa, largest, x, positions);
            }
            fn cumsum(isa: Isa, x: &[$t], inner: usize, out: &mut [$t]) {
                scan::cumsum(isa, x, inner, out);
            }
        }
    };
}

real_reductions!(f32);
real_reductions!(f64);
