//! A pool of memory blocks by size class, so that a loop over the same shapes allocates once.
//!
//! Fresh memory costs page faults, which dominate array work above the cache; a block that was just
//! freed is warm. The pool keeps what is freed as long as memory in use and memory kept stay within
//! the most that was ever in use, plus a slack; where they would not, what sizes that nobody asks for any more have left makes
//! room.

use super::pages;
use std::alloc::{Layout, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
/// A class is cold if the system was asked for this many blocks since somebody last took one of it. Sizes that a loop goes
/// round are not, even if there is no room for all of them: to drop one for the other would make every one of them a miss.
const COLD: usize = 16;

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

/// Blocks that nobody uses, by class, and figures.
struct Pool {
    used: AtomicUsize,
    peak: AtomicUsize,
    /// Bytes in use and kept: what the system was asked for. It does not change when a block changes hands.
    held: AtomicUsize,
    allocations: AtomicUsize,
    classes: [Class; CLASSES],
}

/// The blocks of one size.
struct Class {
    /// The blocks that were given back last, the very last first, or null: whoever needs one next takes it without a lock.
    last: [AtomicPtr<u8>; 2],
    /// The others.
    spares: Mutex<Vec<Spare>>,
    /// How many allocations there had been when a block was last taken.
    taken: AtomicUsize,
}

static POOL: Pool = Pool::new();

/// A block's memory while nobody uses it.
struct Spare(NonNull<u8>);

// SAFETY: a spare is the only reference to its memory.
unsafe impl Send for Spare {}

/// What tensors hold and what the pool keeps.
pub fn pool_stats() -> PoolStats {
    POOL.stats()
}

/// Gives everything that is kept for reuse back to the operating system, and forgets the peak.
pub fn release_pooled_memory() {
    POOL.release();
}

impl Pool {
    const fn new() -> Pool {
        Pool {
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            allocations: AtomicUsize::new(0),
            classes: [const { Class::new() }; CLASSES],
        }
    }

    fn stats(&self) -> PoolStats {
        let used = self.used.load(Ordering::Relaxed);
        PoolStats {
            used,
            peak: self.peak.load(Ordering::Relaxed),
            // Others may take and give meanwhile.
            kept: self.held.load(Ordering::Relaxed).saturating_sub(used),
            allocations: self.allocations.load(Ordering::Relaxed),
        }
    }

    /// A block of this class, or `None` if there is no such memory.
    fn take(&self, class: usize) -> Option<NonNull<u8>> {
        let size = class_size(class);
        let pointer = match self.classes[class].pop() {
            Some(spare) => spare,
            None => {
                let layout = layout(class)?;
                self.allocations.fetch_add(1, Ordering::Relaxed);
                let pointer = pages::zeroed(layout)?;
                self.held.fetch_add(size, Ordering::Relaxed);
                pointer
            }
        };
        self.classes[class].taken.store(self.allocations.load(Ordering::Relaxed), Ordering::Relaxed);
        let used = self.used.fetch_add(size, Ordering::Relaxed) + size;
        // To look first costs less than to write each time.
        if used > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(used, Ordering::Relaxed);
        }
        Some(pointer)
    }

    /// Takes a block back that [`take`](Self::take) gave for this class and nobody uses any more.
    fn give(&self, pointer: NonNull<u8>, class: usize) {
        self.used.fetch_sub(class_size(class), Ordering::Relaxed);
        if self.has_room() || self.make_room() {
            self.classes[class].push(pointer);
        } else {
            self.free(pointer, class);
        }
    }

    /// Whether all that is held may stay.
    fn has_room(&self) -> bool {
        self.held.load(Ordering::Relaxed) <= self.peak.load(Ordering::Relaxed) + SLACK
    }

    /// Frees blocks of cold classes, the coldest first, until all else may stay; `false` if they are not enough.
    #[cold]
    fn make_room(&self) -> bool {
        let now = self.allocations.load(Ordering::Relaxed);
        let age = |class: &Class| now.saturating_sub(class.taken.load(Ordering::Relaxed));
        while !self.has_room() {
            let cold = self.classes.iter().enumerate().filter(|(_, class)| age(class) >= COLD);
            let coldest = cold.filter(|(_, class)| !class.is_empty()).max_by_key(|(_, class)| age(class));
            let Some((index, class)) = coldest else { return false };
            // Somebody may have been faster.
            if let Some(spare) = class.pop() {
                self.free(spare, index);
            }
        }
        true
    }

    fn release(&self) {
        for (index, class) in self.classes.iter().enumerate() {
            while let Some(spare) = class.pop() {
                self.free(spare, index);
            }
        }
        self.peak.store(self.used.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Gives memory back to the operating system.
    fn free(&self, pointer: NonNull<u8>, class: usize) {
        let Some(layout) = layout(class) else { return };
        self.held.fetch_sub(class_size(class), Ordering::Relaxed);
        // SAFETY: `pointer` came from `pages::zeroed` with the layout of its class, and its owner gives it up.
        unsafe { dealloc(pointer.as_ptr(), layout) }
    }
}

impl Class {
    const fn new() -> Class {
        let last = [const { AtomicPtr::new(std::ptr::null_mut()) }; 2];
        Class { last, spares: Mutex::new(Vec::new()), taken: AtomicUsize::new(0) }
    }

    fn is_empty(&self) -> bool {
        self.last.iter().all(|last| last.load(Ordering::Relaxed).is_null()) && self.spares().is_empty()
    }

    /// The block that has been in use most recently.
    fn pop(&self) -> Option<NonNull<u8>> {
        // To look first costs less than to write each time. What was written to a block happens before its next owner has it.
        for last in self.last.iter().filter(|last| !last.load(Ordering::Relaxed).is_null()) {
            let pointer = NonNull::new(last.swap(std::ptr::null_mut(), Ordering::Acquire));
            if pointer.is_some() {
                return pointer;
            }
        }
        self.spares().pop().map(|spare| spare.0)
    }

    /// Keeps a block, and moves those that were kept before one place on.
    fn push(&self, mut pointer: NonNull<u8>) {
        for last in &self.last {
            match NonNull::new(last.swap(pointer.as_ptr(), Ordering::AcqRel)) {
                Some(before) => pointer = before,
                None => return,
            }
        }
        self.spares().push(Spare(pointer));
    }

    /// The free list, which is valid whatever panicked while holding it.
    fn spares(&self) -> MutexGuard<'_, Vec<Spare>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    let size = class_size(class);
    Layout::from_size_align(size, if size < pages::LARGE_FROM { ALIGNMENT } else { pages::LARGE }).ok()
}

impl Block {
    /// At least `bytes` initialised bytes, or `None` if there is no such memory.
    pub(super) fn take(bytes: usize) -> Option<Block> {
        let class = class_of(bytes)?;
        POOL.take(class).map(|pointer| Block { pointer, class })
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
        POOL.give(self.pointer, self.class);
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

    /// Takes and gives back a block of `bytes`, and says whether the system was asked for it.
    fn misses(pool: &Pool, bytes: usize) -> bool {
        let (class, before) = (class_of(bytes).unwrap(), pool.stats().allocations);
        pool.give(pool.take(class).unwrap(), class);
        pool.stats().allocations > before
    }

    #[test]
    fn cold_sizes_make_room_for_warm_ones() {
        // Fresh memory that is not touched costs nothing, so the sizes may be real.
        let (pool, large, medium) = (Pool::new(), 3 * SLACK, 2 * SLACK);
        assert!(misses(&pool, large) && !misses(&pool, large), "what fits the peak is kept");
        let first = (0..2 * COLD).position(|_| !misses(&pool, medium));
        assert!(first.is_some_and(|calls| calls > 1), "kept once the other is cold, not before: {first:?}");
        assert!(!misses(&pool, medium) && misses(&pool, large));
        let PoolStats { used, peak, kept, .. } = pool.stats();
        assert!(used == 0 && kept <= peak + SLACK, "{used} {kept} {peak}");
        pool.release();
        assert_eq!(pool.stats().kept, 0);
    }

    #[test]
    fn sizes_that_take_turns_do_not_drive_each_other_out() {
        let (pool, large, medium) = (Pool::new(), 3 * SLACK, 2 * SLACK);
        let missed = (0..4 * COLD).filter(|_| misses(&pool, large) | misses(&pool, medium)).count();
        assert_eq!(missed, 4 * COLD, "there is no room for both");
        let rounds = pool.stats().allocations;
        assert_eq!(rounds, 4 * COLD + 1, "but the first is kept throughout");
        pool.release();
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
