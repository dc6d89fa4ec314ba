//! What a device has done so far, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a device since it was opened. Tests and users read them to see what a program really does:
/// a training step in steady state creates no pipeline and no buffer, and moves only what it was asked to move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Command buffers handed to the queue.
    pub submissions: u64,
    /// Shader dispatches recorded.
    pub dispatches: u64,
    /// Copies from the host.
    pub uploads: u64,
    /// Copies to the host.
    pub downloads: u64,
    /// Bytes copied from the host.
    pub uploaded_bytes: u64,
    /// Bytes copied to the host.
    pub downloaded_bytes: u64,
    /// Kernels that were asked for; each is compiled once.
    pub pipelines: u64,
    /// Kernels that are being compiled now. Threads of their own do that while operations are recorded; reading back waits.
    pub compiling: u64,
    /// Buffers created, for values and for staging.
    pub buffers: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Bytes of device memory that the pool holds, in use or free.
    pub pool_bytes: u64,
    /// Bytes of the pool that live values occupy.
    pub used_bytes: u64,
}

/// The counters that are not read from the pool.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub submissions: AtomicU64,
    pub dispatches: AtomicU64,
    pub uploads: AtomicU64,
    pub downloads: AtomicU64,
    pub uploaded_bytes: AtomicU64,
    pub downloaded_bytes: AtomicU64,
    pub pipelines: AtomicU64,
    pub buffers: AtomicU64,
    pub bind_groups: AtomicU64,
}

/// Adds to a counter. They order nothing, so that no barrier is needed.
pub(crate) fn count(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Counters {
    /// Kernels asked for so far.
    pub fn pipelines(&self) -> u64 {
        self.pipelines.load(Ordering::Relaxed)
    }

    /// The counters; what is held by others is 0.
    pub fn snapshot(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            submissions: read(&self.submissions),
            dispatches: read(&self.dispatches),
            uploads: read(&self.uploads),
            downloads: read(&self.downloads),
            uploaded_bytes: read(&self.uploaded_bytes),
            downloaded_bytes: read(&self.downloaded_bytes),
            pipelines: read(&self.pipelines),
            buffers: read(&self.buffers),
            bind_groups: read(&self.bind_groups),
            ..Stats::default()
        }
    }
}
