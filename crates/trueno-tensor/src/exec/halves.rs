//! Elements of half precision: computed in `f32`, a block at a time, and rounded once.

use super::isa::isa;
use trueno_core::Float;
use trueno_kernels::{Operand, elementwise::convert};

/// Elements that are widened at a time: few enough that they stay in the first level of cache.
const BLOCK: usize = 1024;

/// Fills `out` by a kernel of `f32`, which gets the operands of a block and the block of the result.
pub(super) fn in_f32<T: Float, const N: usize>(
    operands: [Operand<'_, T>; N],
    out: &mut [T],
    kernel: impl Fn([Operand<'_, f32>; N], &mut [f32]),
) {
    let (mut wide, mut result) = ([[0.0; BLOCK]; N], [0.0; BLOCK]);
    for (index, out) in out.chunks_mut(BLOCK).enumerate() {
        let mut sources = operands.iter();
        let block = wide.each_mut().map(|wide| match sources.next() {
            Some(Operand::Slice(elements)) => {
                let wide = &mut wide[..out.len()];
                convert(isa(), &elements[index * BLOCK..][..wide.len()], wide);
                Operand::Slice(wide)
            }
            Some(Operand::Scalar(value)) => Operand::Scalar(value.to_f64() as f32),
            Some(Operand::InPlace) | None => unreachable!("results of half precision are new memory"),
        });
        let result = &mut result[..out.len()];
        kernel(block, result);
        convert(isa(), result, out);
    }
}

#[cfg(test)]
mod tests {
    use crate::DynTensor;
    use crate::exec::fixtures::{assert_threads_agree, numbers};
    use trueno_core::DType;
    use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};

    /// A computation on halves gives what it gives on the same values in `f32`, rounded once.
    #[track_caller]
    fn assert_rounded_once(operands: &[DynTensor], work: impl Fn(&[DynTensor]) -> DynTensor) {
        for half in [DType::F16, DType::BF16] {
            let halves: Vec<_> = operands.iter().map(|x| x.cast(half).unwrap()).collect();
            let wide: Vec<_> = halves.iter().map(|x| x.cast(DType::F32).unwrap()).collect();
            let (got, want) = (work(&halves), work(&wide));
            let (got, want) = if want.dtype() == DType::Bool { (got, want) } else { (got, want.cast(half).unwrap()) };
            assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()));
            // Text, in which one NaN is like another.
            let text = |x: &DynTensor| format!("{:?}", x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap());
            assert_eq!(text(&got), text(&want), "{half}");
            assert_threads_agree(|| work(&halves).cast(DType::F64).unwrap());
        }
    }

    #[test]
    fn halves_are_computed_in_single_precision_and_rounded_once() {
        let (x, row) = (numbers(&[37, 2 * super::BLOCK / 37 + 5]), numbers(&[2 * super::BLOCK / 37 + 5]));
        let turned = numbers(&[2 * super::BLOCK / 37 + 5, 37]).transpose().unwrap();
        let one = numbers(&[1]);
        assert_rounded_once(std::slice::from_ref(&x), |x| x[0].unary(UnaryOp::Exp, [0.0; 2]).unwrap());
        assert_rounded_once(std::slice::from_ref(&turned), |x| x[0].unary(UnaryOp::Clamp, [-0.3, 0.7]).unwrap());
        for other in [&x, &row, &turned, &one] {
            let operands = [x.clone(), other.clone()];
            assert_rounded_once(&operands, |x| x[0].binary(BinaryOp::Div, &x[1]).unwrap());
            assert_rounded_once(&operands, |x| x[1].compare(CompareOp::Lt, &x[0]).unwrap());
        }
        assert_rounded_once(&[row, turned, x], |x| x[0].ternary(TernaryOp::Fma, &x[1], &x[2]).unwrap());
    }

    #[test]
    fn halves_are_reduced_in_single_precision_and_rounded_once() {
        let (x, long) = (numbers(&[300, 40]), numbers(&[2, 20 * super::BLOCK + 3]));
        for x in [&x, &x.transpose().unwrap(), &long] {
            for op in [ReduceOp::Sum, ReduceOp::Var, ReduceOp::Max, ReduceOp::Any] {
                for axes in [&[0, 1][..], &[0], &[1]] {
                    assert_rounded_once(std::slice::from_ref(x), |x| x[0].reduce(op, axes, false, 0.0).unwrap());
                }
            }
        }
    }
}
