//! Normalisation layers.

use crate::{Buffer, Layer, Mode, Module, Param, Visitor, VisitorMut};
use trueno_autograd::is_recomputing;
use trueno_core::table::{ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Error, Float, Result};
use trueno_tensor::{DynTensor, Tensor, batch_norm_with_stats, fuse};

/// How a batch normalisation normalises and averages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormConfig {
    /// Added to the variance.
    pub eps: f64,
    /// Share of the newest batch in the running statistics; `None` averages all batches alike.
    pub momentum: Option<f64>,
    /// Whether there is a trained weight and bias.
    pub affine: bool,
}

/// PyTorch's: eps 1e-5, momentum 0.1, with weight and bias.
impl Default for BatchNormConfig {
    fn default() -> BatchNormConfig {
        BatchNormConfig { eps: 1e-5, momentum: Some(0.1), affine: true }
    }
}

/// What batch normalisations of every rank are: the channels lie along axis 1.
#[derive(Clone, Debug, Module)]
struct BatchNorm<T: Float> {
    weight: Option<Param<1, T>>,
    bias: Option<Param<1, T>>,
    running_mean: Buffer<1, T>,
    running_var: Buffer<1, T>,
    num_batches_tracked: Buffer<0, i64>,
    #[module(skip)]
    config: BatchNormConfig,
}

impl<T: Float> BatchNorm<T> {
    fn new(channels: usize, config: BatchNormConfig) -> BatchNorm<T> {
        BatchNorm {
            weight: config.affine.then(|| Tensor::ones([channels]).into()),
            bias: config.affine.then(|| Tensor::zeros([channels]).into()),
            running_mean: Buffer::new(Tensor::zeros([channels])),
            running_var: Buffer::new(Tensor::ones([channels])),
            num_batches_tracked: Buffer::new(Tensor::scalar(0)),
            config,
        }
    }

    fn channels(&self) -> usize {
        self.running_mean.get().size()
    }

    fn forward(&self, op: &'static str, input: &DynTensor, mode: Mode) -> Result<DynTensor> {
        let channels = self.channels();
        if input.shape()[1] != channels {
            let reason = format!("axis 1 must have size {channels}, the number of channels").into();
            return Err(Error::Shape { op, got: input.shape().into(), reason });
        }
        // Constants go along to any device.
        let all = |value: f64| Tensor::scalar(T::from_f64(value)).as_dyn().broadcast_to(&[channels]);
        let (ones, zeros) = (all(1.0)?, all(0.0)?);
        let weight = self.weight.as_deref().map_or(&ones, Tensor::as_dyn);
        let bias = self.bias.as_deref().map_or(&zeros, Tensor::as_dyn);
        match mode {
            Mode::Eval => {
                let (mean, var) = (self.running_mean.get(), self.running_var.get());
                input.batch_norm(weight, bias, Some((mean.as_dyn(), var.as_dyn())), self.config.eps)
            }
            Mode::Train => {
                if input.size() <= channels {
                    let reason = "has one value per channel, which has no variance to train with".into();
                    return Err(Error::Shape { op, got: input.shape().into(), reason });
                }
                let (output, stats) = batch_norm_with_stats(input, weight, bias, self.config.eps)?;
                // What a checkpoint computes again has been counted.
                if !is_recomputing() {
                    self.track(stats)?;
                }
                Ok(output)
            }
        }
    }

    /// Takes the batch's mean and unbiased variance into the running ones.
    fn track(&self, [mean, var]: [DynTensor; 2]) -> Result<()> {
        let batches = self.num_batches_tracked.get().item() + 1;
        let share = self.config.momentum.unwrap_or(1.0 / batches as f64);
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, var)] {
            // The engine leaves the statistics of half precision in `f32`.
            let batch = batch.cast(T::DTYPE)?;
            let share = batch.constant(share)?;
            running.set(Tensor::from_dyn(running.get().as_dyn().ternary(TernaryOp::Lerp, &batch, &share)?)?);
        }
        self.num_batches_tracked.set(Tensor::scalar(batches));
        Ok(())
    }
}

/// Defines a batch normalisation for the ranks that PyTorch's of this name takes.
macro_rules! batch_norms {
    ($($(#[doc = $doc:literal])+ $name:ident $op:literal [$($rank:literal),+];)+) => {$(
        $(#[doc = $doc])+
        ///
        /// In training it normalises by the mean and the variance of the batch and averages them into `running_mean`
        /// and `running_var` (the unbiased variance, as PyTorch does); in evaluation it normalises by those.
        #[derive(Clone, Debug)]
        pub struct $name<T: Float = f32>(BatchNorm<T>);

        // By hand: derived, it would have a bound that names a private type.
        impl<T: Float> Module for $name<T> {
            fn visit(&self, visitor: &mut dyn Visitor) {
                self.0.visit(visitor);
            }

            fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
                self.0.visit_mut(visitor);
            }
        }

        impl<T: Float> $name<T> {
            /// A normalisation of this many channels with PyTorch's defaults.
            pub fn new(channels: usize) -> $name<T> {
                $name::with_config(channels, BatchNormConfig::default())
            }

            /// The same with other settings.
            pub fn with_config(channels: usize, config: BatchNormConfig) -> $name<T> {
                $name(BatchNorm::new(channels, config))
            }

            /// The mean of each channel that evaluation uses.
            pub fn running_mean(&self) -> Tensor<T, 1> {
                self.0.running_mean.get()
            }

            /// The variance of each channel that evaluation uses.
            pub fn running_var(&self) -> Tensor<T, 1> {
                self.0.running_var.get()
            }
        }

        $(impl<T: Float> Layer<Tensor<T, $rank>> for $name<T> {
            type Output = Tensor<T, $rank>;

            fn try_forward(&self, input: &Tensor<T, $rank>, mode: Mode) -> Result<Tensor<T, $rank>> {
                Tensor::from_dyn(self.0.forward($op, input.as_dyn(), mode)?)
            }
        })+
    )+};
}

batch_norms! {
    /// Normalisation of each channel of `[N, C]` or `[N, C, L]` over the batch (Ioffe and Szegedy, 2015).
    ///
    /// ```
    /// use trueno_nn::tensor::tensor;
    /// use trueno_nn::{BatchNorm1d, Layer, Mode};
    /// let norm = BatchNorm1d::new(1);
    /// norm.forward(&tensor![[1.0], [3.0]], Mode::Train);
    /// assert_eq!(norm.running_mean().to_vec(), [0.2]); // 0.9 * 0 + 0.1 * 2
    /// ```
    BatchNorm1d "batch_norm1d" [2, 3];
    /// Normalisation of each channel of `[N, C, H, W]` over the batch (Ioffe and Szegedy, 2015).
    BatchNorm2d "batch_norm2d" [4];
}

/// How a layer normalisation normalises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormConfig {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there is a trained weight and bias.
    pub affine: bool,
}

/// PyTorch's: eps 1e-5, with weight and bias.
impl Default for LayerNormConfig {
    fn default() -> LayerNormConfig {
        LayerNormConfig { eps: 1e-5, affine: true }
    }
}

/// Normalisation over the last `K` axes, whose sizes are fixed (Ba et al., 2016).
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Layer, LayerNorm, Mode};
/// let norm = LayerNorm::new([2]);
/// let y = norm.forward(&tensor![[1.0, 3.0]], Mode::Eval).to_vec();
/// assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4);
/// ```
#[derive(Clone, Debug, Module)]
pub struct LayerNorm<const K: usize = 1, T: Float = f32> {
    /// Of the shape of the normalised axes.
    pub weight: Option<Param<K, T>>,
    /// Of the shape of the normalised axes.
    pub bias: Option<Param<K, T>>,
    #[module(skip)]
    shape: [usize; K],
    eps: f64,
}

impl<const K: usize, T: Float> LayerNorm<K, T> {
    /// A normalisation over trailing axes of these sizes with PyTorch's defaults.
    pub fn new(shape: [usize; K]) -> LayerNorm<K, T> {
        LayerNorm::with_config(shape, LayerNormConfig::default())
    }

    /// The same with other settings.
    pub fn with_config(shape: [usize; K], config: LayerNormConfig) -> LayerNorm<K, T> {
        let LayerNormConfig { eps, affine } = config;
        LayerNorm {
            weight: affine.then(|| Tensor::ones(shape).into()),
            bias: affine.then(|| Tensor::zeros(shape).into()),
            shape,
            eps,
        }
    }
}

impl<const K: usize, T: Float, const N: usize> Layer<Tensor<T, N>> for LayerNorm<K, T> {
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        expect_ending("layer_norm", input.shape(), self.shape)?;
        let affine = match (&self.weight, &self.bias) {
            (Some(weight), Some(bias)) => Some((weight.as_dyn(), bias.as_dyn())),
            _ => None,
        };
        Tensor::from_dyn(input.as_dyn().layer_norm(K, affine, self.eps)?)
    }
}

/// Refuses an input that does not end with the normalised shape.
fn expect_ending<const N: usize, const K: usize>(op: &'static str, got: [usize; N], shape: [usize; K]) -> Result<()> {
    if got.ends_with(&shape) {
        return Ok(());
    }
    let reason = format!("must end with {shape:?}, the normalised shape").into();
    Err(Error::Shape { op, got: got.as_slice().into(), reason })
}

/// How a normalisation by the root of the mean square normalises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNormConfig {
    /// Added to the mean square; `None` is the distance from 1 to the next larger value of the element type (of `f32` for half
    /// precision, which is computed in it).
    pub eps: Option<f64>,
    /// Whether there is a trained weight.
    pub affine: bool,
}

/// PyTorch's: eps by the element type, with a weight.
impl Default for RmsNormConfig {
    fn default() -> RmsNormConfig {
        RmsNormConfig { eps: None, affine: true }
    }
}

/// Normalisation over the last `K` axes, whose sizes are fixed, by the root of the mean of the squares (Zhang and Sennrich, 2019).
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Layer, Mode, RmsNorm};
/// let y = RmsNorm::new([2]).forward(&tensor![[1.0, 7.0]], Mode::Eval).to_vec();
/// assert!((y[0] - 0.2).abs() < 1e-6 && (y[1] - 1.4).abs() < 1e-6);
/// ```
#[derive(Clone, Debug, Module)]
pub struct RmsNorm<const K: usize = 1, T: Float = f32> {
    /// Of the shape of the normalised axes.
    pub weight: Option<Param<K, T>>,
    #[module(skip)]
    shape: [usize; K],
    eps: f64,
}

impl<const K: usize, T: Float> RmsNorm<K, T> {
    /// A normalisation over trailing axes of these sizes with PyTorch's defaults.
    pub fn new(shape: [usize; K]) -> RmsNorm<K, T> {
        RmsNorm::with_config(shape, RmsNormConfig::default())
    }

    /// The same with other settings.
    pub fn with_config(shape: [usize; K], RmsNormConfig { eps, affine }: RmsNormConfig) -> RmsNorm<K, T> {
        let precision = if T::DTYPE == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let weight = affine.then(|| Tensor::ones(shape).into());
        RmsNorm { weight, shape, eps: eps.unwrap_or(precision) }
    }
}

impl<const K: usize, T: Float, const N: usize> Layer<Tensor<T, N>> for RmsNorm<K, T> {
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        expect_ending("rms_norm", input.shape(), self.shape)?;
        // Half precision is rounded once, at the end.
        let wide = if T::DTYPE == DType::F64 { DType::F64 } else { DType::F32 };
        let x = input.as_dyn().cast(wide)?;
        let axes: Vec<isize> = (N - K..N).map(|axis| axis as isize).collect();
        let mean = x.unary(UnaryOp::Square, [0.0; 2])?.reduce(ReduceOp::Mean, &axes, true, 0.0)?;
        let eps = self.eps;
        let normal = match &self.weight {
            Some(weight) => {
                let weight = weight.as_dyn().cast(wide)?;
                fuse!(|x, mean, weight| x * (mean + eps).rsqrt() * weight).apply([&x, &mean, &weight])?
            }
            None => fuse!(|x, mean| x * (mean + eps).rsqrt()).apply([&x, &mean])?,
        };
        Tensor::from_dyn(normal.cast(T::DTYPE)?)
    }
}
