//! Operations beside the ones that the other groups time, of more types and layouts. Their shapes are those of `wide.py`.

use trueno_core::DType;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_tensor::{AttentionConfig, CrossEntropyConfig, DynTensor, Extreme, Pool2dConfig};

use super::{Row, Work, operand, work};

/// Rows and columns of a matrix, and its elements.
const SIDE: usize = 1024;
const MANY: usize = SIDE * SIDE;

pub(super) const ROWS: &[Row] = &[
    ("sqrt 1M", || unary(UnaryOp::Sqrt, DType::F32)),
    ("abs 1M", || unary(UnaryOp::Abs, DType::F32)),
    ("round 1M", || unary(UnaryOp::Round, DType::F32)),
    ("relu 1M", || unary(UnaryOp::Relu, DType::F32)),
    ("silu 1M", || unary(UnaryOp::Silu, DType::F32)),
    ("erf 1M", || unary(UnaryOp::Erf, DType::F32)),
    ("log1p 1M", || unary(UnaryOp::Log1p, DType::F32)),
    ("expm1 1M", || unary(UnaryOp::Expm1, DType::F32)),
    ("atan 1M", || unary(UnaryOp::Atan, DType::F32)),
    ("tan 1M", || unary(UnaryOp::Tan, DType::F32)),
    ("cosh 1M", || unary(UnaryOp::Cosh, DType::F32)),
    ("pow 1M", || binary(BinaryOp::Pow, DType::F32)),
    ("atan2 1M", || binary(BinaryOp::Atan2, DType::F32)),
    ("hypot 1M", || binary(BinaryOp::Hypot, DType::F32)),
    ("div 1M", || binary(BinaryOp::Div, DType::F32)),
    ("maximum 1M", || binary(BinaryOp::Maximum, DType::F32)),
    ("add 1M f64", || binary(BinaryOp::Add, DType::F64)),
    ("exp 1M f64", || unary(UnaryOp::Exp, DType::F64)),
    ("log 1M f64", || unary(UnaryOp::Ln, DType::F64)),
    ("sin 1M f64", || unary(UnaryOp::Sin, DType::F64)),
    ("tanh 1M f64", || unary(UnaryOp::Tanh, DType::F64)),
    ("pow 1M f64", || binary(BinaryOp::Pow, DType::F64)),
    ("add 1M i64", || binary(BinaryOp::Add, DType::I64)),
    ("mul 1M i64", || binary(BinaryOp::Mul, DType::I64)),
    ("add 1M i32", || binary(BinaryOp::Add, DType::I32)),
    ("add 1M bf16", || binary(BinaryOp::Add, DType::BF16)),
    ("mul 1M f16", || binary(BinaryOp::Mul, DType::F16)),
    ("exp 1M bf16", || unary(UnaryOp::Exp, DType::BF16)),
    ("gt 1M", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || a.compare(CompareOp::Gt, &b))
    }),
    ("add scalar 1M", || {
        let a = of(DType::F32, 1);
        work(move || a.binary_scalar(BinaryOp::Add, 1.5))
    }),
    ("cast 1M f32 to f64", || cast(DType::F32, DType::F64)),
    ("cast 1M f32 to f16", || cast(DType::F32, DType::F16)),
    ("cast 1M f16 to f32", || cast(DType::F16, DType::F32)),
    ("cast 1M f32 to bf16", || cast(DType::F32, DType::BF16)),
    ("cast 1M f32 to i64", || cast(DType::F32, DType::I64)),
    ("cast 1M i64 to f32", || cast(DType::I64, DType::F32)),
    ("mean 0", || reduce(ReduceOp::Mean, DType::F32, &[0])),
    ("mean 1", || reduce(ReduceOp::Mean, DType::F32, &[1])),
    ("std 0", || reduce(ReduceOp::Std, DType::F32, &[0])),
    ("std 1", || reduce(ReduceOp::Std, DType::F32, &[1])),
    ("prod all", || reduce(ReduceOp::Prod, DType::F32, &[0, 1])),
    ("min 0", || reduce(ReduceOp::Min, DType::F32, &[0])),
    ("norm all", || reduce(ReduceOp::NormL2, DType::F32, &[0, 1])),
    ("sum all f64", || reduce(ReduceOp::Sum, DType::F64, &[0, 1])),
    ("sum all i64", || reduce(ReduceOp::Sum, DType::I64, &[0, 1])),
    ("sum 0 i64", || reduce(ReduceOp::Sum, DType::I64, &[0])),
    ("max all i64", || reduce(ReduceOp::Max, DType::I64, &[0, 1])),
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
    ("argmax 0", || {
        let x = of(DType::F32, 1);
        work(move || x.arg_reduce(Extreme::Max, 0, false))
    }),
    ("argmax 1", || {
        let x = of(DType::F32, 1);
        work(move || x.arg_reduce(Extreme::Max, 1, false))
    }),
    ("logsumexp 1", || {
        let x = of(DType::F32, 1);
        work(move || x.logsumexp(1, false))
    }),
    ("log_softmax 1", || {
        let x = of(DType::F32, 1);
        work(move || x.log_softmax(1))
    }),
    ("softmax 0", || {
        let x = of(DType::F32, 1);
        work(move || x.softmax(0))
    }),
    ("cumsum 0", || {
        let x = of(DType::F32, 1);
        work(move || x.cumsum(0))
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
    ("sort 1e5 f64", || {
        let x = operand(&[100_000], 1).cast(DType::F64).unwrap();
        work(move || x.sort(0, false))
    }),
    ("sort 1", || {
        let x = of(DType::F32, 1);
        work(move || x.sort(1, false))
    }),
    ("sort 0", || {
        let x = of(DType::F32, 1);
        work(move || x.sort(0, false))
    }),
    ("topk 10 of 1e5", || {
        let x = operand(&[100_000], 1);
        work(move || x.topk(10, 0, Extreme::Max).map(|(values, _)| values))
    }),
    ("topk 10 of 1", || {
        let x = of(DType::F32, 1);
        work(move || x.topk(10, 1, Extreme::Max).map(|(values, _)| values))
    }),
    ("flip 1", || {
        let x = of(DType::F32, 1);
        work(move || x.flip(&[1])?.contiguous())
    }),
    ("roll 1", || {
        let x = of(DType::F32, 1);
        work(move || x.roll(17, 1))
    }),
    ("tile 2 2", || {
        let x = of(DType::F32, 1);
        work(move || x.tile(&[2, 2]))
    }),
    ("repeat 2 1", || {
        let x = of(DType::F32, 1);
        work(move || x.repeat(2, 1))
    }),
    ("pad 1", || {
        let x = of(DType::F32, 1);
        work(move || x.pad(&[[1, 1], [1, 1]], 0.0))
    }),
    ("stack 1", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || DynTensor::stack(&[&a, &b], 1))
    }),
    ("stack last", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || DynTensor::stack(&[&a, &b], 2))
    }),
    ("concat 1", || {
        let (a, b) = (of(DType::F32, 1), of(DType::F32, 2));
        work(move || DynTensor::concat(&[&a, &b], 1))
    }),
    ("permute 0 2 1 copy", || {
        let x = operand(&[64, 128, 128], 1);
        work(move || x.permute(&[0, 2, 1])?.contiguous())
    }),
    ("permute 2 0 1 copy", || {
        let x = operand(&[64, 128, 128], 1);
        work(move || x.permute(&[2, 0, 1])?.contiguous())
    }),
    ("permute 1 0 2 copy", || {
        let x = operand(&[64, 128, 128], 1);
        work(move || x.permute(&[1, 0, 2])?.contiguous())
    }),
    ("permute 0 2 1 3 copy", || {
        let x = operand(&[8, 128, 16, 64], 1);
        work(move || x.permute(&[0, 2, 1, 3])?.contiguous())
    }),
    ("transpose copy f64", || {
        let x = of(DType::F64, 1);
        work(move || x.transpose()?.contiguous())
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
    ("diff", || {
        let x = of(DType::F32, 1);
        work(move || x.diff(1))
    }),
    ("matmul 256 bf16", || product(256, DType::BF16)),
    ("matmul 1024 bf16", || product(1024, DType::BF16)),
    ("matmul 1024 f16", || product(1024, DType::F16)),
    ("matmul 256 f64", || product(256, DType::F64)),
    ("matmul 256 i64", || product(256, DType::I64)),
    ("matmul 256 i32", || product(256, DType::I32)),
    ("matmul 16", || product(16, DType::F32)),
    ("matmul 100", || product(100, DType::F32)),
    ("matmul 500", || product(500, DType::F32)),
    ("matmul vector by 1024", || {
        let (x, y) = (operand(&[SIDE], 1), operand(&[SIDE, SIDE], 2));
        work(move || x.matmul(&y))
    }),
    ("matmul 1024x16 by 16x1024", || {
        let (x, y) = (operand(&[SIDE, 16], 1), operand(&[16, SIDE], 2));
        work(move || x.matmul(&y))
    }),
    ("matmul 16x1024 by 1024x16", || {
        let (x, y) = (operand(&[16, SIDE], 1), operand(&[SIDE, 16], 2));
        work(move || x.matmul(&y))
    }),
    ("matmul 1000 of 8x8", || {
        let (x, y) = (operand(&[1000, 8, 8], 1), operand(&[1000, 8, 8], 2));
        work(move || x.matmul(&y))
    }),
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
    ("batch_norm 8x64x56x56 evaluated", || {
        let x = operand(&[8, 64, 56, 56], 1);
        let [weight, bias, mean] = [2, 3, 4].map(|seed| operand(&[64], seed));
        let var = mean.unary(UnaryOp::Abs, [0.0; 2]).unwrap();
        work(move || x.batch_norm(&weight, &bias, Some((&mean, &var)), 1e-5))
    }),
    ("batch_norm 8x64x56x56 trained", || {
        let x = operand(&[8, 64, 56, 56], 1);
        let [weight, bias] = [2, 3].map(|seed| operand(&[64], seed));
        work(move || x.batch_norm(&weight, &bias, None, 1e-5))
    }),
    ("to_vec 1M", || {
        let x = of(DType::F32, 1);
        Box::new(move || {
            std::hint::black_box(x.to_vec::<f32>().unwrap());
        })
    }),
];

fn of(dtype: DType, seed: u32) -> DynTensor {
    let x = operand(&[SIDE, SIDE], seed);
    let x = if matches!(dtype, DType::I64 | DType::I32) { x.binary_scalar(BinaryOp::Mul, 500.0).unwrap() } else { x };
    x.cast(dtype).unwrap()
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
