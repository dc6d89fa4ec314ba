//! `+ - * /`, their assigning forms, unary `-`, and `& | ^ !` on truth values.
//!
//! An owned left operand gives its memory to the result where nobody else uses it. The assigning forms panic on a leaf
//! of a gradient graph while operations are recorded: assign inside `no_grad`, where it stays a leaf.

use super::operand::Operand;
use super::rank::{Broadcast, Rank, Ranked, Shell};
use super::{Tensor, expect};
use crate::engine::{apply_owned, assign};
use crate::numbers::number;
use crate::{DynTensor, Op};
use std::ops::{Add, AddAssign, BitAnd, BitOr, BitXor, Div, DivAssign, Mul, MulAssign, Neg, Not, Sub, SubAssign};
use trueno_core::table::{BinaryOp, CompareOp, UnaryOp};
use trueno_core::{Float, Number, Result, bf16, f16};

fn owned(op: BinaryOp, a: DynTensor, b: &DynTensor) -> Result<DynTensor> {
    apply_owned(&Op::Binary(op), a, &[b])
}

macro_rules! operator {
    ($bound:ident, $trait:ident $method:ident, $assign_trait:ident $assign_method:ident, $sign:tt $row:ident; $($scalar:ty)*) => {
        operator!(@tensors $bound, $trait $method, $row; [&'a Tensor<T, N>] [&Tensor<T, M>], |a, b| a.inner.binary(BinaryOp::$row, &b.inner));
        operator!(@tensors $bound, $trait $method, $row; [&'a Tensor<T, N>] [Tensor<T, M>], |a, b| a.inner.binary(BinaryOp::$row, &b.inner));
        operator!(@tensors $bound, $trait $method, $row; [Tensor<T, N>] [&Tensor<T, M>], |a, b| owned(BinaryOp::$row, a.inner, &b.inner));
        operator!(@tensors $bound, $trait $method, $row; [Tensor<T, N>] [Tensor<T, M>], |a, b| owned(BinaryOp::$row, a.inner, &b.inner));

        impl<T: $bound, const N: usize> $trait<T> for &Tensor<T, N> {
            type Output = Tensor<T, N>;
            #[track_caller]
            fn $method(self, value: T) -> Tensor<T, N> {
                Tensor::new(expect(number(value).and_then(|b| self.inner.binary(BinaryOp::$row, &b))))
            }
        }

        impl<T: $bound, const N: usize> $trait<T> for Tensor<T, N> {
            type Output = Tensor<T, N>;
            #[track_caller]
            fn $method(self, value: T) -> Tensor<T, N> {
                Tensor::new(expect(number(value).and_then(|b| owned(BinaryOp::$row, self.inner, &b))))
            }
        }

        impl<T: $bound, const N: usize, const M: usize> $assign_trait<&Tensor<T, M>> for Tensor<T, N>
        where
            Rank<N>: Broadcast<M, Output = Rank<N>>,
        {
            #[track_caller]
            fn $assign_method(&mut self, other: &Tensor<T, M>) {
                expect(assign(BinaryOp::$row, &mut self.inner, &other.inner));
            }
        }

        impl<T: $bound, const N: usize, const M: usize> $assign_trait<Tensor<T, M>> for Tensor<T, N>
        where
            Rank<N>: Broadcast<M, Output = Rank<N>>,
        {
            #[track_caller]
            fn $assign_method(&mut self, other: Tensor<T, M>) {
                expect(assign(BinaryOp::$row, &mut self.inner, &other.inner));
            }
        }

        impl<T: $bound, const N: usize> $assign_trait<T> for Tensor<T, N> {
            #[track_caller]
            fn $assign_method(&mut self, value: T) {
                expect(number(value).and_then(|b| assign(BinaryOp::$row, &mut self.inner, &b)));
            }
        }

        pastey::paste! {
            impl<T: $bound, const N: usize> Tensor<T, N> {
                #[doc = concat!("The operator `", stringify!($sign), "`, for shapes that are not known to fit.")]
                ///
                /// # Errors
                /// [`trueno_core::Error::Broadcast`]; [`trueno_core::Error::Gradient`] for a leaf while operations are recorded.
                pub fn [<try_ $assign_method>]<B>(&mut self, other: B) -> Result<()>
                where
                    B: Operand<T, Rank<N>, Rank = Rank<N>>,
                {
                    other.with(|other| assign(BinaryOp::$row, &mut self.inner, other))
                }
            }
        }

        $(
            impl<const N: usize> $trait<&Tensor<$scalar, N>> for $scalar {
                type Output = Tensor<$scalar, N>;
                #[track_caller]
                fn $method(self, tensor: &Tensor<$scalar, N>) -> Tensor<$scalar, N> {
                    Tensor::new(expect(number(self).and_then(|a| a.binary(BinaryOp::$row, &tensor.inner))))
                }
            }

            impl<const N: usize> $trait<Tensor<$scalar, N>> for $scalar {
                type Output = Tensor<$scalar, N>;
                #[track_caller]
                fn $method(self, tensor: Tensor<$scalar, N>) -> Tensor<$scalar, N> {
                    self.$method(&tensor)
                }
            }
        )*
    };
    (@tensors $bound:ident, $trait:ident $method:ident, $row:ident; [$($left:tt)*] [$($right:tt)*], |$a:ident, $b:ident| $call:expr) => {
        impl<'a, T: $bound, const N: usize, const M: usize> $trait<$($right)*> for $($left)*
        where
            Rank<N>: Broadcast<M>,
        {
            type Output = <<Rank<N> as Broadcast<M>>::Output as Ranked>::Tensor<T>;
            #[track_caller]
            fn $method(self, other: $($right)*) -> Self::Output {
                let ($a, $b) = (self, other);
                Shell::shell(expect($call))
            }
        }
    };
}

operator!(Number, Add add, AddAssign add_assign, += Add; u8 i8 i32 u32 i64 f16 bf16 f32 f64);
operator!(Number, Sub sub, SubAssign sub_assign, -= Sub; u8 i8 i32 u32 i64 f16 bf16 f32 f64);
operator!(Number, Mul mul, MulAssign mul_assign, *= Mul; u8 i8 i32 u32 i64 f16 bf16 f32 f64);
operator!(Float, Div div, DivAssign div_assign, /= Div; f16 bf16 f32 f64);

impl<T: Number, const N: usize> Neg for &Tensor<T, N> {
    type Output = Tensor<T, N>;
    #[track_caller]
    fn neg(self) -> Tensor<T, N> {
        Tensor::neg(self)
    }
}

impl<T: Number, const N: usize> Neg for Tensor<T, N> {
    type Output = Tensor<T, N>;
    #[track_caller]
    fn neg(self) -> Tensor<T, N> {
        Tensor::new(expect(apply_owned(&Op::Unary(UnaryOp::Neg, [0.0; 2]), self.inner, &[])))
    }
}

macro_rules! logical_operator {
    ($trait:ident $method:ident, $row:ident; $([$($left:tt)*] [$($right:tt)*])*) => {$(
        impl<const N: usize, const M: usize> $trait<$($right)*> for $($left)*
        where
            Rank<N>: Broadcast<M>,
        {
            type Output = <<Rank<N> as Broadcast<M>>::Output as Ranked>::Tensor<bool>;
            #[track_caller]
            fn $method(self, other: $($right)*) -> Self::Output {
                Shell::shell(expect(self.inner.compare(CompareOp::$row, &other.inner)))
            }
        }
    )*};
    ($($trait:ident $method:ident $row:ident),*) => {$(
        logical_operator!($trait $method, $row;
            [&Tensor<bool, N>] [&Tensor<bool, M>]
            [&Tensor<bool, N>] [Tensor<bool, M>]
            [Tensor<bool, N>] [&Tensor<bool, M>]
            [Tensor<bool, N>] [Tensor<bool, M>]
        );
    )*};
}

logical_operator!(BitAnd bitand LogicalAnd, BitOr bitor LogicalOr, BitXor bitxor LogicalXor);

impl<const N: usize> Not for &Tensor<bool, N> {
    type Output = Tensor<bool, N>;
    #[track_caller]
    fn not(self) -> Tensor<bool, N> {
        self.eq(false)
    }
}

impl<const N: usize> Not for Tensor<bool, N> {
    type Output = Tensor<bool, N>;
    #[track_caller]
    fn not(self) -> Tensor<bool, N> {
        self.eq(false)
    }
}
