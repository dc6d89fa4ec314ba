//! Networks: a training step (forward, loss, backward, optimizer) or an inference per call. `networks.py` has the same.

mod encoder;
mod mlp;
mod mnist;
mod resnet;

use crate::rows::{Row, values};

pub const TRAINING: [Row; 4] = [
    ("MLP training step, batch 64", || Box::new(mlp::step(values(1)))),
    ("MNIST training step, batch 64", || Box::new(mnist::step(values(1)))),
    ("ResNet-18 training step, batch 16", || Box::new(resnet::step(values(1)))),
    ("encoder training step, batch 8 x 128", || Box::new(encoder::step(values(1)))),
];

pub const INFERENCE: [Row; 1] = [("encoder inference, 1 x 32", || Box::new(encoder::inference(values(1))))];
