//! The largest element of each window.

use super::{Pool2dShape, rows};
use crate::IndexError;
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
        for plane in 0..shape.planes {
            let x = &x[plane * plane_in..][..plane_in];
            for oy in 0..height {
                let first = plane * plane_out + oy * width;
                let positions = argmax.as_deref_mut().map(|argmax| &mut argmax[first..]);
                pool_row::<T::Vector<S>>(simd, shape, x, [oy, width], &mut out[first..], positions);
            }
        }
    }
}

/// The gradient of [`max_pool2d`] by its input: what arrives at a window, `g`, is added to the element at the position that it gave.
///
/// # Errors
/// If a position is outside its plane. Nothing was written then.
///
/// # Panics
/// As [`max_pool2d`].
pub fn max_pool2d_gradient<T: Real>(
    shape: &Pool2dShape,
    g: &[T],
    positions: &[i32],
    out: &mut [T],
) -> Result<(), IndexError> {
    let [height, width] = shape.checked_output();
    let (plane_in, plane_out) = (shape.height * shape.width, height * width);
    assert_eq!(g.len(), shape.planes * plane_out, "g");
    assert_eq!(positions.len(), g.len(), "positions");
    assert_eq!(out.len(), shape.planes * plane_in, "out");
    let is_outside = |at: i32| at < 0 || at as usize >= plane_in;
    // Which of them it is, is searched for only once there is one.
    if positions.iter().fold(false, |any, &at| any | is_outside(at))
        && let Some(position) = positions.iter().position(|&at| is_outside(at))
    {
        return Err(IndexError { index: positions[position].into(), position, size: plane_in });
    }
    let windows = g.chunks_exact(plane_out).zip(positions.chunks_exact(plane_out));
    // Plane by plane, so that the zeros are still in the cache when the sums come.
    for (out, (g, positions)) in out.chunks_exact_mut(plane_in).zip(windows) {
        out.fill(T::ZERO);
        for (&g, &at) in g.iter().zip(positions) {
            let element = &mut out[at as usize];
            *element = *element + g;
        }
    }
    Ok(())
}

/// The `width` windows of row `oy`: in vectors those whose columns are all inside the plane, then one by one the others. What is written
/// past the row, the next one replaces.
#[inline(always)]
fn pool_row<V: RealVector>(
    simd: V::Token,
    shape: &Pool2dShape,
    x: &[V::Elem],
    [oy, width]: [usize; 2],
    out: &mut [V::Elem],
    mut positions: Option<&mut [i32]>,
) {
    let (inside, rows) = (rows::in_vectors(shape, width), shape.rows(oy).len());
    for ox in inside.clone().step_by(V::LANES) {
        let start = rows::start(shape, oy, ox);
        let [largest, places] = largest_of_windows::<V>(simd, shape, &x[start..], rows);
        write(largest, out, ox);
        if let Some(positions) = &mut positions {
            let (places, targets) = (places.to_lanes(), &mut positions[ox..]);
            let position = |lane: usize| (start + lane * shape.stride[1]) as i32 + places[lane].to_bits() as i32;
            // As many as a vector has is straight code.
            match targets.get_mut(..V::LANES) {
                Some(targets) => (0..V::LANES).for_each(|lane| targets[lane] = position(lane)),
                None => targets.iter_mut().enumerate().for_each(|(lane, target)| *target = position(lane)),
            }
        }
    }
    for ox in (0..inside.start).chain(inside.end..width) {
        let position = argmax_of_window(shape, x, oy, ox);
        out[ox] = x[position];
        if let Some(positions) = &mut positions {
            positions[ox] = position as i32;
        }
    }
}

/// The largest elements of a vector of windows, and where they are from the first element of their window: integers in the bits of the
/// lanes.
#[inline(always)]
fn largest_of_windows<V: RealVector>(simd: V::Token, shape: &Pool2dShape, x: &[V::Elem], rows: usize) -> [V; 2] {
    let mut largest = V::splat(simd, -V::Elem::INFINITY);
    let mut places = V::splat(simd, V::Elem::ZERO);
    rows::for_each_place::<V>(simd, shape, x, rows, |place, value| {
        let place = V::splat(simd, V::Elem::from_bits(place as u64));
        // A NaN is not ordered with anything: it takes the place of a number and keeps it.
        let keeps = value.le(largest) | !largest.eq(largest);
        largest = V::select(keeps, largest, value);
        places = V::select(keeps, places, place);
    });
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
