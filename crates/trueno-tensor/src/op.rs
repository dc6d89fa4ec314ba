//! Operations as values: what the engine executes, the tape records and bindings name.

use crate::fused::Fusion;
use crate::{Device, DynTensor};
use smallvec::SmallVec;
use std::fmt::Debug;
use std::sync::Arc;
pub use trueno_core::Conv2dConfig;
use trueno_core::table::{BinaryOp, CompareOp, Family, ReduceOp, RowInfo, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Result, SliceItem};

/// Axes by index, all non-negative.
pub type Axes = SmallVec<[usize; 6]>;

/// One operation with its parameters. Axes are non-negative and shapes resolved; the operands come separately.
///
/// There is no catch-all: code that matches on operations lists them all, so that a new one cannot be forgotten.
#[derive(Clone, Debug)]
pub enum Op {
    /// A row of the unary table with its scalar parameters: `[x]`.
    Unary(UnaryOp, [f64; 2]),
    /// A row of the binary table: `[a, b]`.
    Binary(BinaryOp),
    /// A row of the comparison table: `[a, b]`, gives `bool`.
    Compare(CompareOp),
    /// A row of the ternary table: `[a, b, c]`.
    Ternary(TernaryOp),
    /// A row of the reduction table: `[x]`.
    Reduce(Reduction),
    /// Position of an extreme along an axis: `[x]`, gives `i64`.
    ArgReduce {
        /// Largest or smallest.
        extreme: Extreme,
        /// The axis.
        axis: usize,
        /// Whether the axis stays, with size 1.
        keep_dims: bool,
    },
    /// `[mask, a, b]`, broadcast together.
    Where,
    /// `[a, b]`, both of rank 2 or more.
    Matmul,
    /// `[x, weight]` or `[x, weight, bias]` of shapes `[..., in]`, `[out, in]` and `[out]`.
    Linear,
    /// `[a, b]` of `int8`, both of rank 2 or more, gives `int32`.
    MatmulInteger,
    /// `[x, weight, x_scale, weight_scale]` or with a bias, of shapes `[..., in]`, `[out, in]`, `[..., 1]`, `[out]` and `[out]`, scales also of
    /// rank 0. The first two are `int8`, the others and the result floats of one type.
    LinearInt8,
    /// `[x, weight]` or `[x, weight, bias]`.
    Conv2d(Conv2dConfig),
    /// `[g, weight]`: the gradient of a convolution by its input, which has this shape.
    Conv2dInputGrad(Conv2dConfig, [usize; 4]),
    /// `[g, x]`: the gradient of a convolution by its weight, which has this shape.
    Conv2dWeightGrad(Conv2dConfig, [usize; 4]),
    /// `[x, weight]` or `[x, weight, bias]`.
    ConvTranspose2d(ConvTranspose2dConfig),
    /// `[x]`.
    MaxPool2d(Pool2dConfig),
    /// `[x]`.
    AvgPool2d(Pool2dConfig),
    /// `[g]`: the gradient of average pooling by its input, which has this shape.
    AvgPool2dGrad(Pool2dConfig, [usize; 4]),
    /// `[x]`, with the height and width of the result.
    AdaptiveAvgPool2d([usize; 2]),
    /// `[g]`: the gradient of adaptive pooling by its input, which has this shape.
    AdaptiveAvgPool2dGrad([usize; 4]),
    /// `[x]` along an axis.
    Softmax(usize),
    /// `[x]` along an axis.
    LogSoftmax(usize),
    /// `[x]` along an axis, which stays with size 1 if `keep_dims`.
    LogSumExp {
        /// The axis.
        axis: usize,
        /// Whether the axis stays, with size 1.
        keep_dims: bool,
    },
    /// `[q, k, v]` or `[q, k, v, mask]`.
    ScaledDotProductAttention(AttentionConfig),
    /// `[x]` or `[x, weight, bias]` over the trailing `axes` axes.
    LayerNorm {
        /// How many trailing axes are normalised together.
        axes: usize,
        /// Added to the variance.
        eps: f64,
    },
    /// `[x, weight, bias]` by the statistics of the batch, or `[x, weight, bias, mean, var]` by given ones.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// `[x]` or `[x, weight, bias]`: `[N, C, ...]` whose channels are normalised in groups, sample by sample.
    GroupNorm {
        /// How many groups the channels are split into.
        groups: usize,
        /// Added to the variance.
        eps: f64,
    },
    /// `[x, index]`: slices of `axis` at positions of rank 1.
    IndexSelect(usize),
    /// `[x, index]`: elements along `axis` at positions of the same rank.
    Gather(usize),
    /// `[g, index]`: slices added into zeros whose `axis` has `size`.
    IndexAdd {
        /// The axis.
        axis: usize,
        /// Its size in the result.
        size: usize,
    },
    /// `[g, index]`: elements added into zeros whose `axis` has `size`.
    ScatterAdd {
        /// The axis.
        axis: usize,
        /// The shape of the result.
        shape: Dims,
    },
    /// Any number of operands joined along an axis.
    Concat(usize),
    /// `[x]` with a border of a constant.
    Pad {
        /// Elements before and after, per axis.
        widths: SmallVec<[[usize; 2]; 6]>,
        /// What they hold.
        value: f64,
    },
    /// `[x]` along an axis.
    CumSum(usize),
    /// `[x]`.
    Dropout(DropoutConfig),
    /// `[logits, labels]` of shapes `[N, C]` and `[N]`.
    CrossEntropy(CrossEntropyConfig),
    /// `[x]` in order along an axis; equal elements keep theirs, and NaN is the largest.
    Sort {
        /// The axis.
        axis: usize,
        /// The largest first.
        descending: bool,
    },
    /// `[x]`: the positions along an axis in the order that [`Op::Sort`] gives, as `i64`.
    ArgSort {
        /// The axis.
        axis: usize,
        /// The largest first.
        descending: bool,
    },
    /// `[x]`: the positions of the extreme elements along an axis, in order, as `i64`.
    TopK {
        /// The axis.
        axis: usize,
        /// How many.
        k: usize,
        /// The largest or the smallest.
        extreme: Extreme,
    },
    /// `[x, mask]` of one shape: the elements where the mask holds, of rank 1.
    MaskedSelect,
    /// `[x]`: the positions of what is not 0, as `i64` of shape `[count, rank]`.
    NonZero,
    /// `[x]` in another type.
    Cast(DType),
    /// `[x]` on another device.
    To(Device),
    /// `[x]` in row-major order.
    Contiguous,
    /// `[x]` with axes reordered.
    Permute(Axes),
    /// `[x]` in another shape.
    Reshape(Dims),
    /// `[x]` indexed.
    Slice(SmallVec<[SliceItem; 6]>),
    /// `[g]`: zeros of a shape, with the part that the items select replaced.
    SliceScatter(Dims, SmallVec<[SliceItem; 6]>),
    /// `[x]` with axes of size 1 repeated.
    Broadcast(Dims),
    /// `[x]` with axes reversed.
    Flip(Axes),
    /// `[x]`: windows of an axis, `size` long and `step` apart, as a new last axis.
    Unfold {
        /// The axis, which becomes that of the windows.
        axis: usize,
        /// Elements of a window.
        size: usize,
        /// Elements from one window's first to the next one's.
        step: usize,
    },
    /// A formula of the user's own, `fuse!`: as many operands as it has, broadcast together.
    Fused(Fusion),
    /// A user's function.
    Custom(Arc<dyn Function>),
}

/// A reduction with its axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    /// The row.
    pub op: ReduceOp,
    /// The reduced axes, ascending.
    pub axes: Axes,
    /// Whether they stay, with size 1.
    pub keep_dims: bool,
    /// What is taken off the count (NumPy's `ddof`); only `var` and `std` look at it.
    pub correction: f64,
}

/// Which element a position is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Extreme {
    /// The name of its position: `argmax` or `argmin`.
    pub fn position_name(self) -> &'static str {
        match self {
            Extreme::Max => "argmax",
            Extreme::Min => "argmin",
        }
    }
}

/// Geometry of a transposed convolution, per axis (height, width). All but `output_padding` is that of the convolution whose transpose it
/// is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2dConfig {
    /// Distance between the kernels that neighbouring elements add.
    pub stride: [usize; 2],
    /// Rows and columns taken off the result on both sides.
    pub padding: [usize; 2],
    /// Rows and columns put to the result at the bottom and right, for a strided convolution gives one size to several inputs. Less than the
    /// stride or the dilation.
    pub output_padding: [usize; 2],
    /// Distance between the elements of a kernel.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups that do not mix.
    pub groups: usize,
}

impl ConvTranspose2dConfig {
    /// The convolution whose transpose this is.
    pub fn convolution(&self) -> Conv2dConfig {
        let ConvTranspose2dConfig { stride, padding, dilation, groups, .. } = *self;
        Conv2dConfig { stride, padding, dilation, groups }
    }
}

impl Default for ConvTranspose2dConfig {
    fn default() -> Self {
        let Conv2dConfig { stride, padding, dilation, groups } = Conv2dConfig::default();
        ConvTranspose2dConfig { stride, padding, output_padding: [0, 0], dilation, groups }
    }
}

/// Geometry of two-dimensional pooling, per axis (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dConfig {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Border on both sides: minus infinity for the maximum, zeros for the mean.
    pub padding: [usize; 2],
}

/// Which elements a dropout drops: a pure function of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutConfig {
    /// Probability of dropping an element, in `[0, 1)`.
    pub p: f64,
    /// Seed of the random stream.
    pub seed: u64,
    /// Number of the call: a stream of its own.
    pub call: u64,
}

/// What attention does besides its operands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AttentionConfig {
    /// Factor of the scores; by default one over the root of the width of queries and keys.
    pub scale: Option<f64>,
    /// Whether query `i` sees keys `0..=i` only.
    pub causal: bool,
}

impl AttentionConfig {
    /// The factor of the scores for queries of this width.
    pub fn scale_for(&self, width: usize) -> f64 {
        self.scale.unwrap_or_else(|| 1.0 / (width as f64).sqrt())
    }
}

/// What cross-entropy does with the losses of the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropyConfig {
    /// Mean over the rows that count, or sum.
    pub mean: bool,
    /// Rows with this label count for nothing.
    pub ignore_index: Option<i64>,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
}

impl Default for CrossEntropyConfig {
    fn default() -> Self {
        CrossEntropyConfig { mean: true, ignore_index: None, label_smoothing: 0.0 }
    }
}

/// A function with a gradient of its own (PyTorch's `autograd.Function`).
pub trait Function: Debug + Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// The value. Called without recording.
    ///
    /// # Errors
    /// Whatever the function refuses.
    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor>;

    /// The gradients by the inputs, `None` where there is none, from the gradient by the output.
    ///
    /// # Errors
    /// Whatever the function refuses.
    fn backward(&self, inputs: &[&DynTensor], output: &DynTensor, grad: &DynTensor) -> Result<Vec<Option<DynTensor>>>;
}

/// A row of one of the operation tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// Of the unary table.
    Unary(UnaryOp),
    /// Of the binary table.
    Binary(BinaryOp),
    /// Of the comparison table.
    Compare(CompareOp),
    /// Of the ternary table.
    Ternary(TernaryOp),
    /// Of the reduction table.
    Reduce(ReduceOp),
    /// Of the family table.
    Family(Family),
}

impl Row {
    /// Every row of every table.
    pub fn all() -> impl Iterator<Item = Row> {
        let unary = UnaryOp::ALL.iter().map(|&op| Row::Unary(op));
        let binary = BinaryOp::ALL.iter().map(|&op| Row::Binary(op));
        let compare = CompareOp::ALL.iter().map(|&op| Row::Compare(op));
        let ternary = TernaryOp::ALL.iter().map(|&op| Row::Ternary(op));
        let reduce = ReduceOp::ALL.iter().map(|&op| Row::Reduce(op));
        let family = Family::ALL.iter().map(|&op| Row::Family(op));
        unary.chain(binary).chain(compare).chain(ternary).chain(reduce).chain(family)
    }

    /// The row's data.
    pub const fn info(self) -> &'static RowInfo {
        match self {
            Row::Unary(op) => op.info(),
            Row::Binary(op) => op.info(),
            Row::Compare(op) => op.info(),
            Row::Ternary(op) => op.info(),
            Row::Reduce(op) => op.info(),
            Row::Family(op) => op.info(),
        }
    }
}

impl Op {
    /// The operation's name: that of its row, but for an extreme's position, which is `argmax` or `argmin`, and a user's own.
    pub fn name(&self) -> &'static str {
        if let Op::Custom(function) = self {
            return function.name();
        }
        if let Op::ArgReduce { extreme, .. } = self {
            return extreme.position_name();
        }
        self.row().info().name
    }

    /// The row of the family table, or `None` for an operation of the formula tables.
    pub fn family(&self) -> Option<Family> {
        match self.row() {
            Row::Family(family) => Some(family),
            Row::Unary(_) | Row::Binary(_) | Row::Compare(_) | Row::Ternary(_) | Row::Reduce(_) => None,
        }
    }

    /// The row that states what the operation is.
    pub fn row(&self) -> Row {
        match self {
            Op::Unary(op, _) => Row::Unary(*op),
            Op::Binary(op) => Row::Binary(*op),
            Op::Compare(op) => Row::Compare(*op),
            Op::Ternary(op) => Row::Ternary(*op),
            Op::Reduce(reduction) => Row::Reduce(reduction.op),
            Op::ArgReduce { .. } => Row::Family(Family::ArgReduce),
            Op::Where => Row::Family(Family::Where),
            Op::Matmul => Row::Family(Family::Matmul),
            Op::Linear => Row::Family(Family::Linear),
            Op::MatmulInteger => Row::Family(Family::MatmulInteger),
            Op::LinearInt8 => Row::Family(Family::LinearInt8),
            Op::Conv2d(_) => Row::Family(Family::Conv2d),
            Op::Conv2dInputGrad(..) => Row::Family(Family::Conv2dInputGrad),
            Op::Conv2dWeightGrad(..) => Row::Family(Family::Conv2dWeightGrad),
            Op::ConvTranspose2d(_) => Row::Family(Family::ConvTranspose2d),
            Op::MaxPool2d(_) => Row::Family(Family::MaxPool2d),
            Op::AvgPool2d(_) => Row::Family(Family::AvgPool2d),
            Op::AvgPool2dGrad(..) => Row::Family(Family::AvgPool2dGrad),
            Op::AdaptiveAvgPool2d(_) => Row::Family(Family::AdaptiveAvgPool2d),
            Op::AdaptiveAvgPool2dGrad(_) => Row::Family(Family::AdaptiveAvgPool2dGrad),
            Op::Softmax(_) => Row::Family(Family::Softmax),
            Op::LogSoftmax(_) => Row::Family(Family::LogSoftmax),
            Op::LogSumExp { .. } => Row::Family(Family::LogSumExp),
            Op::ScaledDotProductAttention(_) => Row::Family(Family::ScaledDotProductAttention),
            Op::LayerNorm { .. } => Row::Family(Family::LayerNorm),
            Op::BatchNorm { .. } => Row::Family(Family::BatchNorm),
            Op::GroupNorm { .. } => Row::Family(Family::GroupNorm),
            Op::IndexSelect(_) => Row::Family(Family::IndexSelect),
            Op::Gather(_) => Row::Family(Family::Gather),
            Op::IndexAdd { .. } => Row::Family(Family::IndexAdd),
            Op::ScatterAdd { .. } => Row::Family(Family::ScatterAdd),
            Op::Concat(_) => Row::Family(Family::Concat),
            Op::Pad { .. } => Row::Family(Family::Pad),
            Op::CumSum(_) => Row::Family(Family::CumSum),
            Op::Dropout(_) => Row::Family(Family::Dropout),
            Op::CrossEntropy(_) => Row::Family(Family::CrossEntropy),
            Op::Sort { .. } => Row::Family(Family::Sort),
            Op::ArgSort { .. } => Row::Family(Family::ArgSort),
            Op::TopK { .. } => Row::Family(Family::TopK),
            Op::MaskedSelect => Row::Family(Family::MaskedSelect),
            Op::NonZero => Row::Family(Family::NonZero),
            Op::Unfold { .. } => Row::Family(Family::Unfold),
            Op::Cast(_) => Row::Family(Family::Cast),
            Op::To(_) => Row::Family(Family::To),
            Op::Contiguous => Row::Family(Family::Contiguous),
            Op::Permute(_) => Row::Family(Family::Permute),
            Op::Reshape(_) => Row::Family(Family::Reshape),
            Op::Slice(_) => Row::Family(Family::Slice),
            Op::SliceScatter(..) => Row::Family(Family::SliceScatter),
            Op::Broadcast(_) => Row::Family(Family::Broadcast),
            Op::Flip(_) => Row::Family(Family::Flip),
            Op::Fused(_) => Row::Family(Family::Fused),
            Op::Custom(_) => Row::Family(Family::Custom),
        }
    }
}
