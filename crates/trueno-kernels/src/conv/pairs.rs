//! Convolutions of `bfloat16` on machines that multiply it: two channels make a [`Pair`], so that an image has half as many, of pairs, and
//! what follows is done as for floats.

use super::Conv2dShape;
use super::geometry::Geometry;
use super::panels::pack_pixels;
use crate::Isa;
use crate::matmul::{Bias, Epilogue, Grouped, MatMut, MatRef, Pair, PanelSource, Plan, Unit, packed_product};
use core::ops::Range;
use trueno_core::bf16;

/// A convolution of `bfloat16` images with sums of `f32`: how its operands become [`Pair`]s, and their products.
///
/// ```
/// use trueno_core::bf16;
/// use trueno_kernels::{Isa, conv::{Conv2dShape, PairConvolution}, matmul::{Pair, Unit}};
///
/// let (isa, shape) = (Isa::best(), Conv2dShape { in_channels: 3, width: 4, kernel: [1, 2], ..Conv2dShape::UNIT });
/// if let Some(way) = PairConvolution::new(isa, &shape) {
///     let (image, weight) = ([bf16::from_f32(2.0); 12], [bf16::from_f32(0.5); 6]);
///     let (mut arranged, mut plane) = (vec![Pair::NOTHING; way.arranged_len()], vec![Pair::NOTHING; way.plane_len()]);
///     way.arrange(&image, &mut arranged, &mut plane);
///     let mut pairs = vec![Pair::NOTHING; way.weights_len()];
///     way.write_weights(&weight, &mut pairs);
///     let (mut sums, mut scratch) = ([0.0; 3], vec![Pair::NOTHING; way.scratch_len(3)]);
///     way.convolve(&arranged, &pairs, None, 0..3, &mut sums, &mut scratch);
///     assert_eq!(sums, [6.0; 3]);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PairConvolution {
    isa: Isa,
    /// That of one image, of pairs of channels.
    shape: Conv2dShape,
    geometry: Geometry,
    /// Channels of a group.
    channels: usize,
    /// Pairs of the weights of an output channel, up to what products take together.
    steps: usize,
}

impl PairConvolution {
    /// The way for a shape, or `None` where the machine has no instructions for it, or there is nothing to sum or channels do not mix.
    ///
    /// # Panics
    /// If the shape is not valid ([`Conv2dShape::validate`]).
    pub fn new(isa: Isa, shape: &Conv2dShape) -> Option<PairConvolution> {
        if let Err(error) = shape.validate("conv2d") {
            panic!("{error}");
        }
        let is_empty = shape.image_elements() == 0 || shape.output_elements() == 0;
        if !isa.has_bf16_dots() || is_empty || shape.is_depthwise() {
            return None;
        }
        let channels = shape.in_channels / shape.groups;
        let of_pairs = Conv2dShape { batch: 1, in_channels: shape.groups * channels.div_ceil(2), ..*shape };
        let geometry = Geometry::new(&of_pairs);
        let unit = Pair::step_unit(isa);
        let steps = geometry.taps().next_multiple_of(unit);
        Some(PairConvolution { isa, shape: of_pairs, geometry, channels, steps })
    }

    /// Output channels of a group.
    pub fn outs(&self) -> usize {
        self.shape.out_channels / self.shape.groups
    }

    /// Pixels of a result.
    pub fn pixels(&self) -> usize {
        self.geometry.pixels()
    }

    /// Elements of a group of one image, and of its result.
    pub fn sizes(&self) -> [usize; 2] {
        [self.channels * self.shape.height * self.shape.width, self.outs() * self.pixels()]
    }

    /// Pairs that a group of one image takes, arranged.
    pub fn arranged_len(&self) -> usize {
        self.geometry.len()
    }

    /// Pairs of one plane of an image.
    pub fn plane_len(&self) -> usize {
        self.shape.height * self.shape.width
    }

    /// Arranges a group of one image. What `plane` holds does not matter.
    ///
    /// # Panics
    /// If the slices are not as long as [`sizes`](Self::sizes), [`arranged_len`](Self::arranged_len) and [`plane_len`](Self::plane_len) say.
    pub fn arrange(&self, group: &[bf16], arranged: &mut [Pair], plane: &mut [Pair]) {
        let size = self.plane_len();
        assert!(group.len() == self.sizes()[0] && arranged.len() == self.arranged_len() && plane.len() == size);
        let one = Geometry::new(&Conv2dShape { in_channels: 1, out_channels: 1, groups: 1, ..self.shape });
        for (channels, target) in group.chunks(2 * size).zip(arranged.chunks_exact_mut(one.len())) {
            let (first, second) = channels.split_at(size);
            let second = (!second.is_empty()).then_some(second);
            if one.is_image() {
                Pair::zip(self.isa, first, second, target);
            } else {
                Pair::zip(self.isa, first, second, plane);
                one.arrange(self.isa, Pair::as_floats(plane), Pair::as_floats_mut(target));
            }
        }
    }

    /// Pairs that the weights of all groups take.
    pub fn weights_len(&self) -> usize {
        self.shape.out_channels * self.steps
    }

    /// Makes pairs of `[out_channels, in_channels / groups, kernel[0], kernel[1]]`.
    ///
    /// # Panics
    /// If the slices are not as long as the shape and [`weights_len`](Self::weights_len) say.
    pub fn write_weights(&self, weight: &[bf16], pairs: &mut [Pair]) {
        let area = self.shape.kernel[0] * self.shape.kernel[1];
        assert_eq!(weight.len(), self.shape.out_channels * self.channels * area, "weights of {:?}", self.shape);
        assert_eq!(pairs.len(), self.weights_len(), "pairs of weights");
        for (weight, pairs) in weight.chunks_exact(self.channels * area).zip(pairs.chunks_exact_mut(self.steps)) {
            let (pairs, missing) = pairs.split_at_mut(self.geometry.taps());
            missing.fill(Pair::NOTHING);
            for (channels, pairs) in weight.chunks(2 * area).zip(pairs.chunks_exact_mut(area)) {
                let (first, second) = channels.split_at(area);
                for (tap, (pair, &first)) in pairs.iter_mut().zip(first).enumerate() {
                    *pair = Pair::new(first, second.get(tap).copied().unwrap_or(bf16::ZERO));
                }
            }
        }
    }

    /// Pairs of scratch that so many pixels need.
    pub fn scratch_len(&self, pixels: usize) -> usize {
        self.plan(pixels).scratch_len()
    }

    fn plan(&self, pixels: usize) -> Plan {
        Plan::packed::<Pair>(self.isa, self.outs(), pixels, self.steps)
    }

    /// The sums of one group, `[outs, pixels]`, from arranged images that follow each other, whose pixels are counted through; `weight` is
    /// that group's part of the weights. Any cut of the pixels gives the same bits.
    ///
    /// # Panics
    /// If the images are not whole, pixels are not theirs, or a slice is not as long as it must be.
    pub fn convolve(
        &self,
        images: &[Pair],
        weight: &[Pair],
        bias: Option<&[f32]>,
        pixels: Range<usize>,
        sums: &mut [f32],
        scratch: &mut [Pair],
    ) {
        let geometry = self.geometry.of_images(images.len() / self.arranged_len());
        assert!(images.len().is_multiple_of(self.arranged_len()) && pixels.end <= geometry.pixels(), "whole images");
        let (outs, plan) = (self.outs(), self.plan(pixels.len()));
        assert!(weight.len() == outs * self.steps && sums.len() == outs * pixels.len(), "weights and sums of a group");
        assert!(bias.is_none_or(|bias| bias.len() == outs) && scratch.len() >= plan.scratch_len(), "bias and scratch");
        let weight = MatRef::row_major(weight, outs, self.steps);
        let epilogue = Epilogue { bias: bias.map_or(Bias::None, Bias::PerRow), ..Epilogue::STORE };
        let mut sums = MatMut::row_major(Pair::of_mut(sums), outs, pixels.len());
        let columns = Columns { images, geometry, first: pixels.start };
        packed_product(self.isa, &plan, weight, &columns, &mut sums, &epilogue, scratch);
    }
}

/// The matrix with pixels from `first` on as columns.
struct Columns<'a> {
    images: &'a [Pair],
    geometry: Geometry,
    first: usize,
}

impl PanelSource<Pair> for Columns<'_> {
    fn panels<'s>(&'s self, isa: Isa, steps: Range<usize>, cols: Range<usize>, scratch: &'s mut [Pair]) -> &'s [Pair] {
        let taps = steps.start..steps.end.min(self.geometry.taps());
        let pixels = self.first + cols.start..self.first + cols.end;
        let (images, panels) = (Pair::as_floats(self.images), Pair::as_floats_mut(scratch));
        pack_pixels(isa, images, &self.geometry, taps, steps.len(), pixels, panels);
        scratch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::{Filter, conv2d};
    use std::vec;
    use std::vec::Vec;

    /// Small whole numbers, whose products and sums are exact in any order.
    fn numbers(len: usize, seed: usize) -> Vec<bf16> {
        (0..len).map(|i| bf16::from_f32(((i * 7 + seed) % 11) as f32 - 5.0)).collect()
    }

    fn wide(x: &[bf16]) -> Vec<f32> {
        x.iter().map(|x| x.to_f32()).collect()
    }

    #[test]
    fn sums_are_those_of_floats() {
        let one = Conv2dShape { height: 9, width: 11, out_channels: 5, ..Conv2dShape::UNIT };
        let shapes = [
            Conv2dShape { in_channels: 4, kernel: [3, 3], padding: [1, 1], ..one },
            Conv2dShape { in_channels: 3, kernel: [7, 5], padding: [3, 2], stride: [2, 2], ..one },
            Conv2dShape { in_channels: 64, out_channels: 40, ..one },
            Conv2dShape { in_channels: 6, out_channels: 34, groups: 2, kernel: [2, 3], dilation: [2, 1], ..one },
            Conv2dShape {
                in_channels: 35,
                out_channels: 70,
                height: 40,
                width: 3,
                kernel: [3, 3],
                stride: [3, 1],
                ..one
            },
            Conv2dShape { in_channels: 2, height: 3, width: 70, padding: [0, 40], kernel: [3, 4], ..one },
        ];
        let isas = [Isa::best(), Isa::best().without_amx()];
        let ways = isas.iter().flat_map(|&isa| shapes.map(|shape| (isa, shape)));
        for (isa, shape) in ways {
            let Some(way) = PairConvolution::new(isa, &shape) else { continue };
            let images = 3;
            let x = numbers(images * shape.image_elements(), 1);
            let weight = numbers(shape.weight_elements(), 3);
            let bias: Vec<f32> = (0..shape.out_channels).map(|i| i as f32 - 2.0).collect();
            let whole = shape.with_batch(images);
            let mut want = vec![0.0; whole.batch * whole.output_elements()];
            let wide_weight = wide(&weight);
            let filter = Filter { bias: Some(&bias), ..Filter::new(&wide_weight) };
            let mut scratch = vec![0.0; whole.scratch_len::<f32>(isa)];
            conv2d(isa, &whole, &wide(&x), &filter, &mut want, &mut scratch);

            let mut pairs = vec![Pair::new(bf16::ONE, bf16::ONE); way.weights_len()];
            way.write_weights(&weight, &mut pairs);
            let ([group_in, group_out], outs) = (way.sizes(), way.outs());
            let mut arranged = vec![Pair::new(bf16::NAN, bf16::NAN); images * shape.groups * way.arranged_len()];
            let mut plane = vec![Pair::NOTHING; way.plane_len()];
            for (group, arranged) in x.chunks_exact(group_in).zip(arranged.chunks_exact_mut(way.arranged_len())) {
                way.arrange(group, arranged, &mut plane);
            }
            let together = if shape.groups == 1 { images } else { 1 };
            for (index, arranged) in arranged.chunks_exact(together * way.arranged_len()).enumerate() {
                let group = index % shape.groups;
                let weight = &pairs[group * outs * (pairs.len() / shape.out_channels)..][..pairs.len() / shape.groups];
                let all = together * way.pixels();
                for pixels in [0..all, 1..all, 0..all.div_ceil(2)] {
                    let mut sums = vec![f32::NAN; outs * pixels.len()];
                    let mut scratch = vec![Pair::new(bf16::NAN, bf16::NAN); way.scratch_len(pixels.len())];
                    let bias = &bias[group * outs..][..outs];
                    way.convolve(arranged, weight, Some(bias), pixels.clone(), &mut sums, &mut scratch);
                    for (at, &sum) in sums.iter().enumerate() {
                        let (out, pixel) = (at / pixels.len(), pixels.start + at % pixels.len());
                        let image = index * together + pixel / way.pixels();
                        let want = want[image * group_out + out * way.pixels() + pixel % way.pixels()];
                        assert_eq!(sum, want, "{shape:?} {pixels:?} [{out}, {pixel}]");
                    }
                }
            }
        }
    }
}
