//! Layers and losses give what PyTorch gives: values, gradients, running statistics, names.

use trueno_autograd::{Autograd, Backward};
use trueno_core::Element;
use trueno_nn::loss::{self, BceWithLogitsConfig, CrossEntropyConfig, Reduction};
use trueno_nn::tensor::{DynTensor, Tensor};
use trueno_nn::*;

/// Float32 against float64, relative to `max(|value|, 1)`.
const TOLERANCE: f64 = 1e-5;

fn fixture() -> StateDict {
    StateDict::load_safetensors(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nn.safetensors")).unwrap()
}

/// One case of the fixture.
struct Case {
    name: String,
    tensors: StateDict,
}

impl Case {
    fn new(name: &str) -> Case {
        let tensors = fixture().under(name);
        assert!(!tensors.is_empty(), "no case `{name}`");
        Case { name: name.to_owned(), tensors }
    }

    fn get<T: Element, const N: usize>(&self, name: &str) -> Tensor<T, N> {
        let value = self.tensors.get(name).unwrap_or_else(|| panic!("{}: no `{name}`", self.name));
        Tensor::from_dyn(value.clone()).unwrap()
    }

    #[track_caller]
    fn assert_close(&self, name: &str, found: &DynTensor) {
        let expected = self.tensors.get(name).unwrap_or_else(|| panic!("{}: no `{name}`", self.name));
        assert_eq!(found.shape(), expected.shape(), "{}.{name}", self.name);
        assert_eq!(found.dtype(), expected.dtype(), "{}.{name}", self.name);
        let values = |x: &DynTensor| x.detach().cast(trueno_core::DType::F64).unwrap().to_vec::<f64>().unwrap();
        for (found, expected) in values(found).into_iter().zip(values(expected)) {
            let error = (found - expected).abs() / expected.abs().max(1.0);
            assert!(error <= TOLERANCE, "{}.{name}: {found} and not {expected}", self.name);
        }
    }

    /// Loads the case's state dict, whose names must be the module's, and runs its steps one after another.
    fn check<M, const I: usize, const O: usize>(&self, module: M)
    where
        M: Layer<Tensor<f32, I>, Output = Tensor<f32, O>>,
    {
        self.check_steps(module, |step| self.get::<f32, I>(&format!("{step}.x")).leaf());
    }

    fn check_steps<M, X, const O: usize>(&self, mut module: M, input: impl Fn(usize) -> X)
    where
        M: Layer<X, Output = Tensor<f32, O>>,
        X: Leaf,
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
            if let Some(grad) = x.gradient() {
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

    /// Runs a loss on `x` and `target`, and its gradient.
    fn check_loss<T: Element, const N: usize, const M: usize, const O: usize>(
        &self,
        loss: impl Fn(&Tensor<f32, N>, &Tensor<T, M>) -> Tensor<f32, O>,
    ) {
        let x = self.get::<f32, N>("x").leaf();
        let out = loss(&x, &self.get("target"));
        self.assert_close("out", out.as_dyn());
        out.backward_with(&out.ones_like());
        self.assert_close("grad_x", &x.gradient().unwrap());
    }
}

/// Inputs as leaves, where they can be.
trait Leaf {
    fn gradient(&self) -> Option<DynTensor>;
    fn leaf(self) -> Self;
}

impl<const N: usize> Leaf for Tensor<f32, N> {
    fn gradient(&self) -> Option<DynTensor> {
        self.grad().map(Tensor::into_dyn)
    }

    fn leaf(self) -> Self {
        self.requires_grad()
    }
}

impl<const N: usize> Leaf for Tensor<i64, N> {
    fn gradient(&self) -> Option<DynTensor> {
        None
    }

    fn leaf(self) -> Self {
        self
    }
}

fn rng() -> Rng {
    Rng::seed(1)
}

#[test]
fn linear() {
    Case::new("linear").check::<_, 2, 2>(Linear::new(3, 4, &mut rng()));
    Case::new("linear.no_bias").check::<_, 2, 2>(Linear::without_bias(3, 4, &mut rng()));
    Case::new("linear.vector").check::<_, 1, 1>(Linear::new(3, 4, &mut rng()));
    Case::new("linear.batched").check::<_, 3, 3>(Linear::new(3, 4, &mut rng()));
}

#[test]
fn conv2d() {
    let case = |name: &str, layer: Conv2d| Case::new(&format!("conv2d.{name}")).check(layer);
    let default = Conv2dConfig::default();
    case("plain", Conv2d::new(2, 3, 3, &mut rng()));
    let padded = Conv2dConfig { stride: [2, 2], padding: [1, 1], ..default };
    case("padded", Conv2d::with_config(2, 3, 3, padded, &mut rng()));
    let oblong = Conv2dConfig { stride: [1, 2], padding: [1, 0], dilation: [2, 1], ..default };
    case("oblong", Conv2d::with_config(1, 2, (3, 2), oblong, &mut rng()));
    let grouped = Conv2dConfig { padding: [1, 1], groups: 2, bias: false, ..default };
    case("grouped", Conv2d::with_config(4, 6, 3, grouped, &mut rng()));
    let depthwise = Conv2dConfig { padding: [1, 1], groups: 3, ..default };
    case("depthwise", Conv2d::with_config(3, 3, 3, depthwise, &mut rng()));
}

#[test]
fn batch_norm_in_training_and_evaluation() {
    let cumulative = BatchNormConfig { momentum: None, ..BatchNormConfig::default() };
    let plain = BatchNormConfig { eps: 1e-3, momentum: Some(0.3), affine: false };
    for mode in ["train", "eval"] {
        let case = |name: &str| Case::new(&format!("{name}.{mode}"));
        case("batch_norm1d").check::<_, 2, 2>(BatchNorm1d::new(3));
        case("batch_norm1d.length").check::<_, 3, 3>(BatchNorm1d::new(3));
        case("batch_norm1d.cumulative").check::<_, 2, 2>(BatchNorm1d::with_config(3, cumulative));
        case("batch_norm2d").check(BatchNorm2d::new(2));
        case("batch_norm2d.plain").check(BatchNorm2d::with_config(2, plain));
    }
}

#[test]
fn layer_norm() {
    Case::new("layer_norm").check::<_, 3, 3>(LayerNorm::new([5]));
    Case::new("layer_norm.two_axes").check::<_, 3, 3>(LayerNorm::new([3, 5]));
    let plain = LayerNormConfig { eps: 1e-3, affine: false };
    Case::new("layer_norm.plain").check::<_, 2, 2>(LayerNorm::with_config([5], plain));
}

#[test]
fn embedding() {
    let case = Case::new("embedding");
    case.check_steps(Embedding::new(7, 3, &mut rng()), |step| case.get::<i64, 2>(&format!("{step}.x")));
}

#[test]
fn pooling_and_flatten() {
    let padded = PoolConfig { stride: Some([2, 1]), padding: [1, 1] };
    Case::new("max_pool2d").check(MaxPool2d::new(2));
    Case::new("max_pool2d.padded").check(MaxPool2d::with_config((3, 2), padded));
    Case::new("avg_pool2d").check(AvgPool2d::new(2));
    Case::new("avg_pool2d.padded").check(AvgPool2d::with_config((3, 2), padded));
    Case::new("adaptive_avg_pool2d").check(AdaptiveAvgPool2d::new((3, 4)));
    Case::new("adaptive_avg_pool2d.one").check(AdaptiveAvgPool2d::new(1));
    Case::new("flatten").check::<_, 4, 2>(Flatten);
}

#[test]
fn activations() {
    fn case(name: &str, layer: impl Layer<Tensor<f32, 2>, Output = Tensor<f32, 2>>) {
        Case::new(name).check(layer);
    }
    case("relu", Relu);
    case("leaky_relu", LeakyRelu { negative_slope: 0.2 });
    case("elu", Elu { alpha: 0.7 });
    case("selu", Selu);
    case("gelu", Gelu);
    case("gelu_tanh", GeluTanh);
    case("silu", Silu);
    case("softplus", Softplus { beta: 2.0, threshold: 3.0 });
    case("mish", Mish);
    case("hardswish", Hardswish);
    case("hardsigmoid", Hardsigmoid);
    case("sigmoid", Sigmoid);
    case("tanh", Tanh);
    case("softmax", Softmax { axis: 1 });
    case("log_softmax", LogSoftmax { axis: -1 });
    assert_eq!(LeakyRelu::default().negative_slope, 0.01);
    assert_eq!((Softplus::default().beta, Softplus::default().threshold), (1.0, 20.0));
}

#[test]
fn a_sequence_of_layers() {
    let padded = Conv2dConfig { padding: [1, 1], ..Conv2dConfig::default() };
    let net = sequential![
        Conv2d::with_config(1, 2, 3, padded, &mut rng()),
        BatchNorm2d::new(2),
        Relu,
        MaxPool2d::new(2),
        Flatten,
        Linear::new(8, 3, &mut rng()),
    ];
    Case::new("sequential").check::<_, 4, 2>(net);
}

#[test]
fn cross_entropy_of_labels() {
    let default = CrossEntropyConfig::default();
    let ignored = Case::new("cross_entropy.mean").get::<i64, 1>("target").to_vec()[0];
    for (name, config) in [
        ("mean", default),
        ("sum", CrossEntropyConfig { reduction: Reduction::Sum, ..default }),
        ("smoothed", CrossEntropyConfig { label_smoothing: 0.1, ..default }),
        ("ignored", CrossEntropyConfig { label_smoothing: 0.2, ignore_index: Some(ignored), ..default }),
    ] {
        let loss = |x: &Tensor<f32, 2>, labels: &Tensor<i64, 1>| cross_entropy_with(x, labels, config);
        Case::new(&format!("cross_entropy.{name}")).check_loss(loss);
    }
    Case::new("cross_entropy.mean").check_loss(cross_entropy);
    Case::new("cross_entropy.none").check_loss(|x, labels| loss::cross_entropy_unreduced(x, labels).unwrap());
    Case::new("nll_loss.mean").check_loss(nll_loss);
}

#[test]
fn losses_of_numbers_and_of_yes_and_no() {
    for (name, reduction) in [("mean", Reduction::Mean), ("sum", Reduction::Sum)] {
        let case = |loss: &str| Case::new(&format!("{loss}.{name}"));
        case("mse_loss").check_loss::<f32, 2, 2, 0>(|x, t| loss::mse_loss_with(x, t, reduction));
        case("l1_loss").check_loss::<f32, 2, 2, 0>(|x, t| loss::l1_loss_with(x, t, reduction));
        case("bce").check_loss::<f32, 2, 2, 0>(|x, t| loss::bce_with(x, t, reduction));
        let plain = BceWithLogitsConfig { reduction, pos_weight: None };
        case("bce_with_logits").check_loss::<f32, 2, 2, 0>(|x, t| loss::bce_with_logits_with(x, t, &plain));
        let weighted = Case::new(&format!("bce_with_logits.weighted_{name}"));
        let config = BceWithLogitsConfig { reduction, pos_weight: Some(weighted.get("pos_weight")) };
        weighted.check_loss::<f32, 2, 2, 0>(|x, t| loss::bce_with_logits_with(x, t, &config));
    }
    Case::new("mse_loss.none").check_loss::<f32, 2, 2, 2>(|x, t| loss::mse_loss_unreduced(x, t).unwrap());
    Case::new("l1_loss.none").check_loss::<f32, 2, 2, 2>(|x, t| loss::l1_loss_unreduced(x, t).unwrap());
    Case::new("bce.none").check_loss::<f32, 2, 2, 2>(|x, t| loss::bce_unreduced(x, t).unwrap());
    let unreduced = |weight: Option<Tensor<f32, 1>>| {
        move |x: &Tensor<f32, 2>, t: &Tensor<f32, 2>| loss::bce_with_logits_unreduced(x, t, weight.as_ref()).unwrap()
    };
    Case::new("bce_with_logits.none").check_loss(unreduced(None));
    let weighted = Case::new("bce_with_logits.weighted_none");
    weighted.check_loss(unreduced(Some(weighted.get("pos_weight"))));
    Case::new("mse_loss.mean").check_loss::<f32, 2, 2, 0>(mse_loss);
    Case::new("bce.mean").check_loss::<f32, 2, 2, 0>(bce);
    Case::new("bce_with_logits.mean").check_loss::<f32, 2, 2, 0>(bce_with_logits);
    Case::new("l1_loss.mean").check_loss::<f32, 2, 2, 0>(l1_loss);
}

/// Every case of the fixture is one that a test names.
#[test]
fn no_case_is_left_out() {
    let source = include_str!("pytorch.rs");
    for name in fixture().keys() {
        let layer = name.split('.').next().unwrap();
        assert!(source.contains(&format!("\"{layer}")), "{name}");
    }
}

#[test]
fn a_rank_0_loss_needs_no_seed() {
    let x = Tensor::<f32, 1>::ones([2]).leaf();
    mse_loss(&x, &x.zeros_like()).backward();
    assert_eq!(x.gradient().unwrap().to_vec::<f32>().unwrap(), [1.0, 1.0]);
}
