//! MobileNetV2 (Sandler et al., 2018) for images of 224 x 224.

use std::hint::black_box;
use trueno::prelude::*;

/// A convolution and its normalisation.
#[derive(Module)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new([inputs, outputs]: [usize; 2], kernel: usize, stride: usize, groups: usize, rng: &mut Rng) -> ConvNorm {
        let config = Conv2dConfig { stride: [stride; 2], padding: [kernel / 2; 2], groups, bias: false, ..default() };
        ConvNorm { conv: Conv2d::with_config(inputs, outputs, kernel, config, rng), norm: BatchNorm2d::new(outputs) }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        self.norm.forward(&self.conv.forward(x, mode), mode)
    }
}

/// `min(max(x, 0), 6)`.
fn relu6(x: Tensor<f32, 4>) -> Tensor<f32, 4> {
    x.clamp(0.0, 6.0)
}

/// Expands the channels, mixes pixels channel by channel, and projects to few channels again.
#[derive(Module)]
struct InvertedResidual {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    #[module(skip)]
    adds: bool,
}

impl InvertedResidual {
    fn new(inputs: usize, outputs: usize, stride: usize, factor: usize, rng: &mut Rng) -> InvertedResidual {
        let hidden = inputs * factor;
        InvertedResidual {
            expand: (factor > 1).then(|| ConvNorm::new([inputs, hidden], 1, 1, 1, rng)),
            depthwise: ConvNorm::new([hidden, hidden], 3, stride, hidden, rng),
            project: ConvNorm::new([hidden, outputs], 1, 1, 1, rng),
            adds: stride == 1 && inputs == outputs,
        }
    }

    fn forward(&self, x: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 4> {
        let y = match &self.expand {
            Some(expand) => relu6(expand.forward(x, mode)),
            None => x.clone(),
        };
        let y = self.project.forward(&relu6(self.depthwise.forward(&y, mode)), mode);
        if self.adds { y + x } else { y }
    }
}

#[derive(Module)]
struct MobileNetV2 {
    stem: ConvNorm,
    blocks: Vec<InvertedResidual>,
    last: ConvNorm,
    classifier: Linear,
}

impl MobileNetV2 {
    fn new(rng: &mut Rng) -> MobileNetV2 {
        let mut blocks = Vec::new();
        let mut inputs = 32;
        // Expansion, channels, blocks and stride of the first of them: table 2 of the paper.
        for (factor, outputs, count, stride) in
            [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
        {
            for index in 0..count {
                let stride = if index == 0 { stride } else { 1 };
                blocks.push(InvertedResidual::new(inputs, outputs, stride, factor, rng));
                inputs = outputs;
            }
        }
        MobileNetV2 {
            stem: ConvNorm::new([3, 32], 3, 2, 1, rng),
            blocks,
            last: ConvNorm::new([inputs, 1280], 1, 1, 1, rng),
            classifier: Linear::new(1280, 1000, rng),
        }
    }

    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = relu6(self.stem.forward(images, mode));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(&x, mode));
        let x = AdaptiveAvgPool2d::new(1).forward(&relu6(self.last.forward(&x, mode)), mode);
        self.classifier.forward(&Flatten.forward(&x, mode), mode)
    }
}

/// A closure that classifies the same image each time.
pub fn inference(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let image = Tensor::from_fn([1, 3, 224, 224], |_| values());
    let net = MobileNetV2::new(&mut Rng::seed(0));
    move || {
        black_box(no_grad(|| net.forward(&image, Mode::Eval)));
    }
}
