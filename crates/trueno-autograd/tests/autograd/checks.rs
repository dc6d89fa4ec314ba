//! gradcheck finds wrong gradients and names the place; gradients obey the laws of differentiation.

use crate::samples::normal;
use proptest::prelude::*;
use std::sync::Arc;
use trueno_autograd::{gradcheck, gradgradcheck, prelude::*};
use trueno_core::Result;
use trueno_core::table::UnaryOp;
use trueno_tensor::prelude::*;
use trueno_tensor::{DynTensor, Function, Op, apply};

/// The identity with a gradient that is wrong for its second element.
#[derive(Debug)]
struct Liar;

impl Function for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }

    fn forward(&self, inputs: &[&DynTensor]) -> Result<DynTensor> {
        Ok(inputs[0].clone())
    }

    fn backward(&self, _: &[&DynTensor], _: &DynTensor, g: &DynTensor) -> Result<Vec<Option<DynTensor>>> {
        let mut elements = g.to_vec::<f64>()?;
        elements[1] *= 3.0;
        Ok(vec![Some(DynTensor::from_slice(&elements, g.shape())?)])
    }
}

#[test]
fn a_wrong_gradient_is_named() {
    let lie = |x: &[DynTensor]| apply(&Op::Custom(Arc::new(Liar)), &[&x[1]]);
    let inputs = [normal(&[3], 0), normal(&[3], 1)];
    let error = gradcheck(lie, &inputs, Default::default()).unwrap_err().to_string();
    for part in ["element 1 of the result", "element 1 of input 1", "is 3,", "differences say"] {
        assert!(error.contains(part), "{error}");
    }
    // Its gradient is a constant for the tape, so the second order is cut, and that is found too.
    assert!(gradgradcheck(lie, &inputs, Default::default()).is_err());
}

#[test]
fn a_cut_graph_is_no_gradient() {
    let cut = |x: &[Tensor<f64, 1>]| Ok(x[0].detach());
    let x = Tensor::from_dyn(normal(&[3], 0)).unwrap();
    let error = gradcheck(cut, &[x], Default::default()).unwrap_err().to_string();
    assert!(error.contains("carries no graph"), "{error}");
    let single = tensor![1.0_f32].requires_grad();
    assert!(gradcheck(|x| Ok(x[0].exp()), &[single], Default::default()).unwrap_err().to_string().contains("float32"));
}

fn elements() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-2.0..2.0_f64, 1..6)
}

/// Rows that are smooth everywhere.
fn smooth() -> impl Strategy<Value = UnaryOp> {
    let rows =
        [UnaryOp::Sin, UnaryOp::Tanh, UnaryOp::Sigmoid, UnaryOp::Square, UnaryOp::Exp, UnaryOp::Gelu, UnaryOp::Mish];
    prop::sample::select(rows.to_vec())
}

type Vector = Tensor<f64, 1>;

fn row(op: UnaryOp, x: &Vector) -> Vector {
    Tensor::from_dyn(x.as_dyn().unary(op, op.default_parameters()).unwrap()).unwrap()
}

/// The gradient of the sum of `f` at some elements.
fn gradient(at: &[f64], f: impl Fn(&Vector) -> Vector) -> Vec<f64> {
    let x = Tensor::from_slice(at, [at.len()]).unwrap().requires_grad();
    f(&x).sum().backward().get(&x).unwrap().to_vec()
}

fn close(a: &[f64], b: impl IntoIterator<Item = f64>) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-10 * b.abs().max(1.0))
}

proptest! {
    #[test]
    fn differentiation_is_linear(at in elements(), f in smooth(), g in smooth(), a in -3.0..3.0_f64, b in -3.0..3.0_f64) {
        let combined = gradient(&at, |x| row(f, x) * a + row(g, x) * b);
        let (by_f, by_g) = (gradient(&at, |x| row(f, x)), gradient(&at, |x| row(g, x)));
        prop_assert!(close(&combined, by_f.iter().zip(&by_g).map(|(f, g)| a * f + b * g)));
    }

    #[test]
    fn chains_multiply(at in elements(), f in smooth(), g in smooth()) {
        let inner: Vec<f64> = at.iter().map(|&x| g.eval(x, g.default_parameters())).collect();
        let chained = gradient(&at, |x| row(f, &row(g, x)));
        let (outer, inner) = (gradient(&inner, |y| row(f, y)), gradient(&at, |x| row(g, x)));
        prop_assert!(close(&chained, outer.iter().zip(&inner).map(|(f, g)| f * g)));
    }

    #[test]
    fn products_follow_leibniz(at in elements(), f in smooth(), g in smooth()) {
        let product = gradient(&at, |x| row(f, x) * row(g, x));
        let value = |op: UnaryOp, x: f64| op.eval(x, op.default_parameters());
        let (by_f, by_g) = (gradient(&at, |x| row(f, x)), gradient(&at, |x| row(g, x)));
        let rule = (0..at.len()).map(|i| by_f[i] * value(g, at[i]) + value(f, at[i]) * by_g[i]);
        prop_assert!(close(&product, rule));
    }
}
