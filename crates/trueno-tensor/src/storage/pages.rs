//! Memory from the system, in large pages where there are any.
//!
//! A pass over a large array meets a page every 4 KiB, and the processor's table of pages is too short to remember them until the
//! next pass. Pages of 2 MiB cost a five-hundredth of that, when they are first touched too.

use std::alloc::{Layout, alloc};
use std::ptr::NonNull;

/// Bytes of a large page.
pub(super) const LARGE: usize = 2 << 20;
/// Blocks from this size on are made of them: what the last one has too much is little beside the others.
pub(super) const LARGE_FROM: usize = 2 * LARGE;

/// Fresh memory, all zero, or `None` if the system refuses it. The size must not be 0.
pub(super) fn zeroed(layout: Layout) -> Option<NonNull<u8>> {
    assert!(layout.size() > 0, "nothing needs no memory");
    // SAFETY: the size is not 0.
    let pointer = NonNull::new(unsafe { alloc(layout) })?;
    if layout.size() >= LARGE_FROM {
        advise(pointer, layout.size());
    }
    // SAFETY: the memory was just allocated with this size, and is nobody else's yet.
    unsafe { pointer.write_bytes(0, layout.size()) };
    Some(pointer)
}

/// Asks for large pages in memory that is aligned to them and has not been touched.
#[cfg(target_os = "linux")]
fn advise(pointer: NonNull<u8>, size: usize) {
    // SAFETY: advice on pages of this process changes nothing but how fast they are. What it answers does not matter: a system
    // that has no large pages gives small ones.
    let _ = unsafe { libc::madvise(pointer.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
}

/// Other systems decide for themselves.
#[cfg(not(target_os = "linux"))]
fn advise(_: NonNull<u8>, _: usize) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::dealloc;

    #[test]
    fn fresh_memory_is_zero_and_aligned_as_asked() {
        for (size, align) in [(1, 1), (4096, 64), (LARGE_FROM + 12, LARGE)] {
            let layout = Layout::from_size_align(size, align).unwrap();
            let pointer = zeroed(layout).unwrap();
            // SAFETY: `zeroed` gave `size` initialised bytes.
            let bytes = unsafe { std::slice::from_raw_parts(pointer.as_ptr(), size) };
            assert!(bytes.iter().all(|&byte| byte == 0) && (pointer.as_ptr() as usize).is_multiple_of(align));
            // SAFETY: it was allocated with this layout, and nobody uses it any more.
            unsafe { dealloc(pointer.as_ptr(), layout) };
        }
    }
}
