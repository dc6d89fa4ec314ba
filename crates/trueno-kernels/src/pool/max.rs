//! The largest element of each window.

use super::Pool2dShape;
use crate::simd::{Real, kernel};

kernel! {
    /// The largest element of each window; NaN if the window holds one, the first of equals.
    ///
    /// `argmax`, if wanted, gets its position in the plane (`row * width + column`) for the gradient.
    ///
    /// # Panics
    /// If the shape is not valid ([`Pool2dShape::output`]), a plane has more than `i32::MAX` elements, or a slice is not as long as the shape says.
    pub fn max_pool2d<T: Real>(simd: S, shape: &Pool2dShape, x: &[T], out: &mut [T], argmax: Option<&mut [i32]>) {
        let _ = simd;
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
            let range = plane * plane_out..(plane + 1) * plane_out;
            let mut positions = argmax.as_deref_mut().map(|argmax| &mut argmax[range.clone()]);
            let out = &mut out[range];
            for oy in 0..height {
                let row = oy * width..(oy + 1) * width;
                let positions = positions.as_deref_mut().map(|positions| &mut positions[row.clone()]);
                pool_row(shape, x, oy, &mut out[row], positions);
            }
        }
    }
}

/// A row of windows. Those that lie inside the plane and have a usual size are straight code.
#[inline(always)]
fn pool_row<T: Real>(shape: &Pool2dShape, x: &[T], oy: usize, out: &mut [T], mut positions: Option<&mut [i32]>) {
    let inside = shape.inside(oy, out.len());
    for (ox, out) in out.iter_mut().enumerate() {
        let first = (oy * shape.stride[0]).wrapping_sub(shape.padding[0]).wrapping_mul(shape.width);
        let first = first.wrapping_add(ox * shape.stride[1]).wrapping_sub(shape.padding[1]);
        let position = match shape.kernel {
            [2, 2] if inside.contains(&ox) => argmax_inside::<T, 2, 2>(x, first, shape.width),
            [3, 3] if inside.contains(&ox) => argmax_inside::<T, 3, 3>(x, first, shape.width),
            _ => argmax_of_window(shape, x, oy, ox),
        };
        *out = x[position];
        if let Some(positions) = &mut positions {
            positions[ox] = position as i32;
        }
    }
}

/// As [`argmax_of_window`] for a window inside the plane whose first element is at `first`.
#[inline(always)]
fn argmax_inside<T: Real, const H: usize, const W: usize>(x: &[T], first: usize, width: usize) -> usize {
    let mut best = first;
    let mut largest = x[first];
    for ky in 0..H {
        let start = first + ky * width;
        for (kx, &value) in x[start..start + W].iter().enumerate() {
            let replaces = (value > largest) | (is_nan(value) & !is_nan(largest));
            best = if replaces { start + kx } else { best };
            largest = if replaces { value } else { largest };
        }
    }
    best
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
