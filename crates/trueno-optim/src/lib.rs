//! Optimizers ([`Sgd`], [`Adam`], [`AdamW`], [`NAdam`], [`RAdam`], [`Adamax`], [`RmsProp`], [`Adagrad`], [`Adadelta`], [`Rprop`]) with
//! parameter groups ([`Optimizer::group`]), learning-rate schedules (a [`Schedule`] each, from [`StepLr`] to [`OneCycleLr`]; they
//! follow one another in a [`SequentialLr`]), gradient clipping and training checkpoints ([`save`], [`load`]), with PyTorch's update
//! rules. A rule of one's own is an [`Update`] with hyperparameters ([`Rule`]).
//!
//! It is for training [`trueno_nn`] modules. It is not for minimising other functions, and holds no training loop:
//! that is the user's.
//!
//! ```
//! use trueno_autograd::Backward;
//! use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
//! use trueno_optim::{Sgd, SgdConfig};
//! use trueno_tensor::prelude::*;
//!
//! // Fit y = 2 x + 1.
//! let x: Tensor<f32, 2> = tensor![[0.0], [1.0], [2.0]];
//! let y: Tensor<f32, 2> = tensor![[1.0], [3.0], [5.0]];
//! let mut net = Linear::new(1, 1, &mut Rng::seed(0));
//! let mut optimizer = Sgd::new(&net, SgdConfig { lr: 0.1, momentum: 0.9, ..Default::default() });
//! for _ in 0..200 {
//!     let loss = mse_loss(&net.forward(&x, Mode::Train), &y);
//!     optimizer.step(&mut net, &loss.backward());
//! }
//! let at_four = net.forward(&tensor![[4.0]], Mode::Eval).to_vec();
//! assert!((at_four[0] - 9.0).abs() < 1e-2);
//! ```
#![forbid(unsafe_code)]

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod checkpoint;
mod clip;
mod fused;
mod lent;
mod nadam;
mod optimizer;
mod radam;
mod rmsprop;
mod rprop;
mod rule;
mod scaler;
mod schedule;
mod sgd;

pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig, AdamW, AdamWConfig};
pub use adamax::{Adamax, AdamaxConfig};
pub use checkpoint::{load, save, save_with};
pub use clip::{clip_grad_norm, clip_grad_value};
pub use nadam::{NAdam, NAdamConfig};
pub use optimizer::Optimizer;
pub use radam::{RAdam, RAdamConfig};
pub use rmsprop::{RmsProp, RmsPropConfig};
pub use rprop::{Rprop, RpropConfig};
pub use rule::Rule;
pub use scaler::{GradScaler, GradScalerConfig};
pub use schedule::{
    ConstantLr, CosineAnnealingLr, CosineAnnealingWarmRestarts, ExponentialLr, LambdaLr, LinearLr, MultiStepLr,
    OneCycleLr, PlateauMode, PolynomialLr, ReduceLrOnPlateau, ReduceLrOnPlateauConfig, Schedule, Scheduler,
    SequentialLr, StepLr,
};
pub use sgd::{Sgd, SgdConfig};
pub use trueno_core::optim::{Step, Update};
