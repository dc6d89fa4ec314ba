//! Gradients of `fuse!` against those of the operations one by one.

use crate::samples::normal;
use trueno_autograd::prelude::*;
use trueno_autograd::{GradOptions, grads};
use trueno_core::{DType, Result};
use trueno_tensor::prelude::*;
use trueno_tensor::{DynTensor, with_num_threads};

/// The gradients by `inputs`, of a value that is built from them.
fn gradients(
    inputs: &[DynTensor; 3],
    create_graph: bool,
    f: impl Fn([&DynTensor; 3]) -> Result<DynTensor>,
) -> Vec<Vec<u64>> {
    let y = f(inputs.each_ref()).unwrap();
    let seed = normal(y.shape(), 9).detach().cast(y.dtype()).unwrap();
    let options = GradOptions { create_graph, ..Default::default() };
    let found = grads(&[&y], &inputs.each_ref(), &[&seed], options).unwrap();
    found
        .iter()
        .map(|g| g.cast(DType::F64).unwrap().to_vec::<f64>().unwrap().iter().map(|x| x.to_bits()).collect())
        .collect()
}

/// A formula with and without fusion.
macro_rules! pair {
    (|$a:ident, $b:ident, $c:ident| $fused:expr; $plain:expr) => {
        (&|[a, b, c]: [&DynTensor; 3]| fuse!(|$a, $b, $c| $fused).apply([a, b, c]), &|[a, b, c]: [&DynTensor; 3]| {
            let [$a, $b, $c] = [a, b, c].map(|x| Tensor::<f64, 1>::from_dyn(x.clone()).unwrap());
            Ok($plain.into_dyn())
        })
    };
}

type Function<'a> = &'a dyn Fn([&DynTensor; 3]) -> Result<DynTensor>;

#[test]
fn gradients_change_no_bit() {
    let cases: [(Function<'_>, Function<'_>); 4] = [
        pair!(|a, b, c| (a * b + c * 0.5).relu(); (&a * &b + &c * 0.5).relu()),
        pair!(|a, b, c| a / b - (a * c).sigmoid().ln() * b; &a / &b - (&a * &c).sigmoid().ln() * &b),
        pair!(|a, b, c| { let s = a.silu(); s * b + s * c + s.maximum(c) };
            { let s = a.silu(); &s * &b + &s * &c + s.maximum(&c) }),
        pair!(|a, b, c| a.lt(b).select(a.clamp(-0.5, 0.5), b.gelu()) * c;
            a.lt(&b).select(&a.clamp(-0.5, 0.5), &b.gelu()) * &c),
    ];
    // Several blocks and a tail; more than one thread's worth.
    for length in [67, 70_001] {
        let inputs = [0, 1, 2].map(|salt| normal(&[length], salt));
        for (fused, plain) in cases {
            let want = gradients(&inputs, false, plain);
            for threads in [1, 2, 7] {
                let got = with_num_threads(threads, || gradients(&inputs, false, fused));
                assert!(got == want, "{threads} threads");
            }
            assert!(gradients(&inputs, true, fused) == want, "with a graph");
        }
    }
}

#[test]
fn kinks_have_the_gradients_of_their_rows() {
    let x = tensor![-1.0, 0.0, 2.0].requires_grad();
    fuse!(|x| x.relu() + x.abs() + x.maximum(0.0)).call(&x).sum().backward();
    assert_eq!(x.grad().unwrap(), tensor![-1.0, 0.5, 3.0]);
}

#[test]
fn broadcast_operands_and_numbers_get_sums() {
    let (x, w) = (tensor![[1.0, 2.0], [3.0, 4.0]].requires_grad(), tensor![10.0, 20.0].requires_grad());
    let y = fuse!(|x, w| x * w + 1.0).call(&x, &w);
    y.sum().backward();
    assert_eq!(x.grad().unwrap(), tensor![[10.0, 20.0], [10.0, 20.0]]);
    assert_eq!(w.grad().unwrap(), tensor![4.0, 6.0]);
}

#[test]
fn gradients_of_gradients_of_gradients() {
    let x = tensor![0.5_f64, 2.0].requires_grad();
    let options = GradOptions { create_graph: true, ..Default::default() };
    let y = fuse!(|x| x.square().square()).call(&x);
    let ones = DynTensor::full(&[2], DType::F64, 1.0).unwrap();
    let mut derivative = y.into_dyn();
    for want in [[0.5, 32.0], [3.0, 48.0], [12.0, 48.0]] {
        derivative = grads(&[&derivative], &[x.as_dyn()], &[&ones], options).unwrap().remove(0);
        assert_eq!(derivative.to_vec::<f64>().unwrap(), want);
    }
}

#[test]
fn half_precision_has_gradients_of_its_type() {
    let inputs = [0, 1, 2].map(|salt| normal(&[40], salt).detach().cast(DType::F16).unwrap());
    let wide = inputs.each_ref().map(|x| x.cast(DType::F32).unwrap().requires_grad());
    let narrow = inputs.map(|x| x.requires_grad());
    let f = fuse!(|a, b, c| (a * b + c).tanh());
    let by = |inputs: &[DynTensor; 3]| {
        let y = f.apply(inputs.each_ref()).unwrap();
        let seed = normal(&[40], 9).detach().cast(DType::F16).unwrap().cast(y.dtype()).unwrap();
        grads(&[&y], &inputs.each_ref(), &[&seed], Default::default()).unwrap()
    };
    for (got, want) in by(&narrow).iter().zip(&by(&wide)) {
        assert_eq!(got.dtype(), DType::F16);
        assert_eq!(got.to_vec::<trueno_core::f16>().unwrap(), want.cast(DType::F16).unwrap().to_vec().unwrap());
    }
}
