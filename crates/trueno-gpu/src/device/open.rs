//! From a name to an open device. Everything here is asynchronous, since browsers have no other form.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use trueno_core::{Error, Result};
use wgpu::{Backends, CooperativeScalarType, DeviceType, Features};

use super::cache::{self, PipelineCache};
use super::{Capabilities, Counters, Device, DeviceInfo, DeviceKind, Failure, Selector, Shared};
use crate::memory::{Constants, Pool, Staging};
use crate::record::{Fault, IMMEDIATE_BYTES, Pipelines, Profiler, Recorder};
use crate::tuning::Tuning;

/// How a device is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of device memory that may be occupied; no limit but the card's if absent.
    pub memory_limit: Option<u64>,
    /// Whether cooperative matrices are used where they exist. `TRUENO_COOP=0` turns them off.
    pub cooperative: bool,
    /// Whether shaders compute in 64 bits where the adapter can.
    pub wide: bool,
    /// The directory that keeps what [`Device::tune`] has measured, and compiled pipelines from one run of a program to the next, where the driver can give them; without
    /// one they are compiled in every run. `TRUENO_CACHE` names another than `trueno` in the user's cache directory, and
    /// `TRUENO_CACHE=0` turns it off.
    pub cache: Option<PathBuf>,
    /// Whether the device's clock is read around every kernel, for [`Device::timings`]. Batches are then waited for.
    /// `TRUENO_PROFILE=1` turns it on.
    pub profile: bool,
}

impl Default for Options {
    fn default() -> Self {
        let cooperative = std::env::var("TRUENO_COOP").map_or(true, |value| value != "0");
        let profile = std::env::var("TRUENO_PROFILE").is_ok_and(|value| value == "1");
        Self { memory_limit: None, cooperative, wide: true, cache: cache::directory(), profile }
    }
}

/// What is used where the adapter has it. Only immediates are needed.
const WANTED: Features = Features::IMMEDIATES
    .union(Features::SHADER_F16)
    .union(Features::SUBGROUP)
    .union(Features::PIPELINE_CACHE)
    .union(Features::EXPERIMENTAL_COOPERATIVE_MATRIX);

/// What arithmetic of 64 bits needs.
const WIDE: Features = Features::SHADER_INT64.union(Features::SHADER_F64);

/// What the clock around kernels needs.
const CLOCK: Features = Features::TIMESTAMP_QUERY.union(Features::TIMESTAMP_QUERY_INSIDE_PASSES);

impl Device {
    /// The devices of this machine, best first: the order that [`Selector::Index`] counts.
    pub async fn list_async() -> Vec<DeviceInfo> {
        adapters().await.into_iter().map(|(info, _)| info).collect()
    }

    /// Opens a device.
    ///
    /// # Errors
    /// [`Error::Device`] if there is none of that name, or its driver refuses.
    pub async fn open_async(selector: &Selector, options: &Options) -> Result<Device> {
        let adapters = adapters().await;
        let list: Vec<DeviceInfo> = adapters.iter().map(|(info, _)| info.clone()).collect();
        let (info, adapter) = &adapters[selector.find(&list)?];
        let refused = |reason: String| Error::Device { op: "device", device: info.name.clone(), reason };
        let limits = adapter.limits();
        if !adapter.features().contains(Features::IMMEDIATES) || limits.max_immediate_size < IMMEDIATE_BYTES {
            return Err(refused("its driver has no immediates of 128 bytes, which every kernel needs".into()));
        }
        let features = features(adapter, options);
        let experimental_features = if features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            // SAFETY: the token promises that the caller knows the feature may be unsound in unusual use. The only
            // shaders that use it are made from `units.wgsl`, whose bounds the host has proved.
            unsafe { wgpu::ExperimentalFeatures::enabled() }
        } else {
            wgpu::ExperimentalFeatures::disabled()
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("trueno"),
            required_features: features,
            required_limits: limits.clone(),
            experimental_features,
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let (raw, queue) = adapter.request_device(&descriptor).await.map_err(|error| refused(error.to_string()))?;
        let cache = options.cache.as_deref().filter(|_| features.contains(Features::PIPELINE_CACHE));
        let cache = cache.and_then(|directory| PipelineCache::open(&raw, &adapter.get_info(), directory));
        let tuning = Tuning::open(&adapter.get_info(), options.cache.as_deref());
        let profiler = features.contains(CLOCK).then(|| Profiler::new(&raw)).flatten();
        let capabilities = Capabilities {
            f16: features.contains(Features::SHADER_F16),
            i64: features.contains(Features::SHADER_INT64),
            f64: features.contains(WIDE),
            subgroups: features.contains(Features::SUBGROUP),
            cooperative_f16: features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
            subgroup_min: adapter.get_info().subgroup_min_size,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            groups_per_axis: limits.max_compute_workgroups_per_dimension,
            buffers_per_kernel: limits.max_storage_buffers_per_shader_stage,
        };
        let shared = Shared {
            info: info.clone(),
            failure: Failure::watch(&raw),
            counters: Counters::default(),
            pipelines: Pipelines::default(),
            fault: Fault::new(&raw).ok_or_else(|| refused("it has no memory left".into()))?,
            cache,
            tuning: Mutex::new(tuning),
            profiler: profiler.map(Mutex::new),
            recorder: Mutex::new(Recorder::default()),
            pool: Mutex::new(Pool::new(options.memory_limit.unwrap_or(u64::MAX))),
            constants: Mutex::new(Constants::default()),
            staging: Mutex::new(Staging::default()),
            capabilities,
            raw,
            queue,
        };
        Ok(Device { shared: Arc::new(shared) })
    }
}

/// The features to ask for: cooperative matrices only in the one form that is used.
fn features(adapter: &wgpu::Adapter, options: &Options) -> Features {
    let mut wanted = WANTED;
    wanted.set(CLOCK, options.profile);
    wanted.set(WIDE, options.wide);
    let mut features = adapter.features() & wanted;
    let fits = adapter.cooperative_matrix_properties().iter().any(|matrix| {
        (matrix.m_size, matrix.n_size, matrix.k_size) == (16, 16, 16)
            && matrix.ab_type == CooperativeScalarType::F16
            && matrix.cr_type == CooperativeScalarType::F32
    });
    if !(fits && options.cooperative && features.contains(Features::SHADER_F16)) {
        features.remove(Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
    }
    features
}

/// Every adapter, best first.
async fn adapters() -> Vec<(DeviceInfo, wgpu::Adapter)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::PRIMARY;
    // No validation layers: what reaches the driver was validated by wgpu.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let found = instance.enumerate_adapters(Backends::PRIMARY).await;
    let mut adapters: Vec<_> = found.into_iter().map(|adapter| (describe(&adapter.get_info()), adapter)).collect();
    // Stable, so that equals keep the driver's order.
    adapters.sort_by_key(|(info, _)| info.kind);
    adapters
}

fn describe(info: &wgpu::AdapterInfo) -> DeviceInfo {
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => DeviceKind::Discrete,
        DeviceType::IntegratedGpu => DeviceKind::Integrated,
        DeviceType::VirtualGpu => DeviceKind::Virtual,
        DeviceType::Other => DeviceKind::Other,
        DeviceType::Cpu => DeviceKind::Software,
    };
    let driver = format!("{} {}", info.driver, info.driver_info).trim().into();
    let (name, pci_bus_id) = (info.name.clone(), info.device_pci_bus_id.clone());
    DeviceInfo { name, kind, pci_bus_id, driver, backend: info.backend.to_str() }
}
