//! Data that is in tensors already.

use trueno_core::{Element, Error, Result};
use trueno_tensor::{Lower, Lowered, Rank, Tensor};

use crate::dataset::Dataset;

/// Something with a row per sample: a tensor, by its first axis, or a tuple of such.
pub trait Rows {
    /// One sample.
    type Row: Send;

    /// The number of rows of each part.
    fn lengths(&self) -> Vec<usize>;

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    fn row(&self, index: usize) -> Self::Row;
}

impl<T: Element, const N: usize> Rows for Tensor<T, N>
where
    Rank<N>: Lower,
    Lowered<T, N>: Send,
{
    type Row = Lowered<T, N>;

    fn lengths(&self) -> Vec<usize> {
        vec![self.shape()[0]]
    }

    fn row(&self, index: usize) -> Lowered<T, N> {
        self.narrow(0, index, 1).squeeze(0)
    }
}

macro_rules! rows_of_tuples {
    ($(($($name:ident $position:tt),+))*) => {$(
        impl<$($name: Rows),+> Rows for ($($name,)+) {
            type Row = ($($name::Row,)+);

            fn lengths(&self) -> Vec<usize> {
                [$(self.$position.lengths()),+].concat()
            }

            fn row(&self, index: usize) -> Self::Row {
                ($(self.$position.row(index),)+)
            }
        }
    )*};
}

rows_of_tuples! { (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }

/// Samples that are the rows of tensors, such as inputs and targets.
///
/// ```
/// use trueno_data::{DataLoader, DataLoaderConfig, TensorDataset};
/// use trueno_tensor::prelude::*;
///
/// let (x, y) = (tensor![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], tensor![0_i64, 1, 0]);
/// let loader = DataLoader::new(TensorDataset::new((x, y))?, DataLoaderConfig { batch_size: 2, ..Default::default() })?;
/// let batches: Vec<_> = loader.epoch(0).collect();
/// assert_eq!(batches[0], (tensor![[0.0, 1.0], [2.0, 3.0]], tensor![0_i64, 1]));
/// assert_eq!(batches[1], (tensor![[4.0, 5.0]], tensor![0_i64]));
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TensorDataset<R> {
    rows: R,
    len: usize,
}

impl<R: Rows> TensorDataset<R> {
    /// The set of the rows of one tensor or of a tuple of tensors.
    ///
    /// # Errors
    /// [`Error::Argument`] if the tensors do not all have as many rows.
    pub fn new(rows: R) -> Result<Self> {
        let lengths = rows.lengths();
        if lengths.windows(2).any(|pair| pair[0] != pair[1]) {
            let reason = format!("the tensors have {lengths:?} rows; they must have the same number");
            return Err(Error::Argument { op: "TensorDataset::new", reason: reason.into() });
        }
        Ok(TensorDataset { len: lengths[0], rows })
    }
}

impl<R: Rows + Send + Sync> Dataset for TensorDataset<R> {
    type Item = R::Row;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> R::Row {
        self.rows.row(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trueno_tensor::prelude::*;

    #[test]
    fn rows_are_along_the_first_axis() {
        let set = TensorDataset::new(tensor![[1, 2], [3, 4], [5, 6]].transpose(0, 1)).unwrap();
        assert_eq!((set.len(), set.get(1)), (2, tensor![2, 4, 6]));
    }

    #[test]
    fn tensors_of_different_lengths_are_refused() {
        let error = TensorDataset::new((tensor![1, 2], tensor![1.0], tensor![1, 2])).map(|_| ()).unwrap_err();
        let expected = "TensorDataset::new: the tensors have [2, 1, 2] rows; they must have the same number";
        assert_eq!(error.to_string(), expected);
    }
}
