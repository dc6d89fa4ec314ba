//! A case of the fixture, and what is compared with it.

use std::marker::PhantomData;
use trueno_autograd::Autograd;
use trueno_core::{DType, Float};
use trueno_nn::tensor::{DynTensor, Tensor};
use trueno_nn::*;

pub fn fixture() -> StateDict {
    StateDict::load_safetensors(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nn.safetensors")).unwrap()
}

/// How far from PyTorch's `float64` a result may be, relative to `max(|value|, 1)`.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::F64 => 1e-10,
        other => panic!("{other} is not compared"),
    }
}

/// Makes tests of functions that are generic over the float type.
macro_rules! in_both_types {
    ($($name:ident),+ $(,)?) => {
        mod single {
            $(#[test] fn $name() { super::$name::<f32>(); })+
        }
        mod double {
            $(#[test] fn $name() { super::$name::<f64>(); })+
        }
    };
}
pub(crate) use in_both_types;

/// One case of the fixture, for one type.
pub struct Case<T> {
    name: String,
    tensors: StateDict,
    float: PhantomData<T>,
}

impl<T: Float> Case<T> {
    pub fn new(name: &str) -> Case<T> {
        let tensors = fixture().under(name);
        assert!(!tensors.is_empty(), "no case `{name}`");
        Case { name: name.to_owned(), tensors, float: PhantomData }
    }

    fn kept(&self, name: &str) -> &DynTensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no `{name}`", self.name))
    }

    /// A tensor in this case's float type.
    pub fn get<const N: usize>(&self, name: &str) -> Tensor<T, N> {
        Tensor::from_dyn(self.kept(name).cast(T::DTYPE).unwrap()).unwrap()
    }

    /// A tensor of positions.
    pub fn positions<const N: usize>(&self, name: &str) -> Tensor<i64, N> {
        Tensor::from_dyn(self.kept(name).clone()).unwrap()
    }

    #[track_caller]
    fn assert_close(&self, name: &str, found: &DynTensor) {
        let expected = self.kept(name);
        assert_eq!(found.shape(), expected.shape(), "{}.{name}", self.name);
        let dtype = if expected.dtype().is_float() { T::DTYPE } else { expected.dtype() };
        assert_eq!(found.dtype(), dtype, "{}.{name}", self.name);
        let values = |x: &DynTensor| x.detach().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        for (found, expected) in values(found).into_iter().zip(values(expected)) {
            let error = (found - expected).abs() / expected.abs().max(1.0);
            let same = error <= tolerance(T::DTYPE);
            assert!(same, "{}.{name} in {}: {found} and not {expected}", self.name, T::DTYPE);
        }
    }

    /// Loads the case's state dict, whose names must be the module's, and runs its steps one after another.
    pub fn check<M, const I: usize, const O: usize>(&self, module: M)
    where
        M: Layer<Tensor<T, I>, Output = Tensor<T, O>>,
    {
        let input = |step| self.get::<I>(&format!("{step}.x")).requires_grad();
        self.check_steps(module, input, |x| x.grad().map(Tensor::into_dyn));
    }

    /// The same for a layer that takes positions, which have no gradient.
    pub fn check_positions<M, const I: usize, const O: usize>(&self, module: M)
    where
        M: Layer<Tensor<i64, I>, Output = Tensor<T, O>>,
    {
        self.check_steps(module, |step| self.positions::<I>(&format!("{step}.x")), |_| None);
    }

    fn check_steps<M, X, const O: usize>(
        &self,
        mut module: M,
        input: impl Fn(usize) -> X,
        gradient: impl Fn(&X) -> Option<DynTensor>,
    ) where
        M: Layer<X, Output = Tensor<T, O>>,
    {
        let mode = if self.name.ends_with(".eval") { Mode::Eval } else { Mode::Train };
        let state = self.tensors.under("state");
        let mut names: [Vec<String>; 2] =
            [&module.state_dict(), &state].map(|dict| dict.keys().map(String::from).collect());
        names.iter_mut().for_each(|names| names.sort());
        assert_eq!(names[0], names[1], "{}", self.name);
        module.load_state_dict(&state, true).unwrap();
        for step in (0..).take_while(|step| self.tensors.contains_key(&format!("{step}.x"))) {
            module.zero_grad();
            let x = input(step);
            let y = module.forward(&x, mode);
            self.assert_close(&format!("{step}.out"), y.as_dyn());
            if y.tracks_gradient() {
                y.backward_with(&self.get(&format!("{step}.g")));
            }
            if let Some(grad) = gradient(&x) {
                self.assert_close(&format!("{step}.grad_x"), &grad);
            }
            for (name, value) in module.named_parameters() {
                self.assert_close(&format!("{step}.grad.{name}"), &value.grad().unwrap());
            }
            for (name, value) in module.named_buffers() {
                self.assert_close(&format!("{step}.after.{name}"), &value);
            }
        }
    }

    /// Runs a loss on `x`, and its gradient.
    pub fn check_loss<const N: usize, const O: usize>(&self, loss: impl Fn(&Tensor<T, N>) -> Tensor<T, O>) {
        let x = self.get::<N>("x").requires_grad();
        let out = loss(&x);
        self.assert_close("out", out.as_dyn());
        out.backward_with(&out.ones_like());
        self.assert_close("grad_x", x.grad().unwrap().as_dyn());
    }
}
