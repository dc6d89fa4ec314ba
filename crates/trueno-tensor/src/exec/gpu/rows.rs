//! What needs a whole row or channel: softmax and normalisations.

use super::operand::Operand;
use super::shaped;
use crate::exec::norm;
use crate::{DynTensor, Saved};
use smallvec::smallvec;
use trueno_core::Result;
use trueno_gpu::{batch_norm as channels, rows as kernel};

pub(super) fn softmax(axis: usize, x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), kernel::softmax(&x.view("softmax")?, axis))
}

pub(super) fn log_softmax(axis: usize, x: &Operand<'_>) -> Result<DynTensor> {
    shaped(x.shape(), kernel::log_softmax(&x.view("log_softmax")?, axis))
}

/// Saves mean and reciprocal deviation, `f32` and of the shape of the leading axes.
pub(super) fn layer_norm(axes: usize, eps: f64, operands: &[Operand<'_>], saved: &mut Saved) -> Result<DynTensor> {
    let op = "layer_norm";
    let x = &operands[0];
    let batch = &x.shape()[..norm::lead(x.shape(), axes)?];
    let views = operands.iter().map(|operand| operand.view(op)).collect::<Result<Vec<_>>>()?;
    let kernel::Normalised { output, mean, rstd } =
        kernel::layer_norm(&views[0], axes, views.get(1), views.get(2), eps)?;
    *saved = smallvec![DynTensor::from_gpu(mean, batch), DynTensor::from_gpu(rstd, batch)];
    Ok(DynTensor::from_gpu(output, x.shape()))
}

/// Of `[x, weight, bias]`, saving mean and reciprocal deviation of each channel and the biased variance, all `f32`; or of
/// `[x, weight, bias, mean, var]`, saving the first two.
pub(super) fn batch_norm(eps: f64, operands: &[Operand<'_>], saved: &mut Saved) -> Result<DynTensor> {
    let op = "batch_norm";
    let views = operands.iter().map(|operand| operand.view(op)).collect::<Result<Vec<_>>>()?;
    let given = if let [_, _, _, mean, var] = &views[..] { Some([mean, var]) } else { None };
    let channels::Normalised { output, mean, rstd, var } =
        channels::batch_norm(&views[0], &views[1], &views[2], given, eps)?;
    let vector = |buffer: trueno_gpu::Buffer| {
        let channels = buffer.len();
        DynTensor::from_gpu(buffer, &[channels])
    };
    saved.extend([mean, rstd].into_iter().chain(var).map(vector));
    Ok(DynTensor::from_gpu(output, operands[0].shape()))
}
