//! What a set of samples is, and sets made from other sets.

use trueno_core::{Error, Result};

use crate::random::SampleRng;

/// A set of samples that can be visited in any order, from any thread.
///
/// ```
/// use trueno_data::Dataset;
///
/// struct Squares(usize);
///
/// impl Dataset for Squares {
///     type Item = usize;
///     fn len(&self) -> usize { self.0 }
///     fn get(&self, index: usize) -> usize { index * index }
/// }
///
/// let odd = Squares(10).subset((1..10).step_by(2))?;
/// assert_eq!((odd.len(), odd.get(1)), (5, 9));
/// # Ok::<(), trueno_core::Error>(())
/// ```
///
/// Where a sample can fail to load, `Item` is a `Result`, and [`TryCollate`](crate::TryCollate) makes
/// batches of those.
pub trait Dataset: Send + Sync {
    /// One sample.
    type Item: Send;

    /// The number of samples.
    fn len(&self) -> usize;

    /// One sample, always the same for the same index.
    ///
    /// # Panics
    /// If `index` is not below `len()`.
    fn get(&self, index: usize) -> Self::Item;

    /// One sample as training sees it: with random changes, if the set makes any.
    fn draw(&self, index: usize, rng: &mut SampleRng) -> Self::Item {
        let _ = rng;
        self.get(index)
    }

    /// True if there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// This set with every drawn sample randomly changed. [`get`](Self::get) still gives the originals.
    fn augment<T: Transform<Self::Item>>(self, transform: T) -> Augment<Self, T>
    where
        Self: Sized,
    {
        Augment { dataset: self, transform }
    }

    /// This set with a function applied to every sample.
    fn map<U: Send, F: Fn(Self::Item) -> U + Send + Sync>(self, function: F) -> Map<Self, F>
    where
        Self: Sized,
    {
        Map { dataset: self, function }
    }

    /// Some of the samples, in the given order.
    ///
    /// # Errors
    /// [`Error::Index`] if an index is not below `len()`.
    fn subset(self, indices: impl IntoIterator<Item = usize>) -> Result<Subset<Self>>
    where
        Self: Sized,
    {
        let indices: Vec<usize> = indices.into_iter().collect();
        let size = self.len();
        if let Some(&index) = indices.iter().find(|&&index| index >= size) {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            return Err(Error::Index { op: "Dataset::subset", index, axis: 0, size });
        }
        Ok(Subset { dataset: self, indices })
    }
}

/// A random change to a sample. Closures `|item, rng| ...` are transforms too.
pub trait Transform<Item>: Send + Sync {
    /// The changed sample. All randomness comes from `rng`, so that a run can be repeated.
    fn apply(&self, item: Item, rng: &mut SampleRng) -> Item;
}

impl<Item, F: Fn(Item, &mut SampleRng) -> Item + Send + Sync> Transform<Item> for F {
    fn apply(&self, item: Item, rng: &mut SampleRng) -> Item {
        self(item, rng)
    }
}

/// A set whose samples are randomly changed when drawn: see [`Dataset::augment`].
#[derive(Clone, Debug)]
pub struct Augment<D, T> {
    dataset: D,
    transform: T,
}

impl<D: Dataset, T: Transform<D::Item>> Dataset for Augment<D, T> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> D::Item {
        self.dataset.get(index)
    }

    fn draw(&self, index: usize, rng: &mut SampleRng) -> D::Item {
        let item = self.dataset.draw(index, rng);
        self.transform.apply(item, rng)
    }
}

/// A set with a function applied to every sample: see [`Dataset::map`].
#[derive(Clone, Debug)]
pub struct Map<D, F> {
    dataset: D,
    function: F,
}

impl<D: Dataset, U: Send, F: Fn(D::Item) -> U + Send + Sync> Dataset for Map<D, F> {
    type Item = U;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> U {
        (self.function)(self.dataset.get(index))
    }

    fn draw(&self, index: usize, rng: &mut SampleRng) -> U {
        (self.function)(self.dataset.draw(index, rng))
    }
}

/// Some samples of a set: see [`Dataset::subset`].
#[derive(Clone, Debug)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> D::Item {
        self.dataset.get(self.indices[index])
    }

    fn draw(&self, index: usize, rng: &mut SampleRng) -> D::Item {
        self.dataset.draw(self.indices[index], rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(usize);

    impl Dataset for Counting {
        type Item = usize;

        fn len(&self) -> usize {
            self.0
        }

        fn get(&self, index: usize) -> usize {
            index
        }
    }

    fn rng() -> SampleRng {
        SampleRng::for_sample(0, 0, 0)
    }

    #[test]
    fn random_changes_happen_only_when_drawing_and_survive_other_adapters() {
        let set = Counting(10).augment(|x, _: &mut SampleRng| x + 100).subset([7, 3]).unwrap().map(|x| x as f64);
        assert_eq!((set.len(), set.get(0), set.draw(1, &mut rng())), (2, 7.0, 103.0));
        let twice = Counting(10).augment(|x, _: &mut SampleRng| x * 2).augment(|x, _: &mut SampleRng| x + 1);
        assert_eq!((twice.draw(5, &mut rng()), twice.get(5)), (11, 5));
    }

    #[test]
    fn a_subset_checks_its_indices() {
        let error = Counting(3).subset([0, 3]).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "Dataset::subset: index 3 is out of range for axis 0 of size 3");
        assert!(Counting(3).subset([]).unwrap().is_empty());
    }
}
