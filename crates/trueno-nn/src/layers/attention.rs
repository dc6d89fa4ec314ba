//! Attention, and the encoder layer that is made of it.

use crate::init::{default_weight, xavier_uniform};
use crate::layer::expect;
use crate::{Dropout, Layer, LayerNorm, LayerNormConfig, Linear, Mode, Module, Param};
use trueno_core::table::CompareOp;
use trueno_core::{Error, Float, Result};
use trueno_tensor::{AttentionConfig, DynTensor, Rng, Tensor};

/// Which keys a query sees.
#[derive(Clone, Debug, Default)]
pub enum AttentionMask<T: Float> {
    /// All of them.
    #[default]
    All,
    /// Those up to its own position.
    Causal,
    /// Those where this holds; broadcasts to `[batch, heads, queries, keys]`.
    Keep(Tensor<bool, 4>),
    /// Added to the scores; broadcasts to `[batch, heads, queries, keys]`.
    Add(Tensor<T, 4>),
}

impl<T: Float> AttentionMask<T> {
    /// Hides the keys of each sequence where `padding` `[batch, keys]` holds (PyTorch's `key_padding_mask`).
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn padding(padding: &Tensor<bool, 2>) -> Result<AttentionMask<T>> {
        let keep = padding.as_dyn().compare(CompareOp::Eq, &DynTensor::scalar(false)?)?;
        Ok(AttentionMask::Keep(Tensor::from_dyn(keep.unsqueeze(1)?.unsqueeze(1)?)?))
    }

    fn apply(&self, q: &DynTensor, k: &DynTensor, v: &DynTensor) -> Result<DynTensor> {
        let (mask, causal) = match self {
            AttentionMask::All => (None, false),
            AttentionMask::Causal => (None, true),
            AttentionMask::Keep(mask) => (Some(mask.as_dyn()), false),
            AttentionMask::Add(mask) => (Some(mask.as_dyn()), false),
        };
        q.scaled_dot_product_attention(k, v, mask, AttentionConfig { scale: None, causal })
    }
}

/// Attention of several heads, each of a part of the width (Vaswani et al., 2017; PyTorch's `MultiheadAttention` with
/// `batch_first`). Weights of the attention are not dropped.
///
/// As a [`Layer`] it is self-attention of `[batch, length, width]`; [`attend`](MultiheadAttention::attend) takes queries, keys and
/// values apart, and a mask.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{AttentionMask, Layer, Mode, MultiheadAttention, Rng};
/// let layer: MultiheadAttention = MultiheadAttention::new(8, 2, &mut Rng::seed(0));
/// let x = Tensor::ones([3, 5, 8]);
/// assert_eq!(layer.forward(&x, Mode::Eval).shape(), [3, 5, 8]);
/// assert_eq!(layer.attend(&x, &x, &x, &AttentionMask::Causal).shape(), [3, 5, 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct MultiheadAttention<T: Float = f32> {
    /// Of queries, keys and values, one under the other: `[3 * width, width]`.
    pub in_proj_weight: Param<2, T>,
    /// `[3 * width]`.
    pub in_proj_bias: Param<1, T>,
    /// From the joined heads to the result.
    pub out_proj: Linear<T>,
    heads: usize,
}

impl<T: Float> MultiheadAttention<T> {
    /// Attention of this width and number of heads, with PyTorch's first values.
    ///
    /// # Panics
    /// At the caller's line if the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize, rng: &mut Rng) -> MultiheadAttention<T> {
        let divides = heads > 0 && width.is_multiple_of(heads);
        assert!(divides, "multihead_attention: {heads} heads do not divide a width of {width}");
        let bias = Some(Tensor::zeros([width]).into());
        MultiheadAttention {
            in_proj_weight: xavier_uniform([3 * width, width], 1.0, rng).into(),
            in_proj_bias: Tensor::zeros([3 * width]).into(),
            out_proj: Linear { weight: default_weight([width, width], rng).into(), bias },
            heads,
        }
    }

    /// What queries `[batch, L, width]` get from keys and values `[batch, S, width]`.
    ///
    /// # Panics
    /// At the caller's line, with the error of [`try_attend`](MultiheadAttention::try_attend) as the message.
    #[track_caller]
    pub fn attend(
        &self,
        query: &Tensor<T, 3>,
        key: &Tensor<T, 3>,
        value: &Tensor<T, 3>,
        mask: &AttentionMask<T>,
    ) -> Tensor<T, 3> {
        expect(self.try_attend(query, key, value, mask))
    }

    /// As [`attend`](MultiheadAttention::attend).
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::ShapePair`] if a width or a length does not fit, [`Error::Broadcast`] if the mask does not.
    pub fn try_attend(
        &self,
        query: &Tensor<T, 3>,
        key: &Tensor<T, 3>,
        value: &Tensor<T, 3>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T, 3>> {
        let width = self.width();
        let part = |x: &Tensor<T, 3>, index: usize| self.heads(&self.project(x.as_dyn(), index * width, width)?);
        self.join(mask.apply(&part(query, 0)?, &part(key, 1)?, &part(value, 2)?)?)
    }

    /// Attention of a sequence to itself, with one projection for all three.
    fn attend_self(&self, x: &DynTensor, mask: &AttentionMask<T>) -> Result<Tensor<T, 3>> {
        let width = self.width();
        let all = self.project(x, 0, 3 * width)?;
        let part = |index: usize| self.heads(&all.narrow(2, index * width, width)?);
        self.join(mask.apply(&part(0)?, &part(1)?, &part(2)?)?)
    }

    fn width(&self) -> usize {
        self.in_proj_weight.shape()[1]
    }

    /// Rows `start..start + count` of the projection, on `[batch, length, width]`.
    fn project(&self, x: &DynTensor, start: usize, count: usize) -> Result<DynTensor> {
        if x.shape()[2] != self.width() {
            let reason = format!("must have {} as its last size, the width of the layer", self.width()).into();
            return Err(Error::Shape { op: "multihead_attention", got: x.shape().into(), reason });
        }
        let weight = self.in_proj_weight.as_dyn().narrow(0, start, count)?;
        let bias = self.in_proj_bias.as_dyn().narrow(0, start, count)?;
        x.linear(&weight, Some(&bias))
    }

    /// `[batch, length, width]` as `[batch, heads, length, width / heads]`.
    fn heads(&self, x: &DynTensor) -> Result<DynTensor> {
        let [batch, length, width] = *x.shape() else { return Ok(x.clone()) };
        x.reshape_to(&[batch, length, self.heads, width / self.heads])?.swap_axes(1, 2)
    }

    /// The heads side by side, through the last projection.
    fn join(&self, heads: DynTensor) -> Result<Tensor<T, 3>> {
        self.out_proj.try_forward(&Tensor::from_dyn(heads.swap_axes(1, 2)?.flatten(2, 3)?)?, Mode::Eval)
    }
}

impl<T: Float> Layer<Tensor<T, 3>> for MultiheadAttention<T> {
    type Output = Tensor<T, 3>;

    fn try_forward(&self, input: &Tensor<T, 3>, _: Mode) -> Result<Tensor<T, 3>> {
        self.attend_self(input.as_dyn(), &AttentionMask::All)
    }
}

/// What follows the first linear layer of a [`TransformerEncoderLayer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedForward {
    /// Rectification.
    #[default]
    Relu,
    /// Gaussian error linear unit.
    Gelu,
}

/// How a [`TransformerEncoderLayer`] is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerEncoderConfig {
    /// Width between the two linear layers.
    pub dim_feedforward: usize,
    /// Probability of dropping an element.
    pub dropout: f64,
    /// Between the two linear layers.
    pub activation: FeedForward,
    /// Added to variances.
    pub layer_norm_eps: f64,
    /// Whether what enters attention and linear layers is normalised, rather than what leaves them.
    pub norm_first: bool,
}

/// PyTorch's: 2048, 0.1, rectification, 1e-5, normalised last.
impl Default for TransformerEncoderConfig {
    fn default() -> TransformerEncoderConfig {
        let (dropout, layer_norm_eps, activation) = (0.1, 1e-5, FeedForward::Relu);
        TransformerEncoderConfig { dim_feedforward: 2048, dropout, activation, layer_norm_eps, norm_first: false }
    }
}

/// Self-attention and two linear layers, each added to what it is given and normalised (Vaswani et al., 2017; PyTorch's
/// `TransformerEncoderLayer` with `batch_first`). Weights of the attention are not dropped.
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Layer, Mode, Rng, TransformerEncoderConfig, TransformerEncoderLayer};
/// let config = TransformerEncoderConfig { dim_feedforward: 16, ..Default::default() };
/// let layer: TransformerEncoderLayer = TransformerEncoderLayer::new(8, 2, config, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&Tensor::ones([3, 5, 8]), Mode::Eval).shape(), [3, 5, 8]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoderLayer<T: Float = f32> {
    /// The attention.
    pub self_attn: MultiheadAttention<T>,
    /// Into the wide layer.
    pub linear1: Linear<T>,
    dropout: Dropout,
    /// Out of it.
    pub linear2: Linear<T>,
    /// Of the attention.
    pub norm1: LayerNorm<1, T>,
    /// Of the linear layers.
    pub norm2: LayerNorm<1, T>,
    dropout1: Dropout,
    dropout2: Dropout,
    #[module(skip)]
    activation: FeedForward,
    norm_first: bool,
}

impl<T: Float> TransformerEncoderLayer<T> {
    /// A layer of this width and number of heads.
    ///
    /// # Panics
    /// At the caller's line if the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize, config: TransformerEncoderConfig, rng: &mut Rng) -> Self {
        let norm = LayerNormConfig { eps: config.layer_norm_eps, ..Default::default() };
        TransformerEncoderLayer {
            self_attn: MultiheadAttention::new(width, heads, rng),
            linear1: Linear::new(width, config.dim_feedforward, rng),
            dropout: Dropout::new(config.dropout, rng),
            linear2: Linear::new(config.dim_feedforward, width, rng),
            norm1: LayerNorm::with_config([width], norm),
            norm2: LayerNorm::with_config([width], norm),
            dropout1: Dropout::new(config.dropout, rng),
            dropout2: Dropout::new(config.dropout, rng),
            activation: config.activation,
            norm_first: config.norm_first,
        }
    }

    /// The result for a sequence `[batch, length, width]` whose positions see each other as the mask says.
    ///
    /// # Errors
    /// Those of its layers, if the shape does not fit.
    pub fn try_forward_masked(
        &self,
        input: &Tensor<T, 3>,
        mask: &AttentionMask<T>,
        mode: Mode,
    ) -> Result<Tensor<T, 3>> {
        let attend = |x: &Tensor<T, 3>| self.dropout1.try_forward(&self.self_attn.attend_self(x.as_dyn(), mask)?, mode);
        if self.norm_first {
            let x = input.try_add(&attend(&self.norm1.try_forward(input, mode)?)?)?;
            return x.try_add(&self.feed_forward(&self.norm2.try_forward(&x, mode)?, mode)?);
        }
        let x = self.norm1.try_forward(&input.try_add(&attend(input)?)?, mode)?;
        self.norm2.try_forward(&x.try_add(&self.feed_forward(&x, mode)?)?, mode)
    }

    fn feed_forward(&self, x: &Tensor<T, 3>, mode: Mode) -> Result<Tensor<T, 3>> {
        let wide = self.linear1.try_forward(x, mode)?;
        let wide = match self.activation {
            FeedForward::Relu => crate::Relu.try_forward(&wide, mode)?,
            FeedForward::Gelu => crate::Gelu.try_forward(&wide, mode)?,
        };
        let narrow = self.linear2.try_forward(&self.dropout.try_forward(&wide, mode)?, mode)?;
        self.dropout2.try_forward(&narrow, mode)
    }
}

impl<T: Float> Layer<Tensor<T, 3>> for TransformerEncoderLayer<T> {
    type Output = Tensor<T, 3>;

    fn try_forward(&self, input: &Tensor<T, 3>, mode: Mode) -> Result<Tensor<T, 3>> {
        self.try_forward_masked(input, &AttentionMask::All, mode)
    }
}
