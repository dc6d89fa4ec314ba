//! Normalisation of each sample by itself, in groups of channels.

use crate::{Layer, Mode, Module, Param};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{DynTensor, Lower, Rank, Tensor};

/// How a group normalisation normalises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNormConfig {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there is a trained weight and bias.
    pub affine: bool,
}

/// PyTorch's: eps 1e-5, with weight and bias.
impl Default for GroupNormConfig {
    fn default() -> GroupNormConfig {
        GroupNormConfig { eps: 1e-5, affine: true }
    }
}

/// Normalisation of `[N, C, ...]` in groups of channels, each sample by itself (Wu and He, 2018). It does the same in training and
/// in evaluation.
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{GroupNorm, Layer, Mode};
/// let norm = GroupNorm::new(2, 4);
/// let y = norm.forward(&tensor![[1.0, 3.0, 30.0, 10.0]], Mode::Eval).to_vec();
/// assert!(y.iter().zip([-1.0, 1.0, 1.0, -1.0]).all(|(y, want)| (y - want).abs() < 1e-4));
/// ```
#[derive(Clone, Debug, Module)]
pub struct GroupNorm<T: Float = f32> {
    /// `[C]`.
    pub weight: Option<Param<1, T>>,
    /// `[C]`.
    pub bias: Option<Param<1, T>>,
    groups: usize,
    channels: usize,
    eps: f64,
}

impl<T: Float> GroupNorm<T> {
    /// A normalisation of `channels` channels in `groups` groups with PyTorch's defaults.
    ///
    /// # Panics
    /// At the caller's line if the groups do not divide the channels.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm<T> {
        GroupNorm::with_config(groups, channels, GroupNormConfig::default())
    }

    /// The same with other settings.
    ///
    /// # Panics
    /// At the caller's line if the groups do not divide the channels.
    #[track_caller]
    pub fn with_config(groups: usize, channels: usize, config: GroupNormConfig) -> GroupNorm<T> {
        let divides = groups > 0 && channels.is_multiple_of(groups);
        assert!(divides, "group_norm: {groups} groups do not divide {channels} channels");
        GroupNorm::unchecked(groups, channels, config)
    }

    fn unchecked(groups: usize, channels: usize, GroupNormConfig { eps, affine }: GroupNormConfig) -> GroupNorm<T> {
        GroupNorm {
            weight: affine.then(|| Tensor::ones([channels]).into()),
            bias: affine.then(|| Tensor::zeros([channels]).into()),
            groups,
            channels,
            eps,
        }
    }

    fn normalise(&self, op: &'static str, input: &DynTensor) -> Result<DynTensor> {
        if input.shape()[1] != self.channels {
            let reason = format!("axis 1 must have size {}, the number of channels", self.channels).into();
            return Err(Error::Shape { op, got: input.shape().into(), reason });
        }
        let affine = match (&self.weight, &self.bias) {
            (Some(weight), Some(bias)) => Some((weight.as_dyn(), bias.as_dyn())),
            _ => None,
        };
        input.group_norm(self.groups, affine, self.eps)
    }
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for GroupNorm<T>
where
    Rank<N>: Lower<2>,
{
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        Tensor::from_dyn(self.normalise("group_norm", input.as_dyn())?)
    }
}

/// How an instance normalisation normalises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstanceNormConfig {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there is a trained weight and bias.
    pub affine: bool,
}

/// PyTorch's: eps 1e-5, without weight and bias.
impl Default for InstanceNormConfig {
    fn default() -> InstanceNormConfig {
        InstanceNormConfig { eps: 1e-5, affine: false }
    }
}

/// Defines an instance normalisation for the rank that PyTorch's of this name takes.
macro_rules! instance_norms {
    ($($(#[doc = $doc:literal])+ $name:ident $op:literal $rank:literal;)+) => {$(
        $(#[doc = $doc])+
        ///
        /// It does the same in training and in evaluation: PyTorch's without `track_running_stats`.
        #[derive(Clone, Debug, Module)]
        pub struct $name<T: Float = f32>(GroupNorm<T>);

        impl<T: Float> $name<T> {
            /// A normalisation of this many channels with PyTorch's defaults.
            pub fn new(channels: usize) -> $name<T> {
                $name::with_config(channels, InstanceNormConfig::default())
            }

            /// The same with other settings.
            pub fn with_config(channels: usize, config: InstanceNormConfig) -> $name<T> {
                let InstanceNormConfig { eps, affine } = config;
                $name(GroupNorm::unchecked(channels, channels, GroupNormConfig { eps, affine }))
            }
        }

        impl<T: Float> Layer<Tensor<T, $rank>> for $name<T> {
            type Output = Tensor<T, $rank>;

            fn try_forward(&self, input: &Tensor<T, $rank>, _: Mode) -> Result<Tensor<T, $rank>> {
                Tensor::from_dyn(self.0.normalise($op, input.as_dyn())?)
            }
        }
    )+};
}

instance_norms! {
    /// Normalisation of each channel of each sample of `[N, C, L]` (Ulyanov et al., 2016).
    InstanceNorm1d "instance_norm1d" 3;
    /// Normalisation of each channel of each sample of `[N, C, H, W]` (Ulyanov et al., 2016).
    ///
    /// ```
    /// use trueno_nn::tensor::tensor;
    /// use trueno_nn::{InstanceNorm2d, Layer, Mode};
    /// let norm = InstanceNorm2d::new(1);
    /// let y = norm.forward(&tensor![[[[1.0, 3.0]]], [[[20.0, 10.0]]]], Mode::Eval).to_vec();
    /// assert!(y.iter().zip([-1.0, 1.0, 1.0, -1.0]).all(|(y, want)| (y - want).abs() < 1e-4));
    /// ```
    InstanceNorm2d "instance_norm2d" 4;
}
