//! Convolutions, forward and both gradients, and pooling. Their shapes are those of `convolutions.py`.

use std::hint::black_box;

use trueno_tensor::{Conv2dConfig, DynTensor, Op, Pool2dConfig, apply};

use super::{Row, Work, operand, work};

pub(super) const ROWS: [Row; 19] = [
    ("conv2d 8x64x56x56 k64 3x3", || forward(BODY)),
    ("conv2d 8x64x56x56 k64 3x3 backward", || backward(BODY)),
    ("conv2d 8x256x14x14 k256 3x3", || forward(DEEP)),
    ("conv2d 8x256x14x14 k256 3x3 backward", || backward(DEEP)),
    ("conv2d 8x64x56x56 k256 1x1", || forward(POINTWISE)),
    ("conv2d 8x64x56x56 k256 1x1 backward", || backward(POINTWISE)),
    ("conv2d 8x3x224x224 k64 7x7/2", || forward(STEM)),
    ("conv2d 8x3x224x224 k64 7x7/2 backward", || backward(STEM)),
    ("conv2d 8x128x56x56 depthwise 3x3", || forward(DEPTHWISE)),
    ("conv2d 8x128x56x56 depthwise 3x3 backward", || backward(DEPTHWISE)),
    ("conv2d 1x64x56x56 k64 3x3", || forward(SINGLE)),
    ("conv2d 8x64x56x56 k64 3x3 in bfloat16", || in_bfloat16(BODY)),
    ("conv2d 8x256x14x14 k256 3x3 in bfloat16", || in_bfloat16(DEEP)),
    ("conv2d 8x64x56x56 k256 1x1 in bfloat16", || in_bfloat16(POINTWISE)),
    ("conv2d 8x3x224x224 k64 7x7/2 in bfloat16", || in_bfloat16(STEM)),
    ("max_pool2d 8x64x112x112 2x2", || max_pool([2, 2], [2, 2], [0, 0])),
    ("max_pool2d 8x64x112x112 3x3/2", || max_pool([3, 3], [2, 2], [1, 1])),
    ("adaptive_avg_pool2d 8x512x14x14 to 1x1", || {
        let x = operand(&[8, 512, 14, 14], 1);
        work(move || x.adaptive_avg_pool2d([1, 1]))
    }),
    ("group_norm 8x64x56x56 in 32", || {
        let (x, weight, bias) = (operand(&[8, 64, 56, 56], 1), operand(&[64], 2), operand(&[64], 3));
        work(move || x.group_norm(32, Some((&weight, &bias)), 1e-5))
    }),
];

/// Shapes of the images and of the weight, and how it moves.
type Case = ([usize; 4], [usize; 4], Conv2dConfig);

const SAME: Conv2dConfig = Conv2dConfig { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
const BODY: Case = ([8, 64, 56, 56], [64, 64, 3, 3], SAME);
const DEEP: Case = ([8, 256, 14, 14], [256, 256, 3, 3], SAME);
const POINTWISE: Case = ([8, 64, 56, 56], [256, 64, 1, 1], Conv2dConfig { padding: [0, 0], ..SAME });
const STEM: Case = ([8, 3, 224, 224], [64, 3, 7, 7], Conv2dConfig { stride: [2, 2], padding: [3, 3], ..SAME });
const DEPTHWISE: Case = ([8, 128, 56, 56], [128, 1, 3, 3], Conv2dConfig { groups: 128, ..SAME });
const SINGLE: Case = ([1, 64, 56, 56], [64, 64, 3, 3], SAME);

fn forward((image, weight, config): Case) -> Work {
    let (x, w) = (operand(&image, 1), operand(&weight, 2));
    work(move || x.conv2d(&w, None, config))
}

fn in_bfloat16((image, weight, config): Case) -> Work {
    let [x, w] = [(image, 1), (weight, 2)].map(|(shape, seed)| super::matmul::half(&shape, seed));
    work(move || x.conv2d(&w, None, config))
}

/// The gradients by the images and by the weight.
fn backward((image, weight, config): Case) -> Work {
    let (x, w) = (operand(&image, 1), operand(&weight, 2));
    let g = x.conv2d(&w, None, config).expect("a row fits its operands");
    let gradient = move |op: Op, operand: &DynTensor| {
        black_box(apply(&op, &[&g, operand]).expect("a row fits its operands"));
    };
    Box::new(move || {
        gradient(Op::Conv2dInputGrad(config, image), &w);
        gradient(Op::Conv2dWeightGrad(config, weight), &x);
    })
}

fn max_pool(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Work {
    let x = operand(&[8, 64, 112, 112], 1);
    let config = Pool2dConfig { kernel, stride, padding };
    work(move || x.max_pool2d(config))
}
