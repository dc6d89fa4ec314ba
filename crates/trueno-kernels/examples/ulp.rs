//! Errors of the elementary functions in units in the last place, on every instruction set of this machine.
//!
//! `cargo run --release -p trueno-kernels --example ulp [STRIDE] [NAME..]` compares every STRIDEth `f32`
//! (1: all 2^32 of them) with the same function in `f64`, and prints the largest error of each function and where it is.

use trueno_core::table::UnaryOp;
use trueno_kernels::Isa;
use trueno_kernels::elementwise::{Operand, unary};

const FUNCTIONS: [UnaryOp; 13] = [
    UnaryOp::Exp,
    UnaryOp::Exp2,
    UnaryOp::Expm1,
    UnaryOp::Ln,
    UnaryOp::Log2,
    UnaryOp::Log10,
    UnaryOp::Log1p,
    UnaryOp::Sin,
    UnaryOp::Cos,
    UnaryOp::Tan,
    UnaryOp::Tanh,
    UnaryOp::Erf,
    UnaryOp::Sigmoid,
];

/// Distance of `got` from `want` in units in the last place of an `f32` near `want`.
fn error(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.to_bits() == rounded.to_bits() || (got.is_nan() && want.is_nan()) {
        return if want.is_finite() && rounded.is_finite() { (f64::from(got) - want).abs() / unit(want) } else { 0.0 };
    }
    if !got.is_finite() || !want.is_finite() {
        return f64::INFINITY;
    }
    (f64::from(got) - want).abs() / unit(want)
}

/// The distance between neighbouring `f32` at `value`.
fn unit(value: f64) -> f64 {
    let exponent = (value.abs().to_bits() >> 52) as i32 - 1023;
    f64::powi(2.0, exponent.clamp(-126, 127) - 23)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let stride: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(4099);
    let names: Vec<String> = arguments.collect();
    let levels: Vec<Isa> = Isa::available().collect();
    for op in FUNCTIONS {
        if !names.is_empty() && !names.iter().any(|name| name == op.name()) {
            continue;
        }
        let mut worst = vec![(0.0_f64, 0.0_f32); levels.len()];
        let mut inputs = (0..=u32::MAX).step_by(stride).map(f32::from_bits);
        loop {
            let x: Vec<f32> = inputs.by_ref().take(1 << 14).collect();
            if x.is_empty() {
                break;
            }
            let want: Vec<f64> = x.iter().map(|&x| op.eval(f64::from(x), [0.0; 2])).collect();
            let mut got = vec![0.0; x.len()];
            for (&isa, worst) in levels.iter().zip(&mut worst) {
                unary(isa, op, [0.0; 2], Operand::Slice(&x), &mut got);
                for ((&x, &got), &want) in x.iter().zip(&got).zip(&want) {
                    let error = error(got, want);
                    if error > worst.0 {
                        *worst = (error, x);
                    }
                }
            }
        }
        print!("{:8}", op.name());
        for (isa, (error, at)) in levels.iter().zip(&worst) {
            print!("  {} {error:.3} at {at:e}", isa.level());
        }
        println!();
    }
}
