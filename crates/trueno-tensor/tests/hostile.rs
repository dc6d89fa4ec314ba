//! The public door takes any operation with any operands: it gives a result or an error, and never panics.

use proptest::prelude::*;
use proptest::sample::select;
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Error, SliceItem};
use trueno_tensor::{
    AttentionConfig, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, Device, DropoutConfig, DynTensor,
    Extreme, Op, Pool2dConfig, Reduction, apply, apply_in_place, apply_owned,
};

/// Sizes that are ordinary, nothing, or beyond every memory; none that a machine might begin to fill.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 0_usize..6, 1 => select(vec![usize::MAX, usize::MAX / 2, isize::MAX as usize, 1 << 61])]
}

fn signed() -> impl Strategy<Value = isize> {
    prop_oneof![12 => -5_isize..6, 1 => select(vec![isize::MIN, isize::MAX, isize::MIN + 1])]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -2.0..2.0, 1 => select(vec![0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300])]
}

fn sizes<const N: usize>() -> impl Strategy<Value = [usize; N]> {
    proptest::collection::vec(size(), N).prop_map(|sizes| sizes.try_into().unwrap())
}

fn axes() -> impl Strategy<Value = SmallVec<[usize; 6]>> {
    proptest::collection::vec(size(), 0..4).prop_map(SmallVec::from_vec)
}

fn dims() -> impl Strategy<Value = Dims> {
    proptest::collection::vec(size(), 0..5).prop_map(Dims::from_vec)
}

fn items() -> impl Strategy<Value = SmallVec<[SliceItem; 6]>> {
    let bound = || proptest::option::of(signed());
    let range = (bound(), bound(), signed()).prop_map(|(start, stop, step)| SliceItem::Range { start, stop, step });
    let item = prop_oneof![
        2 => signed().prop_map(SliceItem::Index),
        4 => range,
        1 => Just(SliceItem::NewAxis),
        1 => Just(SliceItem::Ellipsis),
    ];
    proptest::collection::vec(item, 0..4).prop_map(SmallVec::from_vec)
}

fn convolution() -> impl Strategy<Value = Conv2dConfig> {
    (sizes(), sizes(), sizes(), size()).prop_map(|(stride, padding, dilation, groups)| Conv2dConfig {
        stride,
        padding,
        dilation,
        groups,
    })
}

fn pooling() -> impl Strategy<Value = Pool2dConfig> {
    (sizes(), sizes(), sizes()).prop_map(|(kernel, stride, padding)| Pool2dConfig { kernel, stride, padding })
}

fn formula() -> impl Strategy<Value = Op> {
    let reduction = (select(ReduceOp::ALL), axes(), any::<bool>(), number());
    prop_oneof![
        (select(UnaryOp::ALL), number(), number()).prop_map(|(row, a, b)| Op::Unary(row, [a, b])),
        select(BinaryOp::ALL).prop_map(Op::Binary),
        select(CompareOp::ALL).prop_map(Op::Compare),
        select(TernaryOp::ALL).prop_map(Op::Ternary),
        reduction.prop_map(|(op, axes, keep_dims, correction)| Op::Reduce(Reduction {
            op,
            axes,
            keep_dims,
            correction
        })),
        (any::<bool>(), size(), any::<bool>()).prop_map(|(max, axis, keep_dims)| Op::ArgReduce {
            extreme: if max { Extreme::Max } else { Extreme::Min },
            axis,
            keep_dims
        }),
        Just(Op::Where),
    ]
}

fn network() -> impl Strategy<Value = Op> {
    let entropy =
        (any::<bool>(), proptest::option::of(-2_i64..5), number()).prop_map(|(mean, ignore_index, smoothing)| {
            Op::CrossEntropy(CrossEntropyConfig { mean, ignore_index, label_smoothing: smoothing })
        });
    prop_oneof![
        Just(Op::Matmul),
        Just(Op::Linear),
        Just(Op::MatmulInteger),
        Just(Op::LinearInt8),
        convolution().prop_map(Op::Conv2d),
        (convolution(), sizes()).prop_map(|(Conv2dConfig { stride, padding, dilation, groups }, output_padding)| {
            Op::ConvTranspose2d(ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups })
        }),
        (convolution(), sizes()).prop_map(|(config, shape)| Op::Conv2dInputGrad(config, shape)),
        (convolution(), sizes()).prop_map(|(config, shape)| Op::Conv2dWeightGrad(config, shape)),
        pooling().prop_map(Op::MaxPool2d),
        pooling().prop_map(Op::AvgPool2d),
        (pooling(), sizes()).prop_map(|(config, shape)| Op::AvgPool2dGrad(config, shape)),
        sizes().prop_map(Op::AdaptiveAvgPool2d),
        sizes().prop_map(Op::AdaptiveAvgPool2dGrad),
        size().prop_map(Op::Softmax),
        size().prop_map(Op::LogSoftmax),
        (size(), any::<bool>()).prop_map(|(axis, keep_dims)| Op::LogSumExp { axis, keep_dims }),
        (proptest::option::of(number()), any::<bool>())
            .prop_map(|(scale, causal)| Op::ScaledDotProductAttention(AttentionConfig { scale, causal })),
        (size(), number()).prop_map(|(axes, eps)| Op::LayerNorm { axes, eps }),
        number().prop_map(|eps| Op::BatchNorm { eps }),
        (size(), number()).prop_map(|(groups, eps)| Op::GroupNorm { groups, eps }),
        (number(), any::<u64>()).prop_map(|(p, seed)| Op::Dropout(DropoutConfig { p, seed, call: seed })),
        entropy,
    ]
}

fn movement() -> impl Strategy<Value = Op> {
    let widths = proptest::collection::vec(sizes(), 0..4).prop_map(SmallVec::from_vec);
    prop_oneof![
        size().prop_map(Op::IndexSelect),
        size().prop_map(Op::Gather),
        (size(), size()).prop_map(|(axis, size)| Op::IndexAdd { axis, size }),
        (size(), dims()).prop_map(|(axis, shape)| Op::ScatterAdd { axis, shape }),
        size().prop_map(Op::Concat),
        (widths, number()).prop_map(|(widths, value)| Op::Pad { widths, value }),
        size().prop_map(Op::CumSum),
        select(DType::ALL.to_vec()).prop_map(Op::Cast),
        Just(Op::To(Device::Cpu)),
        Just(Op::Contiguous),
        axes().prop_map(Op::Permute),
        dims().prop_map(Op::Reshape),
        items().prop_map(Op::Slice),
        (dims(), items()).prop_map(|(shape, items)| Op::SliceScatter(shape, items)),
        dims().prop_map(Op::Broadcast),
        axes().prop_map(Op::Flip),
        order(),
    ]
}

fn order() -> impl Strategy<Value = Op> {
    let extreme = |max| if max { Extreme::Max } else { Extreme::Min };
    prop_oneof![
        (size(), any::<bool>()).prop_map(|(axis, descending)| Op::Sort { axis, descending }),
        (size(), any::<bool>()).prop_map(|(axis, descending)| Op::ArgSort { axis, descending }),
        (size(), size(), any::<bool>()).prop_map(move |(axis, k, max)| Op::TopK { axis, k, extreme: extreme(max) }),
        Just(Op::MaskedSelect),
        Just(Op::NonZero),
        (size(), size(), size()).prop_map(|(axis, size, step)| Op::Unfold { axis, size, step }),
    ]
}

/// Small numbers of any type, in memory of any order.
fn operand() -> impl Strategy<Value = DynTensor> {
    let dtypes =
        vec![DType::F32, DType::F32, DType::F64, DType::I64, DType::I64, DType::Bool, DType::F16, DType::U8, DType::I8];
    let shape = proptest::collection::vec(0_usize..5, 0..5);
    (shape, select(dtypes), any::<bool>(), -3_i64..3).prop_map(|(shape, dtype, transposed, first)| {
        let count: usize = shape.iter().product();
        let elements: Vec<i64> = (0..count as i64).map(|i| (i * 7 + first) % 5 - 1).collect();
        let x = DynTensor::from_slice(&elements, &shape).unwrap().cast(dtype).unwrap();
        if transposed { x.transpose().unwrap() } else { x }
    })
}

/// Operands that have nothing to do with each other, or of one shape and type.
fn operands() -> impl Strategy<Value = Vec<DynTensor>> {
    let alike = (operand(), 0_usize..6).prop_map(|(x, count)| vec![x; count]);
    prop_oneof![proptest::collection::vec(operand(), 0..4), alike]
}

fn no_panic<T>(what: &str, op: &Op, inputs: &[DynTensor], work: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    let shapes: Vec<_> = inputs.iter().map(|x| (x.dtype(), x.shape())).collect();
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| TestCaseError::fail(format!("{what} {op:?} of {shapes:?}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_operation_of_any_operands_is_a_result_or_an_error(
        op in prop_oneof![formula(), network(), movement()],
        inputs in operands(),
    ) {
        let all: Vec<&DynTensor> = inputs.iter().collect();
        if let Err(error) = no_panic("apply", &op, &inputs, || apply(&op, &all))? {
            prop_assert!(error.to_string().starts_with(op.name()), "{error}: should name {}", op.name());
        }
        let Some((first, rest)) = all.split_first() else { return Ok(()) };
        let _ = no_panic("apply_owned", &op, &inputs, || apply_owned(&op, (*first).clone(), rest))?;
        let mut target = (*first).clone();
        let _ = no_panic("apply_in_place", &op, &inputs, || apply_in_place(&op, &mut target, rest))?;
    }
}

#[test]
fn operands_are_counted() {
    let x = DynTensor::scalar(1.0_f32).unwrap();
    let error = apply(&Op::Binary(BinaryOp::Add), &[&x]).unwrap_err();
    assert_eq!(error.to_string(), "add: 1 operands; it takes 2");
    let error = apply(&Op::Concat(0), &[]).unwrap_err();
    assert_eq!(error.to_string(), "concat: 0 operands; it takes at least 1");
    let error = apply(&Op::Softmax(3), &[&x]).unwrap_err();
    assert_eq!(error, Error::Axis { op: "softmax", axis: 3, rank: 0 });
}
