//! The sizes of a convolution and what follows from them.

use trueno_core::{Error, Result};

/// Columns from which a product wastes little on edges and on reading its left factor.
const COLUMNS: usize = 256;

/// A two-dimensional convolution of `[batch, in_channels, height, width]` with weights
/// `[out_channels, in_channels / groups, kernel[0], kernel[1]]`. Pairs are rows first, then columns.
///
/// ```
/// use trueno_kernels::conv::Conv2dShape;
///
/// let shape = Conv2dShape { in_channels: 3, height: 32, width: 32, out_channels: 16, kernel: [3, 3], padding: [1, 1], ..Conv2dShape::UNIT };
/// shape.validate("conv2d")?;
/// assert_eq!(shape.output(), [32, 32]);
///
/// let strided = Conv2dShape { stride: [2, 2], ..shape };
/// assert_eq!(strided.output(), [16, 16]);
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dShape {
    /// Number of images.
    pub batch: usize,
    /// Channels of an image.
    pub in_channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of the result.
    pub out_channels: usize,
    /// Rows and columns of the weights.
    pub kernel: [usize; 2],
    /// Distance of the places where the weights are applied.
    pub stride: [usize; 2],
    /// Zeros added above and below, left and right.
    pub padding: [usize; 2],
    /// Distance of the elements that neighbouring weights meet.
    pub dilation: [usize; 2],
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl Conv2dShape {
    /// One image of one pixel, convolved with one weight: a start for struct updates.
    pub const UNIT: Conv2dShape = Conv2dShape {
        batch: 1,
        in_channels: 1,
        height: 1,
        width: 1,
        out_channels: 1,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };

    /// Whether the sizes make a convolution.
    ///
    /// # Errors
    /// If a kernel, stride, dilation or the number of groups is 0, the groups do not divide the channels, or the kernel is larger than
    /// the padded image.
    pub fn validate(&self, op: &'static str) -> Result<()> {
        let positive = [self.kernel, self.stride, self.dilation].as_flattened().iter().all(|&size| size > 0);
        if !positive || self.groups == 0 {
            return Err(Error::Argument {
                op,
                reason: "kernel, stride, dilation and groups must be at least 1".into(),
            });
        }
        if !self.in_channels.is_multiple_of(self.groups) || !self.out_channels.is_multiple_of(self.groups) {
            return Err(Error::ShapePair {
                op,
                lhs: [self.batch, self.in_channels, self.height, self.width][..].into(),
                rhs: [self.out_channels, self.in_channels / self.groups, self.kernel[0], self.kernel[1]][..].into(),
                reason: "groups must divide the channels of both".into(),
            });
        }
        for (axis, size) in [self.height, self.width].into_iter().enumerate() {
            if size + 2 * self.padding[axis] < self.reach(axis) {
                return Err(Error::ShapePair {
                    op,
                    lhs: [self.batch, self.in_channels, self.height, self.width][..].into(),
                    rhs: [self.out_channels, self.in_channels / self.groups, self.kernel[0], self.kernel[1]][..].into(),
                    reason: "the dilated kernel is larger than the padded image".into(),
                });
            }
        }
        Ok(())
    }

    /// Rows and columns of the result.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn output(&self) -> [usize; 2] {
        let rows = (self.height + 2 * self.padding[0] - self.reach(0)) / self.stride[0] + 1;
        let cols = (self.width + 2 * self.padding[1] - self.reach(1)) / self.stride[1] + 1;
        [rows, cols]
    }

    /// The same convolution of another number of images.
    pub fn with_batch(self, batch: usize) -> Conv2dShape {
        Conv2dShape { batch, ..self }
    }

    /// Elements of one image.
    pub fn image_elements(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    /// Elements of the result of one image.
    pub fn output_elements(&self) -> usize {
        let [rows, cols] = self.output();
        self.out_channels * rows * cols
    }

    /// Elements of the weights.
    pub fn weight_elements(&self) -> usize {
        self.out_channels * self.taps()
    }

    /// Products that a pixel of the result is the sum of.
    pub(super) fn taps(&self) -> usize {
        self.in_channels / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Pixels of the image that the kernel spans.
    fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// The convolution that is this one's gradient by its images: that of the result's gradient with the weights turned around
    /// ([`turn_weights`](super::turn_weights)). `None` where the stride is not 1, there are no pixels, the padding reaches past the kernel, or
    /// channels alone in their groups have several results each (which would make the gradient a sum over too few channels).
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn input_gradient(&self) -> Option<Conv2dShape> {
        let [height, width] = self.output();
        let rows = (self.reach(0) - 1).checked_sub(self.padding[0])?;
        let cols = (self.reach(1) - 1).checked_sub(self.padding[1])?;
        let (in_channels, out_channels) = (self.out_channels, self.in_channels);
        let turned = Conv2dShape { in_channels, out_channels, height, width, padding: [rows, cols], ..*self };
        let spread = self.is_depthwise() && in_channels != out_channels;
        let empty = self.height == 0 || self.width == 0;
        (self.stride == [1, 1] && !spread && !empty).then_some(turned)
    }

    /// Whether pixels do not mix: a product of matrices.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// Whether channels do not mix, and each gives so few that a product of matrices would be all edges.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.out_channels / self.groups <= 4
    }

    /// Images that are best given to one call: the pixels of small ones are put together, so that products have enough columns.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn images_together(&self) -> usize {
        let pixels: usize = self.output().iter().product();
        let mixes = self.groups == 1 && !self.is_depthwise() && self.taps() > 0 && self.image_elements() > 0;
        if mixes { (COLUMNS / pixels.max(1)).clamp(1, self.batch.max(1)) } else { 1 }
    }

    /// Panics unless the shape is valid and the slices are as long as it says.
    pub(super) fn check<T>(&self, input: &[T], weight: &[T], output: &[T]) {
        self.check_images(input, output);
        assert_eq!(weight.len(), self.weight_elements(), "weights of {self:?}");
    }

    /// As [`Conv2dShape::check`], but for the weights.
    pub(super) fn check_images<T>(&self, input: &[T], output: &[T]) {
        if let Err(error) = self.validate("conv2d") {
            panic!("{error}");
        }
        assert_eq!(input.len(), self.batch * self.image_elements(), "images of {self:?}");
        assert_eq!(output.len(), self.batch * self.output_elements(), "result of {self:?}");
    }
}
