//! A transformer encoder of 6 layers, 384 wide with 6 heads, under a linear classifier of each sequence's mean. Trained by AdamW.

use std::hint::black_box;
use trueno::nn::{TransformerEncoderConfig, TransformerEncoderLayer};
use trueno::prelude::*;

const WIDTH: usize = 384;

#[derive(Module)]
struct Encoder {
    layers: Vec<TransformerEncoderLayer>,
    head: Linear,
}

impl Encoder {
    fn new(rng: &mut Rng) -> Encoder {
        let config = TransformerEncoderConfig { dim_feedforward: 4 * WIDTH, dropout: 0.0, ..default() };
        let layers = (0..6).map(|_| TransformerEncoderLayer::new(WIDTH, 6, config, rng)).collect();
        Encoder { layers, head: Linear::new(WIDTH, 10, rng) }
    }

    fn forward(&self, x: &Tensor<f32, 3>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, mode));
        self.head.forward(&x.mean_axis(1), mode)
    }
}

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let x = Tensor::from_fn([8, 128, WIDTH], |_| values());
    let labels = Tensor::from_fn([8], |[i]| (i % 10) as i64);
    let mut net = Encoder::new(&mut Rng::seed(0));
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    move || {
        let loss = cross_entropy(&net.forward(&x, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}

/// A closure that classifies the same sequence each time.
pub fn inference(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let x = Tensor::from_fn([1, 32, WIDTH], |_| values());
    let net = Encoder::new(&mut Rng::seed(0));
    move || {
        black_box(no_grad(|| net.forward(&x, Mode::Eval)));
    }
}
