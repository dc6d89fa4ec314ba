//! A method per operation: resolves axes and shapes, then goes through [`apply`].

use super::apply;
use crate::numbers::number;
use crate::{
    AttentionConfig, Axes, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, DropoutConfig, DynTensor, Extreme,
    Op, Pool2dConfig, Reduction,
};
use smallvec::SmallVec;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Error, Result, broadcast_shapes, dispatch_dtype};

impl DynTensor {
    /// A row of the unary table, with its scalar parameters (unused ones are ignored).
    ///
    /// # Errors
    /// [`Error::DType`] if the row is not defined for the type.
    pub fn unary(&self, op: UnaryOp, parameters: [f64; 2]) -> Result<DynTensor> {
        apply(&Op::Unary(op, parameters), &[self])
    }

    /// A row of the binary table; operands broadcast.
    ///
    /// # Errors
    /// [`Error::Broadcast`], or [`Error::DType`] if the types differ or lack the row.
    pub fn binary(&self, op: BinaryOp, other: &DynTensor) -> Result<DynTensor> {
        apply(&Op::Binary(op), &[self, other])
    }

    /// A row of the binary table with a constant on the right.
    ///
    /// # Errors
    /// [`Error::DType`] if the type lacks the row.
    pub fn binary_scalar(&self, op: BinaryOp, value: f64) -> Result<DynTensor> {
        let value = dispatch_dtype!(self.dtype(), all T => number(<T as trueno_core::Element>::from_f64(value)))?;
        self.binary(op, &value)
    }

    /// A constant of rank 0 and this tensor's type.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn constant(&self, value: f64) -> Result<DynTensor> {
        dispatch_dtype!(self.dtype(), all T => DynTensor::scalar(<T as trueno_core::Element>::from_f64(value)))
    }

    /// A row of the comparison table; operands broadcast, the result is `bool`.
    ///
    /// # Errors
    /// [`Error::Broadcast`], or [`Error::DType`] if the types differ.
    pub fn compare(&self, op: CompareOp, other: &DynTensor) -> Result<DynTensor> {
        apply(&Op::Compare(op), &[self, other])
    }

    /// A row of the ternary table; operands broadcast.
    ///
    /// # Errors
    /// [`Error::Broadcast`], or [`Error::DType`] if the types differ or lack the row.
    pub fn ternary(&self, op: TernaryOp, second: &DynTensor, third: &DynTensor) -> Result<DynTensor> {
        apply(&Op::Ternary(op), &[self, second, third])
    }

    /// A row of the reduction table over `axes` (all of them if empty and `self` has any: pass [`DynTensor::all_axes`]).
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::Argument`] for bad axes, [`Error::DType`] if the type lacks the row,
    /// [`Error::Shape`] for an extreme of nothing.
    pub fn reduce(&self, op: ReduceOp, axes: &[isize], keep_dims: bool, correction: f64) -> Result<DynTensor> {
        let mut resolved = Axes::new();
        for &axis in axes {
            resolved.push(self.layout().axis(op.name(), axis)?);
        }
        resolved.sort_unstable();
        if resolved.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::Argument { op: op.name(), reason: format!("axes {axes:?} name one twice").into() });
        }
        apply(&Op::Reduce(Reduction { op, axes: resolved, keep_dims, correction }), &[self])
    }

    /// Every axis, as [`DynTensor::reduce`] takes them.
    pub fn all_axes(&self) -> SmallVec<[isize; 6]> {
        (0..self.rank() as isize).collect()
    }

    /// Position of the largest or smallest element along an axis, as `i64`.
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::Shape`] if the axis is empty.
    pub fn arg_reduce(&self, extreme: Extreme, axis: isize, keep_dims: bool) -> Result<DynTensor> {
        let axis = self.layout().axis(extreme.position_name(), axis)?;
        apply(&Op::ArgReduce { extreme, axis, keep_dims }, &[self])
    }

    /// `yes` where `self` (of type `bool`) holds, else `no`; all three broadcast.
    ///
    /// # Errors
    /// [`Error::Broadcast`] or [`Error::DType`].
    pub fn select(&self, yes: &DynTensor, no: &DynTensor) -> Result<DynTensor> {
        apply(&Op::Where, &[self, yes, no])
    }

    /// Matrix product as NumPy's `matmul`: a vector on either side is a matrix of one row or column that is
    /// taken away again.
    ///
    /// Half precision is summed in `f32` and rounded once. Where the machine multiplies `bfloat16` (AVX512-BF16, AMX), operands and sums below
    /// 2^-126 count as 0 in large products.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if the inner sizes differ, [`Error::Broadcast`] if the leading axes do not broadcast.
    pub fn matmul(&self, other: &DynTensor) -> Result<DynTensor> {
        self.product(&Op::Matmul, other)
    }

    /// Matrix product of `int8` as `int32`, with the shapes of [`matmul`](DynTensor::matmul): exact, but for sums that wrap at 32 bits (ONNX's
    /// `MatMulInteger`, PyTorch's `_int_mm`).
    ///
    /// # Errors
    /// As [`matmul`](DynTensor::matmul); [`Error::DType`] for another type.
    pub fn matmul_integer(&self, other: &DynTensor) -> Result<DynTensor> {
        self.product(&Op::MatmulInteger, other)
    }

    /// A product of matrices, where a vector is one of a single row or column.
    fn product(&self, op: &Op, other: &DynTensor) -> Result<DynTensor> {
        if self.rank() == 0 || other.rank() == 0 {
            let reason = "rank 0 has no rows; use a product with `*`".into();
            return Err(Error::ShapePair {
                op: op.name(),
                lhs: self.shape().into(),
                rhs: other.shape().into(),
                reason,
            });
        }
        match (self.rank(), other.rank()) {
            (1, 1) => apply(op, &[&self.unsqueeze(0)?, &other.unsqueeze(1)?])?.into_squeezed(-1)?.into_squeezed(-1),
            (1, _) => apply(op, &[&self.unsqueeze(0)?, other])?.into_squeezed(-2),
            (_, 1) => apply(op, &[self, &other.unsqueeze(1)?])?.into_squeezed(-1),
            _ => apply(op, &[self, other]),
        }
    }

    /// `x wᵀ + b` over the last axis, in one pass: `[..., in]`, a weight `[out, in]` and an optional bias `[out]` (PyTorch's `linear`).
    /// The same, bit for bit, as the product and then the sum; in half precision as both in `f32`, rounded once (of `bfloat16` see
    /// [`matmul`](DynTensor::matmul)).
    ///
    /// # Errors
    /// [`Error::ShapePair`] if the sizes do not fit together, [`Error::DType`] for anything but floating point numbers of one type.
    pub fn linear(&self, weight: &DynTensor, bias: Option<&DynTensor>) -> Result<DynTensor> {
        match bias {
            Some(bias) => apply(&Op::Linear, &[self, weight, bias]),
            None => apply(&Op::Linear, &[self, weight]),
        }
    }

    /// A `linear` of quantised values: `x wᵀ` over the last axis of `int8`, whose sums become floats as `sum * (x_scale * weight_scale) + bias`
    /// before they reach memory. `x` is `[..., in]`, the weight `[out, in]`; `x_scale` is one number or one per row, `[..., 1]`, `weight_scale`
    /// one number or one per output, `[out]`, and the bias `[out]`. Scales and bias have gradients; integers have none.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if the sizes do not fit together, [`Error::DType`] for other types.
    pub fn linear_int8(
        &self,
        weight: &DynTensor,
        [x_scale, weight_scale]: [&DynTensor; 2],
        bias: Option<&DynTensor>,
    ) -> Result<DynTensor> {
        match bias {
            Some(bias) => apply(&Op::LinearInt8, &[self, weight, x_scale, weight_scale, bias]),
            None => apply(&Op::LinearInt8, &[self, weight, x_scale, weight_scale]),
        }
    }

    /// Cross-correlation of `[N, C, H, W]` with `[O, C / groups, KH, KW]` and an optional bias `[O]`.
    ///
    /// Half precision is summed in `f32` and rounded once. Where the machine multiplies tiles of `bfloat16` (AMX), operands and sums below 2^-126
    /// count as 0.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if channels do not fit or the kernel is larger than the padded image.
    pub fn conv2d(&self, weight: &DynTensor, bias: Option<&DynTensor>, config: Conv2dConfig) -> Result<DynTensor> {
        match bias {
            Some(bias) => apply(&Op::Conv2d(config), &[self, weight, bias]),
            None => apply(&Op::Conv2d(config), &[self, weight]),
        }
    }

    /// Transposed convolution of `[N, C, H, W]` with `[C, O / groups, KH, KW]` and an optional bias `[O]` (PyTorch's `conv_transpose2d`):
    /// the gradient by its input of the convolution with that weight. A height becomes
    /// `(H - 1) * stride - 2 * padding + dilation * (KH - 1) + output_padding + 1`.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if channels do not fit or the padding leaves nothing; [`Error::Argument`] if the output padding is less than neither
    /// the stride nor the dilation.
    pub fn conv_transpose2d(
        &self,
        weight: &DynTensor,
        bias: Option<&DynTensor>,
        config: ConvTranspose2dConfig,
    ) -> Result<DynTensor> {
        let ConvTranspose2dConfig { stride, output_padding, dilation, .. } = config;
        if (0..2).any(|axis| output_padding[axis] >= stride[axis].max(dilation[axis])) {
            let reason = format!(
                "output padding {output_padding:?} must be less than stride {stride:?} or dilation {dilation:?}"
            );
            return Err(Error::Argument { op: "conv_transpose2d", reason: reason.into() });
        }
        // Whole strides of output padding are rows and columns of zeros in the image.
        let [rows, cols] = [0, 1].map(|axis| output_padding[axis] / stride[axis].max(1));
        if [rows, cols] != [0, 0] && self.rank() == 4 {
            let rest = [0, 1].map(|axis| output_padding[axis] % stride[axis].max(1));
            let x = self.pad(&[[0, 0], [0, 0], [0, rows], [0, cols]], 0.0)?;
            return x.conv_transpose2d(weight, bias, ConvTranspose2dConfig { output_padding: rest, ..config });
        }
        match bias {
            Some(bias) => apply(&Op::ConvTranspose2d(config), &[self, weight, bias]),
            None => apply(&Op::ConvTranspose2d(config), &[self, weight]),
        }
    }

    /// Largest element of each window of `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is not 4 or the window does not fit.
    pub fn max_pool2d(&self, config: Pool2dConfig) -> Result<DynTensor> {
        apply(&Op::MaxPool2d(config), &[self])
    }

    /// Mean of each window of `[N, C, H, W]`; padding counts as zeros.
    ///
    /// # Errors
    /// As [`DynTensor::max_pool2d`].
    pub fn avg_pool2d(&self, config: Pool2dConfig) -> Result<DynTensor> {
        apply(&Op::AvgPool2d(config), &[self])
    }

    /// Means over windows chosen so that the result has height and width `size`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is not 4.
    pub fn adaptive_avg_pool2d(&self, size: [usize; 2]) -> Result<DynTensor> {
        apply(&Op::AdaptiveAvgPool2d(size), &[self])
    }

    /// Exponentials divided by their sum along an axis.
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::DType`].
    pub fn softmax(&self, axis: isize) -> Result<DynTensor> {
        apply(&Op::Softmax(self.layout().axis("softmax", axis)?), &[self])
    }

    /// Logarithm of [`DynTensor::softmax`], without its underflow.
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::DType`].
    pub fn log_softmax(&self, axis: isize) -> Result<DynTensor> {
        apply(&Op::LogSoftmax(self.layout().axis("log_softmax", axis)?), &[self])
    }

    /// Logarithm of the sum of exponentials along an axis.
    ///
    /// # Errors
    /// [`Error::Axis`] or [`Error::DType`].
    pub fn logsumexp(&self, axis: isize, keep_dims: bool) -> Result<DynTensor> {
        apply(&Op::LogSumExp { axis: self.layout().axis("logsumexp", axis)?, keep_dims }, &[self])
    }

    /// Normalisation over the trailing `axes` axes to mean 0 and variance 1, then `weight` and `bias`, if given, of
    /// the shape of those axes.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if weight or bias have another shape.
    pub fn layer_norm(&self, axes: usize, affine: Option<(&DynTensor, &DynTensor)>, eps: f64) -> Result<DynTensor> {
        let op = Op::LayerNorm { axes, eps };
        match affine {
            Some((weight, bias)) => apply(&op, &[self, weight, bias]),
            None => apply(&op, &[self]),
        }
    }

    /// Normalisation of each channel (axis 1) by the statistics of the batch, or by `running` mean and variance.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is below 2, [`Error::ShapePair`] if a vector's length is not the channel count.
    pub fn batch_norm(
        &self,
        weight: &DynTensor,
        bias: &DynTensor,
        running: Option<(&DynTensor, &DynTensor)>,
        eps: f64,
    ) -> Result<DynTensor> {
        let op = Op::BatchNorm { eps };
        match running {
            Some((mean, var)) => apply(&op, &[self, weight, bias, mean, var]),
            None => apply(&op, &[self, weight, bias]),
        }
    }

    /// Normalisation of `[N, C, ...]` in `groups` groups of channels, sample by sample, to mean 0 and variance 1 (`eps` is added to it);
    /// then `weight` and `bias` `[C]`, if given.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is below 2 or the channels do not split evenly, [`Error::ShapePair`] if weight or bias have another
    /// shape.
    pub fn group_norm(&self, groups: usize, affine: Option<(&DynTensor, &DynTensor)>, eps: f64) -> Result<DynTensor> {
        let op = Op::GroupNorm { groups, eps };
        match affine {
            Some((weight, bias)) => apply(&op, &[self, weight, bias]),
            None => apply(&op, &[self]),
        }
    }

    /// The elements along an axis in order, the smallest first unless `descending`. Equal elements keep their order, and
    /// NaN is larger than any number.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn sort(&self, axis: isize, descending: bool) -> Result<DynTensor> {
        apply(&Op::Sort { axis: self.layout().axis("sort", axis)?, descending }, &[self])
    }

    /// The positions along an axis in the order of [`DynTensor::sort`], as `i64`.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<DynTensor> {
        apply(&Op::ArgSort { axis: self.layout().axis("argsort", axis)?, descending }, &[self])
    }

    /// The `k` largest or smallest elements along an axis, in order, and their positions; of equal ones the first comes
    /// first.
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::Argument`] if the axis has fewer.
    pub fn topk(&self, k: usize, axis: isize, extreme: Extreme) -> Result<(DynTensor, DynTensor)> {
        let resolved = self.layout().axis("topk", axis)?;
        let positions = apply(&Op::TopK { axis: resolved, k, extreme }, &[self])?;
        Ok((self.gather(axis, &positions)?, positions))
    }

    /// The elements where a mask holds, in row-major order; the two broadcast.
    ///
    /// # Errors
    /// [`Error::Broadcast`], or [`Error::DType`] if the mask is not `bool`.
    pub fn masked_select(&self, mask: &DynTensor) -> Result<DynTensor> {
        let shape = broadcast_shapes("masked_select", self.shape(), mask.shape())?;
        apply(&Op::MaskedSelect, &[&self.broadcast_to(&shape)?, &mask.broadcast_to(&shape)?])
    }

    /// The positions of the elements that are not 0, in row-major order: `i64` of shape `[count, rank]`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn nonzero(&self) -> Result<DynTensor> {
        apply(&Op::NonZero, &[self])
    }

    /// Slices of an axis at the positions of an `i64` tensor of rank 1 (negative ones count from the end).
    ///
    /// # Errors
    /// [`Error::Index`] for a position outside the axis.
    pub fn index_select(&self, axis: isize, index: &DynTensor) -> Result<DynTensor> {
        apply(&Op::IndexSelect(self.layout().axis("index_select", axis)?), &[self, index])
    }

    /// Rows of a table `[V, ...]` at `i64` positions of any shape: the result's shape is that of `index` followed by the row's.
    /// Negative positions are refused, as in PyTorch.
    ///
    /// # Errors
    /// [`Error::Index`] for a position that is no row of the table.
    pub fn embedding(&self, index: &DynTensor) -> Result<DynTensor> {
        if self.rank() == 0 {
            return Err(Error::Axis { op: "embedding", axis: 0, rank: 0 });
        }
        // Counting from the end is for indexing; among words a negative position is a mistake.
        let (index, size) = (index.contiguous()?, self.shape()[0]);
        let stray = |id: &&i64| usize::try_from(**id).map_or(true, |id| id >= size);
        if let Some(&index) = index.as_slice::<i64>().and_then(|ids| ids.iter().find(stray)) {
            return Err(Error::Index { op: "embedding", index, axis: 0, size });
        }
        let mut shape = Dims::from_slice(index.shape());
        shape.extend_from_slice(&self.shape()[1..]);
        let rows = || self.index_select(0, &index.reshape_to(&[index.size()])?)?.reshape_to(&shape);
        rows().map_err(|error| error.named("embedding"))
    }

    /// Elements along an axis at `i64` positions of the same rank (PyTorch's `gather`).
    ///
    /// # Errors
    /// [`Error::Index`] for a position outside the axis; [`Error::ShapePair`] if other axes of `index` are larger.
    pub fn gather(&self, axis: isize, index: &DynTensor) -> Result<DynTensor> {
        apply(&Op::Gather(self.layout().axis("gather", axis)?), &[self, index])
    }

    /// Tensors joined along an existing axis.
    ///
    /// # Errors
    /// [`Error::ShapePair`] if other sizes differ, [`Error::Argument`] without operands.
    pub fn concat(tensors: &[&DynTensor], axis: isize) -> Result<DynTensor> {
        let Some(first) = tensors.first() else {
            return Err(Error::Argument { op: "concat", reason: "needs at least one operand".into() });
        };
        apply(&Op::Concat(first.layout().axis("concat", axis)?), tensors)
    }

    /// Tensors of one shape joined along a new axis.
    ///
    /// # Errors
    /// As [`DynTensor::concat`].
    pub fn stack(tensors: &[&DynTensor], axis: isize) -> Result<DynTensor> {
        if let Some((first, other)) = tensors.first().zip(tensors.iter().find(|t| t.shape() != tensors[0].shape())) {
            let (lhs, rhs) = (first.shape().into(), other.shape().into());
            return Err(Error::ShapePair { op: "stack", lhs, rhs, reason: "all shapes must be equal".into() });
        }
        let joined = || {
            let parts = tensors.iter().map(|t| t.unsqueeze(axis)).collect::<Result<Vec<_>>>()?;
            DynTensor::concat(&parts.iter().collect::<Vec<_>>(), axis)
        };
        joined().map_err(|error| error.named("stack"))
    }

    /// Views of consecutive parts of an axis, of the given sizes.
    ///
    /// # Errors
    /// [`Error::Argument`] if the sizes do not add up to the axis.
    pub fn split(&self, sizes: &[usize], axis: isize) -> Result<Vec<DynTensor>> {
        let axis = self.layout().axis("split", axis)?;
        // Sizes from outside may add up beyond the largest number.
        let total = sizes.iter().fold(0, |total: usize, &size| total.saturating_add(size));
        if total != self.shape()[axis] {
            let reason = format!("sizes {sizes:?} add up to {total}, axis {axis} of shape {:?} does not", self.shape());
            return Err(Error::Argument { op: "split", reason: reason.into() });
        }
        let mut start = 0;
        let part = |&length: &usize| {
            start += length;
            self.narrow(axis as isize, start - length, length).map_err(|error| error.named("split"))
        };
        sizes.iter().map(part).collect()
    }

    /// A border of a constant, `[before, after]` per axis.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is one pair per axis.
    pub fn pad(&self, widths: &[[usize; 2]], value: f64) -> Result<DynTensor> {
        apply(&Op::Pad { widths: SmallVec::from_slice(widths), value }, &[self])
    }

    /// Running sum along an axis.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn cumsum(&self, axis: isize) -> Result<DynTensor> {
        apply(&Op::CumSum(self.layout().axis("cumsum", axis)?), &[self])
    }

    /// Zeros with probability `p`, the rest scaled by `1 / (1 - p)`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `0 <= p < 1`.
    pub fn dropout(&self, config: DropoutConfig) -> Result<DynTensor> {
        apply(&Op::Dropout(config), &[self])
    }

    /// Attention of these queries `[..., L, E]` to keys `[..., S, E]` with values `[..., S, V]`: `[..., L, V]` (PyTorch's
    /// `scaled_dot_product_attention`). The matrix of scores is never held.
    ///
    /// A mask that broadcasts to `[..., L, S]` says by `bool` which keys a query sees, or is of the operands' type and added
    /// to the scores. A query that sees no key gets zeros.
    ///
    /// # Errors
    /// [`Error::ShapePair`] or [`Error::DType`] if operands do not fit, [`Error::Broadcast`] if the mask does not.
    pub fn scaled_dot_product_attention(
        &self,
        keys: &DynTensor,
        values: &DynTensor,
        mask: Option<&DynTensor>,
        config: AttentionConfig,
    ) -> Result<DynTensor> {
        let op = Op::ScaledDotProductAttention(config);
        match mask {
            Some(mask) => apply(&op, &[self, keys, values, mask]),
            None => apply(&op, &[self, keys, values]),
        }
    }

    /// Cross-entropy of logits `[N, C]` with `i64` labels `[N]`, of rank 0.
    ///
    /// # Errors
    /// [`Error::ShapePair`], or [`Error::Index`] for a label that is no class.
    pub fn cross_entropy(&self, labels: &DynTensor, config: CrossEntropyConfig) -> Result<DynTensor> {
        apply(&Op::CrossEntropy(config), &[self, labels])
    }

    /// The same elements in another type, and kept in it.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn cast(&self, dtype: DType) -> Result<DynTensor> {
        if dtype == self.dtype() && !self.is_narrow() { Ok(self.clone()) } else { apply(&Op::Cast(dtype), &[self]) }
    }

    /// The same elements in row-major order and kept in their type; no copy if they are already.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn contiguous(&self) -> Result<DynTensor> {
        if self.is_narrow() {
            self.cast(self.dtype())
        } else if self.layout().is_contiguous() {
            Ok(self.clone())
        } else {
            apply(&Op::Contiguous, &[self])
        }
    }
}
