//! How long kernels take, by the device's own clock.

use std::collections::HashMap;

use wgpu::{BufferUsages, QueryType};

use super::BATCH;
use crate::device::Shared;
use crate::memory::create_buffer;

/// What the dispatches of one kernel took. See [`Options::profile`](crate::Options::profile).
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The kernel: what it computes, on which types and layouts, in which tiles. The wording is no interface.
    pub kernel: String,
    /// Dispatches.
    pub calls: u64,
    /// Workgroups of all dispatches.
    pub groups: u64,
    /// Seconds of all dispatches, from the end of the one before to their own.
    pub seconds: f64,
}

/// Sums of the dispatches of one pipeline.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    pub calls: u64,
    pub groups: u64,
    pub ticks: u64,
}

/// The clock's readings of the batch that is being recorded, and the sums of those before.
#[derive(Debug)]
pub(crate) struct Profiler {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    read: wgpu::Buffer,
    /// Pipelines and workgroups of the dispatches of this batch.
    batch: Vec<(u32, u64)>,
    totals: HashMap<u32, Total>,
}

/// A reading before and one after each dispatch.
const READINGS: u32 = 2 * BATCH;

impl Profiler {
    /// Nothing without memory for it.
    pub fn new(device: &wgpu::Device) -> Option<Self> {
        let descriptor = wgpu::QuerySetDescriptor { label: None, ty: QueryType::Timestamp, count: READINGS };
        let bytes = u64::from(READINGS) * 8;
        Some(Self {
            queries: device.create_query_set(&descriptor),
            resolved: create_buffer(device, bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC, false)?,
            read: create_buffer(device, bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST, false)?,
            batch: Vec::new(),
            totals: HashMap::new(),
        })
    }

    /// Records a dispatch between two readings.
    pub fn around(&mut self, pass: &mut wgpu::ComputePass<'_>, pipeline: u32, groups: [u32; 3]) {
        let first = 2 * self.batch.len() as u32;
        self.batch.push((pipeline, groups.iter().map(|&groups| u64::from(groups)).product()));
        pass.write_timestamp(&self.queries, first);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        pass.write_timestamp(&self.queries, first + 1);
    }

    /// Records that the readings of this batch go where the host can see them.
    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let readings = 2 * self.batch.len() as u32;
        if readings > 0 {
            encoder.resolve_query_set(&self.queries, 0..readings, &self.resolved, 0);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read, 0, u64::from(readings) * 8);
        }
    }

    /// Waits for the batch, and adds its readings to the sums.
    pub fn collect(&mut self, shared: &Shared) {
        if self.batch.is_empty() {
            return;
        }
        let bytes = 16 * self.batch.len() as u64;
        self.read.map_async(wgpu::MapMode::Read, 0..bytes, |_| {});
        // A failure shows where the caller next asks; there is nothing to read then.
        let waited = shared.raw.poll(wgpu::PollType::wait_indefinitely());
        if let (Ok(_), Ok(mapped)) = (waited, self.read.get_mapped_range(0..bytes)) {
            for (&(pipeline, groups), readings) in self.batch.iter().zip(mapped.as_chunks::<16>().0) {
                let reading = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| readings[at + byte]));
                let total = self.totals.entry(pipeline).or_default();
                total.calls += 1;
                total.groups += groups;
                total.ticks += reading(8).saturating_sub(reading(0));
            }
        }
        self.read.unmap();
        self.batch.clear();
    }

    /// The sums by pipeline, which begin anew.
    pub fn take(&mut self) -> HashMap<u32, Total> {
        std::mem::take(&mut self.totals)
    }
}
