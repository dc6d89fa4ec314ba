//! The formulas that one kernel shape serves: the rows of core's table, their gradients, and what moves elements.

use trueno_core::DType;
use trueno_core::math::wgsl::{Scalar, function, predicate};
use trueno_core::table::{
    ArithBinaryRow, ArithBinaryVisitor, ArithUnaryRow, ArithUnaryVisitor, BinaryOp, BinaryRow, BinaryVisitor,
    CompareOp, CompareRow, CompareVisitor, ReduceOp, ReduceRow, ReduceVisitor, TernaryOp, TernaryRow, TernaryVisitor,
    UnaryOp, UnaryRow, UnaryVisitor,
};

/// A side of a binary row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first operand.
    Left,
    /// The second.
    Right,
}

/// What is computed of each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Formula {
    Unary(UnaryOp),
    /// Of what the row saves, and the gradient of the result.
    UnaryGrad(UnaryOp),
    Binary(BinaryOp),
    /// Of both operands and the gradient of the result.
    BinaryGrad(BinaryOp, Side),
    Compare(CompareOp),
    Ternary(TernaryOp),
    /// By one operand, of all three and the gradient of the result.
    TernaryGrad(TernaryOp, u8),
    /// Of an element, the center and result of its group, the gradient of that, and the count as a parameter.
    ReduceGrad(ReduceOp),
    /// Of a mask and two operands.
    Where,
    /// Of an element of one type, in another.
    Cast(DType, DType),
    /// The first parameter everywhere.
    Fill,
}

impl Formula {
    /// The number of operands.
    pub fn operands(self) -> usize {
        match self {
            Self::Fill => 0,
            Self::Unary(_) | Self::Cast(..) => 1,
            Self::UnaryGrad(_) | Self::Binary(_) | Self::Compare(_) => 2,
            Self::BinaryGrad(..) | Self::Ternary(_) | Self::Where => 3,
            Self::TernaryGrad(..) | Self::ReduceGrad(_) => 4,
        }
    }

    /// The WGSL of a function `value` of the operands `x0, x1, ...` and the parameters `p` and `q`, over `scalar`.
    /// Integers have it only where the row says so.
    pub fn text(self, scalar: Scalar) -> String {
        match self {
            Self::Unary(op) => unary(op, scalar),
            Self::UnaryGrad(op) => op.dispatch(UnaryGradText),
            Self::Binary(op) => binary(op, scalar),
            Self::BinaryGrad(op, side) => op.dispatch(BinaryGradText(side)),
            Self::Compare(op) => op.dispatch(CompareText(scalar)),
            Self::Ternary(op) => op.dispatch(TernaryText(None)),
            Self::TernaryGrad(op, index) => op.dispatch(TernaryText(Some(index))),
            Self::ReduceGrad(op) => op.dispatch(ReduceGradText),
            Self::Where => {
                let t = scalar.name();
                format!(
                    "fn value(x0: u32, x1: {t}, x2: {t}, p: {t}, q: {t}) -> {t} {{ return select(x2, x1, x0 != 0u); }}\n"
                )
            }
            Self::Cast(from, to) => cast(from, to),
            Self::Fill => {
                let t = scalar.name();
                format!("fn value(p: {t}, q: {t}) -> {t} {{ return p; }}\n")
            }
        }
    }
}

/// The text where the row's integers compute in `scalar`, else that of the formula over `f32`.
fn unary(op: UnaryOp, scalar: Scalar) -> String {
    struct Float;
    impl UnaryVisitor for Float {
        type Output = String;
        fn visit<R: UnaryRow>(self) -> String {
            function(Scalar::F32, "value", &["x0", "p", "q"], |[x, p, q]| R::value(x, [p, q]))
        }
    }
    struct Integer(Scalar);
    impl ArithUnaryVisitor for Integer {
        type Output = String;
        fn visit<R: ArithUnaryRow>(self) -> String {
            function(self.0, "value", &["x0", "p", "q"], |[x, p, q]| R::value_arith(x, [p, q]))
        }
    }
    let integer = (scalar != Scalar::F32).then(|| op.dispatch_arith(Integer(scalar))).flatten();
    integer.unwrap_or_else(|| op.dispatch(Float))
}

fn binary(op: BinaryOp, scalar: Scalar) -> String {
    struct Float;
    impl BinaryVisitor for Float {
        type Output = String;
        fn visit<R: BinaryRow>(self) -> String {
            function(Scalar::F32, "value", &["x0", "x1", "p", "q"], |[a, b, _, _]| R::value(a, b))
        }
    }
    struct Integer(Scalar);
    impl ArithBinaryVisitor for Integer {
        type Output = String;
        fn visit<R: ArithBinaryRow>(self) -> String {
            function(self.0, "value", &["x0", "x1", "p", "q"], |[a, b, _, _]| R::value_arith(a, b))
        }
    }
    let integer = (scalar != Scalar::F32).then(|| op.dispatch_arith(Integer(scalar))).flatten();
    integer.unwrap_or_else(|| op.dispatch(Float))
}

struct UnaryGradText;

impl UnaryVisitor for UnaryGradText {
    type Output = String;
    fn visit<R: UnaryRow>(self) -> String {
        function(Scalar::F32, "value", &["x0", "x1", "p", "q"], |[saved, g, p, q]| R::grad(saved, g, [p, q]))
    }
}

struct BinaryGradText(Side);

impl BinaryVisitor for BinaryGradText {
    type Output = String;
    fn visit<R: BinaryRow>(self) -> String {
        function(Scalar::F32, "value", &["x0", "x1", "x2", "p", "q"], |[a, b, g, _, _]| match self.0 {
            Side::Left => R::left(a, b, g),
            Side::Right => R::right(a, b, g),
        })
    }
}

struct CompareText(Scalar);

impl CompareVisitor for CompareText {
    type Output = String;
    fn visit<R: CompareRow>(self) -> String {
        predicate(self.0, "holds", &["x0", "x1"], |[a, b]| R::value(a, b))
            + &format!(
                "fn value(x0: {t}, x1: {t}, p: {t}, q: {t}) -> u32 {{ return u32(holds(x0, x1)); }}\n",
                t = self.0.name()
            )
    }
}

struct TernaryText(Option<u8>);

impl TernaryVisitor for TernaryText {
    type Output = String;
    fn visit<R: TernaryRow>(self) -> String {
        match self.0 {
            None => function(Scalar::F32, "value", &["x0", "x1", "x2", "p", "q"], |[a, b, c, _, _]| R::value(a, b, c)),
            Some(index) => function(Scalar::F32, "value", &["x0", "x1", "x2", "x3", "p", "q"], |[a, b, c, g, _, _]| {
                R::grad(usize::from(index), [a, b, c], g)
            }),
        }
    }
}

struct ReduceGradText;

impl ReduceVisitor for ReduceGradText {
    type Output = String;
    fn visit<R: ReduceRow>(self) -> String {
        function(Scalar::F32, "value", &["x0", "x1", "x2", "x3", "p", "q"], |[x, c, y, g, n, _]| R::grad(x, c, y, g, n))
    }
}

/// As `trueno_kernels::elementwise::convert`: floats truncate and saturate to integers, integers wrap.
fn cast(from: DType, to: DType) -> String {
    let is_float = |dtype: DType| dtype.is_float();
    let source = if is_float(from) {
        "f32"
    } else if from == DType::I32 {
        "i32"
    } else {
        "u32"
    };
    let (result, body) = match to {
        _ if is_float(to) => ("f32", "return f32(x0);"),
        DType::Bool if is_float(from) => ("u32", "return u32((bitcast<u32>(x0) & 0x7fffffffu) != 0u);"),
        DType::Bool => ("u32", "return u32(x0 != 0);"),
        DType::I32 if is_float(from) => (
            "i32",
            "if is_nan(x0) { return 0; }\n\
             return select(i32(clamp(x0, -2147483648.0, 2147483520.0)), 2147483647, x0 >= 2147483648.0);",
        ),
        DType::U8 if is_float(from) => ("u32", "if is_nan(x0) { return 0u; }\nreturn u32(clamp(x0, 0.0, 255.0));"),
        _ if is_float(from) => (
            "u32",
            "if is_nan(x0) { return 0u; }\n\
             return select(u32(clamp(x0, 0.0, 4294967040.0)), 4294967295u, x0 >= 4294967296.0);",
        ),
        DType::I32 => ("i32", "return bitcast<i32>(x0);"),
        _ => ("u32", "return bitcast<u32>(x0);"),
    };
    let body = if source == "u32" { body.replace("x0 != 0)", "x0 != 0u)") } else { body.into() };
    format!("fn value(x0: {source}, p: {source}, q: {source}) -> {result} {{ {body} }}\n")
}
