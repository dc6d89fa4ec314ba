//! The network: two convolutions with batch norm and pooling, two dense layers.

use trueno::prelude::*;

/// Images `[N, 1, 28, 28]` to class scores `[N, 10]`.
#[derive(Module)]
pub struct Net {
    conv1: Conv2d,
    norm1: BatchNorm2d,
    conv2: Conv2d,
    norm2: BatchNorm2d,
    hidden: Linear,
    dropout: Dropout,
    head: Linear,
}

impl Net {
    pub fn new(classes: usize, rng: &mut Rng) -> Net {
        let same = Conv2dConfig { padding: [1, 1], ..default() };
        Net {
            conv1: Conv2d::with_config(1, 16, 3, same, rng),
            norm1: BatchNorm2d::new(16),
            conv2: Conv2d::with_config(16, 32, 3, same, rng),
            norm2: BatchNorm2d::new(32),
            hidden: Linear::new(32 * 7 * 7, 128, rng),
            dropout: Dropout::new(0.3, rng),
            head: Linear::new(128, classes, rng),
        }
    }

    pub fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let halve = MaxPool2d::new(2);
        let x = self.norm1.forward(&self.conv1.forward(images, mode), mode).relu();
        let x = halve.forward(&x, mode);
        let x = self.norm2.forward(&self.conv2.forward(&x, mode), mode).relu();
        let x = Flatten.forward(&halve.forward(&x, mode), mode);
        let x = self.hidden.forward(&x, mode).relu();
        self.head.forward(&self.dropout.forward(&x, mode), mode)
    }
}
