//! Operations with kernels of their own: their names, gradients and tolerances.

use super::{Cancels, Gradient, RowInfo, cancels};

/// The rows of operations that are not formulas over single elements.
///
/// `grad: yes`, or `none "reason"`. `cancels` as in [`RowInfo::cancels`].
#[macro_export]
macro_rules! family_table {
    ($with:ident) => {
        $with! {
            /// Matrix product over the last two axes; leading axes broadcast (NumPy's `matmul`).
            Matmul matmul { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// `x wᵀ + b` over the last axis, with a weight `[out, in]` and an optional bias (PyTorch's `linear`).
            Linear linear { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Matrix product of 8-bit integers over the last two axes, exact but for sums that wrap at 32 bits; leading axes broadcast (ONNX's
            /// `MatMulInteger`, PyTorch's `_int_mm`).
            MatmulInteger matmul_integer { grad: none "integers do not vary smoothly"; tolerance: 0.0, 0.0; }
            /// `x wᵀ` over the last axis of 8-bit integers, as `sum * (x_scale * weight_scale) + bias` in floats: a quantised `linear`.
            LinearInt8 linear_int8 { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Two-dimensional cross-correlation of `[N, C, H, W]` with `[O, C / groups, KH, KW]` and an optional bias.
            Conv2d conv2d { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Gradient of `conv2d` by its input.
            Conv2dInputGrad conv2d_input_grad { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Gradient of `conv2d` by its weight.
            Conv2dWeightGrad conv2d_weight_grad { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// The transpose of `conv2d`: every element of `[N, C, H, W]` adds a kernel of `[C, O / groups, KH, KW]` to the result; an optional bias.
            ConvTranspose2d conv_transpose2d { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Largest element of each window of `[N, C, H, W]`.
            MaxPool2d max_pool2d { grad: yes; tolerance: 0.0, 0.0; cancels: gradient; }
            /// Mean of each window of `[N, C, H, W]`; padding counts as zeros.
            AvgPool2d avg_pool2d { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Gradient of `avg_pool2d` by its input.
            AvgPool2dGrad avg_pool2d_grad { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Mean over windows chosen so that the result has a given height and width.
            AdaptiveAvgPool2d adaptive_avg_pool2d { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Gradient of `adaptive_avg_pool2d` by its input.
            AdaptiveAvgPool2dGrad adaptive_avg_pool2d_grad { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Exponentials divided by their sum along an axis.
            Softmax softmax { grad: yes; tolerance: 1e-6, 1e-14; cancels: gradient; }
            /// Logarithm of `softmax`.
            LogSoftmax log_softmax { grad: yes; tolerance: 1e-5, 1e-13; cancels: both; }
            /// Logarithm of the sum of exponentials along an axis.
            LogSumExp logsumexp { grad: yes; tolerance: 1e-6, 1e-14; cancels: value; }
            /// Means of values `[..., S, V]` for queries `[..., L, E]`, weighed by `softmax(scale q k^T + mask)` with keys
            /// `[..., S, E]` (Vaswani et al., 2017).
            ScaledDotProductAttention scaled_dot_product_attention { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Normalisation over the trailing axes, then an optional weight and bias (Ba et al., 2016).
            LayerNorm layer_norm { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Normalisation of each channel by the statistics of the batch (Ioffe and Szegedy, 2015).
            BatchNorm batch_norm { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Normalisation of groups of channels of each sample, then an optional weight and bias per channel (Wu and He, 2018).
            GroupNorm group_norm { grad: yes; tolerance: 1e-5, 1e-12; cancels: both; }
            /// Slices of an axis at integer positions; an embedding is this over axis 0.
            IndexSelect index_select { grad: yes; tolerance: 0.0, 0.0; cancels: gradient; }
            /// Elements along an axis at integer positions of the same rank (PyTorch's `gather`).
            Gather gather { grad: yes; tolerance: 0.0, 0.0; cancels: gradient; }
            /// Zeros with slices added at integer positions: the gradient of `index_select`.
            IndexAdd index_add { grad: yes; tolerance: 1e-6, 1e-14; cancels: value; }
            /// Zeros with elements added at integer positions: the gradient of `gather`.
            ScatterAdd scatter_add { grad: yes; tolerance: 1e-6, 1e-14; cancels: value; }
            /// Elements of one operand where a mask holds, of the other elsewhere (NumPy's `where`).
            Where where { grad: yes; tolerance: 0.0, 0.0; }
            /// Operands joined along an existing axis (NumPy's `concatenate`).
            Concat concat { grad: yes; tolerance: 0.0, 0.0; }
            /// A constant border.
            Pad pad { grad: yes; tolerance: 0.0, 0.0; }
            /// Running sum along an axis.
            CumSum cumsum { grad: yes; tolerance: 1e-6, 1e-13; cancels: both; }
            /// Zeros with probability `p`, the rest scaled by `1 / (1 - p)`; the mask is a pure function of a seed.
            Dropout dropout { grad: yes; tolerance: 0.0, 0.0; }
            /// Negative log-likelihood of integer labels under `softmax`, averaged or summed.
            CrossEntropy cross_entropy { grad: yes; tolerance: 1e-6, 1e-14; cancels: both; }
            /// Position of the largest (or smallest) element along an axis; the first on a tie, the first NaN if any.
            ArgReduce arg_reduce { grad: none "a position does not vary smoothly"; tolerance: 0.0, 0.0; }
            /// The elements along an axis in order, equal ones in their own; NaN is the largest.
            Sort sort { grad: yes; tolerance: 0.0, 0.0; }
            /// The positions along an axis in the order of their elements.
            ArgSort argsort { grad: none "a position does not vary smoothly"; tolerance: 0.0, 0.0; }
            /// The positions of the `k` largest (or smallest) elements along an axis, in order.
            TopK topk { grad: none "a position does not vary smoothly"; tolerance: 0.0, 0.0; }
            /// The elements where a mask holds, in row-major order (NumPy's `x[mask]`).
            MaskedSelect masked_select { grad: yes; tolerance: 0.0, 0.0; }
            /// The positions of the elements that are not 0, in row-major order: `[count, rank]`.
            NonZero nonzero { grad: none "a position does not vary smoothly"; tolerance: 0.0, 0.0; }
            /// The same elements in another data type.
            Cast cast { grad: yes; tolerance: 0.0, 0.0; }
            /// The same elements on another device.
            To to { grad: yes; tolerance: 0.0, 0.0; }
            /// The same elements in row-major order.
            Contiguous contiguous { grad: yes; tolerance: 0.0, 0.0; }
            /// Axes reordered; a view.
            Permute permute { grad: yes; tolerance: 0.0, 0.0; }
            /// The same elements in another shape; a view where strides allow.
            Reshape reshape { grad: yes; tolerance: 0.0, 0.0; }
            /// NumPy's basic indexing; a view.
            Slice slice { grad: yes; tolerance: 0.0, 0.0; }
            /// Zeros with a slice replaced: the gradient of `slice`.
            SliceScatter slice_scatter { grad: yes; tolerance: 0.0, 0.0; }
            /// Axes of size 1 repeated and leading axes added; a view.
            Broadcast broadcast { grad: yes; tolerance: 0.0, 0.0; cancels: gradient; }
            /// Axes reversed; a view.
            Flip flip { grad: yes; tolerance: 0.0, 0.0; }
            /// Windows of an axis, as a new last axis; a view (PyTorch's `unfold`).
            Unfold unfold { grad: yes; tolerance: 0.0, 0.0; cancels: gradient; }
            /// A formula of rows that is one kernel: a closure given to `fuse!`. Its steps say how precise it is.
            Fused fused { grad: yes; tolerance: 0.0, 0.0; }
            /// A user's function with a gradient of its own; checkpointing is one.
            Custom custom { grad: yes; tolerance: 0.0, 0.0; }
        }
    };
}

#[rustfmt::skip]
macro_rules! gradient {
    (yes) => { Gradient::Defined };
    (none $reason:literal) => { Gradient::None($reason) };
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident { grad: $grad:ident $($reason:literal)?; tolerance: $t32:expr, $t64:expr; $(cancels: $cancels:ident;)? }
    )+) => {
        /// An operation with kernels of its own: a row of [`family_table!`](crate::family_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Family { $($(#[doc = $doc])+ $variant,)+ }

        impl Family {
            /// Every row, in the table's order.
            pub const ALL: &[Family] = &[$(Family::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(Family::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[],
                        integers: false,
                        gradient: gradient!($grad $($reason)?),
                        oracle: "",
                        domain: &[],
                        kinks: &[],
                        tolerance: [$t32, $t64],
                        cancels: cancels!($($cancels)?),
                    } },)+
                }
            }
        }
    };
}

family_table!(define);

impl Family {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }
}
