//! Operations on one operand.

use super::{Cancels, Gradient, RowInfo, Saves, cancels, is_arith, used};
use crate::math::{Arith, Dual, Math};

/// The rows of operations on one operand. See [`table`](crate::table) for their form.
#[macro_export]
macro_rules! unary_table {
    ($with:ident) => {
        $with! {
            /// Negation, `-x`.
            arith Neg neg(x) {
                value: -x;
                grad: nothing(_x, g) => -g;
                oracle: "-x"; domain: -4.0, 4.0; tolerance: 0.0, 0.0;
            }
            /// Magnitude.
            arith Abs abs(x) {
                value: x.abs();
                grad: dual;
                oracle: "torch.abs(x)"; domain: -4.0, 4.0; kinks: 0.0; tolerance: 0.0, 0.0;
            }
            /// Sign: -1, 0 or 1; NaN of NaN.
            arith Sign sign(x) {
                value: M::select(x.gt(x.lit(0.0)), x.lit(1.0),
                       M::select(x.lt(x.lit(0.0)), x.lit(-1.0),
                       M::select(x.eq(x.lit(0.0)), x.lit(0.0), x)));
                grad: zero;
                oracle: "torch.where(x.isnan(), x, torch.sign(x))"; domain: -4.0, 4.0; kinks: 0.0; tolerance: 0.0, 0.0;
            }
            /// Square, `x * x`.
            arith Square square(x) {
                value: x * x;
                grad: input(x, g) => g * (x + x);
                oracle: "torch.square(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Square root.
            float Sqrt sqrt(x) {
                value: x.sqrt();
                grad: output(y, g) => g * 0.5 / y;
                oracle: "torch.sqrt(x)"; domain: 0.1, 9.0; tolerance: 1e-6, 1e-14;
            }
            /// Reciprocal square root, `1 / sqrt(x)`.
            float Rsqrt rsqrt(x) {
                value: x.lit(1.0) / x.sqrt();
                grad: output(y, g) => g * (y * y * y) * -0.5;
                oracle: "torch.rsqrt(x)"; domain: 0.1, 9.0; tolerance: 1e-6, 1e-14;
                ulps: 1.5; // two roundings
            }
            /// Reciprocal, `1 / x` (PyTorch's `reciprocal`).
            float Recip recip(x) {
                value: x.lit(1.0) / x;
                grad: output(y, g) => -(g * y * y);
                oracle: "torch.reciprocal(x)"; domain: 0.2, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Exponential, `e^x`.
            float Exp exp(x) {
                value: x.exp();
                grad: output(y, g) => g * y;
                oracle: "torch.exp(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Power of two, `2^x`.
            float Exp2 exp2(x) {
                value: x.exp2();
                grad: output(y, g) => g * y * core::f64::consts::LN_2;
                oracle: "torch.exp2(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// `e^x - 1`, accurate near 0.
            float Expm1 expm1(x) {
                value: x.expm1();
                grad: output(y, g) => g * (y + 1.0);
                oracle: "torch.expm1(x)"; domain: -2.0, 2.0; tolerance: 1e-6, 1e-14;
            }
            /// Natural logarithm (NumPy's and PyTorch's `log`).
            float Ln ln(x) {
                value: x.ln();
                grad: input(x, g) => g / x;
                oracle: "torch.log(x)"; domain: 0.1, 9.0; tolerance: 1e-6, 1e-14;
            }
            /// Logarithm to base 2.
            float Log2 log2(x) {
                value: x.log2();
                grad: input(x, g) => g / (x * core::f64::consts::LN_2);
                oracle: "torch.log2(x)"; domain: 0.1, 9.0; tolerance: 1e-6, 1e-14;
            }
            /// Logarithm to base 10.
            float Log10 log10(x) {
                value: x.log10();
                grad: input(x, g) => g / (x * core::f64::consts::LN_10);
                oracle: "torch.log10(x)"; domain: 0.1, 9.0; tolerance: 1e-6, 1e-14;
            }
            /// `ln(1 + x)`, accurate near 0.
            float Log1p log1p(x) {
                value: x.log1p();
                grad: input(x, g) => g / (x + 1.0);
                oracle: "torch.log1p(x)"; domain: -0.8, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Sine of an angle in radians.
            float Sin sin(x) {
                value: x.sin();
                grad: input(x, g) => g * x.cos();
                oracle: "torch.sin(x)"; domain: -7.0, 7.0; tolerance: 1e-6, 1e-14;
            }
            /// Cosine of an angle in radians.
            float Cos cos(x) {
                value: x.cos();
                grad: input(x, g) => -(g * x.sin());
                oracle: "torch.cos(x)"; domain: -7.0, 7.0; tolerance: 1e-6, 1e-14;
            }
            /// Tangent of an angle in radians.
            float Tan tan(x) {
                value: x.tan();
                grad: output(y, g) => g * (y * y + 1.0);
                oracle: "torch.tan(x)"; domain: -1.4, 1.4; tolerance: 1e-6, 1e-13;
            }
            /// Arc sine; NaN beyond 1.
            float Asin asin(x) {
                value: x.asin();
                grad: dual;
                oracle: "torch.asin(x)"; domain: -0.9, 0.9; tolerance: 1e-6, 1e-14;
            }
            /// Arc cosine; NaN beyond 1.
            float Acos acos(x) {
                value: x.acos();
                grad: dual;
                oracle: "torch.acos(x)"; domain: -0.9, 0.9; tolerance: 1e-6, 1e-14;
            }
            /// Arc tangent.
            float Atan atan(x) {
                value: x.atan();
                grad: dual;
                oracle: "torch.atan(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Hyperbolic sine.
            float Sinh sinh(x) {
                value: x.sinh();
                grad: dual;
                oracle: "torch.sinh(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Hyperbolic cosine.
            float Cosh cosh(x) {
                value: x.cosh();
                grad: dual;
                oracle: "torch.cosh(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Inverse hyperbolic sine.
            float Asinh asinh(x) {
                value: x.asinh();
                grad: dual;
                oracle: "torch.asinh(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
            }
            /// Inverse hyperbolic cosine; NaN below 1.
            float Acosh acosh(x) {
                value: x.acosh();
                grad: dual;
                oracle: "torch.acosh(x)"; domain: 1.1, 9.0; tolerance: 1e-6, 1e-14;
            }
            /// Inverse hyperbolic tangent; NaN beyond 1.
            float Atanh atanh(x) {
                value: x.atanh();
                grad: dual;
                oracle: "torch.atanh(x)"; domain: -0.9, 0.9; tolerance: 1e-6, 1e-14;
            }
            /// Hyperbolic tangent.
            float Tanh tanh(x) {
                value: x.tanh();
                grad: output(y, g) => g * (-(y * y) + 1.0);
                oracle: "torch.tanh(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14; cancels: gradient;
            }
            /// Logistic function, `1 / (1 + e^-x)`.
            float Sigmoid sigmoid(x) {
                value: x.sigmoid();
                grad: output(y, g) => g * y * (-y + 1.0);
                oracle: "torch.sigmoid(x)"; domain: -6.0, 6.0; tolerance: 1e-6, 1e-14; cancels: gradient;
            }
            /// Logarithm of the logistic function (PyTorch's `logsigmoid`).
            float LogSigmoid log_sigmoid(x) {
                value: -((-x).max(x.lit(0.0)) + (-x.abs()).exp().log1p());
                grad: input(x, g) => g * (-x).sigmoid();
                oracle: "torch.nn.functional.logsigmoid(x)"; domain: -6.0, 6.0; tolerance: 1e-6, 1e-14;
                ulps: 2.0; // three roundings
            }
            /// Error function.
            float Erf erf(x) {
                value: x.erf();
                grad: dual;
                oracle: "torch.erf(x)"; domain: -3.0, 3.0; tolerance: 1e-6, 1e-14;
            }
            /// Largest integer not above `x`.
            float Floor floor(x) {
                value: x.floor();
                grad: zero;
                oracle: "torch.floor(x)"; domain: -2.0, 2.0; kinks: -2.0, -1.0, 0.0, 1.0, 2.0; tolerance: 0.0, 0.0;
            }
            /// Smallest integer not below `x`.
            float Ceil ceil(x) {
                value: x.ceil();
                grad: zero;
                oracle: "torch.ceil(x)"; domain: -2.0, 2.0; kinks: -2.0, -1.0, 0.0, 1.0, 2.0; tolerance: 0.0, 0.0;
            }
            /// Nearest integer, ties to even.
            float Round round(x) {
                value: x.round();
                grad: zero;
                oracle: "torch.round(x)"; domain: -2.0, 2.0; kinks: -1.5, -0.5, 0.5, 1.5; tolerance: 0.0, 0.0;
            }
            /// Integer part.
            float Trunc trunc(x) {
                value: x.trunc();
                grad: zero;
                oracle: "torch.trunc(x)"; domain: -2.0, 2.0; kinks: -2.0, -1.0, 0.0, 1.0, 2.0; tolerance: 0.0, 0.0;
            }
            /// `x` limited to the range from `min` to `max`; NaN stays NaN. Its slope at the ends is 0, as in PyTorch.
            arith Clamp clamp(x; min = -1.0, max = 1.0) {
                value: x.max(min).min(max);
                grad: input(x, g) => M::select(x.gt(min) & x.lt(max), g, g.lit(0.0));
                oracle: "torch.clamp(x, min, max)"; domain: -4.0, 4.0; kinks: -1.0, 1.0; tolerance: 0.0, 0.0;
            }
            /// `x` to a constant power.
            float Powf powf(x; exponent = 2.5) {
                value: x.pow(exponent);
                grad: dual;
                oracle: "torch.pow(x, exponent)"; domain: 0.2, 3.0; tolerance: 1e-6, 1e-13;
                ulps: 2.0;
            }
            /// Rectified linear unit, `max(x, 0)`; its slope at 0 is 0.
            arith Relu relu(x) {
                value: x.max(x.lit(0.0));
                grad: output(y, g) => M::select(y.gt(y.lit(0.0)), g, g.lit(0.0));
                oracle: "torch.relu(x)"; domain: -4.0, 4.0; kinks: 0.0; tolerance: 0.0, 0.0;
            }
            /// `x` where positive, `negative_slope * x` elsewhere.
            float LeakyRelu leaky_relu(x; negative_slope = 0.01) {
                value: M::select(x.gt(x.lit(0.0)), x, x * negative_slope);
                grad: input(x, g) => M::select(x.gt(x.lit(0.0)), g, g * negative_slope);
                oracle: "torch.nn.functional.leaky_relu(x, negative_slope)";
                domain: -4.0, 4.0; kinks: 0.0; tolerance: 1e-6, 1e-14;
            }
            /// `x` where positive, `alpha * (e^x - 1)` elsewhere (Clevert et al., 2015).
            float Elu elu(x; alpha = 1.0) {
                value: M::select(x.gt(x.lit(0.0)), x, alpha * x.expm1());
                grad: input(x, g) => M::select(x.gt(x.lit(0.0)), g, g * alpha * x.exp());
                oracle: "torch.nn.functional.elu(x, alpha)"; domain: -4.0, 4.0; kinks: 0.0; tolerance: 1e-6, 1e-14;
            }
            /// Scaled ELU with self-normalising constants (Klambauer et al., 2017).
            float Selu selu(x) {
                // The constant in two parts, the first of 24 bits: rounded to one, the largest numbers overflow before their time.
                value: M::select(
                    x.gt(x.lit(0.0)),
                    x.mul_add(x.lit(1.050_700_902_938_842_8), x * 8.441_663_768_010_699e-8),
                    x.expm1() * 1.758_099_340_847_376_6
                );
                grad: input(x, g) => g * 1.050_700_987_355_480_5
                    * M::select(x.gt(x.lit(0.0)), x.lit(1.0), x.exp() * 1.673_263_242_354_377_2);
                oracle: "torch.nn.functional.selu(x)"; domain: -4.0, 4.0; kinks: 0.0; tolerance: 1e-6, 1e-14;
                ulps: 2.0; // three roundings, one of them of the constant
            }
            /// Gaussian error linear unit, `x * Phi(x)` (Hendrycks and Gimpel, 2016).
            float Gelu gelu(x) {
                value: x.gelu();
                grad: dual;
                oracle: "torch.nn.functional.gelu(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14; cancels: both;
                ulps: 2.0;
            }
            /// GELU by its tanh approximation (PyTorch's `approximate="tanh"`).
            float GeluTanh gelu_tanh(x) {
                // (1 + tanh(u)) / 2 is the logistic function of 2 u, in which nothing cancels.
                value: x * ((x * x * x * 0.044_715 + x) * 1.595_769_121_605_730_8).sigmoid();
                grad: dual;
                oracle: "torch.nn.functional.gelu(x, approximate='tanh')"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14; cancels: both;
                ulps: 256.0; // e^u has the roundings of u, times up to 104: the least exponent that gives more than 0
            }
            /// Sigmoid linear unit, `x * sigmoid(x)`; also called swish.
            float Silu silu(x) {
                value: x * x.sigmoid();
                grad: input(x, g) => {
                    let s = x.sigmoid();
                    g * s * (x * (-s + 1.0) + 1.0)
                };
                oracle: "torch.nn.functional.silu(x)"; domain: -6.0, 6.0; tolerance: 1e-6, 1e-14; cancels: gradient;
                ulps: 53.0; // half a unit of a subnormal logistic function, times up to 104
            }
            /// Smooth ReLU, `ln(1 + e^(beta x)) / beta`; `x` itself where `beta x > threshold`.
            float Softplus softplus(x; beta = 1.0, threshold = 20.0) {
                value: {
                    let z = x * beta;
                    let smooth = (z.max(z.lit(0.0)) + (-z.abs()).exp().log1p()) / beta;
                    M::select(z.gt(threshold), x, smooth)
                };
                grad: input(x, g) => {
                    let z = x * beta;
                    M::select(z.gt(threshold), g, g * z.sigmoid())
                };
                oracle: "torch.nn.functional.softplus(x, beta, threshold)";
                domain: -6.0, 6.0; tolerance: 1e-6, 1e-14;
                ulps: 2.0;
            }
            /// `x * tanh(softplus(x))` (Misra, 2019).
            float Mish mish(x) {
                value: {
                    // tanh(ln(1 + w)) = n / (n + 2) with n = w (w + 2) and w = e^x; beyond 20 it is 1.
                    let w = x.min(x.lit(20.0)).exp();
                    let n = w * (w + 2.0);
                    x * (n / (n + 2.0))
                };
                grad: dual;
                oracle: "torch.nn.functional.mish(x)"; domain: -6.0, 6.0; tolerance: 1e-6, 1e-13; cancels: gradient;
                ulps: 53.0; // half a unit of a subnormal e^x, times up to 104
            }
            /// `x * clamp(x + 3, 0, 6) / 6` (MobileNetV3).
            float Hardswish hardswish(x) {
                // The large factor last, so that it does not overflow.
                value: x * ((x + 3.0).max(x.lit(0.0)).min(x.lit(6.0)) / 6.0);
                grad: input(x, g) => M::select(x.le(x.lit(-3.0)), g.lit(0.0),
                    M::select(x.ge(x.lit(3.0)), g, g * (x * (1.0 / 3.0) + 0.5)));
                oracle: "torch.nn.functional.hardswish(x)"; domain: -5.0, 5.0; kinks: -3.0, 3.0; tolerance: 1e-6, 1e-14; cancels: gradient;
                ulps: 2.0; // three roundings
            }
            /// `clamp(x + 3, 0, 6) / 6`.
            float Hardsigmoid hardsigmoid(x) {
                value: (x + 3.0).max(x.lit(0.0)).min(x.lit(6.0)) / 6.0;
                grad: input(x, g) => M::select(x.gt(x.lit(-3.0)) & x.lt(x.lit(3.0)), g * (1.0 / 6.0), g.lit(0.0));
                oracle: "torch.clamp(x + 3, 0, 6) / 6"; domain: -5.0, 5.0; kinks: -3.0, 3.0; tolerance: 1e-6, 1e-14;
                ulps: 1.5; // two roundings
            }
            /// `x / (1 + |x|)`.
            float Softsign softsign(x) {
                value: x / (x.abs() + 1.0);
                grad: input(x, g) => {
                    let shrink = x.abs() + 1.0;
                    g / (shrink * shrink)
                };
                oracle: "torch.nn.functional.softsign(x)"; domain: -4.0, 4.0; tolerance: 1e-6, 1e-14;
                ulps: 1.5; // two roundings
            }
        }
    };
}

/// A row of [`unary_table!`](crate::unary_table) as a type, for interpreters that are compiled per row.
pub trait UnaryRow: Copy + Send + Sync + 'static {
    /// The same row as a value.
    const OP: UnaryOp;
    /// The formula.
    fn value<M: Math>(x: M, parameters: [M; 2]) -> M;
    /// The gradient by the operand, from what [`UnaryOp::saves`] names and the gradient by the result.
    fn grad<M: Math>(saved: M, g: M, parameters: [M; 2]) -> M;
}

/// A row that integers have too.
pub trait ArithUnaryRow: UnaryRow {
    /// The formula.
    fn value_arith<M: Arith>(x: M, parameters: [M; 2]) -> M;
}

/// Code to run for the row that a [`UnaryOp`] names.
pub trait UnaryVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: UnaryRow>(self) -> Self::Output;
}

/// Code to run for the row that a [`UnaryOp`] names, if integers have it.
pub trait ArithUnaryVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: ArithUnaryRow>(self) -> Self::Output;
}

/// What a `grad:` entry keeps, and what kind of gradient it states.
#[rustfmt::skip]
macro_rules! grad_facts {
    (dual) => { (Saves::Input, Gradient::Defined) };
    (input) => { (Saves::Input, Gradient::Defined) };
    (output) => { (Saves::Output, Gradient::Defined) };
    (nothing) => { (Saves::Nothing, Gradient::Defined) };
    (zero) => { (Saves::Nothing, Gradient::Zero) };
}

#[rustfmt::skip]
macro_rules! ulps {
    () => { 1.0 };
    ($ulps:expr) => { $ulps };
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($x:ident $(; $($param:ident = $default:expr),+)?) {
            value: $value:expr;
            grad: $mode:ident $(($s:ident, $g:ident) => $grad:expr)?;
            oracle: $oracle:literal; domain: $low:expr, $high:expr;
            $(kinks: $($kink:expr),+;)?
            tolerance: $t32:expr, $t64:expr; $(cancels: $cancels:ident;)?
            $(ulps: $ulps:expr;)?
        }
    )+) => {
        /// An operation on one operand: a row of [`unary_table!`](crate::unary_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum UnaryOp { $($(#[doc = $doc])+ $variant,)+ }

        /// The rows as types.
        pub mod rows {
            $($(#[doc = $doc])+ #[derive(Clone, Copy, Debug)] pub struct $variant;)+
        }

        $(
            impl UnaryRow for rows::$variant {
                const OP: UnaryOp = UnaryOp::$variant;
                #[inline(always)]
                fn value<M: Math>($x: M, parameters: [M; 2]) -> M {
                    let [$($($param,)+)? ..] = parameters;
                    $value
                }
                define!(@grad $mode [$($($param)+)?] $($s, $g => $grad)?);
            }
            define!(@arith $class $variant $x [$($($param)+)?] $value);
        )+

        impl UnaryOp {
            /// Every row, in the table's order.
            pub const ALL: &[UnaryOp] = &[$(UnaryOp::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(UnaryOp::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[$($((stringify!($param), $default)),+)?],
                        integers: is_arith!($class),
                        gradient: grad_facts!($mode).1,
                        oracle: $oracle,
                        domain: &[[$low, $high]],
                        kinks: &[$($($kink),+)?],
                        tolerance: [$t32, $t64],
                        cancels: cancels!($($cancels)?),
                    } },)+
                }
            }

            /// Largest error of the CPU's kernel in units in the last place of the `f32` result, over every `f32`.
            pub const fn ulps(self) -> f64 {
                match self { $(UnaryOp::$variant => ulps!($($ulps)?),)+ }
            }

            /// What the gradient keeps.
            pub const fn saves(self) -> Saves {
                match self { $(UnaryOp::$variant => grad_facts!($mode).0,)+ }
            }

            /// Runs a visitor on the row's type.
            #[inline]
            pub fn dispatch<V: UnaryVisitor>(self, visitor: V) -> V::Output {
                match self { $(UnaryOp::$variant => visitor.visit::<rows::$variant>(),)+ }
            }

            /// Runs a visitor on the row's type, or gives `None` if integers lack the operation.
            #[inline]
            pub fn dispatch_arith<V: ArithUnaryVisitor>(self, visitor: V) -> Option<V::Output> {
                match self { $(UnaryOp::$variant => define!(@dispatch $class visitor $variant),)+ }
            }
        }
    };
    (@grad dual [$($param:ident)*]) => {
        #[inline(always)]
        fn grad<M: Math>(saved: M, g: M, parameters: [M; 2]) -> M {
            let [first, second] = parameters;
            g * Self::value(Dual::variable(saved), [Dual::constant(first), Dual::constant(second)]).derivative
        }
    };
    (@grad zero [$($param:ident)*]) => {
        #[inline(always)]
        fn grad<M: Math>(_: M, g: M, _: [M; 2]) -> M {
            g.lit(0.0)
        }
    };
    (@grad $mode:ident [$($param:ident)*] $s:ident, $g:ident => $grad:expr) => {
        #[inline(always)]
        fn grad<M: Math>($s: M, $g: M, parameters: [M; 2]) -> M {
            let [$($param,)* ..] = parameters;
            $(used($param);)*
            $grad
        }
    };
    (@arith arith $variant:ident $x:ident [$($param:ident)*] $value:expr) => {
        impl ArithUnaryRow for rows::$variant {
            #[inline(always)]
            fn value_arith<M: Arith>($x: M, parameters: [M; 2]) -> M {
                let [$($param,)* ..] = parameters;
                $value
            }
        }
    };
    (@arith float $($rest:tt)*) => {};
    (@dispatch arith $visitor:ident $variant:ident) => { Some($visitor.visit::<rows::$variant>()) };
    (@dispatch float $visitor:ident $variant:ident) => {{ let _ = $visitor; None }};
}

unary_table!(define);

impl UnaryOp {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The oracle value.
    pub fn eval(self, x: f64, parameters: [f64; 2]) -> f64 {
        struct Eval(f64, [f64; 2]);
        impl UnaryVisitor for Eval {
            type Output = f64;
            fn visit<R: UnaryRow>(self) -> f64 {
                R::value(self.0, self.1)
            }
        }
        self.dispatch(Eval(x, parameters))
    }

    /// The oracle value and its derivative, the latter by the row's own gradient rule.
    pub fn eval_with_derivative(self, x: f64, parameters: [f64; 2]) -> (f64, f64) {
        struct Eval(f64, [f64; 2]);
        impl UnaryVisitor for Eval {
            type Output = (f64, f64);
            fn visit<R: UnaryRow>(self) -> (f64, f64) {
                let Eval(x, parameters) = self;
                let y = R::value(x, parameters);
                let saved = if R::OP.saves() == Saves::Output { y } else { x };
                (y, R::grad(saved, 1.0, parameters))
            }
        }
        self.dispatch(Eval(x, parameters))
    }

    /// The parameters' defaults, padded with 0.
    pub fn default_parameters(self) -> [f64; 2] {
        let mut values = [0.0; 2];
        for (value, (_, default)) in values.iter_mut().zip(self.info().parameters) {
            *value = *default;
        }
        values
    }
}
