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

use program::{Kind, LARGE, SHARED_BYTES, SMALL, slots};
use trueno_core::table::{BinaryOp, ReduceOp};
use trueno_core::{DType, Dims, Error, Layout, Result};

use crate::elementwise::{binary, cast, contiguous, fill};
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

/// A result: all of a buffer, in the order of axes that the operand has which it belongs to.
#[derive(Debug)]
pub struct Placed {
    /// Its elements.
    pub buffer: Buffer,
    /// Where they lie. Where an operand has the rows of its heads side by side, so has its result: what makes heads of one wide row
    /// and takes them together again then moves nothing.
    pub layout: Layout,
}

impl Placed {
    /// The result in the order of its axes.
    ///
    /// # Errors
    /// None for what this module gives.
    pub fn view(&self) -> Result<View<'_>> {
        View::new(OP, &self.buffer, &self.layout)
    }
}

/// What [`attention`] gives.
#[derive(Debug)]
pub struct Attended {
    /// The result, `[..., queries, values]`, in the order of the queries.
    pub output: Placed,
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
    let output = problem.place(operands[0], [queries, values])?;
    if !log_sum.is_empty() {
        problem.launch(Kind::Forward, None, &[], &[&output], Some(&log_sum))?;
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
) -> Result<[Placed; 3]> {
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
    let [q, k, v] = operands;
    if problem.sizes.contains(&0) || heads == 0 {
        let nothing = |x: &View<'_>| {
            let buffer = fill(device, x.buffer().dtype(), x.layout().size(), 0.0)?;
            Ok(Placed { buffer, layout: Layout::contiguous(x.shape()) })
        };
        return Ok([nothing(q)?, nothing(k)?, nothing(v)?]);
    }
    let dots = row_dots(output, g, values)?;
    let g = Rows::new(g, problem.dtype, problem.vectors)?;
    let gq = problem.place(q, [queries, width])?;
    let (gk, gv) = (problem.place(k, [keys, width])?, problem.place(v, [keys, values])?);
    let rows = [log_sum, &dots];
    problem.launch(Kind::ByQueries, Some(&g), &rows, &[&gq], None)?;
    problem.launch(Kind::ByKeys, Some(&g), &rows, &[&gk, &gv], None)?;
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
fn back(result: Placed, like: &View<'_>) -> Result<Placed> {
    let (dtype, Placed { buffer, layout }) = (like.buffer().dtype(), result);
    if buffer.dtype() == dtype {
        return Ok(Placed { buffer, layout });
    }
    Ok(Placed { buffer: cast(&View::contiguous(OP, &buffer, &[buffer.len()])?, dtype)?, layout })
}

/// An operand whose rows have their elements side by side: in place where it lies so, else copied.
enum Rows<'a> {
    InPlace(View<'a>),
    Copied(Buffer, Dims),
}

impl<'a> Rows<'a> {
    /// The elements of a view in a type; in place only if rows can be read in vectors, where `vectors` says that they are.
    fn new(x: &View<'a>, dtype: DType, vectors: bool) -> Result<Self> {
        if x.buffer().dtype() != dtype {
            return Ok(Self::Copied(cast(x, dtype)?, x.shape().into()));
        }
        let whole = |distance: isize| !vectors || distance % 4 == 0;
        let (&[ref lead @ .., row, column], offset) = (x.layout().strides(), x.layout().offset() as isize) else {
            unreachable!("operands have two axes")
        };
        let by_vectors = whole(offset) && whole(row) && lead.iter().all(|&stride| whole(stride));
        let unit = column == 1 || x.shape()[lead.len() + 1] == 1;
        if by_vectors && unit && steps(x.layout()).is_some() {
            return Ok(Self::InPlace(x.clone()));
        }
        Ok(Self::Copied(contiguous(x)?, x.shape().into()))
    }

    fn buffer(&self) -> &Buffer {
        match self {
            Self::InPlace(view) => view.buffer(),
            Self::Copied(buffer, _) => buffer,
        }
    }

    /// Where the first element lies, and how far rows, outer and inner heads are apart.
    fn words(&self) -> Result<[u32; 4]> {
        let copied;
        let layout = match self {
            Self::InPlace(view) => view.layout(),
            Self::Copied(_, shape) => {
                copied = Layout::contiguous(shape);
                &copied
            }
        };
        let [outer, inner] = steps(layout).unwrap_or_default();
        let row = layout.strides()[layout.rank() - 2];
        // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
        Ok([index(OP, layout.offset())?, row as u32, outer as u32, inner as u32])
    }
}

/// How far outer and inner heads are apart: the last leading axis counts the inner ones, all before it must merge.
fn steps(layout: &Layout) -> Option<[isize; 2]> {
    let lead = layout.rank() - 2;
    let axes = layout.shape().iter().copied().zip(layout.strides().iter().copied());
    let outer = Axes::new(axes.take(lead.saturating_sub(1)));
    let inner = if lead > 0 { layout.strides()[lead - 1] } else { 0 };
    match &outer.strides[..] {
        [] => Some([0, inner]),
        &[stride] => Some([stride, inner]),
        _ => None,
    }
}

/// Whether the rows of heads lie side by side, in the order of the rows.
fn interleaved(layout: &Layout) -> bool {
    let lead = layout.rank() - 2;
    lead > 0 && layout.shape()[lead - 1] > 1 && layout.strides()[lead - 1].abs() < layout.strides()[lead].abs()
}

/// Operands that were found to fit.
struct Problem<'a> {
    config: Attention,
    operands: [Rows<'a>; 3],
    mask: Option<View<'a>>,
    /// Sizes of the leading axes.
    lead: Dims,
    heads: usize,
    /// `[queries, keys, width, values]`.
    sizes: [usize; 4],
    /// The type that operands and results have in the kernels.
    dtype: DType,
    /// Whether rows are whole vectors.
    vectors: bool,
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
            let expected =
                "on a GPU it takes float32, float16 and bfloat16; cast it, or compose it of matmul and softmax".into();
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
        let [q, k, v] = operands.map(|x| Rows::new(x, dtype, whole));
        let (lead, heads) = (lead.into(), lead.iter().product());
        let sizes = [queries, keys, width, values];
        Ok(Self { config: *config, operands: [q?, k?, v?], mask, lead, heads, sizes, dtype, vectors: whole })
    }

    /// Memory for a result of so many rows and columns, in the order that the axes of an operand have.
    fn place(&self, like: &View<'_>, [rows, columns]: [usize; 2]) -> Result<Placed> {
        let buffer = Buffer::new(like.buffer().device(), OP, self.dtype, self.heads * rows * columns)?;
        let rank = self.lead.len() + 2;
        let mut shape = self.lead.clone();
        shape.extend([rows, columns]);
        if !interleaved(like.layout()) {
            return Ok(Placed { buffer, layout: Layout::contiguous(&shape) });
        }
        shape.swap(rank - 3, rank - 2);
        let axes = [rank - 3, rank - 2].map(|axis| axis as isize);
        Ok(Placed { buffer, layout: Layout::contiguous(&shape).swap_axes(OP, axes[0], axes[1])? })
    }

    /// Records a kernel. `of_queries` are operands of one element per query, `log_sum` is a result of that sort.
    fn launch(
        &self,
        kind: Kind,
        g: Option<&Rows<'_>>,
        of_queries: &[&Buffer],
        results: &[&Placed],
        log_sum: Option<&Buffer>,
    ) -> Result<()> {
        let device = results[0].buffer.device();
        let [queries, keys, width, values] = self.sizes;
        let small = queries.max(keys) <= 32 || device.capabilities().workgroup_bytes < SHARED_BYTES;
        let tile = if small { SMALL } else { LARGE };
        let [rows, columns] = match kind {
            Kind::Forward => [queries, values],
            Kind::ByQueries => [queries, width],
            Kind::ByKeys => [keys, width.max(values)],
        };
        let [own, across] = tile.size();
        let chunks = columns.div_ceil(across).max(1);
        let mut immediates = Immediates::default();
        let words = [(slots::HEADS, self.heads), (slots::QUERIES, queries), (slots::KEYS, keys), (slots::WIDTH, width)];
        let inner = self.lead.last().copied().unwrap_or(1);
        for (slot, value) in
            words.into_iter().chain([(slots::VALUES, values), (slots::CHUNKS, chunks), (slots::INNER, inner)])
        {
            immediates[slot] = index(OP, value)?;
        }
        immediates[slots::SCALE] = (self.config.scale as f32).to_bits();
        for (at, x) in self.operands.iter().chain(g).enumerate() {
            let places = [slots::FROMS, slots::ROWS, slots::OUTER_STEPS, slots::INNER_STEPS];
            places.into_iter().zip(x.words()?).for_each(|(slot, word)| immediates[slot + at] = word);
        }
        let mut reads: Vec<&Buffer> = self.operands.iter().chain(g).map(Rows::buffer).collect();
        reads.extend(of_queries);
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
        let laid = |at: usize| results.get(at).is_some_and(|result| interleaved(&result.layout));
        let interleaved = [laid(0), laid(1)];
        let program = Program {
            kind,
            dtype: self.dtype,
            causal: self.config.causal,
            mask,
            tile,
            vectors: self.vectors,
            interleaved,
        };
        let groups = record::grid(device, self.heads * rows.div_ceil(own) * chunks);
        let program = record::Program::Attention(program);
        let writes: Vec<&Buffer> = results.iter().map(|result| &result.buffer).chain(log_sum).collect();
        Launch { op: OP, program, reads: &reads, writes: &writes, immediates, groups }.record(device)
    }
}
