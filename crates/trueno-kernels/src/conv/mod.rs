//! Two-dimensional convolution (cross-correlation, as in PyTorch) of images `[batch, channels, height, width]`, with its gradients.
//!
//! A convolution is a product of matrices whose right factor, a column of image elements per pixel, is packed block by block straight
//! from the image. Kernels of one pixel are plain products, and convolutions whose groups have one input channel (depthwise) have kernels of
//! their own.
//!
//! ```
//! use trueno_kernels::{Isa, conv::{Conv2dShape, Filter, conv2d}};
//!
//! // A box filter over a 3x3 image with a border of zeros.
//! let isa = Isa::best();
//! let shape = Conv2dShape { height: 3, width: 3, kernel: [3, 3], padding: [1, 1], ..Conv2dShape::UNIT };
//! let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
//! let mut result = [0.0; 9];
//! let mut scratch = vec![0.0; shape.scratch_len::<f64>(isa)];
//! conv2d(isa, &shape, &image, &Filter::new(&[1.0; 9]), &mut result, &mut scratch);
//! assert_eq!(result, [12.0, 21.0, 16.0, 27.0, 45.0, 33.0, 24.0, 39.0, 28.0]);
//! ```
//!
//! # Splitting among threads
//!
//! [`conv2d`] and [`conv2d_input_gradient`] give every image the bits that it would have alone: give each thread a part of the images (at best
//! [`Conv2dShape::images_together`] or more) and [`Conv2dShape::with_batch`] of them. [`conv2d_weight_sums`] sums over its images in order: give each run of a fixed number of images (not
//! one that depends on the number of threads) its own sums, and add those in order. Every thread needs a scratch of its own.
//! The gradient by the bias is the sum of the result's gradient over images and pixels.

mod depthwise;
mod geometry;
mod gradient;
mod pairs;
mod panels;
mod shape;
#[cfg(test)]
mod tests;
mod weights;
mod winograd;

pub use gradient::{conv2d_input_gradient, turn_weights};
pub use pairs::PairConvolution;
pub use shape::Conv2dShape;
pub use weights::{conv2d_arrange, conv2d_weight_gradient, conv2d_weight_sums};
pub use winograd::Winograd;

use crate::Isa;
use crate::matmul::{Activation, Bias, Epilogue, MatMut, MatRef, Plan, gemm, packed_product};
use crate::simd::Real;
use geometry::Geometry;
use panels::Pixels;

/// What images are convolved with.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a, T> {
    /// `[out_channels, in_channels / groups, kernel[0], kernel[1]]`.
    pub weight: &'a [T],
    /// One value per output channel, added to it.
    pub bias: Option<&'a [T]>,
    /// What is applied last.
    pub activation: Activation,
}

impl<'a, T> Filter<'a, T> {
    /// Neither bias nor activation.
    pub fn new(weight: &'a [T]) -> Filter<'a, T> {
        Filter { weight, bias: None, activation: Activation::Identity }
    }
}

impl Conv2dShape {
    /// Elements of scratch that [`conv2d`] and its gradients need, for as many images or fewer.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn scratch_len<T: Real>(&self, isa: Isa) -> usize {
        let together = self.images_together();
        let geometry = Geometry::new(self).of_images(together);
        let (outs, taps, pixels) = (self.out_channels / self.groups, geometry.taps(), geometry.pixels());
        if self.is_depthwise() {
            return geometry.buffer_len();
        }
        let products = if together > 1 { outs * pixels } else { 0 };
        let forward = products + Plan::packed::<T>(isa, outs, pixels, taps).scratch_len();
        let weights = self.weight_scratch_len::<T>(isa);
        geometry.buffer_len() + forward.max(weights).max(gradient::input_scratch_len::<T>(isa, self))
    }
}

/// `output = activation(convolution of input with weight + bias)`, `[batch, out_channels, output[0], output[1]]`.
///
/// `scratch` has at least [`Conv2dShape::scratch_len`] elements, whose values do not matter.
///
/// # Panics
/// If the shape is not valid ([`Conv2dShape::validate`]), a slice is not as long as it says, or `scratch` is too short.
pub fn conv2d<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    input: &[T],
    filter: &Filter<'_, T>,
    output: &mut [T],
    scratch: &mut [T],
) {
    shape.check(input, filter.weight, output);
    if let Some(bias) = filter.bias {
        assert_eq!(bias.len(), shape.out_channels, "bias");
    }
    if output.is_empty() {
        return;
    }
    let together = shape.images_together();
    if together > 1 {
        let (images, results) = (together * shape.image_elements(), together * shape.output_elements());
        for (input, output) in input.chunks(images).zip(output.chunks_mut(results)) {
            convolve_together(isa, shape, input, filter, output, scratch);
        }
        return;
    }
    let geometry = Geometry::new(shape);
    let (buffer, scratch) = scratch.split_at_mut(geometry.buffer_len());
    let (outs, taps, pixels) = (shape.out_channels / shape.groups, geometry.taps(), geometry.pixels());
    let plan = Plan::packed::<T>(isa, outs, pixels, taps);
    let group_in = shape.image_elements() / shape.groups;
    for (index, output) in output.chunks_exact_mut(outs * pixels).enumerate() {
        let group = index % shape.groups;
        let image = geometry.arrange(isa, &input[index * group_in..][..group_in], buffer);
        let channels = group * outs..(group + 1) * outs;
        let part = Filter {
            weight: &filter.weight[channels.start * taps..channels.end * taps],
            bias: filter.bias.map(|bias| &bias[channels]),
            activation: filter.activation,
        };
        if shape.is_depthwise() {
            depthwise::convolve(isa, &geometry, image, &part, output);
            continue;
        }
        let weight = MatRef::row_major(part.weight, outs, taps);
        let epilogue = Epilogue {
            accumulate: false,
            bias: part.bias.map_or(Bias::None, Bias::PerRow),
            activation: part.activation,
        };
        let mut output = MatMut::row_major(output, outs, pixels);
        if shape.is_pointwise() || taps == 0 {
            gemm(isa, &plan, weight, MatRef::row_major(image, taps, pixels), output, &epilogue, scratch);
        } else {
            let pixels = Pixels { image, geometry: &geometry };
            packed_product(isa, &plan, weight, &pixels, &mut output, &epilogue, scratch);
        }
    }
}

/// The results of a few images from one product, whose columns are the pixels of all of them.
fn convolve_together<T: Real>(
    isa: Isa,
    shape: &Conv2dShape,
    input: &[T],
    filter: &Filter<'_, T>,
    output: &mut [T],
    scratch: &mut [T],
) {
    let geometry = Geometry::new(shape).of_images(output.len() / shape.output_elements());
    let (outs, taps, pixels) = (shape.out_channels, geometry.taps(), geometry.pixels());
    let (buffer, scratch) = scratch.split_at_mut(geometry.buffer_len());
    let (products, scratch) = scratch.split_at_mut(outs * pixels);
    let image = geometry.arrange(isa, input, buffer);
    let epilogue = Epilogue {
        accumulate: false,
        bias: filter.bias.map_or(Bias::None, Bias::PerRow),
        activation: filter.activation,
    };
    let plan = Plan::packed::<T>(isa, outs, pixels, taps);
    let (weight, columns) = (MatRef::row_major(filter.weight, outs, taps), Pixels { image, geometry: &geometry });
    packed_product(isa, &plan, weight, &columns, &mut MatMut::row_major(products, outs, pixels), &epilogue, scratch);
    let each = shape.output_elements() / outs;
    for (index, output) in output.chunks_exact_mut(each).enumerate() {
        let (image, channel) = (index / outs, index % outs);
        output.copy_from_slice(&products[channel * pixels + image * each..][..each]);
    }
}
