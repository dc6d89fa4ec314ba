//! Gradient clipping.

use trueno_autograd::Gradients;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Result, dispatch_dtype};
use trueno_kernels::reduce::{BLOCK, accumulate_rows};
use trueno_kernels::simd::Real;
use trueno_tensor::{Device, DynTensor, for_each_job, isa};

/// Scales all gradients by one factor so that their joint L2 norm is at most `max_norm`, and returns the norm they had
/// (PyTorch's `clip_grad_norm_`). Gradients on a GPU are waited for.
///
/// # Errors
/// [`trueno_core::Error::OutOfMemory`].
pub fn clip_grad_norm(gradients: &mut Gradients, max_norm: f64) -> Result<f64> {
    let total = norm(gradients)?;
    let factor = max_norm / (total + 1e-6);
    // A NaN factor spreads, as in PyTorch: a run that has diverged should show it.
    if factor < 1.0 || factor.is_nan() {
        gradients.try_map(|gradient| gradient.binary_scalar(BinaryOp::Mul, factor))?;
    }
    Ok(total)
}

/// The L2 norm of all elements of all gradients.
pub(crate) fn norm(gradients: &Gradients) -> Result<f64> {
    let on_host = |gradient: &DynTensor| gradient.device() == Device::Cpu;
    if gradients.iter().all(on_host) { norm_on_host(gradients) } else { norm_on_device(gradients) }
}

/// The norm by one kernel for each gradient and one that joins them, if they are all on one GPU and of types that it reads.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
fn norm_on_gpu(gradients: &Gradients) -> Result<Option<f64>> {
    let op = "clip_grad_norm";
    let gradients: Vec<DynTensor> = gradients.iter().map(DynTensor::detach).collect();
    let views = gradients.iter().map(|gradient| gradient.gpu_view(op)).collect::<Result<Option<Vec<_>>>>()?;
    let Some(views) = views else { return Ok(None) };
    let Some(device) = views.first().map(|view| view.buffer().device()) else { return Ok(None) };
    let is_double = |view: &trueno_gpu::View<'_>| view.buffer().dtype() == DType::F64;
    let doubles = views.iter().filter(|view| is_double(view)).count();
    let here = views.iter().all(|view| view.buffer().device() == device);
    if !here || (doubles > 0 && doubles < views.len()) {
        return Ok(None);
    }
    let joint = trueno_gpu::optim::grad_norm(device, &views, f64::INFINITY)?.norm;
    if doubles > 0 {
        return Ok(joint.download::<f64>(op).wait()?.first().copied());
    }
    Ok(joint.download::<f32>(op).wait()?.first().map(|&norm| f64::from(norm)))
}

/// The norm of the norms, which is read back.
fn norm_on_device(gradients: &Gradients) -> Result<f64> {
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    if let Some(norm) = norm_on_gpu(gradients)? {
        return Ok(norm);
    }
    let double = gradients.iter().any(|gradient| gradient.dtype() == DType::F64);
    let dtype = if double { DType::F64 } else { DType::F32 };
    let norm = |gradient: &DynTensor| -> Result<DynTensor> {
        let wide = gradient.detach().cast(dtype)?;
        wide.reduce(ReduceOp::NormL2, &wide.all_axes(), false, 0.0)
    };
    let norms = gradients.iter().map(norm).collect::<Result<Vec<_>>>()?;
    let joint = norm(&DynTensor::stack(&norms.iter().collect::<Vec<_>>(), 0)?)?;
    joint.cast(DType::F64)?.item::<f64>()
}

/// The norm in one pass over them. Squares of a block are added in the gradient's
/// type (`f32` for half precision), blocks in `f64` and in order.
fn norm_on_host(gradients: &Gradients) -> Result<f64> {
    let wide = |gradient: &DynTensor| match gradient.dtype() {
        DType::F16 | DType::BF16 => gradient.cast(DType::F32),
        _ => gradient.contiguous(),
    };
    let gradients = gradients.iter().map(|gradient| wide(&gradient.detach())).collect::<Result<Vec<_>>>()?;
    let mut squares = vec![0.0; gradients.iter().map(|gradient| gradient.size().div_ceil(BLOCK)).sum()];
    let mut sums = squares.iter_mut();
    let mut jobs = Vec::with_capacity(sums.len());
    for gradient in &gradients {
        let blocks =
            (0..gradient.size()).step_by(BLOCK).map(|start| (gradient, start..gradient.size().min(start + BLOCK)));
        jobs.extend(blocks.zip(&mut sums));
    }
    for_each_job(
        jobs,
        |((_, block), _)| block.len(),
        |((gradient, block), sum)| {
            *sum = dispatch_dtype!(gradient.dtype(), real T => {
            gradient.as_slice::<T>().map_or(0.0, |elements| sum_of_squares(&elements[block]))
        }, else 0.0);
        },
    );
    Ok(squares.iter().sum::<f64>().sqrt())
}

fn sum_of_squares<T: Real>(elements: &[T]) -> f64 {
    let mut sum = [T::ZERO];
    accumulate_rows(isa(), ReduceOp::NormL2, elements, elements.len(), None, &mut sum);
    sum[0].to_f64()
}

/// Limits every element of every gradient to `[-limit, limit]` (PyTorch's `clip_grad_value_`).
///
/// # Errors
/// [`trueno_core::Error::OutOfMemory`].
pub fn clip_grad_value(gradients: &mut Gradients, limit: f64) -> Result<()> {
    gradients.try_map(|gradient| gradient.unary(UnaryOp::Clamp, [-limit, limit]))
}
