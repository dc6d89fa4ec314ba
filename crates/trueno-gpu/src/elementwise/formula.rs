//! The formulas that one kernel shape serves: the rows of core's table, their gradients, and what moves elements.

use trueno_core::DType;
use trueno_core::fuse::Listing;
use trueno_core::math::Math;
use trueno_core::math::wgsl::{Scalar, function, predicate};
use trueno_core::table::{
    ArithBinaryRow, ArithBinaryVisitor, ArithUnaryRow, ArithUnaryVisitor, BinaryOp, BinaryRow, BinaryVisitor,
    CompareOp, CompareRow, CompareVisitor, ReduceOp, ReduceRow, ReduceVisitor, TernaryOp, TernaryRow, TernaryVisitor,
    UnaryOp, UnaryRow, UnaryVisitor,
};

use crate::storage;

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
    /// Of an element, and the logarithm and gradient of its group.
    ScaledExp,
    /// A formula of `fuse!`: of its operands, and its captured numbers as parameters.
    Fused(&'static Listing),
    /// The gradients of one by the operands whose bits are set: of its operands and the gradient of the result, and the numbers.
    FusedGrad(&'static Listing, u8),
    /// Of a mask and two operands.
    Where,
    /// Of an element of one type, in another.
    Cast(DType, DType),
    /// The first parameter everywhere; of types of 64 bits, both as its words.
    Fill,
}

impl Formula {
    /// The number of operands.
    pub fn operands(self) -> usize {
        match self {
            Self::Fill => 0,
            Self::Unary(_) | Self::Cast(..) => 1,
            Self::UnaryGrad(_) | Self::Binary(_) | Self::Compare(_) => 2,
            Self::BinaryGrad(..) | Self::Ternary(_) | Self::ScaledExp | Self::Where => 3,
            Self::TernaryGrad(..) | Self::ReduceGrad(_) => 4,
            Self::Fused(listing) => listing.operands(),
            Self::FusedGrad(listing, _) => listing.operands() + 1,
        }
    }

    /// The number of parameters. Rows have two, of which most read none.
    pub fn parameters(self) -> usize {
        match self {
            Self::Fused(listing) | Self::FusedGrad(listing, _) => listing.parameters(),
            Self::Unary(_) | Self::UnaryGrad(_) | Self::Binary(_) | Self::BinaryGrad(..) | Self::Compare(_) => 2,
            Self::Ternary(_) | Self::TernaryGrad(..) | Self::ReduceGrad(_) | Self::ScaledExp => 2,
            Self::Where | Self::Cast(..) | Self::Fill => 2,
        }
    }

    /// Whether its text calls `settled`, whose zero the kernel sets.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Fused(_) | Self::FusedGrad(..) => true,
            Self::Unary(_) | Self::UnaryGrad(_) | Self::Binary(_) | Self::BinaryGrad(..) | Self::Compare(_) => false,
            Self::Ternary(_) | Self::TernaryGrad(..) | Self::ReduceGrad(_) | Self::ScaledExp => false,
            Self::Where | Self::Cast(..) | Self::Fill => false,
        }
    }

    /// The number of results. Several come as an array.
    pub fn results(self) -> usize {
        match self {
            Self::FusedGrad(_, wanted) => wanted.count_ones() as usize,
            Self::Unary(_) | Self::UnaryGrad(_) | Self::Binary(_) | Self::BinaryGrad(..) | Self::Compare(_) => 1,
            Self::Ternary(_) | Self::TernaryGrad(..) | Self::ReduceGrad(_) | Self::ScaledExp => 1,
            Self::Where | Self::Cast(..) | Self::Fill | Self::Fused(_) => 1,
        }
    }

    /// Whether it takes elements of 64 bits as pairs of words, on any device: where they are only moved, compared or cast.
    pub fn takes_pairs(self) -> bool {
        match self {
            Self::Compare(_) | Self::Where | Self::Cast(..) | Self::Fill => true,
            Self::Unary(_) | Self::UnaryGrad(_) | Self::Binary(_) | Self::BinaryGrad(..) => false,
            Self::Ternary(_) | Self::TernaryGrad(..) | Self::ReduceGrad(_) | Self::ScaledExp => false,
            Self::Fused(_) | Self::FusedGrad(..) => false,
        }
    }

    /// The WGSL of a function `value` of the operands `x0, x1, ...` and the parameters, over `scalar`, where the last
    /// operand (or the result, without any) is of `dtype`. Integers have it only where the row says so.
    pub fn text(self, scalar: Scalar, dtype: DType) -> String {
        match self {
            Self::Unary(op) => unary(op, scalar),
            Self::UnaryGrad(op) => op.dispatch(UnaryGradText(scalar)),
            Self::Binary(op) => binary(op, scalar),
            Self::BinaryGrad(op, side) => op.dispatch(BinaryGradText(scalar, side)),
            Self::Compare(op) if storage::is_pair(dtype) => compare_pairs(op, dtype),
            Self::Compare(op) => op.dispatch(CompareText(scalar)),
            Self::Ternary(op) => op.dispatch(TernaryText(scalar, None)),
            Self::TernaryGrad(op, index) => op.dispatch(TernaryText(scalar, Some(index))),
            Self::ReduceGrad(op) => op.dispatch(ReduceGradText(scalar)),
            Self::ScaledExp => {
                function(scalar, "value", &["x0", "x1", "x2", "p", "q"], |[x, y, g, ..]| (x - y).exp() * g)
            }
            Self::Fused(listing) => listing.wgsl(scalar, "value"),
            Self::FusedGrad(listing, wanted) => {
                let wanted: Vec<bool> = (0..listing.operands()).map(|i| wanted & (1 << i) != 0).collect();
                listing.wgsl_gradients(scalar, "value", &wanted)
            }
            Self::Where => {
                let (t, s) = (storage::element_type(dtype), scalar.name());
                format!(
                    "fn value(x0: u32, x1: {t}, x2: {t}, p: {s}, q: {s}) -> {t} {{ return select(x2, x1, x0 != 0u); }}\n"
                )
            }
            Self::Cast(from, to) => cast(from, to),
            Self::Fill if storage::is_pair(dtype) => {
                "fn value(p: u32, q: u32) -> vec2<u32> { return vec2(p, q); }\n".into()
            }
            Self::Fill => {
                let t = scalar.name();
                format!("fn value(p: {t}, q: {t}) -> {t} {{ return p; }}\n")
            }
        }
    }
}

/// The row's formula over `scalar`.
fn unary(op: UnaryOp, scalar: Scalar) -> String {
    struct Float(Scalar);
    impl UnaryVisitor for Float {
        type Output = String;
        fn visit<R: UnaryRow>(self) -> String {
            function(self.0, "value", &["x0", "p", "q"], |[x, p, q]| R::value(x, [p, q]))
        }
    }
    struct Integer(Scalar);
    impl ArithUnaryVisitor for Integer {
        type Output = String;
        fn visit<R: ArithUnaryRow>(self) -> String {
            function(self.0, "value", &["x0", "p", "q"], |[x, p, q]| R::value_arith(x, [p, q]))
        }
    }
    let integer = if scalar.is_float() { None } else { op.dispatch_arith(Integer(scalar)) };
    integer.unwrap_or_else(|| op.dispatch(Float(scalar)))
}

fn binary(op: BinaryOp, scalar: Scalar) -> String {
    struct Float(Scalar);
    impl BinaryVisitor for Float {
        type Output = String;
        fn visit<R: BinaryRow>(self) -> String {
            function(self.0, "value", &["x0", "x1", "p", "q"], |[a, b, _, _]| R::value(a, b))
        }
    }
    struct Integer(Scalar);
    impl ArithBinaryVisitor for Integer {
        type Output = String;
        fn visit<R: ArithBinaryRow>(self) -> String {
            function(self.0, "value", &["x0", "x1", "p", "q"], |[a, b, _, _]| R::value_arith(a, b))
        }
    }
    let integer = if scalar.is_float() { None } else { op.dispatch_arith(Integer(scalar)) };
    integer.unwrap_or_else(|| op.dispatch(Float(scalar)))
}

struct UnaryGradText(Scalar);

impl UnaryVisitor for UnaryGradText {
    type Output = String;
    fn visit<R: UnaryRow>(self) -> String {
        function(self.0, "value", &["x0", "x1", "p", "q"], |[saved, g, p, q]| R::grad(saved, g, [p, q]))
    }
}

struct BinaryGradText(Scalar, Side);

impl BinaryVisitor for BinaryGradText {
    type Output = String;
    fn visit<R: BinaryRow>(self) -> String {
        function(self.0, "value", &["x0", "x1", "x2", "p", "q"], |[a, b, g, _, _]| match self.1 {
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

struct TernaryText(Scalar, Option<u8>);

impl TernaryVisitor for TernaryText {
    type Output = String;
    fn visit<R: TernaryRow>(self) -> String {
        match self.1 {
            None => function(self.0, "value", &["x0", "x1", "x2", "p", "q"], |[a, b, c, _, _]| R::value(a, b, c)),
            Some(index) => function(self.0, "value", &["x0", "x1", "x2", "x3", "p", "q"], |[a, b, c, g, _, _]| {
                R::grad(usize::from(index), [a, b, c], g)
            }),
        }
    }
}

struct ReduceGradText(Scalar);

impl ReduceVisitor for ReduceGradText {
    type Output = String;
    fn visit<R: ReduceRow>(self) -> String {
        function(self.0, "value", &["x0", "x1", "x2", "x3", "p", "q"], |[x, c, y, g, n, _]| R::grad(x, c, y, g, n))
    }
}

/// A comparison of elements of 64 bits: that of their order with 0, or of whether they are 0.
fn compare_pairs(op: CompareOp, dtype: DType) -> String {
    struct Holds;
    impl CompareVisitor for Holds {
        type Output = String;
        fn visit<R: CompareRow>(self) -> String {
            predicate(Scalar::F32, "holds", &["x0", "x1"], |[a, b]| R::value(a, b))
        }
    }
    let kind = if dtype == DType::F64 { "double" } else { "integer" };
    let operands = match op {
        CompareOp::Eq | CompareOp::Ne | CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => {
            format!("{kind}_order(x0, x1), 0.0")
        }
        CompareOp::LogicalAnd | CompareOp::LogicalOr | CompareOp::LogicalXor => {
            format!("{kind}_truth(x0), {kind}_truth(x1)")
        }
    };
    op.dispatch(Holds)
        + &format!(
            "fn value(x0: vec2<u32>, x1: vec2<u32>, p: u32, q: u32) -> u32 {{ return u32(holds({operands})); }}\n"
        )
}

/// As `trueno_kernels::elementwise::convert`: floats truncate and saturate to integers, integers wrap.
fn cast(from: DType, to: DType) -> String {
    if storage::is_pair(from) || storage::is_pair(to) {
        return cast_pairs(from, to);
    }
    let is_float = |dtype: DType| dtype.is_float();
    let source = if is_float(from) {
        "f32"
    } else if matches!(from, DType::I32 | DType::I8) {
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
        DType::I8 if is_float(from) => ("i32", "if is_nan(x0) { return 0; }\nreturn i32(clamp(x0, -128.0, 127.0));"),
        DType::U8 if is_float(from) => ("u32", "if is_nan(x0) { return 0u; }\nreturn u32(clamp(x0, 0.0, 255.0));"),
        _ if is_float(from) => (
            "u32",
            "if is_nan(x0) { return 0u; }\n\
             return select(u32(clamp(x0, 0.0, 4294967040.0)), 4294967295u, x0 >= 4294967296.0);",
        ),
        DType::I32 | DType::I8 => ("i32", "return bitcast<i32>(x0);"),
        _ => ("u32", "return bitcast<u32>(x0);"),
    };
    let body = if source == "u32" { body.replace("x0 != 0)", "x0 != 0u)") } else { body.into() };
    format!("fn value(x0: {source}, p: {source}, q: {source}) -> {result} {{ {body} }}\n")
}

/// [`cast`] from or to types of 64 bits.
fn cast_pairs(from: DType, to: DType) -> String {
    let body = match (from, to) {
        (DType::I64, DType::I64) | (DType::F64, DType::F64) => "x0",
        (DType::I64, DType::F64) => "integer_to_double(x0)",
        (DType::F64, DType::I64) => "integer_of_double(x0)",
        (DType::I64, DType::F32) => "integer_to_f32(x0, false)",
        // Rounded to odd first, so that the rounding to 16 bits is the only one.
        (DType::I64, DType::F16 | DType::BF16) => "integer_to_f32(x0, true)",
        (DType::I64, DType::I32 | DType::I8) => "bitcast<i32>(x0.x)",
        (DType::I64, DType::U32 | DType::U8) => "x0.x",
        (DType::I64, DType::Bool) => "u32((x0.x | x0.y) != 0u)",
        (DType::F64, DType::F32) => "double_to_f32(x0, false)",
        (DType::F64, DType::F16 | DType::BF16) => "double_to_f32(x0, true)",
        (DType::F64, DType::I32) => "i32_of_double(x0)",
        (DType::F64, DType::U32) => "u32_of_double(x0)",
        (DType::F64, DType::I8) => "clamp(i32_of_double(x0), -128, 127)",
        (DType::F64, DType::U8) => "min(u32_of_double(x0), 255u)",
        (DType::F64, DType::Bool) => "u32((x0.x | (x0.y & 0x7fffffffu)) != 0u)",
        (DType::F32 | DType::F16 | DType::BF16, DType::I64) => "integer_of_f32(x0)",
        (DType::F32 | DType::F16 | DType::BF16, _) => "double_of_f32(x0)",
        (DType::I32 | DType::I8, DType::I64) => "integer_of_i32(x0)",
        (DType::I32 | DType::I8, _) => "integer_to_double(integer_of_i32(x0))",
        (DType::U32 | DType::U8 | DType::Bool, DType::I64) => "vec2(x0, 0u)",
        (DType::U32 | DType::U8 | DType::Bool, _) => "integer_to_double(vec2(x0, 0u))",
    };
    let (source, result) = (storage::element_type(from), storage::element_type(to));
    let p = if storage::is_pair(from) { "u32" } else { source };
    format!("fn value(x0: {source}, p: {p}, q: {p}) -> {result} {{ return {body}; }}\n")
}
