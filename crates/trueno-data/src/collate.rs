//! Making one batch of several samples.

use trueno_core::{Error, Result};

/// Makes a batch of samples. Functions and closures `|items: Vec<Item>| ...` do.
pub trait Collate<Item>: Send + Sync {
    /// What a batch is.
    type Batch: Send;

    /// The batch of these samples, of which there is at least one, in this order.
    fn collate(&self, items: Vec<Item>) -> Self::Batch;
}

impl<Item, Batch: Send, F: Fn(Vec<Item>) -> Batch + Send + Sync> Collate<Item> for F {
    type Batch = Batch;

    fn collate(&self, items: Vec<Item>) -> Batch {
        self(items)
    }
}

/// Makes batches of samples that can fail to load: the batch is the first error, if there is one.
///
/// ```
/// use trueno_core::{Error, Result};
/// use trueno_data::{Collate, TryCollate};
///
/// let collate = TryCollate(|items: Vec<u8>| items);
/// assert_eq!(collate.collate(vec![Ok(1), Ok(2)]), Ok(vec![1, 2]));
///
/// let unreadable = Error::File { path: "cat.idx".into(), offset: None, reason: "is empty".into() };
/// assert_eq!(collate.collate(vec![Ok(1), Err(unreadable.clone())]), Err(unreadable));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TryCollate<C>(
    /// Makes the batches of samples that loaded.
    pub C,
);

impl<Item, C: Collate<Item>> Collate<Result<Item>> for TryCollate<C> {
    type Batch = Result<C::Batch, Error>;

    fn collate(&self, items: Vec<Result<Item>>) -> Self::Batch {
        let items: Result<Vec<Item>> = items.into_iter().collect();
        items.map(|items| self.0.collate(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(path: &str) -> Error {
        Error::File { path: path.into(), offset: None, reason: "is empty".into() }
    }

    #[test]
    fn samples_that_loaded_keep_their_order() {
        let joined = TryCollate(|items: Vec<&str>| items.concat());
        assert_eq!(joined.collate(vec![Ok("a"), Ok("b"), Ok("c")]), Ok("abc".into()));
    }

    #[test]
    fn the_first_error_is_the_batch_and_no_part_of_it_is_collated() {
        let never = TryCollate(|_: Vec<u8>| -> u8 { unreachable!("collated in spite of an error") });
        let items = vec![Ok(1), Err(unreadable("first")), Err(unreadable("second"))];
        assert_eq!(never.collate(items), Err(unreadable("first")));
    }
}
