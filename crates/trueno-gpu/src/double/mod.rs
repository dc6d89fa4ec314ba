//! Elementary functions of `f64` for shaders, which have none: those of the processor, interpreted.
//!
//! `trueno-kernels` states each function once, over whatever has the arithmetic of its vectors
//! ([`RealOps`]). Here that is an expression of a shader, so the text is made from the same source as the SIMD kernels, to
//! the same precision. Nothing is taken for fused, and what an operation gave is settled before it is used, because drivers may
//! contract and rearrange sums whose rounding errors the functions count on.

use std::sync::OnceLock;

use trueno_core::math::wgsl::{Expr, PRELUDE_F64, SETTLED_F64, Scalar, Truth, function};
use trueno_core::math::{Arith, Math};
use trueno_kernels::TWO_OVER_PI;
use trueno_kernels::simd::{Lanes, RealOps};

/// What rows over `f64` need and WGSL lacks, with the elementary functions that `text` calls. The kernel has to set
/// `unknown_zero`, as for [`SETTLED_F64`].
pub(crate) fn prelude(text: &str) -> String {
    let mut prelude = format!("{PRELUDE_F64}{SETTLED_F64}");
    let called = functions().iter().filter(|(name, _)| text.contains(&format!("{name}(")));
    let called: String = called.map(|(_, text)| text.as_str()).collect();
    if !called.is_empty() {
        prelude += include_str!("arithmetic.wgsl");
    }
    if called.contains("far_angle(") {
        prelude += &far_angles();
    }
    prelude + &called
}

/// The reduction of far angles, with its table.
fn far_angles() -> String {
    let digits = TWO_OVER_PI.map(|word| format!("{word:#x}lu")).join(", ");
    include_str!("far_angle.wgsl").replace("DIGITS", &digits).replace("COUNT", &TWO_OVER_PI.len().to_string())
}

/// Every elementary function that [`Math`] has, by the name that rows call it by.
fn functions() -> &'static [(&'static str, String)] {
    static FUNCTIONS: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let mut list = Vec::new();
        macro_rules! interpreted {
            ($($(#[doc = $doc:literal])+ $method:ident $row:ident $function:path, $text:literal;)+) => {$(
                list.push(($text, function(Scalar::F64, $text, &["x"], |[x]| Lanes(Value(x)).$method().0.0)));
            )+};
        }
        trueno_core::math_functions!(interpreted);
        let mut two = |name: &'static str, of: for<'a> fn(Number<'a>, Number<'a>) -> Number<'a>| {
            let text = function(Scalar::F64, name, &["x", "y"], |[x, y]| of(Lanes(Value(x)), Lanes(Value(y))).0.0);
            list.push((name, text));
        };
        two("ieee_pow", |x, y| x.pow(y));
        two("ieee_atan2", |x, y| x.atan2(y));
        two("ieee_hypot", |x, y| x.hypot(y));
        // What WGSL or the prelude has.
        list.retain(|(name, _)| name.starts_with("ieee_") && *name != "ieee_sqrt");
        list
    })
}

/// What rows see of a value.
type Number<'a> = Lanes<Value<'a>>;

/// A value of a function's body.
#[derive(Clone, Copy, Debug)]
struct Value<'a>(Expr<'a>);

/// Methods that are functions of the module.
macro_rules! calls {
    ($($method:ident($($operand:ident),*) = $call:ident $function:literal;)+) => {$(
        fn $method(self $(, $operand: Self)*) -> Self {
            Value(self.0.$call($function $(, $operand.0)*))
        }
    )+};
}

impl<'a> RealOps for Value<'a> {
    type Elem = f64;
    /// An expression of the body in which constants are made.
    type Token = Expr<'a>;
    type Mask = Truth<'a>;
    const FUSED: bool = false;
    const LOOKUP: bool = false;

    calls! {
        add(other) = call2 "rounded_sum";
        sub(other) = call2 "rounded_difference";
        mul(other) = call2 "rounded_product";
        div(other) = call2 "rounded_quotient";
        mul_add(factor, term) = call3 "rounded_product_and_sum";
        abs() = call "magnitude_of";
        sqrt() = call "ieee_sqrt";
        min(other) = call2 "lesser";
        max(other) = call2 "greater";
        floor() = call "floor";
        ceil() = call "ceil";
        trunc() = call "trunc";
        round() = call "round";
        copysign(sign) = call2 "copysign";
        scale(exponent) = call2 "scaled";
        and(other) = call2 "bits_and";
        or(other) = call2 "bits_or";
        xor(other) = call2 "bits_xor";
        add_bits(other) = call2 "bits_sum";
        sub_bits(other) = call2 "bits_difference";
        shift_into_exponent() = call "bits_into_exponent";
        shift_out_exponent() = call "bits_of_exponent";
        shift_second_bit_into_sign() = call "second_bit_as_sign";
    }

    fn neg(self) -> Self {
        Value(-self.0)
    }

    fn neg_mul_add(self, factor: Self, term: Self) -> Self {
        self.neg().mul_add(factor, term)
    }

    fn scale_by_floor(self, exponent: Self) -> Self {
        self.scale(exponent.floor())
    }

    fn token(self) -> Expr<'a> {
        self.0
    }

    fn splat(token: Expr<'a>, value: f64) -> Self {
        if !value.is_nan() {
            return Value(token.lit(value));
        }
        // A mask, of which every bit counts: of two numbers, for there is no literal for it.
        let highest = 2.0_f64.to_bits();
        Value(token.lit(f64::from_bits(value.to_bits() & !highest))).or(Value(token.lit(2.0)))
    }

    fn lit(self, value: f64) -> Self {
        Value(self.0.lit(value))
    }

    fn lt(self, other: Self) -> Truth<'a> {
        self.0.lt(other.0)
    }

    fn le(self, other: Self) -> Truth<'a> {
        self.0.le(other.0)
    }

    fn eq(self, other: Self) -> Truth<'a> {
        self.0.eq(other.0)
    }

    fn select(mask: Truth<'a>, yes: Self, no: Self) -> Self {
        Value(Expr::select(mask, yes.0, no.0))
    }

    /// It is not known before the shader runs.
    fn any(_: Truth<'a>) -> bool {
        true
    }

    fn split_exponent(self) -> (Self, Self) {
        let parts = self.0.call("split");
        (Value(parts.member("exponent")), Value(parts.member("mantissa")))
    }

    fn reduce_far(self) -> [Self; 3] {
        let angle = self.0.call("far_angle");
        ["turns", "hi", "lo"].map(|part| Value(angle.member(part)))
    }
}
