//! Formulas of the user's own: one kernel for the value, one for the gradients by all operands.
//!
//! Unlike those of rows, these kernels are compiled in the crate that calls them: only there is the formula known.

use core::marker::PhantomData;

use trueno_core::fuse::{Formula, MAX_OPERANDS, Scalar, Value};

use super::Operand;
use super::job::{Blocks, Job, Source, scalar_blocks};
use crate::Isa;
use crate::simd::{Lanes, MAX_LANES, Real, RealVector, Simd, kernel};

/// Operands of a gradient: those of the formula and the gradient by its value.
const MAX_SOURCES: usize = MAX_OPERANDS + 1;

/// The type of a fused kernel's elements; see [`fused`].
#[doc(hidden)]
pub trait FusedKernels: Real {
    fn value<F: Compiled>(isa: Isa, formula: F, job: FusedJob<'_, Self>);
    fn gradients<F: Compiled>(isa: Isa, formula: F, job: GradientJob<'_, Self>);
}

/// A formula whose operands and captured numbers are counted at run time, as kernels take it.
#[doc(hidden)]
pub trait Compiled: Copy {
    const OPERANDS: usize;
    fn value<V: RealVector>(&self, operands: [V; MAX_SOURCES]) -> V;
    fn gradients<V: RealVector>(&self, operands: [V; MAX_SOURCES]) -> [V; MAX_OPERANDS];
}

/// A formula with its captured numbers.
#[derive(Clone, Copy)]
struct Captured<F, const N: usize, const P: usize> {
    parameters: [f64; P],
    formula: PhantomData<F>,
}

impl<F: Formula<N, P>, const N: usize, const P: usize> Captured<F, N, P> {
    #[inline(always)]
    fn operands<V: RealVector>(&self, vectors: &[V; MAX_SOURCES]) -> [Value<Lanes<V>>; N] {
        let mut operands = [Value(Lanes(vectors[0])); N];
        let mut index = 0;
        while index < N {
            operands[index] = Value(Lanes(vectors[index]));
            index += 1;
        }
        operands
    }

    #[inline(always)]
    fn numbers<V: RealVector>(&self, like: V) -> [Scalar<Lanes<V>>; P] {
        let mut numbers = [Scalar(Lanes(like)); P];
        let mut index = 0;
        while index < P {
            numbers[index] = Scalar(Lanes(like.lit(self.parameters[index])));
            index += 1;
        }
        numbers
    }
}

impl<F: Formula<N, P>, const N: usize, const P: usize> Compiled for Captured<F, N, P> {
    const OPERANDS: usize = {
        assert!(0 < N && N <= MAX_OPERANDS, "a formula has from 1 to 6 operands");
        N
    };

    #[inline(always)]
    fn value<V: RealVector>(&self, vectors: [V; MAX_SOURCES]) -> V {
        let (operands, numbers) = (self.operands(&vectors), self.numbers(vectors[0]));
        let Value(Lanes(result)) = F::value(operands, numbers);
        result
    }

    #[inline(always)]
    fn gradients<V: RealVector>(&self, vectors: [V; MAX_SOURCES]) -> [V; MAX_OPERANDS] {
        let (operands, numbers) = (self.operands(&vectors), self.numbers(vectors[0]));
        let gradients = F::gradients(operands, numbers, Value(Lanes(vectors[N])));
        let mut results = [vectors[0]; MAX_OPERANDS];
        let mut index = 0;
        while index < N {
            results[index] = gradients[index].0.0;
            index += 1;
        }
        results
    }
}

/// `out[i] = formula(operands[i])` in one pass, bit for bit what the formula's steps give one by one.
///
/// # Panics
/// If a slice has another length than `out`.
pub fn fused<F: Formula<N, P>, T: FusedKernels, const N: usize, const P: usize>(
    isa: Isa,
    parameters: [f64; P],
    operands: [Operand<'_, T>; N],
    out: &mut [T],
) {
    let formula = Captured::<F, N, P> { parameters, formula: PhantomData };
    Job::run(&operands, out, &|job| T::value(isa, formula, FusedJob(job)));
}

/// The gradients by the operands that have an `out`, in one pass: `outs[j][i]` from the operands and the gradient `g[i]` by the value.
///
/// # Panics
/// If slices differ in length, or an operand is [`Operand::InPlace`].
pub fn fused_grad<F: Formula<N, P>, T: FusedKernels, const N: usize, const P: usize>(
    isa: Isa,
    parameters: [f64; P],
    operands: [Operand<'_, T>; N],
    g: Operand<'_, T>,
    outs: [Option<&mut [T]>; N],
) {
    let formula = Captured::<F, N, P> { parameters, formula: PhantomData };
    let mut sources = [Operand::Scalar(T::ZERO); MAX_SOURCES];
    sources[..N].copy_from_slice(&operands);
    sources[N] = g;
    let mut wanted = [const { None }; MAX_OPERANDS];
    for (wanted, out) in wanted.iter_mut().zip(outs) {
        *wanted = out;
    }
    GradientJob::run(&sources[..=N], wanted, &|job| T::gradients(isa, formula, job));
}

/// Operands and result of a fused kernel.
#[doc(hidden)]
pub struct FusedJob<'a, T>(Job<'a, T, MAX_SOURCES>);

/// One result: `step` is 1 for a slice and 0 for a block that takes what nobody wants.
#[derive(Clone, Copy)]
struct Target<T> {
    pointer: *mut T,
    step: usize,
}

/// Operands and results of a kernel of gradients: `length` elements each, a multiple of `MAX_LANES`.
#[doc(hidden)]
pub struct GradientJob<'a, T> {
    length: usize,
    sources: [Source<T>; MAX_SOURCES],
    targets: [Target<T>; MAX_OPERANDS],
    memory: PhantomData<&'a mut [T]>,
}

impl<T: Real> GradientJob<'_, T> {
    /// Runs `kernel` over whole blocks, then over the rest, padded with zeros to one block; as [`Job::run`].
    fn run(
        operands: &[Operand<'_, T>],
        mut outs: [Option<&mut [T]>; MAX_OPERANDS],
        kernel: &dyn Fn(GradientJob<'_, T>),
    ) {
        let Some(length) = outs.iter().flatten().map(|out| out.len()).next() else { return };
        assert!(outs.iter().flatten().all(|out| out.len() == length), "gradients are of one length");
        for operand in operands {
            operand.check(length);
            assert!(!matches!(operand, Operand::InPlace), "a gradient has no operand in its own memory");
        }
        let rest = length % MAX_LANES;
        let whole = length - rest;
        if whole > 0 {
            let blocks: Blocks<T, MAX_SOURCES> = scalar_blocks(operands);
            let mut sources = blocks.each_ref().map(|block| Source { pointer: block.as_ptr(), step: 0 });
            for (source, operand) in sources.iter_mut().zip(operands) {
                if let Operand::Slice(values) = operand {
                    *source = Source { pointer: values.as_ptr(), step: 1 };
                }
            }
            let mut unwanted = [T::ZERO; MAX_LANES];
            let nowhere = Target { pointer: unwanted.as_mut_ptr(), step: 0 };
            let targets = outs.each_mut().map(|out| match out {
                Some(out) => Target { pointer: out.as_mut_ptr(), step: 1 },
                None => nowhere,
            });
            kernel(GradientJob { length: whole, sources, targets, memory: PhantomData });
        }
        if rest > 0 {
            let mut blocks: Blocks<T, MAX_SOURCES> = scalar_blocks(operands);
            for (operand, block) in operands.iter().zip(&mut blocks) {
                if let Operand::Slice(values) = operand {
                    block[..rest].copy_from_slice(&values[whole..]);
                }
            }
            let sources = blocks.each_ref().map(|block| Source { pointer: block.as_ptr(), step: 1 });
            let mut results = [[T::ZERO; MAX_LANES]; MAX_OPERANDS];
            let targets = results.each_mut().map(|block| Target { pointer: block.as_mut_ptr(), step: 1 });
            kernel(GradientJob { length: MAX_LANES, sources, targets, memory: PhantomData });
            for (out, result) in outs.iter_mut().zip(&results) {
                if let Some(out) = out {
                    out[whole..].copy_from_slice(&result[..rest]);
                }
            }
        }
    }
}

/// Computes the value over whole blocks of elements.
#[inline(always)]
fn map_value<S: Simd, T: Real, F: Compiled>(simd: S, formula: F, job: Job<'_, T, MAX_SOURCES>) {
    let mut at = 0;
    while at < job.length() {
        // SAFETY: `at` is less than the length.
        unsafe { job.store(at, formula.value(job.load::<T::Vector<S>>(simd, F::OPERANDS, at))) };
        at += T::Vector::<S>::LANES;
    }
}

/// Computes the gradients over whole blocks of elements.
#[inline(always)]
fn map_gradients<S: Simd, T: Real, F: Compiled>(simd: S, formula: F, job: GradientJob<'_, T>) {
    let mut at = 0;
    while at < job.length {
        let mut vectors = [T::Vector::<S>::splat(simd, T::ZERO); MAX_SOURCES];
        let mut index = 0;
        while index <= F::OPERANDS {
            let Source { pointer, step } = job.sources[index];
            // SAFETY: a source is readable for the length, a multiple of the lanes, or for `MAX_LANES` if it does not advance.
            vectors[index] = unsafe { T::Vector::<S>::load(simd, pointer.add(at * step)) };
            index += 1;
        }
        let results = formula.gradients(vectors);
        let mut index = 0;
        while index < F::OPERANDS {
            let Target { pointer, step } = job.targets[index];
            // SAFETY: a target is writable for the length, a multiple of the lanes, or for `MAX_LANES` if it does not advance.
            unsafe { results[index].store(pointer.add(at * step)) };
            index += 1;
        }
        at += T::Vector::<S>::LANES;
    }
}

macro_rules! fused_kernels {
    ($($module:ident: $t:ty;)*) => {$(
        mod $module {
            use super::*;

            kernel! {
                /// The value of a formula.
                pub(super) fn value<F: Compiled>(simd: S, formula: F, job: Job<'_, $t, MAX_SOURCES>) {
                    map_value(simd, formula, job);
                }
            }

            kernel! {
                /// The gradients of a formula.
                pub(super) fn gradients<F: Compiled>(simd: S, formula: F, job: GradientJob<'_, $t>) {
                    map_gradients(simd, formula, job);
                }
            }
        }

        impl FusedKernels for $t {
            fn value<F: Compiled>(isa: Isa, formula: F, job: FusedJob<'_, $t>) {
                $module::value(isa, formula, job.0);
            }

            fn gradients<F: Compiled>(isa: Isa, formula: F, job: GradientJob<'_, $t>) {
                $module::gradients(isa, formula, job);
            }
        }
    )*};
}
fused_kernels! {
    single: f32;
    double: f64;
}

#[cfg(test)]
mod tests;
