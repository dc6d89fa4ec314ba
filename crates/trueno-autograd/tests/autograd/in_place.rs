//! Tracked values are overwritten only where nothing is recorded, and keep their place in the graph.

use std::panic::{AssertUnwindSafe, catch_unwind};
use trueno_autograd::prelude::*;
use trueno_tensor::prelude::*;

fn refusal(work: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(work)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn an_update_without_recording_keeps_the_leaf() {
    let mut w = tensor![1.0, -2.0].requires_grad();
    let shared = w.clone();
    for step in 0..2 {
        w.zero_grad();
        (&w * &w).sum().backward();
        let gradient = w.grad().unwrap();
        let before = w.detach();
        assert_eq!(gradient, &before * 2.0, "step {step}");
        no_grad(|| w -= &gradient * 0.25);
        assert_eq!(w.detach(), before * 0.5);
        assert!(w.is_leaf());
    }
    no_grad(|| _ = w.relu_());
    assert!(w.is_leaf());
    assert_eq!((w.detach(), shared.detach()), (tensor![0.25, 0.0], tensor![1.0, -2.0]));
    w.zero_grad();
    (&w * 3.0).sum().backward();
    assert_eq!(w.grad(), Some(tensor![3.0, 3.0]));
}

#[test]
fn an_update_that_would_be_recorded_is_refused() {
    let mut w = tensor![1.0, -2.0].requires_grad();
    let refusals = [
        refusal(|| w += 1.0),
        refusal(|| w -= tensor![1.0, 1.0]),
        refusal(|| w *= 2.0),
        refusal(|| w /= 2.0),
        refusal(|| _ = w.relu_()),
    ];
    for message in refusals {
        assert!(message.contains("x = &x + y") && message.contains("no_grad"), "{message}");
    }
    assert!(w.is_leaf());
    assert_eq!(w.detach(), tensor![1.0, -2.0]);
}

#[test]
fn a_sum_of_losses_is_recorded() {
    let w = tensor![1.0, -2.0].requires_grad();
    let mut total = Tensor::scalar(0.0_f32);
    for factor in [1.0, 2.0, 3.0] {
        total += (&w * factor).sum();
    }
    total *= 0.5;
    total.backward();
    assert_eq!(w.grad(), Some(tensor![3.0, 3.0]));
}
