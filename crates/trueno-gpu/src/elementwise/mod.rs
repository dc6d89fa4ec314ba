//! Operations on each element by itself: every row of core's table and its gradients, on views that broadcast.
//!
//! Operands are read where their layouts say, so that no transposed, sliced or broadcast view is copied first. Results are
//! row-major. Half precision is computed in `f32` and rounded once; it may meet `f32`, and then the result is as narrow as the
//! operands of more than one element, or `f32` if those differ.

mod formula;
mod program;

pub use formula::Side;

pub(crate) use formula::Formula;
#[cfg(test)]
pub(crate) use program::every_program;
pub(crate) use program::{Access, Program};

#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wide_tests;

use program::{Slots, THREADS};
use smallvec::SmallVec;
use trueno_core::fuse::Listing;
use trueno_core::math::wgsl::Scalar;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{Collapsed, DType, Error, Layout, Result, broadcast_shapes};

use crate::device::Device;
use crate::memory::{Buffer, View};
use crate::movement::turned;
use crate::record::{self, Immediates, Launch};
use crate::storage;
use crate::walk::index;

/// A row on one operand.
///
/// # Errors
/// [`Error::DType`] for a type that the row has not; [`Error::Device`], [`Error::OutOfMemory`] from the device.
pub fn unary(op: UnaryOp, parameters: [f64; 2], x: &View<'_>) -> Result<Buffer> {
    let dtype = x.buffer().dtype();
    arithmetic(op.name(), dtype, op.info().integers)?;
    run(op.name(), Formula::Unary(op), parameters, &[x], dtype)
}

/// The gradient of a row by its operand, from what [`UnaryOp::saves`] names and the gradient of the result.
///
/// # Errors
/// As [`unary`]; gradients are of floats.
pub fn unary_grad(op: UnaryOp, parameters: [f64; 2], saved: &View<'_>, g: &View<'_>) -> Result<Buffer> {
    let dtype = floats(op.name(), &[saved, g])?;
    run(op.name(), Formula::UnaryGrad(op), parameters, &[saved, g], dtype)
}

/// A row on two operands, which broadcast.
///
/// # Errors
/// [`Error::Broadcast`]; and as [`unary`].
pub fn binary(op: BinaryOp, a: &View<'_>, b: &View<'_>) -> Result<Buffer> {
    let dtype = same(op.name(), &[a, b])?;
    arithmetic(op.name(), dtype, op.info().integers)?;
    run(op.name(), Formula::Binary(op), [0.0; 2], &[a, b], dtype)
}

/// The gradient of a row by one operand, of the broadcast shape: the caller sums over the axes that were broadcast.
///
/// # Errors
/// As [`binary`]; gradients are of floats.
pub fn binary_grad(op: BinaryOp, side: Side, a: &View<'_>, b: &View<'_>, g: &View<'_>) -> Result<Buffer> {
    let dtype = floats(op.name(), &[a, b, g])?;
    run(op.name(), Formula::BinaryGrad(op, side), [0.0; 2], &[a, b, g], dtype)
}

/// A comparison or logical operation on two operands of one type, which broadcast; the result is `bool`.
///
/// # Errors
/// As [`binary`].
pub fn compare(op: CompareOp, a: &View<'_>, b: &View<'_>) -> Result<Buffer> {
    same(op.name(), &[a, b])?;
    run(op.name(), Formula::Compare(op), [0.0; 2], &[a, b], DType::Bool)
}

/// A row on three operands of one type, which broadcast.
///
/// # Errors
/// As [`binary`].
pub fn ternary(op: TernaryOp, operands: [&View<'_>; 3]) -> Result<Buffer> {
    let dtype = floats(op.name(), &operands)?;
    run(op.name(), Formula::Ternary(op), [0.0; 2], &operands, dtype)
}

/// The gradient of a row by operand `index`, of the broadcast shape.
///
/// # Errors
/// As [`ternary`]; [`Error::Argument`] if there is no such operand.
pub fn ternary_grad(op: TernaryOp, index: usize, operands: [&View<'_>; 3], g: &View<'_>) -> Result<Buffer> {
    if index > 2 {
        let reason = format!("there is no operand {index}; there are 0, 1 and 2").into();
        return Err(Error::Argument { op: op.name(), reason });
    }
    let [a, b, c] = operands;
    let dtype = floats(op.name(), &[a, b, c, g])?;
    run(op.name(), Formula::TernaryGrad(op, index as u8), [0.0; 2], &[a, b, c, g], dtype)
}

/// The gradient of a reduction where [`ReduceOp::grad`] is elementwise: of the elements, and the center, result and gradient
/// of each group broadcast back. `n` is the count of a group less the correction.
///
/// # Errors
/// As [`binary`].
pub fn reduce_grad(op: ReduceOp, n: f64, [x, center, y, g]: [&View<'_>; 4]) -> Result<Buffer> {
    let dtype = floats(op.name(), &[x, center, y, g])?;
    run(op.name(), Formula::ReduceGrad(op), [n, 0.0], &[x, center, y, g], dtype)
}

/// `exp(x - y) * g`, broadcast: the gradient of a logarithm of summed exponentials.
pub(crate) fn scaled_exp(op: &'static str, x: &View<'_>, y: &View<'_>, g: &View<'_>) -> Result<Buffer> {
    let dtype = floats(op, &[x, y, g])?;
    run(op, Formula::ScaledExp, [0.0; 2], &[x, y, g], dtype)
}

/// A formula of `fuse!` over operands of one float type, which broadcast. The captured numbers are immediates: other numbers
/// are not another shader.
///
/// # Errors
/// As [`binary`]; [`Error::Argument`] for another number of operands or of captured numbers than the formula has.
pub fn fused(listing: &'static Listing, parameters: &[f64], operands: &[&View<'_>]) -> Result<Buffer> {
    counted(listing, parameters, operands)?;
    let dtype = floats("fused", operands)?;
    run_all("fused", Formula::Fused(listing), parameters, operands, dtype).map(|mut results| results.swap_remove(0))
}

/// The gradients of a formula by the operands that are wanted, each of the broadcast shape: from the operands and the gradient
/// `g` of the result. One kernel writes them all, or as many at once as the device has bindings for.
///
/// # Errors
/// As [`fused`].
pub fn fused_grad(
    listing: &'static Listing,
    parameters: &[f64],
    operands: &[&View<'_>],
    g: &View<'_>,
    wanted: &[bool],
) -> Result<Vec<Option<Buffer>>> {
    counted(listing, parameters, operands)?;
    let all: SmallVec<[&View<'_>; 4]> = operands.iter().copied().chain([g]).collect();
    let dtype = floats("fused", &all)?;
    let bindings = g.buffer().device().capabilities().buffers_per_kernel as usize;
    let wanted: SmallVec<[usize; 6]> = (0..operands.len()).filter(|&i| wanted.get(i) == Some(&true)).collect();
    let mut gradients: Vec<Option<Buffer>> = operands.iter().map(|_| None).collect();
    for some in wanted.chunks(bindings.saturating_sub(all.len()).max(1)) {
        let mask = some.iter().fold(0, |mask, i| mask | 1 << i);
        let results = run_all("fused", Formula::FusedGrad(listing, mask), parameters, &all, dtype)?;
        for (&operand, result) in some.iter().zip(results) {
            gradients[operand] = Some(result);
        }
    }
    Ok(gradients)
}

/// Refuses operands and numbers that a formula cannot have been written for.
fn counted(listing: &Listing, parameters: &[f64], operands: &[&View<'_>]) -> Result<()> {
    let (takes, got) = ([listing.operands(), listing.parameters()], [operands.len(), parameters.len()]);
    if takes == got {
        return Ok(());
    }
    let reason = format!("{} operands and {} numbers; it takes {} and {}", got[0], got[1], takes[0], takes[1]);
    Err(Error::Argument { op: "fused", reason: reason.into() })
}

/// Elements of `a` where the mask holds, of `b` elsewhere (NumPy's `where`); all three broadcast.
///
/// # Errors
/// [`Error::DType`] if the mask is not `bool`; and as [`binary`].
pub fn select(mask: &View<'_>, a: &View<'_>, b: &View<'_>) -> Result<Buffer> {
    if mask.buffer().dtype() != DType::Bool {
        let expected = "the condition is a bool; compare it with something".into();
        return Err(Error::DType { op: "where", got: mask.buffer().dtype(), expected });
    }
    let dtype = same("where", &[a, b])?;
    run("where", Formula::Where, [0.0; 2], &[mask, a, b], dtype)
}

/// The elements in another type: floats round to nearest even, truncate and saturate to integers; integers wrap.
///
/// # Errors
/// As [`unary`].
pub fn cast(x: &View<'_>, dtype: DType) -> Result<Buffer> {
    run("cast", Formula::Cast(x.buffer().dtype(), dtype), [0.0; 2], &[x], dtype)
}

/// The elements in row-major order.
///
/// # Errors
/// As [`unary`].
pub fn contiguous(x: &View<'_>) -> Result<Buffer> {
    let dtype = x.buffer().dtype();
    if let Some(turned) = turned("contiguous", x)? {
        return Ok(turned);
    }
    run("contiguous", Formula::Cast(dtype, dtype), [0.0; 2], &[x], dtype)
}

/// `len` elements of one value.
///
/// # Errors
/// As [`unary`].
pub fn fill(device: &Device, dtype: DType, len: usize, value: f64) -> Result<Buffer> {
    let result = Buffer::new(device, "full", dtype, len)?;
    let scalar = computes_in("full", Formula::Fill, dtype, device)?;
    let words = words_of(dtype, value);
    let program =
        Program { formula: Formula::Fill, scalar, operands: SmallVec::new(), result: dtype, rank: 0, aligned: true };
    launch("full", program, &words, &[], std::slice::from_ref(&result), &[])?;
    Ok(result)
}

/// A value of `dtype` as the word that a shader holds, or the two.
pub(crate) fn words_of(dtype: DType, value: f64) -> [u32; 2] {
    let value = match dtype {
        DType::Bool => f64::from(u8::from(value != 0.0)),
        DType::U8 => f64::from(value as u8),
        DType::I8 => f64::from(value as i8),
        DType::F32 | DType::F16 | DType::BF16 | DType::I32 | DType::U32 | DType::I64 | DType::F64 => value,
    };
    let words = storage::words(storage::scalar(dtype), value);
    [words[0], words.get(1).copied().unwrap_or(0)]
}

/// What a formula computes in, where its last operand (or the result, without any) is of `dtype`.
fn computes_in(op: &'static str, formula: Formula, dtype: DType, device: &Device) -> Result<Scalar> {
    if storage::is_pair(dtype) && formula.takes_pairs() {
        return Ok(Scalar::U32);
    }
    storage::computes(op, dtype, device)
}

/// Refuses integers where the row has none, and the types on which nothing is computed.
fn arithmetic(op: &'static str, dtype: DType, integers: bool) -> Result<()> {
    let expected = match dtype {
        DType::F32 | DType::F16 | DType::BF16 | DType::F64 => return Ok(()),
        DType::I32 | DType::U32 | DType::I64 if integers => return Ok(()),
        DType::I32 | DType::U32 | DType::I64 => "it takes floats; cast it first",
        DType::Bool | DType::U8 | DType::I8 => "on a GPU it takes floats and integers of 32 or 64 bits; cast it first",
    };
    Err(Error::DType { op, got: dtype, expected: expected.into() })
}

/// The one type of all operands; of `f32` beside half precision, the type of a result.
fn same(op: &'static str, operands: &[&View<'_>]) -> Result<DType> {
    let dtype = operands[0].buffer().dtype();
    let Some(other) = operands.iter().find(|x| x.buffer().dtype() != dtype) else {
        return Ok(dtype);
    };
    let is_short = |x: &&View<'_>| matches!(x.buffer().dtype(), DType::F32 | DType::F16 | DType::BF16);
    if !operands.iter().all(is_short) {
        let expected = format!("the other operand is {dtype}; cast one of them").into();
        return Err(Error::DType { op, got: other.buffer().dtype(), expected });
    }
    let mut many = operands.iter().filter(|x| !is_number(x)).map(|x| x.buffer().dtype());
    let first = many.next().unwrap_or(DType::F32);
    Ok(if many.all(|dtype| dtype == first) { first } else { DType::F32 })
}

/// Whether a view shows one element only, however often.
fn is_number(x: &View<'_>) -> bool {
    x.shape().iter().zip(x.layout().strides()).all(|(&size, &stride)| size == 1 || stride == 0)
}

/// The one floating-point type of all operands.
fn floats(op: &'static str, operands: &[&View<'_>]) -> Result<DType> {
    let dtype = same(op, operands)?;
    arithmetic(op, dtype, false)?;
    Ok(dtype)
}

/// Computes a formula over operands that broadcast.
fn run(
    op: &'static str,
    formula: Formula,
    parameters: [f64; 2],
    operands: &[&View<'_>],
    result: DType,
) -> Result<Buffer> {
    debug_assert_eq!(formula.results(), 1);
    run_all(op, formula, &parameters, operands, result).map(|mut results| results.swap_remove(0))
}

/// Computes a formula of one result or several, all of one type, over operands that broadcast.
fn run_all(
    op: &'static str,
    formula: Formula,
    parameters: &[f64],
    operands: &[&View<'_>],
    result: DType,
) -> Result<SmallVec<[Buffer; 1]>> {
    debug_assert_eq!(operands.len(), formula.operands());
    let mut shape = SmallVec::from_slice(operands[0].shape());
    for other in &operands[1..] {
        shape = broadcast_shapes(op, &shape, other.shape())?;
    }
    let layouts: SmallVec<[Layout; 4]> =
        operands.iter().map(|x| x.layout().broadcast_to(op, &shape)).collect::<Result<_>>()?;
    let device = operands[0].buffer().device();
    let scalar = computes_in(op, formula, operands[operands.len() - 1].buffer().dtype(), device)?;
    let size = shape.iter().product();
    let results = (0..formula.results()).map(|_| Buffer::new(device, op, result, size)).collect::<Result<_>>()?;
    if size == 0 {
        return Ok(results);
    }
    let walk = Walk::new(&shape, &layouts);
    let accesses = walk.accesses(&layouts, size);
    let program = Program {
        formula,
        scalar,
        operands: operands.iter().zip(&accesses).map(|(x, &access)| (x.buffer().dtype(), access)).collect(),
        result,
        rank: if accesses.iter().any(|access| access.is_walked()) { walk.shape.len() } else { 0 },
        aligned: walk.aligned(),
    };
    let buffers: SmallVec<[&Buffer; 4]> = operands.iter().map(|x| x.buffer()).collect();
    let words: SmallVec<[u32; 4]> = parameters.iter().flat_map(|&value| storage::words(scalar, value)).collect();
    launch(op, program, &words, &buffers, &results, &[(&walk, &layouts[..])])?;
    Ok(results)
}

/// Fills the immediates and records the dispatch.
fn launch(
    op: &'static str,
    program: Program,
    parameters: &[u32],
    operands: &[&Buffer],
    results: &[Buffer],
    walk: &[(&Walk, &[Layout])],
) -> Result<()> {
    let first = &results[0];
    if first.is_empty() {
        return Ok(());
    }
    let device = first.device();
    let mut immediates = Immediates::default();
    if program.words() > immediates.len() {
        let reason =
            format!("its operands' layouts have {} axes that do not merge; copy one of them first", program.rank);
        return Err(Error::Argument { op, reason: reason.into() });
    }
    immediates[Slots::COUNT] = index(op, first.len())?;
    immediates[Slots::PARAMETERS..][..parameters.len()].copy_from_slice(parameters);
    for (walk, layouts) in walk {
        walk.fill(op, &program, layouts, &mut immediates)?;
    }
    let groups = record::grid(device, first.len().div_ceil(4 * THREADS));
    let writes: SmallVec<[&Buffer; 1]> = results.iter().collect();
    let program = record::Program::Elementwise(program);
    Launch { op, program, reads: operands, writes: &writes, immediates, groups }.record(device)
}

/// The common axes of all operands, neighbours merged where every layout allows.
struct Walk {
    shape: SmallVec<[usize; 6]>,
    strides: SmallVec<[SmallVec<[isize; 6]>; 4]>,
}

impl Walk {
    fn new(shape: &[usize], layouts: &[Layout]) -> Self {
        // Constants merge with anything, so that they are left out by giving them no axis of their own.
        let mut walk = Self { shape: SmallVec::new(), strides: layouts.iter().map(|_| SmallVec::new()).collect() };
        for (axis, &size) in shape.iter().enumerate() {
            if size == 1 {
                continue;
            }
            let step = |i: usize| layouts[i].strides()[axis];
            let merges = !walk.shape.is_empty()
                && (0..layouts.len()).all(|i| walk.strides[i].last() == Some(&(step(i) * size as isize)));
            match walk.shape.last_mut() {
                Some(last) if merges => {
                    *last *= size;
                    for (i, strides) in walk.strides.iter_mut().enumerate() {
                        let end = strides.len() - 1;
                        strides[end] = step(i);
                    }
                }
                _ => {
                    walk.shape.push(size);
                    walk.strides.iter_mut().enumerate().for_each(|(i, strides)| strides.push(step(i)));
                }
            }
        }
        if walk.shape.is_empty() {
            walk.shape.push(1);
            walk.strides.iter_mut().for_each(|strides| strides.push(1));
        }
        walk
    }

    /// Whether no four consecutive elements straddle the last axis.
    fn aligned(&self) -> bool {
        self.shape[self.shape.len() - 1].is_multiple_of(4)
    }

    fn accesses(&self, layouts: &[Layout], count: usize) -> SmallVec<[Access; 4]> {
        let last = self.shape.len() - 1;
        let access = |(layout, strides): (&Layout, &SmallVec<[isize; 6]>)| {
            let in_order = Collapsed::new([layout]).shape().len() == 1 && layout.is_contiguous();
            let by_fours = |value: isize| value % 4 == 0;
            if strides.iter().all(|&stride| stride == 0) || count == 1 {
                Access::Constant
            } else if in_order && by_fours(layout.offset() as isize) {
                Access::Whole
            } else if self.aligned()
                && strides[last] == 1
                && by_fours(layout.offset() as isize)
                && strides[..last].iter().all(|&stride| by_fours(stride))
            {
                Access::Vector
            } else {
                Access::Strided
            }
        };
        layouts.iter().zip(&self.strides).map(access).collect()
    }

    /// Writes offsets, sizes and strides where the program reads them.
    fn fill(&self, op: &'static str, program: &Program, layouts: &[Layout], immediates: &mut Immediates) -> Result<()> {
        let mut walked = 0;
        for (number, layout) in layouts.iter().enumerate() {
            immediates[program.offset_slot(number)] = index(op, layout.offset())?;
            if !program.operands[number].1.is_walked() {
                continue;
            }
            for axis in 0..program.rank {
                // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
                immediates[program.stride_slot(walked, axis)] = self.strides[number][axis] as u32;
            }
            walked += 1;
        }
        for axis in 1..program.rank {
            immediates[program.size_slot(axis)] = index(op, self.shape[axis])?;
        }
        Ok(())
    }
}
