//! Between main memory and a GPU.

use super::operand::{Operand, copied, repeated};
use crate::exec::movement;
use crate::{Device, DynTensor};
use trueno_core::{Element, Layout, Result};
use trueno_gpu::{Buffer, Readback};

/// A value in main memory, on a GPU. One that repeats an element is a constant there, which costs nothing to make.
pub(crate) fn upload(x: &DynTensor, device: &trueno_gpu::Device) -> Result<DynTensor> {
    if let Some(value) = repeated(x) {
        let constant = Buffer::constant(device, "to", x.dtype(), value)?;
        return Ok(DynTensor::from_gpu(constant, &[]).view(Layout::contiguous(&[]).broadcast_to("to", x.shape())?));
    }
    let x = movement::contiguous(x)?;
    copied("to", device, &x).map(|buffer| DynTensor::from_gpu(buffer, x.shape()))
}

/// A value on a GPU, on another device.
pub(super) fn to(x: &DynTensor, target: &Device) -> Result<DynTensor> {
    match target {
        Device::Cpu => to_host(x),
        Device::Gpu(device) => upload(&to_host(x)?, device),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn to_host(x: &DynTensor) -> Result<DynTensor> {
    trueno_core::dispatch_dtype!(x.dtype(), all T => {
        let mut buffer = crate::storage::Buffer::new("to", T::DTYPE, x.size())?;
        download::<T>(x)?.wait_into(buffer.as_mut_slice::<T>())?;
        Ok(DynTensor::from_buffer(buffer, x.shape()))
    })
}

#[cfg(target_arch = "wasm32")]
fn to_host(x: &DynTensor) -> Result<DynTensor> {
    let reason = "a browser cannot wait for a GPU; read the value with `to_vec_async().await`";
    Err(trueno_core::Error::Device { op: "to", device: x.device().to_string(), reason: reason.into() })
}

/// Starts copying a value's elements, in row-major order, to the host.
pub(crate) fn download<T: Element>(x: &DynTensor) -> Result<Readback<T>> {
    let operand = Operand::on_device(x);
    if x.layout().is_contiguous() && x.layout().offset() == 0 && x.size() == operand.buffer().len() {
        return Ok(operand.buffer().download("to_vec"));
    }
    Ok(trueno_gpu::elementwise::contiguous(&operand.view("to_vec")?)?.download("to_vec"))
}
