//! Copies picked by index, and sums back to where they were picked from.
//!
//! | kernel | element `[o, j, i]` of `[outer, len, inner]` | PyTorch |
//! | --- | --- | --- |
//! | [`gather_rows`] | `out[o, j, i] = source[o, index[j], i]` | `index_select`, `embedding` |
//! | [`scatter_add_rows`] | `out[o, index[j], i] += source[o, j, i]` | `index_add`, gradient of the above |
//! | [`gather`] | `out[o, j, i] = source[o, index[o, j, i], i]` | `gather` |
//! | [`scatter_add`] | `out[o, index[o, j, i], i] += source[o, j, i]` | `scatter_add`, gradient of the above |
//!
//! Sums run in the order of the indices, so results do not depend on anything but the input; callers that use
//! threads split `outer` (or, for one array, `inner`), never the indices.
//!
//! ```
//! use trueno_kernels::{AxisBlocks, gather::gather_rows};
//!
//! let table = [0.0, 0.1, 1.0, 1.1, 2.0, 2.1];
//! let mut rows = [0.0; 4];
//! gather_rows(&table, AxisBlocks { outer: 1, len: 3, inner: 2 }, &[2, 0], &mut rows)?;
//! assert_eq!(rows, [2.0, 2.1, 0.0, 0.1]);
//!
//! let error = gather_rows(&table, AxisBlocks { outer: 1, len: 3, inner: 2 }, &[2, 3], &mut rows).unwrap_err();
//! assert_eq!((error.index, error.position), (3, 1));
//! # Ok::<(), trueno_kernels::IndexError>(())
//! ```

#[cfg(test)]
mod tests;

use core::ops::Add;

use crate::simd::kernel;
use crate::{AxisBlocks, Isa};

/// An index that lies outside its axis. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexError {
    /// The index.
    pub index: i64,
    /// Where it stands among the indices.
    pub position: usize,
    /// The size of the axis: indices from 0 up to this are allowed.
    pub size: usize,
}

impl core::fmt::Display for IndexError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "index {} at position {} is out of range for an axis of size {}",
            self.index, self.position, self.size
        )
    }
}

impl core::error::Error for IndexError {}

/// The first index that is negative or not below `size`.
pub fn check_indices(indices: &[i64], size: usize) -> Result<(), IndexError> {
    // Without the early exit the loop is vector code; a bad index is searched for only once there is one.
    let outside = indices.iter().fold(false, |outside, &index| outside | (index as u64 >= size as u64));
    if !outside {
        return Ok(());
    }
    match indices.iter().position(|&index| index as u64 >= size as u64) {
        Some(position) => Err(IndexError { index: indices[position], position, size }),
        None => Ok(()),
    }
}

/// The least and the largest of the indices and of 0 and -1: `[0, -1]` of none.
pub fn index_range(isa: Isa, indices: &[i64]) -> [i64; 2] {
    range(isa, indices)
}

kernel! {
    /// Without an early exit, so that the compiler vectorises it.
    fn range(_simd: S, indices: &[i64]) -> [i64; 2] {
        let (mut least, mut most) = (0, -1);
        for &index in indices {
            least = index.min(least);
            most = index.max(most);
        }
        [least, most]
    }
}

/// `out[o, j, i] = source[o, indices[j], i]` for a source of `shape`.
///
/// # Errors
/// If an index is out of range.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn gather_rows<T: Copy>(source: &[T], shape: AxisBlocks, indices: &[i64], out: &mut [T]) -> Result<(), IndexError> {
    assert_eq!(source.len(), shape.elements(), "source");
    assert_eq!(out.len(), shape.with_len(indices.len()).elements(), "out");
    check_indices(indices, shape.len)?;
    if out.is_empty() {
        return Ok(());
    }
    let blocks = source.chunks_exact(shape.len * shape.inner);
    for (source, out) in blocks.zip(out.chunks_exact_mut(indices.len() * shape.inner)) {
        if shape.inner == 1 {
            for (&index, out) in indices.iter().zip(out) {
                *out = source[index as usize];
            }
        } else {
            for (&index, out) in indices.iter().zip(out.chunks_exact_mut(shape.inner)) {
                out.copy_from_slice(&source[index as usize * shape.inner..][..shape.inner]);
            }
        }
    }
    Ok(())
}

/// `out[o, indices[j], i] += source[o, j, i]` for an `out` of `shape`, in the order of `j`.
///
/// # Errors
/// If an index is out of range.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn scatter_add_rows<T: Copy + Add<Output = T>>(
    source: &[T],
    indices: &[i64],
    shape: AxisBlocks,
    out: &mut [T],
) -> Result<(), IndexError> {
    assert_eq!(out.len(), shape.elements(), "out");
    assert_eq!(source.len(), shape.with_len(indices.len()).elements(), "source");
    check_indices(indices, shape.len)?;
    if source.is_empty() {
        return Ok(());
    }
    let blocks = source.chunks_exact(indices.len() * shape.inner);
    for (source, out) in blocks.zip(out.chunks_exact_mut(shape.len * shape.inner)) {
        for (&index, source) in indices.iter().zip(source.chunks_exact(shape.inner)) {
            for (out, &value) in out[index as usize * shape.inner..][..shape.inner].iter_mut().zip(source) {
                *out = *out + value;
            }
        }
    }
    Ok(())
}

/// `out[o, j, i] = source[o, indices[o, j, i], i]` for a source of `shape` and indices of `shape.with_len(len)`.
///
/// # Errors
/// If an index is out of range.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn gather<T: Copy>(
    source: &[T],
    shape: AxisBlocks,
    indices: &[i64],
    len: usize,
    out: &mut [T],
) -> Result<(), IndexError> {
    check_indices(indices, shape.len)?;
    gather_checked(source, shape, indices, len, out);
    Ok(())
}

/// As [`gather`], for indices that the caller has checked: [`check_indices`] reads them all once more.
///
/// # Panics
/// If a slice is not as long as the shapes say, or an index is out of range.
pub fn gather_checked<T: Copy>(source: &[T], shape: AxisBlocks, indices: &[i64], len: usize, out: &mut [T]) {
    assert_eq!(source.len(), shape.elements(), "source");
    assert_eq!(indices.len(), shape.with_len(len).elements(), "indices");
    assert_eq!(out.len(), indices.len(), "out");
    if out.is_empty() {
        return;
    }
    let block = len * shape.inner;
    let sources = source.chunks_exact(shape.len * shape.inner);
    for ((source, indices), out) in sources.zip(indices.chunks_exact(block)).zip(out.chunks_exact_mut(block)) {
        if shape.inner == 1 {
            for (&index, out) in indices.iter().zip(out) {
                *out = source[index as usize];
            }
            continue;
        }
        for (indices, out) in indices.chunks_exact(shape.inner).zip(out.chunks_exact_mut(shape.inner)) {
            for (i, (&index, out)) in indices.iter().zip(out).enumerate() {
                *out = source[index as usize * shape.inner + i];
            }
        }
    }
}

/// `out[o, indices[o, j, i], i] += source[o, j, i]` for an `out` of `shape` and indices of `shape.with_len(len)`,
/// in the order of `j`.
///
/// # Errors
/// If an index is out of range.
///
/// # Panics
/// If a slice is not as long as the shapes say.
pub fn scatter_add<T: Copy + Add<Output = T>>(
    source: &[T],
    indices: &[i64],
    len: usize,
    shape: AxisBlocks,
    out: &mut [T],
) -> Result<(), IndexError> {
    assert_eq!(out.len(), shape.elements(), "out");
    assert_eq!(indices.len(), shape.with_len(len).elements(), "indices");
    assert_eq!(source.len(), indices.len(), "source");
    check_indices(indices, shape.len)?;
    if source.is_empty() {
        return Ok(());
    }
    let block = len * shape.inner;
    let sources = source.chunks_exact(block);
    for ((source, indices), out) in
        sources.zip(indices.chunks_exact(block)).zip(out.chunks_exact_mut(shape.len * shape.inner))
    {
        for (indices, source) in indices.chunks_exact(shape.inner).zip(source.chunks_exact(shape.inner)) {
            for (i, (&index, &value)) in indices.iter().zip(source).enumerate() {
                let out = &mut out[index as usize * shape.inner + i];
                *out = *out + value;
            }
        }
    }
    Ok(())
}
