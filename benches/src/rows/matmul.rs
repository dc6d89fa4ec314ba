//! Matrix products. Their shapes are those of `matrices.py`.

use std::hint::black_box;

use trueno_core::table::BinaryOp;
use trueno_core::{DType, Element};
use trueno_kernels::simd::Real;
use trueno_kernels::{Isa, matmul};
use trueno_tensor::{DynTensor, num_threads};

use super::{Row, Work, operand, work};

pub(super) const ROWS: [Row; 22] = [
    ("matmul 64", || product(&[64, 64], &[64, 64])),
    ("matmul 256", || product(&[256, 256], &[256, 256])),
    ("matmul 1024", || product(&[1024, 1024], &[1024, 1024])),
    ("multiply-adds of matmul 1024", || multiply_adds::<f32>(1 << 30)),
    ("matmul 2048", || product(&[2048, 2048], &[2048, 2048])),
    ("matmul 1024 in float64", || {
        let [a, b] = [1, 2].map(|seed| operand(&[1024, 1024], seed).cast(DType::F64).expect("numbers are cast"));
        work(move || a.matmul(&b))
    }),
    ("multiply-adds of matmul 1024 in float64", || multiply_adds::<f64>(1 << 30)),
    ("matmul 1024 by its transpose", || {
        let a = operand(&[1024, 1024], 1);
        let transpose = a.transpose().expect("a matrix has a transpose");
        work(move || a.matmul(&transpose))
    }),
    ("matmul 64x1024 by 1024x512", || product(&[64, 1024], &[1024, 512])),
    ("matmul 32 of 128x64 by 64x128", || product(&[32, 128, 64], &[32, 64, 128])),
    ("matmul 2000 by a vector", || product(&[2000, 2000], &[2000, 1])),
    ("linear 64x1024 to 512", || {
        let (x, w, b) = (operand(&[64, 1024], 1), operand(&[512, 1024], 2), operand(&[512], 3));
        work(move || x.linear(&w, Some(&b)))
    }),
    ("matmul 1024 in int8", || integer_product([1024, 1024], [1024, 1024])),
    ("matmul 64x1024 by 1024x512 in int8", || integer_product([64, 1024], [1024, 512])),
    ("matmul 64x1024 by the transpose of 512x1024 in int8", || {
        let (x, w) = (bytes(&[64, 1024], 1), bytes(&[512, 1024], 2).transpose().expect("a matrix has a transpose"));
        work(move || x.matmul_integer(&w))
    }),
    ("matmul 2000 by a vector in int8", || integer_product([2000, 2000], [2000, 1])),
    ("matmul 1024 in bfloat16", || half_product(&[1024, 1024], &[1024, 1024])),
    ("matmul 32 of 128x64 by 64x128 in bfloat16", || half_product(&[32, 128, 64], &[32, 64, 128])),
    ("matmul 2000 by a vector in bfloat16", || half_product(&[2000, 2000], &[2000, 1])),
    ("matmul of a vector by 2000 in bfloat16", || half_product(&[1, 2000], &[2000, 2000])),
    ("linear 64x1024 to 4096 in bfloat16", || half_linear(64)),
    ("linear 1x1024 to 4096 in bfloat16", || half_linear(1)),
];

fn product(a: &[usize], b: &[usize]) -> Work {
    let (a, b) = (operand(a, 1), operand(b, 2));
    work(move || a.matmul(&b))
}

pub(super) fn half(shape: &[usize], seed: u32) -> DynTensor {
    operand(shape, seed).cast(DType::BF16).expect("numbers are cast")
}

fn half_product(a: &[usize], b: &[usize]) -> Work {
    let (a, b) = (half(a, 1), half(b, 2));
    work(move || a.matmul(&b))
}

/// The weight is met again at every call.
fn half_linear(rows: usize) -> Work {
    let (x, w, b) = (half(&[rows, 1024], 1), half(&[4096, 1024], 2), half(&[4096], 3));
    work(move || x.linear(&w, Some(&b)))
}

fn integer_product(a: [usize; 2], b: [usize; 2]) -> Work {
    let (a, b) = (bytes(&a, 1), bytes(&b, 2));
    work(move || a.matmul_integer(&b))
}

/// Integers of 8 bits, all of them alike.
fn bytes(shape: &[usize], seed: u32) -> DynTensor {
    let scaled = operand(shape, seed).binary_scalar(BinaryOp::Mul, 64.0).expect("floats are scaled");
    scaled.cast(DType::I8).expect("numbers are cast")
}

/// As many multiply-adds as a product has, spread over the threads and done in registers: the least time it could take.
fn multiply_adds<T: Real + Element>(count: usize) -> Work {
    let isa = Isa::best();
    let (_, lanes) = matmul::multiply_adds::<T>(isa, 1, T::ONE, T::ZERO);
    // One call of a single vector does a dozen.
    let vectors = count / (lanes / 12);
    Box::new(move || {
        let threads = num_threads();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    black_box(matmul::multiply_adds::<T>(isa, vectors / threads, black_box(T::ONE), T::ZERO))
                });
            }
        });
    })
}
