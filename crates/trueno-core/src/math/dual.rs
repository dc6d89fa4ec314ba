//! Dual numbers: a value and its derivative along one direction, over any other interpreter.
//!
//! Evaluating a row on `Dual<M>` differentiates it exactly (forward mode), so a row needs a hand-written
//! gradient only where a cheaper or more stable one is known. Since `M` may be a SIMD vector, a shader
//! expression or a traced tensor, the same row yields the fused backward kernel, the backward shader and
//! the graph of second derivatives.

use super::{Arith, Math};

/// `value + derivative * e` with `e * e = 0`.
///
/// ```
/// use trueno_core::math::{Dual, Math};
/// let y = Dual::variable(2.0_f64).ln();
/// assert_eq!(y.derivative, 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<M> {
    /// The function's value.
    pub value: M,
    /// Its derivative along the chosen direction.
    pub derivative: M,
}

impl<M: Arith> Dual<M> {
    /// A value with derivative 1: the variable differentiated by.
    #[inline(always)]
    pub fn variable(value: M) -> Self {
        Dual { value, derivative: value.lit(1.0) }
    }

    /// A value with derivative 0.
    #[inline(always)]
    pub fn constant(value: M) -> Self {
        Dual { value, derivative: value.lit(0.0) }
    }

    /// Chain rule: `value` is the function at `self`, `slope` its derivative there.
    #[inline(always)]
    fn chain(self, value: M, slope: M) -> Self {
        Dual { value, derivative: self.derivative * slope }
    }
}

crate::math_operators!(float [M: Math] Dual<M> { a, b =>
    add Dual { value: a.value + b.value, derivative: a.derivative + b.derivative },
    sub Dual { value: a.value - b.value, derivative: a.derivative - b.derivative },
    mul Dual { value: a.value * b.value, derivative: a.derivative * b.value + a.value * b.derivative },
    neg Dual { value: -a.value, derivative: -a.derivative },
    div {
        let value = a.value / b.value;
        Dual { value, derivative: (a.derivative - value * b.derivative) / b.value }
    },
});

impl<M: Math> Arith for Dual<M> {
    type Mask = M::Mask;

    #[inline(always)]
    fn lit(self, value: f64) -> Self {
        Dual::constant(self.value.lit(value))
    }

    #[inline(always)]
    fn lt(self, other: Self) -> M::Mask {
        self.value.lt(other.value)
    }

    #[inline(always)]
    fn le(self, other: Self) -> M::Mask {
        self.value.le(other.value)
    }

    #[inline(always)]
    fn eq(self, other: Self) -> M::Mask {
        self.value.eq(other.value)
    }

    #[inline(always)]
    fn select(mask: M::Mask, yes: Self, no: Self) -> Self {
        Dual { value: M::select(mask, yes.value, no.value), derivative: M::select(mask, yes.derivative, no.derivative) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // The subgradient 0 at the kink, as PyTorch has it.
        let zero = self.lit(0.0).value;
        let slope = M::select(self.value.eq(zero), zero, zero.lit(1.0).copysign(self.value));
        self.chain(self.value.abs(), slope)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        tie_splitting(self, other, self.value.max(other.value), self.value.gt(other.value))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        tie_splitting(self, other, self.value.min(other.value), self.value.lt(other.value))
    }
}

/// The derivative of `max` and `min`: that of the winner, the mean of both on a tie (PyTorch's `maximum`).
#[inline(always)]
fn tie_splitting<M: Math>(a: Dual<M>, b: Dual<M>, value: M, a_wins: M::Mask) -> Dual<M> {
    let mean = (a.derivative + b.derivative) * 0.5;
    let winner = M::select(a_wins, a.derivative, b.derivative);
    Dual { value, derivative: M::select(a.value.eq(b.value), mean, winner) }
}

/// `direction * slope`, but 0 along a direction of 0, which must not pick up a NaN from the slope
/// (the logarithm of a negative base with a constant exponent).
#[inline(always)]
fn along<M: Math>(direction: M, slope: M) -> M {
    let zero = direction.lit(0.0);
    M::select(direction.eq(zero), zero, direction * slope)
}

impl<M: Math> Math for Dual<M> {
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Dual {
            value: self.value.mul_add(factor.value, term.value),
            derivative: self.derivative.mul_add(factor.value, self.value * factor.derivative) + term.derivative,
        }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        Dual { value: root, derivative: self.derivative * 0.5 / root }
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let value = self.value.copysign(sign.value);
        let flipped = value.ne(self.value);
        Dual { value, derivative: M::select(flipped, -self.derivative, self.derivative) }
    }

    #[inline(always)]
    fn floor(self) -> Self {
        Dual::constant(self.value.floor())
    }

    #[inline(always)]
    fn ceil(self) -> Self {
        Dual::constant(self.value.ceil())
    }

    #[inline(always)]
    fn trunc(self) -> Self {
        Dual::constant(self.value.trunc())
    }

    #[inline(always)]
    fn round(self) -> Self {
        Dual::constant(self.value.round())
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y)
    }

    #[inline(always)]
    fn exp2(self) -> Self {
        let y = self.value.exp2();
        self.chain(y, y * core::f64::consts::LN_2)
    }

    #[inline(always)]
    fn expm1(self) -> Self {
        let y = self.value.expm1();
        self.chain(y, y + 1.0)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        Dual { value: self.value.ln(), derivative: self.derivative / self.value }
    }

    #[inline(always)]
    fn log2(self) -> Self {
        let slope = self.value.lit(core::f64::consts::LOG2_E) / self.value;
        self.chain(self.value.log2(), slope)
    }

    #[inline(always)]
    fn log10(self) -> Self {
        let slope = self.value.lit(core::f64::consts::LOG10_E) / self.value;
        self.chain(self.value.log10(), slope)
    }

    #[inline(always)]
    fn log1p(self) -> Self {
        Dual { value: self.value.log1p(), derivative: self.derivative / (self.value + 1.0) }
    }

    #[inline(always)]
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }

    #[inline(always)]
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }

    #[inline(always)]
    fn tan(self) -> Self {
        let y = self.value.tan();
        self.chain(y, y * y + 1.0)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let y = self.value.tanh();
        self.chain(y, -(y * y) + 1.0)
    }

    #[inline(always)]
    fn erf(self) -> Self {
        let slope = (-(self.value * self.value)).exp() * core::f64::consts::FRAC_2_SQRT_PI;
        self.chain(self.value.erf(), slope)
    }

    #[inline(always)]
    fn sinh(self) -> Self {
        self.chain(self.value.sinh(), self.value.cosh())
    }

    #[inline(always)]
    fn cosh(self) -> Self {
        self.chain(self.value.cosh(), self.value.sinh())
    }

    #[inline(always)]
    fn asin(self) -> Self {
        let x = self.value;
        self.chain(x.asin(), x.lit(1.0) / ((-x + 1.0) * (x + 1.0)).sqrt())
    }

    #[inline(always)]
    fn acos(self) -> Self {
        let x = self.value;
        self.chain(x.acos(), x.lit(-1.0) / ((-x + 1.0) * (x + 1.0)).sqrt())
    }

    #[inline(always)]
    fn atan(self) -> Self {
        let x = self.value;
        self.chain(x.atan(), x.lit(1.0) / (x * x + 1.0))
    }

    #[inline(always)]
    fn asinh(self) -> Self {
        let x = self.value;
        self.chain(x.asinh(), x.lit(1.0) / x.hypot(x.lit(1.0)))
    }

    #[inline(always)]
    fn acosh(self) -> Self {
        let x = self.value;
        self.chain(x.acosh(), x.lit(1.0) / ((x - 1.0).sqrt() * (x + 1.0).sqrt()))
    }

    #[inline(always)]
    fn atanh(self) -> Self {
        let x = self.value;
        self.chain(x.atanh(), x.lit(1.0) / ((-x + 1.0) * (x + 1.0)))
    }

    #[inline(always)]
    fn atan2(self, x: Self) -> Self {
        let (a, b) = (self.value, x.value);
        let length = a.hypot(b);
        // In two steps, for the square of the length may overflow.
        let derivative = (self.derivative * (b / length) - x.derivative * (a / length)) / length;
        Dual { value: a.atan2(b), derivative }
    }

    #[inline(always)]
    fn hypot(self, other: Self) -> Self {
        let value = self.value.hypot(other.value);
        let derivative = self.derivative * (self.value / value) + other.derivative * (other.value / value);
        // The subgradient 0 at the origin, as PyTorch has it.
        let zero = value.lit(0.0);
        Dual { value, derivative: M::select(value.eq(zero), zero, derivative) }
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        let y = self.value.sigmoid();
        self.chain(y, y * (-y + 1.0))
    }

    #[inline(always)]
    fn gelu(self) -> Self {
        let x = self.value;
        let cdf = ((x * core::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
        let pdf = (x * x * -0.5).exp() * 0.398_942_280_401_432_7;
        self.chain(x.gelu(), cdf + x * pdf)
    }

    #[inline(always)]
    fn pow(self, exponent: Self) -> Self {
        // As PyTorch: d/dx is 0 where the exponent is 0, d/dn is 0 where the base is 0 and n >= 0.
        let (x, n) = (self.value, exponent.value);
        let zero = x.lit(0.0);
        let value = x.pow(n);
        let by_base = M::select(n.eq(zero), zero, n * x.pow(n - 1.0));
        let flat = x.eq(zero) & n.ge(zero);
        let by_exponent = M::select(flat, zero, value * x.ln());
        Dual { value, derivative: along(self.derivative, by_base) + along(exponent.derivative, by_exponent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central difference of `f` at `x`.
    fn numeric(f: impl Fn(f64) -> f64, x: f64) -> f64 {
        let h = 1e-5;
        (f(x + h) - f(x - h)) / (2.0 * h)
    }

    #[test]
    fn every_function_differentiates_to_its_slope() {
        type Pair = (&'static str, fn(f64) -> f64, fn(Dual<f64>) -> Dual<f64>);
        let functions: &[Pair] = &[
            ("sqrt", Math::sqrt, Math::sqrt),
            ("exp", Math::exp, Math::exp),
            ("exp2", Math::exp2, Math::exp2),
            ("expm1", Math::expm1, Math::expm1),
            ("ln", Math::ln, Math::ln),
            ("log2", Math::log2, Math::log2),
            ("log10", Math::log10, Math::log10),
            ("log1p", Math::log1p, Math::log1p),
            ("sin", Math::sin, Math::sin),
            ("cos", Math::cos, Math::cos),
            ("tan", Math::tan, Math::tan),
            ("tanh", Math::tanh, Math::tanh),
            ("erf", Math::erf, Math::erf),
            ("sigmoid", Math::sigmoid, Math::sigmoid),
            ("sinh", Math::sinh, Math::sinh),
            ("cosh", Math::cosh, Math::cosh),
            ("atan", Math::atan, Math::atan),
            ("asinh", Math::asinh, Math::asinh),
            ("gelu", Math::gelu, Math::gelu),
            ("abs", Arith::abs, Arith::abs),
        ];
        for (name, f, df) in functions {
            for x in [0.3, 0.7, 1.2] {
                let got = df(Dual::variable(x)).derivative;
                let want = numeric(f, x);
                assert!((got - want).abs() < 1e-8, "{name} at {x}: {got} against {want}");
            }
        }
    }

    #[test]
    fn quotient_and_power_follow_both_operands() {
        let (x, n) = (1.7, 2.3);
        let along_base = Dual::variable(x).pow(Dual::constant(n)).derivative;
        let along_exponent = Dual::constant(x).pow(Dual::variable(n)).derivative;
        assert!((along_base - numeric(|x| x.pow(n), x)).abs() < 1e-8);
        assert!((along_exponent - numeric(|n| x.pow(n), n)).abs() < 1e-8);
        let quotient = (Dual::constant(3.0) / Dual::variable(x)).derivative;
        assert!((quotient + 3.0 / (x * x)).abs() < 1e-12);
    }

    #[test]
    fn a_negative_base_with_a_constant_exponent_has_a_gradient() {
        let y = Dual::variable(-2.0).pow(Dual::constant(3.0));
        assert_eq!((y.value, y.derivative), (-8.0, 12.0));
    }

    #[test]
    fn ties_split_and_kinks_are_flat() {
        let tie = Arith::max(Dual::variable(1.0), Dual::constant(1.0));
        assert_eq!(tie.derivative, 0.5);
        assert_eq!(Arith::abs(Dual::variable(0.0)).derivative, 0.0);
        assert_eq!(Math::floor(Dual::variable(1.5)).derivative, 0.0);
    }
}
