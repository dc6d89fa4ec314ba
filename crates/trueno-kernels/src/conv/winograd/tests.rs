//! Against the direct way, on every instruction set.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::conv::{conv2d, conv2d_input_gradient};
use crate::matmul::Activation;
use proptest::prelude::*;

/// Numbers in -1..1 that are no small fractions.
fn numbers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 40) as f64 / f64::from(1 << 23) - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

fn winograd<T: Real>(way: &Winograd, images: &[T], weight: &[T], bias: Option<&[T]>, relu: bool) -> (Vec<T>, bool) {
    let shape = way.shape();
    let mut weights = vec![T::NAN; way.panels() * way.panel_len()];
    way.transform_weights(weight, 0, &mut weights);
    let mut out = vec![T::NAN; shape.batch * shape.output_elements()];
    let mut scratch = vec![T::NAN; way.scratch_len(shape.batch)];
    let activation = if relu { Activation::Relu } else { Activation::Identity };
    let finite = way.convolve(images, &Filter { weight: &weights, bias, activation }, &mut out, &mut scratch);
    (out, finite)
}

/// Results are close to those of the direct way, beside the largest of them or what such sums usually are: few of them can all be
/// small, and what was added up is not.
#[track_caller]
fn assert_close<T: Real>(got: &[T], want: &[T], tolerance: f64, what: &Conv2dShape) {
    let usual = ((what.in_channels * 9) as f64).sqrt() / 3.0;
    let size = want.iter().fold(usual, |most, value| most.max(value.to_f64().abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got.to_f64() - want.to_f64()).abs();
        assert!(error <= tolerance * size, "[{i}] {got:?} {want:?} of {size} {what:?}");
    }
}

fn agrees<T: Real>(shape: Conv2dShape, tolerance: f64) {
    let images = numbers::<T>(1, shape.batch * shape.image_elements());
    let weight = numbers::<T>(2, shape.weight_elements());
    let g = numbers::<T>(3, shape.batch * shape.output_elements());
    let bias = numbers::<T>(4, shape.out_channels);
    for isa in Isa::available() {
        let mut scratch = vec![T::ZERO; shape.scratch_len::<T>(isa)];
        let mut want = vec![T::ZERO; g.len()];
        for (bias, activation) in [(None, Activation::Identity), (Some(&bias[..]), Activation::Relu)] {
            conv2d(isa, &shape, &images, &Filter { weight: &weight, bias, activation }, &mut want, &mut scratch);
            let way = Winograd::new::<T>(isa, shape, false).unwrap();
            let (got, finite) = winograd(&way, &images, &weight, bias, bias.is_some());
            assert!(finite);
            assert_close(&got, &want, tolerance, &shape);
        }
        let Some(gradient) = shape.input_gradient() else {
            assert!(shape.in_channels == 1 && (2..=4).contains(&shape.out_channels), "{shape:?}");
            continue;
        };
        let mut want = vec![T::ZERO; images.len()];
        conv2d_input_gradient(isa, &shape, &weight, &g, &mut want, &mut scratch);
        let way = Winograd::new::<T>(isa, gradient, true).unwrap();
        assert_close(&winograd(&way, &g, &weight, None, false).0, &want, tolerance, &gradient);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_direct_way(
        (batch, in_channels, out_channels) in (1..3_usize, 1..12_usize, 1..36_usize),
        (height, width) in (3..15_usize, 3..15_usize),
        padding in [0..3_usize, 0..3_usize],
    ) {
        let shape = Conv2dShape { batch, in_channels, out_channels, height, width, padding, kernel: [3, 3], ..Conv2dShape::UNIT };
        agrees::<f32>(shape, 4e-6);
        agrees::<f64>(shape, 1e-14);
    }
}

const SHAPE: Conv2dShape = Conv2dShape {
    batch: 3,
    in_channels: 40,
    out_channels: 31,
    height: 17,
    width: 70,
    kernel: [3, 3],
    padding: [1, 1],
    ..Conv2dShape::UNIT
};

#[test]
fn several_blocks_of_tiles() {
    agrees::<f32>(SHAPE, 4e-6);
}

#[test]
fn parts_have_the_bits_of_the_whole() {
    let images = numbers::<f32>(1, SHAPE.batch * SHAPE.image_elements());
    let weight = numbers::<f32>(2, SHAPE.weight_elements());
    let pixels = SHAPE.output_elements() / SHAPE.out_channels;
    for isa in Isa::available() {
        let way = Winograd::forward::<f32>(isa, &SHAPE).unwrap();
        let (whole, _) = winograd(&way, &images, &weight, None, false);
        let panel = 1;
        let mut weights = vec![0.0; (way.panels() - panel) * way.panel_len()];
        way.transform_weights(&weight, panel, &mut weights);
        let skipped = panel * way.panel_channels() * pixels;
        let mut part = vec![0.0; SHAPE.output_elements() - skipped];
        let mut scratch = vec![0.0; way.scratch_len(1)];
        for (image, whole) in images.chunks(SHAPE.image_elements()).zip(whole.chunks(SHAPE.output_elements())) {
            assert!(way.convolve(image, &Filter::new(&weights), &mut part, &mut scratch));
            assert_eq!(part, whole[skipped..]);
        }
    }
}

#[test]
fn what_is_not_finite_is_told() {
    let weight = numbers::<f32>(2, SHAPE.weight_elements());
    for isa in Isa::available() {
        let way = Winograd::forward::<f32>(isa, &SHAPE).unwrap();
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let mut images = numbers::<f32>(1, SHAPE.batch * SHAPE.image_elements());
            images[SHAPE.image_elements() + 70 * 3 + 69] = special;
            assert!(!winograd(&way, &images, &weight, None, false).1, "{special}");
        }
    }
}

#[test]
fn only_what_pays_is_done() {
    let isa = Isa::best();
    assert!(Winograd::forward::<f32>(isa, &SHAPE).is_some());
    let others = [
        Conv2dShape { kernel: [1, 1], ..SHAPE },
        Conv2dShape { stride: [2, 1], ..SHAPE },
        Conv2dShape { dilation: [1, 2], ..SHAPE },
        Conv2dShape { in_channels: 3, ..SHAPE },
        Conv2dShape { batch: 0, ..SHAPE },
        // Few pixels for many weights.
        Conv2dShape { batch: 1, in_channels: 512, out_channels: 512, height: 4, width: 4, ..SHAPE },
    ];
    for shape in others {
        assert!(Winograd::forward::<f32>(isa, &shape).is_none(), "{shape:?}");
    }
    assert!(Winograd::input_gradient::<f32>(isa, &Conv2dShape { padding: [3, 1], ..SHAPE }).is_none());
}
