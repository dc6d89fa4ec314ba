//! Convolutions of images, which gradients by images are too.

use super::winograd::is_winograd_enabled;
use crate::exec::isa::isa;
use crate::parallel::{for_each_piece, num_threads, try_for_each_piece};
use crate::storage::Buffer;
use std::sync::atomic::{AtomicBool, Ordering};
use trueno_core::{DType, Result};
use trueno_kernels::conv::{self as kernel, Conv2dShape, Filter, Winograd};
use trueno_kernels::simd::Real;

/// Multiply-adds that are worth a thread of their own.
const JOB: usize = 1 << 20;

/// `out = x * weight + bias`.
pub(super) fn convolve<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    x: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    out: &mut [T],
) -> Result<()> {
    let filter = Filter { bias, ..Filter::new(weight) };
    let way = winograd::<T>().then(|| Winograd::forward::<T>(isa(), shape)).flatten();
    match way {
        Some(way) if by_winograd(op, &way, x, &filter, out)? => Ok(()),
        _ => directly(op, shape, x, &filter, out),
    }
}

/// The gradient by the images, from the gradient `g` of the result; and a bias for every channel of the images.
pub(super) fn input_gradient<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    g: &[T],
    weight: &[T],
    bias: Option<&[T]>,
    out: &mut [T],
) -> Result<()> {
    let way = winograd::<T>().then(|| Winograd::input_gradient::<T>(isa(), shape)).flatten();
    if let Some(way) = way
        && by_winograd(op, &way, g, &Filter { bias, ..Filter::new(weight) }, out)?
    {
        return Ok(());
    }
    if let Some(turned_shape) = shape.input_gradient() {
        let mut turned = Buffer::new(op, T::DTYPE, weight.len())?;
        kernel::turn_weights(shape, weight, turned.as_mut_slice::<T>());
        return directly(op, &turned_shape, g, &Filter { bias, ..Filter::new(turned.as_slice()) }, out);
    }
    let ([image_in, image_out], together) = (image_sizes(shape), together(shape));
    try_for_each_piece(out, together * image_in, cost(shape) / image_in.max(1), |index, out| {
        let shape = shape.with_batch(out.len() / image_in);
        let g = &g[index * together * image_out..][..shape.batch * image_out];
        let mut scratch = scratch::<T>(op, &shape)?;
        kernel::conv2d_input_gradient(isa(), &shape, weight, g, out, scratch.as_mut_slice());
        if let Some(bias) = bias {
            for (plane, &bias) in out.chunks_exact_mut(shape.height * shape.width).zip(bias.iter().cycle()) {
                plane.iter_mut().for_each(|value| *value = *value + bias);
            }
        }
        Ok(())
    })
}

/// Whether this type may be convolved by Winograd's algorithm.
fn winograd<T: Real>() -> bool {
    T::DTYPE == DType::F32 && is_winograd_enabled()
}

/// Elements of one image and of its result.
pub(super) fn image_sizes(shape: &Conv2dShape) -> [usize; 2] {
    [shape.image_elements(), shape.output_elements()]
}

/// Multiply-adds of one image.
pub(super) fn cost(shape: &Conv2dShape) -> usize {
    let weights = shape.weight_elements() / shape.out_channels.max(1);
    shape.output_elements().saturating_mul(weights)
}

/// Scratch for one thread.
pub(super) fn scratch<T: Real>(op: &'static str, shape: &Conv2dShape) -> Result<Buffer> {
    Buffer::new(op, T::DTYPE, shape.scratch_len::<T>(isa()))
}

/// Images that one thread takes at a time: enough to be worth it, and those that are best put together, if that leaves some for every thread.
fn together(shape: &Conv2dShape) -> usize {
    let small = shape.images_together().min(shape.batch.div_ceil(num_threads()));
    (JOB / cost(shape).max(1)).max(shape.batch.div_ceil(64)).max(small).max(1)
}

/// A sum of products for every element of the result.
fn directly<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    x: &[T],
    filter: &Filter<'_, T>,
    out: &mut [T],
) -> Result<()> {
    if shape.batch == 1 {
        return one_image(op, shape, x, filter, out);
    }
    let ([image_in, image_out], together) = (image_sizes(shape), together(shape));
    try_for_each_piece(out, together * image_out, cost(shape) / image_out.max(1), |index, out| {
        let shape = shape.with_batch(out.len() / image_out);
        let x = &x[index * together * image_in..][..shape.batch * image_in];
        let mut scratch = scratch::<T>(op, &shape)?;
        kernel::conv2d(isa(), &shape, x, filter, out, scratch.as_mut_slice());
        Ok(())
    })
}

/// As [`directly`], by channels of the result: each is computed alone, so that any cut gives the same bits.
fn one_image<T: Real>(
    op: &'static str,
    shape: &Conv2dShape,
    x: &[T],
    filter: &Filter<'_, T>,
    out: &mut [T],
) -> Result<()> {
    let (grouped, image_out) = (shape.groups > 1, shape.output_elements());
    // What is cut: groups or, where there is one, its channels. Parts of those need the same elements of the image.
    let units = if grouped { shape.groups } else { shape.out_channels };
    let parts = (cost(shape) / JOB).min(if grouped { 64 } else { num_threads() }).clamp(1, units.max(1));
    let size = units.div_ceil(parts).max(1);
    let [channels, inputs, taps] = [
        shape.out_channels / units.max(1),
        shape.image_elements() / shape.groups,
        shape.weight_elements() / units.max(1),
    ];
    let piece = size * (image_out / units.max(1));
    try_for_each_piece(out, piece, cost(shape) / image_out.max(1), |index, out| {
        let units = index * size..units.min((index + 1) * size);
        let (outs, weights) = (units.start * channels..units.end * channels, units.start * taps..units.end * taps);
        let part = if grouped {
            let in_channels = shape.in_channels / shape.groups * units.len();
            Conv2dShape { in_channels, out_channels: outs.len(), groups: units.len(), ..*shape }
        } else {
            Conv2dShape { out_channels: outs.len(), ..*shape }
        };
        let x = if grouped { &x[units.start * inputs..units.end * inputs] } else { x };
        let filter = Filter { weight: &filter.weight[weights], bias: filter.bias.map(|bias| &bias[outs]), ..*filter };
        let mut scratch = scratch::<T>(op, &part)?;
        kernel::conv2d(isa(), &part, x, &filter, out, scratch.as_mut_slice());
        Ok(())
    })
}

/// By Winograd's algorithm; whether all results are finite, without which they are of no use. The filter's weights are those of the
/// convolution that `way` was made for.
fn by_winograd<T: Real>(
    op: &'static str,
    way: &Winograd,
    x: &[T],
    filter: &Filter<'_, T>,
    out: &mut [T],
) -> Result<bool> {
    let shape = way.shape();
    let [image_in, image_out] = image_sizes(shape);
    let mut weights = Buffer::new(op, T::DTYPE, way.panels() * way.panel_len())?;
    for_each_piece(weights.as_mut_slice::<T>(), way.panel_len(), 2, |index, panel| {
        way.transform_weights(filter.weight, index, panel);
    });
    let weights = weights.as_slice::<T>();
    let finite = AtomicBool::new(true);
    // One image is cut by channels, which are computed alone: any cut gives the same bits, but each transforms the image again.
    let panels = if shape.batch == 1 { way.panels().div_ceil(num_threads()) } else { way.panels() };
    let together = way.images_together();
    let pixels = image_out / shape.out_channels;
    let piece = if shape.batch == 1 { panels * way.panel_channels() * pixels } else { together * image_out };
    try_for_each_piece(out, piece, cost(shape) / image_out / 4, |index, out| {
        let (x, filter) = if shape.batch == 1 {
            let channels = index * panels * way.panel_channels()..;
            let bias = filter.bias.map(|bias| &bias[channels.start..][..out.len() / pixels]);
            let end = way.panels().min((index + 1) * panels);
            let weight = &weights[index * panels * way.panel_len()..end * way.panel_len()];
            (x, Filter { weight, bias, ..*filter })
        } else {
            let images = out.len() / image_out;
            let x = &x[index * together * image_in..][..images * image_in];
            (x, Filter { weight: weights, ..*filter })
        };
        let mut scratch = Buffer::new(op, T::DTYPE, way.scratch_len(x.len() / image_in))?;
        if !way.convolve(x, &filter, out, scratch.as_mut_slice()) {
            finite.store(false, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(finite.into_inner())
}
