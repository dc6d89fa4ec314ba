//! Products of `bfloat16` on machines that have an instruction for them: factors are read as they are, two steps of the summed axis at once,
//! and sums of `f32` are rounded block by block. See `trueno_kernels::matmul`.

use super::isa::isa;
use super::lines::{Lines, pack_words};
use super::matmul::{Factor, Problem};
use super::movement;
use super::product::{Lasting, PackedJob, Panels, cost, kept, packed_jobs, run_jobs, with_scratch};
use crate::parallel::{for_each_piece, num_threads, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Op};
use trueno_core::{DType, Result, bf16};
use trueno_kernels::matmul::{
    Bias, Epilogue, Finish, Grouped, MatMut, MatRef, Pair, Plan, Side, Unit, bf16_product_with_vector, gemm_packed_b,
};

/// Sums that stay in the second level of cache until they are rounded.
const BLOCK: usize = 1 << 16;
/// Sums of a product with a vector that stay in the first.
const PART: usize = 2048;

/// Multiply-adds from which each product of a batch is worth its panels; many smaller ones are sooner widened together.
const WORTH: usize = 1 << 15;

/// Whether the operands of a product are multiplied as they are, rather than in `f32`.
pub(crate) fn multiplies(op: &Op, inputs: &[&DynTensor]) -> bool {
    let is_worth = matches!(op, Op::Linear)
        || matches!(op, Op::Matmul) && !is_batch_of_small(inputs[0].shape(), inputs[1].shape());
    let multiplies = is_worth && isa().has_bf16_dots() && inputs.iter().all(|x| x.dtype() == DType::BF16);
    multiplies || super::conv::pairs::multiplies(op, inputs)
}

/// Whether the right operand has several matrices, and products with them are small.
fn is_batch_of_small(lhs: &[usize], rhs: &[usize]) -> bool {
    match (lhs, rhs) {
        ([.., m, k], [lead @ .., _, n]) => lead.iter().any(|&size| size > 1) && cost([*m, *n, *k]) < WORTH,
        _ => false,
    }
}

/// The products of a batch.
pub(super) fn matmul(problem: &Problem<'_>, out: &mut [bf16]) -> Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    problem.each(out, |a, b, lasting, out| product(a, b, lasting, out, None))
}

/// `x wᵀ + b` for a matrix `x`.
pub(super) fn linear(x: &DynTensor, w: &DynTensor, bias: Option<&DynTensor>, out: &mut [bf16]) -> Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    let (a, b) = (Factor::<bf16>::of(x), Factor::<bf16>::of(w).transposed());
    let bias = bias.map(|bias| movement::cast(bias, DType::F32)).transpose()?;
    let bias = bias.as_ref().and_then(DynTensor::as_slice::<f32>);
    product(a.matrix(0), b.matrix(0), Some(b.lasting(w)), out, bias)
}

/// One row-major product, with a bias per column, cut among threads. `lasting` says where `b` lies, if it may be met again.
fn product(
    a: MatRef<'_, bf16>,
    b: MatRef<'_, bf16>,
    lasting: Option<Lasting<'_>>,
    out: &mut [bf16],
    bias: Option<&[f32]>,
) -> Result<()> {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    if k == 0 {
        let empty = |j| bf16::from_f32(bias.map_or(0.0, |bias| bias[j]));
        out.iter_mut().enumerate().for_each(|(i, out)| *out = empty(i % n));
        return Ok(());
    }
    if m == 1 || n == 1 {
        return vector_product(a, b, out, bias);
    }
    let (isa, steps) = (isa(), Pair::steps(isa(), k));
    let made;
    let left = match Pair::in_place(isa, Side::Left, a) {
        Some(pairs) => pairs,
        None => {
            made = Lines::<Pair>::new(Side::Left, a)?;
            made.matrix()
        }
    };
    let plan = Plan::new::<Pair>(isa, m, n, steps);
    let panels = Panels::new(&plan, steps, n);
    let epilogue = Epilogue { bias: bias.map_or(Bias::None, Bias::PerColumn), ..Epilogue::STORE };
    let c = MatMut::row_major(out, m, n);
    match kept(m, [steps, n], lasting, || pack_words::<Pair>(&panels, b))? {
        Some(packed) => rounded_product(&plan, left, &panels, &packed, c, &epilogue),
        None => rounded_product(&plan, left, &panels, &pack_words::<Pair>(&panels, b)?, c, &epilogue),
    }
}

/// A product whose right operand is packed, rounded block by block.
fn rounded_product(
    plan: &Plan,
    a: MatRef<'_, Pair>,
    panels: &Panels,
    packed: &Buffer,
    c: MatMut<'_, bf16>,
    epilogue: &Epilogue<'_, f32>,
) -> Result<()> {
    let unit = plan.row_unit();
    let most_rows = (BLOCK / panels.width / unit).max(1) * unit;
    let mut jobs = packed_jobs::<Pair, bf16>(plan, panels, packed, c, most_rows);
    run_jobs(&mut jobs, |PackedJob { panel, rows, cols, c }| {
        let mut sums = Buffer::new("matmul", DType::F32, rows.len() * cols.len())?;
        let sums = sums.as_mut_slice::<f32>();
        with_scratch(plan, |scratch| {
            let (a, epilogue) =
                (a.block(rows.clone(), 0..a.cols()), Finish::block(epilogue, rows.clone(), cols.clone()));
            let block = MatMut::row_major(Pair::of_mut(sums), rows.len(), cols.len());
            gemm_packed_b(isa(), plan, a, panel, block, &epilogue, scratch);
        })?;
        Pair::round(isa(), MatRef::row_major(sums, rows.len(), cols.len()), c.reborrow());
        Ok(())
    })
}

/// A product of which one factor is a vector: the other is read where it lies.
fn vector_product(a: MatRef<'_, bf16>, b: MatRef<'_, bf16>, out: &mut [bf16], bias: Option<&[f32]>) -> Result<()> {
    let (n, k) = (b.cols(), a.cols());
    let [matrix, vector] = if n == 1 { [a, b] } else { [b.transposed(), a.transposed()] };
    let mut column = Buffer::new("matmul", DType::BF16, k)?;
    vector.copy_to(column.as_mut_slice::<bf16>());
    let (isa, column) = (isa(), column.as_slice::<bf16>());
    // Where rows lie across, each part walks over all of the matrix: so there are no more of them than give every thread one.
    let rows = if matrix.col_stride() == 1 { piece_size(out.len(), k) } else { out.len().div_ceil(num_threads()) };
    for_each_piece(out, rows, k, |index, out| {
        let mut sums = [0.0; PART];
        for (part, out) in out.chunks_mut(PART).enumerate() {
            let from = index * rows + part * PART;
            let sums = &mut sums[..out.len()];
            bf16_product_with_vector(isa, matrix.block(from..from + sums.len(), 0..k), column, sums);
            if let Some(bias) = bias {
                // A bias per column: of one column there is one for all.
                sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += bias[if n == 1 { 0 } else { from + i }]);
            }
            let size = sums.len();
            Pair::round(isa, MatRef::row_major(sums, 1, size), MatMut::row_major(out, 1, size));
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
