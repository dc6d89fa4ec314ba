//! Softmax and its kin along one axis, with their gradients.

use super::isa::isa;
use super::movement::contiguous;
use super::operand::elements;
use super::{FLOATS, same_shape_and_dtype, unsupported};
use crate::DynTensor;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::{Dims, Result, dispatch_dtype};
use trueno_kernels::AxisBlocks;
use trueno_kernels::softmax as kernel;

/// Steps per element: an exponential, and the passes around it.
const COST: usize = 8;

/// How many of the blocks before the axis make a piece.
fn together(blocks: AxisBlocks) -> usize {
    piece_size(blocks.outer, blocks.len * blocks.inner * COST)
}

/// The shape without an axis, or with size 1 there.
fn without(axis: usize, keep_dims: bool, shape: &[usize]) -> Dims {
    let mut shape = Dims::from_slice(shape);
    if keep_dims {
        shape[axis] = 1;
    } else {
        shape.remove(axis);
    }
    shape
}

/// `exp(x) / sum(exp(x))` along an axis, or the logarithm of that.
pub(crate) fn softmax(op: &'static str, log: bool, axis: usize, x: &DynTensor) -> Result<DynTensor> {
    let x = contiguous(x)?;
    let blocks = AxisBlocks::new(x.shape(), axis);
    let mut buffer = Buffer::new(op, x.dtype(), x.size())?;
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let piece = together(blocks) * blocks.len * blocks.inner;
        for_each_piece(buffer.as_mut_slice::<T>(), piece, COST, |index, out| {
            let x = &x[index * piece..][..out.len()];
            let blocks = AxisBlocks { outer: out.len() / (blocks.len * blocks.inner), ..blocks };
            if log { kernel::log_softmax(isa(), x, blocks, out) } else { kernel::softmax(isa(), x, blocks, out) }
        });
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

/// The gradient of [`softmax`] from its result `y`.
pub(super) fn softmax_grad(
    op: &'static str,
    log: bool,
    axis: usize,
    y: &DynTensor,
    g: &DynTensor,
) -> Result<DynTensor> {
    same_shape_and_dtype(op, y, g)?;
    let (y, g) = (contiguous(y)?, contiguous(g)?);
    let blocks = AxisBlocks::new(y.shape(), y.layout().axis(op, axis as isize)?);
    let mut buffer = Buffer::new(op, y.dtype(), y.size())?;
    dispatch_dtype!(y.dtype(), real T => {
        let (y, g) = (elements::<T>(&y), elements::<T>(&g));
        let piece = together(blocks) * blocks.len * blocks.inner;
        for_each_piece(buffer.as_mut_slice::<T>(), piece, COST, |index, out| {
            let (y, g) = (&y[index * piece..][..out.len()], &g[index * piece..][..out.len()]);
            let blocks = AxisBlocks { outer: out.len() / (blocks.len * blocks.inner), ..blocks };
            if log {
                kernel::log_softmax_gradient(isa(), y, g, blocks, out);
            } else {
                kernel::softmax_gradient(isa(), y, g, blocks, out);
            }
        });
    }, else return Err(unsupported(op, y.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, y.shape()))
}

/// `ln(sum(exp(x)))` along an axis.
pub(crate) fn logsumexp(axis: usize, keep_dims: bool, x: &DynTensor) -> Result<DynTensor> {
    let op = "logsumexp";
    let x = contiguous(x)?;
    let blocks = AxisBlocks::new(x.shape(), axis);
    let shape = without(axis, keep_dims, x.shape());
    let mut buffer = Buffer::new(op, x.dtype(), blocks.lines())?;
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let (together, block) = (together(blocks), blocks.len * blocks.inner);
        for_each_piece(buffer.as_mut_slice::<T>(), together * blocks.inner, blocks.len * COST, |index, out| {
            let blocks = AxisBlocks { outer: out.len() / blocks.inner, ..blocks };
            kernel::logsumexp(isa(), &x[index * together * block..][..blocks.elements()], blocks, out);
        });
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// The gradient of [`logsumexp`] from its operand and its result, which may have kept the axis or not.
pub(super) fn logsumexp_grad(x: &DynTensor, y: &DynTensor, g: &DynTensor, axis: usize) -> Result<DynTensor> {
    let op = "logsumexp";
    same_shape_and_dtype(op, y, g)?;
    let axis = x.layout().axis(op, axis as isize)?;
    let dropped = without(axis, y.rank() == x.rank(), x.shape());
    if *dropped != *y.shape() || x.dtype() != y.dtype() {
        return Err(super::misfit(op, x, y, format!("the result over axis {axis} has shape {dropped:?}")));
    }
    let (x, y, g) = (contiguous(x)?, contiguous(y)?, contiguous(g)?);
    let blocks = AxisBlocks::new(x.shape(), axis);
    let mut buffer = Buffer::new(op, x.dtype(), x.size())?;
    dispatch_dtype!(x.dtype(), real T => {
        let (x, y, g) = (elements::<T>(&x), elements::<T>(&y), elements::<T>(&g));
        let (together, block) = (together(blocks), blocks.len * blocks.inner);
        for_each_piece(buffer.as_mut_slice::<T>(), together * block, COST, |index, out| {
            let blocks = AxisBlocks { outer: out.len() / block, ..blocks };
            let lines = index * together * blocks.inner..index * together * blocks.inner + blocks.lines();
            let x = &x[index * together * block..][..out.len()];
            kernel::logsumexp_gradient(isa(), x, &y[lines.clone()], &g[lines], blocks, out);
        });
    }, else return Err(unsupported(op, x.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

#[cfg(test)]
mod tests {
    use crate::DynTensor;
    use crate::exec::backward;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, single, values};

    /// `softmax`, `logsumexp` along the last axis of rows.
    fn naive(rows: &[f64], length: usize) -> (Vec<f64>, Vec<f64>) {
        let lse: Vec<f64> = rows.chunks(length).map(|row| row.iter().map(|v| v.exp()).sum::<f64>().ln()).collect();
        (rows.iter().enumerate().map(|(i, v)| (v - lse[i / length]).exp()).collect(), lse)
    }

    #[test]
    fn any_axis_and_strides_agree_with_the_formula() {
        let cases = [
            (numbers(&[5]), 0),
            (numbers(&[3, 1]), 1),
            (numbers(&[4, 67]), 1),
            (numbers(&[4, 67]), 0),
            (numbers(&[2, 3, 5]), 1),
            (numbers(&[6, 4]).transpose().unwrap(), 1),
            (numbers(&[3, 4, 2]).flip(&[1, 2]).unwrap(), 2),
        ];
        for (x, axis) in cases {
            let last = x.swap_axes(axis, -1).unwrap();
            let length = last.shape()[last.rank() - 1];
            let (want, lse) = naive(&values(&last), length);
            for (x, tolerance) in [(x.clone(), 1e-13), (single([&x])[0].clone(), 1e-5)] {
                assert_close(&x.softmax(axis).unwrap().swap_axes(axis, -1).unwrap(), &want, tolerance);
                let log: Vec<f64> = want.iter().map(|v| v.ln()).collect();
                assert_close(&x.log_softmax(axis).unwrap().swap_axes(axis, -1).unwrap(), &log, tolerance);
                assert_close(&x.logsumexp(axis, true).unwrap().swap_axes(axis, -1).unwrap(), &lse, tolerance);
                assert_eq!(x.logsumexp(axis, false).unwrap().rank(), x.rank() - 1);
            }
        }
    }

    #[test]
    fn gradients_agree_with_their_formulas() {
        let x = numbers(&[3, 4, 2]).permute(&[2, 0, 1]).unwrap();
        let (g, axis) = (numbers(&[2, 3, 4]).flip(&[2]).unwrap(), 1);
        let sum = |x: &DynTensor| x.reduce(trueno_core::table::ReduceOp::Sum, &[axis], true, 0.0).unwrap();
        use trueno_core::table::{BinaryOp as B, UnaryOp};
        let y = x.softmax(axis).unwrap();
        let centered = g.binary(B::Sub, &sum(&g.binary(B::Mul, &y).unwrap())).unwrap();
        let want = values(&y.binary(B::Mul, &centered).unwrap());
        assert_close(&backward::softmax(&y, &g, 1).unwrap(), &want, 1e-13);
        let log = x.log_softmax(axis).unwrap();
        let want = values(&g.binary(B::Sub, &y.binary(B::Mul, &sum(&g)).unwrap()).unwrap());
        assert_close(&backward::log_softmax(&log, &g, 1).unwrap(), &want, 1e-13);
        let (lse, g) = (x.logsumexp(axis, false).unwrap(), numbers(&[2, 4]));
        let shift = x.binary(B::Sub, &lse.unsqueeze(1).unwrap()).unwrap().unary(UnaryOp::Exp, [0.0; 2]).unwrap();
        let want = values(&shift.binary(B::Mul, &g.unsqueeze(1).unwrap()).unwrap());
        assert_close(&backward::logsumexp(&x, &lse, &g, 1).unwrap(), &want, 1e-13);
        let halves = [&y, &numbers(&[2, 3, 4])].map(|x| x.cast(trueno_core::DType::F16).unwrap());
        assert_eq!(backward::softmax(&halves[0], &halves[1], 1).unwrap().dtype(), trueno_core::DType::F16);
    }

    #[test]
    fn nothing_and_infinity_are_as_in_pytorch() {
        assert_eq!(numbers(&[0, 3]).softmax(1).unwrap().shape(), [0, 3]);
        assert_eq!(numbers(&[3, 0]).softmax(1).unwrap().shape(), [3, 0]);
        assert_close(&numbers(&[2, 0]).logsumexp(1, false).unwrap(), &[f64::NEG_INFINITY; 2], 0.0);
        assert_eq!(numbers(&[0, 2]).logsumexp(1, false).unwrap().shape(), [0]);
        let infinite = DynTensor::from_slice(&[f64::NEG_INFINITY, 0.0, 1e4], &[3]).unwrap();
        assert_close(&infinite.softmax(0).unwrap(), &[0.0, 0.0, 1.0], 0.0);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = numbers(&[300, 1001]);
        assert_threads_agree(|| x.softmax(1).unwrap());
        assert_threads_agree(|| x.logsumexp(1, false).unwrap());
        assert_threads_agree(|| backward::log_softmax(&x, &x, 1).unwrap());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert_refused(numbers(&[2, 3]).softmax(2), &["softmax", "axis 2", "rank 2"]);
        let ints = DynTensor::from_slice(&[1_i32], &[1]).unwrap();
        assert_refused(ints.log_softmax(0), &["log_softmax", "int32"]);
        assert_refused(backward::softmax(&numbers(&[2]), &numbers(&[3]), 0), &["softmax", "[2]", "[3]"]);
        let (x, y) = (numbers(&[2, 3]), numbers(&[3, 1]));
        assert_refused(backward::logsumexp(&x, &y, &y, 1), &["logsumexp", "[2, 3]", "[3, 1]"]);
    }
}
