//! Commands on their way to the queue.

use std::sync::Arc;

use wgpu::SubmissionIndex;

use super::{BATCH, Immediates, Pipeline};
use crate::device::{Shared, count, lock};

/// Something that was recorded.
#[derive(Debug)]
pub(super) enum Command {
    Dispatch {
        pipeline: Arc<Pipeline>,
        group: wgpu::BindGroup,
        immediates: Immediates,
        groups: [u32; 3],
    },
    /// From a staging buffer, which is mapped again once the device has read it.
    Upload {
        staging: wgpu::Buffer,
        to: (wgpu::Buffer, u64),
        bytes: u64,
    },
    /// To a staging buffer.
    Download {
        from: (wgpu::Buffer, u64),
        staging: (wgpu::Buffer, u64),
        bytes: u64,
    },
    Clear(wgpu::Buffer),
}

impl Command {
    /// The pipeline that must be compiled first, if it is not.
    pub fn lacks(&self) -> Option<&Pipeline> {
        match self {
            Self::Dispatch { pipeline, .. } => Some(&**pipeline).filter(|pipeline| !pipeline.is_ready()),
            Self::Upload { .. } | Self::Download { .. } | Self::Clear(_) => None,
        }
    }
}

/// Commands that are encoded, and wait for their submission.
#[derive(Debug, Default)]
pub(super) struct Batch {
    // Before the encoder: a pass must end before the encoder it belongs to goes.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// Dispatches and copies since the last submission.
    pending: u32,
    /// The pipeline set last in the open pass.
    pipeline: Option<u32>,
    /// Staging buffers that encoded copies read.
    uploading: Vec<wgpu::Buffer>,
}

impl Batch {
    /// Encodes a command that lacks nothing, and submits when there are enough.
    pub fn encode(&mut self, shared: &Shared, command: Command) {
        match command {
            Command::Dispatch { pipeline, group, immediates, groups } => {
                self.dispatch(shared, &pipeline, &group, &immediates, groups);
            }
            Command::Upload { staging, to, bytes } => {
                self.encoder(shared).copy_buffer_to_buffer(&staging, 0, &to.0, to.1, bytes);
                self.uploading.push(staging);
            }
            Command::Download { from, staging, bytes } => {
                self.encoder(shared).copy_buffer_to_buffer(&from.0, from.1, &staging.0, staging.1, bytes);
            }
            Command::Clear(buffer) => self.encoder(shared).clear_buffer(&buffer, 0, None),
        }
        self.pending += 1;
        if self.pending >= BATCH {
            self.submit(shared);
        }
    }

    fn encoder(&mut self, shared: &Shared) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.pipeline = None;
        self.encoder
            .get_or_insert_with(|| shared.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
    }

    fn dispatch(
        &mut self,
        shared: &Shared,
        pipeline: &Pipeline,
        group: &wgpu::BindGroup,
        immediates: &Immediates,
        groups: [u32; 3],
    ) {
        let raw = match pipeline.compiled() {
            Some(Ok(raw)) => raw,
            Some(Err(reason)) => return shared.failure.report(reason.clone()),
            None => return,
        };
        if self.pass.is_none() {
            let encoder = self.encoder(shared);
            let pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime();
            self.pass = Some(pass);
        }
        let Self { pass: Some(pass), pipeline: current, .. } = self else { return };
        if *current != Some(pipeline.id) {
            pass.set_pipeline(raw);
            *current = Some(pipeline.id);
        }
        pass.set_bind_group(0, group, &[]);
        pass.set_immediates(0, bytemuck::cast_slice(immediates));
        match &shared.profiler {
            None => pass.dispatch_workgroups(groups[0], groups[1], groups[2]),
            Some(profiler) => lock(profiler).around(pass, pipeline.id, groups),
        }
    }

    /// Hands everything encoded to the queue.
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
}
