//! Every row's gradient rule against central differences of its own formula.

use super::*;
use crate::Philox;
use std::vec::Vec;

/// Points of a row's domain that stay clear of its kinks.
fn samples(domain: [f64; 2], kinks: &[f64], stream: u64) -> Vec<f64> {
    let [low, high] = domain;
    (0..64)
        .map(|i| {
            let word = Philox::new(7).stream(stream).block(i)[0];
            low + (high - low) * Philox::unit_f64(word, 0)
        })
        .filter(|x| kinks.iter().all(|k| (x - k).abs() > 1e-3))
        .collect()
}

fn close(got: f64, want: f64, name: &str, at: &[f64]) {
    assert!((got - want).abs() <= 1e-6 * want.abs().max(1.0), "{name} at {at:?}: {got} against {want}");
}

#[test]
fn unary_gradients_match_differences() {
    for &op in UnaryOp::ALL {
        let parameters = op.default_parameters();
        for x in samples(op.info().domain[0], op.info().kinks, 0) {
            let h = 1e-6 * x.abs().max(1.0);
            let want = (op.eval(x + h, parameters) - op.eval(x - h, parameters)) / (2.0 * h);
            let (_, got) = op.eval_with_derivative(x, parameters);
            close(got, want, op.name(), &[x]);
        }
    }
}

#[test]
fn binary_gradients_match_differences() {
    for &op in BinaryOp::ALL {
        let [da, db] = [op.info().domain[0], op.info().domain[1]];
        for (a, b) in samples(da, &[], 1).into_iter().zip(samples(db, &[], 2)) {
            let h = 1e-6;
            let (left, right) = op.eval_gradients(a, b);
            close(left, (op.eval(a + h, b) - op.eval(a - h, b)) / (2.0 * h), op.name(), &[a, b]);
            close(right, (op.eval(a, b + h) - op.eval(a, b - h)) / (2.0 * h), op.name(), &[a, b]);
        }
    }
}

#[test]
fn special_values_follow_numpy() {
    let none = [0.0; 2];
    assert!(UnaryOp::Relu.eval(f64::NAN, none).is_nan());
    assert!(UnaryOp::Sign.eval(f64::NAN, none).is_nan());
    assert!(UnaryOp::Clamp.eval(f64::NAN, [-1.0, 1.0]).is_nan());
    assert!(UnaryOp::Exp.eval(f64::NAN, none).is_nan());
    assert!(UnaryOp::Ln.eval(-104.0, none).is_nan());
    assert_eq!(UnaryOp::Ln.eval(0.0, none), f64::NEG_INFINITY);
    assert_eq!(UnaryOp::Sigmoid.eval(-700.0, none), libm::exp(-700.0));
    assert_eq!(UnaryOp::Mish.eval(f64::INFINITY, none), f64::INFINITY);
    assert_eq!(UnaryOp::Round.eval(2.5, none), 2.0);
    assert!(BinaryOp::Maximum.eval(1.0, f64::NAN).is_nan());
    assert!(CompareOp::Ne.eval(f64::NAN, f64::NAN));
    assert!(!CompareOp::Eq.eval(f64::NAN, f64::NAN));
    assert!(ReduceOp::Max.eval(&[1.0, f64::NAN, 3.0], 0.0).is_nan());
}

#[test]
fn reductions_give_their_textbook_values() {
    let x = [1.0, -2.0, 3.0, 4.0];
    let expected = [
        (ReduceOp::Sum, 6.0),
        (ReduceOp::Mean, 1.5),
        (ReduceOp::Prod, -24.0),
        (ReduceOp::Max, 4.0),
        (ReduceOp::Min, -2.0),
        (ReduceOp::NormL1, 10.0),
        (ReduceOp::NormL2, libm::sqrt(30.0)),
        (ReduceOp::NormInf, 4.0),
        (ReduceOp::Var, 21.0 / 4.0),
        (ReduceOp::Std, libm::sqrt(21.0 / 4.0)),
        (ReduceOp::Any, 1.0),
        (ReduceOp::All, 1.0),
    ];
    assert_eq!(expected.len(), ReduceOp::ALL.len());
    for (op, want) in expected {
        assert_eq!(op.eval(&x, 0.0), want, "{}", op.name());
    }
    assert_eq!(ReduceOp::Var.eval(&x, 1.0), 7.0);
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = UnaryOp::ALL.iter().map(|op| op.name()).collect();
    names.extend(BinaryOp::ALL.iter().map(|op| op.name()));
    names.extend(CompareOp::ALL.iter().map(|op| op.name()));
    names.extend(TernaryOp::ALL.iter().map(|op| op.name()));
    names.extend(Family::ALL.iter().map(|op| op.name()));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
