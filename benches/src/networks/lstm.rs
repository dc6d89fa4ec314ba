//! A long short-term memory of 256 cells over 64 steps of 128 numbers, under a linear classifier of the last state. Trained by AdamW.

use trueno::nn::Lstm;
use trueno::prelude::*;

#[derive(Module)]
struct Classifier {
    lstm: Lstm,
    head: Linear,
}

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let rng = &mut Rng::seed(0);
    let x = Tensor::from_fn([64, 32, 128], |_| values());
    let labels = Tensor::from_fn([32], |[i]| (i % 10) as i64);
    let mut net = Classifier { lstm: Lstm::new(128, 256, rng), head: Linear::new(256, 10, rng) };
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    move || {
        let (_, (last, _)) = net.lstm.forward(&x, Mode::Train);
        let loss = cross_entropy(&net.head.forward(&last.squeeze(0), Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}
