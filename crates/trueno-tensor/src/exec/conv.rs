//! Two-dimensional convolution and its gradients: images go to threads, weight gradients join in a fixed order.

use super::isa::isa;
use super::movement::contiguous;
use super::operand::elements;
use super::{FLOATS, chunks, misfit, mixed, unsupported};
use crate::dyn_tensor::checked_size;
use crate::parallel::try_for_each_piece;
use crate::storage::Buffer;
use crate::{Conv2dConfig, DynTensor};
use trueno_core::{Error, Result, dispatch_dtype};
use trueno_kernels::conv::{self as kernel, Conv2dShape, Filter};
use trueno_kernels::simd::Real;

/// Multiply-adds that are worth a thread of their own.
const JOB: usize = 1 << 20;
/// Runs of images whose weight gradients are summed apart.
const CHUNKS: usize = 16;
/// Elements that those sums may take together, unless so few chunks would leave processors idle.
const SUMS: usize = 1 << 24;

/// A convolution whose operands were found to fit.
#[derive(Clone, Copy)]
struct Geometry {
    config: Conv2dConfig,
    input: [usize; 4],
    weight: [usize; 4],
    output: [usize; 4],
}

impl Geometry {
    fn new(op: &'static str, config: &Conv2dConfig, input: &[usize], weight: &[usize]) -> Result<Geometry> {
        let refuse =
            |reason: String| Err(Error::ShapePair { op, lhs: input.into(), rhs: weight.into(), reason: reason.into() });
        let (&[batch, channels, height, width], &[outputs, inner, rows, cols]) = (input, weight) else {
            return refuse("images [N, C, H, W] and a weight [O, C / groups, KH, KW] are needed".into());
        };
        let Conv2dConfig { stride, padding, dilation, groups } = *config;
        if stride.contains(&0) || dilation.contains(&0) || groups == 0 {
            let reason = format!("stride {stride:?}, dilation {dilation:?} and groups {groups} must be at least 1");
            return Err(Error::Argument { op, reason: reason.into() });
        }
        if inner.checked_mul(groups) != Some(channels) {
            return refuse(format!("{channels} channels are not {groups} group(s) of {inner}"));
        }
        if !outputs.is_multiple_of(groups) {
            return refuse(format!("{outputs} output channels do not divide into {groups} groups"));
        }
        let mut output = [batch, outputs, 0, 0];
        for (axis, (size, kernel)) in [(height, rows), (width, cols)].into_iter().enumerate() {
            let name = ["height", "width"][axis];
            if kernel == 0 {
                return refuse(format!("the kernel has {name} 0"));
            }
            let reach = (kernel - 1).checked_mul(dilation[axis]).and_then(|reach| reach.checked_add(1));
            let padded = padding[axis].checked_mul(2).and_then(|border| border.checked_add(size));
            let room = reach.zip(padded).and_then(|(reach, padded)| padded.checked_sub(reach));
            let Some(room) = room else {
                return refuse(format!(
                    "{name} {size} with padding {} is less than the kernel's {kernel} with dilation {}",
                    padding[axis], dilation[axis]
                ));
            };
            output[2 + axis] = room / stride[axis] + 1;
        }
        let (input, weight) = ([batch, channels, height, width], [outputs, inner, rows, cols]);
        Ok(Geometry { config: *config, input, weight, output })
    }

    fn shape(&self) -> Conv2dShape {
        let ([batch, in_channels, height, width], [out_channels, _, rows, cols]) = (self.input, self.weight);
        let Conv2dConfig { stride, padding, dilation, groups } = self.config;
        let kernel = [rows, cols];
        Conv2dShape { batch, in_channels, height, width, out_channels, kernel, stride, padding, dilation, groups }
    }

    /// Elements of one image of the input and of the output.
    fn image_sizes(&self) -> [usize; 2] {
        [self.input[1..].iter().product(), self.output[1..].iter().product()]
    }

    /// Multiply-adds of one image.
    fn cost(&self) -> usize {
        self.output[1..].iter().chain(&self.weight[1..]).fold(1, |cost: usize, &size| cost.saturating_mul(size))
    }

    /// Images that one thread takes at a time.
    fn together(&self) -> usize {
        (JOB / self.cost().max(1)).max(self.input[0].div_ceil(64)).max(1)
    }

    /// Scratch for one thread.
    fn scratch<T: Real>(&self, op: &'static str) -> Result<Buffer> {
        Buffer::new(op, T::DTYPE, self.shape().scratch_len::<T>(isa()))
    }
}

fn one_dtype(op: &'static str, operands: &[&DynTensor]) -> Result<()> {
    let dtype = operands[0].dtype();
    operands.iter().find(|x| x.dtype() != dtype).map_or(Ok(()), |other| Err(mixed(op, dtype, other.dtype())))
}

/// Cross-correlation of `[x, weight]` or `[x, weight, bias]`.
pub(crate) fn conv2d(config: &Conv2dConfig, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let op = "conv2d";
    let geometry = Geometry::new(op, config, inputs[0].shape(), inputs[1].shape())?;
    one_dtype(op, inputs)?;
    let bias = inputs.get(2).map(|bias| contiguous(bias)).transpose()?;
    if let Some(bias) = bias.as_ref().filter(|bias| bias.shape() != [geometry.weight[0]]) {
        return Err(misfit(op, inputs[1], bias, format!("a bias of shape [{}] is needed", geometry.weight[0])));
    }
    let (x, weight) = (contiguous(inputs[0])?, contiguous(inputs[1])?);
    let mut buffer = Buffer::new(op, x.dtype(), checked_size(op, &geometry.output)?)?;
    dispatch_dtype!(x.dtype(), real T => {
        let bias = bias.as_ref().map(elements::<T>);
        forward(op, &geometry, [elements::<T>(&x), elements(&weight)], bias, buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &geometry.output))
}

fn forward<T: Real>(
    op: &'static str,
    geometry: &Geometry,
    [x, weight]: [&[T]; 2],
    bias: Option<&[T]>,
    out: &mut [T],
) -> Result<()> {
    let ([image_in, image_out], together) = (geometry.image_sizes(), geometry.together());
    let filter = Filter { bias, ..Filter::new(weight) };
    try_for_each_piece(out, together * image_out, geometry.cost() / image_out.max(1), |index, out| {
        let shape = geometry.shape().with_batch(out.len() / image_out);
        let x = &x[index * together * image_in..][..shape.batch * image_in];
        let mut scratch = geometry.scratch::<T>(op)?;
        kernel::conv2d(isa(), &shape, x, &filter, out, scratch.as_mut_slice());
        Ok(())
    })
}

/// The gradient by the input, of shape `input`.
pub(crate) fn input_grad(
    config: &Conv2dConfig,
    input: [usize; 4],
    g: &DynTensor,
    weight: &DynTensor,
) -> Result<DynTensor> {
    let op = "conv2d_input_grad";
    let geometry = Geometry::new(op, config, &input, weight.shape())?;
    one_dtype(op, &[g, weight])?;
    if g.shape() != geometry.output {
        return Err(misfit(op, g, weight, format!("an input {input:?} gives {:?}", geometry.output)));
    }
    let (g, weight) = (contiguous(g)?, contiguous(weight)?);
    let mut buffer = Buffer::new(op, g.dtype(), checked_size(op, &input)?)?;
    dispatch_dtype!(g.dtype(), real T => {
        backward_input(op, &geometry, [elements::<T>(&g), elements(&weight)], buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &input))
}

fn backward_input<T: Real>(op: &'static str, geometry: &Geometry, [g, weight]: [&[T]; 2], out: &mut [T]) -> Result<()> {
    let ([image_in, image_out], together) = (geometry.image_sizes(), geometry.together());
    try_for_each_piece(out, together * image_in, geometry.cost() / image_in.max(1), |index, out| {
        let shape = geometry.shape().with_batch(out.len() / image_in);
        let g = &g[index * together * image_out..][..shape.batch * image_out];
        let mut scratch = geometry.scratch::<T>(op)?;
        kernel::conv2d_input_gradient(isa(), &shape, weight, g, out, scratch.as_mut_slice());
        Ok(())
    })
}

/// The gradient by the weight, of shape `weight`.
pub(crate) fn weight_grad(
    config: &Conv2dConfig,
    weight: [usize; 4],
    g: &DynTensor,
    x: &DynTensor,
) -> Result<DynTensor> {
    let op = "conv2d_weight_grad";
    let geometry = Geometry::new(op, config, x.shape(), &weight)?;
    one_dtype(op, &[g, x])?;
    if g.shape() != geometry.output {
        return Err(misfit(op, g, x, format!("a weight {weight:?} gives {:?}", geometry.output)));
    }
    let (g, x) = (contiguous(g)?, contiguous(x)?);
    let mut buffer = Buffer::new(op, g.dtype(), checked_size(op, &weight)?)?;
    dispatch_dtype!(g.dtype(), real T => {
        backward_weight(op, &geometry, [elements::<T>(&g), elements(&x)], buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &weight))
}

fn backward_weight<T: Real>(op: &'static str, geometry: &Geometry, [g, x]: [&[T]; 2], out: &mut [T]) -> Result<()> {
    let ([image_in, image_out], batch, size) = (geometry.image_sizes(), geometry.input[0], out.len());
    let most = (SUMS / size.max(1)).clamp(CHUNKS / 4, CHUNKS);
    let together = batch.div_ceil(most).max(JOB / geometry.cost().max(1)).max(1);
    let mut sums = Buffer::zeros(op, T::DTYPE, batch.div_ceil(together) * size)?;
    let cost = (geometry.cost() / size.max(1)).saturating_mul(together);
    try_for_each_piece(sums.as_mut_slice::<T>(), size, cost, |index, sum| {
        let first = index * together;
        let shape = geometry.shape().with_batch(together.min(batch - first));
        let (g, x) = (&g[first * image_out..], &x[first * image_in..]);
        let (g, x) = (&g[..shape.batch * image_out], &x[..shape.batch * image_in]);
        let mut scratch = geometry.scratch::<T>(op)?;
        kernel::conv2d_weight_gradient(isa(), &shape, x, g, sum, scratch.as_mut_slice());
        Ok(())
    })?;
    chunks::join(sums.as_slice::<T>(), out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, single, values};

    const CASES: [([usize; 4], [usize; 4], Conv2dConfig); 11] = [
        ([2, 3, 5, 6], [4, 3, 3, 3], Conv2dConfig { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 }),
        ([1, 1, 1, 1], [1, 1, 1, 1], Conv2dConfig { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }),
        ([3, 4, 9, 7], [6, 2, 3, 2], Conv2dConfig { stride: [2, 1], padding: [0, 3], dilation: [2, 1], groups: 2 }),
        ([2, 5, 6, 6], [5, 1, 3, 3], Conv2dConfig { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 5 }),
        ([2, 3, 8, 8], [16, 3, 1, 1], Conv2dConfig { stride: [2, 2], padding: [0, 0], dilation: [1, 1], groups: 1 }),
        ([1, 2, 4, 4], [3, 2, 4, 4], Conv2dConfig { stride: [3, 3], padding: [0, 0], dilation: [1, 1], groups: 1 }),
        ([0, 2, 4, 4], [3, 2, 2, 2], Conv2dConfig { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }),
        ([2, 0, 4, 4], [3, 0, 2, 2], Conv2dConfig { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }),
        ([2, 3, 0, 4], [2, 3, 1, 2], Conv2dConfig { stride: [1, 2], padding: [1, 0], dilation: [1, 1], groups: 1 }),
        ([2, 3, 4, 4], [0, 3, 1, 2], Conv2dConfig { stride: [1, 2], padding: [1, 0], dilation: [1, 1], groups: 1 }),
        ([20, 8, 10, 10], [17, 8, 3, 3], Conv2dConfig { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 }),
    ];

    /// Calls `visit(output, input, weight)` for every product that a convolution is a sum of.
    fn products(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
        let ([_, channels, height, width], [outputs, inner, rows, cols]) = (geometry.input, geometry.weight);
        let (config, [_, _, oh, ow]) = (geometry.config, geometry.output);
        for at in 0..geometry.output.iter().product() {
            let (n, o, oy, ox) = (at / (outputs * oh * ow), at / (oh * ow) % outputs, at / ow % oh, at % ow);
            for tap in 0..inner * rows * cols {
                let (c, ky, kx) = (tap / (rows * cols), tap / cols % rows, tap % cols);
                let y = (oy * config.stride[0] + ky * config.dilation[0]).wrapping_sub(config.padding[0]);
                let x = (ox * config.stride[1] + kx * config.dilation[1]).wrapping_sub(config.padding[1]);
                if y < height && x < width {
                    let channel = o / (outputs / config.groups) * inner + c;
                    let from = ((n * channels + channel) * height + y) * width + x;
                    visit(at, from, o * inner * rows * cols + tap);
                }
            }
        }
    }

    #[test]
    fn convolutions_and_gradients_agree_with_loops() {
        for (input, weight, config) in CASES {
            let geometry = Geometry::new("test", &config, &input, &weight).unwrap();
            let x = numbers(&[input[1], input[0], input[3], input[2]]).permute(&[1, 0, 3, 2]).unwrap();
            let w = numbers(&[weight[3], weight[2], weight[1], weight[0]]).transpose().unwrap();
            let (bias, g) = (numbers(&[weight[0]]), numbers(&geometry.output).flip(&[0, 1]).unwrap());
            let [xs, ws, gs] = [&x, &w, &g].map(values);
            let mut y: Vec<f64> = vec![0.0; gs.len()];
            let (mut gx, mut gw) = (vec![0.0; xs.len()], vec![0.0; ws.len()]);
            products(&geometry, |to, from, tap| {
                y[to] += xs[from] * ws[tap];
                gx[from] += gs[to] * ws[tap];
                gw[tap] += gs[to] * xs[from];
            });
            let plane = geometry.output[2] * geometry.output[3];
            let shifted: Vec<f64> =
                y.iter().enumerate().map(|(i, v)| v + values(&bias)[i / plane % weight[0]]).collect();
            for ([x, w, b, g], tolerance) in
                [([x.clone(), w.clone(), bias.clone(), g.clone()], 1e-12), (single([&x, &w, &bias, &g]), 1e-5)]
            {
                assert_close(&conv2d(&config, &[&x, &w]).unwrap(), &y, tolerance);
                assert_close(&conv2d(&config, &[&x, &w, &b]).unwrap(), &shifted, tolerance);
                assert_close(&input_grad(&config, input, &g, &w).unwrap(), &gx, tolerance);
                assert_close(&weight_grad(&config, weight, &g, &x).unwrap(), &gw, tolerance);
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let config = Conv2dConfig { padding: [1, 1], ..Default::default() };
        let [x, w] = single([&numbers(&[19, 16, 14, 14]), &numbers(&[24, 16, 3, 3])]);
        let g = conv2d(&config, &[&x, &w]).unwrap();
        assert_threads_agree(|| conv2d(&config, &[&x, &w]).unwrap());
        assert_threads_agree(|| input_grad(&config, [19, 16, 14, 14], &g, &w).unwrap());
        assert_threads_agree(|| weight_grad(&config, [24, 16, 3, 3], &g, &x).unwrap());
    }

    #[test]
    fn errors_name_both_shapes_and_the_reason() {
        let run = |config: Conv2dConfig, x: &[usize], w: &[usize]| conv2d(&config, &[&numbers(x), &numbers(w)]);
        let plain = Conv2dConfig::default();
        assert_refused(
            run(plain, &[1, 3, 4, 4], &[2, 4, 3, 3]),
            &["conv2d", "[1, 3, 4, 4]", "[2, 4, 3, 3]", "channels"],
        );
        assert_refused(run(plain, &[3, 4, 4], &[2, 3, 3, 3]), &["[3, 4, 4]", "[N, C, H, W]"]);
        assert_refused(run(plain, &[1, 3, 4, 4], &[2, 3, 5, 3]), &["height 4", "kernel's 5"]);
        assert_refused(run(plain, &[1, 3, 4, 4], &[2, 3, 3, 0]), &["width 0"]);
        assert_refused(run(Conv2dConfig { stride: [1, 0], ..plain }, &[1, 3, 4, 4], &[2, 3, 3, 3]), &["stride [1, 0]"]);
        let groups = Conv2dConfig { groups: 3, ..plain };
        assert_refused(run(groups, &[1, 3, 4, 4], &[2, 1, 3, 3]), &["2 output channels", "3 groups"]);
        let huge = Conv2dConfig { dilation: [usize::MAX, 1], ..plain };
        assert_refused(run(huge, &[1, 3, 4, 4], &[2, 3, 3, 3]), &["height 4"]);
        let (x, w) = (numbers(&[1, 3, 4, 4]), numbers(&[2, 3, 3, 3]));
        assert_refused(conv2d(&plain, &[&x, &w, &numbers(&[3])]), &["[2, 3, 3, 3]", "[3]", "bias of shape [2]"]);
        assert_refused(conv2d(&plain, &[&x, &single([&w])[0]]), &["float64", "float32"]);
        let g = numbers(&[1, 2, 3, 3]);
        assert_refused(input_grad(&plain, [1, 3, 4, 4], &g, &w), &["conv2d_input_grad", "[1, 2, 2, 2]"]);
        assert_refused(weight_grad(&plain, [2, 3, 3, 3], &g, &x), &["conv2d_weight_grad", "[1, 2, 2, 2]"]);
    }
}
