//! Matrix products: any strides, batches that broadcast, bias and activation in the same kernel.

mod cooperative;
mod plain;
mod program;
#[cfg(test)]
mod tests;

use cooperative::Cooperative;
use plain::Plain;
use program::{Tiled, slots};
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Dims, Error, Result, broadcast_shapes};

use crate::dense::Dense;
use crate::elementwise::{binary, cast, unary};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::reduce::reduce;
use crate::storage;
#[cfg(test)]
use crate::tile::TILES;
use crate::tile::{Kernel, Product, Reading, Tile};
#[cfg(not(target_arch = "wasm32"))]
use crate::units;

/// A kernel of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Tiled(Tiled),
    Cooperative(Cooperative),
    Plain(Plain),
}

impl Program {
    pub fn shader(&self) -> record::Shader {
        match self {
            Self::Tiled(program) => program.shader(),
            Self::Cooperative(program) => program.shader(),
            Self::Plain(program) => program.shader(),
        }
    }
}

/// What is done to each element of a product before it is stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// One `f32` for each column; one `f64` for a product of those.
    pub bias: Option<&'a View<'a>>,
    /// A row on one operand, with its parameters.
    pub activation: Option<(UnaryOp, [f64; 2])>,
}

impl Epilogue<'_> {
    /// A product that was stored without it, with it.
    fn after(&self, mut product: Buffer, [rows, n]: [usize; 2]) -> Result<Buffer> {
        if let Some(bias) = self.bias {
            product = binary(BinaryOp::Add, &View::contiguous(OP, &product, &[rows, n])?, bias)?;
        }
        if let Some((op, parameters)) = self.activation {
            product = unary(op, parameters, &View::contiguous(OP, &product, &[rows * n])?)?;
        }
        Ok(product)
    }
}

/// The least length of a part of a sum.
const LEAST_PART: usize = 64;

/// The product over the last two axes, `[.., M, K]` by `[.., K, N]`; leading axes broadcast (NumPy's `matmul`, without its
/// vectors). Half precision is accumulated in `f32`; `result` is `float32` or the operands' type, and for `float64` that. Integers wrap
/// and have no epilogue.
///
/// # Errors
/// [`Error::ShapePair`] if the operands do not fit, [`Error::Broadcast`], [`Error::DType`]; and what the device refuses.
pub fn matmul(a: &View<'_>, b: &View<'_>, result: DType, epilogue: Epilogue<'_>) -> Result<Buffer> {
    let job = Job::new(a, b, result, epilogue.bias)?;
    let device = a.buffer().device();
    if job.batch() * job.m * job.n == 0 {
        return Buffer::new(device, OP, result, 0);
    }
    if let (false, Some((op, _))) = (a.buffer().dtype().is_float(), epilogue.activation) {
        let expected = "an activation is of floats; cast the operands first".into();
        return Err(Error::DType { op: op.name(), got: a.buffer().dtype(), expected });
    }
    let rows = job.batch() * job.m;
    if !a.buffer().dtype().is_float() || a.buffer().dtype() == DType::F64 {
        return epilogue.after(Plain::run(&job)?, [rows, job.n]);
    }
    // Kernels read the bias as single precision from the beginning of its buffer.
    let bias = epilogue.bias.map(|bias| Dense::in_type(bias, DType::F32, usize::MAX)).transpose()?;
    let bias = bias.as_ref().map(|bias| View::contiguous(OP, bias.buffer(), &[job.n])).transpose()?;
    let epilogue = Epilogue { bias: bias.as_ref(), ..epilogue };
    if let Some(program) = Cooperative::fits(&job, &epilogue) {
        let output = program.run(&job, &epilogue)?;
        return match epilogue.activation {
            Some((op, parameters)) => unary(op, parameters, &View::contiguous(OP, &output, &[rows * job.n])?),
            None => Ok(output),
        };
    }
    let size = [job.m, job.n, job.k];
    let (tile, parts) =
        Product { kernel: Kernel::Matrices, size, layers: job.batch(), parts: [1, job.k / LEAST_PART] }.plan(device);
    let span = job.k.div_ceil(parts).next_multiple_of(tile.slice);
    let parts = job.k.div_ceil(span.max(1)).max(1);
    let wide = result != DType::F32 && (parts > 1 || !job.n.is_multiple_of(4));
    if parts == 1 && !wide {
        return job.tiled(tile, [1, span], result, epilogue);
    }
    let product =
        job.tiled(tile, [parts, span], DType::F32, if parts == 1 { epilogue } else { Epilogue::default() })?;
    let mut output = product;
    if parts > 1 {
        let pieces = View::contiguous(OP, &output, &[job.batch(), parts, job.m * job.n])?;
        output = epilogue.after(reduce(ReduceOp::Sum, &pieces, &[1], 0.0)?, [rows, job.n])?;
    }
    if result == DType::F32 { Ok(output) } else { cast(&View::contiguous(OP, &output, &[rows * job.n])?, result) }
}

const OP: &str = "matmul";

/// The product of two matrices of `f32` by a tile, whatever other would be planned.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn matmul_by(a: &View<'_>, b: &View<'_>, tile: Tile) -> Result<Buffer> {
    let job = Job::new(a, b, DType::F32, None)?;
    job.tiled(tile, [1, job.k], DType::F32, Epilogue::default())
}

/// The product of two matrices of `f16` by a tile of matrix units, which must fit the device and read the operands.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn matmul_by_units(a: &View<'_>, b: &View<'_>, tile: units::Tile) -> Result<Buffer> {
    let job = Job::new(a, b, DType::F32, None)?;
    Cooperative::by(&job, &Epilogue::default(), tile).run(&job, &Epilogue::default())
}

/// Operands that fit.
struct Job<'a> {
    operands: [&'a View<'a>; 2],
    m: usize,
    n: usize,
    k: usize,
    /// Batch axes and the strides of each operand along them.
    sizes: Dims,
    strides: [Vec<isize>; 2],
    /// Along M and K of the left operand, along N and K of the right one.
    steps: [[isize; 2]; 2],
    result: DType,
}

impl<'a> Job<'a> {
    fn new(a: &'a View<'a>, b: &'a View<'a>, result: DType, bias: Option<&View<'_>>) -> Result<Self> {
        let misfit = |reason: String| Error::ShapePair {
            op: OP,
            lhs: a.shape().into(),
            rhs: b.shape().into(),
            reason: reason.into(),
        };
        let ranks = [a.shape().len(), b.shape().len()];
        if ranks.iter().any(|&rank| rank < 2) {
            return Err(misfit("both have at least two axes".into()));
        }
        let [(lead_a, tail_a), (lead_b, tail_b)] = [a.shape().split_at(ranks[0] - 2), b.shape().split_at(ranks[1] - 2)];
        let (m, k, n) = (tail_a[0], tail_a[1], tail_b[1]);
        if tail_b[0] != k {
            return Err(misfit(format!(
                "columns on the left ({k}) and rows on the right ({}) must be equal",
                tail_b[0]
            )));
        }
        let dtype = a.buffer().dtype();
        let wrong = |got, expected: String| Err(Error::DType { op: OP, got, expected: expected.into() });
        if dtype == DType::Bool {
            return wrong(dtype, "on a GPU it takes numbers; cast it first".into());
        }
        storage::computes(OP, dtype, a.buffer().device())?;
        if b.buffer().dtype() != dtype {
            return wrong(b.buffer().dtype(), format!("the other operand is {dtype}; cast one of them"));
        }
        if result != dtype && (result != DType::F32 || !dtype.is_float() || dtype == DType::F64) {
            return wrong(result, format!("a product of {dtype} is that, or float32 where it is of floats"));
        }
        if let Some(bias) = bias {
            if bias.shape() != [n] {
                return Err(misfit(format!(
                    "a bias of shape {:?} is not one element for each of {n} columns",
                    bias.shape()
                )));
            }
            if !dtype.is_float() {
                return wrong(dtype, "a bias is added to floats; cast the operands first".into());
            }
            if bias.buffer().dtype() != dtype && (bias.buffer().dtype() != DType::F32 || dtype == DType::F64) {
                return wrong(bias.buffer().dtype(), format!("the bias of a product of {dtype} is that or float32"));
            }
        }
        let sizes = broadcast_shapes(OP, lead_a, lead_b)?;
        let wide = |x: &View<'_>, tail: &[usize]| -> Result<Vec<isize>> {
            let shape: Dims = sizes.iter().chain(tail).copied().collect();
            Ok(x.layout().broadcast_to(OP, &shape)?.strides().to_vec())
        };
        let (mut left, mut right) = (wide(a, tail_a)?, wide(b, tail_b)?);
        let steps = [[left[sizes.len()], left[sizes.len() + 1]], [right[sizes.len() + 1], right[sizes.len()]]];
        left.truncate(sizes.len());
        right.truncate(sizes.len());
        let mut job = Self { operands: [a, b], m, n, k, sizes, strides: [left, right], steps, result };
        job.fold();
        Ok(job)
    }

    /// Takes batch axes of the left operand that are more rows of one matrix for rows, where the right one is the same for all.
    fn fold(&mut self) {
        while let Some(&size) = self.sizes.last() {
            let last = self.sizes.len() - 1;
            let [left, right] = [self.strides[0][last], self.strides[1][last]];
            let follows = left == self.steps[0][0] * self.m as isize || size == 1 || self.m == 1;
            if right != 0 && size != 1 || !follows {
                return;
            }
            if self.m == 1 && size != 1 {
                self.steps[0][0] = left;
            }
            self.m *= size;
            self.sizes.truncate(last);
            self.strides.iter_mut().for_each(|strides| strides.truncate(last));
        }
    }

    fn batch(&self) -> usize {
        self.sizes.iter().product()
    }

    /// How an operand's slices can be read in vectors of `width`, by its layout alone.
    fn reading(&self, at: usize, width: usize) -> Reading {
        let by_vectors = |value: isize| value % width as isize == 0;
        let [across, along] = self.steps[at];
        let size = [self.m, self.n][at];
        let based = self.operands[at].layout().offset().is_multiple_of(width)
            && self.strides[at].iter().all(|&s| by_vectors(s));
        if based && along == 1 && self.k.is_multiple_of(width) && by_vectors(across) {
            Reading::AlongK
        } else if based && across == 1 && size.is_multiple_of(width) && by_vectors(along) {
            Reading::Across
        } else {
            Reading::Single
        }
    }

    fn tiled(&self, tile: Tile, [parts, span]: [usize; 2], result: DType, epilogue: Epilogue<'_>) -> Result<Buffer> {
        let [a, b] = self.operands.map(View::buffer);
        let device = a.device();
        let program = Tiled {
            dtypes: [a.dtype(), b.dtype()],
            reading: [self.reading(0, 4), self.reading(1, 4)],
            result,
            tile,
            batch_rank: self.sizes.len(),
            even: self.k.is_multiple_of(tile.slice),
            aligned: self.n.is_multiple_of(4),
            bias: epilogue.bias.is_some(),
            activation: epilogue.activation.map(|(op, _)| op),
        };
        let mut immediates = self.immediates(span, parts)?;
        if let Some((_, parameters)) = epilogue.activation {
            immediates[slots::PARAMETERS] = (parameters[0] as f32).to_bits();
            immediates[slots::PARAMETERS + 1] = (parameters[1] as f32).to_bits();
        }
        let groups = self.grid(tile.size(), parts)?;
        let output = Buffer::new(device, OP, result, self.batch() * parts * self.m * self.n)?;
        let reads: Vec<&Buffer> = [a, b].into_iter().chain(epilogue.bias.map(View::buffer)).collect();
        let program = record::Program::Matmul(Program::Tiled(program));
        Launch { op: OP, program, reads: &reads, writes: &[&output], immediates, groups }.record(device)?;
        Ok(output)
    }

    /// A workgroup for each tile of each part of each matrix.
    fn grid(&self, [tile_m, tile_n]: [usize; 2], parts: usize) -> Result<[u32; 3]> {
        let device = self.operands[0].buffer().device();
        let groups = [self.n.div_ceil(tile_n), self.m.div_ceil(tile_m), self.batch() * parts];
        let most = device.capabilities().groups_per_axis as usize;
        if groups.iter().any(|&count| count > most) {
            return device
                .refuse(OP, format!("{groups:?} tiles, and {most} along an axis are the most: split the batch"));
        }
        Ok(groups.map(|count| count as u32))
    }

    fn immediates(&self, span: usize, parts: usize) -> Result<Immediates> {
        let mut immediates = Immediates::default();
        let rank = self.sizes.len();
        if slots::BATCH + 3 * rank > immediates.len() {
            return Err(Error::Argument {
                op: OP,
                reason: format!("{rank} batch axes; reshape them into fewer").into(),
            });
        }
        for (at, size) in
            [(slots::M, self.m), (slots::N, self.n), (slots::K, self.k), (slots::SPAN, span), (slots::PARTS, parts)]
        {
            immediates[at] = size as u32;
        }
        for at in 0..2 {
            immediates[slots::OFFSETS + at] = self.operands[at].layout().offset() as u32;
            for (axis, &stride) in self.strides[at].iter().enumerate() {
                immediates[slots::BATCH + rank * (1 + at) + axis] = stride as u32;
            }
        }
        let [[m, left_k], [n, right_k]] = self.steps;
        for (at, stride) in [m, left_k, right_k, n].into_iter().enumerate() {
            immediates[slots::STRIDES + at] = stride as u32;
        }
        for (axis, &size) in self.sizes.iter().enumerate() {
            immediates[slots::BATCH + axis] = size as u32;
        }
        Ok(immediates)
    }
}

/// Every way to read the operands, in both tile sizes and on matrix units, and what goes without tiles.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let readings = [Reading::AlongK, Reading::Across, Reading::Single];
    let pairs = readings.into_iter().flat_map(move |left| readings.map(|right| [left, right]));
    let tiled = pairs.enumerate().map(|(at, reading)| {
        Program::Tiled(Tiled {
            dtypes: [if at % 2 == 0 { DType::F32 } else { DType::F16 }; 2],
            reading,
            result: if at % 3 == 0 { DType::F16 } else { DType::F32 },
            tile: TILES[at % TILES.len()],
            even: at % 2 == 0,
            batch_rank: at % 4,
            aligned: at % 3 != 1,
            bias: at % 2 == 1,
            activation: (at % 2 == 1).then_some(UnaryOp::Gelu),
        })
    });
    let plain = [DType::I32, DType::U32, DType::U8, DType::I8, DType::I64, DType::F64];
    let plain = plain.map(|dtype| Program::Plain(Plain { dtype, batch_rank: 2 }));
    tiled.chain(plain).chain(cooperative::every_program().map(Program::Cooperative))
}
