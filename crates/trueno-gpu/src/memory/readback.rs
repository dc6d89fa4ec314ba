//! From the device to the host.

#[cfg(not(target_arch = "wasm32"))]
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

use bytemuck::CheckedBitPattern;
use trueno_core::{Element, Error, Result};
use wgpu::MapMode;

use super::Buffer;
use super::pieces::PIECE;
#[cfg(not(target_arch = "wasm32"))]
use super::pieces::copy_pieces;
use crate::device::{Device, count, lock};
use crate::record::{FAULT_BYTES, read_fault};

/// A copy to the host that is under way. Await it, or where a thread may wait, call [`Readback::wait`].
#[derive(Debug)]
pub struct Readback<T> {
    op: &'static str,
    device: Device,
    chunks: std::vec::IntoIter<Chunk>,
    elements: Vec<T>,
    /// What went wrong before the copy began.
    failed: Option<Error>,
}

/// A piece of the value in a staging buffer.
#[derive(Debug)]
struct Chunk {
    staging: wgpu::Buffer,
    bytes: u64,
    /// Whether the device's note of what was wrong follows the elements.
    noted: bool,
    mapping: Arc<Mapping>,
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "browsers cannot wait for a submission"))]
    submission: Option<wgpu::SubmissionIndex>,
}

/// Whether a staging buffer can be read yet. Callbacks run in whichever thread lets the device call them.
#[derive(Debug, Default)]
struct Mapping {
    state: Mutex<Arrival>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Arrival {
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

impl Mapping {
    fn finish(&self, result: Result<(), String>) {
        let mut state = lock(&self.state);
        state.result = Some(result);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        self.arrived.notify_all();
    }

    /// Waits for the callback of work that is done: another thread may have taken it on, and not come to it yet.
    #[cfg(not(target_arch = "wasm32"))]
    fn wait(&self) {
        let state = lock(&self.state);
        let wait = self.arrived.wait_timeout_while(state, PATIENCE, |state| state.result.is_none());
        drop(wait.unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// How long the callback of a copy that is done is waited for before the driver is said to have lost it.
#[cfg(not(target_arch = "wasm32"))]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

impl Buffer {
    /// Starts copying the elements to the host, after everything recorded so far.
    ///
    /// What goes wrong shows where the copy is awaited.
    pub fn download<T: Element + CheckedBitPattern>(&self, op: &'static str) -> Readback<T> {
        let device = self.device().clone();
        let (chunks, failed) = match self.start::<T>(op) {
            Ok(chunks) => (chunks, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Readback { op, device, chunks: chunks.into_iter(), elements: Vec::with_capacity(self.len()), failed }
    }

    fn start<T: Element>(&self, op: &'static str) -> Result<Vec<Chunk>> {
        if T::DTYPE != self.dtype() {
            let expected = format!("the elements are {}", self.dtype()).into();
            return Err(Error::DType { op, got: T::DTYPE, expected });
        }
        let device = self.device();
        let mut chunks = Vec::new();
        let total = self.bytes();
        for at in (0..total).step_by(PIECE as usize) {
            let bytes = PIECE.min(total - at);
            let size = bytes.next_multiple_of(4);
            let note = device.shared.fault.armed().filter(|_| at + bytes == total);
            let room = size + note.map_or(0, |_| FAULT_BYTES);
            let staging = device.download_staging(room).ok_or(Error::OutOfMemory { op, bytes: bytes as usize })?;
            let mut recorder = device.recorder();
            recorder.download(&device.shared, (&self.raw().buffer, at), (&staging, 0), size);
            if let Some(note) = note {
                recorder.download(&device.shared, (note, 0), (&staging, size), FAULT_BYTES);
            }
            let submission = recorder.submit(&device.shared);
            drop(recorder);
            let mapping = Arc::new(Mapping::default());
            let shared = Arc::clone(&mapping);
            let finish = move |result: Result<(), wgpu::BufferAsyncError>| {
                shared.finish(result.map_err(|error| error.to_string()));
            };
            staging.map_async(MapMode::Read, ..room, finish);
            chunks.push(Chunk { staging, bytes, noted: note.is_some(), mapping, submission });
        }
        count(&device.shared.counters.downloads, 1);
        count(&device.shared.counters.downloaded_bytes, total);
        device.check(op)?;
        Ok(chunks)
    }
}

impl<T: Element + CheckedBitPattern> Readback<T> {
    /// Takes a piece that has arrived.
    fn take(&self, chunk: Chunk, sink: impl FnOnce(&[T])) -> Result<()> {
        let arrived = lock(&chunk.mapping.state).result.take();
        match arrived {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                self.device.check(self.op)?;
                return self.device.refuse(self.op, reason);
            }
            None => return self.device.refuse(self.op, "the driver did not finish the copy"),
        }
        let size = chunk.bytes.next_multiple_of(4);
        let fault = match chunk.staging.get_mapped_range(..size + if chunk.noted { FAULT_BYTES } else { 0 }) {
            Ok(mapped) => match bytemuck::checked::try_cast_slice(&mapped[..chunk.bytes as usize]) {
                Ok(elements) => {
                    sink(elements);
                    read_fault(&bytemuck::pod_collect_to_vec::<u8, u32>(&mapped[size as usize..]))
                }
                Err(error) => return self.device.refuse(self.op, format!("{} came back: {error}", T::DTYPE)),
            },
            Err(error) => return self.device.refuse(self.op, error.to_string()),
        };
        chunk.staging.unmap();
        self.device.put_download_staging(chunk.staging);
        match fault {
            Some(error) => {
                self.device.recorder().forget_fault(&self.device.shared);
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// The elements, waited for.
    ///
    /// # Errors
    /// [`Error::Device`] for what went wrong on the device, [`Error::OutOfMemory`], [`Error::DType`] if `T` is not the
    /// buffer's type, or [`Error::Index`] for a position or label outside its axis that a kernel has met since something was last
    /// read back: what came after it is not to be trusted.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(mut self) -> Result<Vec<T>> {
        let mut elements = std::mem::take(&mut self.elements);
        let length = self.length();
        self.collect(&mut elements.spare_capacity_mut()[..length])?;
        // SAFETY: the buffer's elements, for which the vector was made with room, have all been written.
        unsafe { elements.set_len(length) };
        Ok(elements)
    }

    /// The elements, waited for and copied into memory of the caller's: where that is used again, no page of it is new.
    ///
    /// # Errors
    /// As [`Readback::wait`]; [`Error::Argument`] if `out` is not as long as the value.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait_into(mut self, out: &mut [T]) -> Result<()> {
        let length = self.length();
        if self.failed.is_none() && length != out.len() {
            let reason = format!("{} elements do not go into {}", length, out.len()).into();
            return Err(Error::Argument { op: self.op, reason });
        }
        // SAFETY: the layout is the same, elements need no drop, and `collect` writes nothing but elements.
        let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<T>]) };
        self.collect(out)
    }

    /// The number of elements that are under way.
    #[cfg(not(target_arch = "wasm32"))]
    fn length(&self) -> usize {
        self.chunks.as_slice().iter().map(|chunk| chunk.bytes as usize).sum::<usize>() / size_of::<T>()
    }

    /// Waits for every piece and writes all of `out`, which is as long as they are together, unless there is an error.
    #[cfg(not(target_arch = "wasm32"))]
    fn collect(&mut self, out: &mut [MaybeUninit<T>]) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut rest = out;
        let mut pieces = Vec::with_capacity(self.chunks.len());
        for chunk in &mut self.chunks {
            let (part, left) = std::mem::take(&mut rest).split_at_mut(chunk.bytes as usize / size_of::<T>());
            pieces.push((chunk, part));
            rest = left;
        }
        copy_pieces(pieces, |(chunk, part)| {
            self.arrive(&chunk)?;
            self.take(chunk, |piece| _ = part.write_copy_of_slice(piece))
        })?;
        self.device.check(self.op)
    }

    /// Waits until a piece can be read.
    #[cfg(not(target_arch = "wasm32"))]
    fn arrive(&self, chunk: &Chunk) -> Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: chunk.submission.clone(), timeout: None };
        if let Err(error) = self.device.shared.raw.poll(wait) {
            self.device.check(self.op)?;
            return self.device.refuse(self.op, error.to_string());
        }
        chunk.mapping.wait();
        Ok(())
    }
}

impl<T: Element + CheckedBitPattern + Unpin> Future for Readback<T> {
    type Output = Result<Vec<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Err(error));
        }
        while let Some(chunk) = this.chunks.as_slice().first() {
            // Outside browsers nobody else lets the device's callbacks run.
            let native = !cfg!(target_arch = "wasm32");
            if native {
                _ = this.device.shared.raw.poll(wgpu::PollType::Poll);
            }
            let mut mapping = lock(&chunk.mapping.state);
            if mapping.result.is_none() {
                if native {
                    context.waker().wake_by_ref();
                } else {
                    mapping.waker = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
            drop(mapping);
            let Some(chunk) = this.chunks.next() else { break };
            let mut elements = std::mem::take(&mut this.elements);
            if let Err(error) = this.take(chunk, |piece| elements.extend_from_slice(piece)) {
                return Poll::Ready(Err(error));
            }
            this.elements = elements;
        }
        Poll::Ready(this.device.check(this.op).map(|()| std::mem::take(&mut this.elements)))
    }
}
