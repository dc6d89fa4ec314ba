//! Compiled shaders, each once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll, Waker};

use trueno_core::Result;
use wgpu::{BindingType, BufferBindingType, ErrorFilter, ShaderStages};

use super::Program;
use super::compile::{Compiler, Job};
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

/// A shader that is compiled, or is being compiled.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub id: u32,
    pub layout: Arc<BindingLayout>,
    /// What the driver made of it, or has against it.
    compiled: OnceLock<Result<wgpu::ComputePipeline, String>>,
}

impl Pipeline {
    pub fn is_ready(&self) -> bool {
        self.compiled.get().is_some()
    }

    /// The driver's pipeline, or what it has against the shader, once that is known.
    pub fn compiled(&self) -> Option<Result<&wgpu::ComputePipeline, &String>> {
        self.compiled.get().map(Result::as_ref)
    }

    pub(super) fn finish(&self, result: Result<wgpu::ComputePipeline, String>) {
        // Only its one job finishes it.
        _ = self.compiled.set(result);
    }
}

/// The buffers of a pipeline: some read, then some written.
#[derive(Debug)]
pub(crate) struct BindingLayout {
    pub id: u32,
    pub group: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// The pipelines of a device.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    /// Every program that was asked for.
    known: RwLock<HashMap<Program, Arc<Pipeline>>>,
    layouts: Mutex<HashMap<(u32, u32), Arc<BindingLayout>>>,
    created: AtomicU32,
    pub compiler: Compiler,
}

impl Pipelines {
    /// The pipeline of a program, which may still be compiled: it is begun when it is first asked for.
    ///
    /// What the driver has against a shader is the error of this call if it is known by now, and else of the device's next check after
    /// the dispatch was found to have no pipeline.
    pub fn get(&self, device: &Device, op: &'static str, program: &Program) -> Result<Arc<Pipeline>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(program).cloned();
        let pipeline = known.unwrap_or_else(|| self.start(device, op, program));
        match pipeline.compiled() {
            Some(Err(reason)) => device.refuse(op, reason),
            Some(Ok(_)) | None => Ok(pipeline),
        }
    }

    /// What pipelines took, by the ticks of their dispatches; the longest first.
    pub fn timings(&self, totals: &HashMap<u32, Total>, seconds_per_tick: f64) -> Vec<Timing> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let timed = known.iter().filter_map(|(program, pipeline)| Some((program, totals.get(&pipeline.id)?)));
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

    /// A pipeline that nobody compiles yet.
    #[cfg(test)]
    pub fn placeholder(&self, raw: &wgpu::Device) -> Arc<Pipeline> {
        self.pending(raw, 0, 1)
    }

    fn pending(&self, raw: &wgpu::Device, reads: u32, writes: u32) -> Arc<Pipeline> {
        let layout = self.layout(raw, reads, writes);
        Arc::new(Pipeline { id: self.next(), layout, compiled: OnceLock::new() })
    }

    /// Begins to compile a program, unless another thread has meanwhile.
    fn start(&self, device: &Device, op: &'static str, program: &Program) -> Arc<Pipeline> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = known.get(program) {
            return Arc::clone(pipeline);
        }
        let shader = program.shader();
        let pipeline = self.pending(&device.shared.raw, shader.reads, shader.writes);
        known.insert(program.clone(), Arc::clone(&pipeline));
        count(&device.shared.counters.pipelines, 1);
        // Not the device itself, which waits for this when it goes.
        let (raw, cache) = (device.shared.raw.clone(), device.shared.cache.as_ref().map(PipelineCache::raw).cloned());
        let layout = Arc::clone(&pipeline.layout);
        let work = move || compile(&raw, op, shader.text, &layout, cache.as_ref());
        self.compiler.start(Job { pipeline: Arc::clone(&pipeline), work: Box::new(work) });
        pipeline
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

/// Has the driver make a pipeline of a shader.
fn compile(
    raw: &wgpu::Device,
    op: &'static str,
    text: String,
    layout: &BindingLayout,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<wgpu::ComputePipeline, String> {
    let scope = raw.push_error_scope(ErrorFilter::Validation);
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(op), source: wgpu::ShaderSource::Wgsl(Cow::Owned(text)) };
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
        cache,
    });
    // Known at once but in browsers, where the device's own handler hears of it later.
    match pin!(scope.pop()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(error)) => Err(format!("its driver refuses the shader of `{op}`: {error}")),
        Poll::Ready(None) | Poll::Pending => Ok(pipeline),
    }
}
