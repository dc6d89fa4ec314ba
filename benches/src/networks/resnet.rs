//! ResNet-18 (He et al., 2016) for images of 32 x 32: a stem of 3 x 3 and no pooling after it. Trained by SGD with momentum.

use trueno::prelude::*;

/// Images per step.
const BATCH: usize = 16;

fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize, rng: &mut Rng) -> Conv2d {
    let config = Conv2dConfig { stride: [stride; 2], padding: [kernel / 2; 2], bias: false, ..default() };
    Conv2d::with_config(inputs, outputs, kernel, config, rng)
}

#[derive(Module)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    shortcut: Option<(Conv2d, BatchNorm2d)>,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, rng: &mut Rng) -> Block {
        let changes = stride != 1 || inputs != outputs;
        Block {
            conv1: conv(inputs, outputs, 3, stride, rng),
            bn1: BatchNorm2d::new(outputs),
            conv2: conv(outputs, outputs, 3, 1, rng),
            bn2: BatchNorm2d::new(outputs),
            shortcut: changes.then(|| (conv(inputs, outputs, 1, stride, rng), BatchNorm2d::new(outputs))),
        }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        let y = self.bn1.forward(&self.conv1.forward(x, mode), mode).relu();
        let y = self.bn2.forward(&self.conv2.forward(&y, mode), mode);
        match &self.shortcut {
            Some((conv, norm)) => (y + norm.forward(&conv.forward(x, mode), mode)).relu(),
            None => (y + x).relu(),
        }
    }
}

#[derive(Module)]
struct ResNet18 {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    blocks: Vec<Block>,
    fc: Linear,
}

impl ResNet18 {
    fn new(rng: &mut Rng) -> ResNet18 {
        let mut blocks = Vec::new();
        for (inputs, outputs, stride) in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)] {
            blocks.extend([Block::new(inputs, outputs, stride, rng), Block::new(outputs, outputs, 1, rng)]);
        }
        ResNet18 { conv1: conv(3, 64, 3, 1, rng), bn1: BatchNorm2d::new(64), blocks, fc: Linear::new(512, 10, rng) }
    }

    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.bn1.forward(&self.conv1.forward(images, mode), mode).relu();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(&x, mode));
        self.fc.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&x, mode), mode), mode)
    }
}

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let images = Tensor::from_fn([BATCH, 3, 32, 32], |_| values());
    let labels = Tensor::from_fn([BATCH], |[i]| (i % 10) as i64);
    let mut net = ResNet18::new(&mut Rng::seed(0));
    let mut optimizer = Sgd::new(&net, SgdConfig { lr: 1e-3, momentum: 0.9, ..default() });
    move || {
        let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}
