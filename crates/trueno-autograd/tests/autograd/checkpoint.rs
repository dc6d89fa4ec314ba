//! Checkpointing: the same gradients, with less kept.

use crate::samples::normal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trueno_autograd::{checkpoint, prelude::*};
use trueno_core::Result;
use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_tensor::DynTensor;
use trueno_tensor::prelude::*;

type Vector = Tensor<f64, 1>;

fn layer(x: &Vector, w: &Vector) -> Vector {
    (x * w).tanh()
}

fn vector(salt: usize) -> Vector {
    Tensor::from_dyn(normal(&[4], salt)).unwrap()
}

#[test]
fn gradients_are_those_without_it() {
    let (x, w) = (vector(0), vector(1));
    let plain = layer(&layer(&x, &w), &w).sum().backward();
    for tracked in [true, false] {
        let input = if tracked { x.clone() } else { x.detach() };
        let inner = w.clone();
        let piece = move |x: &[Vector]| Ok(layer(&layer(&x[0], &inner), &inner));
        let gradients = checkpoint(piece, &[&input]).unwrap().sum().backward();
        assert_eq!(gradients.get(&w), plain.get(&w));
        assert_eq!(gradients.get(&x), plain.get(&x).filter(|_| tracked));
    }
}

#[test]
fn pieces_nest() {
    let (x, w) = (vector(0), vector(1));
    let plain = layer(&layer(&x, &w), &w).sum().backward();
    let outer = {
        let w = w.clone();
        move |x: &[Vector]| {
            let inner = w.clone();
            let hidden = checkpoint(move |x: &[Vector]| Ok(layer(&x[0], &inner)), &[&x[0]])?;
            Ok(layer(&hidden, &w))
        }
    };
    let gradients = checkpoint(outer, &[&x]).unwrap().sum().backward();
    assert_eq!((gradients.get(&w), gradients.get(&x)), (plain.get(&w), plain.get(&x)));
}

#[test]
fn the_function_runs_again_and_keeps_nothing_meanwhile() {
    let calls = Arc::new(AtomicUsize::new(0));
    let x = vector(0);
    let kept = Arc::new(std::sync::Mutex::new(None::<DynTensor>));
    let (count, keep) = (calls.clone(), kept.clone());
    let piece = move |x: &[Vector]| {
        count.fetch_add(1, Ordering::Relaxed);
        let hidden = x[0].exp();
        *keep.lock().unwrap() = Some(hidden.as_dyn().detach());
        Ok(&hidden * &hidden)
    };
    let y = checkpoint(piece, &[&x]).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(kept.lock().unwrap().take().unwrap().is_unique(), "nobody keeps what was computed on the way");
    y.sum().backward();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert!(no_grad(|| checkpoint(|x: &[Vector]| Ok(x[0].exp()), &[&x])).unwrap().as_dyn().recorder().is_none());
}

#[test]
fn nothing_tracked_is_nothing_recorded() {
    let y = checkpoint(|x: &[Vector]| Ok(x[0].exp()), &[&vector(0).detach()]).unwrap();
    assert!(!y.tracks_gradient());
}

#[test]
fn a_function_that_changes_its_mind_is_an_error() {
    let calls = AtomicUsize::new(0);
    let fickle = move |x: &[DynTensor]| -> Result<DynTensor> {
        let y = x[0].unary(UnaryOp::Exp, [0.0; 2])?;
        if calls.fetch_add(1, Ordering::Relaxed) == 0 { Ok(y) } else { y.narrow(0, 0, 1) }
    };
    let y = checkpoint(fickle, &[&normal(&[3], 0)]).unwrap();
    let error = y.reduce(ReduceOp::Sum, &[0], false, 0.0).unwrap().try_backward(Default::default()).unwrap_err();
    assert!(error.to_string().contains("called again"), "{error}");
}

#[test]
fn errors_of_the_function_come_through() {
    let bad = |x: &[DynTensor]| x[0].binary(BinaryOp::Add, &DynTensor::zeros(&[2], x[0].dtype())?);
    assert!(checkpoint(bad, &[&normal(&[3], 0)]).is_err());
}
