//! From the host to the device.

use bytemuck::NoUninit;
use trueno_core::{Element, Error, Result};

use super::Buffer;
use super::staging::CHUNK;
use crate::device::{Device, count};

impl Buffer {
    /// A copy of a slice on a device.
    ///
    /// The copy is ordered after everything recorded before it, like any operation.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], naming `op`; [`Error::Device`] for a value that is larger than the device's shaders can see.
    pub fn from_slice<T: Element + NoUninit>(device: &Device, op: &'static str, elements: &[T]) -> Result<Self> {
        let buffer = Self::new(device, op, T::DTYPE, elements.len())?;
        buffer.write(op, bytemuck::cast_slice(elements))?;
        Ok(buffer)
    }

    /// Fills the buffer from its start.
    fn write(&self, op: &'static str, bytes: &[u8]) -> Result<()> {
        let device = self.device();
        let mut at = 0;
        for chunk in bytes.chunks(CHUNK as usize) {
            // Copies move whole words; the buffer is padded to more.
            let size = (chunk.len() as u64).next_multiple_of(4);
            let staging = device.upload_staging(size).ok_or(Error::OutOfMemory { op, bytes: chunk.len() })?;
            match staging.get_mapped_range_mut(..size) {
                Ok(mut mapped) => mapped.slice(..chunk.len()).copy_from_slice(chunk),
                Err(error) => return device.refuse(op, error.to_string()),
            }
            staging.unmap();
            let mut recorder = device.recorder();
            recorder.upload(&device.shared, staging, (&self.raw().buffer, at), size);
            if bytes.len() as u64 > CHUNK {
                recorder.submit_ready(&device.shared);
            }
            at += size;
        }
        count(&device.shared.counters.uploads, 1);
        count(&device.shared.counters.uploaded_bytes, bytes.len() as u64);
        device.check(op)
    }
}
