//! WGSL as an interpreter: a row becomes the body of a shader function.
//!
//! Expressions are static single assignments in an arena; [`Expr`] is a copyable reference to one. The
//! functions WGSL lacks (`expm1`, `erf`, ...) come from [`PRELUDE`].

use super::{Arith, Math};
use alloc::{format, string::String, vec::Vec};
use core::cell::RefCell;
use core::ops::{BitAnd, BitOr, Not};

/// WGSL text of the functions that rows over `f32` need and the language lacks; put it once into each module.
pub const PRELUDE: &str = include_str!("prelude.wgsl");

/// The same for rows over `f64`, under the same names, but for the elementary functions: WGSL has none of those in `f64`, and whoever
/// makes the module brings the ones that its text calls.
pub const PRELUDE_F64: &str = include_str!("prelude64.wgsl");

/// WGSL text of `settled`, which gives its operand back, and no driver can know it: what comes after cannot be merged into what
/// came before. The kernel has to set `unknown_zero` to a 0 that is not known when it is compiled.
pub const SETTLED: &str = "var<private> unknown_zero: u32;\n\
    fn settled(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ unknown_zero); }\n";

/// [`SETTLED`] for `f64`.
pub const SETTLED_F64: &str = "var<private> unknown_zero: u32;\n\
    fn settled(x: f64) -> f64 { return bitcast<f64>(bitcast<u64>(x) ^ u64(unknown_zero)); }\n";

/// The type that a function computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `f32`.
    F32,
    /// `i32`, which wraps.
    I32,
    /// `u32`, which wraps.
    U32,
    /// `i64`, which wraps. Not every device has it.
    I64,
    /// `f64`. Not every device has it.
    F64,
}

impl Scalar {
    /// The name of the type in WGSL.
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::F32 => "f32",
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
            Scalar::I64 => "i64",
            Scalar::F64 => "f64",
        }
    }

    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        match self {
            Scalar::F32 | Scalar::F64 => true,
            Scalar::I32 | Scalar::U32 | Scalar::I64 => false,
        }
    }

    /// Whether it has 64 bits, which not every device computes in.
    pub const fn is_wide(self) -> bool {
        match self {
            Scalar::I64 | Scalar::F64 => true,
            Scalar::F32 | Scalar::I32 | Scalar::U32 => false,
        }
    }

    /// A literal. Infinities and NaN come from bit patterns, since WGSL has no literal for them; integers truncate and saturate.
    fn literal(self, value: f64) -> String {
        let rounded = if self == Scalar::F32 { f64::from(value as f32) } else { value };
        match self {
            Scalar::F32 | Scalar::F64 if rounded.is_nan() => String::from("quiet_nan()"),
            Scalar::F32 | Scalar::F64 if rounded.is_infinite() => {
                String::from(if rounded > 0.0 { "infinity()" } else { "-infinity()" })
            }
            Scalar::F32 => format!("f32({:?})", value as f32),
            Scalar::F64 => format!("{value:?}lf"),
            Scalar::I32 => format!("i32({})", value as i32),
            Scalar::U32 => format!("u32({})", value as u32),
            // The sign is an operator, and the least number has no counterpart that it could be applied to.
            Scalar::I64 if value as i64 == i64::MIN => format!("{}li - 1li", i64::MIN + 1),
            Scalar::I64 => format!("{}li", value as i64),
        }
    }
}

/// The statements of one function body.
#[derive(Debug)]
pub struct Arena {
    scalar: Scalar,
    statements: RefCell<Vec<String>>,
}

impl Arena {
    /// An empty body of a function over `scalar`.
    pub fn new(scalar: Scalar) -> Self {
        Arena { scalar, statements: RefCell::default() }
    }

    /// A parameter of the function, by name.
    pub fn parameter(&self, name: &str) -> Expr<'_> {
        self.push(String::from(name))
    }

    fn push(&self, text: String) -> Expr<'_> {
        let mut statements = self.statements.borrow_mut();
        statements.push(text);
        Expr { arena: self, id: statements.len() - 1 }
    }

    /// The whole function.
    fn function(&self, name: &str, parameters: &[&str], gives: &str, result: Expr<'_>) -> String {
        let list: Vec<String> = parameters.iter().map(|p| format!("{p}: {}", self.scalar.name())).collect();
        format!("fn {name}({}) -> {gives} {{\n{}}}\n", list.join(", "), self.body(result))
    }

    /// The statements, and a `return` of `result`.
    fn body(&self, result: Expr<'_>) -> String {
        let mut text = String::new();
        for (id, statement) in self.statements.borrow().iter().enumerate() {
            text.push_str(&format!("    let v{id} = {statement};\n"));
        }
        text.push_str(&format!("    return v{};\n", result.id));
        text
    }
}

/// A WGSL function `fn name(parameters) -> scalar`, all of one type, with the body that `build` makes of its parameters.
///
/// ```
/// use trueno_core::math::{Arith, wgsl::{Scalar, function}};
/// let text = function(Scalar::F32, "twice", &["x"], |[x]| x * 2.0);
/// assert!(text.contains("fn twice(x: f32) -> f32"));
/// ```
pub fn function<const N: usize>(
    scalar: Scalar,
    name: &str,
    parameters: &[&str; N],
    build: impl for<'a> FnOnce([Expr<'a>; N]) -> Expr<'a>,
) -> String {
    let arena = Arena::new(scalar);
    let result = build(parameters.map(|p| arena.parameter(p)));
    arena.function(name, parameters, scalar.name(), result)
}

/// A WGSL function `fn name(parameters) -> bool`, as [`function`].
pub fn predicate<const N: usize>(
    scalar: Scalar,
    name: &str,
    parameters: &[&str; N],
    build: impl for<'a> FnOnce([Expr<'a>; N]) -> Truth<'a>,
) -> String {
    let arena = Arena::new(scalar);
    let result = build(parameters.map(|p| arena.parameter(p))).0;
    arena.function(name, parameters, "bool", result)
}

/// A WGSL function of parameters of one type that gives several results, as an array; a single one as itself.
pub(crate) fn functions(
    scalar: Scalar,
    name: &str,
    parameters: &[String],
    build: impl for<'a> FnOnce(&[Expr<'a>]) -> Vec<Expr<'a>>,
) -> String {
    let arena = Arena::new(scalar);
    let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
    let results = build(&names.iter().map(|p| arena.parameter(p)).collect::<Vec<_>>());
    match results[..] {
        [result] => arena.function(name, &names, scalar.name(), result),
        _ => {
            let gives = format!("array<{}, {}>", scalar.name(), results.len());
            let list: Vec<String> = results.iter().map(|result| format!("v{}", result.id)).collect();
            let array = arena.push(format!("{gives}({})", list.join(", ")));
            arena.function(name, &names, &gives, array)
        }
    }
}

/// An expression of a function body, of the function's type.
#[derive(Clone, Copy, Debug)]
pub struct Expr<'a> {
    arena: &'a Arena,
    id: usize,
}

/// A `bool` expression of a function body.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a>(Expr<'a>);

impl<'a> Expr<'a> {
    fn binary(self, operator: &str, other: Self) -> Self {
        self.arena.push(format!("v{} {operator} v{}", self.id, other.id))
    }

    /// The same value, apart from how it was computed; see [`SETTLED`].
    pub(crate) fn settled(self) -> Self {
        self.call("settled")
    }

    /// What a function of the module gives.
    pub fn call(self, function: &str) -> Self {
        self.arena.push(format!("{function}(v{})", self.id))
    }

    /// What a function of two operands gives.
    pub fn call2(self, function: &str, other: Self) -> Self {
        self.arena.push(format!("{function}(v{}, v{})", self.id, other.id))
    }

    /// What a function of three operands gives.
    pub fn call3(self, function: &str, second: Self, third: Self) -> Self {
        self.arena.push(format!("{function}(v{}, v{}, v{})", self.id, second.id, third.id))
    }

    /// A member of a structure that a function gave.
    pub fn member(self, name: &str) -> Self {
        self.arena.push(format!("v{}.{name}", self.id))
    }

    /// The name of a function that floats need one of their own for.
    fn of_floats(self, float: &'static str, integer: &'static str) -> &'static str {
        if self.arena.scalar.is_float() { float } else { integer }
    }
}

impl BitAnd for Truth<'_> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Truth(self.0.binary("&&", other.0))
    }
}

impl BitOr for Truth<'_> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Truth(self.0.binary("||", other.0))
    }
}

impl Not for Truth<'_> {
    type Output = Self;
    fn not(self) -> Self {
        Truth(self.0.call("!"))
    }
}

crate::math_operators!(float ['a] Expr<'a> { a, b =>
    add a.binary("+", b),
    sub a.binary("-", b),
    mul a.binary("*", b),
    neg match a.arena.scalar {
        Scalar::F32 | Scalar::I32 | Scalar::I64 | Scalar::F64 => a.call("-"),
        Scalar::U32 => a.lit(0.0).binary("-", a),
    },
    div a.call2("ieee_div", b),
});

impl<'a> Arith for Expr<'a> {
    type Mask = Truth<'a>;

    fn lit(self, value: f64) -> Self {
        self.arena.push(self.arena.scalar.literal(value))
    }

    fn lt(self, other: Self) -> Truth<'a> {
        Truth(self.binary("<", other))
    }

    fn le(self, other: Self) -> Truth<'a> {
        Truth(self.binary("<=", other))
    }

    fn eq(self, other: Self) -> Truth<'a> {
        Truth(self.binary("==", other))
    }

    fn select(mask: Truth<'a>, yes: Self, no: Self) -> Self {
        yes.arena.push(format!("select(v{}, v{}, v{})", no.id, yes.id, mask.0.id))
    }

    fn abs(self) -> Self {
        self.call(self.of_floats("magnitude_of", "abs"))
    }

    fn max(self, other: Self) -> Self {
        self.call2(self.of_floats("nan_max", "max"), other)
    }

    fn min(self, other: Self) -> Self {
        self.call2(self.of_floats("nan_min", "min"), other)
    }
}

macro_rules! calls {
    ($($(#[doc = $doc:literal])+ $method:ident $row:ident $function:path, $text:literal;)+) => {$(
        fn $method(self) -> Self {
            self.call($text)
        }
    )+};
}

impl Math for Expr<'_> {
    fn mul_add(self, factor: Self, term: Self) -> Self {
        self.call3("fma", factor, term)
    }

    fn copysign(self, sign: Self) -> Self {
        self.call2("copysign", sign)
    }

    fn pow(self, exponent: Self) -> Self {
        self.call2("ieee_pow", exponent)
    }

    fn atan2(self, x: Self) -> Self {
        self.call2("ieee_atan2", x)
    }

    fn hypot(self, other: Self) -> Self {
        self.call2("ieee_hypot", other)
    }

    crate::math_functions!(calls);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::*;

    /// Parses and validates a module as a driver would.
    fn validate(name: &str, text: &str) {
        validate_with(naga::valid::Capabilities::empty(), name, text);
    }

    /// The same for a device that can do more.
    fn validate_with(capabilities: naga::valid::Capabilities, name: &str, text: &str) {
        let module =
            naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {e:?}\n{text}"));
    }

    struct Value;
    struct Grad;

    struct Unary<T>(T);

    impl UnaryVisitor for Unary<Value> {
        type Output = String;
        fn visit<R: UnaryRow>(self) -> String {
            function(Scalar::F32, "value", &["x", "p", "q"], |[x, p, q]| R::value(x, [p, q]))
        }
    }

    impl UnaryVisitor for Unary<Grad> {
        type Output = String;
        fn visit<R: UnaryRow>(self) -> String {
            function(Scalar::F32, "grad", &["saved", "g", "p", "q"], |[saved, g, p, q]| R::grad(saved, g, [p, q]))
        }
    }

    struct Binary;

    impl BinaryVisitor for Binary {
        type Output = String;
        fn visit<R: BinaryRow>(self) -> String {
            function(Scalar::F32, "value", &["a", "b"], |[a, b]| R::value(a, b))
                + &function(Scalar::F32, "left", &["a", "b", "g"], |[a, b, g]| R::left(a, b, g))
                + &function(Scalar::F32, "right", &["a", "b", "g"], |[a, b, g]| R::right(a, b, g))
        }
    }

    struct Compare;

    impl CompareVisitor for Compare {
        type Output = String;
        fn visit<R: CompareRow>(self) -> String {
            predicate(Scalar::F32, "value", &["a", "b"], |[a, b]| R::value(a, b))
        }
    }

    struct Ternary;

    impl TernaryVisitor for Ternary {
        type Output = String;
        fn visit<R: TernaryRow>(self) -> String {
            (0..3).fold(
                function(Scalar::F32, "value", &["a", "b", "c"], |[a, b, c]| R::value(a, b, c)),
                |text, index| {
                    let name = format!("grad{index}");
                    text + &function(Scalar::F32, &name, &["a", "b", "c", "g"], |[a, b, c, g]| {
                        R::grad(index, [a, b, c], g)
                    })
                },
            )
        }
    }

    struct Reduce;

    impl ReduceVisitor for Reduce {
        type Output = String;
        fn visit<R: ReduceRow>(self) -> String {
            function(Scalar::F32, "init", &["x"], |[x]| R::init(x))
                + &function(Scalar::F32, "map", &["x", "c"], |[x, c]| R::map(x, c))
                + &function(Scalar::F32, "combine", &["a", "b"], |[a, b]| R::combine(a, b))
                + &function(Scalar::F32, "finish", &["acc", "n"], |[acc, n]| R::finish(acc, n))
                + &function(Scalar::F32, "grad", &["x", "c", "y", "g", "n"], |[x, c, y, g, n]| R::grad(x, c, y, g, n))
        }
    }

    #[test]
    fn every_row_is_a_valid_shader() {
        for &op in UnaryOp::ALL {
            validate(op.name(), &format!("{PRELUDE}{}{}", op.dispatch(Unary(Value)), op.dispatch(Unary(Grad))));
        }
        for &op in BinaryOp::ALL {
            validate(op.name(), &format!("{PRELUDE}{}", op.dispatch(Binary)));
        }
        for &op in CompareOp::ALL {
            validate(op.name(), &format!("{PRELUDE}{}", op.dispatch(Compare)));
        }
        for &op in TernaryOp::ALL {
            validate(op.name(), &format!("{PRELUDE}{}", op.dispatch(Ternary)));
        }
        for &op in ReduceOp::ALL {
            validate(op.name(), &format!("{PRELUDE}{}", op.dispatch(Reduce)));
        }
    }

    #[test]
    fn literals_of_64_bits_are_exact() {
        let body = |scalar, value| function(scalar, "f", &["x"], |[x]| x.lit(value));
        let least = body(Scalar::I64, f64::NEG_INFINITY);
        assert!(least.contains("= -9223372036854775807li - 1li;"), "{least}");
        assert!(body(Scalar::I64, f64::INFINITY).contains("= 9223372036854775807li;"));
        assert!(body(Scalar::I64, -2.5).contains("= -2li;"));
        assert!(body(Scalar::F64, 0.1).contains("= 0.1lf;"));
        assert!(body(Scalar::F64, 5e-324).contains("= 5e-324lf;"));
        for (scalar, prelude) in [(Scalar::I64, ""), (Scalar::F64, PRELUDE_F64)] {
            for value in [0.0, -0.0, -7.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324] {
                let wide = naga::valid::Capabilities::FLOAT64 | naga::valid::Capabilities::SHADER_INT64;
                validate_with(wide, "literal", &format!("{prelude}{}", body(scalar, value)));
            }
        }
    }

    #[test]
    fn text_reads_as_single_assignments() {
        let text = function(Scalar::F32, "f", &["x"], |[x]| x * 2.0 + x.exp());
        let expected = "fn f(x: f32) -> f32 {\n    let v0 = x;\n    let v1 = f32(2.0);\n    let v2 = v0 * v1;\n    \
                        let v3 = ieee_exp(v0);\n    let v4 = v2 + v3;\n    return v4;\n}\n";
        assert_eq!(text, expected);
    }
}
