//! Fused backward kernels: gradients that one pass computes, for a tape that does not record.
//!
//! Each equals the gradient composed of recorded operations; `trueno-autograd` takes that one when it
//! needs gradients of gradients. Operands in half precision are computed in `f32` and rounded once at the end, and gradients are
//! kept as narrow as their operands ([`following_storage`](crate::following_storage)).

use super::norm::{self, Gradients};
use super::{attention, elementwise, fused as formulas, group_norm as groups, loss, movement, pool, softmax as rows};
use crate::autocast::{Manner, Settled};
use crate::fused::Fusion;
use crate::{AttentionConfig, CrossEntropyConfig, DynTensor, Pool2dConfig};
use trueno_core::table::UnaryOp;
use trueno_core::{DType, Result};

/// Returns what the function of that name in `exec::gpu` gives, if an operand is on a GPU, finished as the other path's is.
macro_rules! on_gpu {
    ($operands:expr, |$device:ident| $name:ident($($argument:expr),*), $finish:expr) => {
        #[cfg(feature = "gpu")]
        if let Some($device) = super::gpu::device_of(&$operands) {
            return super::gpu::$name($($argument),*).and_then($finish);
        }
    };
}

/// Operands with half precision widened to `f32`, and the type to go back to.
struct Widened<const N: usize> {
    operands: [DynTensor; N],
    half: Option<DType>,
}

impl<const N: usize> Widened<N> {
    fn new(operands: [&DynTensor; N]) -> Result<Widened<N>> {
        let is_half = |dtype: DType| matches!(dtype, DType::F16 | DType::BF16);
        let half = operands.iter().map(|x| x.dtype()).find(|&dtype| is_half(dtype));
        let mut wide = operands.map(DynTensor::detach);
        for x in wide.iter_mut().filter(|x| is_half(x.dtype())) {
            *x = movement::cast(x, DType::F32)?;
        }
        Ok(Widened { operands: wide, half })
    }

    fn narrow(&self, result: DynTensor) -> Result<DynTensor> {
        match self.half {
            Some(half) => movement::cast(&result, half),
            None => Ok(result),
        }
    }

    fn narrow_all(&self, results: Gradients) -> Result<Gradients> {
        let [a, b, c] = results.map(|result| result.map(|x| self.narrow(x)).transpose());
        Ok([a?, b?, c?])
    }
}

/// Runs `work` on the operands with half precision widened to `f32`, and rounds its result back.
fn widened<const N: usize>(
    operands: [&DynTensor; N],
    work: impl FnOnce([&DynTensor; N]) -> Result<DynTensor>,
) -> Result<DynTensor> {
    let wide = Widened::new(operands)?;
    wide.narrow(work(wide.operands.each_ref())?)
}

/// The gradient of a row of the unary table by its operand, from what the row saves
/// ([`UnaryOp::saves`]; pass `g` itself where that is nothing) and the gradient `g` by its result.
///
/// # Errors
/// As the operation itself.
pub fn unary(op: UnaryOp, parameters: [f64; 2], saved: &DynTensor, g: &DynTensor) -> Result<DynTensor> {
    let settled = Settled::new([saved, g])?;
    let [saved, g] = settled.each();
    on_gpu!([saved, g], |device| unary(device, op, parameters, saved, g), |result| settled.finish(result));
    settled.finish(widened([saved, g], |operands| elementwise::unary_grad(op, parameters, operands[0], operands[1]))?)
}

/// The gradients of a formula by the wanted operands, in one pass over the operands and the gradient `g` by the value; all of
/// the common shape, so that by an operand that was broadcast it is to be summed. An operand that no wanted gradient reads may
/// be missing.
///
/// # Errors
/// As the operation itself.
pub fn fused(
    fusion: &Fusion,
    operands: &[Option<DynTensor>],
    g: &DynTensor,
    wanted: &[bool],
) -> Result<Vec<Option<DynTensor>>> {
    // A number among the operands is no reason for whole gradients.
    let manner = Manner::of(operands.iter().flatten().filter(|x| x.is_narrow() || !x.repeats()).chain([g]));
    let take = |x: &Option<DynTensor>| x.as_ref().map(|x| manner.take(x)).transpose();
    let (operands, g) = (operands.iter().map(take).collect::<Result<Vec<_>>>()?, manner.take(g)?);
    let finish = |gradients: Vec<Option<DynTensor>>| {
        gradients.into_iter().map(|by| by.map(|by| manner.finish(by)).transpose()).collect()
    };
    on_gpu!([&g], |device| fused_grad(device, fusion, &operands, &g, wanted), finish);
    finish(formulas::fused_grad(fusion, &operands, &g, wanted)?)
}

/// The gradient of `softmax` by its operand: `y * (g - sum(g * y))` along `axis`, from the result `y` and the
/// gradient `g` of that, both of one shape and float type.
///
/// # Errors
/// [`Error::ShapePair`](trueno_core::Error::ShapePair), [`Error::DType`](trueno_core::Error::DType) or
/// [`Error::Axis`](trueno_core::Error::Axis).
pub fn softmax(y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let settled = Settled::new([y, g])?;
    let [y, g] = settled.each();
    on_gpu!([y, g], |device| softmax(device, y, g, axis), |result| settled.finish(result));
    settled.finish(widened([y, g], |operands| rows::softmax_grad("softmax", false, axis, operands[0], operands[1]))?)
}

/// The gradient of `log_softmax` by its operand: `g - exp(y) * sum(g)` along `axis`, from the result `y` and the
/// gradient `g` of that, both of one shape and float type.
///
/// # Errors
/// As [`softmax`].
pub fn log_softmax(y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let settled = Settled::new([y, g])?;
    let [y, g] = settled.each();
    on_gpu!([y, g], |device| log_softmax(device, y, g, axis), |result| settled.finish(result));
    settled.finish(widened([y, g], |operands| rows::softmax_grad("log_softmax", true, axis, operands[0], operands[1]))?)
}

/// The gradient of `logsumexp` by its operand `x`: `g * exp(x - y)`, from the result `y` and the gradient `g` of that, which
/// have lost `axis` or kept it with size 1.
///
/// # Errors
/// As [`softmax`].
pub fn logsumexp(x: &DynTensor, y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let settled = Settled::new([x, y, g])?;
    let [x, y, g] = settled.each();
    on_gpu!([x, y, g], |device| logsumexp(device, x, y, g, axis), |result| settled.finish(result));
    settled.finish(widened([x, y, g], |operands| rows::logsumexp_grad(operands[0], operands[1], operands[2], axis))?)
}

/// The gradient of `cross_entropy` by its logits `[N, C]`, from the `int64` labels `[N]` and the gradient `g` by the loss, of
/// one element: `g * (softmax(row) - target)`, over the number of rows that count if the loss is a mean.
///
/// # Errors
/// As the operation itself.
pub fn cross_entropy(
    logits: &DynTensor,
    labels: &DynTensor,
    g: &DynTensor,
    config: &CrossEntropyConfig,
) -> Result<DynTensor> {
    let settled = Settled::new([logits, g])?;
    let [logits, g] = settled.each();
    on_gpu!([logits, g], |device| cross_entropy(device, logits, labels, g, config), |result| settled.finish(result));
    settled.finish(widened([logits, g], |operands| loss::cross_entropy_grad(config, operands[0], labels, operands[1]))?)
}

/// The gradients of `scaled_dot_product_attention` by `[q, k, v]`, from its result and the logarithms that it saved, and the
/// gradient `g` by the result.
///
/// # Errors
/// As the operation itself.
pub fn scaled_dot_product_attention(
    operands: [&DynTensor; 3],
    mask: Option<&DynTensor>,
    [out, log_sum]: [&DynTensor; 2],
    g: &DynTensor,
    config: &AttentionConfig,
) -> Result<[DynTensor; 3]> {
    let [q, k, v] = operands;
    let settled = Settled::new([q, k, v, out, g])?;
    let [q, k, v, out, g] = settled.each();
    let mask = mask.map(|mask| settled.take(mask)).transpose()?;
    let mask = mask.as_ref();
    on_gpu!(
        [q, k, v],
        |device| scaled_dot_product_attention(device, [q, k, v], mask, [out, log_sum], g, config),
        |result| settled.finish_each(result)
    );
    let wide = Widened::new([q, k, v, out, log_sum, g])?;
    let mask = mask.map(|mask| Widened::new([mask])).transpose()?;
    let mask = mask.as_ref().map(|mask| &mask.operands[0]);
    let [q, k, v, out, log_sum, g] = &wide.operands;
    let [gq, gk, gv] = attention::attention_grad(config, [q, k, v], mask, [out, log_sum, g])?;
    settled.finish_each([wide.narrow(gq)?, wide.narrow(gk)?, wide.narrow(gv)?])
}

/// The gradient of `max_pool2d` by its input, of shape `input`, from the gradient `g` by its result and the positions of the
/// maxima in their planes, which the forward pass saved: `i32` of the result's shape.
///
/// # Errors
/// As the operation itself.
pub fn max_pool2d(config: &Pool2dConfig, input: [usize; 4], g: &DynTensor, positions: &DynTensor) -> Result<DynTensor> {
    let settled = Settled::new([g])?;
    let [g] = settled.each();
    on_gpu!([g], |device| max_pool2d(device, config, input, g, positions), |result| settled.finish(result));
    settled.finish(pool::max_pool2d_grad(config, input, g, positions)?)
}

/// The gradients of `layer_norm` over the trailing `axes` axes by `[x, weight, bias]`, where `needs` asks for them, from the
/// mean and reciprocal deviation that it saved (of the shape of the leading axes) and the gradient `g` by its result.
/// Without a weight, pass `None`; the bias itself is not needed.
///
/// With `h = (x - mean) * rstd` and means over the normalised axes:
/// `gx = rstd * (g w - mean(g w) - h mean(g w h))`, `gweight = sum(g h)`, `gbias = sum(g)` (Ba et al., 2016).
///
/// # Errors
/// [`Error::Shape`](trueno_core::Error::Shape), [`Error::ShapePair`](trueno_core::Error::ShapePair) or
/// [`Error::DType`](trueno_core::Error::DType).
pub fn layer_norm(
    x: &DynTensor,
    weight: Option<&DynTensor>,
    mean: &DynTensor,
    rstd: &DynTensor,
    g: &DynTensor,
    axes: usize,
    needs: [bool; 3],
) -> Result<[Option<DynTensor>; 3]> {
    let settled = Settled::new([x, g])?;
    let [x, g] = settled.each();
    on_gpu!([x, g], |device| layer_norm(device, axes, [x, mean, rstd, g], weight, needs), |result| settled
        .finish_first(result));
    let wide = Widened::new([x, mean, rstd, g])?;
    let weight = weight.map(|weight| Widened::new([weight])).transpose()?;
    let weight = weight.as_ref().map(|weight| &weight.operands[0]);
    settled.finish_first(wide.narrow_all(norm::layer_norm_grad(axes, wide.operands.each_ref(), weight, needs)?)?)
}

/// The gradients of `batch_norm` by `[x, weight, bias]`, where `needs` asks for them, from the mean and reciprocal
/// deviation that it saved (one per channel) and the gradient `g` by its result.
///
/// With `training` the moments were those of the batch and depend on `x` (Ioffe and Szegedy, 2015):
/// `gx = weight * rstd * (g - mean(g) - h mean(g h))` with `h = (x - mean) * rstd`; else `gx = weight * rstd * g`.
/// Either way `gweight = sum(g h)` and `gbias = sum(g)`.
///
/// # Errors
/// As [`layer_norm`].
pub fn batch_norm(
    x: &DynTensor,
    weight: &DynTensor,
    mean: &DynTensor,
    rstd: &DynTensor,
    g: &DynTensor,
    training: bool,
    needs: [bool; 3],
) -> Result<[Option<DynTensor>; 3]> {
    let settled = Settled::new([x, g])?;
    let [x, g] = settled.each();
    on_gpu!([x, g], |device| batch_norm(device, training, [x, weight, mean, rstd, g], needs), |result| settled
        .finish_first(result));
    let wide = Widened::new([x, weight, mean, rstd, g])?;
    settled.finish_first(wide.narrow_all(norm::batch_norm_grad(training, wide.operands.each_ref(), needs)?)?)
}

/// The gradients of `group_norm` in `groups` groups by `[x, weight, bias]`, where `needs` asks for them, from the mean and
/// reciprocal deviation `[N, groups]` that it saved and the gradient `g` by its result. Without a weight, pass `None`; the bias
/// itself is not needed.
///
/// As for [`layer_norm`], with means over a group of a sample and sums over the samples and what follows the channels (Wu and
/// He, 2018).
///
/// # Errors
/// As [`layer_norm`].
pub fn group_norm(
    x: &DynTensor,
    weight: Option<&DynTensor>,
    mean: &DynTensor,
    rstd: &DynTensor,
    g: &DynTensor,
    groups: usize,
    needs: [bool; 3],
) -> Result<[Option<DynTensor>; 3]> {
    let settled = Settled::new([x, g])?;
    let [x, g] = settled.each();
    on_gpu!([x, g], |device| group_norm_grad(device, groups, [x, mean, rstd, g], weight, needs), |result| settled
        .finish_first(result));
    let wide = Widened::new([x, mean, rstd, g])?;
    let weight = weight.map(|weight| Widened::new([weight])).transpose()?;
    let weight = weight.as_ref().map(|weight| &weight.operands[0]);
    settled.finish_first(wide.narrow_all(groups::group_norm_grad(groups, wide.operands.each_ref(), weight, needs)?)?)
}
