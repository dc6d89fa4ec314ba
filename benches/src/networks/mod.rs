//! Networks: a training step (forward, loss, backward, optimizer) or an inference per call. `networks.py` has the same.

mod encoder;
mod lstm;
mod mlp;
mod mnist;
mod mobilenet;
mod resnet;
mod resnet50;

use crate::rows::{Row, values};

pub const TRAINING: [Row; 5] = [
    ("MLP training step, batch 64", || Box::new(mlp::step(values(1)))),
    ("MNIST training step, batch 64", || Box::new(mnist::step(values(1)))),
    ("ResNet-18 training step, batch 16", || Box::new(resnet::step(values(1)))),
    ("encoder training step, batch 8 x 128", || Box::new(encoder::step(values(1)))),
    ("LSTM training step, batch 32 x 64", || Box::new(lstm::step(values(1)))),
];

pub const INFERENCE: [Row; 3] = [
    ("ResNet-50 inference, 1 x 224 x 224", || Box::new(resnet50::inference(values(1)))),
    ("MobileNetV2 inference, 1 x 224 x 224", || Box::new(mobilenet::inference(values(1)))),
    ("encoder inference, 1 x 32", || Box::new(encoder::inference(values(1)))),
];
