//! Against the seven loops of the definition in `f64`, on every instruction set.

use std::vec;
use std::vec::Vec;

use super::*;

/// Small integers: every sum is exact, so nothing can hide in a tolerance.
fn integers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 37 + seed * 11) % 7) as f64 - 3.0)).collect()
}

fn shapes() -> Vec<Conv2dShape> {
    let base = Conv2dShape {
        batch: 2,
        in_channels: 4,
        height: 9,
        width: 10,
        out_channels: 6,
        kernel: [3, 3],
        ..Conv2dShape::UNIT
    };
    vec![
        Conv2dShape::UNIT,
        base,
        Conv2dShape { padding: [1, 1], ..base },
        Conv2dShape { stride: [2, 2], padding: [1, 1], ..base },
        Conv2dShape { stride: [1, 3], padding: [2, 0], ..base },
        Conv2dShape { stride: [3, 2], padding: [0, 4], ..base },
        Conv2dShape { dilation: [2, 3], padding: [2, 2], ..base },
        Conv2dShape { dilation: [2, 1], stride: [2, 2], padding: [1, 2], kernel: [2, 5], ..base },
        Conv2dShape { groups: 2, padding: [1, 1], ..base },
        Conv2dShape { groups: 2, stride: [2, 2], ..base },
        Conv2dShape { kernel: [1, 1], ..base },
        Conv2dShape { kernel: [1, 1], groups: 2, ..base },
        Conv2dShape { kernel: [1, 1], stride: [2, 2], ..base },
        Conv2dShape { groups: 4, out_channels: 4, padding: [1, 1], ..base },
        Conv2dShape { groups: 4, out_channels: 8, padding: [1, 1], stride: [2, 2], ..base },
        Conv2dShape { groups: 4, out_channels: 4, kernel: [1, 1], ..base },
        Conv2dShape { kernel: [9, 10], ..base },
        Conv2dShape { kernel: [9, 10], groups: 4, out_channels: 4, padding: [1, 3], ..base },
        Conv2dShape { in_channels: 1, out_channels: 2, width: 150, padding: [1, 1], ..base },
        Conv2dShape { batch: 0, ..base },
        Conv2dShape { out_channels: 0, ..base },
        Conv2dShape { in_channels: 0, ..base },
        Conv2dShape { batch: 1, in_channels: 3, height: 5, width: 70, out_channels: 33, padding: [1, 1], ..base },
        Conv2dShape { batch: 1, in_channels: 40, height: 30, width: 31, out_channels: 17, padding: [1, 1], ..base },
        Conv2dShape { batch: 1, in_channels: 2, out_channels: 85, padding: [1, 1], ..base },
        // More images than are put together.
        Conv2dShape { batch: 19, in_channels: 3, height: 4, width: 4, out_channels: 18, padding: [1, 1], ..base },
        Conv2dShape { batch: 5, in_channels: 9, height: 14, width: 14, padding: [1, 1], stride: [2, 2], ..base },
        Conv2dShape { batch: 3, in_channels: 20, height: 6, width: 1, out_channels: 15, kernel: [2, 1], ..base },
    ]
}

/// Calls `f` with the positions of every product: in the result, the images, and the weights.
fn products(shape: &Conv2dShape, mut f: impl FnMut(usize, usize, usize)) {
    let ([rows, cols], [kh, kw]) = (shape.output(), shape.kernel);
    let (ins, outs) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    for image in 0..shape.batch {
        for out in 0..shape.out_channels {
            for (oy, ox) in (0..rows).flat_map(|oy| (0..cols).map(move |ox| (oy, ox))) {
                let result = ((image * shape.out_channels + out) * rows + oy) * cols + ox;
                for k in 0..ins * kh * kw {
                    let (channel, ky, kx) = (out / outs * ins + k / (kh * kw), k / kw % kh, k % kw);
                    let y = (oy * shape.stride[0] + ky * shape.dilation[0]).wrapping_sub(shape.padding[0]);
                    let x = (ox * shape.stride[1] + kx * shape.dilation[1]).wrapping_sub(shape.padding[1]);
                    if y < shape.height && x < shape.width {
                        let element = ((image * shape.in_channels + channel) * shape.height + y) * shape.width + x;
                        f(result, element, out * ins * kh * kw + k);
                    }
                }
            }
        }
    }
}

#[track_caller]
fn same<T: Real>(got: &[T], want: &[f64], isa: Isa, shape: &Conv2dShape) {
    assert_eq!(got.len(), want.len());
    for (i, (got, &want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.to_f64(), want, "[{i}] {} {shape:?}", isa.level());
    }
}

/// The convolution that so many channels of the result are alone.
fn part_of(shape: &Conv2dShape, channels: usize) -> Conv2dShape {
    if shape.groups == 1 {
        return Conv2dShape { out_channels: channels, ..*shape };
    }
    let groups = channels * shape.groups / shape.out_channels.max(1);
    let in_channels = shape.in_channels / shape.groups * groups;
    Conv2dShape { in_channels, out_channels: channels, groups, ..*shape }
}

fn every_shape<T: Real>() {
    for shape in shapes() {
        let input = integers::<T>(1, shape.batch * shape.image_elements());
        let weight = integers::<T>(2, shape.weight_elements());
        let g = integers::<T>(3, shape.batch * shape.output_elements());
        let bias = integers::<T>(4, shape.out_channels);
        let pixels: usize = shape.output().iter().product();

        let mut want = vec![0.0; g.len()];
        let mut want_input = vec![0.0; input.len()];
        let mut want_weight = vec![0.0; weight.len()];
        products(&shape, |o, i, w| {
            want[o] += input[i].to_f64() * weight[w].to_f64();
            want_input[i] += g[o].to_f64() * weight[w].to_f64();
            want_weight[w] += g[o].to_f64() * input[i].to_f64();
        });
        let biased: Vec<f64> = want
            .iter()
            .enumerate()
            .map(|(i, v)| (v + bias[i / pixels % shape.out_channels].to_f64()).max(0.0))
            .collect();

        for isa in Isa::available() {
            let mut scratch = vec![T::NAN; shape.scratch_len::<T>(isa)];
            let mut output = vec![T::NAN; g.len()];
            conv2d(isa, &shape, &input, &Filter::new(&weight), &mut output, &mut scratch);
            same(&output, &want, isa, &shape);
            let filter = Filter { weight: &weight, bias: Some(&bias), activation: Activation::Relu };
            conv2d(isa, &shape, &input, &filter, &mut output, &mut scratch);
            same(&output, &biased, isa, &shape);
            let mut d_input = vec![T::NAN; input.len()];
            conv2d_input_gradient(isa, &shape, &weight, &g, &mut d_input, &mut scratch);
            same(&d_input, &want_input, isa, &shape);
            let mut buffer = vec![T::NAN; shape.batch * shape.arranged_len()];
            let arranged = conv2d_arrange(isa, &shape, &input, &mut buffer);
            // All channels at once, then by groups, or halves of the only one.
            let units = if shape.groups > 1 { shape.groups } else { 1 + shape.out_channels / 2 };
            for size in [shape.out_channels, shape.out_channels.div_ceil(units)] {
                let mut d_weight = vec![T::NAN; weight.len()];
                let taps = weight.len() / shape.out_channels.max(1);
                for start in (0..shape.out_channels).step_by(size.max(1)) {
                    let channels = start..shape.out_channels.min(start + size);
                    let part = part_of(&shape, channels.len());
                    let mut sums = vec![T::ZERO; part.weight_sums_len::<T>(isa)];
                    conv2d_weight_sums(isa, &shape, channels.clone(), arranged, &g, &mut sums, &mut scratch);
                    let target = &mut d_weight[channels.start * taps..channels.end * taps];
                    conv2d_weight_gradient(isa, &part, &sums, target);
                }
                same(&d_weight, &want_weight, isa, &shape);
            }
        }
    }
}

#[test]
fn every_shape_f32() {
    every_shape::<f32>();
}

#[test]
fn every_shape_f64() {
    every_shape::<f64>();
}

#[test]
fn parts_of_a_batch_give_the_bits_of_the_whole() {
    let shape = Conv2dShape {
        batch: 3,
        in_channels: 5,
        height: 12,
        width: 11,
        out_channels: 7,
        kernel: [3, 3],
        padding: [1, 1],
        ..Conv2dShape::UNIT
    };
    let fractions = |seed, len| -> Vec<f32> {
        integers::<f32>(seed, len).iter().enumerate().map(|(i, v)| v / 7.0 + 1.0 / (i + 3) as f32).collect()
    };
    let (input, weight) = (fractions(1, 3 * shape.image_elements()), fractions(2, shape.weight_elements()));
    for isa in Isa::available() {
        let mut scratch = vec![0.0; shape.scratch_len::<f32>(isa)];
        let (mut whole, mut parts) = (vec![0.0; 3 * shape.output_elements()], vec![0.0; 3 * shape.output_elements()]);
        conv2d(isa, &shape, &input, &Filter::new(&weight), &mut whole, &mut scratch);
        for (input, output) in input.chunks(shape.image_elements()).zip(parts.chunks_mut(shape.output_elements())) {
            conv2d(isa, &shape.with_batch(1), input, &Filter::new(&weight), output, &mut scratch);
        }
        assert_eq!(whole, parts);
    }
}

#[test]
fn shapes_that_make_no_sense_are_errors() {
    let good =
        Conv2dShape { in_channels: 4, out_channels: 4, height: 5, width: 5, kernel: [3, 3], ..Conv2dShape::UNIT };
    assert!(good.validate("conv2d").is_ok());
    let bad = [
        Conv2dShape { kernel: [0, 3], ..good },
        Conv2dShape { stride: [1, 0], ..good },
        Conv2dShape { dilation: [0, 1], ..good },
        Conv2dShape { groups: 0, ..good },
        Conv2dShape { groups: 3, ..good },
        Conv2dShape { kernel: [6, 3], ..good },
        Conv2dShape { dilation: [3, 1], ..good },
    ];
    for shape in bad {
        assert!(shape.validate("conv2d").is_err(), "{shape:?}");
    }
    let error = Conv2dShape { kernel: [6, 3], ..good }.validate("conv2d").unwrap_err();
    assert!(std::format!("{error}").contains("larger than the padded image"), "{error}");
}
