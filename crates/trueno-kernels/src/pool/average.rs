//! The mean of each window.

use super::Pool2dShape;
use crate::simd::{Real, kernel};

kernel! {
    /// The sum of each window divided by the size of the kernel: padding counts as zeros (PyTorch's `count_include_pad=True`).
    ///
    /// # Panics
    /// If the shape is not valid ([`Pool2dShape::output`]) or a slice is not as long as it says.
    pub fn avg_pool2d<T: Real>(simd: S, shape: &Pool2dShape, x: &[T], out: &mut [T]) {
        let _ = simd;
        let [height, width] = shape.checked_output();
        let plane_in = shape.height * shape.width;
        assert_eq!(x.len(), shape.planes * plane_in, "x");
        assert_eq!(out.len(), shape.planes * height * width, "out");
        let scale = scale::<T>(shape);
        for (plane, out) in out.chunks_exact_mut(height * width).enumerate() {
            let x = &x[plane * plane_in..][..plane_in];
            for oy in 0..height {
                let inside = shape.inside(oy, width);
                for ox in 0..width {
                    let sum = match shape.kernel {
                        [2, 2] if inside.contains(&ox) => sum_inside::<T, 2, 2>(shape, x, oy, ox),
                        [3, 3] if inside.contains(&ox) => sum_inside::<T, 3, 3>(shape, x, oy, ox),
                        _ => sum_of_window(shape, x, oy, ox),
                    };
                    out[oy * width + ox] = sum * scale;
                }
            }
        }
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

/// As [`sum_of_window`] for a window inside the plane.
#[inline(always)]
fn sum_inside<T: Real, const H: usize, const W: usize>(shape: &Pool2dShape, x: &[T], oy: usize, ox: usize) -> T {
    let (top, left) = (oy * shape.stride[0] - shape.padding[0], ox * shape.stride[1] - shape.padding[1]);
    let mut sum = T::ZERO;
    for ky in 0..H {
        for &value in &x[(top + ky) * shape.width + left..][..W] {
            sum = sum + value;
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
