//! One training step of the MNIST example's network: forward, loss, backward, SGD with momentum.

use trueno::prelude::*;

/// Images per step.
const BATCH: usize = 64;

/// The network that the example trains, so that what is timed is what users run.
#[path = "../../../crates/trueno/examples/mnist/net.rs"]
mod net;
use net::Net;

/// A closure that takes one step on the same batch each time.
pub fn step(mut values: impl FnMut() -> f32) -> impl FnMut() {
    let images = Tensor::from_fn([BATCH, 1, 28, 28], |_| values());
    let labels = Tensor::from_fn([BATCH], |[i]| (i % 10) as i64);
    let mut net = Net::new(10, &mut Rng::seed(0));
    let mut optimizer = Sgd::new(&net, SgdConfig { lr: 1e-3, momentum: 0.9, ..default() });
    move || {
        let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
    }
}
