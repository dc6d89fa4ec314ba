//! How operations run: one file per kind, from checked operands to kernels.
//!
//! What has an operand on a GPU goes to `gpu`, whose files are named as those here. Every other file takes shapes and
//! layouts apart until what is left are slices, which it hands to `trueno-kernels`, on several threads where that pays.

mod attention;
pub mod backward;
pub(crate) mod bf16;
mod caches;
mod check;
mod chunks;
pub mod conv;
pub(crate) mod elementwise;
#[cfg(test)]
mod fixtures;
pub(crate) mod fused;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
mod group_norm;
mod halves;
mod index;
mod integer;
pub(crate) mod isa;
mod lines;
mod loss;
mod mask;
mod matmul;
pub(crate) mod movement;
mod norm;
mod operand;
mod pool;
pub mod prepacking;
mod product;
mod reduce;
mod softmax;
mod sort;
mod switch;
mod symmetric;
mod transpose;
mod views;

use crate::{Device, DynTensor, Function, Op, Saved, autocast};
use trueno_core::{DType, Error, Result};

/// Computes an operation; what its backward pass will want besides the result goes to `saved`. Half-precision operands are computed
/// in `f32` and rounded once at the end; products of `bfloat16` that the machine has an instruction for are summed so without being widened.
///
/// The two do not come back as a pair: a result is large, and to take it out of one costs as much as a small operation.
pub(crate) fn execute(op: &Op, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    check::check(op, inputs)?;
    if inputs.iter().any(|x| x.is_narrow()) {
        autocast::execute_mixed(op, inputs, saved)
    } else {
        compute(op, inputs, saved)
    }
}

/// Computes an operation whose operands were checked and are kept in their types.
pub(crate) fn compute(op: &Op, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    #[cfg(feature = "gpu")]
    if let Some(device) = gpu::device_of(inputs) {
        same_floats(op, inputs)?;
        return gpu::execute(op, device, inputs, saved);
    }
    match widened(op, inputs)? {
        None => run(op, inputs, saved),
        Some((dtype, wide)) => {
            let wide: Vec<&DynTensor> = wide.iter().collect();
            let output = run(op, &wide, saved)?;
            if output.dtype() == DType::F32 { movement::cast(&output, dtype) } else { Ok(output) }
        }
    }
}

/// Refuses operands of two float types where a kernel of a GPU would take them, but one of the processor does not.
#[cfg(feature = "gpu")]
fn same_floats(op: &Op, inputs: &[&DynTensor]) -> Result<()> {
    if !matches!(op, Op::Binary(_) | Op::Compare(_) | Op::Ternary(_) | Op::Where | Op::Fused(_)) {
        return Ok(());
    }
    let mut floats = inputs.iter().map(|x| x.dtype()).filter(|dtype| dtype.is_float());
    let Some(first) = floats.next() else { return Ok(()) };
    floats.find(|&dtype| dtype != first).map_or(Ok(()), |other| Err(mixed(op.name(), first, other)))
}

/// The operands in `f32` and the type to go back to, if the operation computes on half-precision operands.
fn widened(op: &Op, inputs: &[&DynTensor]) -> Result<Option<(DType, Vec<DynTensor>)>> {
    if !computes(op) || bf16::multiplies(op, inputs) {
        return Ok(None);
    }
    let is_half = |x: &&&DynTensor| matches!(x.dtype(), DType::F16 | DType::BF16);
    let Some(half) = inputs.iter().find(is_half).map(|x| x.dtype()) else {
        return Ok(None);
    };
    if let Some(other) = inputs.iter().find(|x| x.dtype().is_float() && x.dtype() != half) {
        return Err(mixed(op.name(), half, other.dtype()));
    }
    let wide = |x: &&DynTensor| if x.dtype() == half { movement::cast(x, DType::F32) } else { Ok(x.detach()) };
    Ok(Some((half, inputs.iter().map(wide).collect::<Result<_>>()?)))
}

/// Whether an operation does arithmetic in kernels that know no half precision, rather than move elements or widen them itself.
fn computes(op: &Op) -> bool {
    match op {
        Op::Cast(_)
        | Op::To(_)
        | Op::Contiguous
        | Op::Permute(_)
        | Op::Reshape(_)
        | Op::Slice(_)
        | Op::SliceScatter(..)
        | Op::Broadcast(_)
        | Op::Flip(_)
        | Op::Unfold { .. }
        | Op::MaskedSelect
        | Op::Concat(_)
        | Op::Pad { .. }
        | Op::Where
        | Op::IndexSelect(_)
        | Op::Gather(_)
        | Op::Custom(_)
        | Op::Unary(..)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Ternary(_)
        | Op::Reduce(_) => false,
        Op::ArgReduce { .. }
        | Op::Matmul
        | Op::Linear
        | Op::MatmulInteger
        | Op::LinearInt8
        | Op::Conv2d(_)
        | Op::Conv2dInputGrad(..)
        | Op::Conv2dWeightGrad(..)
        | Op::ConvTranspose2d(_)
        | Op::MaxPool2d(_)
        | Op::AvgPool2d(_)
        | Op::AvgPool2dGrad(..)
        | Op::AdaptiveAvgPool2d(_)
        | Op::AdaptiveAvgPool2dGrad(_)
        | Op::Softmax(_)
        | Op::LogSoftmax(_)
        | Op::LogSumExp { .. }
        | Op::ScaledDotProductAttention(_)
        | Op::LayerNorm { .. }
        | Op::BatchNorm { .. }
        | Op::GroupNorm { .. }
        | Op::IndexAdd { .. }
        | Op::ScatterAdd { .. }
        | Op::CumSum(_)
        | Op::Sort { .. }
        | Op::ArgSort { .. }
        | Op::TopK { .. }
        | Op::NonZero
        | Op::Dropout(_)
        | Op::CrossEntropy(_)
        | Op::Fused(_) => true,
    }
}

fn run(op: &Op, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    match op {
        Op::Unary(row, parameters) => elementwise::unary(*row, *parameters, inputs[0]),
        Op::Binary(row) => elementwise::binary(*row, inputs[0], inputs[1]),
        Op::Compare(row) => elementwise::compare(*row, inputs[0], inputs[1]),
        Op::Ternary(row) => elementwise::ternary(*row, [inputs[0], inputs[1], inputs[2]]),
        Op::Where => elementwise::select(inputs[0], inputs[1], inputs[2]),
        Op::Reduce(reduction) => reduce::reduce(reduction, inputs[0]),
        Op::ArgReduce { extreme, axis, keep_dims } => reduce::arg_reduce(*extreme, *axis, *keep_dims, inputs[0]),
        Op::CumSum(axis) => reduce::cumsum(*axis, inputs[0]),
        Op::Dropout(config) => elementwise::dropout(config, inputs[0]),
        Op::Cast(dtype) => movement::cast(inputs[0], *dtype),
        Op::To(device) => transfer(inputs[0], device),
        Op::Contiguous => movement::copy("contiguous", inputs[0]),
        Op::Concat(axis) => movement::concat(*axis, inputs),
        Op::Pad { widths, value } => movement::pad(widths, *value, inputs[0]),
        Op::SliceScatter(shape, items) => movement::slice_scatter(shape, items, inputs[0]),
        Op::Permute(axes) => views::permute(axes, inputs[0]),
        Op::Flip(axes) => views::flip(axes, inputs[0]),
        Op::Unfold { axis, size, step } => views::unfold(*axis, *size, *step, inputs[0]),
        Op::Slice(items) => views::slice(items, inputs[0]),
        Op::Broadcast(shape) => views::broadcast(shape, inputs[0]),
        Op::Sort { axis, descending } => sort::sort(*axis, *descending, inputs[0]),
        Op::ArgSort { axis, descending } => sort::argsort(*axis, *descending, inputs[0]),
        Op::TopK { axis, k, extreme } => sort::top_k(*axis, *k, *extreme, inputs[0]),
        Op::MaskedSelect => mask::masked_select(inputs[0], inputs[1]),
        Op::NonZero => mask::nonzero(inputs[0]),
        Op::Reshape(shape) => movement::reshape(shape, inputs[0]),
        Op::Fused(fusion) => fused::fused(fusion, inputs),
        Op::Custom(function) => custom(function.as_ref(), inputs),
        Op::Matmul => matmul::matmul(inputs[0], inputs[1]),
        Op::Linear => matmul::linear(inputs[0], inputs[1], inputs.get(2).copied()),
        Op::MatmulInteger => integer::matmul_integer(inputs[0], inputs[1]),
        Op::LinearInt8 => integer::linear_int8(inputs),
        Op::Conv2d(config) => conv::conv2d(config, inputs),
        Op::Conv2dInputGrad(config, shape) => conv::input_grad(config, *shape, inputs[0], inputs[1]),
        Op::Conv2dWeightGrad(config, shape) => conv::weight_grad(config, *shape, inputs[0], inputs[1]),
        Op::ConvTranspose2d(config) => conv::conv_transpose2d(config, inputs),
        Op::MaxPool2d(config) => pool::max_pool2d(config, inputs[0], saved),
        Op::AvgPool2d(config) => pool::avg_pool2d(config, inputs[0]),
        Op::AvgPool2dGrad(config, shape) => pool::avg_pool2d_grad(config, *shape, inputs[0]),
        Op::AdaptiveAvgPool2d(size) => pool::adaptive_avg_pool2d(*size, inputs[0]),
        Op::AdaptiveAvgPool2dGrad(shape) => pool::adaptive_avg_pool2d_grad(*shape, inputs[0]),
        Op::Softmax(axis) => softmax::softmax("softmax", false, *axis, inputs[0]),
        Op::LogSoftmax(axis) => softmax::softmax("log_softmax", true, *axis, inputs[0]),
        Op::LogSumExp { axis, keep_dims } => softmax::logsumexp(*axis, *keep_dims, inputs[0]),
        Op::CrossEntropy(config) => loss::cross_entropy(config, inputs[0], inputs[1]),
        Op::ScaledDotProductAttention(config) => attention::attention(config, inputs, saved),
        Op::LayerNorm { axes, eps } => norm::layer_norm(*axes, *eps, inputs, saved),
        Op::BatchNorm { eps } => norm::batch_norm(*eps, inputs, saved),
        Op::GroupNorm { groups, eps } => group_norm::group_norm(*groups, *eps, inputs, saved),
        Op::IndexSelect(axis) => index::index_select(*axis, inputs[0], inputs[1]),
        Op::Gather(axis) => index::gather(*axis, inputs[0], inputs[1]),
        Op::IndexAdd { axis, size } => index::index_add(*axis, *size, inputs[0], inputs[1]),
        Op::ScatterAdd { axis, shape } => index::scatter_add(*axis, shape, inputs[0], inputs[1]),
    }
}

/// A value in main memory, on another device.
fn transfer(x: &DynTensor, device: &Device) -> Result<DynTensor> {
    match device {
        Device::Cpu => Ok(x.detach()),
        #[cfg(feature = "gpu")]
        Device::Gpu(gpu) => gpu::upload(x, gpu),
    }
}

/// A user's function, which calls the engine itself, on whatever device its operands are.
fn custom(function: &dyn Function, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let detached: Vec<DynTensor> = inputs.iter().map(|x| x.detach()).collect();
    function.forward(&detached.iter().collect::<Vec<_>>()).map(|y| y.detach())
}

const FLOATS: &str = "it takes floats; cast it first";

/// Two operands that do not go together.
fn misfit(op: &'static str, lhs: &DynTensor, rhs: &DynTensor, reason: String) -> Error {
    Error::ShapePair { op, lhs: lhs.shape().into(), rhs: rhs.shape().into(), reason: reason.into() }
}

/// Refuses operands of two shapes or types.
fn same_shape_and_dtype(op: &'static str, a: &DynTensor, b: &DynTensor) -> Result<()> {
    if a.dtype() != b.dtype() {
        return Err(mixed(op, a.dtype(), b.dtype()));
    }
    if a.shape() != b.shape() { Err(misfit(op, a, b, "they must be equal".into())) } else { Ok(()) }
}

/// Operands of two types where one is needed.
pub(crate) fn mixed(op: &'static str, expected: DType, got: DType) -> Error {
    Error::DType { op, got, expected: format!("the other operand is {expected}; cast one of them").into() }
}

/// An operation that a type does not have.
pub(crate) fn unsupported(op: &'static str, got: DType, expected: &'static str) -> Error {
    Error::DType { op, got, expected: expected.into() }
}
