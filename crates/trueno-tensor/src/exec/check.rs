//! What holds before any operation runs: as many operands as it takes, and axes that they have. What an operation asks
//! of the operands' shapes and types, it says itself.

use crate::dyn_tensor::checked_size;
use crate::{DynTensor, Op};
use std::ops::RangeInclusive;
use trueno_core::{Error, Result};

/// Refuses operands that an operation cannot even look at.
pub(super) fn check(op: &Op, inputs: &[&DynTensor]) -> Result<()> {
    let takes = operands(op);
    if !takes.contains(&inputs.len()) {
        return Err(Error::Argument {
            op: op.name(),
            reason: format!("{} operands; {}", inputs.len(), wanted(&takes)).into(),
        });
    }
    let whole = |reason: &'static str| Err(Error::Argument { op: op.name(), reason: reason.into() });
    match op {
        Op::LayerNorm { .. } | Op::GroupNorm { .. } if inputs.len() == 2 => {
            whole("2 operands; it takes x, or x with weight and bias")
        }
        Op::BatchNorm { .. } if inputs.len() == 4 => whole("4 operands; running means come with running variances"),
        Op::Reduce(reduction) => {
            reduction.axes.iter().try_for_each(|&axis| exists(op, axis, inputs[0].rank()))?;
            let ascending = reduction.axes.is_sorted_by(|a, b| a < b);
            if ascending { Ok(()) } else { whole("its axes must ascend, each named once") }
        }
        Op::Concat(axis) | Op::IndexAdd { axis, .. } => exists(op, *axis, inputs[0].rank()),
        Op::ScatterAdd { axis, shape } => exists(op, *axis, shape.len()),
        Op::ArgReduce { axis, .. }
        | Op::LogSumExp { axis, .. }
        | Op::Softmax(axis)
        | Op::LogSoftmax(axis)
        | Op::CumSum(axis)
        | Op::IndexSelect(axis)
        | Op::Gather(axis) => exists(op, *axis, inputs[0].rank()),
        Op::Conv2dInputGrad(_, shape)
        | Op::Conv2dWeightGrad(_, shape)
        | Op::AvgPool2dGrad(_, shape)
        | Op::AdaptiveAvgPool2dGrad(shape) => checked_size(op.name(), shape).map(drop),
        Op::Sort { axis, .. } | Op::ArgSort { axis, .. } | Op::TopK { axis, .. } | Op::Unfold { axis, .. } => {
            exists(op, *axis, inputs[0].rank())
        }
        Op::Permute(axes) | Op::Flip(axes) => axes.iter().try_for_each(|&axis| exists(op, axis, inputs[0].rank())),
        Op::Unary(..)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Ternary(_)
        | Op::Where
        | Op::Matmul
        | Op::Linear
        | Op::MatmulInteger
        | Op::LinearInt8
        | Op::Conv2d(_)
        | Op::ConvTranspose2d(_)
        | Op::MaxPool2d(_)
        | Op::AvgPool2d(_)
        | Op::AdaptiveAvgPool2d(_)
        | Op::ScaledDotProductAttention(_)
        | Op::LayerNorm { .. }
        | Op::BatchNorm { .. }
        | Op::GroupNorm { .. }
        | Op::Pad { .. }
        | Op::MaskedSelect
        | Op::NonZero
        | Op::Dropout(_)
        | Op::CrossEntropy(_)
        | Op::Cast(_)
        | Op::To(_)
        | Op::Contiguous
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::SliceScatter(..)
        | Op::Broadcast(_)
        | Op::Fused(_)
        | Op::Custom(_) => Ok(()),
    }
}

fn exists(op: &Op, axis: usize, rank: usize) -> Result<()> {
    let outside = || Error::Axis { op: op.name(), axis: isize::try_from(axis).unwrap_or(isize::MAX), rank };
    if axis < rank { Ok(()) } else { Err(outside()) }
}

fn wanted(takes: &RangeInclusive<usize>) -> String {
    match (*takes.start(), *takes.end()) {
        (least, usize::MAX) => format!("it takes at least {least}"),
        (least, most) if least == most => format!("it takes {least}"),
        (least, most) => format!("it takes {least} to {most}"),
    }
}

/// How many operands an operation takes.
fn operands(op: &Op) -> RangeInclusive<usize> {
    match op {
        Op::Unary(..)
        | Op::Reduce(_)
        | Op::ArgReduce { .. }
        | Op::MaxPool2d(_)
        | Op::AvgPool2d(_)
        | Op::AvgPool2dGrad(..)
        | Op::AdaptiveAvgPool2d(_)
        | Op::AdaptiveAvgPool2dGrad(_)
        | Op::Softmax(_)
        | Op::LogSoftmax(_)
        | Op::LogSumExp { .. }
        | Op::Pad { .. }
        | Op::CumSum(_)
        | Op::Sort { .. }
        | Op::ArgSort { .. }
        | Op::TopK { .. }
        | Op::NonZero
        | Op::Unfold { .. }
        | Op::Dropout(_)
        | Op::Cast(_)
        | Op::To(_)
        | Op::Contiguous
        | Op::Permute(_)
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::SliceScatter(..)
        | Op::Broadcast(_)
        | Op::Flip(_) => 1..=1,
        Op::Binary(_)
        | Op::Compare(_)
        | Op::Matmul
        | Op::MatmulInteger
        | Op::Conv2dInputGrad(..)
        | Op::Conv2dWeightGrad(..)
        | Op::IndexSelect(_)
        | Op::Gather(_)
        | Op::IndexAdd { .. }
        | Op::ScatterAdd { .. }
        | Op::MaskedSelect
        | Op::CrossEntropy(_) => 2..=2,
        Op::Ternary(_) | Op::Where => 3..=3,
        Op::Linear | Op::Conv2d(_) | Op::ConvTranspose2d(_) => 2..=3,
        Op::ScaledDotProductAttention(_) => 3..=4,
        Op::LinearInt8 => 4..=5,
        Op::LayerNorm { .. } | Op::GroupNorm { .. } => 1..=3,
        Op::BatchNorm { .. } => 3..=5,
        Op::Concat(_) => 1..=usize::MAX,
        Op::Fused(fusion) => fusion.listing().operands()..=fusion.listing().operands(),
        Op::Custom(_) => 0..=usize::MAX,
    }
}
