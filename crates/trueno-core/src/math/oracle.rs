//! `f64` as an interpreter: the reference every kernel is compared with.

use super::{Arith, Math};

impl Arith for f64 {
    type Mask = bool;

    fn lit(self, value: f64) -> f64 {
        value
    }

    fn lt(self, other: f64) -> bool {
        self < other
    }

    fn le(self, other: f64) -> bool {
        self <= other
    }

    fn eq(self, other: f64) -> bool {
        self == other
    }

    fn select(mask: bool, yes: f64, no: f64) -> f64 {
        if mask { yes } else { no }
    }

    fn abs(self) -> f64 {
        libm::fabs(self)
    }

    fn max(self, other: f64) -> f64 {
        if self.is_nan() || self > other { self } else { other }
    }

    fn min(self, other: f64) -> f64 {
        if self.is_nan() || self < other { self } else { other }
    }
}

macro_rules! functions {
    ($($(#[doc = $doc:literal])+ $method:ident $row:ident $function:path, $text:literal;)+) => {$(
        fn $method(self) -> f64 {
            $function(self)
        }
    )+};
}

impl Math for f64 {
    crate::math_functions!(functions);

    fn mul_add(self, factor: f64, term: f64) -> f64 {
        libm::fma(self, factor, term)
    }

    fn copysign(self, sign: f64) -> f64 {
        libm::copysign(self, sign)
    }

    fn pow(self, exponent: f64) -> f64 {
        libm::pow(self, exponent)
    }

    fn atan2(self, x: f64) -> f64 {
        libm::atan2(self, x)
    }

    fn hypot(self, other: f64) -> f64 {
        libm::hypot(self, other)
    }
}

/// The functions that libm lacks, or has wrong.
mod exact {
    /// libm's has values for some negatives.
    pub fn acosh(x: f64) -> f64 {
        if x < 1.0 { f64::NAN } else { libm::acosh(x) }
    }

    /// Neither exponential overflows, and neither sum cancels.
    pub fn sigmoid(x: f64) -> f64 {
        let e = libm::exp(-libm::fabs(x));
        if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
    }

    /// By the complementary error function, so that nothing cancels; at -inf NaN, as in PyTorch.
    pub fn gelu(x: f64) -> f64 {
        if !x.is_finite() {
            return if x == f64::NEG_INFINITY { f64::NAN } else { x };
        }
        // The error function falls so steeply that what the rounding of its argument loses must be made up for.
        const FRAC_1_SQRT_2_REST: f64 = -4.833_646_656_726_457e-17;
        let z = -x * core::f64::consts::FRAC_1_SQRT_2;
        let lost = libm::fma(-x, core::f64::consts::FRAC_1_SQRT_2, -z) - x * FRAC_1_SQRT_2_REST;
        let slope = -core::f64::consts::FRAC_2_SQRT_PI * libm::exp(-z * z);
        x * 0.5 * (libm::erfc(z) + slope * lost)
    }
}
