//! Device memory: buffers from a pool, and the way there and back through mapped staging memory.

mod constants;
mod pieces;
mod pool;
mod readback;
mod staging;
mod upload;
mod view;

pub use readback::Readback;
pub use view::View;

pub(crate) use constants::Constants;
pub(crate) use pool::{Pool, Raw, create_buffer};
pub(crate) use staging::Staging;

use trueno_core::{DType, Error, Result};

use crate::device::{Device, count};

/// Elements of one type in one piece of device memory, row-major. Its memory returns to the device's pool when it is dropped.
///
/// `bool` and `uint8` are stored as bytes, half precision as two bytes, everything else as on the host. The memory is
/// padded to whole vectors of four elements, and what the padding holds is unspecified.
#[derive(Debug)]
pub struct Buffer {
    device: Device,
    /// Present until dropped.
    raw: Option<Raw>,
    dtype: DType,
    len: usize,
    /// A constant of the device, which keeps its memory.
    constant: bool,
}

impl Buffer {
    /// Room for `len` elements. What they hold is unspecified: write them all.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], naming `op`; [`Error::Device`] if a shader of this device could not see so much at once.
    pub fn new(device: &Device, op: &'static str, dtype: DType, len: usize) -> Result<Self> {
        let bytes = len.checked_next_multiple_of(4).and_then(|len| len.checked_mul(dtype.size()));
        let bytes = bytes.ok_or(Error::OutOfMemory { op, bytes: usize::MAX })?;
        let raw = allocate(device, op, bytes as u64)?;
        Ok(Self { device: device.clone(), raw: Some(raw), dtype, len, constant: false })
    }

    /// The device that holds it.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the elements.
    pub fn bytes(&self) -> u64 {
        (self.len * self.dtype.size()) as u64
    }

    pub(crate) fn raw(&self) -> &Raw {
        self.raw.as_ref().expect("a buffer holds its memory until it is dropped")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(raw) = self.raw.take().filter(|_| !self.constant) {
            self.device.pool().put(raw);
        }
    }
}

/// Memory from the pool, or new; when neither can be had, what is free goes back to the driver and it is tried again.
fn allocate(device: &Device, op: &'static str, bytes: u64) -> Result<Raw> {
    let most = device.capabilities().binding_bytes;
    if bytes > most {
        return device.refuse(
            op,
            format!("{bytes} bytes in one value; its shaders see at most {most} at once: split the value"),
        );
    }
    let class = pool::size_class(bytes).min(most);
    let attempt = || -> Option<Raw> {
        let mut pool = device.pool();
        if let Some(raw) = pool.take(class) {
            return Some(raw);
        }
        let raw = pool.create(&device.shared.raw, class)?;
        count(&device.shared.counters.buffers, 1);
        Some(raw)
    };
    if let Some(raw) = attempt() {
        return Ok(raw);
    }
    device.trim();
    #[cfg(not(target_arch = "wasm32"))]
    device.wait(op)?;
    let raw = attempt();
    device.check(op)?;
    raw.ok_or(Error::OutOfMemory { op, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) })
}
