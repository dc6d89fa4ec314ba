//! Losses of pairs and triplets: what belongs together shall be closer than what does not, by a margin.

use super::{Reduction, elementwise_losses, same_shape};
use crate::distance::distance;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_core::{Float, Result};
use trueno_tensor::{DynTensor, Tensor, fuse};

elementwise_losses! {
    /// Of distances `input` of pairs that belong together (`target` 1) or do not (-1): the distance, or what it is short of `margin`, 1 by
    /// default.
    hinge_embedding_loss(margin: f64 = 1.0): |input, target| {
        let short = fuse!(|x| (margin - x).relu()).apply([input])?;
        pulled_or_pushed(target, input, &short)
    };
    /// `ln(1 + e^(-target input))` of scores and targets 1 or -1.
    soft_margin_loss: |input, target| fuse!(|x, t| -(x * t).log_sigmoid()).apply([input, target]);
    /// Negative log-likelihood of counts `target` under Poisson distributions: `e^input - target input`, of the logarithms of their
    /// means; or, unless `log_input`, `input - target ln(input + 1e-8)` of the means. Without the term `ln(target!)`.
    poisson_nll_loss(log_input: bool = true): |input, target| match log_input {
        true => fuse!(|x, t| x.exp() - t * x).apply([input, target]),
        false => fuse!(|x, t| x - t * (x + 1e-8).ln()).apply([input, target]),
    };
}

/// `pulled` where the target is 1, `pushed` where it is -1, and PyTorch's sum of both elsewhere.
fn pulled_or_pushed(target: &DynTensor, pulled: &DynTensor, pushed: &DynTensor) -> Result<DynTensor> {
    let (is, zero) = (|value: f64| target.compare(CompareOp::Eq, &target.constant(value)?), pulled.constant(0.0)?);
    let (pulled, pushed) = (is(-1.0)?.select(&zero, pulled)?, is(1.0)?.select(&zero, pushed)?);
    pulled.binary(BinaryOp::Add, &pushed)
}

/// Defines the four forms of a loss of three tensors, of which the last is a target per row or a third like the others.
macro_rules! losses_of_three {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident ($first:ident, $second:ident: $rank:tt, $third:ident: $third_rank:tt) -> $out:tt,
        ($($setting:ident: $ty:ty = $default:expr),+) $losses:block
    )+) => { pastey::paste! {$(
        fn [<$name _elements>](
            $first: &DynTensor,
            $second: &DynTensor,
            $third: &DynTensor,
            $($setting: $ty),+
        ) -> Result<DynTensor> $losses

        $(#[doc = $doc])+
        /// The mean over all.
        ///
        /// # Panics
        /// At the caller's line if the shapes do not fit.
        #[track_caller]
        pub fn $name<T: Float>(
            $first: &Tensor<T, $rank>,
            $second: &Tensor<T, $rank>,
            $third: &Tensor<T, $third_rank>,
        ) -> Tensor<T, 0> {
            [<$name _with>]($first, $second, $third, Reduction::Mean, $($default),+)
        }

        $(#[doc = $doc])+
        /// The mean or the sum over all.
        ///
        /// # Panics
        /// At the caller's line, with the error of
        #[doc = concat!("[`try_", stringify!($name), "`] as the message.")]
        #[track_caller]
        pub fn [<$name _with>]<T: Float>(
            $first: &Tensor<T, $rank>,
            $second: &Tensor<T, $rank>,
            $third: &Tensor<T, $third_rank>,
            reduction: Reduction,
            $($setting: $ty),+
        ) -> Tensor<T, 0> {
            crate::layer::expect([<try_ $name>]($first, $second, $third, reduction, $($setting),+))
        }

        #[doc = concat!("As [`", stringify!([<$name _with>]), "`], for shapes that are not known to fit.")]
        ///
        /// # Errors
        /// [`Error::ShapePair`](trueno_core::Error::ShapePair) if the shapes do not fit, [`Error::Argument`](trueno_core::Error::Argument) for a
        /// setting out of its range.
        pub fn [<try_ $name>]<T: Float>(
            $first: &Tensor<T, $rank>,
            $second: &Tensor<T, $rank>,
            $third: &Tensor<T, $third_rank>,
            reduction: Reduction,
            $($setting: $ty),+
        ) -> Result<Tensor<T, 0>> {
            let losses = [<$name _elements>]($first.as_dyn(), $second.as_dyn(), $third.as_dyn(), $($setting),+)?;
            reduction.apply(&losses)
        }

        $(#[doc = $doc])+
        /// One by one.
        ///
        /// # Errors
        #[doc = concat!("As [`try_", stringify!($name), "`].")]
        pub fn [<$name _unreduced>]<T: Float>(
            $first: &Tensor<T, $rank>,
            $second: &Tensor<T, $rank>,
            $third: &Tensor<T, $third_rank>,
            $($setting: $ty),+
        ) -> Result<Tensor<T, $out>> {
            Tensor::from_dyn([<$name _elements>]($first.as_dyn(), $second.as_dyn(), $third.as_dyn(), $($setting),+)?)
        }
    )+} };
}

losses_of_three! {
    /// Of scores `[N]` of which the first shall be the larger (`target` 1) or the smaller (-1): what the difference is short of `margin`,
    /// 0 by default.
    margin_ranking_loss(input1, input2: 1, target: 1) -> 1, (margin: f64 = 0.0) {
        same_shape("margin_ranking_loss", input1, input2)?;
        same_shape("margin_ranking_loss", input1, target)?;
        fuse!(|a, b, t| (margin - t * (a - b)).relu()).apply([input1, input2, target])
    }
    /// Of anchors, positives and negatives `[N, D]`: what the distance of anchor and negative is short of that of anchor and positive plus
    /// `margin`, 1 by default. Distances are [`pairwise_distance`](crate::pairwise_distance)s of order `p`, 2 by default, with an `eps` of
    /// 1e-6. With `swap` the negative's is that of the positive and the negative, where it is the smaller (Balntas et al., 2016).
    triplet_margin_loss(anchor, positive: 2, negative: 2) -> 1, (margin: f64 = 1.0, p: f64 = 2.0, swap: bool = false) {
        let op = "triplet_margin_loss";
        same_shape(op, anchor, positive)?;
        same_shape(op, anchor, negative)?;
        let apart = |a: &DynTensor, b: &DynTensor| distance(op, a, b, p, 1e-6);
        let (near, mut far) = (apart(anchor, positive)?, apart(anchor, negative)?);
        if swap {
            far = far.binary(BinaryOp::Minimum, &apart(positive, negative)?)?;
        }
        fuse!(|near, far| (near - far + margin).relu()).apply([&near, &far])
    }
    /// Of vectors `[N, D]` that belong together (`target` 1) or do not (-1): 1 less the cosine between them, or what it exceeds `margin` by,
    /// 0 by default.
    cosine_embedding_loss(input1, input2: 2, target: 1) -> 1, (margin: f64 = 0.0) {
        let op = "cosine_embedding_loss";
        same_shape(op, input1, input2)?;
        let sum = |a: &DynTensor, b: &DynTensor| a.binary(BinaryOp::Mul, b)?.reduce(ReduceOp::Sum, &[1], false, 0.0);
        let (product, first, second) = (sum(input1, input2)?, sum(input1, input1)?, sum(input2, input2)?);
        same_shape(op, &product, target)?;
        let cosine = fuse!(|ab, aa, bb| ab / ((aa + 1e-12) * (bb + 1e-12)).sqrt()).apply([&product, &first, &second])?;
        let pulled = cosine.unary(UnaryOp::Neg, [0.0; 2])?.binary_scalar(BinaryOp::Add, 1.0)?;
        let pushed = fuse!(|cosine| (cosine - margin).relu()).apply([&cosine])?;
        pulled_or_pushed(target, &pulled, &pushed)
    }
}
