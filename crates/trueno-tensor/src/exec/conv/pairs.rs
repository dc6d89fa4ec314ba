//! Convolutions of `bfloat16` on machines that multiply it: images are arranged as pairs of channels, and sums of `f32` rounded block
//! by block. See `trueno_kernels::conv::PairConvolution`.

use super::geometry::Geometry;
use super::winograd::is_winograd_enabled;
use crate::exec::isa::isa;
use crate::exec::product::{cols_of, cuts, run_jobs};
use crate::parallel::{num_threads, try_for_each_piece};
use crate::storage::Buffer;
use crate::{Conv2dConfig, DynTensor, Op};
use std::ops::Range;
use trueno_core::{DType, Result, bf16};
use trueno_kernels::conv::{Conv2dShape, PairConvolution, Winograd, turn_weights};
use trueno_kernels::matmul::{MatMut, MatRef, Pair, Unit};

/// Sums that stay in the second level of cache until they are rounded.
const SUMS: usize = 1 << 18;
/// Columns from which a product wastes little on its left factor, and those that it is cut at.
const COLUMNS: usize = 1024;
const UNIT: usize = 32;

/// Whether a convolution, or its gradient by the images, multiplies these operands as they are, rather than in `f32`.
pub(in crate::exec) fn multiplies(op: &Op, inputs: &[&DynTensor]) -> bool {
    // The types first: a program without `bfloat16` never asks for the registers of tiles.
    if inputs.iter().any(|x| x.dtype() != DType::BF16) || !isa().has_bf16_dots() {
        return false;
    }
    let shape = match op {
        Op::Conv2d(config) => shape_of(op, config, inputs[0].shape(), inputs[1].shape()),
        // The gradient by the images is a convolution where the stride is 1.
        Op::Conv2dInputGrad(config, input) => {
            shape_of(op, config, input, inputs[1].shape()).and_then(|shape| shape.input_gradient())
        }
        _ => None,
    };
    shape.is_some_and(|shape| !is_sooner_widened(&shape) && PairConvolution::new(isa(), &shape).is_some())
}

/// Whether a quarter of the multiplications in `f32` take less time than all of them by dots, which are two at a time. Tiles are sooner.
fn is_sooner_widened(shape: &Conv2dShape) -> bool {
    !isa().has_amx() && is_winograd_enabled() && Winograd::forward::<f32>(isa(), shape).is_some()
}

fn shape_of(op: &Op, config: &Conv2dConfig, input: &[usize], weight: &[usize]) -> Option<Conv2dShape> {
    // What does not fit is refused later.
    Geometry::new(op.name(), config, input, weight).ok().map(|geometry| geometry.shape())
}

/// The gradient by the images, from the gradient `g` of the result.
pub(super) fn input_gradient(
    op: &'static str,
    shape: &Conv2dShape,
    [g, weight]: [&[bf16]; 2],
    out: &mut [bf16],
) -> Result<()> {
    let mut turned = Buffer::new(op, DType::BF16, weight.len())?;
    turn_weights(shape, weight, turned.as_mut_slice());
    let Some(of_g) = shape.input_gradient() else {
        unreachable!("only what `multiplies` is convolved so");
    };
    convolve(op, &of_g, [g, turned.as_slice()], None, out)
}

/// `out = x * weight + bias`.
pub(super) fn convolve(
    op: &'static str,
    shape: &Conv2dShape,
    [x, weight]: [&[bf16]; 2],
    bias: Option<&[f32]>,
    out: &mut [bf16],
) -> Result<()> {
    let Some(way) = PairConvolution::new(isa(), shape) else {
        unreachable!("only what `multiplies` is convolved so");
    };
    let ([group_in, group_out], outs) = (way.sizes(), way.outs());
    let mut weights = Buffer::new(op, DType::F32, way.weights_len())?;
    way.write_weights(weight, Pair::of_mut(weights.as_mut_slice()));
    let mut images = Buffer::new(op, DType::F32, shape.batch * shape.groups * way.arranged_len())?;
    try_for_each_piece(Pair::of_mut(images.as_mut_slice()), way.arranged_len(), 1, |index, arranged| {
        let mut plane = Buffer::new(op, DType::F32, way.plane_len())?;
        way.arrange(&x[index * group_in..][..group_in], arranged, Pair::of_mut(plane.as_mut_slice()));
        Ok(())
    })?;
    let (images, weights) = (Pair::of(images.as_slice()), Pair::of(weights.as_slice()));
    let mut jobs = jobs(&way, shape, out, group_out);
    run_jobs(&mut jobs, |Job { first, images: count, pixels, out }| {
        let group = *first % shape.groups;
        let weight = &weights[group * weights.len() / shape.groups..][..weights.len() / shape.groups];
        let bias = bias.map(|bias| &bias[group * outs..][..outs]);
        let arranged = &images[*first * way.arranged_len()..][..*count * way.arranged_len()];
        // Pixels of several images are counted through, and then they are all that there are.
        let columns = if *count > 1 { 0..*count * way.pixels() } else { pixels.clone() };
        let mut sums = Buffer::new(op, DType::F32, outs * columns.len())?;
        let mut scratch = Buffer::new(op, DType::F32, way.scratch_len(columns.len()))?;
        let (sums, scratch) = (sums.as_mut_slice::<f32>(), Pair::of_mut(scratch.as_mut_slice()));
        way.convolve(arranged, weight, bias, columns.clone(), sums, scratch);
        let sums = MatRef::row_major(sums, outs, columns.len());
        for image in 0..*count {
            let of_image = image * pixels.len()..(image + 1) * pixels.len();
            let out = out.reborrow().block(image * outs..(image + 1) * outs, 0..pixels.len());
            Pair::round(isa(), sums.block(0..outs, of_image), out);
        }
        Ok(())
    })
}

/// Pixels of the results of a few images of one group, or of several small ones.
struct Job<'c> {
    /// The first group of an image.
    first: usize,
    images: usize,
    pixels: Range<usize>,
    /// `[images * outs, pixels]`.
    out: MatMut<'c, bf16>,
}

fn jobs<'c>(way: &PairConvolution, shape: &Conv2dShape, out: &'c mut [bf16], group_out: usize) -> Vec<Job<'c>> {
    let (outs, pixels) = (way.outs(), way.pixels());
    // Only the images of one group follow each other.
    let most = if shape.groups == 1 { shape.batch.div_ceil(num_threads()) } else { 1 };
    let together = (COLUMNS.min(SUMS / outs) / pixels).clamp(1, most.max(1));
    let wanted = pixels.div_ceil((SUMS / outs).clamp(UNIT, 4 * COLUMNS));
    let parts = wanted.max(num_threads().div_ceil(shape.batch * shape.groups));
    let mut jobs = Vec::new();
    for (index, out) in out.chunks_mut(together * group_out).enumerate() {
        let images = out.len() / group_out;
        let cuts = cuts(pixels, UNIT, if together > 1 { 1 } else { parts });
        for (pixels, out) in cols_of(MatMut::row_major(out, images * outs, pixels), cuts) {
            jobs.push(Job { first: index * together, images, pixels, out });
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::super::{conv2d, input_grad};
    use super::*;
    use crate::autocast;
    use crate::exec::fixtures::{assert_threads_agree, numbers, values};

    fn halves(shape: &[usize]) -> DynTensor {
        numbers(shape).cast(DType::BF16).unwrap()
    }

    /// Both within a rounding to `bfloat16` of the largest result.
    #[track_caller]
    fn assert_near(got: &DynTensor, want: &DynTensor) {
        assert_eq!((got.dtype(), got.shape()), (DType::BF16, want.shape()));
        let (got, want) = (values(got), values(want));
        let most = want.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= most / 256.0), "{got:?} {want:?}");
    }

    #[test]
    fn results_and_gradients_are_those_of_floats_rounded() {
        let cases: [([usize; 4], [usize; 4], Conv2dConfig); 6] = [
            ([2, 3, 9, 7], [4, 3, 3, 3], Conv2dConfig { padding: [1, 1], ..Default::default() }),
            ([5, 8, 12, 12], [40, 8, 3, 3], Conv2dConfig { padding: [1, 1], ..Default::default() }),
            ([1, 6, 40, 40], [6, 3, 2, 3], Conv2dConfig { groups: 2, dilation: [1, 2], ..Default::default() }),
            ([3, 5, 15, 9], [33, 5, 3, 3], Conv2dConfig { stride: [2, 3], padding: [1, 0], ..Default::default() }),
            ([4, 70, 5, 5], [17, 70, 1, 1], Conv2dConfig::default()),
            ([1, 3, 64, 64], [130, 3, 7, 7], Conv2dConfig { stride: [2, 2], padding: [3, 3], ..Default::default() }),
        ];
        for (input, weight, config) in cases {
            let (x, w, bias) = (halves(&input), halves(&weight), halves(&[weight[0]]));
            let [wide_x, wide_w, wide_bias] = [&x, &w, &bias].map(|x| x.cast(DType::F32).unwrap());
            let want = conv2d(&config, &[&wide_x, &wide_w, &wide_bias]).unwrap();
            let run = || x.conv2d(&w, Some(&bias), config).unwrap();
            assert_near(&run(), &want);
            assert_threads_agree(run);
            let g = halves(want.shape());
            let want = input_grad(&config, input, &g.cast(DType::F32).unwrap(), &wide_w).unwrap();
            let run = || {
                let op = Op::Conv2dInputGrad(config, input);
                crate::exec::compute(&op, &[&g, &w], &mut Default::default()).unwrap()
            };
            assert_near(&run(), &want);
            assert_threads_agree(run);
        }
    }

    #[test]
    fn pairs_are_multiplied_where_the_machine_can() {
        // Subnormal numbers, which those instructions take for 0 and which are numbers like others in `f32`.
        let filled =
            |shape: &[usize], x: f32| numbers(shape).constant(f64::from(x)).unwrap().broadcast_to(shape).unwrap();
        let x = filled(&[2, 4, 6, 6], f32::MIN_POSITIVE / 4.0).cast(DType::F32).unwrap();
        let w = filled(&[3, 4, 3, 3], 1.0 / f32::MIN_POSITIVE).cast(DType::F32).unwrap();
        let by_pairs = |y: &DynTensor| values(y).iter().all(|&y| y == 0.0);
        let config = Conv2dConfig::default();
        let narrow = autocast(DType::BF16, || x.conv2d(&w, None, config).unwrap());
        assert_eq!(by_pairs(&narrow.as_stored()), isa().has_bf16_dots(), "autocast");
        let [x, w] = [x, w].map(|x| x.cast(DType::BF16).unwrap());
        assert_eq!(by_pairs(&x.conv2d(&w, None, config).unwrap()), isa().has_bf16_dots());
    }
}
