//! Pooling of the planes of `[N, C, H, W]`, and the gradients of the means.

use super::isa::isa;
use super::movement::contiguous;
use super::operand::elements;
use super::{FLOATS, reduce, unsupported};
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_piece, for_each_piece_pair, piece_size, try_for_each_piece};
use crate::storage::Buffer;
use crate::{DynTensor, Pool2dConfig, Reduction, Saved};
use smallvec::smallvec;
use trueno_core::table::ReduceOp;
use trueno_core::{DType, Error, Result, dispatch_dtype};
use trueno_kernels::IndexError;
use trueno_kernels::pool::{self as kernel, Pool2dShape};

/// Sizes, padding included, that the kernels' arithmetic can hold with room to spare.
const LARGEST: usize = 1 << (usize::BITS * 5 / 8);

/// The four sizes of a batch of images.
pub(super) fn images(op: &'static str, shape: &[usize]) -> Result<[usize; 4]> {
    let reason = "is not [N, C, H, W]".into();
    shape.try_into().map_err(|_| Error::Shape { op, got: shape.into(), reason })
}

fn refuse(op: &'static str, shape: [usize; 4], reason: String) -> Error {
    Error::Shape { op, got: shape[..].into(), reason: reason.into() }
}

/// The geometry of pooling images of this shape, and the shape of the result.
pub(super) fn windows(op: &'static str, config: &Pool2dConfig, shape: [usize; 4]) -> Result<(Pool2dShape, [usize; 4])> {
    let [batch, channels, height, width] = shape;
    let Pool2dConfig { kernel, stride, padding } = *config;
    for axis in 0..2 {
        let name = ["height", "width"][axis];
        if kernel[axis] == 0 || stride[axis] == 0 {
            let reason = format!("kernel {kernel:?} and stride {stride:?} must be at least 1").into();
            return Err(Error::Argument { op, reason });
        }
        if padding[axis] > kernel[axis] / 2 {
            let reason = format!("padding {padding:?} is more than half of kernel {kernel:?}").into();
            return Err(Error::Argument { op, reason });
        }
        let size = shape[2 + axis];
        if size == 0 || kernel[axis] > LARGEST || kernel[axis] > size + 2 * padding[axis] {
            let reason = format!("has {name} {size}, less than kernel {kernel:?} with padding {padding:?}");
            return Err(refuse(op, shape, reason));
        }
    }
    let planes = checked_size(op, &[batch, channels])?;
    let geometry = Pool2dShape { planes, height, width, kernel, stride, padding };
    let [out_height, out_width] = geometry.output(op)?;
    Ok((geometry, [batch, channels, out_height, out_width]))
}

/// What pooling asks of `g`: the shape of the result.
fn expect(op: &'static str, g: &DynTensor, input: &[usize], output: &[usize]) -> Result<()> {
    if g.shape() == output {
        return Ok(());
    }
    let reason = format!("an input of the second shape pools to {output:?}").into();
    Err(Error::ShapePair { op, lhs: g.shape().into(), rhs: input.into(), reason })
}

/// The largest element of each window; saves its position in the plane as `i32`, of the result's shape.
pub(crate) fn max_pool2d(config: &Pool2dConfig, x: &DynTensor, saved: &mut Saved) -> Result<DynTensor> {
    let op = "max_pool2d";
    let (geometry, shape) = windows(op, config, images(op, x.shape())?)?;
    let (plane_in, plane_out) = (geometry.height * geometry.width, shape[2] * shape[3]);
    if i32::try_from(plane_in).is_err() {
        return Err(refuse(op, images(op, x.shape())?, "has planes of more than 2^31 - 1 elements".into()));
    }
    let x = contiguous(x)?;
    let size = checked_size(op, &shape)?;
    let (mut buffer, mut positions) = (Buffer::new(op, x.dtype(), size)?, Buffer::new(op, DType::I32, size)?);
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let cost = geometry.kernel.iter().product::<usize>() * 2;
        let together = piece_size(geometry.planes, plane_out * cost);
        let piece = together * plane_out;
        let (out, positions) = (buffer.as_mut_slice::<T>(), positions.as_mut_slice::<i32>());
        for_each_piece_pair((out, piece), (positions, piece), cost, |index, out, positions| {
            let planes = out.len() / plane_out;
            let x = &x[index * together * plane_in..][..planes * plane_in];
            kernel::max_pool2d(isa(), &Pool2dShape { planes, ..geometry }, x, out, Some(positions));
        });
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    *saved = smallvec![DynTensor::from_buffer(positions, &shape)];
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// The gradient of [`max_pool2d`]: what arrives at a window goes to the position of its largest element.
pub(super) fn max_pool2d_grad(
    config: &Pool2dConfig,
    input: [usize; 4],
    g: &DynTensor,
    positions: &DynTensor,
) -> Result<DynTensor> {
    let op = "max_pool2d";
    let (geometry, output) = windows(op, config, input)?;
    expect(op, g, &input, &output)?;
    expect(op, positions, &input, &output)?;
    if positions.dtype() != DType::I32 {
        return Err(unsupported(op, positions.dtype(), "positions are int32, as the operation saves them"));
    }
    let (g, positions) = (contiguous(g)?, contiguous(positions)?);
    let (plane_in, plane_out) = (geometry.height * geometry.width, output[2] * output[3]);
    let mut buffer = Buffer::new(op, g.dtype(), checked_size(op, &input)?)?;
    dispatch_dtype!(g.dtype(), real T => {
        let (g, positions) = (elements::<T>(&g), elements::<i32>(&positions));
        let together = piece_size(geometry.planes, plane_in + plane_out * 2);
        try_for_each_piece(buffer.as_mut_slice::<T>(), together * plane_in, 2, |index, out| {
            let planes = out.len() / plane_in;
            let windows = index * together * plane_out..(index * together + planes) * plane_out;
            let (g, positions) = (&g[windows.clone()], &positions[windows]);
            kernel::max_pool2d_gradient(&Pool2dShape { planes, ..geometry }, g, positions, out)
                .map_err(|IndexError { index, size, .. }| Error::Index { op, index, axis: 2, size })
        })?;
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &input))
}

/// The mean of each window; padding counts as zeros.
pub(crate) fn avg_pool2d(config: &Pool2dConfig, x: &DynTensor) -> Result<DynTensor> {
    let op = "avg_pool2d";
    let (geometry, shape) = windows(op, config, images(op, x.shape())?)?;
    let cost = geometry.kernel.iter().product();
    let sizes = [geometry.height * geometry.width, shape[2] * shape[3]];
    by_planes(op, x, &shape, sizes, cost, Planes::Average(geometry))
}

/// The gradient of [`avg_pool2d`] by its input, of shape `input`.
pub(crate) fn avg_pool2d_grad(config: &Pool2dConfig, input: [usize; 4], g: &DynTensor) -> Result<DynTensor> {
    let op = "avg_pool2d_grad";
    let (geometry, shape) = windows(op, config, input)?;
    expect(op, g, &input, &shape)?;
    let cost = geometry.kernel.iter().product();
    by_planes(op, g, &input, [shape[2] * shape[3], input[2] * input[3]], cost, Planes::AverageGradient(geometry))
}

/// The mean of windows chosen so that the result has height and width `output`.
pub(crate) fn adaptive_avg_pool2d(output: [usize; 2], x: &DynTensor) -> Result<DynTensor> {
    let op = "adaptive_avg_pool2d";
    let shape = images(op, x.shape())?;
    let [batch, channels, height, width] = shape;
    let (plane_in, plane_out) = (height * width, checked_size(op, &output)?);
    if plane_in == 0 && plane_out > 0 {
        return Err(refuse(op, shape, format!("has empty planes, which have no means for {output:?}")));
    }
    if output == [1, 1] && matches!(x.dtype(), DType::F32 | DType::F64) {
        let (op, axes) = (ReduceOp::Mean, smallvec![2, 3]);
        return reduce::reduce(&Reduction { op, axes, keep_dims: true, correction: 0.0 }, x);
    }
    let cost = plane_in / plane_out.max(1) + 1;
    let kind = Planes::Adaptive([height, width], output);
    by_planes(op, x, &[batch, channels, output[0], output[1]], [plane_in, plane_out], cost, kind)
}

/// The gradient of [`adaptive_avg_pool2d`] by its input, of shape `input`.
pub(crate) fn adaptive_avg_pool2d_grad(input: [usize; 4], g: &DynTensor) -> Result<DynTensor> {
    let op = "adaptive_avg_pool2d_grad";
    let shape = images(op, g.shape())?;
    expect(op, g, &input, &[input[0], input[1], shape[2], shape[3]])?;
    let (size, output) = ([input[2], input[3]], [shape[2], shape[3]]);
    by_planes(op, g, &input, [output[0] * output[1], size[0] * size[1]], 2, Planes::AdaptiveGradient(output, size))
}

/// What is done to planes, all alike.
#[derive(Clone, Copy)]
enum Planes {
    Average(Pool2dShape),
    AverageGradient(Pool2dShape),
    /// Sizes of the input and of the result.
    Adaptive([usize; 2], [usize; 2]),
    /// Sizes of the gradient and of the input.
    AdaptiveGradient([usize; 2], [usize; 2]),
}

/// Makes planes of planes of the given `sizes`, on several threads. `cost` is that of one element of the result.
fn by_planes(
    op: &'static str,
    x: &DynTensor,
    shape: &[usize; 4],
    [plane_in, plane_out]: [usize; 2],
    cost: usize,
    kind: Planes,
) -> Result<DynTensor> {
    let x = contiguous(x)?;
    let mut buffer = Buffer::new(op, x.dtype(), checked_size(op, shape)?)?;
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let together = piece_size(shape[0] * shape[1], plane_out * cost);
        for_each_piece(buffer.as_mut_slice::<T>(), together * plane_out, cost, |index, out| {
            let planes = out.len() / plane_out;
            let x = &x[index * together * plane_in..][..planes * plane_in];
            match kind {
                Planes::Average(geometry) => {
                    kernel::avg_pool2d(isa(), &Pool2dShape { planes, ..geometry }, x, out);
                }
                Planes::AverageGradient(geometry) => {
                    kernel::avg_pool2d_gradient(isa(), &Pool2dShape { planes, ..geometry }, x, out);
                }
                Planes::Adaptive(input, output) => kernel::adaptive_avg_pool2d(isa(), x, input, output, out),
                Planes::AdaptiveGradient(output, input) => kernel::adaptive_avg_pool2d_gradient(x, output, input, out),
            }
        });
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{
        assert_close, assert_refused, assert_threads_agree, numbers, single, values, with_saved,
    };

    const CASES: [([usize; 4], Pool2dConfig); 5] = [
        ([2, 3, 6, 8], Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] }),
        ([1, 2, 7, 5], Pool2dConfig { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }),
        ([2, 1, 4, 9], Pool2dConfig { kernel: [1, 4], stride: [1, 3], padding: [0, 2] }),
        ([1, 1, 1, 1], Pool2dConfig { kernel: [1, 1], stride: [5, 5], padding: [0, 0] }),
        ([0, 3, 6, 8], Pool2dConfig { kernel: [3, 2], stride: [1, 2], padding: [0, 1] }),
    ];

    /// The positions in its plane of every window's elements, window after window of one plane.
    fn window_positions(shape: [usize; 4], config: &Pool2dConfig) -> Vec<Vec<usize>> {
        let count =
            |axis: usize| (shape[2 + axis] + 2 * config.padding[axis] - config.kernel[axis]) / config.stride[axis] + 1;
        let mut windows = Vec::new();
        for (oy, ox) in (0..count(0)).flat_map(|oy| (0..count(1)).map(move |ox| (oy, ox))) {
            let mut window = Vec::new();
            for (ky, kx) in (0..config.kernel[0]).flat_map(|ky| (0..config.kernel[1]).map(move |kx| (ky, kx))) {
                let y = (oy * config.stride[0] + ky).wrapping_sub(config.padding[0]);
                let x = (ox * config.stride[1] + kx).wrapping_sub(config.padding[1]);
                if y < shape[2] && x < shape[3] {
                    window.push(y * shape[3] + x);
                }
            }
            windows.push(window);
        }
        windows
    }

    #[test]
    fn windows_agree_with_loops_and_positions_lead_to_the_largest() {
        for (shape, config) in CASES {
            let x = numbers(&[shape[3], shape[2], shape[1], shape[0]]).transpose().unwrap();
            let windows = window_positions(shape, &config);
            let area = (config.kernel[0] * config.kernel[1]) as f64;
            let (mut largest, mut means) = (Vec::new(), Vec::new());
            for plane in values(&x).chunks(shape[2] * shape[3]) {
                largest.extend(windows.iter().map(|w| w.iter().map(|&i| plane[i]).fold(f64::MIN, f64::max)));
                means.extend(windows.iter().map(|w| w.iter().map(|&i| plane[i]).sum::<f64>() / area));
            }
            let (y, saved) = with_saved(|saved| max_pool2d(&config, &x, saved)).unwrap();
            assert_close(&y, &largest, 0.0);
            assert_eq!((saved[0].dtype(), saved[0].shape()), (DType::I32, y.shape()));
            let elements = values(&x);
            for (i, index) in saved[0].to_vec::<i32>().unwrap().into_iter().enumerate() {
                assert_eq!(elements[i / windows.len() * shape[2] * shape[3] + index as usize], largest[i]);
            }
            assert_close(&avg_pool2d(&config, &x).unwrap(), &means, 1e-14);
            assert_close(&avg_pool2d(&config, &single([&x])[0]).unwrap(), &means, 1e-6);
        }
    }

    #[test]
    fn the_gradient_of_the_largest_goes_to_where_they_are() {
        for (shape, config) in CASES {
            let x = numbers(&shape);
            let (y, saved) = with_saved(|saved| max_pool2d(&config, &x, saved)).unwrap();
            let g = numbers(&[y.shape()[3], y.shape()[2], shape[1], shape[0]]).transpose().unwrap();
            let mut want = vec![0.0; x.size()];
            let plane_out = (y.shape()[2] * y.shape()[3]).max(1);
            for (i, (at, g)) in saved[0].to_vec::<i32>().unwrap().into_iter().zip(values(&g)).enumerate() {
                want[i / plane_out * shape[2] * shape[3] + at as usize] += g;
            }
            assert_close(&max_pool2d_grad(&config, shape, &g, &saved[0]).unwrap(), &want, 1e-15);
            assert_close(&max_pool2d_grad(&config, shape, &single([&g])[0], &saved[0]).unwrap(), &want, 1e-6);
        }
    }

    /// `sum(g * f(x)) = sum(f'(g) * x)` for linear `f`, whatever `g` and `x` are.
    fn assert_adjoint(x: &DynTensor, y: &DynTensor, g: &DynTensor, back: &DynTensor) {
        let dot = |a: &DynTensor, b: &DynTensor| values(a).iter().zip(values(b)).map(|(a, b)| a * b).sum::<f64>();
        assert_eq!(x.shape(), back.shape());
        assert!((dot(g, y) - dot(back, x)).abs() < 1e-9);
    }

    #[test]
    fn gradients_of_means_are_the_adjoint() {
        for (shape, config) in CASES {
            let x = numbers(&shape);
            let y = avg_pool2d(&config, &x).unwrap();
            let g = numbers(y.shape()).flip(&[0, 3]).unwrap();
            assert_adjoint(&x, &y, &g, &avg_pool2d_grad(&config, shape, &g).unwrap());
            for size in [[1, 1], [3, 2], [2, 7]] {
                let y = adaptive_avg_pool2d(size, &x).unwrap();
                let g = numbers(y.shape());
                assert_adjoint(&x, &y, &g, &adaptive_avg_pool2d_grad(shape, &g).unwrap());
            }
        }
    }

    #[test]
    fn adaptive_windows_overlap_as_in_pytorch() {
        let x = DynTensor::from_slice(&[0.0, 1.0, 2.0, 3.0, 4.0], &[1, 1, 1, 5]).unwrap();
        assert_close(&adaptive_avg_pool2d([1, 3], &x).unwrap(), &[0.5, 2.0, 3.5], 1e-15);
        assert_close(&adaptive_avg_pool2d([1, 1], &x).unwrap(), &[2.0], 1e-15);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = numbers(&[8, 16, 56, 57]);
        let config = Pool2dConfig { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
        let g = avg_pool2d(&config, &x).unwrap();
        assert_threads_agree(|| with_saved(|saved| max_pool2d(&config, &x, saved)).unwrap().0);
        assert_threads_agree(|| with_saved(|saved| max_pool2d(&config, &x, saved)).unwrap().1.remove(0));
        let (_, positions) = with_saved(|saved| max_pool2d(&config, &x, saved)).unwrap();
        assert_threads_agree(|| max_pool2d_grad(&config, [8, 16, 56, 57], &g, &positions[0]).unwrap());
        assert_threads_agree(|| avg_pool2d(&config, &x).unwrap());
        assert_threads_agree(|| avg_pool2d_grad(&config, [8, 16, 56, 57], &g).unwrap());
        assert_threads_agree(|| adaptive_avg_pool2d([7, 5], &x).unwrap());
        assert_threads_agree(|| adaptive_avg_pool2d([1, 1], &x).unwrap());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let config = |kernel, stride, padding| Pool2dConfig { kernel, stride, padding };
        let run =
            |config, shape: &[usize]| with_saved(|saved| max_pool2d(&config, &numbers(shape), saved)).map(|(y, _)| y);
        assert_refused(run(config([2, 2], [2, 2], [0, 0]), &[3, 4, 4]), &["max_pool2d", "[3, 4, 4]", "[N, C, H, W]"]);
        assert_refused(run(config([5, 2], [1, 1], [0, 0]), &[1, 1, 4, 4]), &["[1, 1, 4, 4]", "height 4", "[5, 2]"]);
        assert_refused(run(config([2, 2], [2, 0], [0, 0]), &[1, 1, 4, 4]), &["stride [2, 0]"]);
        assert_refused(run(config([2, 2], [2, 2], [2, 0]), &[1, 1, 4, 4]), &["padding [2, 0]", "half"]);
        assert_refused(run(config([2, 2], [2, 2], [1, 1]), &[1, 1, 4, 0]), &["width 0"]);
        let huge = config([usize::MAX, 1], [1, 1], [usize::MAX / 2, 0]);
        assert_refused(run(huge, &[1, 1, 4, 4]), &["height 4"]);
        assert_refused(adaptive_avg_pool2d([2, 2], &numbers(&[1, 1, 0, 3])), &["[1, 1, 0, 3]", "empty"]);
        let g = numbers(&[1, 1, 2, 3]);
        let wrong = avg_pool2d_grad(&config([2, 2], [2, 2], [0, 0]), [1, 1, 4, 4], &g);
        assert_refused(wrong, &["[1, 1, 2, 3]", "[1, 1, 4, 4]", "[1, 1, 2, 2]"]);
        let pool = config([2, 2], [2, 2], [0, 0]);
        let back = |g: &[usize], positions: &[i32]| {
            let positions = DynTensor::from_slice(positions, &[1, 1, 1, positions.len()]).unwrap();
            max_pool2d_grad(&pool, [1, 1, 2, 4], &numbers(g), &positions)
        };
        assert_refused(back(&[1, 1, 1, 2], &[0, 8]), &["max_pool2d", "index 8", "size 8"]);
        assert_refused(back(&[1, 1, 1, 2], &[-1, 0]), &["index -1", "size 8"]);
        assert_refused(back(&[1, 1, 1, 2], &[0]), &["[1, 1, 1, 1]", "[1, 1, 1, 2]"]);
        assert_refused(back(&[1, 1, 2, 2], &[0, 0]), &["[1, 1, 2, 2]", "[1, 1, 1, 2]"]);
        let wide = DynTensor::from_slice(&[0_i64, 0], &[1, 1, 1, 2]).unwrap();
        assert_refused(max_pool2d_grad(&pool, [1, 1, 2, 4], &numbers(&[1, 1, 1, 2]), &wide), &["int64", "int32"]);
        let ints = DynTensor::from_slice(&[1_i32], &[1, 1, 1, 1]).unwrap();
        assert_refused(adaptive_avg_pool2d([1, 1], &ints), &["adaptive_avg_pool2d", "int32"]);
    }
}
