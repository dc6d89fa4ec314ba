//! Functions by tables of sixteen or thirty-two values, for instruction sets that keep a table in a register.
//!
//! There a value of a table costs as much as an addition, and saves several: an exponential of a sixteenth of the usual
//! range, a logarithm of a number next to 1 (Tang, *ACM TOMS* 15, 1989, and 16, 1990), or a polynomial for each of sixteen parts of
//! a function's domain. [`RealOps::LOOKUP`] and [`RealOps::PIECES`] tell where that is; elsewhere each function has another way.

mod double;
mod single;

use super::double::Double;
use super::{Tables, polynomial};
use crate::simd::{Real, RealOps};

/// Sixteen values, where one load of a register finds them.
#[repr(align(64))]
pub struct Line<T>(pub [T; 16]);

/// Sixteen values in one line, or thirty-two in two.
pub type Table<T> = &'static [Line<T>];

/// A function of magnitudes in sixteen parts, a polynomial each.
///
/// The parts are quarters of binades of `scale * magnitude + offset`; so they grow with the magnitude, from a first part
/// that begins at 0. A part's number is what the lowest bits of the exponent and the two highest of the mantissa say.
pub struct Pieces<T: 'static> {
    scale: T,
    offset: T,
    /// From here on, the function is what it is here.
    last: T,
    /// The function's slope at 0.
    slope: T,
    /// Where the second part begins, in terms of `scale * magnitude + offset`. In the first, the function is the magnitude times
    /// the slope, plus what the polynomial says.
    second: T,
    /// Points near the middles of the parts, chosen so that the function's value there is next to a float.
    centres: Table<T>,
    /// Coefficients of the polynomials in the distance from the centre, the constant ones first.
    coefficients: &'static [Table<T>],
}

/// A function of magnitudes that falls ever faster, in sixteen parts, a polynomial each.
///
/// The parts become shorter as the magnitude grows: a part's number is the integer nearest to `magnitude * (quadratic * magnitude +
/// linear)`.
pub struct Parts<T: 'static> {
    quadratic: T,
    linear: T,
    /// Where the last part ends.
    last: T,
    /// Points near the middles of the parts, chosen so that the function's value there is next to a float.
    centres: Table<T>,
    /// Coefficients of the polynomials in the distance from the centre, the constant ones first.
    coefficients: &'static [Table<T>],
}

/// Logarithms of the reciprocals of `RECIPROCALS`.
pub struct LogarithmPieces<T: 'static> {
    /// The logarithm of 2: a part so short that its product with an exponent is exact, and the rest, which is not negative.
    unit: [T; 2],
    /// The first parts of the logarithms.
    hi: Table<T>,
    /// The rests of the logarithms.
    lo: Table<T>,
}

/// The tables of one type.
///
/// Polynomials are fits whose largest relative error is least: by Lawson's iteration, coefficient after coefficient rounded and
/// the rest fitted again, for `f32`, and by interpolation at Chebyshev's points for `f64`.
pub trait Lookups: Sized + 'static {
    /// `2^(k / 16)` in two parts.
    const POWERS: [Table<Self>; 2];
    /// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 32`.
    const EXP_NEAR_ZERO: &'static [Self];
    /// `(2^f - 1) / f` for `|f| <= 1 / 32`.
    const EXP2_NEAR_ZERO: &'static [Self];
    /// Reciprocals of the middles of equal parts of a binade, or nearby; those of the first and the last are 1 and 1/2.
    const RECIPROCALS: Table<Self>;
    /// `(ln(1 + r) - r) / r^2` for what remains of a mantissa times its reciprocal.
    const LN_NEAR_ONE: &'static [Self];
    /// Natural logarithms.
    const LN_PIECES: LogarithmPieces<Self>;
    /// Logarithms to base 2.
    const LOG2_PIECES: LogarithmPieces<Self>;
    /// Logarithms to base 10.
    const LOG10_PIECES: LogarithmPieces<Self>;
    /// The hyperbolic tangent.
    const TANH_PIECES: Option<Pieces<Self>>;
    /// The error function.
    const ERF_PIECES: Option<Pieces<Self>>;
    /// `x Phi(-x) e^(x^2 / 2)` with the normal distribution's `Phi`.
    const GELU_PIECES: Option<Pieces<Self>>;
    /// `Phi(-x)`, up to where few arguments lie beyond.
    const GELU_NEAR: Option<Parts<Self>>;
    /// `e^-r / (1 + 2^-n e^-r)` for `|r| <= ln(2) / 2`, by `n` from 0 to 31: the constant coefficient in two parts, then the others.
    const SIGMOID_PIECES: Option<&'static [Table<Self>]>;
}

/// The values of `table` that the lowest bits of `index` number.
#[inline(always)]
fn find<V: RealOps>(table: &[Line<V::Elem>], index: V) -> V {
    match table {
        [low, high] => index.lookup_wide(&low.0, &high.0),
        _ => index.lookup(&table[0].0),
    }
}

/// `x` rounded to a sixteenth after multiplication with `factor`, and a representation whose lowest four bits count the
/// sixteenths.
#[inline(always)]
pub(super) fn nearest_sixteenth<V: RealOps>(x: V, factor: f64) -> (V, V) {
    let shift = V::splat(x.token(), V::Elem::INTEGER_SHIFT).mul(x.lit(1.0 / 16.0));
    // The sum has no room for more.
    let shifted = x.mul_add(x.lit(factor), shift);
    (shifted.sub(shift), shifted)
}

/// `2^f (1 + growth)` for the fraction `f` that the lowest four bits of `shifted` count in sixteenths, and a small `growth`: the
/// power and what `growth` adds to it.
#[inline(always)]
pub(super) fn power_of_sixteenths<V: RealOps>(shifted: V, growth: V) -> Double<V> {
    let [hi, lo] = V::Elem::POWERS;
    let power = find(hi, shifted);
    Double { hi: power, lo: power.mul_add(growth, find(lo, shifted)) }
}

/// `e^r - 1` for `|r| <= ln(2) / 32`.
#[inline(always)]
pub(super) fn expm1_near_zero<V: RealOps>(r: V) -> V {
    r.mul(r).mul_add(polynomial(r, V::Elem::EXP_NEAR_ZERO), r)
}

/// `e^x` for `x` within `EXP_RANGE`, or NaN.
#[inline(always)]
pub(super) fn exp_in_range<V: RealOps>(x: V) -> V {
    let (n, shifted) = nearest_sixteenth(x, core::f64::consts::LOG2_E);
    let [hi, lo] = V::Elem::LN_PIECES.unit;
    let r = n.neg_mul_add(V::splat(x.token(), hi), x);
    let r = n.neg_mul_add(V::splat(x.token(), lo), r);
    power_of_sixteenths(shifted, expm1_near_zero(r)).round().scale_by_floor(n)
}

/// `2^x` for `x` within `EXP2_RANGE`, or NaN.
#[inline(always)]
pub(super) fn exp2_in_range<V: RealOps>(x: V) -> V {
    let (n, shifted) = nearest_sixteenth(x, 1.0);
    exp2_of_sixteenths(n, shifted, x.sub(n))
}

/// `2^(x + small)` for `x` within `EXP2_RANGE`, or NaN, and a `small` that is a rounding error of it.
#[inline(always)]
pub(super) fn exp2_of_sum<V: RealOps>(Double { hi: x, lo: small }: Double<V>) -> V {
    let (n, shifted) = nearest_sixteenth(x, 1.0);
    exp2_of_sixteenths(n, shifted, x.sub(n).add(small))
}

/// `2^(n + fraction)` for what [`nearest_sixteenth`] gives and a fraction of a thirty-second at most.
#[inline(always)]
fn exp2_of_sixteenths<V: RealOps>(n: V, shifted: V, fraction: V) -> V {
    let growth = fraction.mul(polynomial(fraction, V::Elem::EXP2_NEAR_ZERO));
    power_of_sixteenths(shifted, growth).round().scale_by_floor(n)
}

/// The number of a mantissa's reciprocal, in the lowest bits.
#[inline(always)]
fn part<V: RealOps>(mantissa: V) -> V {
    let parts = 16 * V::Elem::RECIPROCALS.len();
    mantissa.shift_right(V::Elem::MANTISSA_BITS - parts.trailing_zeros())
}

/// `r` with `mantissa * reciprocal = 1 + r`, and the number of the reciprocal in the lowest bits.
#[inline(always)]
fn near_one<V: RealOps>(mantissa: V) -> (V, V) {
    let index = part(mantissa);
    (mantissa.mul_add(find(V::Elem::RECIPROCALS, index), mantissa.lit(-1.0)), index)
}

/// `ln(1 + r) - r` for `r` from [`near_one`].
#[inline(always)]
fn ln_beyond_linear<V: RealOps>(r: V) -> V {
    r.mul(r).mul(polynomial(r, V::Elem::LN_NEAR_ONE))
}

/// Natural logarithm.
///
/// `ln x = e ln 2 - ln c + ln(1 + r)` with `x = 2^e m` and `m c = 1 + r`. Of a sum near 0 the first two are 0. Infinities, 0 and
/// negatives need no care, for the exponent of 0 is -inf and the mantissa of negatives is NaN.
#[inline(always)]
pub(super) fn ln<V: RealOps>(x: V) -> V {
    let (exponent, mantissa) = x.exponent_and_mantissa();
    let (r, index) = near_one(mantissa);
    let (hi, lo) = factor(exponent, index, &V::Elem::LN_PIECES);
    hi.add(r.add(r.mul(r).mul_add(polynomial(r, V::Elem::LN_NEAR_ONE), lo)))
}

/// The logarithm, to the base of `pieces`, of `2^exponent` over the reciprocal with the number `index`, in two parts.
#[inline(always)]
fn factor<V: RealOps>(exponent: V, index: V, pieces: &LogarithmPieces<V::Elem>) -> (V, V) {
    let unit = Double::<V>::constant(exponent.token(), pieces.unit);
    let rest = find(pieces.lo, index);
    // An infinite exponent times 0 would be NaN.
    let rest = if pieces.unit[1] > V::Elem::ZERO { exponent.mul_add(unit.lo, rest) } else { rest };
    (exponent.mul_add(unit.hi, find(pieces.hi, index)), rest)
}

/// Logarithm to the base of `pieces`, for `scale = 1 / ln(base)` in two parts.
#[inline(always)]
pub(super) fn log<V: RealOps>(x: V, pieces: &LogarithmPieces<V::Elem>, scale: [V::Elem; 2]) -> V {
    let (exponent, mantissa) = x.exponent_and_mantissa();
    let (r, index) = near_one(mantissa);
    let (hi, lo) = factor(exponent, index, pieces);
    let scale = Double::<V>::constant(x.token(), scale);
    let small = r.mul_add(scale.lo, ln_beyond_linear(r).mul_add(scale.hi, lo));
    hi.add(r.mul_add(scale.hi, small))
}

/// Logarithm to base 2 of a positive finite number, with about half as many digits again as one float has.
#[inline(always)]
pub(super) fn log2_in_parts<V: RealOps>(x: V) -> Double<V> {
    let (exponent, mantissa) = x.exponent_and_mantissa();
    let index = part(mantissa);
    // m c = 1 + r + lost, and the difference of numbers that are so close is exact.
    let Double { hi, lo: lost } = Double::product(mantissa, find(V::Elem::RECIPROCALS, index));
    let r = hi.sub(x.lit(1.0));
    // ln(1 + r + lost) = r - r^2 / 2 + r^3 .. + lost (1 - r ..), of which the first two terms are exact.
    let half_square = Double::product(r, r.mul(x.lit(-0.5)));
    let cubic = r.mul(r).mul(r).mul_add(polynomial(r, &V::Elem::LN_NEAR_ONE[1..]), half_square.lo);
    let natural = Double::ordered_sum(r, half_square.hi).plus_small(cubic.add(r.neg_mul_add(lost, lost)));
    let fraction = natural.times(Double::constant(x.token(), V::Elem::LOG2_E));
    let pieces = &V::Elem::LOG2_PIECES;
    let whole = exponent.add(find(pieces.hi, index));
    Double::ordered_sum(whole, fraction.hi).plus_small(fraction.lo.add(find(pieces.lo, index)))
}

/// `ln(sum) + more ln 2`, for a positive finite sum; as [`ln`], and right in every digit if the sum is next to 1.
#[inline(always)]
pub(super) fn ln_of_sum<V: RealOps>(sum: Double<V>, more: V) -> V {
    let (exponent, mantissa) = sum.hi.exponent_and_mantissa();
    let (r, index) = near_one(mantissa);
    let (hi, lo) = factor(exponent.add(more), index, &V::Elem::LN_PIECES);
    // ln(1 + r + lost) = ln(1 + r) + lost / (1 + r) + ..
    let lost = sum.lo.scale(exponent.neg()).mul(find(V::Elem::RECIPROCALS, index));
    let lost = lost.neg_mul_add(r, lost);
    let rest = r.mul(r).mul_add(polynomial(r, V::Elem::LN_NEAR_ONE), lo.add(lost));
    Double::ordered_sum(hi, r).plus_small(rest).round()
}

impl<T: Copy> LogarithmPieces<T> {
    /// The logarithm of 2: a part so short that its product with an exponent or a sixteenth of one is exact, and the rest.
    #[inline(always)]
    pub(super) fn unit(&self) -> [T; 2] {
        self.unit
    }
}

/// The polynomial in `distance` whose coefficients, the constant one first, are what the lowest bits of `index` number.
#[inline(always)]
fn by_parts<V: RealOps>(coefficients: &[Table<V::Elem>], index: V, distance: V) -> V {
    let mut next = coefficients.len() - 1;
    let mut sum = find(coefficients[next], index);
    while next > 0 {
        next -= 1;
        sum = sum.mul_add(distance, find(coefficients[next], index));
    }
    sum
}

impl<T: Real> Parts<T> {
    /// Where the last part ends.
    #[inline(always)]
    pub(super) fn end<V: RealOps<Elem = T>>(&self, token: V::Token) -> V {
        V::splat(token, self.last)
    }

    /// The function of a magnitude that is in one of the parts.
    #[inline(always)]
    pub(super) fn at<V: RealOps<Elem = T>>(&self, magnitude: V) -> V {
        let token = magnitude.token();
        let slope = magnitude.mul_add(V::splat(token, self.quadratic), V::splat(token, self.linear));
        // The sum has no room for a fraction.
        let index = magnitude.mul_add(slope, V::splat(token, T::INTEGER_SHIFT));
        by_parts(self.coefficients, index, magnitude.sub(find(self.centres, index)))
    }
}

impl<T: Real> Pieces<T> {
    /// `x` as a magnitude that is in one of the parts.
    #[inline(always)]
    pub(super) fn magnitude<V: RealOps<Elem = T>>(&self, x: V) -> V {
        V::splat(x.token(), self.last).min(x.abs())
    }

    /// The function of such a magnitude.
    #[inline(always)]
    pub(super) fn at<V: RealOps<Elem = T>>(&self, magnitude: V) -> V {
        let token = magnitude.token();
        let place = magnitude.mul_add(V::splat(token, self.scale), V::splat(token, self.offset));
        let index = place.shift_right(T::MANTISSA_BITS - 2);
        let distance = magnitude.sub(find(self.centres, index));
        let sum = by_parts(&self.coefficients[1..], index, distance);
        let line = if self.slope == T::ONE { magnitude } else { magnitude.mul(V::splat(token, self.slope)) };
        let is_first = place.lt(V::splat(token, self.second));
        sum.mul_add(distance, V::select(is_first, line, find(self.coefficients[0], index)))
    }

    /// The odd function whose values at magnitudes this is.
    #[inline(always)]
    pub(super) fn odd<V: RealOps<Elem = T>>(&self, x: V) -> V {
        self.at(self.magnitude(x)).copysign(x)
    }
}

/// Logistic function: with `|x| = n ln 2 + r` it is `2^-n e^-r / (1 + 2^-n e^-r)` at `-|x|`, and what remains of 1 at `|x|`.
#[inline(always)]
pub(super) fn sigmoid<V: RealOps>(x: V, pieces: &[Table<V::Elem>]) -> V {
    let token = x.token();
    let [low, _] = V::Elem::EXP_RANGE;
    let magnitude = x.lit(-low).min(x.abs());
    let shift = V::splat(token, V::Elem::INTEGER_SHIFT);
    let shifted = magnitude.mul_add(x.lit(core::f64::consts::LOG2_E), shift);
    let exponent = shift.sub(shifted);
    let unit = Double::<V>::constant(token, V::Elem::LN_PIECES.unit);
    let rough = exponent.mul_add(unit.hi, magnitude);
    let r = exponent.mul_add(unit.lo, rough);
    let lost = exponent.mul_add(unit.lo, rough.sub(r));

    // From 2^-31 on, the power is nothing beside 1.
    let index = shifted.min(shift.add(x.lit(31.0)));
    let slope = by_parts(&pieces[2..], index, r);
    let small = slope.mul_add(lost, find(pieces[1], index));
    let tail = find(pieces[0], index).add(slope.mul_add(r, small)).scale_by_floor(exponent);
    V::select(x.lt(x.lit(0.0)), tail, x.lit(1.0).sub(tail))
}
