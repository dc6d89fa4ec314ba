//! Host-visible buffers that stay mapped while they wait, and are used again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use wgpu::{BufferUsages, MapMode};

use super::pool::{create_buffer, size_class};
use crate::device::{Device, count, lock};

/// Bytes of staging buffers for uploads beyond which the host waits for the device.
const MOST_UPLOADING: u64 = 128 << 20;

/// Staging buffers of a device that nobody uses.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    /// Mapped for writing.
    uploads: BTreeMap<u64, Vec<wgpu::Buffer>>,
    /// Not mapped.
    downloads: BTreeMap<u64, Vec<wgpu::Buffer>>,
    /// Upload buffers that the device is done with, put here by its callbacks.
    returned: Arc<Mutex<Vec<wgpu::Buffer>>>,
    uploading_bytes: u64,
}

impl Staging {
    /// Takes back what the device is done with.
    fn collect(&mut self) {
        for buffer in lock(&self.returned).drain(..) {
            self.uploads.entry(buffer.size()).or_default().push(buffer);
        }
    }

    /// Drops what is not in use.
    pub fn trim(&mut self) {
        self.collect();
        let free: u64 = self.uploads.iter().map(|(class, buffers)| class * buffers.len() as u64).sum();
        self.uploading_bytes -= free;
        self.uploads.clear();
        self.downloads.clear();
    }

    /// What makes a buffer mapped again once the device has read it; to be called after its submission.
    pub fn recycle(&self, buffers: &mut Vec<wgpu::Buffer>) {
        for buffer in buffers.drain(..) {
            let (returned, handle) = (Arc::clone(&self.returned), buffer.clone());
            buffer.map_async(MapMode::Write, .., move |mapped| {
                if mapped.is_ok() {
                    lock(&returned).push(handle);
                }
            });
        }
    }
}

impl Device {
    /// A buffer mapped for writing of at least `bytes`, or nothing if there is no memory for one.
    pub(super) fn upload_staging(&self, bytes: u64) -> Option<wgpu::Buffer> {
        let class = size_class(bytes);
        for attempt in 0..3 {
            let mut staging = lock(&self.shared.staging);
            staging.collect();
            if let Some(buffer) = staging.uploads.get_mut(&class).and_then(Vec::pop) {
                return Some(buffer);
            }
            let full = staging.uploading_bytes + class > MOST_UPLOADING;
            if attempt == 2 || (attempt == 1 && !full) {
                staging.uploading_bytes += class;
                drop(staging);
                count(&self.shared.counters.buffers, 1);
                let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
                return create_buffer(&self.shared.raw, class, usage, true);
            }
            drop(staging);
            self.reclaim(full && attempt == 1);
        }
        None
    }

    /// Lets the device's callbacks run, after waiting for it if that is needed and possible.
    fn reclaim(&self, wait: bool) {
        #[cfg(not(target_arch = "wasm32"))]
        if wait {
            self.recorder().submit(&self.shared);
            // A failure shows where the caller next asks for one.
            _ = self.shared.raw.poll(wgpu::PollType::wait_indefinitely());
            return;
        }
        _ = wait;
        _ = self.shared.raw.poll(wgpu::PollType::Poll);
    }

    /// A buffer to read back through, of at least `bytes`, or nothing if there is no memory for one.
    pub(super) fn download_staging(&self, bytes: u64) -> Option<wgpu::Buffer> {
        let class = size_class(bytes);
        if let Some(buffer) = lock(&self.shared.staging).downloads.get_mut(&class).and_then(Vec::pop) {
            return Some(buffer);
        }
        count(&self.shared.counters.buffers, 1);
        create_buffer(&self.shared.raw, class, BufferUsages::MAP_READ | BufferUsages::COPY_DST, false)
    }

    /// Takes back a buffer that was read.
    pub(super) fn put_download_staging(&self, buffer: wgpu::Buffer) {
        lock(&self.shared.staging).downloads.entry(buffer.size()).or_default().push(buffer);
    }
}
