//! What a node keeps of the forward pass: as little as its gradient will ask for.

use crate::reads::{self, CENTER, ELEMENT, RESULT};
use trueno_core::fuse::MAX_OPERANDS;
use trueno_core::table::{ReduceGrad, Saves};
use trueno_tensor::Op;

/// Which values a node keeps.
pub(crate) struct Keeps {
    inputs: Inputs,
    pub(crate) output: bool,
    /// What the forward pass left besides.
    pub(crate) saved: bool,
}

enum Inputs {
    None,
    These([bool; MAX_OPERANDS]),
    All,
}

impl Keeps {
    const NOTHING: Keeps = Keeps { inputs: Inputs::None, output: false, saved: false };
    const EVERYTHING: Keeps = Keeps { inputs: Inputs::All, output: true, saved: true };

    const fn inputs(first: bool, second: bool) -> Keeps {
        Keeps { inputs: Inputs::These([first, second, false, false, false, false]), ..Keeps::NOTHING }
    }

    fn reads(reads: reads::Reads) -> Keeps {
        Keeps { inputs: Inputs::These(std::array::from_fn(|i| reads.contains(i))), ..Keeps::NOTHING }
    }

    pub(crate) fn input(&self, index: usize) -> bool {
        match self.inputs {
            Inputs::None => false,
            Inputs::These(these) => these.get(index).copied().unwrap_or(false),
            Inputs::All => true,
        }
    }
}

/// What the gradient of `op` will ask for, if it is wanted by the inputs that are `tracked`.
pub(crate) fn keeps(op: &Op, tracked: impl Fn(usize) -> bool) -> Keeps {
    match op {
        Op::Unary(row, _) => match row.saves() {
            Saves::Nothing => Keeps::NOTHING,
            Saves::Input => Keeps::inputs(true, false),
            Saves::Output => Keeps { output: true, ..Keeps::NOTHING },
        },
        Op::Binary(row) => Keeps::reads(reads::binary(*row, tracked(0), tracked(1))),
        Op::Fused(fusion) => {
            let listing = fusion.listing();
            let wanted: Vec<bool> = (0..listing.operands()).map(tracked).collect();
            Keeps::reads(reads::fused(listing, &wanted))
        }
        Op::Ternary(row) => Keeps::reads(reads::ternary(*row, [tracked(0), tracked(1), tracked(2)])),
        Op::Reduce(reduction) => match reduction.op.grad() {
            ReduceGrad::Elementwise => {
                let reads = reads::reduce(reduction.op);
                let inputs = Keeps::inputs(reads.contains(ELEMENT) || reads.contains(CENTER), false);
                Keeps { output: reads.contains(RESULT), ..inputs }
            }
            ReduceGrad::Ties => Keeps { output: true, ..Keeps::inputs(true, false) },
            ReduceGrad::Product => Keeps::inputs(true, false),
            ReduceGrad::None => Keeps::NOTHING,
        },
        // Bilinear: the gradient by either operand wants the other.
        Op::Matmul
        | Op::Linear
        | Op::Conv2d(_)
        | Op::ConvTranspose2d(_)
        | Op::Conv2dInputGrad(..)
        | Op::Conv2dWeightGrad(..) => Keeps::inputs(tracked(1), tracked(0)),
        Op::Where | Op::LogSumExp { .. } => {
            Keeps { output: matches!(op, Op::LogSumExp { .. }), ..Keeps::inputs(true, false) }
        }
        Op::MaxPool2d(_) => Keeps { saved: true, ..Keeps::NOTHING },
        Op::Softmax(_) | Op::LogSoftmax(_) => Keeps { output: true, ..Keeps::NOTHING },
        Op::LayerNorm { .. } | Op::GroupNorm { .. } => Keeps { saved: true, ..Keeps::inputs(true, true) },
        Op::BatchNorm { .. } => Keeps { output: false, ..Keeps::EVERYTHING },
        Op::ScaledDotProductAttention(_) | Op::Custom(_) => Keeps::EVERYTHING,
        // A scale's gradient wants the integers and the other scale, the bias's nothing.
        Op::LinearInt8 if tracked(2) || tracked(3) => Keeps { inputs: Inputs::All, ..Keeps::NOTHING },
        Op::CrossEntropy(_) => Keeps::inputs(true, true),
        Op::Sort { .. } => Keeps::inputs(true, false),
        Op::MaskedSelect => Keeps::inputs(false, true),
        Op::IndexSelect(_) | Op::Gather(_) | Op::IndexAdd { .. } | Op::ScatterAdd { .. } => Keeps::inputs(false, true),
        Op::Compare(_)
        | Op::MatmulInteger
        | Op::LinearInt8
        | Op::ArgReduce { .. }
        | Op::ArgSort { .. }
        | Op::TopK { .. }
        | Op::NonZero
        | Op::Unfold { .. }
        | Op::AvgPool2d(_)
        | Op::AvgPool2dGrad(..)
        | Op::AdaptiveAvgPool2d(_)
        | Op::AdaptiveAvgPool2dGrad(_)
        | Op::Concat(_)
        | Op::Pad { .. }
        | Op::CumSum(_)
        | Op::Dropout(_)
        | Op::Cast(_)
        | Op::To(_)
        | Op::Contiguous
        | Op::Permute(_)
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::SliceScatter(..)
        | Op::Broadcast(_)
        | Op::Flip(_) => Keeps::NOTHING,
    }
}
