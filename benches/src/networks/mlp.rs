//! A perceptron of layers 784-512-256-10, trained by AdamW.

use trueno::prelude::*;

/// Samples per step.
const BATCH: usize = 64;

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let rng = &mut Rng::seed(0);
    let (first, second) = (Linear::new(784, 512, rng), Linear::new(512, 256, rng));
    let mut net = sequential![first, Relu, second, Relu, Linear::new(256, 10, rng)];
    let x = Tensor::from_fn([BATCH, 784], |_| values());
    let labels = Tensor::from_fn([BATCH], |[i]| (i % 10) as i64);
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    move || {
        let loss = cross_entropy(&net.forward(&x, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}
