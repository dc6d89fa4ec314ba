//! Rows of the table, their values and gradients, as functions of vectors.

use core::marker::PhantomData;

use trueno_core::table::{BinaryRow, TernaryRow, UnaryRow};

use super::job::{Job, MAX_OPERANDS};
use crate::simd::{Lanes, Real, RealVector, Simd};

/// A function of up to three vectors, lane by lane.
pub(super) trait Formula: Copy {
    /// How many of the operands it uses.
    const OPERANDS: usize;
    /// The function.
    fn apply<V: RealVector>(self, operands: [Lanes<V>; MAX_OPERANDS]) -> Lanes<V>;
}

/// Applies a formula to whole blocks of elements.
#[inline(always)]
pub(super) fn map<S: Simd, T: Real, F: Formula>(simd: S, formula: F, job: Job<'_, T>) {
    let mut at = 0;
    while at < job.length() {
        // SAFETY: `at` is less than the length.
        unsafe {
            let [a, b, c] = job.load::<T::Vector<S>>(simd, F::OPERANDS, at);
            let Lanes(result) = formula.apply([Lanes(a), Lanes(b), Lanes(c)]);
            job.store(at, result);
        }
        at += T::Vector::<S>::LANES;
    }
}

macro_rules! formula {
    (
        $(#[$doc:meta])* $name:ident<$row:ident> { $($field:ident: $ty:ty),* }
        $operands:literal ($self:ident, $($operand:pat),+) $body:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name<R> {
            $(pub $field: $ty,)*
            pub row: PhantomData<R>,
        }

        impl<R: $row> Formula for $name<R> {
            const OPERANDS: usize = $operands;
            #[inline(always)]
            fn apply<V: RealVector>($self, [$($operand),+, ..]: [Lanes<V>; MAX_OPERANDS]) -> Lanes<V> {
                $body
            }
        }
    };
}

/// The parameters of a row as vectors.
#[inline(always)]
fn vectors<V: RealVector>(like: Lanes<V>, [first, second]: [f64; 2]) -> [Lanes<V>; 2] {
    [Lanes(like.0.lit(first)), Lanes(like.0.lit(second))]
}

formula!(
    /// The value of a unary row.
    UnaryValue<UnaryRow> { parameters: [f64; 2] }
    1 (self, x) R::value(x, vectors(x, self.parameters))
);
formula!(
    /// The gradient of a unary row: of the value saved and the incoming gradient.
    UnaryGrad<UnaryRow> { parameters: [f64; 2] }
    2 (self, saved, g) R::grad(saved, g, vectors(g, self.parameters))
);
formula!(
    /// The value of a binary row.
    BinaryValue<BinaryRow> {}
    2 (self, a, b) R::value(a, b)
);
formula!(
    /// The value of a ternary row.
    TernaryValue<TernaryRow> {}
    3 (self, a, b, c) R::value(a, b, c)
);
