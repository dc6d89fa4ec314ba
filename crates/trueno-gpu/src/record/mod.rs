//! From operations to the queue: commands are recorded into one pass and handed over in batches.

mod fault;
mod pipeline;
mod profile;
mod program;

pub(crate) use fault::{Checked, FAULT_BYTES, Fault, read as read_fault};
pub(crate) use pipeline::{IMMEDIATE_BYTES, Pipeline, Pipelines, Shader};
pub(crate) use profile::Profiler;
pub use profile::Timing;
pub(crate) use program::Program;

use std::collections::HashMap;

use smallvec::SmallVec;
use trueno_core::{Error, Result};
use wgpu::SubmissionIndex;

use crate::device::{Device, Shared, count, lock};
use crate::memory::{Buffer, Raw};

/// Scalars of one dispatch, as the words of its immediates.
pub(crate) type Immediates = [u32; IMMEDIATE_BYTES as usize / 4];

/// Dispatches after which a batch is submitted, so that the device is not idle while the host records on.
const BATCH: u32 = 64;

/// Bind groups that are kept. A program in steady state needs a few hundred; one that never repeats must not grow.
const MOST_BINDINGS: usize = 4096;

/// Commands that wait, and the bind groups that they and earlier ones used.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    // Before the encoder: a pass must end before the encoder it belongs to goes.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// Dispatches and copies since the last submission.
    pending: u32,
    /// The pipeline set last in the open pass.
    pipeline: Option<u32>,
    bindings: HashMap<(u32, SmallVec<[u64; 8]>), wgpu::BindGroup>,
    /// Staging buffers that recorded copies read.
    uploading: Vec<wgpu::Buffer>,
}

impl Recorder {
    fn encoder(&mut self, shared: &Shared) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.pipeline = None;
        self.encoder
            .get_or_insert_with(|| shared.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    /// Records a dispatch over buffers in the order of their bindings.
    fn dispatch(
        &mut self,
        shared: &Shared,
        pipeline: &Pipeline,
        buffers: &[&Raw],
        immediates: &Immediates,
        groups: [u32; 3],
    ) {
        if self.pass.is_none() {
            let encoder = self.encoder(shared);
            let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime();
            self.pass = Some(pass);
        }
        let Self { pass: Some(pass), bindings, pipeline: current, .. } = self else { return };
        if *current != Some(pipeline.id) {
            pass.set_pipeline(&pipeline.raw);
            *current = Some(pipeline.id);
        }
        let key = (pipeline.layout.id, buffers.iter().map(|raw| raw.id).collect());
        if bindings.len() >= MOST_BINDINGS {
            bindings.clear();
        }
        let group = bindings.entry(key).or_insert_with(|| bind(shared, pipeline, buffers));
        pass.set_bind_group(0, &*group, &[]);
        pass.set_immediates(0, bytemuck::cast_slice(immediates));
        match &shared.profiler {
            None => pass.dispatch_workgroups(groups[0], groups[1], groups[2]),
            Some(profiler) => lock(profiler).around(pass, pipeline.id, groups),
        }
        count(&shared.counters.dispatches, 1);
        self.pending += 1;
        if self.pending >= BATCH {
            self.submit(shared);
        }
    }

    /// Records a copy from a staging buffer, which is mapped again once the device has read it.
    pub fn upload(&mut self, shared: &Shared, staging: wgpu::Buffer, to: (&wgpu::Buffer, u64), bytes: u64) {
        self.encoder(shared).copy_buffer_to_buffer(&staging, 0, to.0, to.1, bytes);
        self.uploading.push(staging);
        self.pending += 1;
    }

    /// Records a copy to a staging buffer.
    pub fn download(&mut self, shared: &Shared, from: (&wgpu::Buffer, u64), to: (&wgpu::Buffer, u64), bytes: u64) {
        self.encoder(shared).copy_buffer_to_buffer(from.0, from.1, to.0, to.1, bytes);
        self.pending += 1;
    }

    /// Records that the note of what was wrong is emptied.
    pub fn forget_fault(&mut self, shared: &Shared) {
        if let Some(note) = shared.fault.armed() {
            self.encoder(shared).clear_buffer(note, 0, None);
            self.pending += 1;
        }
    }

    /// Hands everything recorded to the queue.
    pub fn submit(&mut self, shared: &Shared) -> Option<SubmissionIndex> {
        self.pass = None;
        self.pipeline = None;
        self.pending = 0;
        let mut encoder = self.encoder.take()?;
        let mut profiler = shared.profiler.as_ref().map(lock);
        profiler.iter().for_each(|profiler| profiler.resolve(&mut encoder));
        let index = shared.queue.submit([encoder.finish()]);
        profiler.iter_mut().for_each(|profiler| profiler.collect(shared));
        count(&shared.counters.submissions, 1);
        lock(&shared.staging).recycle(&mut self.uploading);
        // Lets the driver take back what finished submissions used. A failure shows where the caller next asks.
        _ = shared.raw.poll(wgpu::PollType::Poll);
        Some(index)
    }

    /// Drops bind groups, which keep their buffers alive.
    pub fn forget_bindings(&mut self) {
        self.bindings.clear();
    }

    /// Drops what was recorded.
    pub fn abandon(&mut self) {
        *self = Self::default();
    }
}

fn bind(shared: &Shared, pipeline: &Pipeline, buffers: &[&Raw]) -> wgpu::BindGroup {
    count(&shared.counters.bind_groups, 1);
    let entries: SmallVec<[wgpu::BindGroupEntry<'_>; 8]> = (0..)
        .zip(buffers)
        .map(|(binding, raw)| wgpu::BindGroupEntry { binding, resource: raw.buffer.as_entire_binding() })
        .collect();
    let layout = &pipeline.layout.group;
    shared.raw.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}

/// One dispatch of a program: the buffers it reads, then those it writes.
pub(crate) struct Launch<'a> {
    pub op: &'static str,
    pub program: Program,
    pub reads: &'a [&'a Buffer],
    pub writes: &'a [&'a Buffer],
    pub immediates: Immediates,
    pub groups: [u32; 3],
}

impl Launch<'_> {
    /// Records the dispatch.
    pub fn record(self, device: &Device) -> Result<()> {
        self.record_with(device, None)
    }

    /// Records the dispatch of a kernel that checks data; the device's note is bound last.
    pub fn record_checked(self, device: &Device) -> Result<()> {
        self.record_with(device, Some(device.shared.fault.arm()))
    }

    fn record_with(self, device: &Device, note: Option<&Raw>) -> Result<()> {
        let op = self.op;
        for (at, written) in self.writes.iter().enumerate() {
            if written.is_constant() {
                let reason = "a constant of the device cannot be overwritten; copy it first".into();
                return Err(Error::Argument { op, reason });
            }
            let id = written.raw().id;
            if self.reads.iter().chain(&self.writes[..at]).any(|other| other.raw().id == id) {
                let reason = "a value that is overwritten is also an operand; copy one of them first".into();
                return Err(Error::Argument { op, reason });
            }
        }
        if let Some(foreign) = self.reads.iter().chain(self.writes).find(|buffer| !buffer.device().is(device)) {
            let reason = format!("an operand is on another device, {}; move it first", foreign.device().info());
            return device.refuse(op, reason);
        }
        let pipeline = device.shared.pipelines.get(device, op, &self.program)?;
        let buffers = self.reads.iter().chain(self.writes).map(|buffer| buffer.raw());
        let buffers: SmallVec<[&Raw; 8]> = buffers.chain(note).collect();
        device.recorder().dispatch(&device.shared, &pipeline, &buffers, &self.immediates, self.groups);
        device.check(op)
    }
}

/// A grid of at least `groups` workgroups, near to square where one axis is too short. Shaders number its groups by row and
/// leave those beyond the last.
pub(crate) fn grid(device: &Device, groups: usize) -> [u32; 3] {
    let most = device.capabilities().groups_per_axis as usize;
    let rows = groups.div_ceil(most).max(1);
    [groups.div_ceil(rows).max(1) as u32, rows as u32, 1]
}
