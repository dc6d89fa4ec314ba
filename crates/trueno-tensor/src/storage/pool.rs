//! A pool of memory blocks by size class, so that a loop over the same shapes allocates once.
//!
//! Fresh memory costs page faults, which dominate array work above the cache; a block that was just
//! freed is warm. The pool keeps what is freed as long as memory in use and memory kept stay within
//! the most that was ever in use, plus a slack.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cache line, and the widest vector.
const ALIGNMENT: usize = 64;
/// The smallest class.
const SMALLEST: usize = 64;
/// Powers of two that have classes end below this one: no block is larger than `isize::MAX` bytes, on targets of 32 bits too.
const LARGEST: usize = if usize::BITS < 48 { usize::BITS as usize - 1 } else { 48 };
/// Four classes per power of two, from 64 bytes up.
const CLASSES: usize = 4 * (LARGEST - 6);
/// What may be kept beyond the peak.
const SLACK: usize = 64 << 20;

/// One allocation; goes back to the pool when dropped.
#[derive(Debug)]
pub(super) struct Block {
    pointer: NonNull<u8>,
    class: usize,
}

// SAFETY: a block owns its memory alone, as a `Box<[u8]>` does; nothing about it is tied to a thread.
unsafe impl Send for Block {}
// SAFETY: shared access only reads.
unsafe impl Sync for Block {}

/// Figures of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes that tensors hold now.
    pub used: usize,
    /// The most bytes that tensors held at once.
    pub peak: usize,
    /// Bytes that are kept for reuse.
    pub kept: usize,
    /// Blocks that came from the operating system, ever.
    pub allocations: usize,
}

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static KEPT: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static FREE: [Mutex<Vec<Spare>>; CLASSES] = [const { Mutex::new(Vec::new()) }; CLASSES];

/// A block's memory while nobody uses it.
struct Spare(NonNull<u8>);

// SAFETY: a spare is the only reference to its memory.
unsafe impl Send for Spare {}

/// What tensors hold and what the pool keeps.
pub fn pool_stats() -> PoolStats {
    PoolStats {
        used: USED.load(Ordering::Relaxed),
        peak: PEAK.load(Ordering::Relaxed),
        kept: KEPT.load(Ordering::Relaxed),
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
    }
}

/// Gives everything that is kept for reuse back to the operating system, and forgets the peak.
pub fn release_pooled_memory() {
    for (class, list) in FREE.iter().enumerate() {
        let spares = std::mem::take(&mut *lock(list));
        for spare in spares {
            KEPT.fetch_sub(class_size(class), Ordering::Relaxed);
            free(spare.0, class);
        }
    }
    PEAK.store(USED.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// A free list is valid whatever panicked while holding it.
fn lock(list: &Mutex<Vec<Spare>>) -> std::sync::MutexGuard<'_, Vec<Spare>> {
    list.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The smallest class that holds `bytes`, or `None` beyond the largest.
fn class_of(bytes: usize) -> Option<usize> {
    if isize::try_from(bytes).is_err() {
        return None;
    }
    let bytes = bytes.max(SMALLEST);
    let power = bytes.ilog2() as usize;
    let quarter = 1 << (power - 2);
    let step = (bytes - (1 << power)).div_ceil(quarter);
    let class = (power - 6) * 4 + step;
    (class < CLASSES).then_some(class)
}

/// Bytes of a block of this class.
fn class_size(class: usize) -> usize {
    let power = 6 + class / 4;
    (1 << power) + (class % 4) * (1 << (power - 2))
}

/// What the allocator is asked for, or `None` if no allocation can be that large.
fn layout(class: usize) -> Option<Layout> {
    Layout::from_size_align(class_size(class), ALIGNMENT).ok()
}

fn free(pointer: NonNull<u8>, class: usize) {
    let Some(layout) = layout(class) else { return };
    // SAFETY: `pointer` came from `alloc_zeroed` with the layout of its class, and its owner gives it up.
    unsafe { dealloc(pointer.as_ptr(), layout) }
}

impl Block {
    /// At least `bytes` initialised bytes, or `None` if there is no such memory.
    pub(super) fn take(bytes: usize) -> Option<Block> {
        let class = class_of(bytes)?;
        let size = class_size(class);
        let spare = lock(&FREE[class]).pop();
        let pointer = match spare {
            Some(spare) => {
                KEPT.fetch_sub(size, Ordering::Relaxed);
                spare.0
            }
            None => {
                let layout = layout(class)?;
                ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
                // SAFETY: the layout's size is that of a class, which is not 0.
                NonNull::new(unsafe { alloc_zeroed(layout) })?
            }
        };
        let used = USED.fetch_add(size, Ordering::Relaxed) + size;
        PEAK.fetch_max(used, Ordering::Relaxed);
        Some(Block { pointer, class })
    }

    pub(super) fn as_ptr(&self) -> *const u8 {
        self.pointer.as_ptr()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.pointer.as_ptr()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block owns `class_size` bytes, zeroed when they came and only overwritten since, and `&mut self` is unique.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), class_size(self.class)) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let size = class_size(self.class);
        let used = USED.fetch_sub(size, Ordering::Relaxed) - size;
        let kept = KEPT.load(Ordering::Relaxed);
        if used + kept + size <= PEAK.load(Ordering::Relaxed) + SLACK {
            KEPT.fetch_add(size, Ordering::Relaxed);
            lock(&FREE[self.class]).push(Spare(self.pointer));
        } else {
            free(self.pointer, self.class);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_promise_and_waste_little() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, (1 << 30) - 1, 1 << 40]) {
            let size = class_size(class_of(bytes).unwrap());
            assert!(size >= bytes, "{bytes} in {size}");
            assert!(bytes < 64 || size - bytes <= bytes / 4 + 1, "{bytes} in {size}");
        }
        assert_eq!(class_of(usize::MAX), None);
    }

    #[test]
    fn what_is_allocated_is_what_the_class_promises() {
        for class in 0..CLASSES {
            assert_eq!(layout(class).map(|layout| layout.size()), Some(class_size(class)));
        }
        let beyond = 4 * (usize::BITS as usize - 1 - 6);
        assert_eq!(layout(beyond), None);
        for bytes in [isize::MAX as usize, isize::MAX as usize + 1, usize::MAX] {
            assert!(Block::take(bytes).is_none());
        }
    }
}
