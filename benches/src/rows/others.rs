//! Operations beside those of the other groups, of more types and layouts. Their shapes are those of `others.py`.

use trueno_core::DType;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_tensor::{AttentionConfig, CrossEntropyConfig, DynTensor, Extreme, Pool2dConfig};

use super::{Row, Work, operand, work};

/// Rows and columns of a matrix, and its elements.
const SIDE: usize = 1024;
const MANY: usize = SIDE * SIDE;

pub(super) const ROWS: [Row; 53] = [
    ("sqrt 1M", || unary(UnaryOp::Sqrt, DType::F32)),
    ("silu 1M", || unary(UnaryOp::Silu, DType::F32)),
    ("erf 1M", || unary(UnaryOp::Erf, DType::F32)),
    ("pow 1M", || binary(BinaryOp::Pow, DType::F32)),
    ("atan2 1M", || binary(BinaryOp::Atan2, DType::F32)),
    ("div 1M", || binary(BinaryOp::Div, DType::F32)),
    ("add 1M f64", || binary(BinaryOp::Add, DType::F64)),
    ("exp 1M f64", || unary(UnaryOp::Exp, DType::F64)),
    ("sin 1M f64", || unary(UnaryOp::Sin, DType::F64)),
    ("add 1M i64", || binary(BinaryOp::Add, DType::I64)),
    ("mul 1M i64", || binary(BinaryOp::Mul, DType::I64)),
    ("add 1M bf16", || binary(BinaryOp::Add, DType::BF16)),
    ("exp 1M bf16", || unary(UnaryOp::Exp, DType::BF16)),
    ("gt 1M", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || a.compare(CompareOp::Gt, &b))
    }),
    ("cast 1M f32 to bf16", || cast(DType::F32, DType::BF16)),
    ("cast 1M f32 to i64", || cast(DType::F32, DType::I64)),
    ("mean 0", || reduce(ReduceOp::Mean, DType::F32, &[0])),
    ("std 1", || reduce(ReduceOp::Std, DType::F32, &[1])),
    ("sum all i64", || reduce(ReduceOp::Sum, DType::I64, &[0, 1])),
    ("sum all bf16", || reduce(ReduceOp::Sum, DType::BF16, &[0, 1])),
    ("any", || {
        let x = of(DType::F32, 1);
        let zero = x.constant(9.0).unwrap();
        let x = x.compare(CompareOp::Gt, &zero).unwrap();
        work(move || x.reduce(ReduceOp::Any, &[0, 1], false, 0.0))
    }),
    ("sum 0 2 of three", || {
        let x = operand(&[64, 128, 128], 1);
        work(move || x.reduce(ReduceOp::Sum, &[0, 2], false, 0.0))
    }),
    ("sum of transposed", || {
        let x = of(DType::F32, 1).transpose().unwrap();
        work(move || x.reduce(ReduceOp::Sum, &[0, 1], false, 0.0))
    }),
    ("argmax 1", || {
        let x = of(DType::F32, 1);
        work(move || x.arg_reduce(Extreme::Max, 1, false))
    }),
    ("logsumexp 1", || {
        let x = of(DType::F32, 1);
        work(move || x.logsumexp(1, false))
    }),
    ("softmax 0", || {
        let x = of(DType::F32, 1);
        work(move || x.softmax(0))
    }),
    ("cumsum 1", || {
        let x = of(DType::F32, 1);
        work(move || x.cumsum(1))
    }),
    ("argsort 1e5", || {
        let x = operand(&[100_000], 1);
        work(move || x.argsort(0, false))
    }),
    ("sort 1e5 i64", || {
        let x = operand(&[100_000], 1).binary_scalar(BinaryOp::Mul, 1e6).unwrap().cast(DType::I64).unwrap();
        work(move || x.sort(0, false))
    }),
    ("sort 1", || {
        let x = of(DType::F32, 1);
        work(move || x.sort(1, false))
    }),
    ("topk 10 of 1", || {
        let x = of(DType::F32, 1);
        work(move || x.topk(10, 1, Extreme::Max).map(|(values, _)| values))
    }),
    ("flip 1", || {
        let x = of(DType::F32, 1);
        work(move || x.flip(&[1])?.contiguous())
    }),
    ("repeat 2 1", || {
        let x = of(DType::F32, 1);
        work(move || x.repeat(2, 1))
    }),
    ("pad 1", || {
        let x = of(DType::F32, 1);
        work(move || x.pad(&[[1, 1], [1, 1]], 0.0))
    }),
    ("stack last", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || DynTensor::stack(&[&a, &b], 2))
    }),
    ("permute 0 2 1 3 copy", || {
        let x = operand(&[8, 128, 16, 64], 1);
        work(move || x.permute(&[0, 2, 1, 3])?.contiguous())
    }),
    ("gather 1", || {
        let x = of(DType::F32, 1);
        let index: Vec<i64> = (0..MANY).map(|i| (i * 1_237 % SIDE) as i64).collect();
        let index = DynTensor::from_slice(&index, &[SIDE, SIDE]).unwrap();
        work(move || x.gather(1, &index))
    }),
    ("embedding 4096 of 30000x256", || {
        let x = operand(&[30_000, 256], 1);
        let index: Vec<i64> = (0..4096).map(|i| (i * 12_347 % 30_000) as i64).collect();
        let index = DynTensor::from_slice(&index, &[4096]).unwrap();
        work(move || x.embedding(&index))
    }),
    ("nonzero", || {
        let x = of(DType::F32, 1);
        let zero = x.constant(0.0).unwrap();
        let x = x.compare(CompareOp::Gt, &zero).unwrap();
        work(move || x.nonzero())
    }),
    ("triu", || {
        let x = of(DType::F32, 1);
        work(move || x.triu(0))
    }),
    ("matmul 256 bf16", || product(256, DType::BF16)),
    ("matmul 256 i64", || product(256, DType::I64)),
    ("matmul 100", || product(100, DType::F32)),
    ("matmul 1000 of 8x8", || small([1000, 8, 8], [1000, 8, 8])),
    ("matmul 1000 of 4x4", || small([1000, 4, 4], [1000, 4, 4])),
    ("matmul 1000 of 8x8 turned", || {
        let (x, y) = (operand(&[1000, 8, 8], 1), operand(&[1000, 8, 8], 2).permute(&[0, 2, 1]).unwrap());
        work(move || x.matmul(&y))
    }),
    ("matmul 1000 of 8x8 and 8x1", || small([1000, 8, 8], [1000, 8, 1])),
    ("matmul 500 of 32x32", || small([500, 32, 32], [500, 32, 32])),
    ("attention 8x8x256x64", || attention(false)),
    ("attention 8x8x256x64 causal", || attention(true)),
    ("avg_pool2d 8x64x112x112 2x2", || {
        let x = operand(&[8, 64, 112, 112], 1);
        let config = Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        work(move || x.avg_pool2d(config))
    }),
    ("cross_entropy 1024x1000", || {
        let x = operand(&[1024, 1000], 1);
        let labels: Vec<i64> = (0..1024).map(|i| (i * 37 % 1000) as i64).collect();
        let labels = DynTensor::from_slice(&labels, &[1024]).unwrap();
        work(move || x.cross_entropy(&labels, CrossEntropyConfig::default()))
    }),
    ("batch_norm 8x64x56x56 trained", || {
        let x = operand(&[8, 64, 56, 56], 1);
        let [weight, bias] = [2, 3].map(|seed| operand(&[64], seed));
        work(move || x.batch_norm(&weight, &bias, None, 1e-5))
    }),
];

fn of(dtype: DType, seed: u32) -> DynTensor {
    let x = operand(&[SIDE, SIDE], seed);
    let x = if matches!(dtype, DType::I64 | DType::I32) { x.binary_scalar(BinaryOp::Mul, 500.0).unwrap() } else { x };
    x.cast(dtype).unwrap()
}

fn small(left: [usize; 3], right: [usize; 3]) -> Work {
    let (x, y) = (operand(&left, 1), operand(&right, 2));
    work(move || x.matmul(&y))
}

fn unary(op: UnaryOp, dtype: DType) -> Work {
    let x = of(dtype, 1);
    let x = if matches!(op, UnaryOp::Ln | UnaryOp::Sqrt | UnaryOp::Log1p) {
        x.unary(UnaryOp::Abs, [0.0; 2]).unwrap()
    } else {
        x
    };
    work(move || x.unary(op, [0.0; 2]))
}

fn binary(op: BinaryOp, dtype: DType) -> Work {
    let (a, b) = (of(dtype, 1), of(dtype, 2));
    let a = if op == BinaryOp::Pow { a.unary(UnaryOp::Abs, [0.0; 2]).unwrap() } else { a };
    work(move || a.binary(op, &b))
}

fn cast(from: DType, to: DType) -> Work {
    let x = of(from, 1);
    work(move || x.cast(to))
}

fn reduce(op: ReduceOp, dtype: DType, axes: &'static [isize]) -> Work {
    let x = of(dtype, 1);
    work(move || x.reduce(op, axes, false, 0.0))
}

fn product(side: usize, dtype: DType) -> Work {
    let [a, b] = [1, 2].map(|seed| {
        let x = operand(&[side, side], seed);
        let x =
            if matches!(dtype, DType::I64 | DType::I32) { x.binary_scalar(BinaryOp::Mul, 500.0).unwrap() } else { x };
        x.cast(dtype).unwrap()
    });
    work(move || a.matmul(&b))
}

fn attention(causal: bool) -> Work {
    let [q, k, v] = [1, 2, 3].map(|seed| operand(&[8, 8, 256, 64], seed));
    let config = AttentionConfig { causal, ..Default::default() };
    work(move || q.scaled_dot_product_attention(&k, &v, None, config))
}
