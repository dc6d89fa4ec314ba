//! ResNet-50 (He et al., 2016) for images of 224 x 224, with the stride in the 3 x 3 convolutions, as PyTorch's has it.

use std::hint::black_box;
use trueno::nn::PoolConfig;
use trueno::prelude::*;

fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize, rng: &mut Rng) -> Conv2d {
    let config = Conv2dConfig { stride: [stride; 2], padding: [kernel / 2; 2], bias: false, ..default() };
    Conv2d::with_config(inputs, outputs, kernel, config, rng)
}

/// Three convolutions, the middle one narrow, beside a shortcut.
#[derive(Module)]
struct Bottleneck {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Conv2d,
    bn3: BatchNorm2d,
    shortcut: Option<(Conv2d, BatchNorm2d)>,
}

impl Bottleneck {
    fn new(inputs: usize, width: usize, stride: usize, rng: &mut Rng) -> Bottleneck {
        let outputs = 4 * width;
        let changes = stride != 1 || inputs != outputs;
        Bottleneck {
            conv1: conv(inputs, width, 1, 1, rng),
            bn1: BatchNorm2d::new(width),
            conv2: conv(width, width, 3, stride, rng),
            bn2: BatchNorm2d::new(width),
            conv3: conv(width, outputs, 1, 1, rng),
            bn3: BatchNorm2d::new(outputs),
            shortcut: changes.then(|| (conv(inputs, outputs, 1, stride, rng), BatchNorm2d::new(outputs))),
        }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        let y = self.bn1.forward(&self.conv1.forward(x, mode), mode).relu();
        let y = self.bn2.forward(&self.conv2.forward(&y, mode), mode).relu();
        let y = self.bn3.forward(&self.conv3.forward(&y, mode), mode);
        match &self.shortcut {
            Some((conv, norm)) => (y + norm.forward(&conv.forward(x, mode), mode)).relu(),
            None => (y + x).relu(),
        }
    }
}

#[derive(Module)]
struct ResNet50 {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    blocks: Vec<Bottleneck>,
    fc: Linear,
}

impl ResNet50 {
    fn new(rng: &mut Rng) -> ResNet50 {
        let mut blocks = Vec::new();
        let mut inputs = 64;
        for (width, count, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            for index in 0..count {
                blocks.push(Bottleneck::new(inputs, width, if index == 0 { stride } else { 1 }, rng));
                inputs = 4 * width;
            }
        }
        ResNet50 {
            conv1: conv(3, 64, 7, 2, rng),
            bn1: BatchNorm2d::new(64),
            blocks,
            fc: Linear::new(inputs, 1000, rng),
        }
    }

    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.bn1.forward(&self.conv1.forward(images, mode), mode).relu();
        let pool = MaxPool2d::with_config(3, PoolConfig { stride: Some([2, 2]), padding: [1, 1] });
        let x = self.blocks.iter().fold(pool.forward(&x, mode), |x, block| block.forward(&x, mode));
        self.fc.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&x, mode), mode), mode)
    }
}

/// A closure that classifies the same image each time.
pub fn inference(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let image = Tensor::from_fn([1, 3, 224, 224], |_| values());
    let net = ResNet50::new(&mut Rng::seed(0));
    move || {
        black_box(no_grad(|| net.forward(&image, Mode::Eval)));
    }
}
