//! What a call costs beside its work: operations of tensors of a thousand elements and of one, above their kernels.
//!
//! `cargo bench -p trueno-benches --bench calls`; the difference of a pair of rows is what shapes, memory and dispatch take.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use trueno::prelude::*;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_kernels::elementwise::{binary, unary};
use trueno_kernels::{Isa, Operand, reduce};

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    kernels(&mut criterion);
    for size in [1, 1000] {
        tensors(&mut criterion, size);
    }
    criterion.final_summary();
}

fn values(count: usize) -> Tensor<f32, 1> {
    Tensor::from((0..count).map(|i| i as f32 * 0.001).collect::<Vec<_>>())
}

fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel of 1000");
    let (isa, x, y, out) = (Isa::best(), values(1000), values(1000), values(1000));
    // The memory of tensors, for kernels are faster where lines of the cache begin.
    let [x, y] = [&x, &y].map(|values| values.as_slice().expect("a fresh tensor is row-major"));
    let mut out = out.into_dyn();
    let out = out.as_mut_slice::<f32>().expect("a fresh tensor is nobody else's");
    group.bench_function("add", |bencher| {
        bencher.iter(|| binary(isa, BinaryOp::Add, Operand::Slice(x), Operand::Slice(y), black_box(out)));
    });
    group.bench_function("exp", |bencher| {
        bencher.iter(|| unary(isa, UnaryOp::Exp, [0.0; 2], Operand::Slice(x), black_box(out)));
    });
    let mut sum = [0.0_f32];
    group.bench_function("sum", |bencher| {
        bencher.iter(|| reduce::accumulate_rows(isa, ReduceOp::Sum, x, 1000, None, black_box(&mut sum)));
    });
    group.finish();
}

fn tensors(criterion: &mut Criterion, size: usize) {
    let mut group = criterion.benchmark_group(format!("tensor of {size}"));
    let (x, y) = (values(size), values(size));
    group.bench_function("add", |bencher| bencher.iter(|| &x + &y));
    group.bench_function("add a number", |bencher| bencher.iter(|| &x + 1.0));
    group.bench_function("exp", |bencher| bencher.iter(|| x.exp()));
    group.bench_function("sum", |bencher| bencher.iter(|| x.sum()));
    group.bench_function("unsqueeze", |bencher| bencher.iter(|| x.unsqueeze(0)));
    group.bench_function("clone", |bencher| bencher.iter(|| x.clone()));
    let tracked = x.clone().requires_grad();
    group.bench_function("add, recorded", |bencher| bencher.iter(|| &tracked + &y));
    group.finish();
}
