//! Panels of the matrix that a convolution multiplies with, packed straight from the arranged image.
//!
//! That matrix has a row per weight of an output channel and a column per pixel of the result; it is never there as a whole.

use core::ops::Range;

use super::geometry::{Geometry, Run};
use crate::Isa;
use crate::matmul::{PanelSource, load_some, tile_cols};
use crate::simd::{MAX_LANES, Real, RealVector, kernel};

/// The matrix with pixels as columns: the right factor of the result.
pub(super) struct Pixels<'a, T> {
    pub image: &'a [T],
    pub geometry: &'a Geometry,
}

/// The matrix with weights as columns: the right factor of the gradient by the weights.
pub(super) struct Patches<'a, T> {
    pub image: &'a [T],
    pub geometry: &'a Geometry,
}

impl<T: Real> PanelSource<T> for Pixels<'_, T> {
    fn panels<'s>(&'s self, isa: Isa, taps: Range<usize>, pixels: Range<usize>, scratch: &'s mut [T]) -> &'s [T] {
        pack_pixels(isa, self.image, self.geometry, taps, pixels, scratch);
        scratch
    }
}

impl<T: Real> PanelSource<T> for Patches<'_, T> {
    fn panels<'s>(&'s self, isa: Isa, pixels: Range<usize>, taps: Range<usize>, scratch: &'s mut [T]) -> &'s [T] {
        pack_patches(isa, self.image, self.geometry, pixels, taps, scratch);
        scratch
    }
}

/// The most columns that a panel has.
const MOST_COLS: usize = 2 * MAX_LANES;

kernel! {
    fn pack_pixels<T: Real>(
        simd: S, image: &[T], geometry: &Geometry, taps: Range<usize>, pixels: Range<usize>, out: &mut [T],
    ) {
        let width = tile_cols::<S, T>();
        let mut rest = out;
        let mut first = pixels.start;
        while first < pixels.end {
            let end = pixels.end.min(first + width);
            let mut runs = [Run::default(); MOST_COLS];
            let mut count = 0;
            for run in geometry.runs(first..end) {
                runs[count] = run;
                count += 1;
            }
            if end - first < width {
                rest[..width * taps.len()].fill(T::ZERO);
            }
            for (row, k) in taps.clone().enumerate() {
                let tap = geometry.tap(k);
                for run in &runs[..count] {
                    copy_run::<T::Vector<S>>(simd, &image[tap + run.source..], run.len, &mut rest[row * width + run.at..]);
                }
            }
            rest = &mut rest[width * taps.len()..];
            first = end;
        }
    }
}

/// Copies `len` elements and, where there is room, up to the next vector. What is written too much is written again by later runs
/// or belongs to columns that are not there.
#[inline(always)]
fn copy_run<V: RealVector>(simd: V::Token, from: &[V::Elem], len: usize, to: &mut [V::Elem]) {
    assert!(from.len() >= len && to.len() >= len);
    let room = from.len().min(to.len());
    let mut at = 0;
    while at < len {
        let (source, target) = (from.as_ptr().wrapping_add(at), to.as_mut_ptr().wrapping_add(at));
        // SAFETY: a whole vector only where both slices have one, else no more than `len` elements.
        unsafe {
            if at + V::LANES <= room {
                V::load(simd, source).store(target);
            } else {
                let width = V::LANES.min(len - at);
                load_some::<V>(simd, source, width).store_partial(target, width);
            }
        }
        at += V::LANES;
    }
}

kernel! {
    fn pack_patches<T: Real>(
        simd: S, image: &[T], geometry: &Geometry, pixels: Range<usize>, taps: Range<usize>, out: &mut [T],
    ) {
        let _ = simd;
        let width = tile_cols::<S, T>();
        let mut rest = out;
        let mut first = taps.start;
        while first < taps.end {
            let end = taps.end.min(first + width);
            let mut offsets = [0; MOST_COLS];
            let mut furthest = 0;
            for (j, offset) in offsets[..width].iter_mut().enumerate() {
                // Columns that are not there repeat the last; what they give is dropped.
                *offset = geometry.tap((first + j).min(end - 1));
                furthest = furthest.max(*offset);
            }
            for run in geometry.runs(pixels.clone()) {
                assert!(furthest + run.source + run.len <= image.len());
                let rows = rest[run.at * width..(run.at + run.len) * width].chunks_exact_mut(width);
                for (i, row) in rows.enumerate() {
                    let pixel = image.as_ptr().wrapping_add(run.source + i);
                    for (value, &offset) in row.iter_mut().zip(&offsets[..width]) {
                        // SAFETY: no offset is further than the furthest, with which this run was just seen to end inside `image`.
                        *value = unsafe { *pixel.wrapping_add(offset) };
                    }
                }
            }
            rest = &mut rest[width * pixels.len()..];
            first = end;
        }
    }
}
