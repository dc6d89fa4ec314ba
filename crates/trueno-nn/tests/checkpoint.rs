//! Checkpointed layers in training: the same masks, statistics that move once, and the same gradients bit for bit.

use std::sync::Arc;
use trueno_autograd::{Autograd, Backward, checkpoint};
use trueno_core::Float;
use trueno_nn::tensor::{DynTensor, Tensor};
use trueno_nn::*;

type Block<T> = Sequential<(Linear<T>, BatchNorm1d<T>, Relu, Dropout, Linear<T>, Dropout)>;
type Matrix<T> = Tensor<T, 2>;

#[derive(Clone, Module)]
struct Net<T: Float> {
    first: Arc<Block<T>>,
    second: Arc<Block<T>>,
}

impl<T: Float> Net<T> {
    fn new(seed: u64) -> Net<T> {
        let rng = &mut Rng::seed(seed);
        let mut block = || {
            let (inner, outer) = (Linear::new(4, 8, rng), Linear::new(8, 4, rng));
            let drops = [Dropout::new(0.5, rng), Dropout::new(0.25, rng)];
            let [a, b] = drops;
            Arc::new(sequential![inner, BatchNorm1d::new(8), Relu, a, outer, b])
        };
        Net { first: block(), second: block() }
    }

    fn plain(&self, x: &Matrix<T>) -> Matrix<T> {
        self.second.forward(&self.first.forward(x, Mode::Train), Mode::Train)
    }

    /// Each block is a piece of its own.
    fn pieces(&self, x: &Matrix<T>) -> Matrix<T> {
        [&self.first, &self.second].into_iter().fold(x.clone(), |x, block| {
            let block = block.clone();
            checkpoint(move |x: &[Matrix<T>]| block.try_forward(&x[0], Mode::Train), &[&x]).unwrap()
        })
    }

    /// Both blocks are a piece, and within it each is one again.
    fn nested(&self, x: &Matrix<T>) -> Matrix<T> {
        let (first, second) = (self.first.clone(), self.second.clone());
        let outer = move |x: &[Matrix<T>]| {
            let inner = first.clone();
            let hidden = checkpoint(move |x: &[Matrix<T>]| inner.try_forward(&x[0], Mode::Train), &[&x[0]])?;
            second.try_forward(&hidden, Mode::Train)
        };
        checkpoint(outer, &[x]).unwrap()
    }
}

/// Loss, gradients, and everything the steps left behind, after some steps.
fn run<T: Float>(forward: impl Fn(&Net<T>, &Matrix<T>) -> Matrix<T>) -> Vec<Vec<f64>> {
    let net = Net::<T>::new(3);
    let x = Tensor::randn([16, 4], &mut Rng::seed(5)).requires_grad();
    let values = |x: &DynTensor| x.detach().cast(trueno_core::DType::F64).unwrap().to_vec::<f64>().unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let y = forward(&net, &x);
        let loss = (&y * &y).sum();
        let gradients = loss.backward();
        seen.push(values(loss.as_dyn()));
        seen.push(values(gradients.get(&x).unwrap().as_dyn()));
        seen.extend(net.parameters().iter().map(|parameter| values(&gradients.get(parameter).unwrap())));
        seen.extend(net.named_buffers().iter().map(|(_, buffer)| values(buffer)));
        seen.extend(net.rng_state_dict().iter().map(|(_, state)| values(state)));
    }
    seen
}

#[test]
fn training_is_the_same_bit_for_bit_with_and_without_checkpoints() {
    fn check<T: Float>() {
        let plain = run::<T>(Net::plain);
        assert!(run::<T>(Net::pieces) == plain);
        assert!(run::<T>(Net::nested) == plain);
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn statistics_move_once_and_streams_advance_once() {
    let net = Net::<f32>::new(0);
    let x = Tensor::randn([16, 4], &mut Rng::seed(1));
    let batches = || net.state_dict().get("first.1.num_batches_tracked").unwrap().item::<i64>().unwrap();
    let calls = || net.rng_state_dict().get("second.3.rng").unwrap().to_vec::<i64>().unwrap()[1];
    let y = net.nested(&x);
    assert_eq!((batches(), calls()), (1, 1));
    y.sum().backward();
    assert_eq!((batches(), calls()), (1, 1));
}

#[test]
fn a_module_in_an_arc_is_changed_when_nothing_else_holds_it() {
    let mut net = Net::<f32>::new(0);
    let loss = net.pieces(&Tensor::ones([16, 4])).sum();
    let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| net.freeze()));
    let message = *held.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("while something else holds it"), "{message}");
    loss.backward();
    net.freeze();
    assert!(net.first.0.0.weight.is_frozen());
}
