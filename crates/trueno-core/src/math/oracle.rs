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

impl Math for f64 {
    fn mul_add(self, factor: f64, term: f64) -> f64 {
        libm::fma(self, factor, term)
    }

    fn sqrt(self) -> f64 {
        libm::sqrt(self)
    }

    fn copysign(self, sign: f64) -> f64 {
        libm::copysign(self, sign)
    }

    fn floor(self) -> f64 {
        libm::floor(self)
    }

    fn ceil(self) -> f64 {
        libm::ceil(self)
    }

    fn trunc(self) -> f64 {
        libm::trunc(self)
    }

    fn round(self) -> f64 {
        libm::rint(self)
    }

    fn exp(self) -> f64 {
        libm::exp(self)
    }

    fn exp2(self) -> f64 {
        libm::exp2(self)
    }

    fn expm1(self) -> f64 {
        libm::expm1(self)
    }

    fn ln(self) -> f64 {
        libm::log(self)
    }

    fn log2(self) -> f64 {
        libm::log2(self)
    }

    fn log10(self) -> f64 {
        libm::log10(self)
    }

    fn log1p(self) -> f64 {
        libm::log1p(self)
    }

    fn sin(self) -> f64 {
        libm::sin(self)
    }

    fn cos(self) -> f64 {
        libm::cos(self)
    }

    fn tan(self) -> f64 {
        libm::tan(self)
    }

    fn tanh(self) -> f64 {
        libm::tanh(self)
    }

    fn erf(self) -> f64 {
        libm::erf(self)
    }

    fn pow(self, exponent: f64) -> f64 {
        libm::pow(self, exponent)
    }
}
