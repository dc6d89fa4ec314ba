//! Operands as kernels of a GPU take them.

use crate::DynTensor;
use smallvec::SmallVec;
use trueno_core::{DType, Element, Error, Layout, Result, dispatch_dtype};
use trueno_gpu::{Buffer, Device, View};

/// A value on the device: one that is there, or a constant that came along from main memory.
pub(super) struct Operand<'a> {
    memory: Memory<'a>,
    layout: Layout,
}

enum Memory<'a> {
    There(&'a Buffer),
    Made(Buffer),
}

/// The operands of one operation.
pub(super) type Operands<'a> = SmallVec<[Operand<'a>; 4]>;

impl<'a> Operand<'a> {
    /// A value that is known to be on a device.
    pub fn on_device(x: &'a DynTensor) -> Operand<'a> {
        let buffer = x.gpu_storage().expect("operations of a GPU are given its values");
        Operand { memory: Memory::There(buffer), layout: x.layout().clone() }
    }

    pub fn buffer(&self) -> &Buffer {
        match &self.memory {
            Memory::There(buffer) => buffer,
            Memory::Made(buffer) => buffer,
        }
    }

    pub fn view(&self, op: &'static str) -> Result<View<'_>> {
        View::new(op, self.buffer(), &self.layout)
    }

    /// The same memory under another layout.
    pub fn with_layout(&self, op: &'static str, layout: &Layout) -> Result<View<'_>> {
        View::new(op, self.buffer(), layout)
    }

    /// The same value as a buffer of its own in a type; itself, if it is that.
    pub fn whole(&self, op: &'static str, dtype: DType) -> Result<Operand<'_>> {
        let buffer = self.buffer();
        let is_whole = self.layout.is_contiguous() && self.layout.size() == buffer.len() && buffer.dtype() == dtype;
        let memory = match is_whole {
            true => Memory::There(buffer),
            false => Memory::Made(trueno_gpu::elementwise::cast(&self.view(op)?, dtype)?),
        };
        Ok(Operand { memory, layout: Layout::contiguous(self.shape()) })
    }

    pub fn dtype(&self) -> DType {
        self.buffer().dtype()
    }

    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// The operands on the device. Those of one element in main memory become constants of the device.
pub(super) fn operands<'a>(op: &'static str, device: &Device, inputs: &[&'a DynTensor]) -> Result<Operands<'a>> {
    inputs.iter().map(|x| operand(op, device, x)).collect()
}

fn operand<'a>(op: &'static str, device: &Device, x: &'a DynTensor) -> Result<Operand<'a>> {
    let elsewhere = |place: String| {
        let reason = format!("an operand of shape {:?} is on {place}; move it with `to(&device)` first", x.shape());
        Error::Device { op, device: device.info().to_string(), reason }
    };
    if let Some(buffer) = x.gpu_storage() {
        if buffer.device() != device {
            return Err(elsewhere(buffer.device().info().to_string()));
        }
        return Ok(Operand::on_device(x));
    }
    match repeated(x) {
        Some(value) => {
            let layout = Layout::contiguous(&[]).broadcast_to(op, x.shape())?;
            Ok(Operand { memory: Memory::Made(Buffer::constant(device, op, x.dtype(), value)?), layout })
        }
        // One that `f64` does not hold.
        None if x.size() == 1 => {
            Ok(Operand { memory: Memory::Made(copied(op, device, x)?), layout: x.layout().clone() })
        }
        None => Err(elsewhere("the processor".into())),
    }
}

/// The elements of a row-major value in main memory, on the device.
pub(super) fn copied(op: &'static str, device: &Device, x: &DynTensor) -> Result<Buffer> {
    dispatch_dtype!(x.dtype(), all T => Buffer::from_slice(device, op, x.as_slice::<T>().unwrap_or_default()))
}

/// The one element that a value in main memory repeats, if it does and `f64` holds it.
pub(super) fn repeated(x: &DynTensor) -> Option<f64> {
    let layout = x.layout();
    if x.size() == 0 || !x.repeats() {
        return None;
    }
    dispatch_dtype!(x.dtype(), all T => {
        let element = x.storage().as_slice::<T>()[layout.offset()];
        let value = element.to_f64();
        // NaN holds itself, although it equals nothing.
        (T::from_f64(value) == element || value.is_nan()).then_some(value)
    })
}
