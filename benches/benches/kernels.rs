//! The kernels on one thread, at every level that this machine has: `cargo bench -p trueno-benches --bench kernels`.
//!
//! A name is that of the kernel, its size and the level, so `-- matmul/.*avx2` picks some. Operands are as often in the caches as
//! in real use of these sizes: from the second call on.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_kernels::attention::{Attention, QUERIES, attention, scratch_len};
use trueno_kernels::conv::{Conv2dShape, Filter, conv2d};
use trueno_kernels::elementwise::{binary, unary};
use trueno_kernels::matmul::{Epilogue, MatMut, MatRef, Plan, gemm};
use trueno_kernels::{AxisBlocks, Isa, Operand, norm, reduce, softmax, sort, transpose};

/// Elements of arrays: three of them fit a second-level cache.
const ELEMENTS: usize = 1 << 16;
/// Rows and columns of matrices.
const SIDE: usize = 256;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
        .configure_from_args();
    for group in [elementwise, reductions, rows, order, products, convolution, heads] {
        group(&mut criterion);
    }
    criterion.final_summary();
}

/// Numbers in -2..2, none of them special.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7919 % 4001) as f32 / 1000.0 - 2.0).collect()
}

/// Times `kernel` at every level.
fn levels(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut kernel: impl FnMut(Isa)) {
    for isa in Isa::available() {
        group.bench_function(format!("{name}/{}", isa.level().name()), |bencher| bencher.iter(|| kernel(isa)));
    }
}

fn elementwise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("elementwise");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let (x, y, mut out) = (values(ELEMENTS), values(ELEMENTS), vec![0.0_f32; ELEMENTS]);
    for op in [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Pow] {
        levels(&mut group, op.name(), |isa| {
            binary(isa, op, Operand::Slice(&x), Operand::Slice(&y), black_box(&mut out));
        });
    }
    for op in [UnaryOp::Exp, UnaryOp::Ln, UnaryOp::Sin, UnaryOp::Tanh, UnaryOp::Sigmoid, UnaryOp::Gelu] {
        let parameters = op.default_parameters();
        levels(&mut group, op.name(), |isa| unary(isa, op, parameters, Operand::Slice(&x), black_box(&mut out)));
    }
    group.finish();
}

fn reductions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reductions");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let (x, mut acc, mut out) = (values(ELEMENTS), vec![0.0_f32; SIDE], vec![0.0_f32; ELEMENTS]);
    for op in [ReduceOp::Sum, ReduceOp::Max] {
        levels(&mut group, &format!("{} of rows", op.name()), |isa| {
            reduce::accumulate_rows(isa, op, &x, ELEMENTS / SIDE, None, black_box(&mut acc));
        });
        levels(&mut group, &format!("{} of columns", op.name()), |isa| {
            reduce::accumulate_columns(isa, op, &x, None, black_box(&mut acc));
        });
    }
    levels(&mut group, "dot", |isa| {
        black_box(reduce::dot(isa, &x, &x));
    });
    levels(&mut group, "cumsum", |isa| reduce::cumsum(isa, &x, 1, black_box(&mut out)));
    group.finish();
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let (x, mut out) = (values(ELEMENTS), vec![0.0_f32; ELEMENTS]);
    let shape = AxisBlocks::rows(ELEMENTS / SIDE, SIDE);
    levels(&mut group, "softmax", |isa| softmax::softmax(isa, &x, shape, black_box(&mut out)));
    let [mut means, mut rstds] = [vec![0.0_f32; shape.lines()], vec![0.0_f32; shape.lines()]];
    levels(&mut group, "layer_norm", |isa| {
        norm::layer_norm(isa, &x, SIDE, None, None, 1e-5, black_box(&mut out), [&mut means, &mut rstds]);
    });
    group.finish();
}

fn order(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("order");
    group.throughput(Throughput::Elements(ELEMENTS as u64));
    let (x, mut out) = (values(ELEMENTS), vec![0.0_f32; ELEMENTS]);
    let [mut keys, mut scratch] = [vec![0_i32; ELEMENTS], vec![0_i32; ELEMENTS]];
    levels(&mut group, "sort", |isa| {
        sort::keys(isa, false, &x, &mut keys);
        sort::sort(isa, &mut keys, black_box(&mut scratch), 0, |_| {});
    });
    levels(&mut group, "transpose", |isa| transpose(isa, &x, SIDE, black_box(&mut out), SIDE, [SIDE, SIDE]));
    group.finish();
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    for side in [16, 64, SIDE] {
        group.throughput(Throughput::Elements((side * side * side) as u64));
        let (a, b, mut c) = (values(side * side), values(side * side), vec![0.0_f32; side * side]);
        levels(&mut group, &side.to_string(), |isa| {
            let plan = Plan::new::<f32>(isa, side, side, side);
            let mut scratch = vec![0.0; plan.scratch_len()];
            let [a, b] = [&a, &b].map(|x| MatRef::row_major(x, side, side));
            let c = MatMut::row_major(black_box(&mut c), side, side);
            gemm(isa, &plan, a, b, c, &Epilogue::STORE, &mut scratch);
        });
    }
    group.finish();
}

fn convolution(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv2d");
    let depthwise = Conv2dShape { in_channels: 32, out_channels: 32, groups: 32, ..three_by_three() };
    let full = Conv2dShape { in_channels: 32, out_channels: 32, ..three_by_three() };
    for (name, shape) in [("3x3 of 32 channels", full), ("depthwise 3x3 of 32 channels", depthwise)] {
        let (x, mut out) = (values(shape.image_elements()), vec![0.0_f32; shape.output_elements()]);
        let weight = values(shape.weight_elements());
        group.throughput(Throughput::Elements((out.len() * weight.len() / shape.out_channels) as u64));
        levels(&mut group, name, |isa| {
            let mut scratch = vec![0.0; shape.scratch_len::<f32>(isa)];
            conv2d(isa, &shape, &x, &Filter::new(&weight), black_box(&mut out), &mut scratch);
        });
    }
    group.finish();
}

fn heads(criterion: &mut Criterion) {
    let width = 64;
    let mut group = criterion.benchmark_group("attention");
    group.throughput(Throughput::Elements((QUERIES * SIDE) as u64));
    let (x, mut out, mut log_sums) = (values(SIDE * width), vec![0.0_f32; QUERIES * width], vec![0.0_f32; QUERIES]);
    let [q, k] = [QUERIES, SIDE].map(|rows| MatRef::row_major(&x[..rows * width], rows, width));
    for (name, causal) in [("every key", false), ("causal", true)] {
        let settings = Attention { scale: 0.125, causal, mask: None };
        levels(&mut group, name, |isa| {
            let mut scratch = vec![0.0; scratch_len::<f32>(isa, [QUERIES, SIDE, width, width])];
            attention(isa, &settings, SIDE - QUERIES, [q, k, k], black_box(&mut out), &mut log_sums, &mut scratch);
        });
    }
    group.finish();
}

fn three_by_three() -> Conv2dShape {
    Conv2dShape { height: 28, width: 28, kernel: [3, 3], padding: [1, 1], ..Conv2dShape::UNIT }
}
