//! A program without std that uses the crates which promise to need none. `cargo xtask tier2` links and runs it.
//!
//! From the system it takes the C start-up code, and `memcpy` and its kind, which compilers call on their own.
//! Exit status 0 means that everything below worked.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::ToString;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use trueno_kernels::Isa;

#[link(name = "c")]
unsafe extern "C" {}

const HEAP: usize = 1 << 16;

/// An allocator that never frees, so that nothing of the system's heap is needed.
#[repr(align(64))]
struct Bump {
    bytes: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: `used` hands every byte out at most once, so no two threads touch the same byte through it.
unsafe impl Sync for Bump {}

// SAFETY: a block is inside `bytes`, aligned as asked, and disjoint from every other block.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size() + layout.align();
        let start = self.used.fetch_add(size, Ordering::Relaxed);
        if layout.align() > 64 || start + size > HEAP {
            return core::ptr::null_mut();
        }
        let base = self.bytes.get().cast::<u8>();
        // SAFETY: `start + size` is inside the array, and rounding up to the alignment stays below it.
        unsafe { base.add(start.next_multiple_of(layout.align())) }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { bytes: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_info: &PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The precompiled `alloc` was built to unwind and names this symbol; without unwinding nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let grid = trueno_core::Layout::contiguous(&[3, 1]).broadcast_to("probe", &[3, 4]);
    let clash = trueno_core::Layout::contiguous(&[3, 2]).broadcast_to("probe", &[3, 4]);
    let (Ok(grid), Err(error)) = (grid, clash) else { return 1 };
    if grid.strides() != [1, 0] || !error.to_string().contains("probe") {
        return 2;
    }
    let best = Isa::best();
    if Isa::available().all(|isa| isa != best) { 3 } else { 0 }
}
