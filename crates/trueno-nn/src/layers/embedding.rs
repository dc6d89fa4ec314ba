//! Tables of vectors.

use crate::init;
use crate::{Layer, Mode, Module, Param};
use trueno_core::Result;
use trueno_tensor::{Raise, Raised, Rank, Rng, Tensor};

/// A vector per word: `i64` positions of any shape to the same shape with an axis for the vectors added.
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Embedding, Layer, Mode, Rng};
/// let layer = Embedding::new(10, 4, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&tensor![[1_i64, 2, 3]], Mode::Eval).shape(), [1, 3, 4]);
/// assert!(layer.try_forward(&tensor![10_i64], Mode::Eval).is_err());
/// ```
#[derive(Clone, Debug, Module)]
pub struct Embedding {
    /// `[words, size]`.
    pub weight: Param<2>,
}

impl Embedding {
    /// `words` vectors of `size` elements, normally distributed.
    pub fn new(words: usize, size: usize, rng: &mut Rng) -> Embedding {
        Embedding { weight: init::normal([words, size], 0.0, 1.0, rng).into() }
    }
}

impl<const N: usize> Layer<Tensor<i64, N>> for Embedding
where
    Rank<N>: Raise,
{
    type Output = Raised<f32, N>;

    fn try_forward(&self, input: &Tensor<i64, N>, _: Mode) -> Result<Raised<f32, N>> {
        self.weight.embedding(input)
    }
}
