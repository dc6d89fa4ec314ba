//! What layers refuse, where they say so, and what one seed decides.

use trueno_core::Error;
use trueno_nn::loss::{self, CrossEntropyConfig, NllLossConfig, Reduction};
use trueno_nn::tensor::{Tensor, tensor};
use trueno_nn::*;

fn rng() -> Rng {
    Rng::seed(3)
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("it should be refused").to_string()
}

#[test]
fn misfits_name_the_layer_both_shapes_and_the_axis() {
    let linear = Linear::new(3, 4, &mut rng());
    let x = Tensor::<f32, 2>::zeros([5, 2]);
    let expected = "linear: shapes [5, 2] and [4, 3] do not fit: \
                    the last axis must have size 3, that of the weight's axis 1";
    assert_eq!(message(linear.try_forward(&x, Mode::Eval)), expected);
    let error = message(BatchNorm1d::new(3).try_forward(&x, Mode::Train));
    assert_eq!(error, "batch_norm1d: shape [5, 2] axis 1 must have size 3, the number of channels");
    let error = message(LayerNorm::new([3]).try_forward(&x, Mode::Eval));
    assert_eq!(error, "layer_norm: shape [5, 2] must end with [3], the normalised shape");
    let error = message(GroupNorm::new(1, 3).try_forward(&x, Mode::Eval));
    assert_eq!(error, "group_norm: shape [5, 2] axis 1 must have size 3, the number of channels");
    let error = message(RmsNorm::new([3]).try_forward(&x, Mode::Eval));
    assert_eq!(error, "rms_norm: shape [5, 2] must end with [3], the normalised shape");
    assert!(
        message(PRelu::new(3).try_forward(&x, Mode::Eval)).starts_with("prelu: shape [5, 2] axis 1 must have size 3")
    );
    assert!(message(Glu { axis: 0 }.try_forward(&x, Mode::Eval)).contains("odd size"));
    let image = Tensor::<f32, 4>::zeros([1, 6, 3, 4]);
    assert!(message(PixelShuffle::new(2).try_forward(&image, Mode::Eval)).contains("4 does not divide"));
    assert!(message(PixelUnshuffle::new(2).try_forward(&image, Mode::Eval)).contains("axis 2 has size 3"));
    let empty = Tensor::<f32, 4>::zeros([1, 1, 0, 4]);
    assert!(message(try_interpolate(&empty, 2, Interpolation::Nearest)).contains("axis 2 is empty"));
    let conv: Conv2d = Conv2d::new(2, 1, 3, &mut rng());
    assert!(message(conv.try_forward(&Tensor::zeros([1, 3, 8, 8]), Mode::Eval)).starts_with("conv2d: shapes"));
    let one = Tensor::<f32, 4>::zeros([1, 2, 1, 1]);
    assert!(message(BatchNorm2d::new(2).try_forward(&one, Mode::Train)).contains("one value per channel"));
    assert!(BatchNorm2d::new(2).try_forward(&one, Mode::Eval).is_ok());
}

#[test]
fn a_failed_training_step_leaves_the_running_statistics() {
    let norm: BatchNorm2d = BatchNorm2d::new(2);
    assert!(norm.try_forward(&Tensor::zeros([1, 2, 1, 1]), Mode::Train).is_err());
    assert_eq!(norm.state_dict().get("num_batches_tracked").unwrap().item::<i64>().unwrap(), 0);
}

#[test]
fn panics_are_at_the_callers_line() {
    let layer = Linear::new(3, 4, &mut rng());
    let chain = sequential![Relu, layer.clone()];
    let x = Tensor::<f32, 2>::zeros([5, 2]);
    let line_of = |call: &dyn Fn()| {
        let place = std::sync::Arc::new(std::sync::Mutex::new(None));
        let seen = place.clone();
        std::panic::set_hook(Box::new(move |info| {
            *seen.lock().unwrap() = info.location().map(|at| (at.file().to_owned(), at.line()));
        }));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
        drop(std::panic::take_hook());
        place.lock().unwrap().take().unwrap()
    };
    let single = || drop(layer.forward(&x, Mode::Eval));
    let chained = || drop(chain.forward(&x, Mode::Eval));
    let loss = || drop(mse_loss(&x, &Tensor::zeros([5, 3])));
    let here = (file!().to_owned(), line!());
    assert_eq!(line_of(&single), (here.0.clone(), here.1 - 3));
    assert_eq!(line_of(&chained), (here.0.clone(), here.1 - 2));
    assert_eq!(line_of(&loss), (here.0.clone(), here.1 - 1));
}

#[test]
fn words_and_labels_outside_their_range_are_errors() {
    let embedding: Embedding = Embedding::new(4, 2, &mut rng());
    for stray in [4_i64, -1, i64::MIN] {
        let words = tensor![0_i64, stray, 7];
        let error = embedding.try_forward(&words, Mode::Eval).unwrap_err();
        assert!(matches!(error, Error::Index { op: "embedding", index, size: 4, .. } if index == stray), "{error}");
    }
    let logits = Tensor::<f32, 2>::zeros([2, 3]);
    let config = CrossEntropyConfig::default();
    for labels in [tensor![0_i64, 3], tensor![0_i64, -1]] {
        assert!(matches!(loss::try_cross_entropy(&logits, &labels, &config), Err(Error::Index { .. })));
        assert!(matches!(loss::cross_entropy_unreduced(&logits, &labels, &config), Err(Error::Index { .. })));
        assert!(matches!(loss::try_nll_loss(&logits, &labels, &NllLossConfig::default()), Err(Error::Index { .. })));
    }
    let weight = Some(Tensor::ones([2]));
    let weighted = CrossEntropyConfig { weight, ..config.clone() };
    assert!(message(loss::try_cross_entropy(&logits, &tensor![0_i64, 1], &weighted)).contains("one weight per class"));
    let short = tensor![0_i64];
    assert!(matches!(loss::try_cross_entropy(&logits, &short, &config), Err(Error::ShapePair { .. })));
    assert!(matches!(loss::try_nll_loss(&logits, &short, &NllLossConfig::default()), Err(Error::ShapePair { .. })));
    let ignored = cross_entropy(&tensor![[1.0, 2.0], [3.0, 4.0]], &tensor![0_i64, -100]);
    assert_eq!(ignored, cross_entropy(&tensor![[1.0, 2.0]], &tensor![0_i64]));
}

/// `[N]` beside `[N, 1]` would broadcast to `[N, N]`; other shapes of one rank must not either.
#[test]
fn losses_do_not_broadcast() {
    let (x, t) = (Tensor::<f32, 2>::ones([3, 2]), Tensor::<f32, 2>::ones([3, 1]));
    let mean = Reduction::Mean;
    for error in [
        message(loss::try_mse_loss(&x, &t, mean)),
        message(loss::try_l1_loss(&x, &t, mean)),
        message(loss::try_binary_cross_entropy(&x, &t, &Default::default())),
        message(loss::try_binary_cross_entropy_with_logits(&x, &t, &Default::default())),
        message(loss::mse_loss_unreduced(&x, &t)),
    ] {
        assert!(error.contains("shapes [3, 2] and [3, 1] do not fit"), "{error}");
    }
}

#[test]
fn binary_cross_entropy_is_finite_where_the_logarithm_is_not() {
    assert_eq!(binary_cross_entropy(&tensor![0.0, 1.0], &tensor![1.0, 0.0]).item(), 100.0);
    assert_eq!(binary_cross_entropy_with_logits(&tensor![500.0, -500.0], &tensor![0.0, 1.0]).item(), 500.0);
}

#[test]
fn dropout_keeps_the_mean_and_its_state_decides_the_rest() {
    let mut layer = Dropout::new(0.25, &mut rng());
    let x = Tensor::<f32, 1>::ones([40_000]);
    let mean = layer.forward(&x, Mode::Train).mean().item();
    assert!((mean - 1.0).abs() < 0.012, "four standard errors: {mean}");
    let saved = layer.rng_state_dict();
    let (second, third) = (layer.forward(&x, Mode::Train), layer.forward(&x, Mode::Train));
    assert_ne!(second, third, "each call drops others");
    layer.load_rng_state_dict(&saved).unwrap();
    assert_eq!(layer.forward(&x, Mode::Train), second, "a checkpoint goes on where it was");
    layer.forward(&x, Mode::Eval);
    assert_eq!(layer.forward(&x, Mode::Train), third, "evaluation does not count");
    assert_ne!(
        Dropout::new(0.25, &mut Rng::seed(4)).rng_state_dict().get("rng").unwrap().to_vec::<i64>().unwrap()[0],
        saved.get("rng").unwrap().to_vec::<i64>().unwrap()[0]
    );
    assert!(layer.state_dict().is_empty());
    assert!(message(Dropout::new(1.5, &mut rng()).try_forward(&x, Mode::Train)).starts_with("dropout"));
}

#[test]
fn one_seed_decides_every_weight_and_layers_differ() {
    let make = |seed| {
        let mut rng = Rng::seed(seed);
        type Net = Sequential<(Linear, Linear, Conv2d)>;
        let linear = |rng: &mut Rng| Linear::new(4, 4, rng);
        let net: Net = sequential![linear(&mut rng), linear(&mut rng), Conv2d::new(1, 2, 3, &mut rng)];
        net
    };
    let values = |seed| make(seed).parameters().iter().map(|p| p.to_vec::<f32>().unwrap()).collect::<Vec<_>>();
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
    assert_ne!(values(1)[0], values(1)[2]);
}

#[test]
fn layers_may_be_boxed_and_hold_any_function() {
    type Any = Box<dyn Layer<Tensor<f32, 2>, Output = Tensor<f32, 2>>>;
    let mut rng = rng();
    let layers: Vec<Any> = vec![
        Box::new(Linear::new(2, 3, &mut rng)),
        Box::new(Lambda(|x: &Tensor<f32, 2>| x * 2.0)),
        Box::new(Softmax { axis: 1 }),
    ];
    let mut x = Tensor::<f32, 2>::ones([1, 2]);
    for layer in &layers {
        x = layer.forward(&x, Mode::Eval);
    }
    assert!((x.sum().item() - 1.0).abs() < 1e-6);
    assert_eq!(layers.num_parameters(), 9);
    assert_eq!(layers.named_parameters()[1].0, "0.bias");
}
