//! Pooling of the planes of `[N, C, H, W]`, and its gradients, on images of any layout.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{Kind, slots};
use trueno_core::{DType, Error, Result};

use crate::elementwise;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::storage;

/// Geometry of two-dimensional pooling, per axis (height, width).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Border on both sides: minus infinity for the maximum, zeros for the mean.
    pub padding: [usize; 2],
}

/// What [`max_pool2d`] gives.
#[derive(Debug)]
pub struct Largest {
    /// The largest elements, row-major.
    pub output: Buffer,
    /// Their positions in their planes (`row * W + column`), `uint32`.
    pub positions: Buffer,
}

/// The largest element of each window: NaN if the window holds one, the first of equals. The result has shape
/// `[N, C, OH, OW]` with `OH = (H + 2 padding - kernel) / stride + 1`, rounded down.
///
/// # Errors
/// [`Error::Argument`] for a geometry that is none, [`Error::Shape`] for images that are smaller than a window, [`Error::DType`] for
/// what is no float of at most 32 bits; and what the device refuses.
pub fn max_pool2d(x: &View<'_>, config: &Config) -> Result<Largest> {
    let op = "max_pool2d";
    let input = images(op, x.shape())?;
    let output = windows(op, config, input)?;
    let positions = Buffer::new(x.buffer().device(), op, DType::U32, size(op, output)?)?;
    let job = Job { op, kind: Kind::Max, x, given: input, made: output, config: *config };
    let output = job.run(None, Some(&positions))?;
    Ok(Largest { output, positions })
}

/// The gradient of [`max_pool2d`] by its input, of shape `input`, from the gradient by its result and the positions that it gave.
///
/// # Errors
/// As [`max_pool2d`]; [`Error::ShapePair`] if the gradient is not of the shape of the result.
pub fn max_pool2d_grad(g: &View<'_>, positions: &Buffer, input: [usize; 4], config: &Config) -> Result<Buffer> {
    let op = "max_pool2d_grad";
    let output = windows(op, config, input)?;
    expect(op, g, input, output)?;
    if positions.dtype() != DType::U32 || positions.len() != size(op, output)? {
        let reason =
            format!("{} positions of {} are not one uint32 for each window", positions.len(), positions.dtype());
        return Err(Error::Argument { op, reason: reason.into() });
    }
    Job { op, kind: Kind::MaxGrad, x: g, given: output, made: input, config: *config }.run(Some(positions), None)
}

/// The mean of each window; padding counts as zeros. The result's shape is that of [`max_pool2d`].
///
/// # Errors
/// As [`max_pool2d`].
pub fn avg_pool2d(x: &View<'_>, config: &Config) -> Result<Buffer> {
    let op = "avg_pool2d";
    let input = images(op, x.shape())?;
    let output = windows(op, config, input)?;
    Job { op, kind: Kind::Avg, x, given: input, made: output, config: *config }.run(None, None)
}

/// The gradient of [`avg_pool2d`] by its input, of shape `input`.
///
/// # Errors
/// As [`max_pool2d_grad`].
pub fn avg_pool2d_grad(g: &View<'_>, input: [usize; 4], config: &Config) -> Result<Buffer> {
    let op = "avg_pool2d_grad";
    let output = windows(op, config, input)?;
    expect(op, g, input, output)?;
    Job { op, kind: Kind::AvgGrad, x: g, given: output, made: input, config: *config }.run(None, None)
}

/// The mean of windows chosen so that the result has height and width `output`: window `i` of `n` over `size` elements is
/// `i * size / n` rounded down to `(i + 1) * size / n` rounded up, as in PyTorch.
///
/// # Errors
/// [`Error::Shape`] for empty planes; and as [`max_pool2d`].
pub fn adaptive_avg_pool2d(x: &View<'_>, output: [usize; 2]) -> Result<Buffer> {
    let op = "adaptive_avg_pool2d";
    let input = images(op, x.shape())?;
    let [batch, channels, height, width] = input;
    if height * width == 0 && !output.contains(&0) {
        return Err(refuse(op, input, format!("has empty planes, which have no means for {output:?}")));
    }
    let made = [batch, channels, output[0], output[1]];
    Job { op, kind: Kind::Adaptive, x, given: input, made, config: WHOLE }.run(None, None)
}

/// The gradient of [`adaptive_avg_pool2d`] by its input, of shape `input`.
///
/// # Errors
/// As [`max_pool2d_grad`].
pub fn adaptive_avg_pool2d_grad(g: &View<'_>, input: [usize; 4]) -> Result<Buffer> {
    let op = "adaptive_avg_pool2d_grad";
    let given = images(op, g.shape())?;
    expect(op, g, input, [input[0], input[1], given[2], given[3]])?;
    Job { op, kind: Kind::AdaptiveGrad, x: g, given, made: input, config: WHOLE }.run(None, None)
}

/// A geometry that adaptive pooling does not look at.
const WHOLE: Config = Config { kernel: [1; 2], stride: [1; 2], padding: [0; 2] };

/// Rows or columns of a plane that shaders can count to, squares of them included.
const LARGEST: usize = (1 << 16) - 1;

/// The four sizes of a batch of images.
fn images(op: &'static str, shape: &[usize]) -> Result<[usize; 4]> {
    let reason = "is not [N, C, H, W]".into();
    shape.try_into().map_err(|_| Error::Shape { op, got: shape.into(), reason })
}

fn refuse(op: &'static str, shape: [usize; 4], reason: String) -> Error {
    Error::Shape { op, got: shape[..].into(), reason: reason.into() }
}

fn size(op: &'static str, shape: [usize; 4]) -> Result<usize> {
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
    count.ok_or(Error::OutOfMemory { op, bytes: usize::MAX })
}

/// The shape of the result of pooling images of this shape.
fn windows(op: &'static str, config: &Config, shape: [usize; 4]) -> Result<[usize; 4]> {
    let Config { kernel, stride, padding } = *config;
    let mut output = shape;
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
        let padded = size.saturating_add(2 * padding[axis]);
        if size == 0 || kernel[axis] > padded {
            let reason = format!("has {name} {size}, less than kernel {kernel:?} with padding {padding:?}");
            return Err(refuse(op, shape, reason));
        }
        output[2 + axis] = (padded - kernel[axis]) / stride[axis] + 1;
    }
    Ok(output)
}

/// Refuses a gradient that is not of the shape of the result.
fn expect(op: &'static str, g: &View<'_>, input: [usize; 4], output: [usize; 4]) -> Result<()> {
    if g.shape() == output {
        return Ok(());
    }
    let reason = format!("an input of the second shape pools to {output:?}").into();
    Err(Error::ShapePair { op, lhs: g.shape().into(), rhs: input[..].into(), reason })
}

/// Planes made of planes.
struct Job<'a> {
    op: &'static str,
    kind: Kind,
    x: &'a View<'a>,
    /// Shapes of the operand and of the result.
    given: [usize; 4],
    made: [usize; 4],
    config: Config,
}

impl Job<'_> {
    fn run(&self, positions: Option<&Buffer>, places: Option<&Buffer>) -> Result<Buffer> {
        let op = self.op;
        let dtype = storage::float(op, self.x.buffer())?;
        let device = self.x.buffer().device();
        let count = size(op, self.made)?;
        if self.given[2..].contains(&0) && count > 0 {
            // Only the gradient by planes of which nothing was made.
            return elementwise::fill(device, dtype, count, 0.0);
        }
        let sizes = [&self.given[2..], &self.made[2..], &self.config.stride, &self.config.kernel].concat();
        if sizes.iter().any(|&size| size > LARGEST) {
            return device
                .refuse(op, format!("planes, strides or windows of more than {LARGEST} rows or columns: {sizes:?}"));
        }
        let output = Buffer::new(device, op, dtype, count)?;
        if count == 0 {
            return Ok(output);
        }
        let reads: Vec<&Buffer> = [self.x.buffer()].into_iter().chain(positions).collect();
        let writes: Vec<&Buffer> = [&output].into_iter().chain(places).collect();
        let program = record::Program::Pool(Program { kind: self.kind, dtype });
        let groups = record::grid(device, count.div_ceil(4 * 256));
        Launch { op, program, reads: &reads, writes: &writes, immediates: self.immediates(count), groups }
            .record(device)?;
        Ok(output)
    }

    fn immediates(&self, count: usize) -> Immediates {
        let mut immediates = Immediates::default();
        immediates[slots::COUNT] = count as u32;
        immediates[slots::CHANNELS] = self.given[1] as u32;
        let Config { kernel, stride, padding } = self.config;
        let pairs = [
            (slots::GIVEN, [self.given[2], self.given[3]]),
            (slots::MADE, [self.made[2], self.made[3]]),
            (slots::KERNEL, kernel),
            (slots::STRIDE, stride),
            (slots::PADDING, padding),
        ];
        for (first, pair) in pairs {
            immediates[first..first + 2].copy_from_slice(&pair.map(|value| value as u32));
        }
        immediates[slots::FROM_X] = self.x.layout().offset() as u32;
        for (at, &stride) in self.x.layout().strides().iter().enumerate() {
            immediates[slots::X + at] = stride as u32;
        }
        let area = (kernel[0] * kernel[1]) as f64;
        storage::put_number(&mut immediates, slots::AREA, self.x.buffer().dtype(), area);
        immediates
    }
}
