//! The largest element of each window.

use super::Pool2dShape;
use super::rows::SortedRows;
use crate::lanes::write;
use crate::simd::{Real, RealVector, kernel};

kernel! {
    /// The largest element of each window; NaN if the window holds one, the first of equals.
    ///
    /// `argmax`, if wanted, gets its position in the plane (`row * width + column`) for the gradient.
    ///
    /// # Panics
    /// If the shape is not valid ([`Pool2dShape::output`]), a plane has more than `i32::MAX` elements, or a slice is not as long as the shape says.
    pub fn max_pool2d<T: Real>(simd: S, shape: &Pool2dShape, x: &[T], out: &mut [T], argmax: Option<&mut [i32]>) {
        let [height, width] = shape.checked_output();
        let (plane_in, plane_out) = (shape.height * shape.width, height * width);
        assert!(plane_in <= i32::MAX as usize, "planes of {plane_in} elements have no 32-bit positions");
        assert_eq!(x.len(), shape.planes * plane_in, "x");
        assert_eq!(out.len(), shape.planes * plane_out, "out");
        if let Some(argmax) = &argmax {
            assert_eq!(argmax.len(), out.len(), "argmax");
        }
        let mut argmax = argmax;
        let mut sorted = SortedRows::new(shape);
        for plane in 0..shape.planes {
            let x = &x[plane * plane_in..][..plane_in];
            let range = plane * plane_out..(plane + 1) * plane_out;
            let mut positions = argmax.as_deref_mut().map(|argmax| &mut argmax[range.clone()]);
            let out = &mut out[range];
            for oy in 0..height {
                let row = oy * width..(oy + 1) * width;
                let positions = positions.as_deref_mut().map(|positions| &mut positions[row.clone()]);
                pool_row::<T::Vector<S>>(simd, shape, x, oy, &mut out[row], positions, &mut sorted);
            }
        }
    }
}

/// A row of windows: in vectors those whose columns are all inside the plane, one by one the others.
#[inline(always)]
fn pool_row<V: RealVector>(
    simd: V::Token,
    shape: &Pool2dShape,
    x: &[V::Elem],
    oy: usize,
    out: &mut [V::Elem],
    mut positions: Option<&mut [i32]>,
    sorted: &mut Option<SortedRows<V::Elem>>,
) {
    let inside = if sorted.is_some() { shape.inside(out.len()) } else { 0..0 };
    for ox in (0..inside.start).chain(inside.end..out.len()) {
        let position = argmax_of_window(shape, x, oy, ox);
        out[ox] = x[position];
        if let Some(positions) = &mut positions {
            positions[ox] = position as i32;
        }
    }
    let Some(sorted) = sorted else { return };
    for windows in SortedRows::<V::Elem>::runs(inside) {
        sorted.take(shape, x, shape.rows(oy), windows.clone());
        let out = &mut out[windows.clone()];
        let start = shape.rows(oy).start * shape.width + windows.start * shape.stride[1] - shape.padding[1];
        for first in (0..out.len()).step_by(V::LANES) {
            let [largest, places] = largest_of_windows::<V>(simd, shape, sorted, shape.rows(oy).len(), first);
            write(largest, out, first);
            if let Some(positions) = &mut positions {
                let start = start + first * shape.stride[1];
                let places = places.to_lanes();
                let targets = positions[windows.clone()][first..].iter_mut().take(V::LANES);
                for (lane, (position, place)) in targets.zip(places).enumerate() {
                    *position = (start + lane * shape.stride[1]) as i32 + place.to_bits() as i32;
                }
            }
        }
    }
}

/// The largest elements of a vector of windows, and where they are from the first element of their window: integers in the bits of the
/// lanes.
#[inline(always)]
fn largest_of_windows<V: RealVector>(
    simd: V::Token,
    shape: &Pool2dShape,
    sorted: &SortedRows<V::Elem>,
    rows: usize,
    first: usize,
) -> [V; 2] {
    let mut largest = sorted.at::<V>(simd, 0, 0, first);
    let mut places = V::splat(simd, V::Elem::ZERO);
    for ky in 0..rows {
        for kx in 0..shape.kernel[1] {
            let value = sorted.at::<V>(simd, ky, kx, first);
            let place = V::splat(simd, V::Elem::from_bits((ky * shape.width + kx) as u64));
            // A NaN is not ordered with anything: it takes the place of a number and keeps it.
            let keeps = value.le(largest) | !largest.eq(largest);
            largest = V::select(keeps, largest, value);
            places = V::select(keeps, places, place);
        }
    }
    [largest, places]
}

/// Whether `value` is NaN.
#[inline(always)]
fn is_nan<T: Real>(value: T) -> bool {
    value.partial_cmp(&value).is_none()
}

/// Position of the first NaN of the window, else of the first of its largest elements.
#[inline(always)]
fn argmax_of_window<T: Real>(shape: &Pool2dShape, x: &[T], oy: usize, ox: usize) -> usize {
    let (rows, cols) = (shape.rows(oy), shape.cols(ox));
    let mut best = rows.start * shape.width + cols.start;
    let mut largest = x[best];
    for row in rows {
        for col in cols.clone() {
            let position = row * shape.width + col;
            let value = x[position];
            // A NaN is not ordered with anything: it takes the place of a number and keeps it.
            let replaces = value > largest || (is_nan(value) && !is_nan(largest));
            if replaces {
                (best, largest) = (position, value);
            }
        }
    }
    best
}
