//! Neural networks: layers, losses, first values, and [`Module`] with `#[derive(Module)]`, which finds the parameters
//! of whatever is built of them. Names of parameters, first values and numbers are PyTorch's.
//!
//! A layer's element type is inferred from what it is given, and `f32` where its type is written without one: a field
//! `head: Linear` is a `Linear<f32>`, and `Linear::<f64>::new(..)` or a field `head: Linear<f64>` computes in `f64`.
//!
//! It is for defining, differentiating and saving networks. It is not for training loops: optimizers are in
//! `trueno-optim`, batches come from `trueno-data`.
//!
//! ```
//! use trueno_autograd::Backward;
//! use trueno_nn::tensor::Tensor;
//! use trueno_nn::{Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, Mode, Module, Rng, cross_entropy};
//!
//! #[derive(Module)]
//! struct Net {
//!     conv: Conv2d,
//!     dropout: Dropout,
//!     head: Linear,
//! }
//!
//! impl Net {
//!     fn new(rng: &mut Rng) -> Net {
//!         Net { conv: Conv2d::new(1, 4, 3, rng), dropout: Dropout::new(0.5, rng), head: Linear::new(36, 10, rng) }
//!     }
//!
//!     fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
//!         let x = self.conv.forward(images, mode).relu();
//!         let x = MaxPool2d::new(2).forward(&x, mode);
//!         let x = self.dropout.forward(&Flatten.forward(&x, mode), mode);
//!         self.head.forward(&x, mode)
//!     }
//! }
//!
//! let net = Net::new(&mut Rng::seed(0));
//! let (images, labels) = (Tensor::zeros([2, 1, 8, 8]), trueno_nn::tensor::tensor![3_i64, 7]);
//! let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
//! let gradients = loss.backward();
//! assert_eq!(gradients.len(), net.named_parameters().len());
//! assert_eq!(net.state_dict().keys().next(), Some("conv.weight"));
//! ```
#![forbid(unsafe_code)]

// Lets `#[derive(Module)]` be used in this crate itself, under the name that users see.
extern crate self as trueno_nn;

mod distance;
pub mod init;
mod layer;
mod layers;
pub mod loss;
pub mod module;
mod param;
mod sequential;
mod state;
mod tuples;

pub use distance::{cosine_similarity, pairwise_distance, try_cosine_similarity, try_pairwise_distance};
pub use layer::{Layer, Mode};
pub use layers::{
    AdaptiveAvgPool2d, AttentionMask, AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, BatchNormConfig, Conv1d,
    Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, Dropout, Dropout2d, Elu, Embedding,
    FeedForward, Flatten, Gelu, GeluTanh, Glu, GroupNorm, GroupNormConfig, Gru, GruCell, Hardsigmoid, Hardswish,
    Hardtanh, Identity, InstanceNorm1d, InstanceNorm2d, InstanceNormConfig, Interpolation, LayerNorm, LayerNormConfig,
    LeakyRelu, Linear, LogSigmoid, LogSoftmax, Lstm, LstmCell, MaxPool1d, MaxPool2d, Mish, MultiheadAttention, PRelu,
    Pair, PixelShuffle, PixelUnshuffle, Pool1dConfig, PoolConfig, RecurrentConfig, Relu, RmsNorm, RmsNormConfig, Rnn,
    RnnActivation, RnnCell, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Tanh, TransformerEncoderConfig,
    TransformerEncoderLayer, Upsample, interpolate, try_interpolate,
};
pub use loss::{
    CrossEntropyConfig, NllLossConfig, Reduction, binary_cross_entropy, binary_cross_entropy_with_logits,
    cross_entropy, cross_entropy_with, huber_loss, kl_div, l1_loss, mse_loss, nll_loss, smooth_l1_loss,
};
pub use module::{Module, Scoped, Visitor, VisitorMut};
pub use param::{Buffer, Param};
pub use sequential::{Lambda, Sequential};
pub use state::{Incompatible, RngState, StateDict};
#[doc(hidden)]
pub use trueno_nn_derive::FacadeModule;
pub use trueno_nn_derive::Module;
pub use trueno_tensor as tensor;
pub use trueno_tensor::Rng;
