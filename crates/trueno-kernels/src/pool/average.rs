//! The mean of each window.

use super::{Pool2dShape, rows};
use crate::lanes::write;
use crate::simd::{Real, RealVector, kernel};

kernel! {
    /// The sum of each window divided by the size of the kernel: padding counts as zeros (PyTorch's `count_include_pad=True`).
    ///
    /// # Panics
    /// If the shape is not valid ([`Pool2dShape::output`]) or a slice is not as long as it says.
    pub fn avg_pool2d<T: Real>(simd: S, shape: &Pool2dShape, x: &[T], out: &mut [T]) {
        let [height, width] = shape.checked_output();
        let (plane_in, plane_out) = (shape.height * shape.width, height * width);
        assert_eq!(x.len(), shape.planes * plane_in, "x");
        assert_eq!(out.len(), shape.planes * plane_out, "out");
        for plane in 0..shape.planes {
            let x = &x[plane * plane_in..][..plane_in];
            for oy in 0..height {
                let out = &mut out[plane * plane_out + oy * width..];
                average_row::<T::Vector<S>>(simd, shape, x, [oy, width], out);
            }
        }
    }
}

/// The `width` windows of row `oy`: in vectors those whose columns are all inside the plane, then one by one the others. What is written
/// past the row, the next one replaces.
#[inline(always)]
fn average_row<V: RealVector>(
    simd: V::Token,
    shape: &Pool2dShape,
    x: &[V::Elem],
    [oy, width]: [usize; 2],
    out: &mut [V::Elem],
) {
    let scale = scale::<V::Elem>(shape);
    let (inside, rows) = (rows::in_vectors(shape, width), shape.rows(oy).len());
    for ox in inside.clone().step_by(V::LANES) {
        let mut sum = V::splat(simd, V::Elem::ZERO);
        let x = &x[rows::start(shape, oy, ox)..];
        rows::for_each_place::<V>(simd, shape, x, rows, |_, value| sum = sum.add(value));
        write(sum.mul(V::splat(simd, scale)), out, ox);
    }
    for ox in (0..inside.start).chain(inside.end..width) {
        out[ox] = sum_of_window(shape, x, oy, ox) * scale;
    }
}

/// The sum of the part of a window that lies inside the plane.
#[inline(always)]
fn sum_of_window<T: Real>(shape: &Pool2dShape, x: &[T], oy: usize, ox: usize) -> T {
    let mut sum = T::ZERO;
    for row in shape.rows(oy) {
        for col in shape.cols(ox) {
            sum = sum + x[row * shape.width + col];
        }
    }
    sum
}

kernel! {
    /// The gradient of [`avg_pool2d`]: every element gets its share of the `g` of each window over it.
    ///
    /// # Panics
    /// If the shape is not valid ([`Pool2dShape::output`]) or a slice is not as long as it says.
    pub fn avg_pool2d_gradient<T: Real>(simd: S, shape: &Pool2dShape, g: &[T], out: &mut [T]) {
        let _ = simd;
        let [height, width] = shape.checked_output();
        assert_eq!(g.len(), shape.planes * height * width, "g");
        assert_eq!(out.len(), shape.input_elements(), "out");
        out.fill(T::ZERO);
        let scale = scale::<T>(shape);
        let plane_in = shape.height * shape.width;
        for (plane, g) in g.chunks_exact(height * width).enumerate() {
            let out = &mut out[plane * plane_in..][..plane_in];
            for oy in 0..height {
                for ox in 0..width {
                    let share = g[oy * width + ox] * scale;
                    for row in shape.rows(oy) {
                        for out in &mut out[row * shape.width..][shape.cols(ox)] {
                            *out = *out + share;
                        }
                    }
                }
            }
        }
    }
}

/// One over the size of the kernel.
#[inline(always)]
fn scale<T: Real>(shape: &Pool2dShape) -> T {
    T::from_f64(1.0 / (shape.kernel[0] * shape.kernel[1]) as f64)
}
