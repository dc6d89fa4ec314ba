//! Free buffers by size class.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::{BufferUsages, ErrorFilter};

/// A buffer of the driver. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub buffer: wgpu::Buffer,
    /// Never used twice on a device, so that it can stand for the buffer in a key.
    pub id: u64,
    class: u64,
}

impl Raw {
    /// A device's one buffer that is of no pool.
    pub fn alone(buffer: wgpu::Buffer) -> Self {
        // The pool counts from 1.
        Self { buffer, id: 0, class: 0 }
    }
}

/// The pool of a device.
#[derive(Debug)]
pub(crate) struct Pool {
    free: BTreeMap<u64, Vec<Raw>>,
    /// Bytes of everything that exists, in use or free.
    held: u64,
    /// Bytes in use.
    used: u64,
    limit: u64,
    created: u64,
}

/// The size that is allocated for a size that is asked for: at most an eighth more, so that sizes that are nearly equal share buffers.
pub(super) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = 1 << (bytes.ilog2() - 3);
    bytes.checked_next_multiple_of(step).unwrap_or(bytes)
}

impl Pool {
    pub fn new(limit: u64) -> Self {
        Self { free: BTreeMap::new(), held: 0, used: 0, limit, created: 0 }
    }

    pub fn held(&self) -> u64 {
        self.held
    }

    pub fn used(&self) -> u64 {
        self.used
    }

    pub fn set_limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// A free buffer of a class: the one freed last, which is the likeliest to be bound in a group that exists.
    pub fn take(&mut self, class: u64) -> Option<Raw> {
        let raw = self.free.get_mut(&class)?.pop()?;
        self.used += class;
        Some(raw)
    }

    /// A new buffer, or nothing if the limit or the card does not allow one.
    pub fn create(&mut self, device: &wgpu::Device, class: u64) -> Option<Raw> {
        if self.held.checked_add(class).is_none_or(|total| total > self.limit) {
            return None;
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let buffer = create_buffer(device, class, usage, false)?;
        self.held += class;
        self.used += class;
        self.created += 1;
        Some(Raw { buffer, id: self.created, class })
    }

    /// Takes a buffer back. Commands that still use it run before any that will.
    pub fn put(&mut self, raw: Raw) {
        self.used -= raw.class;
        self.free.entry(raw.class).or_default().push(raw);
    }

    /// Counts a buffer out that will not come back: it goes when its last handle does.
    pub fn disown(&mut self, raw: &Raw) {
        self.used -= raw.class;
        self.held -= raw.class;
    }

    /// Drops what is free.
    pub fn trim(&mut self) {
        self.free.clear();
        self.held = self.used;
    }
}

/// A buffer, or nothing if the driver has no memory for it.
pub(crate) fn create_buffer(
    device: &wgpu::Device,
    size: u64,
    usage: BufferUsages,
    mapped_at_creation: bool,
) -> Option<wgpu::Buffer> {
    let scope = device.push_error_scope(ErrorFilter::OutOfMemory);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation });
    // Known at once but in browsers, where the device's own handler hears of it later.
    match pin!(scope.pop()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(_)) => None,
        Poll::Ready(None) | Poll::Pending => Some(buffer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_an_eighth() {
        assert_eq!(size_class(0), 256);
        assert_eq!(size_class(257), 288);
        for bytes in (256..100_000).step_by(97).chain([u64::from(u32::MAX), 1 << 31]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class - bytes <= bytes / 8, "{bytes}: {class}");
            assert_eq!(size_class(class), class, "{bytes}");
        }
    }
}
