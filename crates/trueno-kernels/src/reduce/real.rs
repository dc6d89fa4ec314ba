//! The rows of reductions on vectors.

use trueno_core::table::{ReduceOp, ReduceRow, ReduceVisitor};
use trueno_core::{Element, bf16, f16};

use super::{extreme, scan};
use crate::Isa;
use crate::lanes::{read, write};
use crate::simd::{Lanes, MAX_LANES, Real, RealVector, kernel};

/// The reductions of one type, compiled with this crate; see the functions of [`reduce`](super).
#[doc(hidden)]
pub trait RealReductions: Sized {
    fn combine(isa: Isa, op: ReduceOp, acc: &mut [Self], other: &[Self]);
    fn finish(isa: Isa, op: ReduceOp, count: f64, acc: &mut [Self]);
    fn arg_columns(isa: Isa, largest: bool, x: &[Self], positions: &mut [i64]);
    fn arg_rows(isa: Isa, largest: bool, x: &[Self], positions: &mut [i64]);
    fn cumsum(isa: Isa, x: &[Self], inner: usize, out: &mut [Self]);
}

/// An element that is accumulated as a `T`: the type itself, or a half, which is widened on its way into the registers.
pub trait Readable<T: Real>: Element {
    /// The vector at `x[from..]`, zeros after its end.
    #[doc(hidden)]
    fn read<V: RealVector<Elem = T>>(simd: V::Token, x: &[Self], from: usize) -> V;
    /// See [`accumulate_rows`](super::accumulate_rows).
    #[doc(hidden)]
    fn accumulate_rows(isa: Isa, op: ReduceOp, x: &[Self], length: usize, centers: Option<&[T]>, acc: &mut [T]);
    /// See [`accumulate_columns`](super::accumulate_columns).
    #[doc(hidden)]
    fn accumulate_columns(isa: Isa, op: ReduceOp, x: &[Self], centers: Option<&[T]>, acc: &mut [T]);
}

/// Vectors that a row is accumulated in side by side, so that no addition waits for the one before.
const CHAINS: usize = 4;

/// What the elements of `x` from `from` on contribute; neutral in the lanes after its end.
#[inline(always)]
fn mapped<V: RealVector, E: Readable<V::Elem>, R: ReduceRow>(simd: V::Token, x: &[E], from: usize, center: V) -> V {
    let Lanes(value) = R::map(Lanes(E::read::<V>(simd, x, from)), Lanes(center));
    let count = x.len() - from;
    if count >= V::LANES {
        return value;
    }
    let Lanes(neutral) = R::init(Lanes(center));
    V::select(extreme::lane_indices::<V>(simd).lt(value.lit(count as f64)), value, neutral)
}

/// The reduction of one row, unfinished: side by side in vectors, these pairwise, then their lanes by halves.
#[inline(always)]
fn reduce_row<V: RealVector, E: Readable<V::Elem>, R: ReduceRow>(simd: V::Token, x: &[E], center: V) -> V::Elem {
    let Lanes(neutral) = R::init(Lanes(center));
    let mut chains = [neutral; CHAINS];
    let blocks = x.chunks_exact(CHAINS * V::LANES);
    let rest = blocks.remainder();
    for block in blocks {
        let mut chain = 0;
        while chain < CHAINS {
            let Lanes(value) = R::map(Lanes(E::read::<V>(simd, block, chain * V::LANES)), Lanes(center));
            chains[chain] = join::<V, R>(chains[chain], value);
            chain += 1;
        }
    }
    let mut from = 0;
    while from < rest.len() {
        chains[0] = join::<V, R>(chains[0], mapped::<V, E, R>(simd, rest, from, center));
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
    fn rows<T: Real, E: Readable<T>, R: ReduceRow>(simd: S, x: &[E], length: usize, centers: &[T], acc: &mut [T]) {
        for (row, acc) in acc.iter_mut().enumerate() {
            let center = T::Vector::<S>::splat(simd, if R::OP.centered() { centers[row] } else { T::ZERO });
            *acc = reduce_row::<T::Vector<S>, E, R>(simd, &x[row * length..][..length], center);
        }
    }
}

/// Rows that are added to the accumulators while these are in registers.
const ROWS: usize = 4;

kernel! {
    /// Reduces each column, row after row.
    fn columns<T: Real, E: Readable<T>, R: ReduceRow>(simd: S, x: &[E], centers: &[T], acc: &mut [T]) {
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
                    let Lanes(value) = R::map(Lanes(E::read::<T::Vector<S>>(simd, row, from)), Lanes(center));
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

struct Rows<'a, T, E>(Isa, &'a [E], usize, &'a [T], &'a mut [T]);
struct Columns<'a, T, E>(Isa, &'a [E], &'a [T], &'a mut [T]);
struct Combine<'a, T>(Isa, &'a mut [T], &'a [T]);
struct Finish<'a, T>(Isa, f64, &'a mut [T]);

macro_rules! visit {
    ($($visitor:ident($($field:ident),+) $(of $element:ident)? => $kernel:ident;)*) => {$(
        impl<T: Real $(, $element: Readable<T>)?> ReduceVisitor for $visitor<'_, T $(, $element)?> {
            type Output = ();
            fn visit<R: ReduceRow>(self) {
                let $visitor(isa, $($field),+) = self;
                $kernel::<T, $($element,)? R>(isa, $($field),+);
            }
        }
    )*};
}

visit! {
    Rows(x, length, centers, acc) of E => rows;
    Columns(x, centers, acc) of E => columns;
    Combine(acc, other) => combine_all;
    Finish(count, acc) => finish_all;
}

macro_rules! readable {
    ($($element:ty as $t:ty: |$simd:ident, $x:ident| $read:expr;)*) => {$(
        impl Readable<$t> for $element {
            #[inline(always)]
            fn read<V: RealVector<Elem = $t>>($simd: V::Token, x: &[Self], from: usize) -> V {
                let $x = &x[from..];
                $read
            }
            fn accumulate_rows(
                isa: Isa,
                op: ReduceOp,
                x: &[Self],
                length: usize,
                centers: Option<&[$t]>,
                acc: &mut [$t],
            ) {
                op.dispatch(Rows(isa, x, length, centers.unwrap_or(&[]), acc));
            }
            fn accumulate_columns(isa: Isa, op: ReduceOp, x: &[Self], centers: Option<&[$t]>, acc: &mut [$t]) {
                let centers = centers.unwrap_or(&[]);
                match acc.len() {
                    0 => {}
                    1 => op.dispatch(Rows(isa, x, x.len(), centers, acc)),
                    _ => op.dispatch(Columns(isa, x, centers, acc)),
                }
            }
        }
    )*};
}

readable! {
    f32 as f32: |simd, x| read(simd, x, 0);
    f64 as f64: |simd, x| read(simd, x, 0);
    f16 as f32: |simd, x| V::from_halves(simd, x);
    bf16 as f32: |simd, x| {
        let mut lanes = [0.0; MAX_LANES];
        // The compiler keeps them in a register.
        for (lane, x) in lanes[..V::LANES].iter_mut().zip(x) {
            *lane = f32::from_bits(u32::from(x.to_bits()) << 16);
        }
        V::from_lanes(simd, &lanes)
    };
}

macro_rules! real_reductions {
    ($t:ty) => {
        impl RealReductions for $t {
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
