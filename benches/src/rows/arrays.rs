//! Arithmetic on whole arrays, reductions and scans. Their shapes are those of `arrays.py`.

use std::hint::black_box;

use trueno::prelude::*;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_tensor::{DynTensor, Extreme};

use super::{Row, Work, operand, values, work};

/// Rows of one call per size.
macro_rules! sized {
    ($($name:literal => $prepare:expr;)*) => {
        [$(
            (concat!($name, " 1e3"), || $prepare(1_000)),
            (concat!($name, " 1e5"), || $prepare(100_000)),
            (concat!($name, " 4e6"), || $prepare(4_000_000)),
        )*]
    };
}

pub(super) const VECTORS: [Row; 24] = sized! {
    "add" => |n| binary(BinaryOp::Add, &[n], &[n]);
    "mul" => |n| binary(BinaryOp::Mul, &[n], &[n]);
    "dot" => |n| {
        let (a, b) = (operand(&[n], 1), operand(&[n], 2));
        work(move || a.matmul(&b))
    };
    "sum" => |n| reduce(ReduceOp::Sum, &[n], 0);
    "max" => |n| reduce(ReduceOp::Max, &[n], 0);
    "argmax" => |n| {
        let a = operand(&[n], 1);
        work(move || a.arg_reduce(Extreme::Max, 0, false))
    };
    "var" => |n| reduce(ReduceOp::Var, &[n], 0);
    "cumsum" => |n| {
        let a = operand(&[n], 1);
        work(move || a.cumsum(0))
    };
};

pub(super) const CHAINS: [Row; 3] = sized! {
    "a*b + c*0.5" => |n| {
        let [a, b, c] = [1, 2, 3].map(|seed| {
            let mut values = values(seed);
            Tensor::from_fn([n], |_| values())
        });
        let f = fuse!(|a, b, c| a * b + c * 0.5);
        Box::new(move || {
            black_box(f.call(&a, &b, &c));
        })
    };
};

pub(super) const FUNCTIONS: [Row; 6] = [
    ("exp 1e5", || unary(UnaryOp::Exp)),
    ("log 1e5", || unary(UnaryOp::Ln)),
    ("tanh 1e5", || unary(UnaryOp::Tanh)),
    ("sin 1e5", || unary(UnaryOp::Sin)),
    ("sigmoid 1e5", || unary(UnaryOp::Sigmoid)),
    ("gelu 1e5", || unary(UnaryOp::Gelu)),
];

pub(super) const MATRICES: [Row; 7] = [
    ("softmax 2048x2048", || {
        let x = operand(&[SIDE, SIDE], 1);
        work(move || x.softmax(1))
    }),
    ("layer_norm 2048x2048", || {
        let (x, weight, bias) = (operand(&[SIDE, SIDE], 1), operand(&[SIDE], 2), operand(&[SIDE], 3));
        work(move || x.layer_norm(1, Some((&weight, &bias)), 1e-5))
    }),
    ("add row 2048x2048", || binary(BinaryOp::Add, &[SIDE, SIDE], &[SIDE])),
    ("add column 2048x2048", || binary(BinaryOp::Add, &[SIDE, SIDE], &[SIDE, 1])),
    ("sum 0 2048x2048", || reduce(ReduceOp::Sum, &[SIDE, SIDE], 0)),
    ("sum 1 2048x2048", || reduce(ReduceOp::Sum, &[SIDE, SIDE], 1)),
    ("max 1 2048x2048", || reduce(ReduceOp::Max, &[SIDE, SIDE], 1)),
];

/// Rows and columns of a matrix.
const SIDE: usize = 2048;

/// Numbers that have a logarithm.
fn positive(n: usize) -> DynTensor {
    operand(&[n], 1).unary(UnaryOp::Abs, [0.0; 2]).expect("numbers have a magnitude")
}

fn unary(op: UnaryOp) -> Work {
    let a = if op == UnaryOp::Ln { positive(100_000) } else { operand(&[100_000], 1) };
    work(move || a.unary(op, [0.0; 2]))
}

fn binary(op: BinaryOp, a: &[usize], b: &[usize]) -> Work {
    let (a, b) = (operand(a, 1), operand(b, 2));
    work(move || a.binary(op, &b))
}

fn reduce(op: ReduceOp, shape: &[usize], axis: isize) -> Work {
    let a = operand(shape, 1);
    work(move || a.reduce(op, &[axis], false, 0.0))
}
