//! Panels of the matrix that a convolution multiplies with, packed straight from the arranged image.
//!
//! That matrix has a row per weight of an output channel and a column per pixel of the result; it is never there as a whole.

use core::ops::Range;

use super::geometry::{Geometry, Run};
use crate::Isa;
use crate::lanes::{read, write};
use crate::matmul::{PanelSource, tile_cols};
use crate::simd::{MAX_LANES, Real, RealVector, kernel};

/// The matrix with pixels as columns: the right factor of the result.
pub(super) struct Pixels<'a, T> {
    pub image: &'a [T],
    pub geometry: &'a Geometry,
}

impl<T: Real> PanelSource<T> for Pixels<'_, T> {
    fn panels<'s>(&'s self, isa: Isa, taps: Range<usize>, pixels: Range<usize>, scratch: &'s mut [T]) -> &'s [T] {
        let rows = taps.len();
        pack_pixels(isa, self.image, self.geometry, taps, rows, pixels, scratch);
        scratch
    }
}

/// The most columns that a panel has.
const MOST_COLS: usize = 2 * MAX_LANES;

kernel! {
    /// Panels of `rows` rows each: those of the taps, then zeros.
    pub(super) fn pack_pixels<T: Real>(
        simd: S, image: &[T], geometry: &Geometry, taps: Range<usize>, rows: usize, pixels: Range<usize>, out: &mut [T],
    ) {
        let width = tile_cols::<T::Vector<S>>();
        let mut rest = out;
        let mut first = pixels.start;
        while first < pixels.end {
            let end = pixels.end.min(first + width);
            assert!(rest.len() >= width * rows && rows >= taps.len());
            let mut runs = [Run::default(); MOST_COLS];
            let mut count = 0;
            let mut reach = 0;
            for run in geometry.runs(first..end) {
                runs[count] = run;
                count += 1;
                reach = reach.max(run.source + run.len.next_multiple_of(T::Vector::<S>::LANES));
            }
            if end - first < width {
                rest[..width * taps.len()].fill(T::ZERO);
            }
            let mut places = geometry.taps_from(taps.start).take(taps.len()).enumerate();
            let mut row = 0;
            while row < taps.len() {
                // The vectors of a run may go on into the next row, which is written later, or else must stop.
                let (mut together, mut count_together) = ([0; TOGETHER], 0);
                let mut alone = None;
                for (index, tap) in places.by_ref() {
                    if index + 1 == taps.len() || tap + reach > image.len() {
                        alone = Some(tap);
                        break;
                    }
                    together[count_together] = tap;
                    count_together += 1;
                    if count_together == TOGETHER {
                        break;
                    }
                }
                let target = &mut rest[row * width..];
                // SAFETY: no run reaches further than `reach`, which was just seen to be inside `image`; each starts in its row of the
                // panel and rounds up into the next at most, which is there.
                unsafe { copy_rows::<T::Vector<S>>(simd, image, &together[..count_together], &runs[..count], target, width) };
                row += count_together;
                if let Some(tap) = alone {
                    let target = &mut rest[row * width..];
                    for run in &runs[..count] {
                        copy_exactly::<T::Vector<S>>(simd, &image[tap + run.source..][..run.len], &mut target[run.at..][..run.len]);
                    }
                    row += 1;
                }
            }
            rest[width * taps.len()..width * rows].fill(T::ZERO);
            rest = &mut rest[width * rows..];
            first = end;
        }
    }
}

/// Rows of a panel that are copied in one go.
const TOGETHER: usize = 64;

/// Copies the runs of several rows of a panel, `width` elements each, from where they start in the image.
///
/// # Safety
/// Each run, rounded up to whole vectors, must be inside of both slices.
#[inline(always)]
unsafe fn copy_rows<V: RealVector>(
    simd: V::Token,
    image: &[V::Elem],
    starts: &[usize],
    runs: &[Run],
    target: &mut [V::Elem],
    width: usize,
) {
    // SAFETY: the caller's promise is the same.
    unsafe {
        // Panels mostly have few runs of a vector or two: then there is no loop over either.
        match *runs {
            [a] if a.len <= 2 * V::LANES => copy_short_runs::<V, 1>(simd, image, starts, [a], target, width),
            [a, b] if a.len.max(b.len) <= 2 * V::LANES => {
                copy_short_runs::<V, 2>(simd, image, starts, [a, b], target, width);
            }
            [a, b, c] if a.len.max(b.len).max(c.len) <= 2 * V::LANES => {
                copy_short_runs::<V, 3>(simd, image, starts, [a, b, c], target, width);
            }
            _ => {
                for (row, start) in starts.iter().enumerate() {
                    for run in runs {
                        copy_vectors::<V>(simd, image, start + run.source, run.len, target, row * width + run.at);
                    }
                }
            }
        }
    }
}

/// As [`copy_rows`], for runs of at most two vectors.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn copy_short_runs<V: RealVector, const RUNS: usize>(
    simd: V::Token,
    image: &[V::Elem],
    starts: &[usize],
    runs: [Run; RUNS],
    target: &mut [V::Elem],
    width: usize,
) {
    let (image, mut row) = (image.as_ptr(), target.as_mut_ptr());
    for &start in starts {
        for run in &runs {
            let (from, to) = (image.wrapping_add(start + run.source), row.wrapping_add(run.at));
            // SAFETY: the caller vouches for the run, rounded up to whole vectors.
            unsafe {
                V::load(simd, from).store(to);
                if run.len > V::LANES {
                    V::load(simd, from.wrapping_add(V::LANES)).store(to.wrapping_add(V::LANES));
                }
            }
        }
        row = row.wrapping_add(width);
    }
}

/// Copies `len` elements, rounded up to whole vectors. What is written too much is written again by later runs or belongs to
/// columns that are not there.
///
/// # Safety
/// Both slices must have as many elements from where the copy starts.
#[inline(always)]
pub(super) unsafe fn copy_vectors<V: RealVector>(
    simd: V::Token,
    from: &[V::Elem],
    source: usize,
    len: usize,
    to: &mut [V::Elem],
    target: usize,
) {
    let (source, target) = (from.as_ptr().wrapping_add(source), to.as_mut_ptr().wrapping_add(target));
    let mut at = 0;
    while at < len {
        // SAFETY: the caller vouches for whole vectors.
        unsafe { V::load(simd, source.wrapping_add(at)).store(target.wrapping_add(at)) };
        at += V::LANES;
    }
}

/// Copies slices of the same length.
#[inline(always)]
fn copy_exactly<V: RealVector>(simd: V::Token, from: &[V::Elem], to: &mut [V::Elem]) {
    for at in (0..to.len()).step_by(V::LANES) {
        write(read::<V>(simd, from, at), to, at);
    }
}
