//! Gradients of every row of the elementwise and reduction tables against differences, first and second.

use crate::samples::{awkward, leaf, normal};
use trueno_autograd::{Autograd, gradcheck, gradgradcheck};
use trueno_core::table::{BinaryOp, CompareOp, Gradient, ReduceGrad, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Result};
use trueno_tensor::{DynTensor, Extreme};

/// Checks gradients and gradients of gradients.
fn check(what: &str, f: impl Fn(&[DynTensor]) -> Result<DynTensor>, inputs: &[DynTensor]) {
    let shapes: Vec<_> = inputs.iter().map(DynTensor::shape).collect();
    gradcheck(&f, inputs, Default::default()).unwrap_or_else(|e| panic!("{what} of {shapes:?}: {e}"));
    gradgradcheck(&f, inputs, Default::default()).unwrap_or_else(|e| panic!("second, {what} of {shapes:?}: {e}"));
}

#[test]
fn every_unary_row() {
    for &op in UnaryOp::ALL {
        let info = op.info();
        for x in awkward(info.domain[0], info.kinks) {
            let f = |inputs: &[DynTensor]| inputs[0].unary(op, op.default_parameters());
            match info.gradient {
                Gradient::Defined => check(info.name, f, &[x]),
                Gradient::Zero => gradcheck(f, &[x], Default::default()).unwrap(),
                Gradient::None(_) => assert!(!f(&[x]).unwrap().tracks_gradient(), "{}", info.name),
            }
        }
    }
}

#[test]
fn unary_gradients_agree_between_the_fused_kernel_and_the_formula() {
    use trueno_autograd::{GradOptions, grads};
    for &op in UnaryOp::ALL {
        let x = leaf(&[40], op.info().domain[0], op.info().kinks, 7);
        let y = x.unary(op, op.default_parameters()).unwrap();
        let seed = normal(&[40], 8);
        let options = GradOptions { retain_graph: true, ..Default::default() };
        let fused = grads(&[&y], &[&x], &[&seed], options).unwrap().remove(0);
        let traced = grads(&[&y], &[&x], &[&seed], GradOptions { create_graph: true, ..options }).unwrap().remove(0);
        let (fused, traced) = (fused.to_vec::<f64>().unwrap(), traced.to_vec::<f64>().unwrap());
        for (a, b) in fused.iter().zip(&traced) {
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{}: {a} against {b}", op.name());
        }
    }
}

/// Pairs of shapes that broadcast.
const PAIRS: [(&[usize], &[usize]); 6] =
    [(&[2, 3], &[2, 3]), (&[2, 3], &[3]), (&[2, 1], &[1, 3]), (&[], &[2, 2]), (&[0, 3], &[3]), (&[1], &[])];

#[test]
fn every_binary_row() {
    for &op in BinaryOp::ALL {
        let [left, right] = [op.info().domain[0], op.info().domain[1]];
        for (a, b) in PAIRS {
            let (a, b) = (leaf(a, left, &[], 1), leaf(b, right, &[], 2));
            let f = |inputs: &[DynTensor]| inputs[0].binary(op, &inputs[1]);
            check(op.name(), f, &[a.clone(), b.clone()]);
            check(op.name(), f, &[a.detach(), b.clone()]);
            check(op.name(), f, &[a, b.detach()]);
        }
        let (a, b) = (leaf(&[3, 2], left, &[], 1).detach(), leaf(&[2, 3], right, &[], 2));
        check(op.name(), |x| x[0].binary(op, &x[1]), &[a.transpose().unwrap().requires_grad(), b]);
        // Both operands are the same value.
        let range = [left[0].max(right[0]), left[1].min(right[1])];
        check(op.name(), |x| x[0].binary(op, &x[0].binary_scalar(BinaryOp::Mul, 1.1)?), &[leaf(&[3], range, &[], 1)]);
    }
}

#[test]
fn every_ternary_row() {
    for &op in TernaryOp::ALL {
        let shapes: [[&[usize]; 3]; 4] =
            [[&[2, 3], &[2, 3], &[2, 3]], [&[3], &[2, 1], &[]], [&[], &[], &[]], [&[0, 2], &[2], &[1]]];
        for shapes in shapes {
            let operand = |i: usize| leaf(shapes[i], op.info().domain[i], &[-0.5, 0.5], i);
            check(op.name(), |x| x[0].ternary(op, &x[1], &x[2]), &[operand(0), operand(1), operand(2)]);
        }
    }
}

#[test]
fn every_reduction_row() {
    for &op in ReduceOp::ALL {
        let range = op.info().domain[0];
        let cases: [(&[usize], &[isize]); 7] = [
            (&[2, 3], &[0]),
            (&[2, 3], &[-1]),
            (&[2, 3], &[0, 1]),
            (&[2, 3, 2], &[0, 2]),
            (&[3, 1], &[1]),
            (&[], &[]),
            (&[0, 3], &[1]),
        ];
        for (shape, axes) in cases {
            for keep_dims in [false, true] {
                // The correction of `var` leaves nothing of a single element.
                let correction = if shape.len() > 1 && !shape.contains(&1) { 1.0 } else { 0.0 };
                let single = shape.iter().product::<usize>() == 1 || shape == [3, 1];
                let x = leaf(shape, range, &[0.0], 3);
                let f = |x: &[DynTensor]| x[0].reduce(op, axes, keep_dims, correction);
                match op.grad() {
                    ReduceGrad::None => assert!(!f(&[x]).unwrap().tracks_gradient()),
                    // The standard deviation of one element has a kink at every point.
                    _ if op == ReduceOp::Std && single => {}
                    _ => check(op.name(), f, &[x]),
                }
            }
        }
        if op.grad() != ReduceGrad::None {
            let x = leaf(&[3, 2], range, &[0.0], 4).detach().transpose().unwrap().requires_grad();
            check(op.name(), |x| x[0].reduce(op, &[1], false, 0.0), &[x]);
        }
    }
}

#[test]
fn reductions_of_nothing_have_gradients_of_nothing() {
    for op in [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::NormL1, ReduceOp::NormL2] {
        check(op.name(), |x| x[0].reduce(op, &[0], false, 0.0), &[normal(&[0, 2], 0)]);
    }
}

#[test]
fn products_with_zeros_are_exact() {
    for zeros in [&[1][..], &[0, 3], &[0, 1, 2]] {
        let mut elements = vec![2.0, -3.0, 0.5, 4.0, 1.5];
        zeros.iter().for_each(|&i| elements[i] = 0.0);
        let x = DynTensor::from_slice(&elements, &[5]).unwrap().requires_grad();
        check("prod", |x| x[0].reduce(ReduceOp::Prod, &[0], false, 0.0), &[x]);
    }
}

#[test]
fn tied_extremes_share_the_gradient() {
    use trueno_autograd::Backward;
    let x = DynTensor::from_slice(&[3.0_f64, -1.0, 3.0, -3.0], &[4]).unwrap().requires_grad();
    let shares = |op: ReduceOp| {
        let y = x.reduce(op, &[0], false, 0.0).unwrap();
        y.backward().get(&x).unwrap().to_vec::<f64>().unwrap()
    };
    assert_eq!(shares(ReduceOp::Max), [0.5, 0.0, 0.5, 0.0]);
    assert_eq!(shares(ReduceOp::Min), [0.0, 0.0, 0.0, 1.0]);
    let third = 1.0 / 3.0;
    assert_eq!(shares(ReduceOp::NormInf), [third, 0.0, third, -third]);
}

#[test]
fn norms_and_deviations_are_flat_where_they_are_zero() {
    use trueno_autograd::Backward;
    let x = DynTensor::full(&[3], DType::F64, 0.0).unwrap().requires_grad();
    for op in [ReduceOp::NormL1, ReduceOp::NormL2, ReduceOp::NormInf, ReduceOp::Std] {
        let y = x.reduce(op, &[0], false, 0.0).unwrap();
        assert_eq!(y.backward().get(&x).unwrap().to_vec::<f64>().unwrap(), [0.0; 3], "{}", op.name());
    }
}

#[test]
fn what_has_no_gradient_carries_no_graph() {
    let (x, y) = (normal(&[3], 0), normal(&[3], 1));
    for &op in CompareOp::ALL {
        assert!(matches!(op.info().gradient, Gradient::None(_)));
        assert!(!x.compare(op, &y).unwrap().tracks_gradient());
    }
    assert!(!x.arg_reduce(Extreme::Max, 0, false).unwrap().tracks_gradient());
    assert!(!x.cast(DType::I64).unwrap().tracks_gradient());
    assert!(x.cast(DType::F16).unwrap().tracks_gradient());
}
