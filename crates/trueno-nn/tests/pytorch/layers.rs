//! Layers.

use crate::case::{Case, in_both_types};
use trueno_core::Float;
use trueno_nn::tensor::{Tensor, tensor};
use trueno_nn::*;

in_both_types!(
    linear,
    conv2d,
    conv_transpose2d,
    batch_norm_in_training_and_evaluation,
    layer_norm,
    group_and_instance_norm,
    embedding,
    pooling_and_flatten,
    sequences,
    rms_norm,
    images_of_another_size,
    activations,
    a_sequence_of_layers,
    attention,
    encoder_layers,
);

fn rng() -> Rng {
    Rng::seed(1)
}

fn linear<T: Float>() {
    Case::<T>::new("linear").check::<_, 2, 2>(Linear::new(3, 4, &mut rng()));
    Case::<T>::new("linear.no_bias").check::<_, 2, 2>(Linear::without_bias(3, 4, &mut rng()));
    Case::<T>::new("linear.vector").check::<_, 1, 1>(Linear::new(3, 4, &mut rng()));
    Case::<T>::new("linear.batched").check::<_, 3, 3>(Linear::new(3, 4, &mut rng()));
}

fn conv2d<T: Float>() {
    let case = |name: &str, layer: Conv2d<T>| Case::<T>::new(&format!("conv2d.{name}")).check(layer);
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

fn conv_transpose2d<T: Float>() {
    let case = |name: &str, layer: ConvTranspose2d<T>| Case::<T>::new(&format!("conv_transpose2d.{name}")).check(layer);
    let default = ConvTranspose2dConfig::default();
    case("plain", ConvTranspose2d::new(2, 3, 3, &mut rng()));
    let doubling = ConvTranspose2dConfig { stride: [2, 2], padding: [1, 1], output_padding: [1, 1], ..default };
    case("doubling", ConvTranspose2d::with_config(2, 3, 3, doubling, &mut rng()));
    let grouped = ConvTranspose2dConfig { stride: [1, 2], dilation: [2, 1], groups: 2, bias: false, ..default };
    case("grouped", ConvTranspose2d::with_config(4, 6, (3, 2), grouped, &mut rng()));
}

fn batch_norm_in_training_and_evaluation<T: Float>() {
    let cumulative = BatchNormConfig { momentum: None, ..BatchNormConfig::default() };
    let plain = BatchNormConfig { eps: 1e-3, momentum: Some(0.3), affine: false };
    for mode in ["train", "eval"] {
        let case = |name: &str| Case::<T>::new(&format!("{name}.{mode}"));
        case("batch_norm1d").check::<_, 2, 2>(BatchNorm1d::new(3));
        case("batch_norm1d.length").check::<_, 3, 3>(BatchNorm1d::new(3));
        case("batch_norm1d.cumulative").check::<_, 2, 2>(BatchNorm1d::with_config(3, cumulative));
        case("batch_norm2d").check(BatchNorm2d::new(2));
        case("batch_norm2d.plain").check(BatchNorm2d::with_config(2, plain));
    }
}

fn layer_norm<T: Float>() {
    Case::<T>::new("layer_norm").check::<_, 3, 3>(LayerNorm::new([5]));
    Case::<T>::new("layer_norm.two_axes").check::<_, 3, 3>(LayerNorm::new([3, 5]));
    let plain = LayerNormConfig { eps: 1e-3, affine: false };
    Case::<T>::new("layer_norm.plain").check::<_, 2, 2>(LayerNorm::with_config([5], plain));
}

fn group_and_instance_norm<T: Float>() {
    Case::<T>::new("group_norm").check::<_, 4, 4>(GroupNorm::new(2, 6));
    Case::<T>::new("group_norm.vectors").check::<_, 2, 2>(GroupNorm::new(3, 6));
    let plain = GroupNormConfig { eps: 1e-3, affine: false };
    Case::<T>::new("group_norm.plain").check::<_, 3, 3>(GroupNorm::with_config(1, 4, plain));
    Case::<T>::new("instance_norm1d").check(InstanceNorm1d::new(3));
    let affine = InstanceNormConfig { eps: 1e-3, affine: true };
    Case::<T>::new("instance_norm2d").check(InstanceNorm2d::with_config(3, affine));
}

fn embedding<T: Float>() {
    Case::<T>::new("embedding").check_positions::<_, 2, 3>(Embedding::new(7, 3, &mut rng()));
    Case::<T>::new("embedding.padding").check_positions::<_, 2, 3>(Embedding::with_padding(7, 3, 2, &mut rng()));
    let fresh: Embedding<T> = Embedding::with_padding(7, 3, 2, &mut rng());
    assert!(fresh.weight.to_vec()[6..9].iter().all(|v| v.to_f64() == 0.0));
}

fn pooling_and_flatten<T: Float>() {
    let padded = PoolConfig { stride: Some([2, 1]), padding: [1, 1] };
    Case::<T>::new("max_pool2d").check(MaxPool2d::new(2));
    Case::<T>::new("max_pool2d.padded").check(MaxPool2d::with_config((3, 2), padded));
    Case::<T>::new("avg_pool2d").check(AvgPool2d::new(2));
    Case::<T>::new("avg_pool2d.padded").check(AvgPool2d::with_config((3, 2), padded));
    Case::<T>::new("adaptive_avg_pool2d").check(AdaptiveAvgPool2d::new((3, 4)));
    Case::<T>::new("adaptive_avg_pool2d.one").check(AdaptiveAvgPool2d::new(1));
    Case::<T>::new("flatten").check::<_, 4, 2>(Flatten);
}

fn sequences<T: Float>() {
    Case::<T>::new("conv1d").check(Conv1d::new(2, 3, 3, &mut rng()));
    let grouped = Conv1dConfig { stride: 2, padding: 2, dilation: 2, groups: 2, bias: false };
    Case::<T>::new("conv1d.grouped").check(Conv1d::with_config(4, 6, 3, grouped, &mut rng()));
    let padded = Pool1dConfig { stride: Some(2), padding: 1 };
    Case::<T>::new("max_pool1d").check::<_, 3, 3>(MaxPool1d::with_config(3, padded));
    Case::<T>::new("avg_pool1d").check::<_, 3, 3>(AvgPool1d::new(2));
}

fn rms_norm<T: Float>() {
    let config = RmsNormConfig { eps: Some(1e-3), affine: true };
    Case::<T>::new("rms_norm").check::<_, 3, 3>(RmsNorm::with_config([5], config));
    let plain = RmsNormConfig { affine: false, ..config };
    Case::<T>::new("rms_norm.plain").check::<_, 3, 3>(RmsNorm::with_config([3, 5], plain));
}

fn images_of_another_size<T: Float>() {
    let bilinear = |align_corners| Interpolation::Bilinear { align_corners };
    Case::<T>::new("upsample").check::<_, 4, 4>(Upsample::new(2, Interpolation::Nearest));
    Case::<T>::new("upsample.bilinear").check::<_, 4, 4>(Upsample::new((3, 2), bilinear(false)));
    let to = |size: [usize; 2], mode| Lambda(move |x: &Tensor<T, 4>| interpolate(x, size, mode));
    Case::<T>::new("interpolate").check(to([3, 7], Interpolation::Nearest));
    Case::<T>::new("interpolate.edges").check(to([5, 2], bilinear(false)));
    Case::<T>::new("interpolate.corners").check(to([5, 2], bilinear(true)));
    Case::<T>::new("interpolate.one").check(to([1, 4], bilinear(true)));
    Case::<T>::new("pixel_shuffle").check::<_, 4, 4>(PixelShuffle::new(2));
    Case::<T>::new("pixel_unshuffle").check::<_, 4, 4>(PixelUnshuffle::new(2));
}

fn activations<T: Float>() {
    fn check<T: Float>(name: &str, layer: impl Layer<Tensor<T, 2>, Output = Tensor<T, 2>>) {
        Case::<T>::new(name).check(layer);
    }
    check::<T>("relu", Relu);
    check::<T>("leaky_relu", LeakyRelu { negative_slope: 0.2 });
    check::<T>("elu", Elu { alpha: 0.7 });
    check::<T>("selu", Selu);
    check::<T>("gelu", Gelu);
    check::<T>("gelu_tanh", GeluTanh);
    check::<T>("silu", Silu);
    check::<T>("softplus", Softplus { beta: 2.0, threshold: 3.0 });
    check::<T>("mish", Mish);
    check::<T>("hardswish", Hardswish);
    check::<T>("hardsigmoid", Hardsigmoid);
    check::<T>("sigmoid", Sigmoid);
    check::<T>("tanh", Tanh);
    check::<T>("log_sigmoid", LogSigmoid);
    check::<T>("softsign", Softsign);
    check::<T>("hardtanh", Hardtanh { min: -0.5, max: 2.0 });
    check::<T>("hardtanh.relu6", Hardtanh::RELU6);
    check::<T>("glu", Glu { axis: 1 });
    check::<T>("prelu", PRelu::new(1));
    check::<T>("prelu.channels", PRelu::new(4));
    check::<T>("softmax", Softmax { axis: 1 });
    check::<T>("log_softmax", LogSoftmax { axis: -1 });
    assert_eq!(LeakyRelu::default().negative_slope, 0.01);
    assert_eq!((Softplus::default().beta, Softplus::default().threshold), (1.0, 20.0));
}

fn a_sequence_of_layers<T: Float>() {
    let padded = Conv2dConfig { padding: [1, 1], ..Conv2dConfig::default() };
    let net = sequential![
        Conv2d::with_config(1, 2, 3, padded, &mut rng()),
        BatchNorm2d::new(2),
        Relu,
        MaxPool2d::new(2),
        Flatten,
        Linear::new(8, 3, &mut rng()),
    ];
    Case::<T>::new("sequential").check::<_, 4, 2>(net);
}

/// Self-attention with a mask, as a layer.
struct Masked<T: Float>(MultiheadAttention<T>, AttentionMask<T>);

impl<T: Float> Module for Masked<T> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.0.visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.0.visit_mut(visitor);
    }
}

impl<T: Float> Layer<Tensor<T, 3>> for Masked<T> {
    type Output = Tensor<T, 3>;

    fn try_forward(&self, x: &Tensor<T, 3>, _: Mode) -> trueno_core::Result<Tensor<T, 3>> {
        self.0.try_attend(x, x, x, &self.1)
    }
}

fn attention<T: Float>() {
    let layer = |width, heads| MultiheadAttention::<T>::new(width, heads, &mut rng());
    Case::<T>::new("multihead_attention").check(layer(6, 2));
    Case::<T>::new("multihead_attention").check(Masked(layer(6, 2), AttentionMask::All));
    Case::<T>::new("multihead_attention.causal").check(Masked(layer(6, 3), AttentionMask::Causal));
    let padding = tensor![[false, false, false, true, true], [false, true, false, false, false]];
    let mask = AttentionMask::padding(&padding).unwrap();
    Case::<T>::new("multihead_attention.padded").check(Masked(layer(4, 1), mask));
}

fn encoder_layers<T: Float>() {
    let config = TransformerEncoderConfig { dim_feedforward: 11, dropout: 0.0, ..Default::default() };
    let layer = |config| TransformerEncoderLayer::<T>::new(6, 2, config, &mut rng());
    Case::<T>::new("transformer_encoder_layer").check(layer(config));
    let first = TransformerEncoderConfig { norm_first: true, activation: FeedForward::Gelu, ..config };
    Case::<T>::new("transformer_encoder_layer.first").check(layer(first));
}
