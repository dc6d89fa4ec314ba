//! From operations to the queue: commands are recorded into one pass and handed over in batches. Kernels are compiled
//! beside the recording; what needs one that is not there yet waits, and everything after it.

mod batch;
mod compile;
mod fault;
mod pipeline;
mod profile;
mod program;
#[cfg(test)]
mod tests;

pub(crate) use fault::{Checked, FAULT_BYTES, Fault, read as read_fault};
pub(crate) use pipeline::{IMMEDIATE_BYTES, Pipeline, Pipelines, Shader};
pub(crate) use profile::Profiler;
pub use profile::Timing;
pub(crate) use program::Program;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;
use trueno_core::{Error, Result};
use wgpu::SubmissionIndex;

use batch::{Batch, Command};

use crate::device::{Device, Shared, count};
use crate::memory::{Buffer, Raw};

/// Scalars of one dispatch, as the words of its immediates.
pub(crate) type Immediates = [u32; IMMEDIATE_BYTES as usize / 4];

/// Dispatches after which a batch is submitted, so that the device is not idle while the host records on.
const BATCH: u32 = 64;

/// Bind groups that are kept. A program in steady state needs a few hundred; one that never repeats must not grow.
const MOST_BINDINGS: usize = 4096;

/// Commands that may wait for their kernels to be compiled; beyond, the host waits instead of recording on.
const MOST_WAITING: usize = 1 << 14;

/// Commands in their order, and the bind groups that they and earlier ones used.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    batch: Batch,
    /// What follows the batch: the first of them lacks its kernel. Empty in steady state.
    waiting: VecDeque<Command>,
    bindings: HashMap<(u32, SmallVec<[u64; 8]>), wgpu::BindGroup>,
}

impl Recorder {
    fn record(&mut self, shared: &Shared, command: Command) {
        self.waiting.push_back(command);
        while let Some(command) = self.waiting.pop_front_if(|command| command.lacks().is_none()) {
            self.batch.encode(shared, command);
        }
        if self.waiting.len() >= MOST_WAITING {
            self.submit(shared);
        }
    }

    /// Records a dispatch over buffers in the order of their bindings.
    fn dispatch(
        &mut self,
        shared: &Shared,
        pipeline: Arc<Pipeline>,
        buffers: &[&Raw],
        immediates: Immediates,
        groups: [u32; 3],
    ) {
        let key = (pipeline.layout.id, buffers.iter().map(|raw| raw.id).collect());
        if self.bindings.len() >= MOST_BINDINGS {
            self.bindings.clear();
        }
        let group = self.bindings.entry(key).or_insert_with(|| bind(shared, &pipeline, buffers)).clone();
        count(&shared.counters.dispatches, 1);
        self.record(shared, Command::Dispatch { pipeline, group, immediates, groups });
    }

    /// Records a copy from a staging buffer, which is mapped again once the device has read it.
    pub fn upload(&mut self, shared: &Shared, staging: wgpu::Buffer, to: (&wgpu::Buffer, u64), bytes: u64) {
        self.record(shared, Command::Upload { staging, to: (to.0.clone(), to.1), bytes });
    }

    /// Records a copy to a staging buffer.
    pub fn download(&mut self, shared: &Shared, from: (&wgpu::Buffer, u64), to: (&wgpu::Buffer, u64), bytes: u64) {
        let (from, staging) = ((from.0.clone(), from.1), (to.0.clone(), to.1));
        self.record(shared, Command::Download { from, staging, bytes });
    }

    /// Records that the note of what was wrong is emptied.
    pub fn forget_fault(&mut self, shared: &Shared) {
        if let Some(note) = shared.fault.armed() {
            self.record(shared, Command::Clear(note.clone()));
        }
    }

    /// Hands to the queue what waits for no kernel.
    pub fn submit_ready(&mut self, shared: &Shared) {
        self.batch.submit(shared);
    }

    /// Hands everything recorded to the queue, after waiting for its kernels.
    pub fn submit(&mut self, shared: &Shared) -> Option<SubmissionIndex> {
        for command in self.waiting.drain(..) {
            if let Some(pipeline) = command.lacks() {
                shared.pipelines.compiler.wait(pipeline);
            }
            self.batch.encode(shared, command);
        }
        self.batch.submit(shared)
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
        device.recorder().dispatch(&device.shared, pipeline, &buffers, self.immediates, self.groups);
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
