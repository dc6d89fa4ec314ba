//! Maximum and average pooling of planes, and their gradients.
//!
//! ```
//! use trueno_kernels::{Isa, pool::{Pool2dShape, max_pool2d}};
//!
//! let shape = Pool2dShape { planes: 1, height: 2, width: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
//! assert_eq!(shape.output("max_pool2d")?, [1, 2]);
//! let mut y = [0.0; 2];
//! max_pool2d(Isa::best(), &shape, &[1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 9.0, 8.0], &mut y, None);
//! assert_eq!(y, [5.0, 9.0]);
//! # Ok::<(), trueno_core::Error>(())
//! ```

mod adaptive;
mod average;
mod max;
mod rows;
#[cfg(test)]
mod tests;

pub use adaptive::{adaptive_avg_pool2d, adaptive_avg_pool2d_gradient};
pub use average::{avg_pool2d, avg_pool2d_gradient};
pub use max::{max_pool2d, max_pool2d_gradient};

use core::ops::Range;
use trueno_core::{Error, Result};

/// Windows over planes: `[planes, height, width]`, where a plane is a channel of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2dShape {
    /// Number of planes: images times channels.
    pub planes: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right, that windows may reach into; at most half a window.
    pub padding: [usize; 2],
}

impl Pool2dShape {
    /// Rows and columns of the result: `(size + 2 * padding - kernel) / stride + 1`, rounded down.
    ///
    /// # Errors
    /// If a window or a stride is 0, the padding is more than half a window, or a window is larger than the padded plane.
    pub fn output(&self, op: &'static str) -> Result<[usize; 2]> {
        let size = [self.height, self.width];
        let mut output = [0; 2];
        for axis in 0..2 {
            let (kernel, padding) = (self.kernel[axis], self.padding[axis]);
            if kernel == 0 || self.stride[axis] == 0 {
                return Err(Error::Argument { op, reason: "kernel and stride must be at least 1".into() });
            }
            if padding > kernel / 2 {
                return Err(Error::Argument { op, reason: "padding must be at most half the kernel".into() });
            }
            let Some(room) = (size[axis] + 2 * padding).checked_sub(kernel) else {
                let got = [self.height, self.width];
                return Err(Error::Shape {
                    op,
                    got: got[..].into(),
                    reason: "is smaller than the window, padding included".into(),
                });
            };
            output[axis] = room / self.stride[axis] + 1;
        }
        Ok(output)
    }

    /// Elements of the input.
    pub fn input_elements(&self) -> usize {
        self.planes * self.height * self.width
    }

    /// The output sizes of a shape that was validated.
    ///
    /// # Panics
    /// If it was not.
    fn checked_output(&self) -> [usize; 2] {
        match self.output("pool2d") {
            Ok(output) => output,
            Err(error) => panic!("{error}"),
        }
    }

    /// The windows of a row, of `count`, whose columns are all inside the plane.
    #[inline(always)]
    fn inside(&self, count: usize) -> Range<usize> {
        let first = self.padding[1].div_ceil(self.stride[1]);
        let end = match (self.width + self.padding[1]).checked_sub(self.kernel[1]) {
            Some(room) => room / self.stride[1] + 1,
            None => 0,
        };
        let end = end.min(count);
        first.min(end)..end
    }

    /// The rows that window row `oy` has inside the plane.
    #[inline(always)]
    fn rows(&self, oy: usize) -> Range<usize> {
        window(oy, self.kernel[0], self.stride[0], self.padding[0], self.height)
    }

    /// The columns that window column `ox` has inside the plane.
    #[inline(always)]
    fn cols(&self, ox: usize) -> Range<usize> {
        window(ox, self.kernel[1], self.stride[1], self.padding[1], self.width)
    }
}

/// The part of window `index` that lies inside an axis of `size`.
#[inline(always)]
fn window(index: usize, kernel: usize, stride: usize, padding: usize, size: usize) -> Range<usize> {
    let start = index * stride;
    let end = (start + kernel).saturating_sub(padding).min(size);
    start.saturating_sub(padding).min(end)..end
}
