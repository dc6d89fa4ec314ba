//! The rows. Their names, shapes and arithmetic are those of `peers.py`.

use std::hint::black_box;

use trueno_core::Result;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_tensor::{Conv2dConfig, DynTensor};

/// One call of a prepared row.
pub type Work = Box<dyn FnMut()>;

/// Prepares the row called `name`; `None` if there is none.
///
/// # Panics
/// If the operation fails on the row's own operands, which is a mistake in this file.
pub fn prepare(name: &str) -> Option<Work> {
    let million = || operand(&[1 << 20], 1);
    Some(match name {
        "add 1M" => {
            let (a, b) = (million(), operand(&[1 << 20], 2));
            work(move || a.binary(BinaryOp::Add, &b))
        }
        "mul 1M" => {
            let (a, b) = (million(), operand(&[1 << 20], 2));
            work(move || a.binary(BinaryOp::Mul, &b))
        }
        "exp 1M" => {
            let a = million();
            work(move || a.unary(UnaryOp::Exp, [0.0; 2]))
        }
        "tanh 1M" => {
            let a = million();
            work(move || a.unary(UnaryOp::Tanh, [0.0; 2]))
        }
        "sum 1M" => {
            let a = million();
            work(move || a.reduce(ReduceOp::Sum, &[0], false, 0.0))
        }
        "softmax 1024x1024" => {
            let a = operand(&[1024, 1024], 1);
            work(move || a.softmax(1))
        }
        "matmul 256" => matmul(256),
        "matmul 1024" => matmul(1024),
        "conv2d 8x64x56x56 k64 3x3" => {
            let (x, w) = (operand(&[8, 64, 56, 56], 1), operand(&[64, 64, 3, 3], 2));
            let config = Conv2dConfig { padding: [1, 1], ..Conv2dConfig::default() };
            work(move || x.conv2d(&w, None, config))
        }
        "MNIST training step, batch 64" => Box::new(crate::train::step(values(1))),
        _ => return None,
    })
}

fn matmul(n: usize) -> Work {
    let (a, b) = (operand(&[n, n], 1), operand(&[n, n], 2));
    work(move || a.matmul(&b))
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
    }
}
