//! Data for training: sets of samples, the loader that makes batches of them, the files they come from, and
//! an embedded part of MNIST.
//!
//! It is for feeding a training loop reproducibly ([`Dataset`], [`DataLoader`]), for reading the MNIST family
//! ([`mnist`], [`idx`]) and CIFAR ([`cifar`]), and for classified images in memory ([`ImageSet`]). It is not for
//! decoding photographs, nor for fetching anything: what is not embedded is read from a folder that you
//! name.
//!
//! ```
//! use trueno_data::{DataLoader, DataLoaderConfig, Dataset, RandomCrop, mnist};
//!
//! # #[cfg(feature = "mnist-subset")] {
//! let (train, _test) = mnist::subset();
//! let config = DataLoaderConfig { batch_size: 64, shuffle: true, seed: 1, workers: 2, ..Default::default() };
//! let loader = DataLoader::new(train.augment(RandomCrop { padding: 2 }), config)?;
//! for (images, labels) in loader.epoch(0).progress().take(3) {
//!     assert_eq!((images.shape(), labels.shape()), ([64, 1, 28, 28], [64]));
//! }
//! # }
//! # Ok::<(), trueno_core::Error>(())
//! ```
//!
//! What a batch holds is a pure function of the data, the seed, the epoch and the number of the batch: it
//! depends neither on the number of workers nor on what was read before.
//!
//! Damaged files are an [`Error::File`](trueno_core::Error::File) that names the file, the byte and what is wrong with it. Readers
//! take memory for what a file holds, not for what its header claims.
#![forbid(unsafe_code)]

pub mod cifar;
mod collate;
mod dataset;
mod files;
pub mod idx;
mod images;
mod loader;
pub mod mnist;
mod progress;
mod random;
mod source;
mod stack;
mod tensors;
mod transform;

pub use collate::{Collate, TryCollate};
pub use dataset::{Augment, Dataset, Map, Subset, Transform};
pub use images::{Image, ImageSet};
pub use loader::{DataLoader, DataLoaderConfig, Epoch};
pub use progress::{Progress, Status};
pub use random::SampleRng;
pub use stack::{Stack, Stacked};
pub use tensors::{Rows, TensorDataset};
pub use transform::{RandomCrop, RandomHorizontalFlip};
