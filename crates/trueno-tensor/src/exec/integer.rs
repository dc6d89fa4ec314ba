//! Products of 8-bit integers with sums of 32 bits, and the linear layers that are made of them. Factors become words of several
//! integers, which are then multiplied as floats are: see `trueno_kernels::matmul`.

use super::isa::isa;
use super::lines::Lines;
use super::matmul::{Factor, LinearShape, Problem};
use super::operand::RowMajor;
use super::product::{Lasting, Panels, kept, pack, packed_product, product};
use super::{misfit, mixed, movement, unsupported};
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::table::BinaryOp;
use trueno_core::{DType, Result};
use trueno_kernels::matmul::{
    ByteVector, Dequantize, Grouped, MatMut, MatRef, Plan, Scale, Side, Unit, Word, WordEpilogue, product_with_vector,
};

const MATMUL: &str = "matmul_integer";
const LINEAR: &str = "linear_int8";

/// Refuses factors of other types.
pub(super) fn bytes(op: &'static str, factors: [DType; 2]) -> Result<()> {
    match factors.into_iter().find(|&dtype| dtype != DType::I8) {
        Some(other) => Err(unsupported(op, other, "it takes int8; cast it first")),
        None => Ok(()),
    }
}

/// The product over the last two axes as `i32`; leading axes broadcast.
pub(crate) fn matmul_integer(a: &DynTensor, b: &DynTensor) -> Result<DynTensor> {
    let problem = Problem::new(MATMUL, a, b)?;
    bytes(MATMUL, [a.dtype(), b.dtype()])?;
    let mut buffer = Buffer::new(MATMUL, DType::I32, checked_size(MATMUL, &problem.shape)?)?;
    if buffer.len() > 0 {
        let out = Word::of_mut(buffer.as_mut_slice::<i32>());
        problem.each(out, |a, b, lasting, out| integer_product(a, b, lasting, out, None))?;
    }
    Ok(DynTensor::from_buffer(buffer, &problem.shape))
}

/// `x wᵀ` over the last axis, as `sum * (x_scale * weight_scale) + bias` in floats; operands broadcast as those formulas say.
pub(crate) fn linear_int8(inputs: &[&DynTensor]) -> Result<DynTensor> {
    let Quantised { x, weight, scales: [x_scale, weight_scale], bias, shape } = Quantised::new(inputs)?;
    if x_scale.dtype() != DType::F32 {
        return composed(inputs);
    }
    let mut buffer = Buffer::new(LINEAR, DType::F32, checked_size(LINEAR, &shape.output)?)?;
    if buffer.len() > 0 {
        let x = movement::reshape(&[shape.rows, shape.inputs], x)?;
        let lead = &shape.output[..shape.output.len() - 1];
        let x_scale = spread(x_scale, &[lead, &[1]].concat())?;
        let weight_scale = spread(weight_scale, &weight.shape()[..1])?;
        let bias = bias.map(movement::contiguous).transpose()?;
        let dequantize = Dequantize {
            rows: scale(&x_scale),
            cols: scale(&weight_scale),
            bias: bias.as_deref().and_then(DynTensor::as_slice),
        };
        let (a, b) = (Factor::<i8>::of(&x), Factor::<i8>::of(weight).transposed());
        let out = Word::of_floats(buffer.as_mut_slice::<f32>());
        integer_product(a.matrix(0), b.matrix(0), Some(b.lasting(weight)), out, Some(dequantize))?;
    }
    Ok(DynTensor::from_buffer(buffer, &shape.output))
}

/// The same out of other operations: in `f64`, and on devices that have no kernel for it.
pub(crate) fn composed(inputs: &[&DynTensor]) -> Result<DynTensor> {
    let Quantised { x, weight, scales, bias, .. } = Quantised::new(inputs)?;
    let dtype = scales[0].dtype();
    // Sums leave the range of half precision long before the result does.
    let computed = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let [x_scale, weight_scale] = [scales[0].cast(computed)?, scales[1].cast(computed)?];
    let row = if x.rank() == 1 { x.unsqueeze(0)? } else { x.detach() };
    let sums = row.matmul_integer(&weight.transpose()?)?.cast(computed)?;
    let sums = if x.rank() == 1 { sums.squeeze(0)? } else { sums };
    let scaled = sums.binary(BinaryOp::Mul, &x_scale.binary(BinaryOp::Mul, &weight_scale)?)?;
    let result = match bias {
        Some(bias) => scaled.binary(BinaryOp::Add, &bias.cast(computed)?)?,
        None => scaled,
    };
    result.cast(dtype)
}

/// Operands of `linear_int8` that fit.
struct Quantised<'a> {
    x: &'a DynTensor,
    weight: &'a DynTensor,
    scales: [&'a DynTensor; 2],
    bias: Option<&'a DynTensor>,
    shape: LinearShape,
}

impl<'a> Quantised<'a> {
    fn new(inputs: &[&'a DynTensor]) -> Result<Quantised<'a>> {
        let (x, weight, scales, bias) = (inputs[0], inputs[1], [inputs[2], inputs[3]], inputs.get(4).copied());
        let shape = LinearShape::new(LINEAR, x.shape(), weight.shape(), bias.map(DynTensor::shape))?;
        bytes(LINEAR, [x.dtype(), weight.dtype()])?;
        let dtype = scales[0].dtype();
        if !dtype.is_float() {
            return Err(unsupported(LINEAR, dtype, "its scales are floats; cast them first"));
        }
        if let Some(other) = [scales[1]].into_iter().chain(bias).find(|other| other.dtype() != dtype) {
            return Err(mixed(LINEAR, dtype, other.dtype()));
        }
        let lead = &shape.output[..shape.output.len() - 1];
        for (scale, operand, whole) in
            [(scales[0], x, [lead, &[1]].concat()), (scales[1], weight, vec![weight.shape()[0]])]
        {
            if scale.layout().broadcast_to(LINEAR, &whole).is_err() {
                let reason = format!("a scale of it must have rank 0 or broadcast to {whole:?}");
                return Err(misfit(LINEAR, operand, scale, reason));
            }
        }
        Ok(Quantised { x, weight, scales, bias, shape })
    }
}

/// A single scale as it is, and several as one for each place of `shape`, in order.
fn spread<'a>(scale: &'a DynTensor, shape: &[usize]) -> Result<RowMajor<'a>> {
    if scale.size() == 1 {
        return movement::contiguous(scale);
    }
    let each = scale.view(scale.layout().broadcast_to(LINEAR, shape)?);
    Ok(movement::contiguous(&each)?.into_static())
}

fn scale(spread: &DynTensor) -> Scale<'_> {
    match spread.as_slice::<f32>() {
        Some(&[scale]) => Scale::All(scale),
        scales => Scale::Each(scales.unwrap_or_default()),
    }
}

/// One row-major product, cut among threads: `out = a b`, scaled to floats if `dequantize` says how. `lasting` says where `b` lies, if it
/// may be met again.
fn integer_product(
    a: MatRef<'_, i8>,
    b: MatRef<'_, i8>,
    lasting: Option<Lasting<'_>>,
    out: &mut [Word],
    dequantize: Option<Dequantize<'_>>,
) -> Result<()> {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    if m == 1 || n == 1 {
        return vector_product(a, b, out, dequantize);
    }
    let isa = isa();
    let mut terms = Buffer::new(MATMUL, DType::I32, if Word::has_row_terms(isa) { m } else { 0 })?;
    let row_terms = terms.as_mut_slice::<i32>();
    let rows = piece_size(m, k);
    for_each_piece(row_terms, rows, k, |index, terms| {
        let from = index * rows;
        Word::row_terms(isa, a.block(from..from + terms.len(), 0..k), terms);
    });
    let epilogue = WordEpilogue { row_terms, dequantize };
    let made;
    let left = match Word::in_place(isa, Side::Left, a) {
        Some(words) => words,
        None => {
            made = Lines::<Word>::new(Side::Left, a)?;
            made.matrix()
        }
    };
    let right = || Lines::<Word>::new(Side::Right, b.transposed());
    let (c, steps) = (MatMut::row_major(out, m, n), Word::steps(isa, k));
    let plan = Plan::new::<Word>(isa, m, n, steps);
    let panels = Panels::new(&plan, steps, n);
    match kept(m, [steps, n], lasting, || pack(&panels, right()?.matrix().transposed()))? {
        Some(packed) => packed_product(&plan, left, &panels, &packed, c, &epilogue),
        None => product(left, right()?.matrix().transposed(), None, c, &epilogue),
    }
}

/// A product of which one factor is a vector: the other is read where it lies.
fn vector_product(
    a: MatRef<'_, i8>,
    b: MatRef<'_, i8>,
    out: &mut [Word],
    dequantize: Option<Dequantize<'_>>,
) -> Result<()> {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let [matrix, vector] = if n == 1 { [a, b] } else { [b.transposed(), a.transposed()] };
    let mut column = Buffer::new(MATMUL, DType::I8, k)?;
    vector.copy_to(column.as_mut_slice::<i8>());
    let (isa, rows) = (isa(), piece_size(out.len(), k));
    let mut words = Buffer::new(MATMUL, DType::I32, ByteVector::len(isa, k))?;
    let column = ByteVector::new(isa, column.as_slice::<i8>(), Word::of_mut(words.as_mut_slice::<i32>()));
    for_each_piece(Word::sums(out), rows, k, |index, sums| {
        let from = index * rows;
        product_with_vector(isa, matrix.block(from..from + sums.len(), 0..k), column, sums);
    });
    if dequantize.is_some() {
        Word::finish(isa, MatMut::row_major(out, m, n), &WordEpilogue { row_terms: &[], dequantize });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
