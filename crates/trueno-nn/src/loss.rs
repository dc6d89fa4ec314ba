//! Losses, as functions. The plain name takes the mean and panics on shapes that do not fit, `_with` takes settings,
//! `try_` is the same as a `Result`, and `_unreduced` gives one loss per row or element (PyTorch's `reduction="none"`).
//!
//! ```
//! use trueno_nn::loss::{Reduction, mse_loss, mse_loss_with};
//! use trueno_nn::tensor::tensor;
//! let (x, target) = (tensor![1.0, 2.0], tensor![0.0, 4.0]);
//! assert_eq!(mse_loss(&x, &target).item(), 2.5);
//! assert_eq!(mse_loss_with(&x, &target, Reduction::Sum).item(), 5.0);
//! ```

mod binary;
mod classes;
mod margin;
mod regression;

pub use binary::{
    BinaryCrossEntropyConfig, BinaryCrossEntropyWithLogitsConfig, binary_cross_entropy, binary_cross_entropy_unreduced,
    binary_cross_entropy_with, binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_unreduced,
    binary_cross_entropy_with_logits_with, try_binary_cross_entropy, try_binary_cross_entropy_with_logits,
};
pub use classes::{
    CrossEntropyConfig, NllLossConfig, cross_entropy, cross_entropy_unreduced, cross_entropy_with, nll_loss,
    nll_loss_unreduced, nll_loss_with, try_cross_entropy, try_nll_loss,
};
pub use margin::{
    cosine_embedding_loss, cosine_embedding_loss_unreduced, cosine_embedding_loss_with, hinge_embedding_loss,
    hinge_embedding_loss_unreduced, hinge_embedding_loss_with, margin_ranking_loss, margin_ranking_loss_unreduced,
    margin_ranking_loss_with, poisson_nll_loss, poisson_nll_loss_unreduced, poisson_nll_loss_with, soft_margin_loss,
    soft_margin_loss_unreduced, soft_margin_loss_with, triplet_margin_loss, triplet_margin_loss_unreduced,
    triplet_margin_loss_with, try_cosine_embedding_loss, try_hinge_embedding_loss, try_margin_ranking_loss,
    try_poisson_nll_loss, try_soft_margin_loss, try_triplet_margin_loss,
};
pub use regression::{
    huber_loss, huber_loss_unreduced, huber_loss_with, kl_div, kl_div_unreduced, kl_div_with, l1_loss,
    l1_loss_unreduced, l1_loss_with, mse_loss, mse_loss_unreduced, mse_loss_with, smooth_l1_loss,
    smooth_l1_loss_unreduced, smooth_l1_loss_with, try_huber_loss, try_kl_div, try_l1_loss, try_mse_loss,
    try_smooth_l1_loss,
};

use trueno_core::table::ReduceOp;
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Tensor};

/// How the losses of the elements become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    fn apply<T: Float>(self, losses: &DynTensor) -> Result<Tensor<T, 0>> {
        let op = match self {
            Reduction::Mean => ReduceOp::Mean,
            Reduction::Sum => ReduceOp::Sum,
        };
        Tensor::from_dyn(losses.reduce(op, &losses.all_axes(), false, 0.0)?)
    }
}

/// Refuses to broadcast: a loss of `[N]` beside `[N, 1]` would be `[N, N]`, and wrong.
fn same_shape(op: &'static str, input: &DynTensor, target: &DynTensor) -> Result<()> {
    if input.shape() == target.shape() {
        return Ok(());
    }
    let reason = "input and target must have the same shape".into();
    Err(Error::ShapePair { op, lhs: input.shape().into(), rhs: target.shape().into(), reason })
}

/// Defines the four forms of a loss between an input and a target of one shape, from the loss of an element. A loss may
/// have settings beside the reduction; the plain form takes their defaults.
macro_rules! elementwise_losses {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $(($($setting:ident: $ty:ty = $default:expr),+))?: |$input:ident, $target:ident| $losses:expr;
    )+) => { pastey::paste! {$(
        fn [<$name _elements>](
            $input: &DynTensor,
            $target: &DynTensor
            $($(, $setting: $ty)+)?
        ) -> trueno_core::Result<DynTensor> {
            $crate::loss::same_shape(stringify!($name), $input, $target)?;
            $losses
        }

        $(#[doc = $doc])+
        /// The mean over all elements.
        ///
        /// # Panics
        /// At the caller's line if the shapes differ.
        #[track_caller]
        pub fn $name<T: Float, const N: usize>(input: &Tensor<T, N>, target: &Tensor<T, N>) -> Tensor<T, 0> {
            [<$name _with>](input, target, Reduction::Mean $($(, $default)+)?)
        }

        $(#[doc = $doc])+
        /// The mean or the sum over all elements.
        ///
        /// # Panics
        /// At the caller's line, with the error of
        #[doc = concat!("[`try_", stringify!($name), "`] as the message.")]
        #[track_caller]
        pub fn [<$name _with>]<T: Float, const N: usize>(
            input: &Tensor<T, N>,
            target: &Tensor<T, N>,
            reduction: Reduction
            $($(, $setting: $ty)+)?
        ) -> Tensor<T, 0> {
            $crate::layer::expect([<try_ $name>](input, target, reduction $($(, $setting)+)?))
        }

        #[doc = concat!("As [`", stringify!([<$name _with>]), "`], for shapes that are not known to be equal.")]
        ///
        /// # Errors
        /// [`Error::ShapePair`](trueno_core::Error::ShapePair) if the shapes differ, [`Error::Argument`](trueno_core::Error::Argument)
        /// for a setting out of its range.
        pub fn [<try_ $name>]<T: Float, const N: usize>(
            input: &Tensor<T, N>,
            target: &Tensor<T, N>,
            reduction: Reduction
            $($(, $setting: $ty)+)?
        ) -> trueno_core::Result<Tensor<T, 0>> {
            reduction.apply(&[<$name _elements>](input.as_dyn(), target.as_dyn() $($(, $setting)+)?)?)
        }

        $(#[doc = $doc])+
        /// Element by element.
        ///
        /// # Errors
        #[doc = concat!("As [`try_", stringify!($name), "`].")]
        pub fn [<$name _unreduced>]<T: Float, const N: usize>(
            input: &Tensor<T, N>,
            target: &Tensor<T, N>
            $($(, $setting: $ty)+)?
        ) -> trueno_core::Result<Tensor<T, N>> {
            Tensor::from_dyn([<$name _elements>](input.as_dyn(), target.as_dyn() $($(, $setting)+)?)?)
        }
    )+} };
}
use elementwise_losses;
