//! What holds for every operation alike: it is called by its row's name, gives the same bits on any number of threads, and
//! computes half precision in `f32`, rounded once. The examples are a match over the families, so a new one takes part.

use smallvec::smallvec;
use std::sync::Arc;
use trueno_tensor::core::table::{BinaryOp, CompareOp, Family, ReduceOp, TernaryOp, UnaryOp};
use trueno_tensor::core::{DType, Dims, Result, SliceItem};
use trueno_tensor::{
    AttentionConfig, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, Device, DropoutConfig, DynTensor,
    Extreme, Function, Op, Pool2dConfig, Reduction, apply, with_num_threads,
};

/// Elements that make several pieces of the cheapest operation.
const LARGE: usize = 5 << 15;
const SMALL: usize = 1 << 10;

/// Numbers in [0.5, 2) that differ by position and that every float type holds exactly or rounds alike.
fn numbers(shape: &[usize]) -> DynTensor {
    let size: usize = shape.iter().product();
    let elements: Vec<f32> = (0..size).map(|i| 0.5 + ((i * 37 + 11) % 101) as f32 * (1.5 / 101.0)).collect();
    DynTensor::from_slice(&elements, shape).unwrap()
}

/// Integers of 8 bits that differ by position.
fn bytes(shape: &[usize]) -> DynTensor {
    let size: usize = shape.iter().product();
    DynTensor::from_slice(&(0..size).map(|i| (i * 37 + 11) as i8).collect::<Vec<_>>(), shape).unwrap()
}

/// Positions below `bound`, some of them negative.
fn positions(shape: &[usize], bound: usize) -> DynTensor {
    let size: usize = shape.iter().product();
    let bound = bound as i64;
    let elements: Vec<i64> = (0..size as i64).map(|i| (i * 29 + 3) % (2 * bound) - bound).collect();
    DynTensor::from_slice(&elements, shape).unwrap()
}

#[derive(Debug)]
struct Doubled;

impl Function for Doubled {
    fn name(&self) -> &'static str {
        "doubled"
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        inputs[0].binary(BinaryOp::Add, inputs[0])
    }

    fn backward(&self, _: &[&DynTensor], _: &DynTensor, grad: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        Ok(vec![Some(self.forward(&[grad])?)])
    }
}

/// An operation of the family with operands of about `size` elements.
fn example(family: Family, size: usize) -> (Op, Vec<DynTensor>) {
    let n = size / 64;
    let x = || numbers(&[n, 64]);
    let images = || numbers(&[n / 16, 4, 16, 16]);
    let pooled = || numbers(&[n / 16, 4, 8, 8]);
    let window = Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let conv = Conv2dConfig { padding: [1, 1], groups: 2, ..Conv2dConfig::default() };
    let range = |step| SliceItem::Range { start: None, stop: None, step };
    match family {
        Family::Matmul => (Op::Matmul, vec![x(), numbers(&[64, 48])]),
        Family::Linear => (Op::Linear, vec![x(), numbers(&[48, 64]), numbers(&[48])]),
        Family::MatmulInteger => (Op::MatmulInteger, vec![bytes(&[n, 64]), bytes(&[64, 48])]),
        Family::LinearInt8 => {
            (Op::LinearInt8, vec![bytes(&[n, 64]), bytes(&[48, 64]), numbers(&[n, 1]), numbers(&[48]), numbers(&[48])])
        }
        Family::Conv2d => (Op::Conv2d(conv), vec![images(), numbers(&[4, 2, 3, 3]), numbers(&[4])]),
        Family::ConvTranspose2d => {
            let config = ConvTranspose2dConfig { stride: [2, 2], padding: [1, 1], groups: 2, ..Default::default() };
            (Op::ConvTranspose2d(config), vec![images(), numbers(&[4, 2, 3, 3]), numbers(&[4])])
        }
        Family::Conv2dInputGrad => {
            (Op::Conv2dInputGrad(conv, [n / 16, 4, 16, 16]), vec![images(), numbers(&[4, 2, 3, 3])])
        }
        Family::Conv2dWeightGrad => (Op::Conv2dWeightGrad(conv, [4, 2, 3, 3]), vec![images(), images()]),
        Family::MaxPool2d => (Op::MaxPool2d(window), vec![images()]),
        Family::AvgPool2d => (Op::AvgPool2d(window), vec![images()]),
        Family::AvgPool2dGrad => (Op::AvgPool2dGrad(window, [n / 16, 4, 16, 16]), vec![pooled()]),
        Family::AdaptiveAvgPool2d => (Op::AdaptiveAvgPool2d([5, 3]), vec![images()]),
        Family::AdaptiveAvgPool2dGrad => (Op::AdaptiveAvgPool2dGrad([n / 16, 4, 16, 16]), vec![pooled()]),
        Family::Softmax => (Op::Softmax(1), vec![x()]),
        Family::LogSoftmax => (Op::LogSoftmax(0), vec![x()]),
        Family::LogSumExp => (Op::LogSumExp { axis: 1, keep_dims: false }, vec![x()]),
        Family::ScaledDotProductAttention => {
            let heads = || numbers(&[n / 16, 16, 64]);
            let op = Op::ScaledDotProductAttention(AttentionConfig { scale: None, causal: true });
            (op, vec![heads(), heads(), heads()])
        }
        Family::LayerNorm => (Op::LayerNorm { axes: 1, eps: 1e-5 }, vec![x(), numbers(&[64]), numbers(&[64])]),
        Family::BatchNorm => (Op::BatchNorm { eps: 1e-5 }, vec![images(), numbers(&[4]), numbers(&[4])]),
        Family::GroupNorm => (Op::GroupNorm { groups: 2, eps: 1e-5 }, vec![images(), numbers(&[4]), numbers(&[4])]),
        Family::IndexSelect => (Op::IndexSelect(0), vec![x(), positions(&[n], n)]),
        Family::Gather => (Op::Gather(1), vec![x(), positions(&[n, 64], 64)]),
        Family::IndexAdd => (Op::IndexAdd { axis: 0, size: 9 }, vec![x(), positions(&[n], 9)]),
        Family::ScatterAdd => {
            (Op::ScatterAdd { axis: 1, shape: Dims::from_slice(&[n, 9]) }, vec![x(), positions(&[n, 64], 9)])
        }
        Family::Where => {
            let mask = x().compare(CompareOp::Gt, &numbers(&[1, 1])).unwrap();
            (Op::Where, vec![mask, x(), numbers(&[64])])
        }
        Family::Concat => (Op::Concat(1), vec![x(), numbers(&[n, 3])]),
        Family::Pad => (Op::Pad { widths: smallvec![[1, 0], [2, 3]], value: 0.75 }, vec![x()]),
        Family::CumSum => (Op::CumSum(1), vec![x()]),
        Family::Dropout => (Op::Dropout(DropoutConfig { p: 0.25, seed: 7, call: 1 }), vec![x()]),
        Family::CrossEntropy => {
            let labels = DynTensor::from_slice(&(0..n as i64).map(|i| i % 64).collect::<Vec<_>>(), &[n]).unwrap();
            (Op::CrossEntropy(CrossEntropyConfig { label_smoothing: 0.1, ..Default::default() }), vec![x(), labels])
        }
        Family::ArgReduce => (Op::ArgReduce { extreme: Extreme::Min, axis: 1, keep_dims: true }, vec![x()]),
        Family::Cast => (Op::Cast(DType::F64), vec![x()]),
        Family::To => (Op::To(Device::Cpu), vec![x()]),
        Family::Contiguous => (Op::Contiguous, vec![x().transpose().unwrap()]),
        Family::Permute => (Op::Permute(smallvec![1, 0]), vec![x()]),
        Family::Reshape => (Op::Reshape(Dims::from_slice(&[32, 2 * n])), vec![x().transpose().unwrap()]),
        Family::Slice => (Op::Slice(smallvec![range(-2), SliceItem::Index(-1)]), vec![x()]),
        Family::SliceScatter => {
            (Op::SliceScatter(Dims::from_slice(&[2 * n, 64]), smallvec![range(2), range(-1)]), vec![x()])
        }
        Family::Broadcast => (Op::Broadcast(Dims::from_slice(&[2, n, 64])), vec![x()]),
        Family::Sort => (Op::Sort { axis: 1, descending: false }, vec![x()]),
        Family::ArgSort => (Op::ArgSort { axis: 0, descending: true }, vec![x()]),
        Family::TopK => (Op::TopK { axis: 1, k: 5, extreme: Extreme::Max }, vec![x()]),
        Family::MaskedSelect => {
            (Op::MaskedSelect, vec![x(), x().compare(CompareOp::Gt, &x().constant(1.0).unwrap()).unwrap()])
        }
        Family::NonZero => (Op::NonZero, vec![x()]),
        Family::Unfold => (Op::Unfold { axis: 0, size: 3, step: 2 }, vec![x()]),
        Family::Flip => (Op::Flip(smallvec![0, 1]), vec![x()]),
        Family::Fused => {
            let fusion = trueno_tensor::fuse!(|a, b| (a * b + 0.5).sigmoid() - b).fusion();
            (Op::Fused(fusion), vec![x(), numbers(&[64])])
        }
        Family::Custom => (Op::Custom(Arc::new(Doubled)), vec![x()]),
    }
}

/// An operation per row of the formula tables; reductions over rows, over columns, and over all.
fn formulas(size: usize) -> Vec<(Op, Vec<DynTensor>)> {
    let x = || numbers(&[size / 64, 64]);
    let reduce = |op, axes: &[usize]| Reduction { op, axes: axes.into(), keep_dims: false, correction: 1.0 };
    let mut all = Vec::new();
    all.extend(UnaryOp::ALL.iter().map(|&row| (Op::Unary(row, [0.75, 1.25]), vec![x()])));
    all.extend(BinaryOp::ALL.iter().map(|&row| (Op::Binary(row), vec![x(), numbers(&[64])])));
    all.extend(CompareOp::ALL.iter().map(|&row| (Op::Compare(row), vec![x(), numbers(&[size / 64, 1])])));
    all.extend(TernaryOp::ALL.iter().map(|&row| (Op::Ternary(row), vec![x(), numbers(&[64]), numbers(&[])])));
    for &row in ReduceOp::ALL {
        all.extend([&[0_usize][..], &[1], &[0, 1]].map(|axes| (Op::Reduce(reduce(row, axes)), vec![x()])));
    }
    all
}

fn everything(size: usize) -> Vec<(Op, Vec<DynTensor>)> {
    Family::ALL.iter().map(|&family| example(family, size)).chain(formulas(size)).collect()
}

fn run(op: &Op, inputs: &[DynTensor]) -> DynTensor {
    apply(op, &inputs.iter().collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{op:?}: {error}"))
}

/// Every bit of the result: each type fits into `f64`.
fn bits(x: &DynTensor) -> Vec<u64> {
    let wide = x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
    wide.into_iter().map(f64::to_bits).collect()
}

#[test]
fn a_family_knows_its_operation_and_the_operation_its_family() {
    for &family in Family::ALL {
        let (op, _) = example(family, SMALL);
        assert_eq!(op.family(), Some(family));
        let own = match family {
            Family::Custom => Some("doubled"),
            Family::ArgReduce => Some("argmin"),
            _ => None,
        };
        assert_eq!(op.name(), own.unwrap_or(family.name()));
    }
}

#[test]
fn an_operation_of_a_formula_has_the_name_of_its_row_and_no_family() {
    let rows = formulas(SMALL);
    assert!(rows.iter().all(|(op, _)| op.family().is_none()));
    let names: Vec<&str> = rows.iter().map(|(op, _)| op.name()).collect();
    let unary = UnaryOp::ALL.iter().map(|row| row.name());
    let binary = BinaryOp::ALL.iter().map(|row| row.name()).chain(CompareOp::ALL.iter().map(|row| row.name()));
    let reductions = ReduceOp::ALL.iter().flat_map(|row| [row.name(); 3]);
    let ternary = TernaryOp::ALL.iter().map(|row| row.name());
    assert_eq!(names, unary.chain(binary).chain(ternary).chain(reductions).collect::<Vec<_>>());
}

#[test]
fn no_operation_gives_another_bit_on_another_number_of_threads() {
    for (op, inputs) in everything(LARGE) {
        let on = |threads| with_num_threads(threads, || bits(&run(&op, &inputs)));
        let one = on(1);
        assert!(!one.is_empty(), "{op:?}");
        assert!(one == on(2) && one == on(5), "{op:?}");
    }
}

#[test]
fn half_precision_is_computed_in_f32_and_rounded_once() {
    for half in [DType::F16, DType::BF16] {
        for (op, inputs) in everything(SMALL) {
            let cast = |x: &DynTensor, to| if x.dtype().is_float() { x.cast(to).unwrap() } else { x.clone() };
            let narrow: Vec<DynTensor> = inputs.iter().map(|x| cast(x, half)).collect();
            let wide: Vec<DynTensor> = narrow.iter().map(|x| cast(x, DType::F32)).collect();
            let (got, want) = (run(&op, &narrow), run(&op, &wide));
            let want = if want.dtype() == DType::F32 { want.cast(half).unwrap() } else { want };
            assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{op:?}");
            assert_eq!(bits(&got), bits(&want), "{op:?} of {half}");
        }
    }
}

#[test]
fn two_float_types_do_not_meet_in_one_operation() {
    for (op, inputs) in everything(SMALL) {
        let floats = inputs.iter().filter(|x| x.dtype().is_float()).count();
        if floats < 2 {
            continue;
        }
        for [first, rest] in [[DType::F32, DType::F64], [DType::F16, DType::F32], [DType::F16, DType::BF16]] {
            let mut to = Some(first);
            let mixed: Vec<DynTensor> = inputs
                .iter()
                .map(|x| if x.dtype().is_float() { x.cast(to.take().unwrap_or(rest)).unwrap() } else { x.clone() })
                .collect();
            let error = apply(&op, &mixed.iter().collect::<Vec<_>>()).expect_err("two float types");
            assert!(error.to_string().contains("cast"), "{op:?} of {first} and {rest}: {error}");
        }
    }
}

/// The GPU that `TRUENO_DEVICE` names, which must be there, or the best; nothing if there is none.
#[cfg(feature = "gpu")]
fn gpu() -> Option<Device> {
    if std::env::var_os(Device::VARIABLE).is_some() {
        return Some(Device::from_env().unwrap()).filter(|device| *device != Device::Cpu);
    }
    Device::gpu(0).inspect_err(|error| println!("nothing is compared: {error}")).ok()
}

/// As far apart as the row allows, or a rounding to the type of the result.
#[cfg(feature = "gpu")]
fn assert_agrees(op: &Op, got: &DynTensor, want: &DynTensor) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{op:?}");
    let wide = |x: &DynTensor| {
        let on_host = x.to(&Device::Cpu).unwrap();
        on_host.cast(DType::F64).unwrap().to_vec::<f64>().unwrap()
    };
    let rounding = match want.dtype() {
        DType::F16 => 1.0 / 1024.0,
        DType::BF16 => 1.0 / 128.0,
        _ => 0.0,
    };
    // A fused formula changes no bit of its steps, which are as near as their own rows say.
    let steps = if matches!(op, Op::Fused(_)) { UnaryOp::Sigmoid.info().tolerance[0] } else { 0.0 };
    let tolerance = op.row().info().tolerance[0].max(rounding).max(steps);
    for (i, (got, want)) in wide(got).into_iter().zip(wide(want)).enumerate() {
        let near =
            got == want || (got - want).abs() <= tolerance * want.abs().max(1.0) || (got.is_nan() && want.is_nan());
        assert!(near, "{op:?} {:?}: element {i} is {got:e}, not {want:e}", op.row().info().name);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_agrees_with_the_processor() {
    let Some(device) = gpu() else { return };
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        for (op, inputs) in everything(SMALL) {
            // 64-bit floats are for adapters that have them.
            if matches!(op, Op::Cast(DType::F64)) {
                continue;
            }
            let cast = |x: &DynTensor| if x.dtype().is_float() { x.cast(dtype).unwrap() } else { x.clone() };
            let inputs: Vec<DynTensor> = inputs.iter().map(cast).collect();
            let there: Vec<DynTensor> = inputs.iter().map(|x| x.to(&device).unwrap()).collect();
            let got = run(&op, &there);
            let target = if let Op::To(target) = &op { target.clone() } else { device.clone() };
            assert_eq!(got.device(), target, "{op:?}");
            assert_agrees(&op, &got, &run(&op, &inputs));
        }
    }
}
