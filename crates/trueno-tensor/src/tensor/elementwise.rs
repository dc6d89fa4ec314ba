//! A method per row of the elementwise tables. A new row is a new method; nothing here lists rows.

use super::operand::Operand;
use super::rank::{Rank, Ranked, Shell};
use super::{Tensor, expect};
use crate::engine::apply_in_place;
use crate::{DynTensor, Op};
use trueno_core::table::{BinaryOp, CompareOp, TernaryOp, UnaryOp};
use trueno_core::{Element, Float, Number, Result};

/// The parameters of a row, padded with 0.
fn padded<const P: usize>(given: [f64; P]) -> [f64; 2] {
    std::array::from_fn(|i| given.get(i).copied().unwrap_or(0.0))
}

fn unary_in_place(x: &mut DynTensor, row: UnaryOp, parameters: [f64; 2]) -> Result<()> {
    apply_in_place(&Op::Unary(row, parameters), x, &[])
}

macro_rules! unary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($x:ident $(; $($param:ident = $default:expr),+)?) { $($rest:tt)* }
    )+) => {$(
        unary_methods!(@class $class, [$($doc)+] $variant $name [$($($param)+)?]);
    )+};
    (@class arith, $($row:tt)+) => { unary_methods!(@method Number, $($row)+); };
    (@class float, $($row:tt)+) => { unary_methods!(@method Float, $($row)+); };
    (@method $bound:ident, [$($doc:literal)+] $variant:ident $name:ident [$($param:ident)*]) => { pastey::paste! {
        impl<T: $bound, const N: usize> Tensor<T, N> {
            $(#[doc = $doc])+
            ///
            /// # Panics
            /// If there is no memory for the result.
            #[must_use]
            #[track_caller]
            pub fn $name(&self $(, $param: f64)*) -> Tensor<T, N> {
                expect(self.[<try_ $name>]($($param),*))
            }

            #[doc = concat!("As [`", stringify!($name), "`](Tensor::", stringify!($name), "), where memory may end.")]
            ///
            /// # Errors
            /// [`trueno_core::Error::OutOfMemory`].
            pub fn [<try_ $name>](&self $(, $param: f64)*) -> Result<Tensor<T, N>> {
                self.as_dyn().unary(UnaryOp::$variant, padded([$($param),*])).map(Tensor::new)
            }

            #[doc = concat!("[`", stringify!($name), "`](Tensor::", stringify!($name), "), replacing the elements: in their own memory ")]
            /// if nobody shares it, in fresh memory otherwise.
            ///
            /// # Panics
            /// If gradients are tracked through `self` and recorded: the graph needs the values as they are. Inside
            /// `no_grad` the value changes and keeps its place in the graph.
            #[track_caller]
            pub fn [<$name _>](&mut self $(, $param: f64)*) -> &mut Self {
                expect(self.[<try_ $name _>]($($param),*))
            }

            #[doc = concat!("As [`", stringify!($name), "_`](Tensor::", stringify!($name), "_), where gradients may be tracked.")]
            ///
            /// # Errors
            /// [`trueno_core::Error::Gradient`] if they are tracked and recorded; [`trueno_core::Error::OutOfMemory`].
            pub fn [<try_ $name _>](&mut self $(, $param: f64)*) -> Result<&mut Self> {
                unary_in_place(&mut self.inner, UnaryOp::$variant, padded([$($param),*]))?;
                Ok(self)
            }
        }
    } };
}

trueno_core::unary_table!(unary_methods);

/// The pair of methods, panicking and `try_`, of a row with one operand on the right.
macro_rules! binary_pair {
    ($bound:ident, [$($doc:literal)+] $name:ident -> $output:ty, |$left:ident, $right:ident| $call:expr) => { pastey::paste! {
        impl<T: $bound, const N: usize> Tensor<T, N> {
            $(#[doc = $doc])+
            /// `a` is `self`; `b` is a tensor that broadcasts with it or one element.
            ///
            /// # Panics
            /// At the caller's line if the shapes do not broadcast.
            #[track_caller]
            pub fn $name<B: Operand<T, Rank<N>>>(&self, b: B) -> <B::Rank as Ranked>::Tensor<$output> {
                expect(self.[<try_ $name>](b))
            }

            #[doc = concat!("As [`", stringify!($name), "`](Tensor::", stringify!($name), "), for shapes that are not known to fit.")]
            ///
            /// # Errors
            /// [`trueno_core::Error::Broadcast`].
            pub fn [<try_ $name>]<B: Operand<T, Rank<N>>>(&self, b: B) -> Result<<B::Rank as Ranked>::Tensor<$output>> {
                let $left = self.as_dyn();
                b.with(|$right| $call).map(Shell::shell)
            }
        }
    } };
}

macro_rules! binary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {$(
        binary_methods!(@class $class, [$($doc)+] $name $variant);
    )+};
    (@class arith, $($row:tt)+) => { binary_methods!(@method Number, $($row)+); };
    (@class float, $($row:tt)+) => { binary_methods!(@method Float, $($row)+); };
    (@method $bound:ident, $doc:tt $name:ident $variant:ident) => {
        binary_pair!($bound, $doc $name -> T, |a, b| a.binary(BinaryOp::$variant, b));
    };
}

trueno_core::binary_table!(binary_methods);

macro_rules! compare_methods {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {$(
        binary_pair!(Element, [$($doc)+] $name -> bool, |a, b| a.compare(CompareOp::$variant, b));
    )+};
}

trueno_core::compare_table!(compare_methods);

macro_rules! ternary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident, $c:ident) { $($rest:tt)* }
    )+) => { pastey::paste! {$(
        impl<T: Float, const N: usize> Tensor<T, N> {
            $(#[doc = $doc])+
            #[doc = concat!("`", stringify!($a), "` is `self`; the others are tensors that broadcast with it or one element.")]
            ///
            /// # Panics
            /// At the caller's line if the shapes do not broadcast.
            #[track_caller]
            pub fn $name<B, C>(&self, $b: B, $c: C) -> <C::Rank as Ranked>::Tensor<T>
            where
                B: Operand<T, Rank<N>>,
                C: Operand<T, B::Rank>,
            {
                expect(self.[<try_ $name>]($b, $c))
            }

            #[doc = concat!("As [`", stringify!($name), "`](Tensor::", stringify!($name), "), for shapes that are not known to fit.")]
            ///
            /// # Errors
            /// [`trueno_core::Error::Broadcast`].
            pub fn [<try_ $name>]<B, C>(&self, $b: B, $c: C) -> Result<<C::Rank as Ranked>::Tensor<T>>
            where
                B: Operand<T, Rank<N>>,
                C: Operand<T, B::Rank>,
            {
                $b.with(|b| $c.with(|c| self.as_dyn().ternary(TernaryOp::$variant, b, c))).map(Shell::shell)
            }
        }
    )+} };
}

trueno_core::ternary_table!(ternary_methods);
