//! Trueno under one name: arrays, automatic differentiation, neural networks and training.
//!
//! It is for applications. Libraries that need one part take that crate alone ([`tensor`] is `trueno-tensor`, and so on).
//!
//! ```
//! use trueno::prelude::*;
//!
//! let x = tensor![1.0, 2.0, 3.0].requires_grad();
//! (&x * &x).sum().backward();
//! assert_eq!(x.grad().unwrap(), tensor![2.0, 4.0, 6.0]);
//! ```
//!
//! Features: `train` (layers, optimizers, data) and `mnist-subset` (real images in the binary) are on by default; without
//! them there are arrays and gradients.
#![forbid(unsafe_code)]

pub use trueno_autograd as autograd;
pub use trueno_core::{DType, Error, Result};
#[cfg(feature = "train")]
pub use trueno_data as data;
#[cfg(feature = "train")]
pub use trueno_nn as nn;
#[cfg(feature = "train")]
pub use trueno_optim as optim;
pub use trueno_tensor as tensor;

/// What most programs need, in one import.
pub mod prelude {
    pub use crate::{DType, Error, default};
    pub use trueno_autograd::{Autograd, Backward, checkpoint, enable_grad, no_grad};
    #[cfg(feature = "train")]
    pub use trueno_data::{DataLoader, DataLoaderConfig, Dataset};
    // The trait, and its derive for those who depend on this crate alone.
    #[cfg(feature = "train")]
    pub use trueno_nn::{
        AdaptiveAvgPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Conv2dConfig, ConvTranspose2d,
        ConvTranspose2dConfig, Dropout, Embedding, Flatten, Gelu, GroupNorm, Layer, LayerNorm, Linear, MaxPool2d, Mode,
        Relu, Sequential, Sigmoid, Silu, StateDict, Tanh, binary_cross_entropy_with_logits, cross_entropy, mse_loss,
        sequential,
    };
    #[cfg(feature = "train")]
    pub use trueno_nn::{FacadeModule as Module, module::Module};
    #[cfg(feature = "train")]
    pub use trueno_optim::{
        Adam, AdamConfig, AdamW, AdamWConfig, GradScaler, GradScalerConfig, Sgd, SgdConfig, clip_grad_norm, load, save,
        save_with,
    };
    pub use trueno_tensor::prelude::*;
    pub use trueno_tensor::{Rng, autocast};
}

/// `T::default()` without its name: `AdamWConfig { lr: 1e-3, ..default() }`.
///
/// ```
/// # #[cfg(feature = "train")] {
/// use trueno::prelude::*;
/// let config = AdamWConfig { lr: 1e-3, ..default() };
/// assert_eq!(config.weight_decay, 0.01);
/// # }
/// ```
pub fn default<T: Default>() -> T {
    T::default()
}

/// The README's code, compiled and run.
#[cfg(all(doctest, feature = "mnist-subset"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The guide's code, compiled and run.
#[cfg(all(doctest, feature = "train"))]
#[doc = include_str!("../../../docs/from-numpy-and-pytorch.md")]
struct Guide;
