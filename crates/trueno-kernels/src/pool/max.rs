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
                for ox in 0..width {
                    let position = argmax_of_window(shape, x, oy, ox);
                    out[oy * width + ox] = x[position];
                    if let Some(positions) = &mut positions {
                        positions[oy * width + ox] = position as i32;
                    }
                }
            }
        }
    }
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

/// The gradient of [`max_pool2d`]: `g` of each window goes to its `argmax`, other elements get 0. Windows are taken in order.
///
/// # Panics
/// If a slice is not as long as the shape says, or a position is outside the plane.
pub fn max_pool2d_gradient<T: Real>(shape: &Pool2dShape, argmax: &[i32], g: &[T], out: &mut [T]) {
    let [height, width] = shape.checked_output();
    assert_eq!(g.len(), shape.planes * height * width, "g");
    assert_eq!(argmax.len(), g.len(), "argmax");
    assert_eq!(out.len(), shape.input_elements(), "out");
    out.fill(T::ZERO);
    if g.is_empty() {
        return;
    }
    let planes = g.chunks_exact(height * width).zip(argmax.chunks_exact(height * width));
    for ((g, argmax), out) in planes.zip(out.chunks_exact_mut(shape.height * shape.width)) {
        for (&g, &position) in g.iter().zip(argmax) {
            let out = &mut out[position as usize];
            *out = *out + g;
        }
    }
}
