//! From the host to the device.

use bytemuck::NoUninit;
use trueno_core::{Element, Error, Result};

use super::Buffer;
use super::pieces::{PIECE, copy_pieces};
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
        let pieces = bytes.chunks(PIECE as usize).zip((0..).step_by(PIECE as usize)).collect();
        copy_pieces(pieces, |(piece, at)| self.write_piece(op, piece, at, bytes.len() as u64 > PIECE))?;
        count(&device.shared.counters.uploads, 1);
        count(&device.shared.counters.uploaded_bytes, bytes.len() as u64);
        device.check(op)
    }

    /// Writes a piece at a byte. One of several is handed to the device at once, which reads it while the next is written.
    fn write_piece(&self, op: &'static str, piece: &[u8], at: u64, of_several: bool) -> Result<()> {
        let device = self.device();
        // Copies move whole words; the buffer is padded to more.
        let size = (piece.len() as u64).next_multiple_of(4);
        let staging = device.upload_staging(size).ok_or(Error::OutOfMemory { op, bytes: piece.len() })?;
        match staging.get_mapped_range_mut(..size) {
            Ok(mut mapped) => mapped.slice(..piece.len()).copy_from_slice(piece),
            Err(error) => return device.refuse(op, error.to_string()),
        }
        staging.unmap();
        let mut recorder = device.recorder();
        recorder.upload(&device.shared, staging, (&self.raw().buffer, at), size);
        if of_several {
            recorder.submit_ready(&device.shared);
        }
        Ok(())
    }
}
