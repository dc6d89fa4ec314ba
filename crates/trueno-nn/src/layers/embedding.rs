//! Tables of vectors.

use crate::init;
use crate::{Layer, Mode, Module, Param};
use trueno_core::table::CompareOp;
use trueno_core::{Float, Result};
use trueno_tensor::{DynTensor, Raise, Raised, Rank, Rng, Shell, Tensor};

/// A vector per word: `i64` positions of any shape to the same shape with an axis for the vectors added. A position that
/// is no word is an error that names it; negative ones are none.
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Embedding, Layer, Mode, Rng};
/// let layer: Embedding = Embedding::new(10, 4, &mut Rng::seed(0));
/// assert_eq!(layer.forward(&tensor![[1_i64, 2, 3]], Mode::Eval).shape(), [1, 3, 4]);
/// let error = layer.try_forward(&tensor![-1_i64], Mode::Eval).unwrap_err();
/// assert_eq!(error.to_string(), "embedding: index -1 is out of range for axis 0 of size 10");
/// ```
#[derive(Clone, Debug, Module)]
pub struct Embedding<T: Float = f32> {
    /// `[words, size]`.
    pub weight: Param<2, T>,
    padding_idx: Option<usize>,
}

impl<T: Float> Embedding<T> {
    /// `words` vectors of `size` elements, normally distributed.
    pub fn new(words: usize, size: usize, rng: &mut Rng) -> Embedding<T> {
        Embedding { weight: init::normal([words, size], 0.0, 1.0, rng).into(), padding_idx: None }
    }

    /// The same with a word that stands for nothing (PyTorch's `padding_idx`): its vector starts as zeros, and no
    /// gradient reaches it.
    ///
    /// # Panics
    /// At the caller's line if it is not one of the words.
    #[track_caller]
    pub fn with_padding(words: usize, size: usize, padding_idx: usize, rng: &mut Rng) -> Embedding<T> {
        assert!(padding_idx < words, "embedding: padding_idx {padding_idx} is not one of {words} words");
        let keep = Tensor::from_fn([words, 1], |[word, _]| T::from_f64(if word == padding_idx { 0.0 } else { 1.0 }));
        let weight: Tensor<T, 2> = init::normal([words, size], 0.0, 1.0, rng);
        Embedding { weight: (&weight * &keep).into(), padding_idx: Some(padding_idx) }
    }
}

impl<T: Float, const N: usize> Layer<Tensor<i64, N>> for Embedding<T>
where
    Rank<N>: Raise,
{
    type Output = Raised<T, N>;

    fn try_forward(&self, input: &Tensor<i64, N>, _: Mode) -> Result<Raised<T, N>> {
        let rows = self.weight.as_dyn().embedding(input.as_dyn())?;
        let Some(padding_idx) = self.padding_idx else {
            return Ok(Shell::shell(rows));
        };
        let padding = DynTensor::scalar(padding_idx as i64)?;
        let is_padding = input.as_dyn().compare(CompareOp::Eq, &padding)?.unsqueeze(-1)?;
        Ok(Shell::shell(is_padding.select(&rows.detach(), &rows)?))
    }
}
