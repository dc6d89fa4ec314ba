//! The arithmetic of vectors without their memory: what elementary functions are written in.
//!
//! Every vector has it. Something that has no memory can have it as well, and so interpret the same functions: `trueno-gpu`
//! makes the text of shaders that way.

use trueno_core::math::Mask;

use super::{Real, RealVector};
use crate::math::reduce_far;

/// Declares the trait and forwards it to the vectors, for methods of vectors alone.
macro_rules! operations {
    ($($name:ident($($operand:ident),*);)+) => {
        /// What elementary functions are written in. The methods are those of [`RealVector`] and keep to what it says of them.
        pub trait RealOps: Copy {
            /// The type of a lane.
            type Elem: Real;
            /// What constants are made from.
            type Token: Copy;
            /// A truth value per lane.
            type Mask: Mask;
            /// Whether [`mul_add`](Self::mul_add) rounds once.
            const FUSED: bool;
            /// See [`RealVector::LOOKUP`].
            const LOOKUP: bool;
            /// See [`RealVector::PIECES`]. Where it does not hold, functions call none of the methods that have a body here.
            const PIECES: bool = Self::LOOKUP;

            $(
                #[doc = concat!("See [`RealVector::", stringify!($name), "`].")]
                fn $name(self $(, $operand: Self)*) -> Self;
            )+
            /// See [`RealVector::token`].
            fn token(self) -> Self::Token;
            /// See [`RealVector::splat`].
            fn splat(token: Self::Token, value: Self::Elem) -> Self;
            /// See [`RealVector::lit`].
            fn lit(self, value: f64) -> Self;
            /// See [`RealVector::lt`].
            fn lt(self, other: Self) -> Self::Mask;
            /// See [`RealVector::le`].
            fn le(self, other: Self) -> Self::Mask;
            /// See [`RealVector::eq`].
            fn eq(self, other: Self) -> Self::Mask;
            /// See [`RealVector::select`].
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
            /// Whether `mask` may hold in any lane: where it does not, functions leave out what would not change a result.
            fn any(mask: Self::Mask) -> bool;
            /// See [`RealVector::split_exponent`].
            fn split_exponent(self) -> (Self, Self);
            /// Of finite angles that are so far out that parts of pi / 2 do not reduce them (beyond 2^17 in `f32`, 2^30 in `f64`): the
            /// quarter turns modulo 4, and the rest in two parts. Anything for others.
            fn reduce_far(self) -> [Self; 3];

            /// See [`RealVector::exponent_and_mantissa`].
            fn exponent_and_mantissa(self) -> (Self, Self) {
                unreachable!("only what looks values up asks for it")
            }
            /// See [`RealVector::lookup`].
            fn lookup(self, _table: &[Self::Elem; 16]) -> Self {
                unreachable!("only what looks values up asks for it")
            }
            /// See [`RealVector::lookup_wide`].
            fn lookup_wide(self, _low: &[Self::Elem; 16], _high: &[Self::Elem; 16]) -> Self {
                unreachable!("only what looks values up asks for it")
            }
            /// See [`RealVector::shift_right`].
            fn shift_right(self, _bits: u32) -> Self {
                unreachable!("only what looks values up asks for it")
            }
        }

        impl<V: RealVector> RealOps for V {
            type Elem = V::Elem;
            type Token = V::Token;
            type Mask = V::Mask;
            const FUSED: bool = V::FUSED;
            const LOOKUP: bool = V::LOOKUP;
            const PIECES: bool = V::PIECES;

            $(
                #[inline(always)]
                fn $name(self $(, $operand: Self)*) -> Self {
                    RealVector::$name(self $(, $operand)*)
                }
            )+
            #[inline(always)]
            fn token(self) -> V::Token {
                RealVector::token(self)
            }
            #[inline(always)]
            fn splat(token: V::Token, value: V::Elem) -> Self {
                <V as RealVector>::splat(token, value)
            }
            #[inline(always)]
            fn lit(self, value: f64) -> Self {
                RealVector::lit(self, value)
            }
            #[inline(always)]
            fn lt(self, other: Self) -> V::Mask {
                RealVector::lt(self, other)
            }
            #[inline(always)]
            fn le(self, other: Self) -> V::Mask {
                RealVector::le(self, other)
            }
            #[inline(always)]
            fn eq(self, other: Self) -> V::Mask {
                RealVector::eq(self, other)
            }
            #[inline(always)]
            fn select(mask: V::Mask, yes: Self, no: Self) -> Self {
                <V as RealVector>::select(mask, yes, no)
            }
            #[inline(always)]
            fn any(mask: V::Mask) -> bool {
                <V as RealVector>::any(mask)
            }
            #[inline(always)]
            fn split_exponent(self) -> (Self, Self) {
                RealVector::split_exponent(self)
            }
            #[inline(always)]
            fn reduce_far(self) -> [Self; 3] {
                reduce_far(self)
            }
            #[inline(always)]
            fn exponent_and_mantissa(self) -> (Self, Self) {
                RealVector::exponent_and_mantissa(self)
            }
            #[inline(always)]
            fn lookup(self, table: &[V::Elem; 16]) -> Self {
                RealVector::lookup(self, table)
            }
            #[inline(always)]
            fn lookup_wide(self, low: &[V::Elem; 16], high: &[V::Elem; 16]) -> Self {
                RealVector::lookup_wide(self, low, high)
            }
            #[inline(always)]
            fn shift_right(self, bits: u32) -> Self {
                RealVector::shift_right(self, bits)
            }
        }
    };
}

operations! {
    add(other);
    sub(other);
    mul(other);
    div(other);
    mul_add(factor, term);
    neg_mul_add(factor, term);
    neg();
    abs();
    sqrt();
    min(other);
    max(other);
    floor();
    ceil();
    trunc();
    round();
    copysign(sign);
    scale(exponent);
    scale_by_floor(exponent);
    and(other);
    or(other);
    xor(other);
    add_bits(other);
    sub_bits(other);
    shift_into_exponent();
    shift_out_exponent();
    shift_second_bit_into_sign();
}
