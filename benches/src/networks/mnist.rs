//! One training step of the MNIST example's network: forward, loss, backward, SGD with momentum.

use trueno::prelude::*;

/// Images per step.
const BATCH: usize = 64;

#[derive(Module)]
struct Net {
    conv1: Conv2d,
    norm1: BatchNorm2d,
    conv2: Conv2d,
    norm2: BatchNorm2d,
    hidden: Linear,
    dropout: Dropout,
    head: Linear,
}

impl Net {
    fn new(rng: &mut Rng) -> Net {
        let same = Conv2dConfig { padding: [1, 1], ..default() };
        Net {
            conv1: Conv2d::with_config(1, 16, 3, same, rng),
            norm1: BatchNorm2d::new(16),
            conv2: Conv2d::with_config(16, 32, 3, same, rng),
            norm2: BatchNorm2d::new(32),
            hidden: Linear::new(32 * 7 * 7, 128, rng),
            dropout: Dropout::new(0.3, rng),
            head: Linear::new(128, 10, rng),
        }
    }

    fn forward(&self, images: &Tensor<f32, 4>) -> Tensor<f32, 2> {
        let (mode, halve) = (Mode::Train, MaxPool2d::new(2));
        let x = self.norm1.forward(&self.conv1.forward(images, mode), mode).relu();
        let x = halve.forward(&x, mode);
        let x = self.norm2.forward(&self.conv2.forward(&x, mode), mode).relu();
        let x = Flatten.forward(&halve.forward(&x, mode), mode);
        let x = self.hidden.forward(&x, mode).relu();
        self.head.forward(&self.dropout.forward(&x, mode), mode)
    }
}

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let images = Tensor::from_fn([BATCH, 1, 28, 28], |_| values());
    let labels = Tensor::from_fn([BATCH], |[i]| (i % 10) as i64);
    let mut net = Net::new(&mut Rng::seed(0));
    let mut optimizer = Sgd::new(&net, SgdConfig { lr: 1e-3, momentum: 0.9, ..default() });
    move || {
        let loss = cross_entropy(&net.forward(&images), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}
