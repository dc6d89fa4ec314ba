//! The rows. Their names, shapes and arithmetic are those of `peers.py`.

mod conv;
mod matmul;

use std::hint::black_box;

use trueno_core::Result;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_tensor::DynTensor;

/// One call of a prepared row.
pub type Work = Box<dyn FnMut()>;

/// A name and what prepares the row; that panics if the operation fails on the row's own operands, which is a mistake here.
type Row = (&'static str, fn() -> Work);

/// Rows by what they time, in the order of the page.
const GROUPS: [&[Row]; 4] = [&GENERAL, &matmul::ROWS, &conv::ROWS, &TRAINING];

const GENERAL: [Row; 6] = [
    ("add 1M", || binary(BinaryOp::Add, &[1 << 20])),
    ("mul 1M", || binary(BinaryOp::Mul, &[1 << 20])),
    ("exp 1M", || unary(UnaryOp::Exp, &[1 << 20])),
    ("tanh 1M", || unary(UnaryOp::Tanh, &[1 << 20])),
    ("sum 1M", || {
        let a = operand(&[1 << 20], 1);
        work(move || a.reduce(ReduceOp::Sum, &[0], false, 0.0))
    }),
    ("softmax 1024x1024", || {
        let a = operand(&[1024, 1024], 1);
        work(move || a.softmax(1))
    }),
];

const TRAINING: [Row; 1] = [("MNIST training step, batch 64", || Box::new(crate::train::step(values(1))))];

/// The names of all rows.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.into_iter().flatten().map(|(name, _)| *name)
}

/// Prepares the row called `name`; `None` if there is none.
pub fn prepare(name: &str) -> Option<Work> {
    GROUPS.into_iter().flatten().find(|(known, _)| *known == name).map(|(_, prepare)| prepare())
}

fn unary(op: UnaryOp, shape: &[usize]) -> Work {
    let a = operand(shape, 1);
    work(move || a.unary(op, [0.0; 2]))
}

fn binary(op: BinaryOp, shape: &[usize]) -> Work {
    let (a, b) = (operand(shape, 1), operand(shape, 2));
    work(move || a.binary(op, &b))
}

/// A call whose result cannot be optimised away.
fn work(mut call: impl FnMut() -> Result<DynTensor> + 'static) -> Work {
    Box::new(move || {
        black_box(call().expect("a row fits its operands"));
    })
}

/// Numbers in -2..2 from a multiplicative generator, so that no operand is special.
fn values(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    }
}

fn operand(shape: &[usize], seed: u32) -> DynTensor {
    let elements: Vec<f32> = std::iter::repeat_with(values(seed)).take(shape.iter().product()).collect();
    DynTensor::from_slice(&elements, shape).expect("as many elements as the shape says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_spread_over_their_range() {
        let values = operand(&[1000], 3).to_vec::<f32>().unwrap();
        let mean = values.iter().sum::<f32>() / 1000.0;
        assert!(values.iter().all(|v| (-2.0..2.0).contains(v)) && mean.abs() < 0.2, "{mean}");
    }

    #[test]
    fn unknown_rows_are_absent() {
        assert!(prepare("no such row").is_none());
        assert!(prepare("add 1M").is_some());
        assert_eq!(names().next(), Some("add 1M"));
    }
}
