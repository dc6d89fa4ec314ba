//! Errors of the operations on one operand in units in the last place, on every instruction set of this machine.
//!
//! `cargo run --release -p trueno-kernels --example accuracy -- [--step N] [--isa NAME].. [--row NAME]..` compares every
//! Nth `f32` (1: all 2^32 of them) with the row's formula in `f64`. For each row and instruction set it prints a line of
//! name, level, bound, largest error, its argument and seconds, with tabs between them, and fails if an error is over the
//! bound, but not with `--report`.
//!
//! An error is the distance of the result from the exact value, in units of the last place of an `f32` of that size
//! (2^-149 for subnormals), so that a correctly rounded result has an error of at most one half and a tie counts as
//! exactly that. The `f64` formula stands for the exact value: its own error, a few units of 2^-53, moves the figures
//! from the eighth digit on. Where the exact value rounds to infinity, or is none, nothing else will do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use trueno_core::table::{UnaryOp, UnaryRow, UnaryVisitor};
use trueno_kernels::elementwise::{Operand, unary};
use trueno_kernels::{Isa, Level};

/// Arguments that are compared at a time.
const BLOCK: u64 = 1 << 14;

/// Number of values that an `f32` can have, NaN of every kind included.
const ALL: u64 = 1 << 32;

/// Distance of `got` from `want` in units in the last place of an `f32` near `want`.
fn error(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if !got.is_finite() || !rounded.is_finite() {
        return if got == rounded { 0.0 } else { f64::INFINITY };
    }
    // The sign of zero counts.
    if got == 0.0 && rounded == 0.0 && got.is_sign_negative() != want.is_sign_negative() {
        return f64::INFINITY;
    }
    (f64::from(got) - want).abs() * units_in(want)
}

/// One over the distance between neighbouring `f32` at `value`: a power of two, so that nothing is rounded.
fn units_in(value: f64) -> f64 {
    let exponent = (value.abs().to_bits() >> 52) as i32 - 1023;
    f64::from_bits(((1023 + 23 - exponent.clamp(-126, 127)) as u64) << 52)
}

/// The largest error found, and its argument.
#[derive(Clone, Copy, Default)]
struct Worst {
    error: f64,
    at: f32,
}

impl Worst {
    fn add(&mut self, error: f64, at: f32) {
        if error > self.error {
            *self = Worst { error, at };
        }
    }

    /// Compares what a kernel gives at some arguments with the exact values.
    fn compare(&mut self, x: &[f32], got: &[f32], want: &[f64]) {
        for ((&x, &got), &want) in x.iter().zip(got).zip(want) {
            // The rounded value is wrong by half a unit at most, which is nothing new once that much was found.
            if self.error < 0.5 || got.to_bits() != (want as f32).to_bits() {
                self.add(error(got, want), x);
            }
        }
    }
}

/// The exact values at some arguments.
struct Exact<'a> {
    x: &'a [f32],
    parameters: [f64; 2],
}

impl UnaryVisitor for Exact<'_> {
    type Output = Vec<f64>;
    fn visit<R: UnaryRow>(self) -> Vec<f64> {
        self.x.iter().map(|&x| R::value(f64::from(x), self.parameters)).collect()
    }
}

/// What to compare.
struct Arguments {
    step: u64,
    levels: Vec<Isa>,
    rows: Vec<UnaryOp>,
    /// Figures over a bound are no failure of the program.
    report: bool,
}

/// The arguments of the command, or what is wrong with them.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { step: 1, levels: Vec::new(), rows: Vec::new(), report: false };
    while let Some(word) = words.next() {
        if word == "--report" {
            arguments.report = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--step" => arguments.step = value.parse().map_err(|_| format!("{value} is no step"))?,
            "--isa" => {
                let isa = Level::from_name(&value).and_then(Isa::with_level);
                arguments.levels.push(isa.ok_or_else(|| format!("this machine has no {value}"))?);
            }
            "--row" => {
                let row = UnaryOp::ALL.iter().find(|op| op.name() == value);
                arguments.rows.push(*row.ok_or_else(|| format!("there is no row {value}"))?);
            }
            _ => return Err(format!("{word} is no option")),
        }
    }
    if arguments.step == 0 {
        return Err("the step must be at least 1".into());
    }
    if arguments.levels.is_empty() {
        arguments.levels = Isa::available().collect();
    }
    if arguments.rows.is_empty() {
        arguments.rows = UnaryOp::ALL.to_vec();
    }
    Ok(arguments)
}

/// The largest error of `op` on each level, over every `step`th `f32`, by all of the machine's cores.
fn measure(op: UnaryOp, levels: &[Isa], step: u64) -> Vec<Worst> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let next = AtomicU64::new(0);
    let work = || {
        let mut worst = vec![Worst::default(); levels.len()];
        loop {
            let first = next.fetch_add(BLOCK * step, Ordering::Relaxed);
            if first >= ALL {
                return worst;
            }
            if first >> 26 != (first + BLOCK * step) >> 26 {
                eprint!("\r{} {:3} %", op.name(), first * 100 / ALL);
            }
            compare(op, levels, first, step, &mut worst);
        }
    };
    let found: Vec<Vec<Worst>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a comparison does not panic")).collect()
    });
    eprint!("\r{:24}\r", "");
    let mut total = vec![Worst::default(); levels.len()];
    for found in found {
        for (total, worst) in total.iter_mut().zip(found) {
            // Of equal errors the one at the first argument, whichever worker found it.
            if worst.error == total.error && worst.at.to_bits() < total.at.to_bits() {
                total.at = worst.at;
            }
            total.add(worst.error, worst.at);
        }
    }
    total
}

/// Compares one block of arguments, from the representation `first`.
fn compare(op: UnaryOp, levels: &[Isa], first: u64, step: u64, worst: &mut [Worst]) {
    let parameters = op.default_parameters();
    let last = ALL.min(first + BLOCK * step);
    let x: Vec<f32> = (first..last).step_by(step as usize).map(|bits| f32::from_bits(bits as u32)).collect();
    let want = op.dispatch(Exact { x: &x, parameters });
    let mut got = vec![0.0; x.len()];
    for (&isa, worst) in levels.iter().zip(worst) {
        unary(isa, op, parameters, Operand::Slice(&x), &mut got);
        worst.compare(&x, &got, &want);
    }
}

fn main() -> Result<(), String> {
    let arguments = parse(std::env::args().skip(1))?;
    let mut over = Vec::new();
    for &op in &arguments.rows {
        let start = Instant::now();
        let found = measure(op, &arguments.levels, arguments.step);
        let seconds = start.elapsed().as_secs_f64();
        for (isa, Worst { error, at }) in arguments.levels.iter().zip(found) {
            println!("{}\t{}\t{}\t{error:.3}\t{at:e}\t{seconds:.1}", op.name(), isa.level(), op.ulps());
            if error > op.ulps() {
                over.push(format!("{} on {}: {error:.3} at {at:e}", op.name(), isa.level()));
            }
        }
    }
    if over.is_empty() || arguments.report { Ok(()) } else { Err(format!("over the bound: {}", over.join(", "))) }
}
