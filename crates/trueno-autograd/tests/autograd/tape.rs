//! The tape itself: leaves, accumulation, hooks, modes, memory, depth.

use crate::samples::normal;
use std::sync::{Arc, Mutex};
use trueno_autograd::{
    Autograd, Backward, BackwardOptions, GradOptions, enable_grad, grad, gradcheck, grads, is_grad_enabled, no_grad,
};
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Result};
use trueno_tensor::{DynTensor, Function, Op, apply};

const RETAIN: BackwardOptions = BackwardOptions { retain_graph: true, create_graph: false };
const CREATE: BackwardOptions = BackwardOptions { retain_graph: false, create_graph: true };

fn vector(elements: &[f64]) -> DynTensor {
    DynTensor::from_slice(elements, &[elements.len()]).unwrap()
}

fn mul(a: &DynTensor, b: &DynTensor) -> DynTensor {
    a.binary(BinaryOp::Mul, b).unwrap()
}

fn add(a: &DynTensor, b: &DynTensor) -> DynTensor {
    a.binary(BinaryOp::Add, b).unwrap()
}

fn sum(x: &DynTensor) -> DynTensor {
    x.reduce(ReduceOp::Sum, &x.all_axes(), false, 0.0).unwrap()
}

fn values(x: &DynTensor) -> Vec<f64> {
    x.to_vec().unwrap()
}

#[test]
fn a_leaf_shares_memory_and_stays_itself() {
    let plain = vector(&[1.0, 2.0]);
    let x = plain.requires_grad();
    assert!(!plain.tracks_gradient() && x.tracks_gradient() && x.is_leaf());
    assert!(!plain.is_unique());
    sum(&x.requires_grad()).backward();
    assert_eq!(values(&x.grad().unwrap()), [1.0, 1.0]);
    let y = mul(&x, &x);
    assert!(y.tracks_gradient() && !y.is_leaf() && y.grad().is_none());
    assert!(!y.detach().tracks_gradient());
    assert!(indices_are_refused());
}

fn indices_are_refused() -> bool {
    DynTensor::from_slice(&[1_i64], &[1]).unwrap().try_requires_grad().unwrap_err().to_string().contains("int64")
}

#[test]
fn gradients_are_given_and_accumulate() {
    let (x, y) = (vector(&[1.0, 2.0]).requires_grad(), vector(&[3.0, 5.0]).requires_grad());
    let untouched = vector(&[0.0]).requires_grad();
    let first = sum(&mul(&x, &y)).backward();
    assert_eq!((values(&first.get(&x).unwrap()), values(&first.get(&y).unwrap())), (vec![3.0, 5.0], vec![1.0, 2.0]));
    assert!(first.get(&untouched).is_none() && untouched.grad().is_none());
    assert_eq!(first.len(), 2);
    let second = sum(&mul(&x, &x)).backward();
    assert_eq!(values(&second.get(&x).unwrap()), [2.0, 4.0]);
    assert_eq!(values(&x.grad().unwrap()), [5.0, 9.0]);
    assert_eq!(values(&first.get(&x).unwrap()), [3.0, 5.0], "what a pass gave is not changed by the next");
    x.zero_grad();
    assert!(x.grad().is_none() && y.grad().is_some());
}

#[test]
fn a_value_used_often_gets_the_sum() {
    let x = vector(&[2.0]).requires_grad();
    let y = mul(&x, &x);
    let z = add(&add(&mul(&y, &x), &y), &x); // x^3 + x^2 + x
    sum(&z).backward();
    assert_eq!(values(&x.grad().unwrap()), [12.0 + 4.0 + 1.0]);
}

#[test]
fn a_seed_starts_from_any_rank() {
    let x = vector(&[1.0, 2.0, 3.0]).requires_grad();
    let y = mul(&x, &x);
    let error = y.try_backward(RETAIN).unwrap_err().to_string();
    assert!(error.contains("[3]") && error.contains("seed"), "{error}");
    assert!(y.try_backward_with(&vector(&[1.0]), RETAIN).unwrap_err().to_string().contains("[1]"));
    y.backward_with(&vector(&[1.0, 0.0, -1.0]));
    assert_eq!(values(&x.grad().unwrap()), [2.0, 0.0, -6.0]);
}

#[test]
fn a_severed_graph_is_loud() {
    let x = vector(&[1.0]).requires_grad();
    for severed in [sum(&x.detach()), no_grad(|| sum(&x))] {
        let error = severed.try_backward(Default::default()).unwrap_err().to_string();
        assert!(error.contains("no path to a leaf"), "{error}");
    }
    assert!(grad(&sum(&x), [&vector(&[1.0])], Default::default()).is_err());
}

#[test]
#[should_panic(expected = "no path to a leaf")]
fn backward_panics_on_a_severed_graph() {
    sum(&vector(&[1.0])).backward();
}

#[test]
fn a_consumed_graph_says_so() {
    let x = vector(&[2.0]).requires_grad();
    let y = sum(&mul(&x, &x));
    y.try_backward(RETAIN).unwrap();
    y.backward();
    assert_eq!(values(&x.grad().unwrap()), [8.0]);
    let error = y.try_backward(Default::default()).unwrap_err().to_string();
    assert!(error.contains("retain_graph"), "{error}");
    let shared = mul(&x, &x);
    sum(&shared).backward();
    assert!(sum(&mul(&shared, &shared)).try_backward(Default::default()).is_err());
    assert_eq!(values(&x.grad().unwrap()), [12.0], "a pass that fails halfway leaves gradients alone");
}

#[test]
fn modes_nest_and_end() {
    let x = vector(&[1.0]).requires_grad();
    assert!(is_grad_enabled());
    no_grad(|| {
        assert!(!is_grad_enabled() && !mul(&x, &x).tracks_gradient());
        enable_grad(|| assert!(mul(&x, &x).tracks_gradient()));
        assert!(vector(&[1.0]).requires_grad().is_leaf());
        assert!(!is_grad_enabled());
    });
    assert!(std::panic::catch_unwind(|| no_grad(|| panic!("on purpose"))).is_err());
    assert!(is_grad_enabled() && mul(&x, &x).tracks_gradient());
    std::thread::spawn(|| assert!(is_grad_enabled())).join().unwrap();
}

#[test]
fn hooks_see_and_replace_gradients() {
    let x = vector(&[1.0, 2.0]).requires_grad();
    let y = mul(&x, &x);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    y.register_hook(move |g| {
        log.lock().unwrap().push(g.to_vec::<f64>().unwrap());
        None
    })
    .unwrap();
    let double = x.register_hook(|g| g.binary_scalar(BinaryOp::Mul, 2.0).ok()).unwrap();
    // The hook on `y` sees the whole gradient once, although two operations take `y`.
    let z = add(&sum(&y), &sum(&y));
    let gradients = z.try_backward(RETAIN).unwrap();
    assert_eq!(*seen.lock().unwrap(), [vec![2.0, 2.0]]);
    assert_eq!(values(&gradients.get(&x).unwrap()), [8.0, 16.0]);
    double.remove();
    x.zero_grad();
    z.backward();
    assert_eq!(values(&x.grad().unwrap()), [4.0, 8.0]);
    assert!(vector(&[1.0]).register_hook(|_| None).is_err());
    let bad = vector(&[1.0, 2.0]).requires_grad();
    bad.register_hook(|_| DynTensor::scalar(1.0).ok()).unwrap();
    assert!(sum(&bad).try_backward(Default::default()).unwrap_err().to_string().contains("hook"));
}

#[test]
fn functional_gradients_touch_no_leaf() {
    let (x, w) = (vector(&[3.0]).requires_grad(), vector(&[2.0]).requires_grad());
    let h = mul(&x, &w);
    let y = sum(&mul(&h, &h));
    let options = GradOptions { retain_graph: true, ..Default::default() };
    let found = grad(&y, [&h, &x], options).unwrap();
    assert_eq!((values(&found[0]), values(&found[1])), (vec![12.0], vec![24.0]));
    assert!(x.grad().is_none() && w.grad().is_none());
    let other = vector(&[1.0]).requires_grad();
    assert!(grad(&y, [&other], options).unwrap_err().to_string().contains("input 0"));
    let unused = grad(&y, [&other], GradOptions { allow_unused: true, ..options }).unwrap();
    assert_eq!(values(&unused[0]), [0.0]);
    let both = grads(&[&y, &sum(&x)], &[&x], &[], options).unwrap();
    assert_eq!(values(&both[0]), [25.0]);
}

#[test]
fn gradients_have_gradients() {
    let x = vector(&[0.7]).requires_grad();
    let y = sum(&mul(&mul(&x, &x), &mul(&x, &x)));
    let first = y.try_backward(CREATE).unwrap().get(&x).unwrap();
    assert!(first.tracks_gradient());
    assert!(!x.grad().unwrap().tracks_gradient(), "what a leaf holds must not hold the leaf");
    let second = sum(&first).try_backward(CREATE).unwrap().get(&x).unwrap();
    let third = sum(&second).backward().get(&x).unwrap();
    let expected = [(first, 4.0 * 0.7_f64.powi(3)), (second, 12.0 * 0.49), (third, 24.0 * 0.7)];
    for (got, want) in expected {
        assert!((values(&got)[0] - want).abs() < 1e-12);
    }
}

#[test]
fn a_long_chain_neither_overflows_backward_nor_in_drop() {
    let x = vector(&[1.0]).requires_grad();
    let chain = |x: &DynTensor| (0..100_000).fold(x.clone(), |y, _| y.unary(UnaryOp::Neg, [0.0; 2]).unwrap());
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let run = move || {
        sum(&chain(&x)).backward();
        assert_eq!(values(&x.grad().unwrap()), [1.0]);
        drop(chain(&x));
        grad(&sum(&chain(&x)), [&x], Default::default()).unwrap();
    };
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn what_was_kept_is_released_on_the_way() {
    let w = vector(&[1.0, 2.0]).requires_grad();
    let x = vector(&[3.0, 4.0]);
    let hidden = mul(&w, &x);
    let y = sum(&hidden.unary(UnaryOp::Exp, [0.0; 2]).unwrap());
    assert!(!w.is_unique() || !x.is_unique());
    let graph = y.try_backward(RETAIN).unwrap();
    assert!(!x.is_unique());
    drop(graph);
    y.backward();
    assert!(w.is_unique() && x.is_unique() && hidden.is_unique());
}

#[test]
fn a_graph_that_is_dropped_releases_what_it_kept() {
    let x = vector(&[3.0, 4.0]);
    let y = sum(&mul(&vector(&[1.0, 2.0]).requires_grad(), &x));
    assert!(!x.is_unique());
    drop(y);
    assert!(x.is_unique());
}

#[test]
fn only_what_gradients_ask_for_is_kept() {
    let x = vector(&[3.0, 4.0]).requires_grad();
    let constant = vector(&[5.0, 6.0]);
    let kept = [mul(&x, &constant), sum(&x), add(&x, &constant), x.reduce(ReduceOp::Mean, &[0], false, 0.0).unwrap()];
    assert!(x.is_unique(), "none of these gradients looks at x");
    assert!(!constant.is_unique());
    drop(kept);
    assert!(constant.is_unique());
}

#[test]
fn parameters_are_updated_in_place_and_stay_leaves() {
    let mut w = vector(&[1.0, 2.0]).requires_grad();
    let gradients = sum(&mul(&w, &w)).backward();
    let address = w.as_slice::<f64>().unwrap().as_ptr();
    let g = gradients.get(&w).unwrap();
    w.update(|value| {
        let step = g.to_vec::<f64>()?;
        value.make_mut::<f64>()?.iter_mut().zip(step).for_each(|(w, g)| *w -= 0.1 * g);
        Ok(())
    })
    .unwrap();
    assert_eq!(values(&w), [0.8, 1.6]);
    assert_eq!(w.as_slice::<f64>().unwrap().as_ptr(), address);
    assert!(w.is_leaf() && w.grad().is_some());
    let failed: Result<()> = w.update(|value| value.slice(&[trueno_core::SliceItem::Index(9)]).map(|_| ()));
    assert!(failed.is_err() && w.is_leaf() && values(&w) == [0.8, 1.6]);
}

#[test]
fn a_change_after_the_fact_does_not_change_gradients() {
    let mut w = vector(&[2.0]).requires_grad();
    let y = sum(&mul(&w, &w));
    let (leaf, x) = (w.clone(), w.grad());
    assert!(x.is_none());
    w.update(|value| value.make_mut::<f64>().map(|elements| elements[0] = 100.0)).unwrap();
    y.backward();
    assert_eq!(values(&leaf.grad().unwrap()), [4.0]);
}

#[test]
fn gradients_can_be_replaced_and_taken() {
    let x = vector(&[1.0]).requires_grad();
    let mut gradients = sum(&mul(&x, &x)).backward();
    let before = gradients.insert(&x, &vector(&[9.0])).unwrap();
    assert_eq!(values(&before), [2.0]);
    assert_eq!(values(&gradients.remove(&x).unwrap()), [9.0]);
    assert!(gradients.is_empty() && gradients.remove(&x).is_none());
    assert!(format!("{:?}", sum(&x).recorder()).contains("sum"));
}

#[test]
fn half_precision_has_gradients_in_its_own_type() {
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let x = vector(&[0.5, 1.0, 2.0]).cast(dtype).unwrap().requires_grad();
        let y = x.unary(UnaryOp::Sigmoid, [0.0; 2]).unwrap().binary(BinaryOp::Div, &x).unwrap();
        let y = y.reduce(ReduceOp::NormL2, &[0], false, 0.0).unwrap();
        for options in [RETAIN, CREATE] {
            let g = y.try_backward(options).unwrap().get(&x).unwrap();
            assert_eq!(g.dtype(), dtype);
        }
        let exact = vector(&[0.5, 1.0, 2.0]).requires_grad();
        let z = exact.unary(UnaryOp::Sigmoid, [0.0; 2]).unwrap().binary(BinaryOp::Div, &exact).unwrap();
        let exact = z.reduce(ReduceOp::NormL2, &[0], false, 0.0).unwrap().backward().get(&exact).unwrap();
        let got = y.backward().get(&x).unwrap().cast(DType::F64).unwrap();
        for (a, b) in values(&got).iter().zip(values(&exact)) {
            assert!((a - b).abs() < 0.02 * b.abs(), "{dtype}: {a} against {b}");
        }
    }
}

/// `x^3`, with a gradient of its own.
#[derive(Debug)]
struct Cube {
    gradients: usize,
}

impl Function for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        assert!(!inputs[0].tracks_gradient());
        Ok(mul(&mul(inputs[0], inputs[0]), inputs[0]))
    }

    fn backward(&self, inputs: &[&DynTensor], output: &DynTensor, g: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        assert_eq!(output.shape(), g.shape());
        let slope = mul(&mul(inputs[0], inputs[0]), &vector(&[3.0]));
        assert_eq!(slope.tracks_gradient(), is_grad_enabled());
        Ok(vec![Some(mul(&slope, g)); self.gradients])
    }
}

#[test]
fn custom_functions_have_the_gradients_they_say() {
    let cube = |x: &[DynTensor]| apply(&Op::Custom(Arc::new(Cube { gradients: 1 })), &[&x[0]]);
    gradcheck(cube, &[normal(&[3], 0)], Default::default()).unwrap();
    trueno_autograd::gradgradcheck(cube, &[normal(&[3], 0)], Default::default()).unwrap();
    let wrong = apply(&Op::Custom(Arc::new(Cube { gradients: 2 })), &[&normal(&[3], 0)]).unwrap();
    let error = sum(&wrong).try_backward(Default::default()).unwrap_err().to_string();
    assert!(error.contains("cube") && error.contains("2 gradients"), "{error}");
}
