//! Methods per row of the reduction table, and positions of extremes. A new row is new methods; nothing here lists rows.

use super::rank::{Lower, Lowered, Rank, Ranked, Shell};
use super::{Tensor, twins};
use crate::engine::apply;
use crate::{DynTensor, Extreme, Op, Reduction};
use trueno_core::table::ReduceOp;
use trueno_core::{Element, Float, Number, Result};

fn whole(x: &DynTensor, row: ReduceOp, correction: f64) -> Result<DynTensor> {
    let reduction = Reduction { op: row, axes: (0..x.rank()).collect(), keep_dims: false, correction };
    apply(&Op::Reduce(reduction), &[x])
}

/// The type that a row's result has, for elements of `$t`.
#[rustfmt::skip]
macro_rules! result_type {
    (same, $t:ty) => { $t };
    (sum, $t:ty) => { <$t as Element>::Sum };
    (truth, $t:ty) => { bool };
}

macro_rules! reduce_methods {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $centered:ident $variant:ident $name:ident -> $result:ident { $($rest:tt)* }
    )+) => {$(
        reduce_methods!(@class $class $centered, [$($doc)+] $result $variant $name);
    )+};
    (@class arith $centered:ident, $($row:tt)+) => { reduce_methods!(@$centered Element, $($row)+); };
    (@class float $centered:ident, $($row:tt)+) => { reduce_methods!(@$centered Float, $($row)+); };
    (@plain $bound:ident, $($row:tt)+) => { reduce_methods!(@methods $bound, [] [0.0] $($row)+); };
    (@centered $bound:ident, $($row:tt)+) => { reduce_methods!(@methods $bound, [correction: f64] [correction] $($row)+); };
    (@methods $bound:ident, [$($param:ident: $type:ty)?] [$value:expr] [$($doc:literal)+] $result:ident $variant:ident $name:ident) => { pastey::paste! {
        impl<T: $bound, const N: usize> Tensor<T, N> { twins! {
            $(#[doc = $doc])+
            /// Over all axes; the result has rank 0.
            pub fn $name(&self $(, $param: $type)?) -> Tensor<result_type!($result, T), 0> {
                whole(&self.inner, ReduceOp::$variant, $value).map(Tensor::new)
            }

            $(#[doc = $doc])+
            /// Over one axis, which goes.
            pub fn [<$name _axis>](&self, axis: isize $(, $param: $type)?) -> Lowered<result_type!($result, T), N>
            where [Rank<N>: Lower] {
                self.inner.reduce(ReduceOp::$variant, &[axis], false, $value).map(Shell::shell)
            }

            $(#[doc = $doc])+
            /// Over several axes, which go.
            pub fn [<$name _axes>][const K: usize](&self, axes: [isize; K] $(, $param: $type)?)
                -> <<Rank<N> as Lower<K>>::Output as Ranked>::Tensor<result_type!($result, T)>
            where [Rank<N>: Lower<K>] {
                self.inner.reduce(ReduceOp::$variant, &axes, false, $value).map(Shell::shell)
            }

            $(#[doc = $doc])+
            /// Over one axis, which stays with size 1.
            pub fn [<$name _keepdims>](&self, axis: isize $(, $param: $type)?) -> Tensor<result_type!($result, T), N> {
                self.inner.reduce(ReduceOp::$variant, &[axis], true, $value).map(Tensor::new)
            }
        } }
    } };
}

trueno_core::reduce_table!(reduce_methods);

fn flat_position(x: &DynTensor, extreme: Extreme) -> Result<DynTensor> {
    x.detach().reshape_to(&[x.size()])?.arg_reduce(extreme, 0, false)
}

impl<T: Element, const N: usize> Tensor<T, N> {
    twins! {
        /// Position of the largest element in row-major order; the first on a tie, the first NaN if any.
        pub fn argmax(&self) -> Tensor<i64, 0> {
            flat_position(&self.inner, Extreme::Max).map(Tensor::new)
        }

        /// Position of the smallest element in row-major order; the first on a tie, the first NaN if any.
        pub fn argmin(&self) -> Tensor<i64, 0> {
            flat_position(&self.inner, Extreme::Min).map(Tensor::new)
        }

        /// Position of the largest element along an axis; the first on a tie, the first NaN if any.
        pub fn argmax_axis(&self, axis: isize) -> Lowered<i64, N> where [Rank<N>: Lower] {
            self.inner.arg_reduce(Extreme::Max, axis, false).map(Shell::shell)
        }

        /// Position of the smallest element along an axis; the first on a tie, the first NaN if any.
        pub fn argmin_axis(&self, axis: isize) -> Lowered<i64, N> where [Rank<N>: Lower] {
            self.inner.arg_reduce(Extreme::Min, axis, false).map(Shell::shell)
        }
    }
}

impl<T: Number, const N: usize> Tensor<T, N> {
    twins! {
        /// Running sum along an axis; `i64` for integers.
        pub fn cumsum(&self, axis: isize) -> Tensor<T::Sum, N> {
            self.inner.cumsum(axis).map(Tensor::new)
        }
    }
}
