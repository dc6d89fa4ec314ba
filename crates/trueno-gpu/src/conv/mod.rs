//! Two-dimensional convolution and its gradients, on images of any layout.
//!
//! A convolution is a product of the weight with windows of the image (implicit GEMM): the windows are gathered while a tile is
//! staged, so that no buffer holds them. The gradient by the input is such a product too, for each remainder of a position by
//! the stride. The gradient by the weight sums over positions, in parts that join in a fixed order.

mod cooperative;
mod geometry;
mod program;
#[cfg(test)]
mod tests;

pub use geometry::Config;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use geometry::{Geometry, Windows};
use program::{Gather, Images, Weights, slots};
use trueno_core::table::ReduceOp;
use trueno_core::{DType, Error, Layout, Result};

use crate::dense::Dense;
use crate::device::Device;
use crate::elementwise::{cast, contiguous};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::reduce::reduce;
use crate::storage;
use crate::tile::{Kernel, Product as Tiles, Reading};
use crate::units;

/// Workgroups of matrix units that keep a large GPU busy: sums are cut where there would be fewer.
const BUSY: usize = 128;

/// Positions of a part of a sum, at least and, since rounding errors add up along it, at most.
const LEAST_PART: usize = 256;
const LONGEST_PART: usize = 512;

/// Steps along K of the longest slice of any kernel: parts of a sum are a multiple.
const LONGEST_SLICE: usize = 64;

/// Groups with at most so many channels on the side that is made have a thread for each result.
const FEW_CHANNELS: usize = 4;

/// Cross-correlation of images `[N, C, H, W]` with a weight `[O, C / groups, KH, KW]`, and a bias `[O]` added: row-major
/// `[N, O, OH, OW]` with `OH = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1`, rounded down.
///
/// # Errors
/// [`Error::ShapePair`] if the operands do not fit, [`Error::Argument`] for a geometry that is none, [`Error::DType`]; and what the
/// device refuses.
pub fn conv2d(x: &View<'_>, weight: &View<'_>, bias: Option<&View<'_>>, config: &Config) -> Result<Buffer> {
    let op = "conv2d";
    let geometry = Geometry::new(op, config, x.shape(), weight.shape())?;
    let dtype = one_dtype(op, x, [Some(weight), bias])?;
    check_bias(op, weight, bias, geometry.weight[0])?;
    let product = Product {
        op,
        dtype,
        image: x,
        weight,
        bias,
        groups: config.groups,
        channels: geometry.channels(),
        axes: [1, 0],
        result: geometry.output,
    };
    let output =
        Buffer::new(x.buffer().device(), op, product.result_type(&[geometry.forward()]), size(op, &geometry.output)?)?;
    product.run(geometry.forward(), &output)?;
    product.finish(output)
}

/// The gradient of [`conv2d`] by its input, which has shape `input`, from the gradient by its result.
///
/// # Errors
/// As [`conv2d`].
pub fn input_grad(g: &View<'_>, weight: &View<'_>, input: [usize; 4], config: &Config) -> Result<Buffer> {
    let op = "conv2d_input_grad";
    let geometry = Geometry::new(op, config, &input, weight.shape())?;
    let dtype = one_dtype(op, g, [Some(weight), None])?;
    expect_output(op, g, weight.shape(), "input", &input, &geometry)?;
    turned(op, dtype, [g, weight], None, &geometry)
}

/// Transposed convolution of images with a weight `[C, O / groups, KH, KW]`, and a bias `[O]` added: the gradient by its input
/// of the convolution with that weight, whose input has shape `output`.
///
/// # Errors
/// As [`conv2d`]; [`Error::ShapePair`] if that convolution does not make the shape of `x` from `output`.
pub fn conv_transpose2d(
    x: &View<'_>,
    weight: &View<'_>,
    bias: Option<&View<'_>>,
    output: [usize; 4],
    config: &Config,
) -> Result<Buffer> {
    let op = "conv_transpose2d";
    let geometry = Geometry::new(op, config, &output, weight.shape())?;
    let dtype = one_dtype(op, x, [Some(weight), bias])?;
    check_bias(op, weight, bias, output[1])?;
    expect_output(op, x, weight.shape(), "result", &output, &geometry)?;
    turned(op, dtype, [x, weight], bias, &geometry)
}

/// The gradient of [`conv2d`] by its weight, which has shape `weight`, from the gradient by its result; in `float32` or the operands'
/// type.
///
/// # Errors
/// As [`conv2d`].
pub fn weight_grad(g: &View<'_>, x: &View<'_>, weight: [usize; 4], config: &Config, result: DType) -> Result<Buffer> {
    let op = "conv2d_weight_grad";
    let geometry = Geometry::new(op, config, x.shape(), &weight)?;
    let dtype = one_dtype(op, g, [Some(x), None])?;
    expect_output(op, g, x.shape(), "weight", &weight, &geometry)?;
    let weights = size(op, &weight)?;
    if weights == 0 {
        return Buffer::new(g.buffer().device(), op, result, 0);
    }
    let sums = WeightSums { op, dtype, g, x, geometry: &geometry };
    let sum = if is_direct(dtype, config.groups, geometry.channels()[1]) { sums.direct()? } else { sums.tiled()? };
    if result == sum.dtype() { Ok(sum) } else { cast(&View::contiguous(op, &sum, &[weights])?, result) }
}

/// The gradient by the input, with a bias added: one product for each remainder of a position by the stride.
fn turned(
    op: &'static str,
    dtype: DType,
    [g, weight]: [&View<'_>; 2],
    bias: Option<&View<'_>>,
    geometry: &Geometry,
) -> Result<Buffer> {
    let [inner, outer] = geometry.channels();
    let product = Product {
        op,
        dtype,
        image: g,
        weight,
        bias,
        groups: geometry.config.groups,
        channels: [outer, inner],
        axes: [0, 1],
        result: geometry.input,
    };
    let [rows, columns] = [0, 1].map(|axis| geometry.config.stride[axis].min(geometry.input[2 + axis]));
    let remainders = (0..rows).flat_map(|y| (0..columns).map(move |x| [y, x]));
    let windows: Vec<[Windows; 2]> = remainders.map(|remainder| geometry.backward(remainder)).collect();
    let output = Buffer::new(g.buffer().device(), op, product.result_type(&windows), size(op, &geometry.input)?)?;
    windows.into_iter().try_for_each(|windows| product.run(windows, &output))?;
    product.finish(output)
}

/// The number of elements of a shape.
fn size(op: &'static str, shape: &[usize; 4]) -> Result<usize> {
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
    count.ok_or(Error::OutOfMemory { op, bytes: usize::MAX })
}

/// The one floating-point type of all operands.
fn one_dtype(op: &'static str, first: &View<'_>, others: [Option<&View<'_>>; 2]) -> Result<DType> {
    let dtype = storage::float(op, first.buffer())?;
    let wrong = |got, expected: String| Err(Error::DType { op, got, expected: expected.into() });
    match others.into_iter().flatten().find(|other| other.buffer().dtype() != dtype) {
        Some(other) => wrong(other.buffer().dtype(), format!("the other operand is {dtype}; cast one of them")),
        None => Ok(dtype),
    }
}

fn check_bias(op: &'static str, weight: &View<'_>, bias: Option<&View<'_>>, channels: usize) -> Result<()> {
    match bias {
        Some(bias) if bias.shape() != [channels] => {
            let reason = format!("a bias of shape [{channels}] is needed").into();
            Err(Error::ShapePair { op, lhs: weight.shape().into(), rhs: bias.shape().into(), reason })
        }
        _ => Ok(()),
    }
}

/// Refuses a gradient that is not of the shape of the result.
fn expect_output(
    op: &'static str,
    g: &View<'_>,
    other: &[usize],
    what: &str,
    shape: &[usize; 4],
    geometry: &Geometry,
) -> Result<()> {
    if g.shape() == geometry.output {
        return Ok(());
    }
    let reason =
        format!("{} {what} of shape {shape:?} gives {:?}", if what == "input" { "an" } else { "a" }, geometry.output);
    Err(Error::ShapePair { op, lhs: g.shape().into(), rhs: other.into(), reason: reason.into() })
}

/// Whether a tile would be mostly empty, or in a type that there are none of.
fn is_direct(dtype: DType, groups: usize, channels: usize) -> bool {
    dtype == DType::F64 || (groups > 1 && channels <= FEW_CHANNELS)
}

/// A product of a weight with windows of an image.
struct Product<'a> {
    op: &'static str,
    dtype: DType,
    image: &'a View<'a>,
    weight: &'a View<'a>,
    bias: Option<&'a View<'a>>,
    groups: usize,
    /// Channels of a group, of the image and of the result.
    channels: [usize; 2],
    /// The axes of the weight that count the channels of the image and of the result.
    axes: [usize; 2],
    result: [usize; 4],
}

impl Product<'_> {
    fn is_direct(&self) -> bool {
        is_direct(self.dtype, self.groups, self.channels[1])
    }

    /// Whether vectors of four neighbouring positions are vectors of the result.
    fn is_aligned(&self, windows: &[Windows; 2]) -> bool {
        let plane = windows[0].count * windows[1].count;
        windows.iter().all(|windows| windows.placed == [0, 1]) && plane.is_multiple_of(4) && !self.is_direct()
    }

    /// What kernels write: packed words that two of them share cannot be written by both.
    fn result_type(&self, windows: &[[Windows; 2]]) -> DType {
        if windows.iter().all(|windows| self.is_aligned(windows)) { self.dtype } else { storage::sums(self.dtype) }
    }

    fn finish(&self, output: Buffer) -> Result<Buffer> {
        if output.dtype() == self.dtype {
            return Ok(output);
        }
        cast(&View::contiguous(self.op, &output, &[output.len()])?, self.dtype)
    }

    /// Makes the results of windows.
    fn run(&self, windows: [Windows; 2], output: &Buffer) -> Result<()> {
        let positions = windows[0].count * windows[1].count;
        if output.is_empty() || positions == 0 {
            return Ok(());
        }
        let bias = self.bias.map(Dense::from_start).transpose()?;
        let mut immediates = self.immediates(&windows)?;
        if self.is_direct() {
            let program = Program::Direct { dtype: self.dtype, bias: bias.is_some() };
            self.place_weight(self.weight, &windows, &mut immediates);
            let count = self.result[0] * positions * self.result[1];
            immediates[slots::COUNT] = count as u32;
            let groups = record::grid(output.device(), count.div_ceil(256));
            return self.launch(program, self.weight, bias.as_ref(), output, immediates, groups);
        }
        let columns = self.result[0] * positions;
        let copy = self.by_taps()?;
        let copied = copy.as_ref().map(|copy| View::new(self.op, copy, &self.tap_layout()?)).transpose()?;
        let weight = copied.as_ref().unwrap_or(self.weight);
        self.place_weight(weight, &windows, &mut immediates);
        let (program, [tile_m, tile_n]) = self.program(weight, &windows, columns, output.dtype());
        let tiles = self.channels[1].div_ceil(tile_m) * columns.div_ceil(tile_n);
        let groups = layers(self.op, output.device(), tiles, self.groups)?;
        self.launch(program, weight, bias.as_ref(), output, immediates, groups)
    }

    /// Whether matrix units can read the operands, if the device has them.
    fn suits_units(&self, windows: &[Windows; 2]) -> bool {
        let capable = self.dtype == DType::F16 && self.image.buffer().device().capabilities().cooperative_f16;
        let wide = self.channels.iter().all(|channels| channels.is_multiple_of(4) && *channels >= 16);
        capable && wide && gather(self.image, windows) != Gather::Anywhere
    }

    /// The kernel, and its tile.
    fn program(
        &self,
        weight: &View<'_>,
        windows: &[Windows; 2],
        columns: usize,
        result: DType,
    ) -> (Program, [usize; 2]) {
        let (aligned, bias) = (self.is_aligned(windows), self.bias.is_some());
        let (reading, gathered) = (self.reading(weight), gather(self.image, windows));
        if self.suits_units(windows) && reading != Reading::Single {
            let along_k = reading == Reading::AlongK;
            let device = weight.buffer().device();
            let (ways, size) = ([along_k, false], [self.channels[1], columns]);
            if let Some(tile) = units::choose(device, Kernel::Images, ways, size, self.groups, |_| true) {
                let program = cooperative::Images { tile, along_k, gather: gathered, result, aligned, bias };
                return (Program::UnitImages(program), tile.size());
            }
        }
        let taps = windows[0].taps.count * windows[1].taps.count;
        let size = [self.channels[1], columns, taps * self.channels[0]];
        let (tile, _) =
            Tiles { kernel: Kernel::Images, size, layers: self.groups, parts: [1, 1] }.plan(weight.buffer().device());
        let program = Images {
            dtype: self.dtype,
            result,
            reading,
            gather: gathered.without_units(),
            tile,
            even: self.channels[0].is_multiple_of(tile.slice),
            aligned,
            bias,
        };
        (Program::Images(program), program.tile.size())
    }

    fn launch(
        &self,
        program: Program,
        weight: &View<'_>,
        bias: Option<&Dense<'_>>,
        output: &Buffer,
        immediates: Immediates,
        groups: [u32; 3],
    ) -> Result<()> {
        let operands = [weight.buffer(), self.image.buffer()];
        let reads: Vec<&Buffer> = operands.into_iter().chain(bias.map(Dense::buffer)).collect();
        let program = record::Program::Conv(program);
        Launch { op: self.op, program, reads: &reads, writes: &[output], immediates, groups }.record(output.device())
    }

    /// The weight by taps first, `[KH, KW, O, C]`, whose channels are neighbours, if it is that which can be read in vectors.
    fn by_taps(&self) -> Result<Option<Buffer>> {
        let inner = self.weight.shape()[1];
        if self.reading(self.weight) != Reading::Single || !inner.is_multiple_of(4) {
            return Ok(None);
        }
        let turned = self.weight.layout().permute(self.op, &[2, 3, 0, 1])?;
        contiguous(&View::new(self.op, self.weight.buffer(), &turned)?).map(Some)
    }

    /// The layout of the weight's copy by taps, in the weight's own order of axes.
    fn tap_layout(&self) -> Result<Layout> {
        let &[outer, inner, rows, columns] = self.weight.shape() else { unreachable!("a weight has four axes") };
        Layout::contiguous(&[rows, columns, outer, inner]).permute(self.op, &[2, 3, 0, 1])
    }

    /// How a weight's slices can be read in vectors.
    fn reading(&self, weight: &View<'_>) -> Reading {
        let strides = weight.layout().strides();
        let [k, m] = self.axes.map(|axis| strides[axis]);
        let [size_k, size_m] = self.channels;
        let by_vectors = |stride: isize| stride % 4 == 0;
        let one_tap = weight.shape()[2..] == [1, 1];
        let based = weight.layout().offset().is_multiple_of(4)
            && (one_tap || strides[2..].iter().all(|&stride| by_vectors(stride)));
        if based && k == 1 && size_k.is_multiple_of(4) && by_vectors(m) {
            Reading::AlongK
        } else if based && m == 1 && size_m.is_multiple_of(4) && by_vectors(k) {
            Reading::Across
        } else {
            Reading::Single
        }
    }

    fn immediates(&self, windows: &[Windows; 2]) -> Result<Immediates> {
        let mut immediates = Immediates::default();
        let columns = self.result[0].checked_mul(windows[0].count * windows[1].count);
        place_windows(self.op, windows, columns, &mut immediates)?;
        place_strides(self.image, [slots::FROM_IMAGE, slots::IMAGE], &mut immediates);
        immediates[slots::SIZE_M] = self.channels[1] as u32;
        immediates[slots::CHANNELS] = self.channels[0] as u32;
        let [_, channels, height, width] = self.result;
        let [[first_y, step_y], [first_x, step_x]] = windows.map(|windows| windows.placed);
        immediates[slots::FROM_OUT] = (first_y * width + first_x) as u32;
        let strides = [channels * height * width, height * width, step_y * width, step_x];
        put(&mut immediates, slots::OUT, strides.map(|stride| stride as u32));
        Ok(immediates)
    }

    fn place_weight(&self, weight: &View<'_>, windows: &[Windows; 2], immediates: &mut Immediates) {
        let strides = weight.layout().strides();
        let [k, m] = self.axes.map(|axis| strides[axis]);
        let taps = windows.map(|windows| windows.taps);
        let along = [0, 1].map(|axis| strides[2 + axis] * taps[axis].step as isize);
        let first: isize = (0..2).map(|axis| strides[2 + axis] * taps[axis].first as isize).sum();
        immediates[slots::FROM_WEIGHT] = (weight.layout().offset() as isize + first) as u32;
        put(immediates, slots::WEIGHT, [m, k, along[0], along[1]].map(|stride| stride as u32));
        // The weight's first axis counts the groups' channels one group after the other, whichever side that is.
        let outer = self.channels[usize::from(self.axes[1] == 0)];
        immediates[slots::WEIGHT_GROUP] = (strides[0] * outer as isize) as u32;
    }
}

/// The gradient by the weight, in `f32`, or `f64` of operands of those.
struct WeightSums<'a> {
    op: &'static str,
    dtype: DType,
    g: &'a View<'a>,
    x: &'a View<'a>,
    geometry: &'a Geometry,
}

impl WeightSums<'_> {
    /// A product over all positions, cut into parts where there are few tiles.
    fn tiled(&self) -> Result<Buffer> {
        let geometry = self.geometry;
        let (windows, groups) = (geometry.forward(), geometry.config.groups);
        let [inner, outer] = geometry.channels();
        let mut immediates = self.immediates(&windows)?;
        let positions = immediates[slots::COLUMNS] as usize;
        let size_n = inner * geometry.weight[2] * geometry.weight[3];
        let (program, [tile_m, tile_n], parts) = self.program(&windows, size_n, positions);
        let tiles = outer.div_ceil(tile_m) * size_n.div_ceil(tile_n);
        let span = positions.div_ceil(parts).next_multiple_of(LONGEST_SLICE).max(LONGEST_SLICE);
        let parts = positions.div_ceil(span).max(1);
        immediates[slots::FAMILIES] = groups as u32;
        immediates[slots::SPAN] = span as u32;
        let weights = groups * outer * size_n;
        let output = Buffer::new(self.g.buffer().device(), self.op, DType::F32, parts * weights)?;
        let groups = layers(self.op, output.device(), tiles, groups * parts)?;
        self.launch(program, &output, immediates, groups)?;
        if parts == 1 {
            return Ok(output);
        }
        reduce(ReduceOp::Sum, &View::contiguous(self.op, &output, &[parts, weights])?, &[0], 0.0)
    }

    /// The kernel, its tile, and in how many parts sums over positions are made.
    fn program(&self, windows: &[Windows; 2], size_n: usize, positions: usize) -> (Program, [usize; 2], usize) {
        let device = self.g.buffer().device();
        let (outer, groups) = (self.geometry.channels()[1], self.geometry.config.groups);
        let most_parts = positions / LEAST_PART;
        let gathered = [results(self.g, windows), gather(self.x, windows)];
        let suited = gathered[0] == Gather::Vector && gathered[1] != Gather::Anywhere;
        let suited = self.dtype == DType::F16 && suited && size_n.is_multiple_of(4) && outer.min(size_n) >= 16;
        let layers = groups * (positions / 1024).max(1);
        let tile = suited.then(|| units::choose(device, Kernel::Weights, [true; 2], [outer, size_n], layers, |_| true));
        if let Some(tile) = tile.flatten() {
            let [tile_m, tile_n] = tile.size();
            let whole = outer.is_multiple_of(tile_m) && size_n.is_multiple_of(tile_n);
            let program = cooperative::Weights { tile, gather: gathered[1], whole };
            let tiles = outer.div_ceil(tile_m) * size_n.div_ceil(tile_n) * groups;
            let parts = (4 * BUSY).div_ceil(tiles).min(most_parts).max(1);
            return (Program::UnitWeights(program), tile.size(), parts);
        }
        let product = Tiles {
            kernel: Kernel::Weights,
            size: [outer, size_n, positions],
            layers: groups,
            parts: [positions.div_ceil(LONGEST_PART), most_parts],
        };
        let (tile, parts) = product.plan(device);
        let aligned = size_n.is_multiple_of(4);
        let program = Weights { dtype: self.dtype, gather: gathered.map(Gather::without_units), tile, aligned };
        (Program::Weights(program), tile.size(), parts)
    }

    fn direct(&self) -> Result<Buffer> {
        let mut immediates = self.immediates(&self.geometry.forward())?;
        let weights = size(self.op, &self.geometry.weight)?;
        immediates[slots::COUNT] = weights as u32;
        let output = Buffer::new(self.g.buffer().device(), self.op, storage::sums(self.dtype), weights)?;
        let groups = record::grid(output.device(), weights);
        self.launch(Program::DirectWeights { dtype: self.dtype }, &output, immediates, groups)?;
        Ok(output)
    }

    fn launch(&self, program: Program, output: &Buffer, immediates: Immediates, groups: [u32; 3]) -> Result<()> {
        let reads = [self.g.buffer(), self.x.buffer()];
        let program = record::Program::Conv(program);
        Launch { op: self.op, program, reads: &reads, writes: &[output], immediates, groups }.record(output.device())
    }

    fn immediates(&self, windows: &[Windows; 2]) -> Result<Immediates> {
        let mut immediates = Immediates::default();
        let columns = self.geometry.output[0].checked_mul(windows[0].count * windows[1].count);
        place_windows(self.op, windows, columns, &mut immediates)?;
        place_strides(self.x, [slots::FROM_IMAGE, slots::IMAGE], &mut immediates);
        place_strides(self.g, [slots::FROM_GRAD, slots::GRAD], &mut immediates);
        let [inner, outer] = self.geometry.channels();
        immediates[slots::SIZE_M] = outer as u32;
        immediates[slots::CHANNELS] = inner as u32;
        Ok(immediates)
    }
}

/// A grid of tiles, and layers of them.
fn layers(op: &'static str, device: &Device, tiles: usize, layers: usize) -> Result<[u32; 3]> {
    let most = device.capabilities().groups_per_axis as usize;
    if layers > most {
        return device.refuse(op, format!("{layers} groups of channels, and {most} are the most"));
    }
    let [across, down, _] = record::grid(device, tiles);
    Ok([across, down, layers as u32])
}

/// Whether windows are the elements of an image, each one.
fn is_pointwise(windows: &[Windows; 2]) -> bool {
    windows.iter().all(|w| w.taps.count == 1 && w.base == 0 && w.step == 1 && w.count == w.size)
}

/// How windows of neighbouring positions can be gathered, by the image's layout alone.
fn gather(image: &View<'_>, windows: &[Windows; 2]) -> Gather {
    if is_pointwise(windows) {
        return results(image, windows);
    }
    let [_, windows] = windows;
    if !windows.count.is_multiple_of(4) {
        return Gather::Anywhere;
    }
    let &[n, c, y, x] = image.layout().strides() else { unreachable!("an image has four axes") };
    let whole = [n, c, y, windows.size as isize].iter().all(|distance| distance % 4 == 0);
    let whole = whole && image.layout().offset().is_multiple_of(4);
    if x == 1 && windows.step == 1 && whole { Gather::Shifted } else { Gather::Row }
}

/// How neighbouring elements of images whose positions are those of the windows can be read.
fn results(image: &View<'_>, windows: &[Windows; 2]) -> Gather {
    let &[n, c, y, x] = image.layout().strides() else { unreachable!("an image has four axes") };
    let [rows, columns] = windows.map(|windows| windows.count);
    let dense = (x == 1 || columns == 1) && (rows == 1 || y == columns as isize);
    let by_vectors = |stride: isize| stride % 4 == 0;
    let based = image.layout().offset().is_multiple_of(4) && by_vectors(n) && by_vectors(c);
    if dense && based && (rows * columns).is_multiple_of(4) {
        Gather::Vector
    } else if columns.is_multiple_of(4) {
        Gather::Row
    } else {
        Gather::Anywhere
    }
}

fn put<const N: usize>(immediates: &mut Immediates, first: usize, words: [u32; N]) {
    immediates[first..first + N].copy_from_slice(&words);
}

fn place_windows(
    op: &'static str,
    windows: &[Windows; 2],
    columns: Option<usize>,
    immediates: &mut Immediates,
) -> Result<()> {
    let [y, x] = windows;
    let Some(columns) = columns.and_then(|columns| u32::try_from(columns).ok()) else {
        return Err(Error::Argument { op, reason: "more than 2^32 positions; split the batch".into() });
    };
    immediates[slots::COLUMNS] = columns;
    put(immediates, slots::PLANE, [(y.count * x.count) as u32, x.count as u32, y.size as u32, x.size as u32]);
    // Shaders add modulo 2^32, where a negative distance is the one it is congruent to.
    put(immediates, slots::STEP, [y.step as u32, x.step as u32, y.base as u32, x.base as u32]);
    let taps = [y.taps, x.taps];
    put(immediates, slots::DELTA, taps.map(|taps| taps.delta as u32));
    put(immediates, slots::TAPS, taps.map(|taps| taps.count as u32));
    Ok(())
}

fn place_strides(image: &View<'_>, [from, strides]: [usize; 2], immediates: &mut Immediates) {
    immediates[from] = image.layout().offset() as u32;
    for (at, &stride) in image.layout().strides().iter().enumerate() {
        immediates[strides + at] = stride as u32;
    }
}
