//! Devices: which there are, and one that is open.

mod cache;
mod failure;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod open;
mod selector;
mod stats;
#[cfg(test)]
mod tests;

pub use open::Options;
pub use selector::Selector;
pub use stats::Stats;

pub(crate) use failure::Failure;
pub(crate) use stats::{Counters, count};

use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trueno_core::{Error, Result};

use crate::memory::{Constants, Pool, Staging};
use crate::record::{Fault, Pipelines, Profiler, Recorder, Timing};
use crate::tuning::Tuning;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use cache::replace;
pub(crate) use cache::{PipelineCache, content};

/// What sort of processor a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// A card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU lent by a hypervisor.
    Virtual,
    /// The driver does not say.
    Other,
    /// A program that behaves like a GPU.
    Software,
}

/// A device that could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name, as the driver gives it.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Its PCI bus id, where the driver tells.
    pub pci_bus_id: String,
    /// The driver and its version.
    pub driver: String,
    /// The interface through which it is reached: `Vulkan`, `Metal`, `Dx12` or `BrowserWebGpu`.
    pub backend: &'static str,
}

impl Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.backend)?;
        if !self.pci_bus_id.is_empty() {
            write!(f, ", {}", self.pci_bus_id)?;
        }
        f.write_str(")")
    }
}

/// What an open device can do beyond the least that Trueno needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether shaders have `f16` as a type. (Storing it needs no feature.)
    pub f16: bool,
    /// Whether shaders compute in `i64`. (Storing, comparing and casting it needs no feature.)
    pub i64: bool,
    /// Whether shaders compute in `f64`, for which they need `i64` as well. (Storing, comparing and casting it needs no feature.)
    pub f64: bool,
    /// Whether threads of a subgroup can exchange values.
    pub subgroups: bool,
    /// Whether there are 16 x 16 cooperative matrices of `f16` that accumulate in `f32`.
    pub cooperative_f16: bool,
    /// Threads of a subgroup, at least.
    pub subgroup_min: u32,
    /// Bytes of memory that a workgroup shares.
    pub workgroup_bytes: u32,
    /// Bytes of the largest buffer that a shader can see.
    pub binding_bytes: u64,
    /// Workgroups along one axis of a dispatch, at most.
    pub groups_per_axis: u32,
    /// The most buffers that one kernel reads and writes.
    pub buffers_per_kernel: u32,
}

/// An open GPU: memory, compiled pipelines and commands that wait to be submitted. Clones are handles to the same.
///
/// Operations only record; work is handed over in batches, and waited for where values are read back.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) shared: Arc<Shared>,
}

/// What handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub info: DeviceInfo,
    pub capabilities: Capabilities,
    pub raw: wgpu::Device,
    pub queue: wgpu::Queue,
    pub failure: Failure,
    pub counters: Counters,
    pub pipelines: Pipelines,
    pub fault: Fault,
    pub cache: Option<PipelineCache>,
    pub tuning: Mutex<Tuning>,
    /// With [`Options::profile`], where the device has a clock.
    pub profiler: Option<Mutex<Profiler>>,
    recorder: Mutex<Recorder>,
    pool: Mutex<Pool>,
    pub constants: Mutex<Constants>,
    pub staging: Mutex<Staging>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pipelines.compiler.close();
        if let Some(cache) = &self.cache {
            cache.save_last(self.counters.pipelines());
        }
    }
}

/// Locks, also after a panic of another thread: what is guarded is consistent between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// What this device is.
    pub fn info(&self) -> &DeviceInfo {
        &self.shared.info
    }

    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        let pool = self.pool();
        let compiling = self.shared.pipelines.compiler.unfinished() as u64;
        Stats { pool_bytes: pool.held(), used_bytes: pool.used(), compiling, ..self.shared.counters.snapshot() }
    }

    /// What each kernel took since this was last asked, the longest first, and every reading begins anew. Empty without
    /// [`Options::profile`], or where the device has no clock that can be read between kernels.
    pub fn timings(&self) -> Vec<Timing> {
        self.recorder().submit(&self.shared);
        let Some(profiler) = &self.shared.profiler else { return Vec::new() };
        let totals = lock(profiler).take();
        self.shared.pipelines.timings(&totals, f64::from(self.shared.queue.get_timestamp_period()) * 1e-9)
    }

    /// Hands recorded work to the device without waiting for it, but for kernels that are still compiled.
    ///
    /// # Errors
    /// [`Error::Device`] for what the driver has found wrong since it was last asked.
    pub fn submit(&self) -> Result<()> {
        self.recorder().submit(&self.shared);
        self.check("submit")
    }

    /// Gives memory that no value occupies back to the driver.
    pub fn trim(&self) {
        let mut recorder = self.recorder();
        recorder.submit(&self.shared);
        // Bind groups keep buffers alive.
        recorder.forget_bindings();
        self.pool().trim();
        lock(&self.shared.staging).trim();
    }

    /// Limits the bytes of device memory that values and the pool may occupy together.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.pool().set_limit(bytes);
    }

    /// Ends the device at once, as a crash of the driver would; every later operation is an [`Error::Device`].
    pub fn destroy(&self) {
        self.shared.failure.lose("it was destroyed".into());
        self.recorder().abandon();
        self.shared.raw.destroy();
    }

    /// The error that the driver has reported since someone last asked.
    pub(crate) fn check(&self, op: &'static str) -> Result<()> {
        self.shared.failure.check(op, &self.shared.info.name)
    }

    /// Something that this device cannot do.
    pub(crate) fn refuse<T>(&self, op: &'static str, reason: impl Into<String>) -> Result<T> {
        Err(Error::Device { op, device: self.shared.info.name.clone(), reason: reason.into() })
    }

    /// Held before the pool, never after it.
    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.shared.recorder)
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        lock(&self.shared.pool)
    }

    /// Whether two handles are of one device.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// Handles are equal if they are of one open device.
impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Device {}

impl Hash for Device {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.shared).hash(state);
    }
}
