//! Losses.

use crate::case::{Case, in_both_types};
use trueno_autograd::{Autograd, Backward};
use trueno_core::Float;
use trueno_nn::loss::{
    self, BinaryCrossEntropyConfig, BinaryCrossEntropyWithLogitsConfig, CrossEntropyConfig, NllLossConfig, Reduction,
};
use trueno_nn::tensor::{DynTensor, Tensor};
use trueno_nn::*;

in_both_types!(
    cross_entropy_of_labels,
    likelihoods_of_labels,
    distances,
    bent_distances,
    divergences,
    margins,
    margins_of_pairs_and_triplets,
    similarities,
    yes_and_no_by_probabilities,
    yes_and_no_by_logits,
);

const REDUCTIONS: [(&str, Reduction); 2] = [("mean", Reduction::Mean), ("sum", Reduction::Sum)];

fn cross_entropy_of_labels<T: Float>() {
    let ignored = Some(Case::<T>::new("cross_entropy.mean").positions::<1>("target").to_vec()[0]);
    let weight = || Some(Case::<T>::new("cross_entropy.weighted_mean").get::<1>("weight"));
    for (kind, label_smoothing, ignore_index, weight) in [
        ("", 0.0, Some(-100), None),
        ("smoothed_", 0.1, Some(-100), None),
        ("ignored_", 0.2, ignored, None),
        ("weighted_", 0.0, Some(-100), weight()),
        ("all_", 0.2, ignored, weight()),
    ] {
        let mut config = CrossEntropyConfig { reduction: Reduction::Mean, weight, ignore_index, label_smoothing };
        for (name, reduction) in REDUCTIONS {
            config.reduction = reduction;
            let case = Case::<T>::new(&format!("cross_entropy.{kind}{name}"));
            case.check_loss::<2, 0>(|x| cross_entropy_with(x, &case.positions("target"), &config));
        }
        let case = Case::<T>::new(&format!("cross_entropy.{kind}none"));
        case.check_loss(|x| loss::cross_entropy_unreduced(x, &case.positions("target"), &config).unwrap());
    }
    let case = Case::<T>::new("cross_entropy.mean");
    case.check_loss(|x| cross_entropy(x, &case.positions("target")));
}

fn likelihoods_of_labels<T: Float>() {
    let ignored = Some(Case::<T>::new("nll_loss.mean").positions::<1>("target").to_vec()[0]);
    for (kind, ignore_index) in [("", Some(-100)), ("all_", ignored)] {
        for (name, reduction) in REDUCTIONS {
            let case = Case::<T>::new(&format!("nll_loss.{kind}{name}"));
            let weight = ignore_index.filter(|&index| index >= 0).map(|_| case.get("weight"));
            let config = NllLossConfig { reduction, weight, ignore_index };
            case.check_loss(|x| loss::nll_loss_with(x, &case.positions("target"), &config));
            let case = Case::<T>::new(&format!("nll_loss.{kind}none"));
            case.check_loss(|x| loss::nll_loss_unreduced(x, &case.positions("target"), &config).unwrap());
        }
    }
    let case = Case::<T>::new("nll_loss.mean");
    case.check_loss(|x| nll_loss(x, &case.positions("target")));
}

/// Compares the forms of an elementwise loss with the cases of its name.
macro_rules! elementwise {
    ($kind:literal, $with:ident, $unreduced:ident $(, $setting:expr)?) => {
        elementwise!(2, $kind, "", $with, $unreduced $(, $setting)?)
    };
    ($rank:literal, $kind:literal, $variant:literal, $with:ident, $unreduced:ident $(, $setting:expr)?) => {
        for (name, reduction) in REDUCTIONS {
            let case = Case::<T>::new(&format!("{}.{}{name}", $kind, $variant));
            case.check_loss::<$rank, 0>(|x| loss::$with(x, &case.get("target"), reduction $(, $setting)?));
        }
        let case = Case::<T>::new(concat!($kind, ".", $variant, "none"));
        case.check_loss::<$rank, $rank>(|x| loss::$unreduced(x, &case.get("target") $(, $setting)?).unwrap());
    };
}

/// Compares the plain form, which takes the mean and the default settings.
macro_rules! plain {
    ($($name:ident),+) => {$(
        let case = Case::<T>::new(concat!(stringify!($name), ".mean"));
        case.check_loss::<2, 0>(|x| $name(x, &case.get("target")));
    )+};
}

fn distances<T: Float>() {
    elementwise!("mse_loss", mse_loss_with, mse_loss_unreduced);
    elementwise!("l1_loss", l1_loss_with, l1_loss_unreduced);
    plain!(mse_loss, l1_loss);
}

fn bent_distances<T: Float>() {
    elementwise!("smooth_l1_loss", smooth_l1_loss_with, smooth_l1_loss_unreduced, 1.0);
    elementwise!("smooth_l1_loss.beta", smooth_l1_loss_with, smooth_l1_loss_unreduced, 0.3);
    elementwise!("l1_loss", smooth_l1_loss_with, smooth_l1_loss_unreduced, 0.0);
    elementwise!("huber_loss", huber_loss_with, huber_loss_unreduced, 1.0);
    elementwise!("huber_loss.delta", huber_loss_with, huber_loss_unreduced, 0.3);
    plain!(smooth_l1_loss, huber_loss);
    let x = Tensor::<T, 1>::ones([2]);
    let error = loss::try_huber_loss(&x, &x, Reduction::Mean, 0.0).unwrap_err().to_string();
    assert!(error.contains("huber_loss") && error.contains("delta = 0"), "{error}");
    assert!(loss::try_smooth_l1_loss(&x, &x, Reduction::Mean, -1.0).is_err());
}

fn divergences<T: Float>() {
    elementwise!("kl_div", kl_div_with, kl_div_unreduced, false);
    elementwise!("kl_div.log_target", kl_div_with, kl_div_unreduced, true);
    plain!(kl_div);
}

fn margins<T: Float>() {
    elementwise!(1, "hinge_embedding_loss", "", hinge_embedding_loss_with, hinge_embedding_loss_unreduced, 1.0);
    elementwise!(1, "hinge_embedding_loss", "narrow_", hinge_embedding_loss_with, hinge_embedding_loss_unreduced, 0.3);
    elementwise!(1, "soft_margin_loss", "", soft_margin_loss_with, soft_margin_loss_unreduced);
    elementwise!(1, "poisson_nll_loss", "", poisson_nll_loss_with, poisson_nll_loss_unreduced, true);
    elementwise!(1, "poisson_nll_loss", "means_", poisson_nll_loss_with, poisson_nll_loss_unreduced, false);
}

/// The slices of the first axis, as the operands that they stand for.
fn apart<T: Float, const K: usize, const N: usize>(x: &DynTensor) -> [Tensor<T, N>; K] {
    std::array::from_fn(|i| Tensor::from_dyn(x.narrow(0, i, 1).unwrap().squeeze(0).unwrap()).unwrap())
}

fn margins_of_pairs_and_triplets<T: Float>() {
    for (name, reduction) in REDUCTIONS {
        for (variant, margin) in [("", 0.0), ("wide_", 0.7)] {
            let case = Case::<T>::new(&format!("margin_ranking_loss.{variant}{name}"));
            case.check_loss::<2, 0>(|x| {
                let [a, b] = apart(x.as_dyn());
                loss::margin_ranking_loss_with(&a, &b, &case.get("target"), reduction, margin)
            });
        }
        for (variant, margin) in [("", 0.0), ("narrow_", 0.2)] {
            let case = Case::<T>::new(&format!("cosine_embedding_loss.{variant}{name}"));
            case.check_loss::<3, 0>(|x| {
                let [a, b] = apart(x.as_dyn());
                loss::cosine_embedding_loss_with(&a, &b, &case.get("target"), reduction, margin)
            });
        }
        for (variant, margin, p, swap) in [("", 1.0, 2.0, false), ("swapped_", 2.5, 3.0, true)] {
            let case = Case::<T>::new(&format!("triplet_margin_loss.{variant}{name}"));
            case.check_loss::<3, 0>(|x| {
                let [a, b, c] = apart(x.as_dyn());
                loss::triplet_margin_loss_with(&a, &b, &c, reduction, margin, p, swap)
            });
        }
    }
    let case = Case::<T>::new("margin_ranking_loss.wide_none");
    case.check_loss::<2, 1>(|x| {
        let [a, b] = apart(x.as_dyn());
        loss::margin_ranking_loss_unreduced(&a, &b, &case.get("target"), 0.7).unwrap()
    });
    let case = Case::<T>::new("cosine_embedding_loss.none");
    case.check_loss::<3, 1>(|x| {
        let [a, b] = apart(x.as_dyn());
        loss::cosine_embedding_loss_unreduced(&a, &b, &case.get("target"), 0.0).unwrap()
    });
    let case = Case::<T>::new("triplet_margin_loss.none");
    case.check_loss::<3, 1>(|x| {
        let [a, b, c] = apart(x.as_dyn());
        loss::triplet_margin_loss_unreduced(&a, &b, &c, 1.0, 2.0, false).unwrap()
    });
    let [a, b, c] = apart(case.get::<3>("x").as_dyn());
    let plain: Tensor<T, 0> = loss::triplet_margin_loss(&a, &b, &c);
    assert_eq!(plain, loss::triplet_margin_loss_with(&a, &b, &c, Reduction::Mean, 1.0, 2.0, false));
    let error = loss::try_triplet_margin_loss(&a, &b, &c, Reduction::Mean, 1.0, 0.0, false).unwrap_err().to_string();
    assert!(error.contains("triplet_margin_loss") && error.contains("p = 0"), "{error}");
}

fn similarities<T: Float>() {
    for (name, axis) in [("last", 1), ("first", 0)] {
        let case = Case::<T>::new(&format!("cosine_similarity.{name}"));
        case.check_loss::<3, 1>(|x| {
            let [a, b] = apart::<T, 2, 2>(x.as_dyn());
            cosine_similarity(&a, &b, axis, 1e-8)
        });
    }
    for p in [1.0, 2.0, 3.0] {
        let case = Case::<T>::new(&format!("pairwise_distance.{p}"));
        case.check_loss::<3, 1>(|x| {
            let [a, b] = apart::<T, 2, 2>(x.as_dyn());
            pairwise_distance(&a, &b, p, 1e-6)
        });
    }
}

fn yes_and_no_by_probabilities<T: Float>() {
    for (name, reduction) in REDUCTIONS {
        let case = Case::<T>::new(&format!("binary_cross_entropy.{name}"));
        let config = BinaryCrossEntropyConfig { reduction, weight: None };
        case.check_loss::<2, 0>(|x| loss::binary_cross_entropy_with(x, &case.get("target"), &config));
        let case = Case::<T>::new(&format!("binary_cross_entropy.weighted_{name}"));
        let config = BinaryCrossEntropyConfig { reduction, weight: Some(case.get("weight")) };
        case.check_loss::<2, 0>(|x| loss::binary_cross_entropy_with(x, &case.get("target"), &config));
        let case = Case::<T>::new("binary_cross_entropy.weighted_none");
        case.check_loss::<2, 2>(|x| loss::binary_cross_entropy_unreduced(x, &case.get("target"), &config).unwrap());
    }
    let case = Case::<T>::new("binary_cross_entropy.none");
    case.check_loss::<2, 2>(|x| {
        loss::binary_cross_entropy_unreduced(x, &case.get("target"), &Default::default()).unwrap()
    });
    plain!(binary_cross_entropy);
}

fn yes_and_no_by_logits<T: Float>() {
    for (name, reduction) in REDUCTIONS {
        for (kind, weighted, positive) in [("", false, false), ("positive_", false, true), ("weighted_", true, true)] {
            let case = Case::<T>::new(&format!("binary_cross_entropy_with_logits.{kind}{name}"));
            let weight = weighted.then(|| case.get("weight"));
            let pos_weight = positive.then(|| case.get("pos_weight"));
            let config = BinaryCrossEntropyWithLogitsConfig { reduction, weight, pos_weight };
            case.check_loss::<2, 0>(|x| loss::binary_cross_entropy_with_logits_with(x, &case.get("target"), &config));
            let case = Case::<T>::new(&format!("binary_cross_entropy_with_logits.{kind}none"));
            case.check_loss::<2, 2>(|x| {
                loss::binary_cross_entropy_with_logits_unreduced(x, &case.get("target"), &config).unwrap()
            });
        }
    }
    plain!(binary_cross_entropy_with_logits);
}

#[test]
fn a_rank_0_loss_needs_no_seed() {
    let x = Tensor::<f32, 1>::ones([2]).requires_grad();
    mse_loss(&x, &x.zeros_like()).backward();
    assert_eq!(x.grad().unwrap().to_vec(), [1.0, 1.0]);
}
