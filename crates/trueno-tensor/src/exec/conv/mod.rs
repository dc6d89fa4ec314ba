//! Two-dimensional convolution and its gradients: images go to threads, weight gradients join in a fixed order.

pub(super) mod geometry;
mod images;
pub(super) mod pairs;
mod weights;
mod winograd;

use super::movement::{cast, contiguous};
use super::operand::{RowMajor, elements};
use super::{FLOATS, misfit, mixed, unsupported};
use crate::dyn_tensor::checked_size;
use crate::storage::Buffer;
use crate::{Conv2dConfig, ConvTranspose2dConfig, DynTensor};
use geometry::Geometry;
use trueno_core::{DType, Result, dispatch_dtype};
pub use winograd::{is_winograd_enabled, with_winograd};

/// Transposed convolution of `[x, weight]` or `[x, weight, bias]`: the gradient by its input of the convolution with that weight.
pub(crate) fn conv_transpose2d(config: &ConvTranspose2dConfig, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let op = "conv_transpose2d";
    let output = geometry::transposed(op, config, inputs[0].shape(), inputs[1].shape())?;
    one_dtype(op, inputs)?;
    let bias = bias_of(op, inputs, output[1])?;
    let geometry = Geometry::new(op, &config.convolution(), &output, inputs[1].shape())?;
    let (x, weight) = (contiguous(inputs[0])?, contiguous(inputs[1])?);
    let mut buffer = Buffer::new(op, x.dtype(), checked_size(op, &output)?)?;
    dispatch_dtype!(x.dtype(), real T => {
        let (bias, out) = (bias.as_deref().map(elements::<T>), buffer.as_mut_slice());
        images::input_gradient(op, &geometry.shape(), elements::<T>(&x), elements(&weight), bias, out)?;
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &output))
}

/// The third operand, if there is one: a bias for so many channels.
fn bias_of<'a>(op: &'static str, inputs: &[&'a DynTensor], channels: usize) -> Result<Option<RowMajor<'a>>> {
    let bias = inputs.get(2).map(|bias| contiguous(bias)).transpose()?;
    match bias {
        Some(bias) if bias.shape() != [channels] => {
            Err(misfit(op, inputs[1], &bias, format!("a bias of shape [{channels}] is needed")))
        }
        bias => Ok(bias),
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
    let bias = bias_of(op, inputs, geometry.weight[0])?;
    let (x, weight) = (contiguous(inputs[0])?, contiguous(inputs[1])?);
    let mut buffer = Buffer::new(op, x.dtype(), checked_size(op, &geometry.output)?)?;
    if x.dtype() == DType::BF16 {
        let bias = bias.map(|bias| cast(&bias, DType::F32)).transpose()?;
        let bias = bias.as_ref().and_then(DynTensor::as_slice::<f32>);
        pairs::convolve(op, &geometry.shape(), [elements(&x), elements(&weight)], bias, buffer.as_mut_slice())?;
        return Ok(DynTensor::from_buffer(buffer, &geometry.output));
    }
    dispatch_dtype!(x.dtype(), real T => {
        let bias = bias.as_deref().map(elements::<T>);
        images::convolve(op, &geometry.shape(), elements::<T>(&x), elements(&weight), bias, buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &geometry.output))
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
    if g.dtype() == DType::BF16 {
        pairs::input_gradient(op, &geometry.shape(), [elements(&g), elements(&weight)], buffer.as_mut_slice())?;
        return Ok(DynTensor::from_buffer(buffer, &input));
    }
    dispatch_dtype!(g.dtype(), real T => {
        images::input_gradient(op, &geometry.shape(), elements::<T>(&g), elements(&weight), None, buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &input))
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
        weights::gradient(op, &geometry.shape(), elements::<T>(&g), elements(&x), buffer.as_mut_slice())?;
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &weight))
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
        let one = x.narrow(0, 3, 1).unwrap();
        assert_threads_agree(|| conv2d(&config, &[&one, &w]).unwrap());
        with_winograd(false, || assert_threads_agree(|| conv2d(&config, &[&one, &w]).unwrap()));
    }

    #[test]
    fn winograd_is_a_choice_and_leaves_infinities_where_they_belong() {
        let config = Conv2dConfig { padding: [1, 1], ..Default::default() };
        let [x, w] = single([&numbers(&[4, 16, 20, 20]), &numbers(&[24, 16, 3, 3])]);
        let run = |x: &DynTensor| {
            [conv2d(&config, &[x, &w]).unwrap(), input_grad(&config, [4, 16, 20, 20], &g_of(x), &w).unwrap()]
        };
        let direct = with_winograd(false, || run(&x));
        let quick = with_winograd(true, || run(&x));
        for (direct, quick) in direct.iter().zip(&quick) {
            let (direct, quick) = (values(direct), values(quick));
            let most = direct.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            assert!(direct.iter().zip(&quick).all(|(direct, quick)| (direct - quick).abs() < 3e-6 * most));
            assert_ne!(direct, quick, "another way rounds otherwise");
        }
        let mut elements = x.to_vec::<f32>().unwrap();
        elements[20 * 7 + 7] = f32::INFINITY;
        let x = DynTensor::from_slice(&elements, x.shape()).unwrap();
        let results = with_winograd(true, || run(&x));
        assert_eq!(values(&results[0]).iter().filter(|v| !v.is_finite()).count(), 9 * 24);
    }

    /// Some of the channels of `x` over and over: a gradient for a result of 24 channels.
    fn g_of(x: &DynTensor) -> DynTensor {
        let channels: Vec<i64> = (0..24).map(|c| c % 16).collect();
        let channels = DynTensor::from_slice(&channels, &[24]).unwrap();
        x.index_select(1, &channels).unwrap()
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
