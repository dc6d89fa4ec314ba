//! Memory of tensors: aligned, pooled, typed by a [`DType`]. The only `unsafe` code of this crate.
//!
//! What lies on a GPU is a buffer of `trueno-gpu`, which has a pool of its own.

mod derived;
mod pages;
mod pool;

pub use derived::PackedPlace;
pub use pool::{PoolStats, pool_stats, release_pooled_memory};

use derived::Derived;
use pool::Block;
use std::sync::Arc;
use trueno_core::{DType, Element, Error, Result};

/// Elements of one type in one allocation, shared by every view of them.
pub type Storage = Arc<Memory>;

/// One allocation, wherever it is.
#[derive(Debug)]
pub enum Memory {
    /// Main memory.
    Host(Buffer),
    /// Memory of a GPU.
    #[cfg(feature = "gpu")]
    Gpu(trueno_gpu::Buffer),
}

impl Memory {
    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            Memory::Host(buffer) => buffer.dtype(),
            #[cfg(feature = "gpu")]
            Memory::Gpu(buffer) => buffer.dtype(),
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Memory::Host(buffer) => buffer.len(),
            #[cfg(feature = "gpu")]
            Memory::Gpu(buffer) => buffer.len(),
        }
    }

    /// The elements, if they are in main memory.
    pub fn host(&self) -> Option<&Buffer> {
        match self {
            Memory::Host(buffer) => Some(buffer),
            #[cfg(feature = "gpu")]
            Memory::Gpu(_) => None,
        }
    }

    /// The elements to write, if they are in main memory.
    pub fn host_mut(&mut self) -> Option<&mut Buffer> {
        match self {
            Memory::Host(buffer) => Some(buffer),
            #[cfg(feature = "gpu")]
            Memory::Gpu(_) => None,
        }
    }
}

/// A zero- or pool-initialised run of elements, aligned to a cache line.
///
/// Its memory is always initialised: fresh memory is zeroed, and memory from the pool holds what an earlier
/// buffer left. That is a value of every type but `bool`, which is zeroed again.
#[derive(Debug)]
pub struct Buffer {
    block: Block,
    dtype: DType,
    len: usize,
    derived: Derived,
}

impl Buffer {
    /// Room for `len` elements. What they hold is unspecified (but initialised); write them all.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], naming `op`.
    pub fn new(op: &'static str, dtype: DType, len: usize) -> Result<Buffer> {
        let refuse = |bytes| Error::OutOfMemory { op, bytes };
        let bytes = len.checked_mul(dtype.size()).ok_or_else(|| refuse(usize::MAX))?;
        let block = Block::take(bytes).ok_or_else(|| refuse(bytes))?;
        let mut buffer = Buffer { block, dtype, len, derived: Derived::default() };
        if dtype == DType::Bool {
            buffer.block.bytes_mut()[..bytes].fill(0);
        }
        Ok(buffer)
    }

    /// Room for `len` elements, all 0.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], naming `op`.
    pub fn zeros(op: &'static str, dtype: DType, len: usize) -> Result<Buffer> {
        let mut buffer = Buffer::new(op, dtype, len)?;
        buffer.bytes_mut().fill(0);
        Ok(buffer)
    }

    /// A copy of a slice.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], naming `op`.
    pub fn from_slice<T: Element>(op: &'static str, elements: &[T]) -> Result<Buffer> {
        let mut buffer = Buffer::new(op, T::DTYPE, elements.len())?;
        buffer.as_mut_slice::<T>().copy_from_slice(elements);
        Ok(buffer)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The elements.
    ///
    /// # Panics
    /// If `T` is not the buffer's type. (`u8` may also read `bool`.)
    pub fn as_slice<T: Element>(&self) -> &[T] {
        let readable = T::DTYPE == self.dtype || (T::DTYPE == DType::U8 && self.dtype == DType::Bool);
        assert!(readable, "a buffer of {} read as {}", self.dtype, T::DTYPE);
        // SAFETY: `Block` is aligned to 64 bytes and holds at least `len * size_of::<T>()` initialised bytes
        // (`new` asked for them; both types have one size). Every bit pattern is a value of the numeric types; a
        // `Bool` buffer was zeroed and is written only through `&mut [bool]` or `bytes_mut`, which refuses it.
        // The lifetime is that of the borrow of `self`, and no `&mut` can exist beside it.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().cast::<T>(), self.len) }
    }

    /// The elements, to write.
    ///
    /// # Panics
    /// If `T` is not the buffer's type.
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        assert!(T::DTYPE == self.dtype, "a buffer of {} written as {}", self.dtype, T::DTYPE);
        self.derived.forget();
        // SAFETY: as in `as_slice`; `&mut self` makes the borrow unique, and a `&mut [bool]` can only be given bools.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_mut_ptr().cast::<T>(), self.len) }
    }

    /// A matrix of the elements in the order in which products read it, which is kept until they are written: from the second time on
    /// that it is asked for what `pack` gives, before that `None`.
    ///
    /// # Errors
    /// Those of `pack`.
    pub fn packed(&self, place: PackedPlace, pack: impl FnOnce() -> Result<Buffer>) -> Result<Option<Arc<Buffer>>> {
        self.derived.packed(place, pack)
    }

    /// The same bytes as elements of another type of numbers.
    ///
    /// # Panics
    /// If the types differ in size, or one of them is `bool`, of which not every byte is a value.
    pub fn retyped(mut self, dtype: DType) -> Buffer {
        let numbers = self.dtype != DType::Bool && dtype != DType::Bool;
        assert!(numbers && dtype.size() == self.dtype.size(), "a buffer of {} becomes one of {dtype}", self.dtype);
        self.dtype = dtype;
        self.derived.forget();
        self
    }

    /// The elements' bytes, to fill with zeros. Private, since it could make bools that are neither 0 nor 1.
    fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = self.len * self.dtype.size();
        &mut self.block.bytes_mut()[..bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_typed_and_reused() {
        let mut buffer = Buffer::new("test", DType::F32, 1000).unwrap();
        buffer.as_mut_slice::<f32>().fill(1.5);
        assert_eq!(buffer.as_slice::<f32>().as_ptr() as usize % 64, 0);
        assert!(buffer.as_slice::<f32>().iter().all(|&x| x == 1.5));
        drop(buffer);
        let zeros = Buffer::zeros("test", DType::F32, 1000).unwrap();
        assert!(zeros.as_slice::<f32>().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn bools_are_always_valid() {
        let mut junk = Buffer::new("test", DType::U8, 4096).unwrap();
        junk.as_mut_slice::<u8>().fill(0xAB);
        drop(junk);
        let bools = Buffer::new("test", DType::Bool, 4096).unwrap();
        assert!(bools.as_slice::<bool>().iter().all(|b| !b));
        assert!(bools.as_slice::<u8>().iter().all(|&b| b == 0));
    }

    #[test]
    fn what_was_packed_twice_is_kept_until_the_elements_are_written() {
        let place = |first| PackedPlace { isa: trueno_kernels::Isa::best(), first, size: [2, 2], steps: [1, 2] };
        let mut buffer = Buffer::zeros("test", DType::F32, 5).unwrap();
        let made = std::cell::Cell::new(0);
        let ask = |buffer: &Buffer, first| {
            let pack = || {
                made.set(made.get() + 1);
                Buffer::zeros("test", DType::F32, 4)
            };
            buffer.packed(place(first), pack).unwrap().is_some()
        };
        assert!(!ask(&buffer, 0) && ask(&buffer, 0) && ask(&buffer, 0));
        assert_eq!(made.get(), 1);
        assert!(!ask(&buffer, 1) && !ask(&buffer, 0), "another matrix of the same elements takes the place");
        assert!(ask(&buffer, 0));
        buffer.as_mut_slice::<f32>()[0] = 1.0;
        assert!(!ask(&buffer, 0));
        let failing = buffer.packed(place(0), || Buffer::new("test", DType::F64, usize::MAX));
        assert!(failing.is_err() && ask(&buffer, 0));
        assert!(!ask(&buffer.retyped(DType::I32), 0));
    }

    #[test]
    fn numbers_of_one_size_share_their_bytes() {
        let ones = Buffer::from_slice("test", &[1.0_f32, -0.0]).unwrap().retyped(DType::I32);
        assert_eq!(ones.as_slice::<i32>(), [0x3F80_0000, i32::MIN]);
        let to_bool = || Buffer::zeros("test", DType::U8, 2).unwrap().retyped(DType::Bool);
        assert!(std::panic::catch_unwind(to_bool).is_err());
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let error = Buffer::new("zeros", DType::F64, usize::MAX / 2).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { op: "zeros", .. }));
        let error = Buffer::new("zeros", DType::U8, isize::MAX as usize - 4096).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }));
    }

    #[test]
    #[should_panic(expected = "a buffer of float32 read as float64")]
    fn a_wrong_type_is_caught() {
        Buffer::new("test", DType::F32, 4).unwrap().as_slice::<f64>();
    }
}
