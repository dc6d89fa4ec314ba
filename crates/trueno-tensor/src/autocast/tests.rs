use super::*;
use crate::{
    AttentionConfig, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, DynTensor, Op, Pool2dConfig, Recorder,
    Rng, Saved, Tensor, apply,
};
use smallvec::smallvec;
use std::any::Any;
use std::sync::Arc;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};

const HALVES: [DType; 2] = [DType::F16, DType::BF16];

fn random<const N: usize>(shape: [usize; N], seed: u64) -> DynTensor {
    Rng::seed(seed).uniform::<f32, N>(shape, 0.2, 1.5).into_dyn()
}

fn round(x: &DynTensor, half: DType) -> DynTensor {
    x.cast(half).unwrap().cast(DType::F32).unwrap()
}

/// A narrow value.
fn narrow<const N: usize>(shape: [usize; N], half: DType, seed: u64) -> DynTensor {
    random(shape, seed).cast(half).unwrap().into_narrow()
}

fn bits(x: &DynTensor) -> Vec<u32> {
    x.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Operations with operands that fit, of each class; the first operand has four axes.
fn examples() -> Vec<(Op, Vec<DynTensor>)> {
    let x = || random([2, 4, 6, 6], 1);
    let window = Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let channels = |seed| random([4], seed);
    let labels = DynTensor::from_slice(&[1_i64, 0, 3], &[3]).unwrap();
    let mask = DynTensor::from_slice(&[true, false, true, true, false, true], &[6]).unwrap();
    let reduce = |op| crate::Reduction { op, axes: smallvec![1, 3], keep_dims: false, correction: 0.0 };
    vec![
        (Op::Matmul, vec![x(), random([6, 5], 2)]),
        (Op::Linear, vec![x(), random([5, 6], 2), random([5], 3)]),
        (Op::Conv2d(Conv2dConfig::default()), vec![x(), random([3, 4, 3, 3], 2), random([3], 3)]),
        (Op::ConvTranspose2d(ConvTranspose2dConfig::default()), vec![x(), random([4, 3, 3, 3], 2)]),
        (
            Op::ScaledDotProductAttention(AttentionConfig::default()),
            vec![x(), random([2, 4, 5, 6], 2), random([2, 4, 5, 6], 3)],
        ),
        (Op::Unary(UnaryOp::Relu, [0.0; 2]), vec![x()]),
        (Op::Unary(UnaryOp::Exp, [0.0; 2]), vec![x()]),
        (Op::Unary(UnaryOp::Powf, [2.5, 0.0]), vec![x()]),
        (Op::Binary(BinaryOp::Add), vec![x(), random([2, 4, 6, 6], 2)]),
        (Op::Binary(BinaryOp::Mul), vec![x(), DynTensor::scalar(0.3_f32).unwrap()]),
        (Op::Binary(BinaryOp::Pow), vec![x(), random([6], 2)]),
        (Op::Where, vec![mask, x(), random([6], 2)]),
        (Op::Reduce(reduce(ReduceOp::Sum)), vec![x()]),
        (Op::Reduce(reduce(ReduceOp::Max)), vec![x()]),
        (Op::BatchNorm { eps: 1e-5 }, vec![x(), channels(2), channels(3)]),
        (Op::LayerNorm { axes: 1, eps: 1e-5 }, vec![x(), random([6], 2), random([6], 3)]),
        (Op::Softmax(3), vec![x()]),
        (Op::MaxPool2d(window), vec![x()]),
        (Op::AvgPool2d(window), vec![x()]),
        (Op::CrossEntropy(CrossEntropyConfig::default()), vec![random([3, 4], 1), labels]),
        (Op::Concat(1), vec![x(), random([2, 1, 6, 6], 2)]),
        (Op::Permute(smallvec![3, 1, 0, 2]), vec![x()]),
        (Op::Reshape(smallvec![8, 36]), vec![x()]),
        (Op::Contiguous, vec![x()]),
    ]
}

/// What an operation on whole and on narrow operands is kept in, inside a region; and on narrow ones outside.
fn kept_in(op: &Op, half: DType) -> [DType; 3] {
    use DType::F32;
    match policy::class(op) {
        policy::Class::Product => [half, half, F32],
        policy::Class::Follows => [F32, half, F32],
        policy::Class::Moves => [F32, half, half],
        policy::Class::Whole | policy::Class::WeightGrad | policy::Class::Converts | policy::Class::Opaque => [F32; 3],
    }
}

#[test]
fn results_are_what_rounded_operands_give_rounded_where_they_are_narrow() {
    for half in HALVES {
        for (op, whole) in examples() {
            let rounded: Vec<DynTensor> = whole
                .iter()
                .map(|x| if x.dtype() == DType::F32 && x.size() > 1 { round(x, half) } else { x.clone() })
                .collect();
            let narrow: Vec<DynTensor> = whole
                .iter()
                .enumerate()
                .map(|(i, x)| {
                    let is_parameter = matches!(op, Op::BatchNorm { .. }) && i > 0;
                    let stays = x.dtype() != DType::F32 || x.size() == 1 || is_parameter;
                    if stays { x.clone() } else { x.cast(half).unwrap().into_narrow() }
                })
                .collect();
            let operands = |all: &[DynTensor]| apply(&op, &all.iter().collect::<Vec<_>>()).unwrap();
            // Of parameters of a normalisation only the values count.
            let reference = operands(
                &narrow.iter().map(|x| if x.is_narrow() { round(x, half) } else { x.clone() }).collect::<Vec<_>>(),
            );
            let [of_whole, of_narrow, outside] = kept_in(&op, half);
            let results = [
                (autocast(half, || operands(&whole)), of_whole),
                (autocast(half, || operands(&narrow)), of_narrow),
                (operands(&narrow), outside),
            ];
            for (index, (result, kept)) in results.iter().enumerate() {
                let name = op.name();
                assert_eq!((result.dtype(), result.storage_dtype()), (DType::F32, *kept), "{name} {index}");
                let expected = match index {
                    // Whole operands are rounded for products alone.
                    0 if *kept == DType::F32 => operands(&whole),
                    0 => operands(&rounded),
                    _ => reference.clone(),
                };
                let expected = if *kept == half { round(&expected, half) } else { expected };
                assert_eq!(bits(result), bits(&expected), "{name} {index} in {half}");
            }
        }
    }
}

#[test]
fn a_whole_operand_makes_the_result_whole() {
    let (a, b) = (narrow([3, 4], DType::F16, 1), random([3, 4], 2));
    let sum = autocast(DType::F16, || a.binary(BinaryOp::Add, &b).unwrap());
    assert_eq!(sum.storage_dtype(), DType::F32);
    assert_eq!(bits(&sum), bits(&a.cast(DType::F32).unwrap().binary(BinaryOp::Add, &b).unwrap()));
    // Two kinds of half meet in what holds both.
    let c = narrow([3, 4], DType::BF16, 3);
    assert_eq!(autocast(DType::F16, || a.binary(BinaryOp::Add, &c).unwrap()).storage_dtype(), DType::F32);
}

#[test]
fn views_share_narrow_memory() {
    let x = narrow([3, 4], DType::F16, 1);
    let view = x.transpose().unwrap();
    assert_eq!((view.address(), view.storage_dtype()), (x.address(), DType::F16));
    assert_eq!(x.cast(DType::F16).unwrap().address(), x.address(), "the half precision that it is");
}

#[test]
fn narrow_values_are_read_and_written_as_what_they_are() {
    let half = DType::F16;
    let x = narrow([3, 4], half, 1);
    let values = bits(&round(&random([3, 4], 1), half));
    assert_eq!(bits(&x), values);
    assert_eq!(bits(&x.transpose().unwrap().transpose().unwrap()), values);
    assert_eq!((x.as_slice::<f32>(), x.as_slice::<trueno_core::f16>()), (None, None));
    let plain = x.contiguous().unwrap();
    assert_eq!((plain.storage_dtype(), plain.as_slice::<f32>().unwrap().len()), (DType::F32, 12));
    let mut written = x.clone();
    assert!(written.as_mut_slice::<f32>().is_none());
    written.make_mut::<f32>().unwrap()[0] = 0.1;
    assert_eq!((written.storage_dtype(), written.to_vec::<f32>().unwrap()[0]), (DType::F32, 0.1));
    assert_eq!(bits(&x), values, "a write shows through no other handle");
    let typed = Tensor::<f32, 2>::from_dyn(x.clone()).unwrap();
    assert_eq!(typed, Tensor::from_dyn(plain.clone()).unwrap());
    assert_eq!(typed.to_string(), Tensor::<f32, 2>::from_dyn(plain).unwrap().to_string());
    let mut sum = typed.clone();
    sum += 1.0_f32;
    assert_eq!((sum.storage_dtype(), sum), (DType::F32, &typed + 1.0));
    let wide = x.cast(DType::F64).unwrap();
    assert_eq!(wide.to_vec::<f64>().unwrap()[0] as f32, typed.to_vec()[0]);
}

#[test]
fn nothing_leaks_from_a_region() {
    assert_eq!(autocast_dtype(), None);
    autocast(DType::F16, || {
        assert_eq!(autocast_dtype(), Some(DType::F16));
        autocast(DType::BF16, || assert_eq!(autocast_dtype(), Some(DType::BF16)));
        autocast(DType::F32, || assert_eq!(autocast_dtype(), None));
        following_storage(|| assert_eq!(autocast_dtype(), None));
        assert_eq!(autocast_dtype(), Some(DType::F16));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(autocast_dtype(), None, "regions are a thread's own"));
        });
    });
    assert!(std::panic::catch_unwind(|| autocast(DType::F16, || panic!("no"))).is_err());
    assert_eq!(autocast_dtype(), None);
    let error = try_autocast(DType::F64, || unreachable!("a refused region does not run")).unwrap_err();
    assert!(error.to_string().contains("float64"), "{error}");
}

#[test]
fn operands_of_other_types_are_left_alone() {
    let doubles = random([3, 4], 1).cast(DType::F64).unwrap();
    let product = autocast(DType::F16, || doubles.matmul(&doubles.transpose().unwrap()).unwrap());
    assert_eq!((product.dtype(), product.storage_dtype()), (DType::F64, DType::F64));
    let halves = doubles.cast(DType::BF16).unwrap();
    let product = autocast(DType::F16, || halves.matmul(&halves.transpose().unwrap()).unwrap());
    assert_eq!((product.dtype(), product.storage_dtype()), (DType::BF16, DType::BF16));
    let floats = random([3, 4], 1);
    assert!(autocast(DType::F16, || floats.matmul(&doubles.transpose().unwrap())).is_err());
}

/// A leaf of a tape that records nothing.
#[derive(Debug)]
struct Leaf;

impl Recorder for Leaf {
    fn record(&self, _: &Op, _: &[&DynTensor], _: &DynTensor, _: Saved) -> Option<Arc<dyn Recorder>> {
        None
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[test]
fn parameters_are_rounded_once_in_a_region() {
    let x = random([3, 4], 1);
    let mut weight = random([4, 5], 2).with_recorder(Some(Arc::new(Leaf)));
    let rounded = |weight: &DynTensor| {
        let operands = narrowed(&Op::Matmul, &[&x, weight]).unwrap().unwrap();
        assert!(operands[1].recorder().is_some(), "a rounded parameter is at its place in the graph");
        operands[1].clone()
    };
    let first = autocast(DType::F16, || {
        let first = rounded(&weight);
        assert_eq!(rounded(&weight).address(), first.address());
        assert_eq!(autocast(DType::BF16, || rounded(&weight)).storage_dtype(), DType::BF16);
        // One that is changed is rounded anew.
        weight.make_mut::<f32>().unwrap()[0] = 2.0;
        weight = weight.clone().with_recorder(Some(Arc::new(Leaf)));
        assert_eq!(rounded(&weight).to_vec::<f32>().unwrap()[0], 2.0);
        first
    });
    assert!(weight.is_unique() && first.is_unique(), "the region has let go of them");
}
