//! The layers, one file per kind.

mod activation;
mod attention;
mod conv;
mod conv1d;
mod conv_transpose;
mod dropout;
mod embedding;
mod group_norm;
mod linear;
mod norm;
mod parametric;
mod pool;
mod recurrent;
mod resample;

pub use activation::{
    Elu, Gelu, GeluTanh, Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyRelu, LogSigmoid, LogSoftmax, Mish, Relu,
    Selu, Sigmoid, Silu, Softmax, Softplus, Softsign, Tanh,
};
pub use attention::{
    AttentionMask, FeedForward, MultiheadAttention, TransformerEncoderConfig, TransformerEncoderLayer,
};
pub use conv::{Conv2d, Conv2dConfig};
pub use conv_transpose::{ConvTranspose2d, ConvTranspose2dConfig};
pub use conv1d::{Conv1d, Conv1dConfig};
pub use dropout::{Dropout, Dropout2d};
pub use embedding::Embedding;
pub use group_norm::{GroupNorm, GroupNormConfig, InstanceNorm1d, InstanceNorm2d, InstanceNormConfig};
pub use linear::Linear;
pub use norm::{BatchNorm1d, BatchNorm2d, BatchNormConfig, LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig};
pub use parametric::{Glu, PRelu};
pub use pool::{AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, Flatten, MaxPool1d, MaxPool2d, Pool1dConfig, PoolConfig};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, RecurrentConfig, Rnn, RnnActivation, RnnCell};
pub use resample::{Interpolation, PixelShuffle, PixelUnshuffle, Upsample, interpolate, try_interpolate};

/// A size along height and width: one number for both, or two.
///
/// ```
/// use trueno_nn::Pair;
/// assert_eq!((Pair::from(3).0, Pair::from([3, 5]).0, Pair::from((3, 5)).0), ([3, 3], [3, 5], [3, 5]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(size: usize) -> Pair {
        Pair([size; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Pair {
        Pair(sizes)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((height, width): (usize, usize)) -> Pair {
        Pair([height, width])
    }
}
