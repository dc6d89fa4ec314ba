//! Elementwise operations: broadcast, walk in blocks, run a kernel on each.

use super::caches::{AT_HAND, LOOKED_FOR, Writing};
use super::halves::in_f32;
use super::isa::isa;
use super::operand::{BLOCK, Source, blocks};
use super::{FLOATS, mixed, unsupported};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use crate::{DropoutConfig, DynTensor, Op, Row};
use smallvec::SmallVec;
use trueno_core::table::{BinaryOp, CompareOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Element, Error, Layout, Philox, Result, broadcast_shapes, dims, dispatch_dtype};
use trueno_kernels::{Operand, elementwise as kernel};

/// Rough cost of one element of an operation, in units of an addition.
pub(super) fn unary_cost(op: UnaryOp) -> usize {
    let light = matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Square | UnaryOp::Relu | UnaryOp::Clamp);
    if light { 1 } else { 2 }
}

/// The shape that all operands broadcast to.
#[inline]
pub(super) fn common_shape(op: &'static str, inputs: &[&DynTensor]) -> Result<Dims> {
    let mut shape = dims(inputs[0].shape());
    for input in &inputs[1..] {
        // A number has no say.
        if input.rank() > 0 && !is_same(input.shape(), &shape) {
            shape = broadcast_shapes(op, &shape, input.shape())?;
        }
    }
    Ok(shape)
}

/// Whether two shapes are equal. They are so short that the call which compares bytes would take longer.
fn is_same(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

pub(super) fn same_dtype(op: &'static str, inputs: &[&DynTensor]) -> Result<DType> {
    let dtype = inputs[0].dtype();
    match inputs.iter().find(|x| x.dtype() != dtype) {
        Some(other) => Err(mixed(op, dtype, other.dtype())),
        None => Ok(dtype),
    }
}

/// The operands as they are, if their elements lie in the order of a result of this shape or are one value each.
fn in_order<'a, T: Element, const N: usize>(
    inputs: [&'a DynTensor; N],
    shape: &[usize],
) -> Option<[Operand<'a, T>; N]> {
    let mut operands = [Operand::InPlace; N];
    for (operand, x) in operands.iter_mut().zip(inputs) {
        let elements = &x.storage().as_slice::<T>()[x.layout().offset()..];
        *operand = match x.size() {
            1 => Operand::Scalar(elements[0]),
            size if is_same(x.shape(), shape) && x.layout().is_contiguous() => Operand::Slice(&elements[..size]),
            _ => return None,
        };
    }
    Some(operands)
}

/// Fills `out` block by block from `N` operands of one type, on several threads if `cost` per element makes that pay.
///
/// `kernel` gets the operands of a block and the block of `out`.
fn map<T: Element, U: Element, const N: usize>(
    inputs: [&DynTensor; N],
    shape: &[usize],
    (out, writing): (&mut [U], Writing),
    cost: usize,
    kernel: impl Fn([Operand<'_, T>; N], &mut [U]) + Sync + Send,
) -> Result<()> {
    let piece = piece_size(out.len(), cost);
    if let Some(operands) = in_order(inputs, shape) {
        for_each_piece(out, piece, cost, |index, part| {
            writing.fill(part, AT_HAND, |start, block| {
                kernel(operands.map(|operand| operand.part(index * piece + start, block.len())), block);
            });
        });
        return Ok(());
    }
    let layouts: SmallVec<[Layout; N]> =
        inputs.iter().map(|x| x.layout().broadcast_to("broadcast", shape)).collect::<Result<_>>()?;
    let sources: [Source<T>; N] = std::array::from_fn(|i| Source::new(inputs[i], &layouts[i]));
    let run = sources.iter().map(Source::run).min().unwrap_or(1);
    for_each_piece(out, piece, cost, |index, part| {
        let mut scratch = [[T::default(); BLOCK]; N];
        writing.fill(part, LOOKED_FOR, |start, part| {
            let start = index * piece + start;
            for (position, len) in blocks(start, start + part.len(), run) {
                let mut sources = sources.iter();
                let operands = scratch.each_mut().map(|scratch| match sources.next() {
                    Some(source) => source.block(position, len, scratch),
                    None => Operand::InPlace,
                });
                kernel(operands, &mut part[position - start..position - start + len]);
            }
        });
    });
    Ok(())
}

/// As [`map`] where both sides have one type, into a fresh tensor.
fn map_new<T: Element, U: Element, const N: usize>(
    op: &'static str,
    inputs: [&DynTensor; N],
    shape: &[usize],
    cost: usize,
    kernel: impl Fn([Operand<'_, T>; N], &mut [U]) + Sync + Send,
) -> Result<DynTensor> {
    let size = crate::dyn_tensor::checked_size(op, shape)?;
    let mut buffer = Buffer::new(op, U::DTYPE, size)?;
    if size > 0 {
        let operands: usize = inputs.iter().map(|x| x.size() * size_of::<T>()).sum();
        let writing = Writing::of(operands + size * size_of::<U>());
        map::<T, U, N>(inputs, shape, (buffer.as_mut_slice::<U>(), writing), cost, kernel)?;
    }
    Ok(DynTensor::from_buffer(buffer, shape))
}

const NUMBERS: &str = "it takes numbers; cast it first";

pub(crate) fn unary(op: UnaryOp, parameters: [f64; 2], x: &DynTensor) -> Result<DynTensor> {
    let (isa, cost) = (isa(), unary_cost(op));
    dispatch_dtype!(x.dtype(), real T => {
        map_new::<T, T, 1>(op.name(), [x], x.shape(), cost, |[x], out| kernel::unary(isa, op, parameters, x, out))
    }, else dispatch_dtype!(x.dtype(), half T => {
        map_new::<T, T, 1>(op.name(), [x], x.shape(), 2 * cost, |x, out| {
            in_f32(x, out, |[x], out| kernel::unary(isa, op, parameters, x, out));
        })
    }, else {
        if !op.info().integers {
            return Err(unsupported(op.name(), x.dtype(), FLOATS));
        }
        dispatch_dtype!(x.dtype(), int T => {
            map_new::<T, T, 1>(op.name(), [x], x.shape(), cost, |[x], out| kernel::unary_int(isa, op, parameters, x, out))
        }, else Err(unsupported(op.name(), x.dtype(), NUMBERS)))
    }))
}

/// The gradient of a unary row by its operand, from what the row saved.
pub(crate) fn unary_grad(op: UnaryOp, parameters: [f64; 2], saved: &DynTensor, g: &DynTensor) -> Result<DynTensor> {
    let (isa, cost) = (isa(), unary_cost(op));
    dispatch_dtype!(same_dtype(op.name(), &[saved, g])?, real T => {
        map_new::<T, T, 2>(op.name(), [saved, g], g.shape(), cost, |[saved, g], out| {
            kernel::unary_grad(isa, op, parameters, saved, g, out);
        })
    }, else Err(unsupported(op.name(), g.dtype(), FLOATS)))
}

pub(crate) fn binary(op: BinaryOp, a: &DynTensor, b: &DynTensor) -> Result<DynTensor> {
    let (isa, shape) = (isa(), common_shape(op.name(), &[a, b])?);
    let dtype = same_dtype(op.name(), &[a, b])?;
    dispatch_dtype!(dtype, real T => {
        map_new::<T, T, 2>(op.name(), [a, b], &shape, 1, |[a, b], out| kernel::binary(isa, op, a, b, out))
    }, else dispatch_dtype!(dtype, half T => {
        map_new::<T, T, 2>(op.name(), [a, b], &shape, 2, |operands, out| {
            in_f32(operands, out, |[a, b], out| kernel::binary(isa, op, a, b, out));
        })
    }, else {
        if !op.info().integers {
            return Err(unsupported(op.name(), dtype, FLOATS));
        }
        dispatch_dtype!(dtype, int T => {
            map_new::<T, T, 2>(op.name(), [a, b], &shape, 1, |[a, b], out| kernel::binary_int(isa, op, a, b, out))
        }, else Err(unsupported(op.name(), dtype, NUMBERS)))
    }))
}

pub(crate) fn compare(op: CompareOp, a: &DynTensor, b: &DynTensor) -> Result<DynTensor> {
    let (isa, shape) = (isa(), common_shape(op.name(), &[a, b])?);
    let dtype = same_dtype(op.name(), &[a, b])?;
    // Truth values compare as the bytes they are.
    let readable = if dtype == DType::Bool { DType::U8 } else { dtype };
    dispatch_dtype!(readable, all T => {
        map_new::<T, bool, 2>(op.name(), [a, b], &shape, 1, |[a, b], out| kernel::compare(isa, op, a, b, out))
    })
}

pub(crate) fn ternary(op: TernaryOp, operands: [&DynTensor; 3]) -> Result<DynTensor> {
    let (isa, shape) = (isa(), common_shape(op.name(), &operands)?);
    dispatch_dtype!(same_dtype(op.name(), &operands)?, real T => {
        map_new::<T, T, 3>(op.name(), operands, &shape, 2, |[a, b, c], out| kernel::ternary(isa, op, a, b, c, out))
    }, else dispatch_dtype!(operands[0].dtype(), half T => {
        map_new::<T, T, 3>(op.name(), operands, &shape, 2, |operands, out| {
            in_f32(operands, out, |[a, b, c], out| kernel::ternary(isa, op, a, b, c, out));
        })
    }, else Err(unsupported(op.name(), operands[0].dtype(), FLOATS))))
}

pub(crate) fn select(mask: &DynTensor, yes: &DynTensor, no: &DynTensor) -> Result<DynTensor> {
    let op = "where";
    if mask.dtype() != DType::Bool {
        return Err(unsupported(op, mask.dtype(), "the first operand is a bool mask"));
    }
    let (isa, shape) = (isa(), common_shape(op, &[mask, yes, no])?);
    let size = crate::dyn_tensor::checked_size(op, &shape)?;
    dispatch_dtype!(same_dtype(op, &[yes, no])?, all T => {
        let mut buffer = Buffer::new(op, T::DTYPE, size)?;
        if size > 0 {
            let layouts = [
                mask.layout().broadcast_to(op, &shape)?,
                yes.layout().broadcast_to(op, &shape)?,
                no.layout().broadcast_to(op, &shape)?,
            ];
            let mask = Source::<bool>::new(mask, &layouts[0]);
            let (yes, no) = (Source::<T>::new(yes, &layouts[1]), Source::<T>::new(no, &layouts[2]));
            let run = mask.run().min(yes.run()).min(no.run());
            let piece = piece_size(size, 2);
            for_each_piece(buffer.as_mut_slice::<T>(), piece, 2, |index, part| {
                let mut bits = [false; BLOCK];
                let (mut left, mut right) = ([T::default(); BLOCK], [T::default(); BLOCK]);
                let start = index * piece;
                for (at, len) in blocks(start, start + part.len(), run) {
                    let out = &mut part[at - start..at - start + len];
                    let mask = mask.block(at, len, &mut bits);
                    kernel::select(isa, mask, yes.block(at, len, &mut left), no.block(at, len, &mut right), out);
                }
            });
        }
        Ok(DynTensor::from_buffer(buffer, &shape))
    })
}

/// Runs an elementwise operation in the memory of its first operand, if that may be done: it is row-major, nobody
/// shares it, and it has the result's shape and type. Otherwise leaves the operand as it is and says `false`.
pub(crate) fn in_place(op: &Op, first: &mut DynTensor, rest: &[&DynTensor]) -> Result<bool> {
    let dtype = first.dtype();
    let fits = matches!(dtype, DType::F32 | DType::F64)
        && first.layout().is_contiguous()
        && first.is_unique()
        && !first.is_narrow()
        && rest.iter().all(|x| !x.is_narrow())
        && rest.iter().all(|x| x.dtype() == dtype && x.device() == first.device())
        && rest.iter().all(|x| broadcast_shapes("", first.shape(), x.shape()).is_ok_and(|s| *s == *first.shape()));
    if !fits {
        return Ok(false);
    }
    if let Op::Fused(fusion) = op {
        return super::fused::fused_in_place(fusion, first, rest);
    }
    dispatch_dtype!(dtype, real T => write_in_place::<T>(op, first, rest), else Ok(false))
}

fn write_in_place<T: trueno_kernels::simd::Real>(op: &Op, first: &mut DynTensor, rest: &[&DynTensor]) -> Result<bool> {
    let (isa, shape) = (isa(), Dims::from_slice(first.shape()));
    let Some(out) = first.as_mut_slice::<T>().filter(|out| !out.is_empty()) else {
        return Ok(false);
    };
    // It is in the caches already, or on its way, for it is read first.
    let out = (out, Writing::Cached);
    match op.row() {
        Row::Unary(row) => {
            let (Op::Unary(_, parameters), []) = (op, rest) else { return Ok(false) };
            map::<T, T, 0>([], &shape, out, unary_cost(row), |[], out| {
                kernel::unary(isa, row, *parameters, Operand::InPlace, out);
            })?;
        }
        Row::Binary(row) => {
            let [b] = rest else { return Ok(false) };
            map::<T, T, 1>([b], &shape, out, 1, |[b], out| kernel::binary(isa, row, Operand::InPlace, b, out))?;
        }
        Row::Ternary(row) => {
            let [b, c] = rest else { return Ok(false) };
            map::<T, T, 2>([b, c], &shape, out, 2, |[b, c], out| {
                kernel::ternary(isa, row, Operand::InPlace, b, c, out);
            })?;
        }
        Row::Compare(_) | Row::Reduce(_) | Row::Family(_) => return Ok(false),
    }
    Ok(true)
}

/// Zeros where the stream says so, the rest scaled. Element `i` looks at word `i % 4` of block `i / 4`.
pub(crate) fn dropout(config: &DropoutConfig, x: &DynTensor) -> Result<DynTensor> {
    if !(0.0..1.0).contains(&config.p) {
        let reason = format!("p = {} is not a probability below 1", config.p);
        return Err(Error::Argument { op: "dropout", reason: reason.into() });
    }
    let x = super::movement::contiguous(x)?;
    let stream = Philox::new(config.seed).stream(config.call);
    let keep = (1.0 - config.p) * 4_294_967_296.0;
    dispatch_dtype!(x.dtype(), real T => {
        let scale = T::from_f64(1.0 / (1.0 - config.p));
        let input = x.as_slice::<T>().unwrap_or(&[]);
        let mut buffer = Buffer::new("dropout", T::DTYPE, x.size())?;
        // A multiple of four, so that pieces begin at block boundaries.
        let piece = piece_size(x.size(), 8).next_multiple_of(4);
        for_each_piece(buffer.as_mut_slice::<T>(), piece, 8, |index, part| {
            let start = index * piece;
            for (block, out) in part.chunks_mut(4).enumerate() {
                let words = stream.block((start / 4 + block) as u64);
                let input = &input[start + block * 4..];
                for ((out, &value), word) in out.iter_mut().zip(input).zip(words) {
                    *out = if f64::from(word) < keep { value * scale } else { T::default() };
                }
            }
        });
        Ok(DynTensor::from_buffer(buffer, x.shape()))
    }, else Err(unsupported("dropout", x.dtype(), FLOATS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: &[usize]) -> DynTensor {
        let size: usize = shape.iter().product();
        let elements: Vec<f32> = (0..size).map(|i| i as f32 * 0.25 - 3.0).collect();
        DynTensor::from_slice(&elements, shape).unwrap()
    }

    /// Element by element, by index arithmetic alone.
    fn naive(a: &DynTensor, b: &DynTensor, f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        let shape = broadcast_shapes("test", a.shape(), b.shape()).unwrap();
        let wide = |x: &DynTensor| {
            let layout = x.layout().broadcast_to("test", &shape).unwrap();
            let walk = trueno_core::Collapsed::new([&layout]);
            let [stride] = walk.inner_strides();
            let at = |start: usize, i: usize| (start as isize + i as isize * stride) as usize;
            walk.runs(0)
                .flat_map(|[start]| (0..walk.inner()).map(move |i| at(start, i)))
                .map(|i| x.storage().as_slice::<f32>()[i])
                .collect::<Vec<f32>>()
        };
        wide(a).into_iter().zip(wide(b)).map(|(a, b)| f(a, b)).collect()
    }

    #[test]
    fn broadcasting_and_strides_agree_with_index_arithmetic() {
        let wide = ramp(&[3, 700]);
        let cases = [
            (ramp(&[5, 7]), ramp(&[5, 7])),
            (ramp(&[5, 7]), ramp(&[7])),
            (ramp(&[5, 1]), ramp(&[1, 7])),
            (ramp(&[7, 5]).transpose().unwrap(), ramp(&[5, 7])),
            (ramp(&[5, 7]).flip(&[0, 1]).unwrap(), ramp(&[])),
            (wide.clone(), ramp(&[3, 1])),
            (wide.transpose().unwrap(), ramp(&[3])),
            (ramp(&[2, 3, 4]).permute(&[1, 2, 0]).unwrap(), ramp(&[4, 1])),
            (ramp(&[4000]), ramp(&[1])),
        ];
        for (a, b) in cases {
            let got = binary(BinaryOp::Sub, &a, &b).unwrap();
            assert_eq!(got.to_vec::<f32>().unwrap(), naive(&a, &b, |a, b| a - b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn empty_operands_give_empty_results() {
        let got = binary(BinaryOp::Add, &ramp(&[0, 4]), &ramp(&[4])).unwrap();
        assert_eq!(got.shape(), [0, 4]);
    }

    #[test]
    fn a_unique_operand_is_reused_and_a_shared_one_is_not() {
        let x = ramp(&[1000]);
        let address = x.storage().as_slice::<f32>().as_ptr();
        let y = crate::engine::apply_owned(&Op::Unary(UnaryOp::Exp, [0.0; 2]), x, &[]).unwrap();
        assert_eq!(y.storage().as_slice::<f32>().as_ptr(), address);
        let kept = y.clone();
        let z = crate::engine::apply_owned(&Op::Binary(BinaryOp::Add), y, &[&kept]).unwrap();
        assert!(!std::ptr::eq(z.storage(), kept.storage()));
    }

    #[test]
    fn errors_name_operation_shapes_and_axis() {
        let error = binary(BinaryOp::Add, &ramp(&[2, 3]), &ramp(&[4, 2])).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("add") && text.contains("[2, 3]") && text.contains("[4, 2]") && text.contains("axis -1"),
            "{text}"
        );
        let ints = DynTensor::from_slice(&[1_i32], &[1]).unwrap();
        assert!(unary(UnaryOp::Exp, [0.0; 2], &ints).unwrap_err().to_string().contains("int32"));
        assert!(binary(BinaryOp::Add, &ramp(&[1]), &ints).is_err());
    }

    #[test]
    fn dropout_keeps_the_expected_share_and_scales_it() {
        let x = DynTensor::full(&[10_001], DType::F32, 1.0).unwrap();
        let config = DropoutConfig { p: 0.25, seed: 3, call: 9 };
        let y = dropout(&config, &x).unwrap().to_vec::<f32>().unwrap();
        let kept = y.iter().filter(|&&v| v != 0.0).count();
        assert!((7_300..7_700).contains(&kept), "{kept}");
        assert!(y.iter().all(|&v| v == 0.0 || v == 1.0 / 0.75));
        assert_eq!(y, dropout(&config, &x).unwrap().to_vec::<f32>().unwrap());
        assert_ne!(y, dropout(&DropoutConfig { call: 10, ..config }, &x).unwrap().to_vec::<f32>().unwrap());
    }
}
