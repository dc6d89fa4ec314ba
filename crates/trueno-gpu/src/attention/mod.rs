//! Scaled dot-product attention, `softmax(scale q k^T + mask) v`, by tiles: the matrix of scores is never held (Dao et al., 2022).
//!
//! Each workgroup goes through the tiles of its queries, with the largest score so far and the sum of the exponentials of each row
//! (Milakov and Gimelshein, 2018). The gradients compute the tiles again from the logarithm of that sum: once by queries, once
//! by keys, so that every sum has one workgroup and one order. Sums are in `f32`.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{COLUMNS, Kind, SHARED_BYTES, slots};
use trueno_core::table::{BinaryOp, ReduceOp};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::elementwise::{binary, cast, fill};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::reduce::reduce;
use crate::walk::{Axes, index, write_axes};

const OP: &str = "scaled_dot_product_attention";

/// What attention does besides its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Factor of the scores.
    pub scale: f64,
    /// Whether query `i` sees keys `0..=i` only.
    pub causal: bool,
}

/// What [`attention`] gives.
#[derive(Debug)]
pub struct Attended {
    /// The result, `[..., queries, values]`.
    pub output: Buffer,
    /// The logarithm of each row's sum of exponentials, `[..., queries]`, `f32`; minus infinity where a row saw nothing.
    pub log_sum: Buffer,
}

/// Attention of queries `[..., queries, width]` to keys `[..., keys, width]` with values `[..., keys, values]`. A mask broadcasts to
/// `[..., queries, keys]`, and is added to the scores, or hides what is false. A query that sees no key gives 0.
///
/// # Errors
/// [`Error::ShapePair`], [`Error::Broadcast`], [`Error::DType`] for what does not fit; and what the device refuses.
pub fn attention(config: &Attention, operands: [&View<'_>; 3], mask: Option<&View<'_>>) -> Result<Attended> {
    let problem = Problem::new(config, operands, mask)?;
    let device = operands[0].buffer().device();
    let [queries, _, _, values] = problem.sizes;
    let log_sum = Buffer::new(device, OP, DType::F32, problem.heads * queries)?;
    let output = Buffer::new(device, OP, problem.dtype, problem.heads * queries * values)?;
    if !log_sum.is_empty() {
        let chunks = values.div_ceil(COLUMNS).max(1);
        problem.launch(Kind::Forward, None, [queries, chunks], &[], &[&output, &log_sum])?;
    }
    Ok(Attended { output: back(output, operands[0])?, log_sum })
}

/// The gradients of [`attention`] by queries, keys and values, from its results and the gradient `g` by the first. With weights `p`
/// and `d = sum(g * output)`: `gv = p^T g`, the gradient by the scores is `p (g v^T - d)`, and its products with keys and queries,
/// scaled, are the other two.
///
/// # Errors
/// As [`attention`].
pub fn attention_grad(
    config: &Attention,
    operands: [&View<'_>; 3],
    mask: Option<&View<'_>>,
    output: &View<'_>,
    log_sum: &Buffer,
    g: &View<'_>,
) -> Result<[Buffer; 3]> {
    let problem = Problem::new(config, operands, mask)?;
    let device = operands[0].buffer().device();
    let ([queries, keys, width, values], heads) = (problem.sizes, problem.heads);
    if g.shape() != output.shape() || g.layout().size() != heads * queries * values {
        let reason = "a gradient has the shape of its value".into();
        return Err(Error::ShapePair { op: OP, lhs: output.shape().into(), rhs: g.shape().into(), reason });
    }
    if log_sum.len() != heads * queries || log_sum.dtype() != DType::F32 {
        return Err(Error::Argument { op: OP, reason: "the logarithms of sums are one float32 per query".into() });
    }
    let sizes = operands.map(|x| x.layout().size());
    if problem.sizes.contains(&0) || heads == 0 {
        let [q, k, v] = sizes.map(|size| fill(device, operands[0].buffer().dtype(), size, 0.0));
        return Ok([q?, k?, v?]);
    }
    let dots = row_dots(output, g, values)?;
    let g = Dense::in_type(g, problem.dtype, 1)?;
    let [gq, gk, gv] = sizes.map(|size| Buffer::new(device, OP, problem.dtype, size));
    let (gq, gk, gv) = (gq?, gk?, gv?);
    let rows = [log_sum, &dots];
    problem.launch(Kind::ByQueries, Some(&g), [queries, width.div_ceil(COLUMNS)], &rows, &[&gq])?;
    problem.launch(Kind::ByKeys, Some(&g), [keys, width.max(values).div_ceil(COLUMNS)], &rows, &[&gk, &gv])?;
    let [q, k, v] = operands;
    Ok([back(gq, q)?, back(gk, k)?, back(gv, v)?])
}

/// The sum of `output * g` of each row, in `f32`.
fn row_dots(output: &View<'_>, g: &View<'_>, values: usize) -> Result<Buffer> {
    let products = if output.buffer().dtype() == DType::F32 {
        binary(BinaryOp::Mul, output, g)?
    } else {
        let (output, g) = (cast(output, DType::F32)?, cast(g, DType::F32)?);
        let flat = [output.len()];
        binary(BinaryOp::Mul, &View::contiguous(OP, &output, &flat)?, &View::contiguous(OP, &g, &flat)?)?
    };
    reduce(ReduceOp::Sum, &View::contiguous(OP, &products, &[products.len() / values, values])?, &[1], 0.0)
}

/// A result in the type of an operand.
fn back(result: Buffer, like: &View<'_>) -> Result<Buffer> {
    let dtype = like.buffer().dtype();
    if result.dtype() == dtype { Ok(result) } else { cast(&View::contiguous(OP, &result, &[result.len()])?, dtype) }
}

/// Operands that were found to fit.
struct Problem<'a> {
    config: Attention,
    operands: [Dense<'a>; 3],
    mask: Option<View<'a>>,
    heads: usize,
    /// `[queries, keys, width, values]`.
    sizes: [usize; 4],
    /// The type that operands and results have in the kernels.
    dtype: DType,
}

impl<'a> Problem<'a> {
    fn new(config: &Attention, operands: [&View<'a>; 3], mask: Option<&View<'a>>) -> Result<Self> {
        let [q, k, v] = operands;
        let misfit = |a: &View<'_>, b: &View<'_>, reason: &'static str| Error::ShapePair {
            op: OP,
            lhs: a.shape().into(),
            rhs: b.shape().into(),
            reason: reason.into(),
        };
        let (&[ref lead @ .., queries, width], &[ref k_lead @ .., keys, k_width], &[ref v_lead @ .., count, values]) =
            (q.shape(), k.shape(), v.shape())
        else {
            return Err(misfit(q, k, "queries, keys and values have two axes or more"));
        };
        if lead != k_lead || width != k_width {
            return Err(misfit(q, k, "keys must have the leading axes and the width of the queries"));
        }
        if lead != v_lead || keys != count {
            return Err(misfit(k, v, "there must be one value per key, with its leading axes"));
        }
        let own = q.buffer().dtype();
        if !matches!(own, DType::F32 | DType::F16 | DType::BF16) {
            let expected = "on a GPU it takes float32, float16 and bfloat16; cast it first".into();
            return Err(Error::DType { op: OP, got: own, expected });
        }
        let masks = mask.filter(|mask| mask.buffer().dtype() != DType::Bool);
        if let Some(other) = [k, v].into_iter().chain(masks).find(|x| x.buffer().dtype() != own) {
            let expected = format!("the other operand is {own}; cast one of them").into();
            return Err(Error::DType { op: OP, got: other.buffer().dtype(), expected });
        }
        let shape = [lead, &[queries, keys]].concat();
        let mask = mask.map(|mask| mask.broadcast_to(OP, &shape)).transpose()?;
        // Packed words that two rows share can only be written whole.
        let whole = width.is_multiple_of(4) && values.is_multiple_of(4);
        let dtype = if whole { own } else { DType::F32 };
        let [q, k, v] = operands.map(|x| Dense::in_type(x, dtype, 1));
        let heads = lead.iter().product();
        let sizes = [queries, keys, width, values];
        Ok(Self { config: *config, operands: [q?, k?, v?], mask, heads, sizes, dtype })
    }

    /// Records a kernel over tiles of so many rows, each made by workgroups that share its columns. `rows` are operands of one
    /// element per query.
    fn launch(
        &self,
        kind: Kind,
        g: Option<&Dense<'_>>,
        [rows, chunks]: [usize; 2],
        of_rows: &[&Buffer],
        writes: &[&Buffer],
    ) -> Result<()> {
        let device = writes[0].device();
        let [queries, keys, width, values] = self.sizes;
        let small = queries.max(keys) <= 32 || device.capabilities().workgroup_bytes < SHARED_BYTES;
        let tile = if small { 32 } else { 64 };
        let mut immediates = Immediates::default();
        let words = [(slots::HEADS, self.heads), (slots::QUERIES, queries), (slots::KEYS, keys), (slots::WIDTH, width)];
        for (slot, value) in words.into_iter().chain([(slots::VALUES, values), (slots::CHUNKS, chunks)]) {
            immediates[slot] = index(OP, value)?;
        }
        immediates[slots::SCALE] = (self.config.scale as f32).to_bits();
        for (at, x) in self.operands.iter().chain(g).enumerate() {
            immediates[slots::FROMS + at] = index(OP, x.from())?;
        }
        let mut reads: Vec<&Buffer> = self.operands.iter().chain(g).map(Dense::buffer).collect();
        reads.extend(of_rows);
        let mut mask = None;
        if let Some(view) = &self.mask {
            let (shape, strides) = (view.shape(), view.layout().strides());
            let lead = shape.len() - 2;
            let walk = Axes::new((0..lead).map(|axis| (shape[axis], strides[axis])));
            immediates[slots::FROM_MASK] = index(OP, view.layout().offset())?;
            // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
            immediates[slots::MASK] = strides[lead] as u32;
            immediates[slots::MASK + 1] = strides[lead + 1] as u32;
            write_axes(OP, &mut immediates, slots::MASK + 2, [&walk])?;
            mask = Some((view.buffer().dtype(), walk.rank()));
            reads.push(view.buffer());
        }
        let vectors = width.is_multiple_of(4) && values.is_multiple_of(4);
        let program = Program { kind, dtype: self.dtype, causal: self.config.causal, mask, tile, vectors };
        let groups = record::grid(device, self.heads * rows.div_ceil(tile) * chunks);
        let program = record::Program::Attention(program);
        Launch { op: OP, program, reads: &reads, writes, immediates, groups }.record(device)
    }
}
