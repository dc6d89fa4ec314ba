//! Scaled dot-product attention: queries are cut among threads by tiles, gradients by heads.

use super::isa::isa;
use super::movement::{cast, contiguous};
use super::operand::elements;
use super::{FLOATS, misfit, mixed, unsupported};
use crate::parallel::try_for_each_piece;
use crate::storage::Buffer;
use crate::{AttentionConfig, DynTensor, Saved};
use smallvec::smallvec;
use trueno_core::table::UnaryOp;
use trueno_core::{DType, Element, Layout, Result, dispatch_dtype};
use trueno_kernels::attention as kernel;
use trueno_kernels::attention::QUERIES;
use trueno_kernels::matmul::MatRef;
use trueno_kernels::simd::Real;

const OP: &str = "scaled_dot_product_attention";

/// Operands that were found to fit.
struct Problem<'a> {
    operands: [&'a DynTensor; 3],
    /// Added to the scores, `[..., queries, keys]`.
    mask: Option<DynTensor>,
    heads: usize,
    /// `[queries, keys, width, values]`.
    sizes: [usize; 4],
    scale: f64,
    causal: bool,
}

/// `[queries, keys, width, values]` of queries, keys and values, if they fit together.
pub(super) fn fitting([q, k, v]: [&DynTensor; 3]) -> Result<[usize; 4]> {
    let (&[ref heads @ .., queries, width], &[ref k_heads @ .., keys, k_width], &[ref v_heads @ .., count, values]) =
        (q.shape(), k.shape(), v.shape())
    else {
        return Err(misfit(OP, q, k, "queries, keys and values have two axes or more".into()));
    };
    if heads != k_heads || width != k_width {
        let reason = "keys must have the leading axes and the width of the queries".into();
        return Err(misfit(OP, q, k, reason));
    }
    if heads != v_heads || keys != count {
        return Err(misfit(OP, k, v, "there must be one value per key, with its leading axes".into()));
    }
    match [k, v].into_iter().find(|x| x.dtype() != q.dtype()) {
        Some(other) => Err(mixed(OP, q.dtype(), other.dtype())),
        None => Ok([queries, keys, width, values]),
    }
}

impl<'a> Problem<'a> {
    fn new(config: &AttentionConfig, operands: [&'a DynTensor; 3], mask: Option<&DynTensor>) -> Result<Problem<'a>> {
        let sizes = fitting(operands)?;
        let [queries, keys, width, _] = sizes;
        let q = operands[0];
        let heads = &q.shape()[..q.rank() - 2];
        let shape = [heads, &[queries, keys]].concat();
        let mask = mask.map(|mask| additive(mask, q.dtype(), &shape)).transpose()?;
        let heads = heads.iter().product();
        Ok(Problem { operands, mask, heads, sizes, scale: config.scale_for(width), causal: config.causal })
    }

    /// The settings of one head.
    fn settings<T: Real>(&self, head: usize) -> kernel::Attention<'_, T> {
        let mask = self.mask.as_ref().map(|mask| matrix(mask, head));
        kernel::Attention { scale: self.scale, causal: self.causal, mask }
    }

    /// Queries, keys and values of one head.
    fn head<T: Real>(&self, head: usize) -> [MatRef<'_, T>; 3] {
        self.operands.map(|x| matrix(x, head))
    }

    /// Steps per query.
    fn cost(&self) -> usize {
        let [_, keys, width, values] = self.sizes;
        keys.saturating_mul(width + values + 8) / 4
    }
}

/// The mask as what is added to the scores, seen in the shape of all scores.
fn additive(mask: &DynTensor, dtype: DType, shape: &[usize]) -> Result<DynTensor> {
    let mask = match mask.dtype() {
        // The logarithm of 1 is 0 and that of 0 minus infinity.
        DType::Bool => {
            super::elementwise::unary(UnaryOp::Ln, [0.0; 2], &cast(mask, dtype)?).map_err(|error| error.named(OP))?
        }
        own if own == dtype => mask.detach(),
        other => return Err(mixed(OP, dtype, other)),
    };
    let layout = mask.layout().broadcast_to(OP, shape)?;
    Ok(mask.view(layout))
}

/// One matrix of a stack, counted along its leading axes in row-major order.
fn matrix<T: Element>(x: &DynTensor, index: usize) -> MatRef<'_, T> {
    let layout: &Layout = x.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    let lead = shape.len() - 2;
    let (mut rest, mut offset) = (index, layout.offset() as isize);
    for axis in (0..lead).rev() {
        offset += (rest % shape[axis]) as isize * strides[axis];
        rest /= shape[axis];
    }
    let (sizes, steps) = ([shape[lead], shape[lead + 1]], [strides[lead], strides[lead + 1]]);
    MatRef::new(x.storage().as_slice::<T>(), offset.unsigned_abs(), sizes, steps)
}

/// Results `[..., L, V]`; saves the logarithm of each query's sum of exponentials.
pub(super) fn attention(config: &AttentionConfig, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let problem = Problem::new(config, [inputs[0], inputs[1], inputs[2]], inputs.get(3).copied())?;
    let [queries, _, _, values] = problem.sizes;
    let (shape, dtype) = (&inputs[0].shape()[..inputs[0].rank() - 1], inputs[0].dtype());
    let mut out = Buffer::zeros(OP, dtype, problem.heads * queries * values)?;
    let mut log_sum = Buffer::zeros(OP, dtype, problem.heads * queries)?;
    dispatch_dtype!(dtype, real T => {
        let (out, log_sum) = (out.as_mut_slice::<T>(), log_sum.as_mut_slice::<T>());
        // Of values without a width nothing is asked.
        let heads = out.chunks_mut((queries * values).max(1)).zip(log_sum.chunks_mut(queries.max(1)));
        let mut jobs: Vec<_> = heads.enumerate().flat_map(|(head, (out, log_sum))| {
            let blocks = out.chunks_mut(QUERIES * values).zip(log_sum.chunks_mut(QUERIES));
            blocks.enumerate().map(move |(block, results)| (head, block * QUERIES, results))
        }).collect();
        try_for_each_piece(&mut jobs, 1, problem.cost().saturating_mul(QUERIES), |_, jobs| {
            let mut scratch = Buffer::new(OP, T::DTYPE, kernel::scratch_len::<T>(isa(), problem.sizes))?;
            let scratch = scratch.as_mut_slice::<T>();
            for (head, first, (out, log_sum)) in jobs {
                let [q, k, v] = problem.head::<T>(*head);
                let q = q.block(*first..*first + log_sum.len(), 0..q.cols());
                kernel::attention(isa(), &problem.settings(*head), *first, [q, k, v], out, log_sum, scratch);
            }
            Ok(())
        })?;
    }, else return Err(unsupported(OP, dtype, FLOATS)));
    *saved = smallvec![DynTensor::from_buffer(log_sum, shape)];
    Ok(DynTensor::from_buffer(out, &[shape, &[values]].concat()))
}

/// The gradients of [`attention`] by queries, keys and values, from its results and the gradient by the first.
pub(super) fn attention_grad(
    config: &AttentionConfig,
    operands: [&DynTensor; 3],
    mask: Option<&DynTensor>,
    [out, log_sum, g]: [&DynTensor; 3],
) -> Result<[DynTensor; 3]> {
    let problem = Problem::new(config, operands, mask)?;
    if g.shape() != out.shape() {
        return Err(misfit(OP, out, g, "a gradient has the shape of its value".into()));
    }
    let ([queries, keys, width, values], dtype) = (problem.sizes, g.dtype());
    let [mut gq, mut gk, mut gv] = [
        Buffer::zeros(OP, dtype, operands[0].size())?,
        Buffer::zeros(OP, dtype, operands[1].size())?,
        Buffer::zeros(OP, dtype, operands[2].size())?,
    ];
    let log_sum = contiguous(log_sum)?;
    // Where an axis is empty there is nothing to add up.
    if problem.sizes.iter().all(|&size| size > 0) {
        dispatch_dtype!(dtype, real T => {
            let heads = gq.as_mut_slice::<T>().chunks_mut(queries * width);
            let heads = heads.zip(gk.as_mut_slice::<T>().chunks_mut(keys * width));
            let heads = heads.zip(gv.as_mut_slice::<T>().chunks_mut(keys * values));
            let mut jobs: Vec<_> = heads.enumerate().collect();
            let log_sums = elements::<T>(&log_sum);
            let cost = problem.cost().saturating_mul(3 * queries);
            try_for_each_piece(&mut jobs, 1, cost, |_, jobs| {
                let mut scratch = Buffer::new(OP, T::DTYPE, kernel::gradient_scratch_len::<T>(isa(), problem.sizes))?;
                for (head, ((gq, gk), gv)) in jobs {
                    let log_sum = &log_sums[*head * queries..(*head + 1) * queries];
                    let (results, gradients) = ([matrix(out, *head), matrix(g, *head)], [&mut **gq, &mut **gk, &mut **gv]);
                    let (settings, operands) = (problem.settings(*head), problem.head::<T>(*head));
                    let scratch = scratch.as_mut_slice::<T>();
                    kernel::attention_gradient(isa(), &settings, operands, results, log_sum, gradients, scratch);
                }
                Ok(())
            })?;
        }, else return Err(unsupported(OP, dtype, FLOATS)));
    }
    let [q, k, v] = operands.map(DynTensor::shape);
    Ok([DynTensor::from_buffer(gq, q), DynTensor::from_buffer(gk, k), DynTensor::from_buffer(gv, v)])
}
