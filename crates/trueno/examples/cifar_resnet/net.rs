//! Residual networks (He et al., 2016) for images of 32 x 32: a stem of 3 x 3 and no pooling after it.

use trueno::nn::init;
use trueno::prelude::*;

/// A convolution without bias, and its normalisation.
#[derive(Module)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, rng: &mut Rng) -> ConvNorm {
        let config = Conv2dConfig { stride: [stride; 2], padding: [kernel / 2; 2], bias: false, ..default() };
        let mut conv = Conv2d::with_config(inputs, outputs, kernel, config, rng);
        // As torchvision's networks begin: by He et al. (2015), rather than as layers do by themselves.
        let shape = [outputs, inputs, kernel, kernel];
        conv.weight = init::kaiming_normal(shape, init::Fan::Out, init::Nonlinearity::Relu, rng).into();
        ConvNorm { conv, norm: BatchNorm2d::new(outputs) }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        self.norm.forward(&self.conv.forward(x, mode), mode)
    }
}

/// Convolutions beside a shortcut.
#[derive(Module)]
struct Block {
    path: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

impl Block {
    /// From `inputs` channels through these convolutions, of which one has the stride: `(outputs, kernel, stride)`.
    fn new(inputs: usize, convs: &[(usize, usize, usize)], rng: &mut Rng) -> Block {
        let mut path = Vec::new();
        let (mut channels, mut total) = (inputs, 1);
        for &(outputs, kernel, stride) in convs {
            path.push(ConvNorm::new(channels, outputs, kernel, stride, rng));
            (channels, total) = (outputs, total * stride);
        }
        let changes = total != 1 || inputs != channels;
        Block { path, shortcut: changes.then(|| ConvNorm::new(inputs, channels, 1, total, rng)) }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        let mut y = x.clone();
        for (at, conv) in self.path.iter().enumerate() {
            y = conv.forward(&if at > 0 { y.relu() } else { y }, mode);
        }
        match &self.shortcut {
            Some(shortcut) => (y + shortcut.forward(x, mode)).relu(),
            None => (y + x).relu(),
        }
    }
}

/// Images `[N, 3, 32, 32]` to class scores.
#[derive(Module)]
pub struct ResNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet {
    /// Blocks of two convolutions.
    pub fn resnet18(classes: usize, rng: &mut Rng) -> ResNet {
        ResNet::new([2, 2, 2, 2], 1, |width, stride| vec![(width, 3, stride), (width, 3, 1)], classes, rng)
    }

    /// Blocks that narrow, convolve and widen.
    pub fn resnet50(classes: usize, rng: &mut Rng) -> ResNet {
        let bottleneck = |width, stride| vec![(width, 1, 1), (width, 3, stride), (4 * width, 1, 1)];
        ResNet::new([3, 4, 6, 3], 4, bottleneck, classes, rng)
    }

    /// Four stages, each twice as wide as the last and (but the first) at half its resolution.
    fn new(
        depths: [usize; 4],
        expansion: usize,
        convs: impl Fn(usize, usize) -> Vec<(usize, usize, usize)>,
        classes: usize,
        rng: &mut Rng,
    ) -> ResNet {
        let stem = ConvNorm::new(3, 64, 3, 1, rng);
        let (mut blocks, mut channels) = (Vec::new(), 64);
        for (stage, depth) in depths.into_iter().enumerate() {
            let width = 64 << stage;
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(Block::new(channels, &convs(width, stride), rng));
                channels = width * expansion;
            }
        }
        ResNet { stem, blocks, head: Linear::new(channels, classes, rng) }
    }

    pub fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.stem.forward(images, mode).relu();
        let x = self.blocks.iter().fold(x, |x, block| block.forward(&x, mode));
        self.head.forward(&Flatten.forward(&AdaptiveAvgPool2d::new(1).forward(&x, mode), mode), mode)
    }
}
