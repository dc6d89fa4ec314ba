//! How operations run on a GPU: operands become views of device buffers, and `trueno-gpu` records kernels over them.
//!
//! Nothing here waits or moves values, but for the few operations whose result's shape depends on values.

mod attention;
mod attention_by_steps;
mod backward;
mod conv;
mod elementwise;
mod fused;
mod group_norm;
mod index;
mod loss;
mod movement;
mod operand;
mod order;
mod pool;
mod products;
mod reduce;
mod rows;
mod transfer;

pub(super) use attention::scaled_dot_product_attention;
pub(super) use backward::{batch_norm, cross_entropy, layer_norm, log_softmax, logsumexp, max_pool2d, softmax, unary};
pub(super) use group_norm::group_norm_grad;
pub(crate) use transfer::{download, upload};

use super::{custom, views};
use crate::{DynTensor, Op, Saved};
pub(super) use fused::fused_grad;
use operand::{Operand, operands};
use trueno_core::{DType, Result};
use trueno_gpu::{Device, elementwise as kernel};

/// The GPU on which an operation of these operands runs, if on any.
pub(crate) fn device_of<'a>(inputs: &[&'a DynTensor]) -> Option<&'a Device> {
    inputs.iter().find_map(|x| x.gpu_storage()).map(trueno_gpu::Buffer::device)
}

/// Records an operation of operands in half precision whose result is of `f32`; `None` where no kernel gives that.
pub(crate) fn execute_wide(op: &Op, device: &Device, inputs: &[&DynTensor]) -> Result<Option<DynTensor>> {
    let held = || operands(op.name(), device, inputs);
    if let Op::Reduce(reduction) = op {
        return reduce::reduce_wide(reduction, &held()?[0]).map(Some);
    }
    if let Op::Conv2dWeightGrad(config, shape) = op {
        return conv::weight_grad(config, *shape, &held()?, DType::F32).map(Some);
    }
    Ok(None)
}

/// Records an operation, of which at least one operand is on the device. What its backward pass will want goes to `saved`.
pub(crate) fn execute(op: &Op, device: &Device, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let held = || operands(op.name(), device, inputs);
    match op {
        Op::Permute(axes) => views::permute(axes, inputs[0]),
        Op::Flip(axes) => views::flip(axes, inputs[0]),
        Op::Unfold { axis, size, step } => views::unfold(*axis, *size, *step, inputs[0]),
        Op::Slice(items) => views::slice(items, inputs[0]),
        Op::Broadcast(shape) => views::broadcast(shape, inputs[0]),
        Op::Reshape(shape) => reshape(shape, inputs[0]),
        Op::Custom(function) => custom(function.as_ref(), inputs),
        Op::To(target) => transfer::to(inputs[0], target),
        Op::Contiguous => contiguous(inputs[0]),
        Op::Cast(dtype) => elementwise::cast(&held()?[0], *dtype),
        Op::Unary(row, parameters) => elementwise::unary(*row, *parameters, &held()?[0]),
        Op::Binary(row) => elementwise::binary(*row, &held()?),
        Op::Compare(row) => elementwise::compare(*row, &held()?),
        Op::Ternary(row) => elementwise::ternary(*row, &held()?),
        Op::Fused(fusion) => fused::fused(fusion, &held()?),
        Op::Where => elementwise::select(&held()?),
        Op::Reduce(reduction) => reduce::reduce(reduction, &held()?[0]),
        Op::Matmul => products::matmul(&held()?),
        Op::Linear => products::linear(&held()?),
        Op::MatmulInteger => products::matmul_integer(&held()?),
        Op::LinearInt8 => super::integer::composed(inputs),
        Op::Softmax(axis) => rows::softmax(*axis, &held()?[0]),
        Op::LogSoftmax(axis) => rows::log_softmax(*axis, &held()?[0]),
        Op::LayerNorm { axes, eps } => rows::layer_norm(*axes, *eps, &held()?, saved),
        Op::ArgReduce { extreme, axis, keep_dims } => reduce::arg_reduce(*extreme, *axis, *keep_dims, &held()?[0]),
        Op::LogSumExp { axis, keep_dims } => loss::logsumexp(*axis, *keep_dims, &held()?[0]),
        Op::CrossEntropy(config) => loss::cross_entropy(config, &held()?),
        Op::Conv2d(config) => conv::conv2d(config, &held()?),
        Op::Conv2dInputGrad(config, shape) => conv::input_grad(config, *shape, &held()?),
        Op::Conv2dWeightGrad(config, shape) => conv::weight_grad(config, *shape, &held()?, inputs[0].dtype()),
        Op::ConvTranspose2d(config) => conv::conv_transpose2d(config, &held()?),
        Op::MaxPool2d(config) => pool::max_pool2d(config, &held()?[0], saved),
        Op::AvgPool2d(config) => pool::avg_pool2d(config, &held()?[0]),
        Op::AvgPool2dGrad(config, shape) => pool::avg_pool2d_grad(config, *shape, &held()?[0]),
        Op::AdaptiveAvgPool2d(size) => pool::adaptive_avg_pool2d(*size, &held()?[0]),
        Op::AdaptiveAvgPool2dGrad(shape) => pool::adaptive_avg_pool2d_grad(*shape, &held()?[0]),
        Op::BatchNorm { eps } => rows::batch_norm(*eps, &held()?, saved),
        Op::GroupNorm { groups, eps } => group_norm::group_norm(device, *groups, *eps, inputs, saved),
        Op::Dropout(config) => movement::dropout(config, &held()?[0]),
        Op::IndexSelect(axis) => index::index_select(*axis, &held()?),
        Op::Gather(axis) => index::gather(*axis, &held()?),
        Op::IndexAdd { axis, size } => index::index_add(*axis, *size, &held()?),
        Op::ScatterAdd { axis, shape } => index::scatter_add(*axis, shape, &held()?),
        Op::Concat(axis) => movement::concat(*axis, &held()?),
        Op::Pad { widths, value } => movement::pad(widths, *value, &held()?[0]),
        Op::SliceScatter(shape, items) => movement::slice_scatter(shape, items, &held()?[0]),
        Op::ScaledDotProductAttention(config) => attention::attention(config, inputs, &held()?, saved),
        Op::CumSum(axis) => order::cumsum(*axis, &held()?[0]),
        Op::Sort { axis, descending } => order::sort(*axis, *descending, &held()?[0]),
        Op::ArgSort { axis, descending } => order::argsort(*axis, *descending, &held()?[0]),
        Op::TopK { axis, k, extreme } => order::top_k(*axis, *k, *extreme, &held()?[0]),
        Op::MaskedSelect => order::masked_select(&held()?),
        Op::NonZero => order::nonzero(&held()?[0]),
    }
}

/// A row-major copy.
fn contiguous(x: &DynTensor) -> Result<DynTensor> {
    let operand = Operand::on_device(x);
    Ok(DynTensor::from_gpu(kernel::contiguous(&operand.view("contiguous")?)?, x.shape()))
}

/// A view where strides allow, else a copy.
fn reshape(shape: &[usize], x: &DynTensor) -> Result<DynTensor> {
    super::movement::reshape_with(shape, x, contiguous)
}

/// A result of the kernels, under the shape that it has.
fn shaped(shape: &[usize], buffer: Result<trueno_gpu::Buffer>) -> Result<DynTensor> {
    buffer.map(|buffer| DynTensor::from_gpu(buffer, shape))
}
