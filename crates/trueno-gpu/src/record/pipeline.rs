//! Compiled shaders, each once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use trueno_core::Result;
use wgpu::{BindingType, BufferBindingType, ErrorFilter, ShaderStages};

use super::Program;
use super::profile::{Timing, Total};
use crate::device::{Device, PipelineCache, count, lock};

/// Bytes of scalars that a dispatch carries: the most that every driver has.
pub(crate) const IMMEDIATE_BYTES: u32 = 128;

/// A shader before it is compiled.
pub(crate) struct Shader {
    /// WGSL with an entry point `main`.
    pub text: String,
    /// How many buffers it reads; their bindings come first.
    pub reads: u32,
    /// How many buffers it writes.
    pub writes: u32,
}

/// A compiled shader.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub id: u32,
    pub raw: wgpu::ComputePipeline,
    pub layout: Arc<BindingLayout>,
}

/// The buffers of a pipeline: some read, then some written.
#[derive(Debug)]
pub(crate) struct BindingLayout {
    pub id: u32,
    pub group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// The pipelines of a device.
#[derive(Debug)]
pub(crate) struct Pipelines {
    compiled: RwLock<HashMap<Program, Arc<Pipeline>>>,
    layouts: Mutex<HashMap<(u32, u32), Arc<BindingLayout>>>,
    created: AtomicU32,
}

impl Pipelines {
    pub fn new() -> Self {
        Self { compiled: RwLock::default(), layouts: Mutex::default(), created: AtomicU32::new(0) }
    }

    /// The pipeline of a program, compiled when it is first asked for.
    pub fn get(&self, device: &Device, op: &'static str, program: &Program) -> Result<Arc<Pipeline>> {
        let known = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(program).cloned();
        if let Some(pipeline) = known {
            return Ok(pipeline);
        }
        let pipeline = Arc::new(self.compile(device, op, program)?);
        count(&device.shared.counters.pipelines, 1);
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(compiled.entry(program.clone()).or_insert(pipeline)))
    }

    /// What pipelines took, by the ticks of their dispatches; the longest first.
    pub fn timings(&self, totals: &HashMap<u32, Total>, seconds_per_tick: f64) -> Vec<Timing> {
        let compiled = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        let timed = compiled.iter().filter_map(|(program, pipeline)| Some((program, totals.get(&pipeline.id)?)));
        let timing = |(program, total): (&Program, &Total)| Timing {
            kernel: format!("{program:?}"),
            calls: total.calls,
            groups: total.groups,
            seconds: total.ticks as f64 * seconds_per_tick,
        };
        let mut timings: Vec<Timing> = timed.map(timing).collect();
        timings.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        timings
    }

    fn compile(&self, device: &Device, op: &'static str, program: &Program) -> Result<Pipeline> {
        let raw = &device.shared.raw;
        let shader = program.shader();
        let layout = self.layout(raw, shader.reads, shader.writes);
        let scope = raw.push_error_scope(ErrorFilter::Validation);
        let descriptor =
            wgpu::ShaderModuleDescriptor { label: Some(op), source: wgpu::ShaderSource::Wgsl(Cow::Owned(shader.text)) };
        let mut checks = wgpu::ShaderRuntimeChecks::checked();
        checks.bounds_checks = false;
        checks.force_loop_bounding = false;
        checks.int_div_checks = false;
        // SAFETY: every index of a shader of this crate is a grid position below a count, or comes from a layout that
        // `View::new` proved to lie inside its buffer, or (positions that are data, and what lies past an edge) is clamped by
        // the shader itself: to a place inside, or to 0, which the least buffer of the pool has.
        // Loops count to bounds, and nothing divides by a size of 0: empty values launch nothing.
        let module = unsafe { raw.create_shader_module_trusted(descriptor, checks) };
        let pipeline = raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(op),
            layout: Some(&layout.pipeline),
            module: &module,
            entry_point: Some("main"),
            // Shaders write workgroup memory before they read it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: device.shared.cache.as_ref().map(PipelineCache::raw),
        });
        // Known at once but in browsers, where the device's own handler hears of it later.
        if let Poll::Ready(Some(error)) = pin!(scope.pop()).poll(&mut Context::from_waker(Waker::noop())) {
            return device.refuse(op, format!("its driver refuses the shader: {error}"));
        }
        device.check(op)?;
        Ok(Pipeline { id: self.next(), raw: pipeline, layout })
    }

    fn layout(&self, raw: &wgpu::Device, reads: u32, writes: u32) -> Arc<BindingLayout> {
        let make = || {
            let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..reads + writes)
                .map(|binding| wgpu::BindGroupLayoutEntry {
                    binding,
                    visibility: ShaderStages::COMPUTE,
                    ty: BindingType::Buffer {
                        ty: BufferBindingType::Storage { read_only: binding < reads },
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                })
                .collect();
            let group =
                raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
            let pipeline = raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&group)],
                immediate_size: IMMEDIATE_BYTES,
            });
            Arc::new(BindingLayout { id: self.next(), group, pipeline })
        };
        Arc::clone(lock(&self.layouts).entry((reads, writes)).or_insert_with(make))
    }

    fn next(&self) -> u32 {
        self.created.fetch_add(1, Ordering::Relaxed)
    }
}
