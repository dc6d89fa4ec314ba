//! Images of another size.

use super::Pair;
use crate::layer::expect;
use crate::{Layer, Mode, Module};
use trueno_core::table::TernaryOp;
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Tensor};

/// How the pixels of a resized image come about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Each is the one at its place, rounded down (PyTorch's `nearest`).
    #[default]
    Nearest,
    /// A mean of the four around its place, weighed by distance. With `align_corners` the corner pixels of both images have their
    /// centres at the same places, else the images have their edges there.
    Bilinear {
        /// Whether centres or edges meet.
        align_corners: bool,
    },
}

/// Images `[N, C, H, W]` with another height and width (PyTorch's `interpolate`).
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Interpolation, interpolate};
/// let x = tensor![[[[1.0, 3.0]]]];
/// assert_eq!(interpolate(&x, [1, 4], Interpolation::Nearest).to_vec(), [1.0, 1.0, 3.0, 3.0]);
/// let smooth = Interpolation::Bilinear { align_corners: false };
/// assert_eq!(interpolate(&x, [1, 4], smooth).to_vec(), [1.0, 1.5, 2.5, 3.0]);
/// ```
///
/// # Panics
/// At the caller's line, with the error of [`try_interpolate`] as the message.
#[track_caller]
pub fn interpolate<T: Float>(input: &Tensor<T, 4>, size: impl Into<Pair>, mode: Interpolation) -> Tensor<T, 4> {
    expect(try_interpolate(input, size, mode))
}

/// As [`interpolate`].
///
/// # Errors
/// [`Error::Shape`] if pixels are wanted of an image that has none.
pub fn try_interpolate<T: Float>(
    input: &Tensor<T, 4>,
    size: impl Into<Pair>,
    mode: Interpolation,
) -> Result<Tensor<T, 4>> {
    let Pair(size) = size.into();
    let mut image = input.as_dyn().clone();
    for (axis, size) in [2, 3].into_iter().zip(size) {
        if image.shape()[axis] == 0 && size > 0 {
            let reason = format!("axis {axis} is empty and cannot be resized to {size}").into();
            return Err(Error::Shape { op: "interpolate", got: input.shape().as_slice().into(), reason });
        }
        image = resized(&image, axis, size, mode)?;
    }
    Tensor::from_dyn(image)
}

fn resized(x: &DynTensor, axis: usize, size: usize, mode: Interpolation) -> Result<DynTensor> {
    let length = x.shape()[axis];
    let at =
        |positions: &[i64]| x.index_select(axis as isize, &DynTensor::from_slice(positions, &[size])?.to(&x.device())?);
    let align_corners = match mode {
        // The same pixels: as they are, whatever the mode.
        _ if length == size => return Ok(x.clone()),
        Interpolation::Nearest => return at(&(0..size).map(|i| (i * length / size) as i64).collect::<Vec<_>>()),
        Interpolation::Bilinear { align_corners } => align_corners,
    };
    let place = |i: usize| match align_corners {
        true if size > 1 => i as f64 * (length - 1) as f64 / (size - 1) as f64,
        true => 0.0,
        false => ((i as f64 + 0.5) * length as f64 / size as f64 - 0.5).max(0.0),
    };
    let places: Vec<f64> = (0..size).map(place).collect();
    let before: Vec<i64> = places.iter().map(|place| place.floor() as i64).collect();
    let after: Vec<i64> = before.iter().map(|&i| (i + 1).min(length as i64 - 1)).collect();
    let shares: Vec<f64> = places.iter().map(|place| place.fract()).collect();
    let mut shape = [1; 4];
    shape[axis] = size;
    let shares = DynTensor::from_slice(&shares, &shape)?.cast(x.dtype())?.to(&x.device())?;
    at(&before)?.ternary(TernaryOp::Lerp, &at(&after)?, &shares)
}

/// Images `[N, C, H, W]` enlarged by whole factors of height and width.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Interpolation, Layer, Mode, Upsample};
/// let layer = Upsample::new(2, Interpolation::Nearest);
/// assert_eq!(layer.forward(&Tensor::<f32, 4>::zeros([1, 3, 4, 5]), Mode::Eval).shape(), [1, 3, 8, 10]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Upsample {
    #[module(skip)]
    factors: [usize; 2],
    #[module(skip)]
    mode: Interpolation,
}

impl Upsample {
    /// A layer that enlarges by these factors.
    pub fn new(factors: impl Into<Pair>, mode: Interpolation) -> Upsample {
        Upsample { factors: factors.into().0, mode }
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for Upsample {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        let [.., height, width] = input.shape();
        try_interpolate(input, [height * self.factors[0], width * self.factors[1]], self.mode)
    }
}

/// Channels become pixels: `[N, C * r * r, H, W]` to `[N, C, H * r, W * r]` (Shi et al., 2016).
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Layer, Mode, PixelShuffle};
/// let x = tensor![[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]];
/// assert_eq!(PixelShuffle::new(2).forward(&x, Mode::Eval), tensor![[[[1.0, 2.0], [3.0, 4.0]]]]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct PixelShuffle {
    factor: usize,
}

/// Pixels become channels: `[N, C, H * r, W * r]` to `[N, C * r * r, H, W]`, the inverse of [`PixelShuffle`].
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Layer, Mode, PixelUnshuffle};
/// let y = PixelUnshuffle::new(2).forward(&tensor![[[[1.0, 2.0], [3.0, 4.0]]]], Mode::Eval);
/// assert_eq!(y, tensor![[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct PixelUnshuffle {
    factor: usize,
}

impl PixelShuffle {
    /// A layer that makes images this many times as high and wide.
    pub fn new(factor: usize) -> PixelShuffle {
        PixelShuffle { factor }
    }
}

impl PixelUnshuffle {
    /// A layer that makes images of every so many rows and columns.
    pub fn new(factor: usize) -> PixelUnshuffle {
        PixelUnshuffle { factor }
    }
}

/// Refuses a size that the factor does not divide.
fn divided(op: &'static str, shape: [usize; 4], axis: usize, by: usize) -> Result<usize> {
    if by > 0 && shape[axis].is_multiple_of(by) {
        return Ok(shape[axis] / by);
    }
    let reason = format!("axis {axis} has size {}, which {by} does not divide", shape[axis]).into();
    Err(Error::Shape { op, got: shape.as_slice().into(), reason })
}

impl<T: Float> Layer<Tensor<T, 4>> for PixelShuffle {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        let (r, [n, _, h, w]) = (self.factor, input.shape());
        let c = divided("pixel_shuffle", input.shape(), 1, r * r)?;
        let apart = input.as_dyn().reshape_to(&[n, c, r, r, h, w])?.permute(&[0, 1, 4, 2, 5, 3])?;
        Tensor::from_dyn(apart.reshape_to(&[n, c, h * r, w * r])?)
    }
}

impl<T: Float> Layer<Tensor<T, 4>> for PixelUnshuffle {
    type Output = Tensor<T, 4>;

    fn try_forward(&self, input: &Tensor<T, 4>, _: Mode) -> Result<Tensor<T, 4>> {
        let (r, [n, c, ..]) = (self.factor, input.shape());
        let [h, w] = [2, 3].map(|axis| divided("pixel_unshuffle", input.shape(), axis, r));
        let (h, w) = (h?, w?);
        let apart = input.as_dyn().reshape_to(&[n, c, h, r, w, r])?.permute(&[0, 1, 3, 5, 2, 4])?;
        Tensor::from_dyn(apart.reshape_to(&[n, c * r * r, h, w])?)
    }
}
