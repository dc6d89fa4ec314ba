//! Which operations are narrow.

use crate::{Op, Reduction};
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};

/// What an operation does with narrow operands, and what a region does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Bilinear: inside a region its operands are narrowed, and its result is narrow.
    Product,
    /// The gradient of a product by its weight: as [`Class::Product`], with a whole result.
    WeightGrad,
    /// Computes from whole operands and gives a whole result.
    Whole,
    /// As narrow as its operands inside a region, whole outside.
    Follows,
    /// Only moves elements: as narrow as its operand anywhere.
    Moves,
    /// Takes elements as they are stored, and gives what it is asked for.
    Converts,
    /// Made of other operations.
    Opaque,
}

/// Rows on one operand that PyTorch computes in `float32`: they lose too many digits, or leave the range of `float16`.
const WHOLE: [UnaryOp; 16] = [
    UnaryOp::Rsqrt,
    UnaryOp::Recip,
    UnaryOp::Exp,
    UnaryOp::Exp2,
    UnaryOp::Expm1,
    UnaryOp::Ln,
    UnaryOp::Log2,
    UnaryOp::Log10,
    UnaryOp::Log1p,
    UnaryOp::Tan,
    UnaryOp::Asin,
    UnaryOp::Acos,
    UnaryOp::Sinh,
    UnaryOp::Cosh,
    UnaryOp::Powf,
    UnaryOp::Softplus,
];

pub(super) fn class(op: &Op) -> Class {
    match op {
        Op::Matmul
        | Op::Linear
        | Op::Conv2d(_)
        | Op::Conv2dInputGrad(..)
        | Op::ConvTranspose2d(_)
        | Op::ScaledDotProductAttention(_) => Class::Product,
        Op::Conv2dWeightGrad(..) => Class::WeightGrad,
        Op::Unary(row, _) => {
            if WHOLE.contains(row) {
                Class::Whole
            } else {
                Class::Follows
            }
        }
        Op::Binary(row) => {
            if *row == BinaryOp::Pow {
                Class::Whole
            } else {
                Class::Follows
            }
        }
        // What only picks an element keeps its digits.
        Op::Reduce(Reduction { op: ReduceOp::Max | ReduceOp::Min | ReduceOp::Any | ReduceOp::All, .. }) => {
            Class::Follows
        }
        Op::Reduce(_)
        | Op::CumSum(_)
        | Op::Softmax(_)
        | Op::LogSoftmax(_)
        | Op::LogSumExp { .. }
        | Op::LayerNorm { .. }
        | Op::GroupNorm { .. }
        | Op::CrossEntropy(_)
        | Op::IndexAdd { .. }
        | Op::ScatterAdd { .. }
        | Op::LinearInt8
        | Op::Sort { .. }
        | Op::ArgSort { .. }
        | Op::TopK { .. }
        | Op::NonZero => Class::Whole,
        Op::Compare(_)
        | Op::MatmulInteger
        | Op::Ternary(_)
        | Op::ArgReduce { .. }
        | Op::MaxPool2d(_)
        | Op::AvgPool2d(_)
        | Op::AvgPool2dGrad(..)
        | Op::AdaptiveAvgPool2d(_)
        | Op::AdaptiveAvgPool2dGrad(_)
        | Op::BatchNorm { .. }
        | Op::Dropout(_)
        | Op::Fused(_) => Class::Follows,
        Op::Where
        | Op::IndexSelect(_)
        | Op::Gather(_)
        | Op::Concat(_)
        | Op::Pad { .. }
        | Op::MaskedSelect
        | Op::To(_)
        | Op::Contiguous
        | Op::Permute(_)
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::SliceScatter(..)
        | Op::Broadcast(_)
        | Op::Flip(_)
        | Op::Unfold { .. } => Class::Moves,
        Op::Cast(_) => Class::Converts,
        Op::Custom(_) => Class::Opaque,
    }
}
