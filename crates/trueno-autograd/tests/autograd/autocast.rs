//! Gradients of what was computed under autocast.

use trueno_autograd::{BackwardOptions, GradOptions, checkpoint, grad, prelude::*};
use trueno_core::DType;
use trueno_tensor::{Rng, autocast, prelude::*};

type Matrix = Tensor<f32, 2>;

fn random(shape: [usize; 2], seed: u64) -> Matrix {
    Rng::seed(seed).uniform(shape, -1.0, 1.0)
}

/// Products, something that is as narrow as they are, and something that is not.
fn network(x: &Matrix, [first, second]: [&Matrix; 2]) -> Tensor<f32, 0> {
    let hidden = x.matmul(first).relu();
    (hidden.matmul(second) + 0.5).softmax(1).ln().mean()
}

fn parameters() -> [Matrix; 2] {
    [random([6, 8], 1).requires_grad(), random([8, 5], 2).requires_grad()]
}

fn worst(a: &Matrix, b: &Matrix) -> f32 {
    let largest = b.abs().max().item();
    (a - b).abs().max().item() / largest
}

#[test]
fn gradients_are_whole_and_near_those_of_single_precision() {
    let x = random([7, 6], 3);
    for (half, limit) in [(DType::F16, 3e-3), (DType::BF16, 3e-2)] {
        let [first, second] = parameters();
        network(&x, [&first, &second]).backward();
        let expected = [first.grad().unwrap(), second.grad().unwrap()];
        let [first, second] = parameters();
        let loss = autocast(half, || network(&x, [&first, &second]));
        assert_eq!(loss.storage_dtype(), DType::F32);
        // Twice along one graph.
        let options = BackwardOptions { retain_graph: true, ..Default::default() };
        let once = loss.try_backward(options).unwrap();
        let twice = loss.backward();
        for (parameter, expected) in [first, second].iter().zip(&expected) {
            let gradient = once.get(parameter).unwrap();
            assert_eq!(gradient.storage_dtype(), DType::F32);
            assert!(gradient.as_slice().is_some());
            let apart = worst(&gradient, expected);
            assert!(0.0 < apart && apart < limit, "{half}: {apart}");
            assert_eq!(twice.get(parameter).unwrap(), gradient);
            assert_eq!(parameter.storage_dtype(), DType::F32, "parameters are whole");
        }
    }
}

#[test]
fn a_backward_pass_inside_a_region_is_that_outside() {
    let x = random([7, 6], 3);
    let run = |inside: bool| {
        let [first, second] = parameters();
        if inside {
            autocast(DType::F16, || network(&x, [&first, &second]).backward());
        } else {
            autocast(DType::F16, || network(&x, [&first, &second])).backward();
        }
        [first.grad().unwrap(), second.grad().unwrap()]
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_checkpointed_piece_runs_again_in_the_same_precision() {
    let x = random([7, 6], 3).requires_grad();
    for precision in [DType::F32, DType::F16] {
        let [first, second] = parameters();
        autocast(precision, || network(&x, [&first, &second])).backward();
        let expected = [first.grad().unwrap(), second.grad().unwrap()];
        let [first, second] = parameters();
        let closed = [first.clone(), second.clone()];
        let piece = move |x: &[Matrix]| Ok(network(&x[0], closed.each_ref()));
        let loss = autocast(precision, || checkpoint(piece, &[&x])).unwrap();
        // Whatever region the backward pass is called in.
        autocast(DType::BF16, || loss.backward());
        assert_eq!([first.grad().unwrap(), second.grad().unwrap()], expected, "{precision}");
    }
}

#[test]
fn gradients_of_gradients_go_through_narrow_values() {
    let x = random([7, 6], 3);
    let second_order = |precision: DType| {
        let [first, second] = parameters();
        let loss = autocast(precision, || network(&x, [&first, &second]));
        let options = GradOptions { create_graph: true, ..Default::default() };
        let [by_first] = grad(&loss, [&first], options).unwrap();
        (&by_first * &by_first).sum().backward();
        second.grad().unwrap()
    };
    let (whole, narrow) = (second_order(DType::F32), second_order(DType::F16));
    assert_eq!(narrow.storage_dtype(), DType::F32);
    let apart = worst(&narrow, &whole);
    assert!(0.0 < apart && apart < 2e-2, "{apart}");
}
