//! What kernels find wrong with data: positions and labels outside their axis.
//!
//! A value on the device cannot be refused before it is used. The kernel stays inside its buffers, and notes the first thing
//! that was wrong in a few words of memory that the device has for this; they are copied along with every readback, which
//! then gives the error.

use std::sync::atomic::{AtomicBool, Ordering};

use trueno_core::Error;
use wgpu::BufferUsages;

use crate::memory::{Raw, create_buffer};

/// Bytes of the note.
pub(crate) const FAULT_BYTES: u64 = 32;

/// Operations whose data can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Checked {
    CrossEntropy,
    IndexSelect,
    Gather,
    IndexAdd,
    ScatterAdd,
}

impl Checked {
    const ALL: [Self; 5] = [Self::CrossEntropy, Self::IndexSelect, Self::Gather, Self::IndexAdd, Self::ScatterAdd];

    /// The operation's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross_entropy",
            Self::IndexSelect => "index_select",
            Self::Gather => "gather",
            Self::IndexAdd => "index_add",
            Self::ScatterAdd => "scatter_add",
        }
    }

    /// WGSL of the binding, and of a function `report(index, axis, size)` that notes a position outside its axis.
    pub fn text(self, binding: u32) -> String {
        format!(
            "@group(0) @binding({binding}) var<storage, read_write> fault: array<atomic<u32>, {}>;\n\
             fn report(index: vec2<u32>, axis: u32, size: u32) {{\n\
             if atomicAdd(&fault[0], 1u) == 0u {{\n\
             atomicStore(&fault[1], {}u); atomicStore(&fault[2], index.x); atomicStore(&fault[3], index.y);\n\
             atomicStore(&fault[4], axis); atomicStore(&fault[5], size);\n}}\n}}\n",
            FAULT_BYTES / 4,
            self as u32,
        )
    }
}

/// The note of a device.
#[derive(Debug)]
pub(crate) struct Fault {
    raw: Raw,
    /// Whether any kernel that checks data was recorded so far.
    armed: AtomicBool,
}

impl Fault {
    /// An empty note, or nothing if there is no memory for one.
    pub fn new(device: &wgpu::Device) -> Option<Self> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let raw = Raw::alone(create_buffer(device, FAULT_BYTES, usage, false)?);
        Some(Self { raw, armed: AtomicBool::new(false) })
    }

    /// The memory, for a kernel that may write it.
    pub fn arm(&self) -> &Raw {
        self.armed.store(true, Ordering::Relaxed);
        &self.raw
    }

    /// The memory to copy along with what is read back, if anything may be in it.
    pub fn armed(&self) -> Option<&wgpu::Buffer> {
        self.armed.load(Ordering::Relaxed).then_some(&self.raw.buffer)
    }
}

/// The error that a note tells of.
pub(crate) fn read(words: &[u32]) -> Option<Error> {
    let &[count, code, low, high, axis, size, ..] = words else { return None };
    if count == 0 {
        return None;
    }
    let op = Checked::ALL.into_iter().find(|op| *op as u32 == code)?.name();
    let index = (u64::from(high) << 32 | u64::from(low)) as i64;
    Some(Error::Index { op, index, axis: axis as usize, size: size as usize })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_an_error() {
        assert!(read(&[0; 8]).is_none());
        let error = read(&[3, Checked::Gather as u32, (-7_i32) as u32, u32::MAX, 1, 5, 0, 0]).unwrap();
        assert_eq!(error, Error::Index { op: "gather", index: -7, axis: 1, size: 5 });
    }
}
