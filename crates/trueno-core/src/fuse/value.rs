//! What a formula's names stand for, with a method per row of the elementwise tables. A new row is a new method; nothing
//! here lists rows.

use super::rows::Rows;
use super::step::{BinaryStep, SelectStep, TernaryStep, UnaryStep};
use crate::table::{binary, compare, ternary, unary};

/// An operand of a formula, or the result of one of its steps. Its methods have the tensor's names.
#[derive(Clone, Copy, Debug)]
pub struct Value<M>(pub M);

/// A number in a formula: a literal, or one that was captured. It has the operands' type and no gradient.
#[derive(Clone, Copy, Debug)]
pub struct Scalar<M>(pub M);

/// A truth value in a formula.
#[derive(Clone, Copy, Debug)]
pub struct Truth<M: Rows>(pub M::Truth);

/// What may stand beside a value: another one, or a number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no value of a formula",
    label = "expected an operand, a result or a number"
)]
pub trait Term<M> {
    /// The value, or the number as one.
    fn value(self) -> Value<M>;
}

impl<M> Term<M> for Value<M> {
    #[inline(always)]
    fn value(self) -> Value<M> {
        self
    }
}

impl<M> Term<M> for Scalar<M> {
    #[inline(always)]
    fn value(self) -> Value<M> {
        Value(self.0)
    }
}

impl<M: Rows> Value<M> {
    /// A literal beside this value.
    #[inline(always)]
    pub fn literal(self, number: f64) -> Scalar<M> {
        Scalar(self.0.literal(number))
    }
}

macro_rules! unary_steps {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($x:ident $(; $($param:ident = $default:expr),+)?) { $($rest:tt)* }
    )+) => {
        #[expect(clippy::should_implement_trait, reason = "a step is no value yet")]
        impl<M: Rows> Value<M> {$(
            $(#[doc = $doc])+
            #[inline(always)]
            pub fn $name(self $($(, $param: Scalar<M>)+)?) -> UnaryStep<unary::rows::$variant, M> {
                UnaryStep::new(self, [$($($param),+)?])
            }
        )+}
    };
}
crate::unary_table!(unary_steps);

macro_rules! binary_steps {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {
        #[expect(clippy::should_implement_trait, reason = "a step is no value yet")]
        impl<M: Rows> Value<M> {$(
            $(#[doc = $doc])+
            #[inline(always)]
            pub fn $name(self, $b: impl Term<M>) -> BinaryStep<binary::rows::$variant, M> {
                BinaryStep::new(self, $b.value())
            }
        )+}
    };
}
crate::binary_table!(binary_steps);

macro_rules! ternary_steps {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident, $c:ident) { $($rest:tt)* }
    )+) => {
        impl<M: Rows> Value<M> {$(
            $(#[doc = $doc])+
            #[inline(always)]
            pub fn $name(
                self,
                $b: impl Term<M>,
                $c: impl Term<M>,
            ) -> TernaryStep<ternary::rows::$variant, M> {
                TernaryStep::new(self, $b.value(), $c.value())
            }
        )+}
    };
}
crate::ternary_table!(ternary_steps);

macro_rules! compare_steps {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {
        impl<M: Rows> Value<M> {$(
            $(#[doc = $doc])+
            #[inline(always)]
            pub fn $name(self, $b: impl Term<M>) -> Truth<M> {
                Truth(self.0.compare::<compare::rows::$variant>($b.value().0))
            }
        )+}
    };
}
crate::compare_table!(compare_steps);

#[expect(clippy::should_implement_trait, reason = "what the operators of a formula are written as")]
impl<M: Rows> Truth<M> {
    /// `yes` where `self` holds, else `no`.
    #[inline(always)]
    pub fn select(self, yes: impl Term<M>, no: impl Term<M>) -> SelectStep<M> {
        SelectStep::new(self, yes.value(), no.value())
    }

    /// Both hold, `a & b`.
    #[inline(always)]
    pub fn bitand(self, other: Truth<M>) -> Truth<M> {
        Truth(M::and(self.0, other.0))
    }

    /// At least one holds, `a | b`.
    #[inline(always)]
    pub fn bitor(self, other: Truth<M>) -> Truth<M> {
        Truth(M::or(self.0, other.0))
    }

    /// Exactly one holds, `a ^ b`.
    #[inline(always)]
    pub fn bitxor(self, other: Truth<M>) -> Truth<M> {
        Truth(M::xor(self.0, other.0))
    }

    /// It does not hold, `!a`.
    #[inline(always)]
    pub fn not(self) -> Truth<M> {
        Truth(M::not(self.0))
    }
}
