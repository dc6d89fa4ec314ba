//! Gradients of every operation with kernels of its own against differences, first and second.

use crate::samples::{awkward, indices, leaf, normal};
use std::sync::Arc;
use trueno_autograd::{Autograd, GradOptions, GradcheckOptions, checkpoint, gradcheck, gradgradcheck, grads};
use trueno_core::table::{BinaryOp, Family, Gradient, UnaryOp};
use trueno_core::{DType, Dims, Result, SliceItem};
use trueno_tensor::fused::Fusion;
use trueno_tensor::{
    AttentionConfig, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, Device, DropoutConfig, DynTensor,
    Extreme, Function, Op, Pool2dConfig, apply, fuse,
};

type Checked = dyn Fn(&[DynTensor]) -> Result<DynTensor>;

/// A function with inputs to check it at.
struct Case {
    f: Box<Checked>,
    inputs: Vec<DynTensor>,
    options: GradcheckOptions,
}

fn case(inputs: &[DynTensor], f: impl Fn(&[DynTensor]) -> Result<DynTensor> + 'static) -> Case {
    Case { f: Box::new(f), inputs: inputs.to_vec(), options: Default::default() }
}

/// The operation itself on the inputs.
fn op_case(op: Op, inputs: &[DynTensor]) -> Case {
    case(inputs, move |x| apply(&op, &x.iter().collect::<Vec<_>>()))
}

fn items(axes: &[(Option<isize>, Option<isize>, isize)]) -> Vec<SliceItem> {
    axes.iter().map(|&(start, stop, step)| SliceItem::Range { start, stop, step }).collect()
}

fn transposed(shape: &[usize], salt: usize) -> DynTensor {
    normal(shape, salt).detach().transpose().unwrap().requires_grad()
}

fn range(start: isize, stop: isize, step: isize) -> (Option<isize>, Option<isize>, isize) {
    (Some(start), Some(stop), step)
}

/// What each operation is checked at. There is no `_`: a new one does not compile without its cases.
fn cases(family: Family) -> Vec<Case> {
    match family {
        Family::Matmul => matmuls(),
        Family::Linear => linears(),
        Family::MatmulInteger => vec![op_case(Op::MatmulInteger, &[bytes(&[3, 5]), bytes(&[5, 2])])],
        Family::LinearInt8 => quantised_linears(),
        Family::Conv2d | Family::Conv2dInputGrad | Family::Conv2dWeightGrad => convolutions(family),
        Family::ConvTranspose2d => transposed_convolutions(),
        Family::MaxPool2d
        | Family::AvgPool2d
        | Family::AvgPool2dGrad
        | Family::AdaptiveAvgPool2d
        | Family::AdaptiveAvgPool2dGrad => pools(family),
        Family::Softmax => along_axes(Op::Softmax),
        Family::LogSoftmax => along_axes(Op::LogSoftmax),
        Family::LogSumExp => {
            let both = |axis| [true, false].map(|keep_dims| Op::LogSumExp { axis, keep_dims });
            [0, 1]
                .into_iter()
                .flat_map(both)
                .flat_map(|op| along_axes(move |_| op.clone()).into_iter().take(2))
                .collect()
        }
        Family::ScaledDotProductAttention => attentions(),
        Family::LayerNorm => layer_norms(),
        Family::GroupNorm => group_norms(),
        Family::BatchNorm => batch_norms(),
        Family::IndexSelect | Family::Gather | Family::IndexAdd | Family::ScatterAdd => indexed(family),
        Family::Where => {
            let mask = DynTensor::from_slice(&[true, false, false, true, true, false], &[2, 3]).unwrap();
            let row = mask.slice(&[SliceItem::Index(0)]).unwrap();
            vec![
                op_case(Op::Where, &[mask.clone(), normal(&[2, 3], 0), transposed(&[3, 2], 1)]),
                op_case(Op::Where, &[mask.clone(), normal(&[3], 0), normal(&[], 1)]),
                op_case(Op::Where, &[row, normal(&[2, 1], 0), normal(&[3], 1).detach()]),
            ]
        }
        Family::Concat => vec![
            op_case(Op::Concat(0), &[normal(&[2, 3], 0), normal(&[0, 3], 1), normal(&[1, 3], 2).detach()]),
            op_case(Op::Concat(1), &[transposed(&[3, 2], 0), normal(&[2, 1], 1), normal(&[2, 2], 2)]),
        ],
        Family::Pad => [[[1, 2], [0, 1]], [[0, 0], [2, 0]]]
            .into_iter()
            .flat_map(|widths| {
                let pad = move |x: &[DynTensor]| x[0].pad(&widths, 3.0);
                [
                    case(&[normal(&[2, 3], 0)], pad),
                    case(&[normal(&[0, 2], 0)], pad),
                    case(&[transposed(&[2, 2], 1)], pad),
                ]
            })
            .collect(),
        Family::CumSum => along_axes(Op::CumSum),
        Family::Sort => along_axes(|axis| Op::Sort { axis, descending: axis == 1 }),
        Family::ArgSort => along_axes(|axis| Op::ArgSort { axis, descending: false }),
        Family::TopK => {
            let best = |x: &[DynTensor]| x[0].topk(2, 1, Extreme::Max).map(|(elements, _)| elements);
            assert!(best(&[normal(&[2, 3], 0)]).unwrap().tracks_gradient(), "elements have a gradient, positions none");
            along_axes(|axis| Op::TopK { axis, k: 2, extreme: Extreme::Max })
        }
        Family::NonZero => views(|_| Some(Op::NonZero)),
        Family::MaskedSelect => {
            let mask = DynTensor::from_slice(&[true, false, false, true, true, false], &[2, 3]).unwrap();
            let (none, row) = (mask.cast(DType::Bool).unwrap(), mask.slice(&[SliceItem::Index(0)]).unwrap());
            vec![
                op_case(Op::MaskedSelect, &[normal(&[2, 3], 0), none]),
                op_case(Op::MaskedSelect, &[transposed(&[3, 2], 0), mask]),
                case(&[normal(&[2, 3], 0)], move |x| x[0].masked_select(&row)),
            ]
        }
        Family::Unfold => vec![
            op_case(Op::Unfold { axis: 0, size: 3, step: 1 }, &[normal(&[5], 0)]),
            op_case(Op::Unfold { axis: 1, size: 2, step: 3 }, &[transposed(&[6, 2], 0)]),
            op_case(Op::Unfold { axis: 1, size: 2, step: 1 }, &[normal(&[2, 4, 2], 0)]),
            op_case(Op::Unfold { axis: 0, size: 0, step: 1 }, &[normal(&[2, 2], 0)]),
        ],
        Family::Dropout => {
            let config = DropoutConfig { p: 0.4, seed: 7, call: 3 };
            awkward([-1.0, 1.0], &[]).into_iter().map(|x| op_case(Op::Dropout(config), &[x])).collect()
        }
        Family::CrossEntropy => cross_entropies(),
        Family::ArgReduce => {
            let op = Op::ArgReduce { extreme: Extreme::Min, axis: 1, keep_dims: false };
            vec![op_case(op, &[normal(&[2, 3], 0)])]
        }
        Family::Cast => {
            // Differences of `f32` values need steps that `f32` can take.
            let options = GradcheckOptions { step: 0.25, absolute: 1e-6, relative: 1e-6 };
            let there_and_back = |x: &[DynTensor]| x[0].cast(DType::F32)?.cast(DType::F64);
            vec![Case { options, ..case(&[normal(&[2, 3], 0)], there_and_back) }]
        }
        Family::To => views(|_| Some(Op::To(Device::Cpu))),
        Family::Contiguous => views(|_| Some(Op::Contiguous)),
        Family::Permute => views(|x| Some(Op::Permute((0..x.rank()).rev().collect()))),
        Family::Reshape => views(|x| Some(Op::Reshape(Dims::from_slice(&[x.size(), 1])))),
        Family::Flip => views(|x| Some(Op::Flip((0..x.rank()).collect()))),
        Family::Broadcast => vec![
            op_case(Op::Broadcast(Dims::from_slice(&[2, 2, 3])), &[normal(&[1, 3], 0)]),
            op_case(Op::Broadcast(Dims::from_slice(&[2, 3])), &[normal(&[], 0)]),
            op_case(Op::Broadcast(Dims::from_slice(&[0, 3])), &[normal(&[1, 1], 0)]),
        ],
        Family::Slice => slices().into_iter().map(|(x, items)| op_case(Op::Slice(items.into()), &[x])).collect(),
        Family::SliceScatter => slices()
            .into_iter()
            .map(|(x, items)| {
                let part = x.detach().slice(&items).unwrap().requires_grad();
                op_case(Op::SliceScatter(Dims::from_slice(x.shape()), items.into()), &[part])
            })
            .collect(),
        Family::Fused => formulas(),
        Family::Custom => customs(),
    }
}

fn along_axes(op: impl Fn(usize) -> Op) -> Vec<Case> {
    vec![
        op_case(op(0), &[normal(&[3, 2], 0)]),
        op_case(op(1), &[transposed(&[3, 2], 1)]),
        op_case(op(1), &[normal(&[2, 3, 2], 2)]),
        op_case(op(1), &[normal(&[0, 3], 3)]),
    ]
}

/// Formulas of `fuse!` with steps of every kind, away from their kinks.
fn formulas() -> Vec<Case> {
    let scale = 0.7;
    let smooth = fuse!(|a, b, c| (a * b + c * scale).tanh() / (b.square() + 1.0) - a);
    let rows = fuse!(|a, b, c| {
        let s = a.silu();
        s * s + b.gelu().fma(s, c.exp()) + a.hypot(b + 2.0)
    });
    let chosen = fuse!(|a, b| (a + 2.0).gt(b).select(a * b, b.square()) + b.powf(2.0));
    let fused = |fusion: Fusion, inputs: &[DynTensor]| op_case(Op::Fused(fusion), inputs);
    let (a, b, c) = (normal(&[2, 3], 0), normal(&[3], 1), normal(&[2, 1], 2));
    vec![
        fused(smooth.fusion(), &[a.clone(), b.clone(), c.clone()]),
        fused(smooth.fusion(), &[a.detach(), b.clone(), c.detach()]),
        fused(smooth.fusion(), &[transposed(&[3, 2], 3), normal(&[], 4), c.clone()]),
        fused(smooth.fusion(), &[normal(&[0, 2], 0), normal(&[2], 1), normal(&[1], 2)]),
        fused(rows.fusion(), &[a.clone(), b.clone(), c]),
        fused(rows.fusion(), &[normal(&[], 5), normal(&[], 6), normal(&[], 7)]),
        fused(chosen.fusion(), &[a, leaf(&[3], [0.5, 1.5], &[], 1)]),
        fused(fuse!(|x| x.sigmoid().ln() * 2.0 - x).fusion(), &[b]),
    ]
}

fn views(op: impl Fn(&DynTensor) -> Option<Op>) -> Vec<Case> {
    awkward([-1.0, 1.0], &[]).into_iter().filter_map(|x| Some(op_case(op(&x)?, &[x]))).collect()
}

fn slices() -> Vec<(DynTensor, Vec<SliceItem>)> {
    vec![
        (normal(&[4, 3], 0), items(&[(None, None, -2), range(0, 2, 1)])),
        (transposed(&[3, 5], 1), items(&[range(1, 4, 2)])),
        (normal(&[2, 3], 2), vec![SliceItem::Ellipsis, SliceItem::Index(-1), SliceItem::NewAxis]),
        (normal(&[3], 3), items(&[range(2, 2, 1)])),
        (normal(&[2], 4), vec![SliceItem::Index(1)]),
    ]
}

fn matmuls() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 7] = [
        (&[2, 3], &[3, 4]),
        (&[2, 2, 3], &[3, 2]),
        (&[2, 3], &[2, 3, 2]),
        (&[2, 1, 2, 3], &[3, 3, 1]),
        (&[2, 2, 3], &[2, 3, 1]),
        (&[0, 3], &[3, 2]),
        (&[2, 0], &[0, 2]),
    ];
    let mut cases: Vec<Case> = shapes.iter().map(|(a, b)| op_case(Op::Matmul, &[normal(a, 0), normal(b, 1)])).collect();
    cases.push(op_case(Op::Matmul, &[transposed(&[3, 2], 0), transposed(&[4, 3], 1)]));
    cases.push(op_case(Op::Matmul, &[normal(&[2, 2], 0).detach(), normal(&[2, 2], 1)]));
    cases.push(case(&[normal(&[3], 0), normal(&[3], 1)], |x| x[0].matmul(&x[1])));
    cases.push(case(&[normal(&[2, 3], 0), normal(&[3], 1)], |x| x[0].matmul(&x[1])));
    cases
}

fn linears() -> Vec<Case> {
    let shapes: [(&[usize], &[usize]); 5] =
        [(&[3, 4], &[2, 4]), (&[4], &[2, 4]), (&[2, 2, 3], &[1, 3]), (&[0, 3], &[2, 3]), (&[2, 0], &[3, 0])];
    let operands = |(x, w): (&[usize], &[usize])| [normal(x, 0), normal(w, 1), normal(&w[..1], 2)];
    let mut cases: Vec<Case> = shapes.map(operands).iter().map(|all| op_case(Op::Linear, all)).collect();
    cases.extend(shapes.map(operands).iter().map(|all| op_case(Op::Linear, &all[..2])));
    cases.push(op_case(Op::Linear, &[transposed(&[4, 3], 0), transposed(&[4, 2], 1).detach(), normal(&[2], 2)]));
    cases
}

fn convolutions(family: Family) -> Vec<Case> {
    let plain = Conv2dConfig::default();
    let strided = Conv2dConfig { stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 1 };
    let grouped = Conv2dConfig { padding: [1, 1], groups: 2, ..plain };
    let geometries = [
        (plain, [1, 2, 3, 3], [2, 2, 2, 2]),
        (strided, [2, 1, 4, 4], [1, 1, 3, 2]),
        (grouped, [1, 2, 2, 3], [4, 1, 3, 3]),
        (plain, [1, 1, 2, 2], [1, 1, 1, 1]),
    ];
    let of = |(config, image, kernel): (Conv2dConfig, [usize; 4], [usize; 4])| {
        let (x, weight) = (normal(&image, 0), normal(&kernel, 1));
        let shape = x.detach().conv2d(&weight.detach(), None, config).unwrap().shape().to_vec();
        let g = normal(&shape, 2);
        match family {
            Family::Conv2dInputGrad => vec![op_case(Op::Conv2dInputGrad(config, image), &[g, weight])],
            Family::Conv2dWeightGrad => vec![op_case(Op::Conv2dWeightGrad(config, kernel), &[g, x])],
            _ => vec![
                op_case(Op::Conv2d(config), &[x.clone(), weight.clone(), normal(&kernel[..1], 3)]),
                op_case(Op::Conv2d(config), &[x.detach(), weight.clone()]),
                op_case(Op::Conv2d(config), &[x, weight.detach()]),
            ],
        }
    };
    geometries.into_iter().flat_map(of).collect()
}

fn transposed_convolutions() -> Vec<Case> {
    let plain = ConvTranspose2dConfig::default();
    let strided = ConvTranspose2dConfig { stride: [2, 3], padding: [1, 0], output_padding: [1, 2], ..plain };
    let grouped = ConvTranspose2dConfig { padding: [1, 1], dilation: [1, 2], groups: 2, ..plain };
    let geometries = [
        (plain, [1, 2, 3, 3], [2, 2, 2, 2]),
        (strided, [2, 1, 2, 3], [1, 2, 3, 2]),
        (grouped, [1, 4, 2, 3], [4, 1, 3, 3]),
    ];
    let of = |(config, image, kernel): (ConvTranspose2dConfig, [usize; 4], [usize; 4])| {
        let (x, weight) = (normal(&image, 0), normal(&kernel, 1));
        let bias = normal(&[kernel[1] * config.groups], 2);
        let op = Op::ConvTranspose2d(config);
        [op_case(op.clone(), &[x.clone(), weight.clone(), bias]), op_case(op, &[x.detach(), weight])]
    };
    geometries.into_iter().flat_map(of).collect()
}

fn pools(family: Family) -> Vec<Case> {
    let configs = [
        Pool2dConfig { kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
        Pool2dConfig { kernel: [3, 2], stride: [1, 2], padding: [1, 1] },
    ];
    let image = [1, 2, 4, 5];
    let strided = || {
        let x = leaf(&[1, 2, 5, 4], [-1.0, 1.0], &[], 5).detach();
        x.swap_axes(2, 3).unwrap().requires_grad()
    };
    let with = |config: Pool2dConfig| match family {
        Family::MaxPool2d => {
            vec![op_case(Op::MaxPool2d(config), &[normal(&image, 0)]), op_case(Op::MaxPool2d(config), &[strided()])]
        }
        Family::AvgPool2dGrad => {
            let g = normal(&image, 0).detach().avg_pool2d(config).unwrap().requires_grad();
            vec![op_case(Op::AvgPool2dGrad(config, image), &[g])]
        }
        _ => vec![op_case(Op::AvgPool2d(config), &[normal(&image, 0)]), op_case(Op::AvgPool2d(config), &[strided()])],
    };
    match family {
        Family::AdaptiveAvgPool2d => {
            [[1, 1], [3, 2]].map(|size| op_case(Op::AdaptiveAvgPool2d(size), &[normal(&image, 0)])).into()
        }
        Family::AdaptiveAvgPool2dGrad => {
            vec![op_case(Op::AdaptiveAvgPool2dGrad(image), &[normal(&[1, 2, 3, 2], 0)])]
        }
        _ => configs.into_iter().flat_map(with).collect(),
    }
}

fn layer_norms() -> Vec<Case> {
    let norm = |axes| Op::LayerNorm { axes, eps: 1e-3 };
    vec![
        op_case(norm(1), &[normal(&[2, 4], 0)]),
        op_case(norm(2), &[normal(&[2, 2, 2], 0), normal(&[2, 2], 1), normal(&[2, 2], 2)]),
        op_case(norm(1), &[transposed(&[4, 2], 0), normal(&[4], 1), normal(&[4], 2)]),
        op_case(norm(1), &[normal(&[2, 4], 0).detach(), normal(&[4], 1), normal(&[4], 2)]),
        op_case(norm(1), &[normal(&[2, 4], 0), normal(&[4], 1).detach(), normal(&[4], 2).detach()]),
    ]
}

fn group_norms() -> Vec<Case> {
    let norm = |groups| Op::GroupNorm { groups, eps: 1e-3 };
    let affine = || [normal(&[4], 1), normal(&[4], 2)];
    let mut cases = Vec::new();
    for x in [normal(&[2, 4, 3], 0), normal(&[1, 4, 2, 2], 0), normal(&[2, 4], 0), transposed(&[4, 3], 3)] {
        let [weight, bias] = affine();
        cases.push(op_case(norm(2), std::slice::from_ref(&x)));
        cases.push(op_case(norm(1), &[x.clone(), weight.clone(), bias.clone()]));
        cases.push(op_case(norm(2), &[x.detach(), weight.clone(), bias.clone()]));
        cases.push(op_case(norm(2), &[x, weight.detach(), bias]));
    }
    cases
}

fn batch_norms() -> Vec<Case> {
    let op = || Op::BatchNorm { eps: 1e-3 };
    let affine = || [normal(&[2], 1), normal(&[2], 2)];
    let mut cases = Vec::new();
    for x in [normal(&[4, 2], 0), normal(&[2, 2, 3], 0), normal(&[2, 2, 2, 2], 0), transposed(&[2, 4], 3)] {
        let [weight, bias] = affine();
        let var = leaf(&[2], [0.5, 2.0], &[], 4);
        let mean = normal(&[2], 3);
        cases.push(op_case(op(), &[x.clone(), weight.clone(), bias.clone()]));
        cases.push(op_case(op(), &[x.clone(), weight.clone(), bias.clone(), mean.detach(), var.detach()]));
        cases.push(op_case(op(), &[x.clone(), weight.clone(), bias.clone(), mean, var]));
        cases.push(op_case(op(), &[x.detach(), weight, bias]));
    }
    cases
}

fn indexed(family: Family) -> Vec<Case> {
    let rows = indices(&[2, 0, 2, -1], &[4]);
    let places = indices(&[0, 2, 1, 1, 0, 0], &[2, 3]);
    let shape = Dims::from_slice(&[3, 3]);
    match family {
        Family::IndexSelect => vec![
            op_case(Op::IndexSelect(0), &[normal(&[3, 2], 0), rows.clone()]),
            op_case(Op::IndexSelect(1), &[transposed(&[3, 2], 0), rows.clone()]),
            op_case(Op::IndexSelect(0), &[normal(&[3, 2], 0), indices(&[], &[0])]),
            case(&[normal(&[3, 2], 0)], |x| x[0].embedding(&indices(&[2, 0, 2, 1], &[2, 2]))),
        ],
        Family::IndexAdd => vec![
            op_case(Op::IndexAdd { axis: 0, size: 3 }, &[normal(&[4, 2], 0), rows.clone()]),
            op_case(Op::IndexAdd { axis: 1, size: 5 }, &[transposed(&[4, 2], 0), rows]),
        ],
        Family::Gather => vec![
            op_case(Op::Gather(0), &[normal(&[3, 3], 0), places.clone()]),
            op_case(Op::Gather(1), &[transposed(&[3, 2], 0), places]),
        ],
        _ => vec![
            op_case(Op::ScatterAdd { axis: 0, shape: shape.clone() }, &[normal(&[2, 3], 0), places.clone()]),
            op_case(Op::ScatterAdd { axis: 1, shape: Dims::from_slice(&[2, 4]) }, &[transposed(&[3, 2], 0), places]),
        ],
    }
}

fn cross_entropies() -> Vec<Case> {
    let labels = indices(&[2, 0, -100], &[3]);
    let mut cases = Vec::new();
    for mean in [true, false] {
        for label_smoothing in [0.0, 0.2] {
            let config = CrossEntropyConfig { mean, ignore_index: Some(-100), label_smoothing };
            cases.push(op_case(Op::CrossEntropy(config), &[normal(&[3, 4], 0), labels.clone()]));
        }
    }
    let config = CrossEntropyConfig::default();
    cases.push(op_case(Op::CrossEntropy(config), &[transposed(&[4, 3], 0), indices(&[1, 3, 0], &[3])]));
    cases
}

/// `x * y`, with a gradient of its own.
#[derive(Debug)]
struct Product;

impl Function for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        inputs[0].binary(BinaryOp::Mul, inputs[1])
    }

    fn backward(&self, inputs: &[&DynTensor], _: &DynTensor, g: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        let by = |other: &DynTensor| g.binary(BinaryOp::Mul, other).map(Some);
        Ok(vec![by(inputs[1])?, by(inputs[0])?])
    }
}

fn customs() -> Vec<Case> {
    let (x, y) = (normal(&[2, 3], 0), normal(&[2, 3], 1));
    let again = |x: &[DynTensor]| x[0].binary(BinaryOp::Mul, &x[1])?.unary(UnaryOp::Tanh, [0.0; 2]);
    vec![
        op_case(Op::Custom(Arc::new(Product)), &[x.clone(), y.clone()]),
        case(&[x.clone(), y.clone()], move |x| checkpoint(again, &[&x[0], &x[1]])),
        // One operand is closed over, and not a leaf.
        case(&[x, y], move |x| {
            let inner = x[1].unary(UnaryOp::Sin, [0.0; 2])?;
            checkpoint(move |x: &[DynTensor]| again(&[x[0].clone(), inner.clone()]), &[&x[0]])
        }),
    ]
}

fn attentions() -> Vec<Case> {
    let op = |scale, causal| Op::ScaledDotProductAttention(AttentionConfig { scale, causal });
    let operands = || [normal(&[2, 3, 4], 0), normal(&[2, 5, 4], 1), normal(&[2, 5, 2], 2)];
    let [q, k, v] = operands();
    let seen: Vec<bool> = (0..15).map(|i| i % 4 != 1).collect();
    let seen = DynTensor::from_slice(&seen, &[3, 5]).unwrap();
    vec![
        op_case(op(None, false), &operands()),
        op_case(op(Some(0.3), true), &operands()),
        op_case(op(None, false), &[q.clone(), k.clone(), v.clone(), seen]),
        op_case(op(None, true), &[q.clone(), k.clone(), v.clone(), normal(&[2, 1, 5], 3).detach()]),
        op_case(op(None, false), &[q, k.detach(), v, normal(&[3, 5], 3)]),
        op_case(op(None, false), &[transposed(&[2, 3], 0), transposed(&[2, 4], 1), normal(&[4, 1], 2)]),
        op_case(op(None, false), &[normal(&[0, 2], 0), normal(&[3, 2], 1), normal(&[3, 1], 2)]),
    ]
}

/// Integers of 8 bits.
fn bytes(shape: &[usize]) -> DynTensor {
    let size: usize = shape.iter().product();
    DynTensor::from_slice(&(0..size).map(|i| (i * 5 + 3) as i8 % 7).collect::<Vec<_>>(), shape).unwrap()
}

fn quantised_linears() -> Vec<Case> {
    let case = |x: &[usize], out: usize, x_scale: &[usize], weight_scale: &[usize]| {
        let operands = [bytes(x), bytes(&[out, x[x.len() - 1]]), normal(x_scale, 0), normal(weight_scale, 1)];
        op_case(Op::LinearInt8, &[&operands[..], &[normal(&[out], 2)]].concat())
    };
    vec![
        case(&[4, 3], 2, &[4, 1], &[2]),
        case(&[2, 2, 3], 2, &[], &[2]),
        case(&[2, 3, 2], 3, &[3, 1], &[1]),
        case(&[3], 2, &[1], &[]),
        case(&[0, 3], 2, &[0, 1], &[2]),
        op_case(Op::LinearInt8, &[bytes(&[2, 3]), bytes(&[4, 3]), normal(&[2, 1], 0), normal(&[4], 1).detach()]),
    ]
}

#[test]
fn every_family() {
    for &family in Family::ALL {
        let cases = cases(family);
        assert!(!cases.is_empty());
        for Case { f, inputs, options } in cases {
            let name = family.name();
            let shapes: Vec<_> = inputs.iter().map(DynTensor::shape).collect();
            if matches!(family.info().gradient, Gradient::None(_)) {
                assert!(!f(&inputs).unwrap().tracks_gradient(), "{name}");
                continue;
            }
            gradcheck(&f, &inputs, options).unwrap_or_else(|e| panic!("{name} of {shapes:?}: {e}"));
            gradgradcheck(&f, &inputs, options).unwrap_or_else(|e| panic!("second, {name} of {shapes:?}: {e}"));
        }
    }
}

#[test]
fn fused_gradients_agree_with_composed_ones() {
    for family in [
        Family::Softmax,
        Family::LogSoftmax,
        Family::LogSumExp,
        Family::ScaledDotProductAttention,
        Family::LayerNorm,
        Family::BatchNorm,
        Family::GroupNorm,
        Family::CrossEntropy,
    ] {
        for Case { f, inputs, .. } in cases(family) {
            let y = f(&inputs).unwrap();
            let tracked: Vec<&DynTensor> = inputs.iter().filter(|x| x.tracks_gradient()).collect();
            let seed = normal(y.shape(), 9);
            let by = |create_graph| {
                let options = GradOptions { retain_graph: true, create_graph, allow_unused: false };
                grads(&[&y], &tracked, &[&seed], options).unwrap()
            };
            for (fused, composed) in by(false).iter().zip(by(true)) {
                let (fused, composed) = (fused.to_vec::<f64>().unwrap(), composed.to_vec::<f64>().unwrap());
                let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
                assert!(fused.iter().zip(&composed).all(close), "{}: {fused:?} {composed:?}", family.name());
            }
        }
    }
}

#[test]
fn an_infinite_row_has_a_finite_gradient() {
    let x = DynTensor::from_slice(&[f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY], &[2, 2]).unwrap();
    let x = x.requires_grad();
    for create_graph in [false, true] {
        let y = x.logsumexp(1, false).unwrap();
        let seed = DynTensor::full(&[2], DType::F64, 1.0).unwrap();
        let options = GradOptions { create_graph, ..Default::default() };
        let g = grads(&[&y], &[&x], &[&seed], options).unwrap().remove(0);
        assert_eq!(g.to_vec::<f64>().unwrap(), [0.0, 0.0, 1.0, 0.0]);
    }
}
