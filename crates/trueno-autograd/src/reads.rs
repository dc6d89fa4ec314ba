//! Which operands a gradient rule looks at: rows interpreted on sets of operands.
//!
//! A rule of `g` alone (a sum's, a mean's) keeps nothing of the forward pass, one of `g * b` keeps `b`. The table
//! need not say which: evaluating the rule on [`Reads`] finds out.

use trueno_core::fuse::Listing;
use trueno_core::math::{Arith, Math};
use trueno_core::table::{
    BinaryOp, BinaryRow, BinaryVisitor, ReduceOp, ReduceRow, ReduceVisitor, TernaryOp, TernaryRow, TernaryVisitor,
};

/// A set of operands, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reads(u8);

impl Reads {
    const NOTHING: Reads = Reads(0);

    const fn operand(index: usize) -> Reads {
        Reads(1 << index)
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    fn and(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }
}

/// What the gradients of a binary row by the wanted operands read of the operands.
pub(crate) fn binary(op: BinaryOp, left: bool, right: bool) -> Reads {
    struct Probe(bool, bool);
    impl BinaryVisitor for Probe {
        type Output = Reads;
        fn visit<R: BinaryRow>(self) -> Reads {
            let (a, b, g) = (Reads::operand(0), Reads::operand(1), Reads::NOTHING);
            let left = if self.0 { R::left(a, b, g) } else { Reads::NOTHING };
            let right = if self.1 { R::right(a, b, g) } else { Reads::NOTHING };
            left.and(right)
        }
    }
    op.dispatch(Probe(left, right))
}

/// What the gradients of a ternary row by the wanted operands read of the operands.
pub(crate) fn ternary(op: TernaryOp, wanted: [bool; 3]) -> Reads {
    struct Probe([bool; 3]);
    impl TernaryVisitor for Probe {
        type Output = Reads;
        fn visit<R: TernaryRow>(self) -> Reads {
            let operands = [0, 1, 2].map(Reads::operand);
            let by = |i: usize| if self.0[i] { R::grad(i, operands, Reads::NOTHING) } else { Reads::NOTHING };
            by(0).and(by(1)).and(by(2))
        }
    }
    op.dispatch(Probe(wanted))
}

/// What the gradients of a formula by the wanted operands read of the operands.
pub(crate) fn fused(listing: &Listing, wanted: &[bool]) -> Reads {
    let operands: Vec<Reads> = (0..listing.operands()).map(Reads::operand).collect();
    let numbers = vec![Reads::NOTHING; listing.parameters()];
    let gradients = listing.gradients(&operands, &numbers, Reads::NOTHING, wanted);
    gradients.into_iter().flatten().fold(Reads::NOTHING, Reads::and)
}

/// What the elementwise gradient of a reduction reads: [`ELEMENT`], [`CENTER`], [`RESULT`].
pub(crate) fn reduce(op: ReduceOp) -> Reads {
    struct Probe;
    impl ReduceVisitor for Probe {
        type Output = Reads;
        fn visit<R: ReduceRow>(self) -> Reads {
            let [x, c, y] = [ELEMENT, CENTER, RESULT].map(Reads::operand);
            R::grad(x, c, y, Reads::NOTHING, Reads::NOTHING)
        }
    }
    op.dispatch(Probe)
}

/// The reduced element, among what [`reduce`] finds.
pub(crate) const ELEMENT: usize = 0;
/// The mean of the reduced elements.
pub(crate) const CENTER: usize = 1;
/// The result.
pub(crate) const RESULT: usize = 2;

trueno_core::math_operators!(float [] Reads { a, b =>
    add a.and(b), sub a.and(b), mul a.and(b), neg { let _ = stringify!(b); a }, div a.and(b),
});

impl core::ops::BitAnd for Reads {
    type Output = Reads;
    fn bitand(self, other: Reads) -> Reads {
        self.and(other)
    }
}

impl core::ops::BitOr for Reads {
    type Output = Reads;
    fn bitor(self, other: Reads) -> Reads {
        self.and(other)
    }
}

impl core::ops::Not for Reads {
    type Output = Reads;
    fn not(self) -> Reads {
        self
    }
}

impl Arith for Reads {
    type Mask = Reads;

    fn lit(self, _: f64) -> Reads {
        Reads::NOTHING
    }

    fn lt(self, other: Reads) -> Reads {
        self.and(other)
    }

    fn le(self, other: Reads) -> Reads {
        self.and(other)
    }

    fn eq(self, other: Reads) -> Reads {
        self.and(other)
    }

    fn select(mask: Reads, yes: Reads, no: Reads) -> Reads {
        mask.and(yes).and(no)
    }

    fn abs(self) -> Reads {
        self
    }

    fn max(self, other: Reads) -> Reads {
        self.and(other)
    }

    fn min(self, other: Reads) -> Reads {
        self.and(other)
    }
}

macro_rules! of_one {
    ($($(#[doc = $doc:literal])+ $name:ident $op:ident $function:path, $text:literal;)+) => {
        $(fn $name(self) -> Reads { self })+
    };
}

impl Math for Reads {
    trueno_core::math_functions!(of_one);

    fn mul_add(self, factor: Reads, term: Reads) -> Reads {
        self.and(factor).and(term)
    }

    fn copysign(self, sign: Reads) -> Reads {
        self.and(sign)
    }

    fn pow(self, exponent: Reads) -> Reads {
        self.and(exponent)
    }

    fn atan2(self, x: Reads) -> Reads {
        self.and(x)
    }

    fn hypot(self, other: Reads) -> Reads {
        self.and(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trueno_core::fuse::Step;

    #[test]
    fn rules_read_what_their_formulas_name() {
        assert_eq!(binary(BinaryOp::Add, true, true), Reads::NOTHING);
        assert_eq!(binary(BinaryOp::Mul, true, false), Reads::operand(1));
        assert_eq!(binary(BinaryOp::Div, true, true), Reads(0b11));
        assert_eq!(ternary(TernaryOp::Fma, [false, false, true]), Reads::NOTHING);
        let affine = Listing::new(3, 0, |x, _| x[0].mul(x[1]).output().add(x[2]).output());
        assert_eq!(fused(&affine, &[true, false, true]), Reads::operand(1));
        assert_eq!(fused(&affine, &[false, false, true]), Reads::NOTHING);
        assert_eq!(reduce(ReduceOp::Mean), Reads::NOTHING);
        assert_eq!(reduce(ReduceOp::Var), Reads(0b011));
        assert!(reduce(ReduceOp::NormL2).contains(RESULT));
    }
}
