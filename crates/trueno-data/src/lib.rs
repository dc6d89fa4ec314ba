//! Data for training: sets of samples, the files they come from, and an embedded part of MNIST.
//!
//! It is for reading the MNIST family ([`mnist`], [`idx`]) and CIFAR ([`cifar`]) and for holding
//! classified images ([`ImageSet`]). It is not for decoding photographs, nor for fetching anything: what is
//! not embedded is read from a folder that you name.
//!
//! ```
//! use trueno_data::{Dataset, mnist};
//!
//! # #[cfg(feature = "mnist-subset")] {
//! let (train, _test) = mnist::subset();
//! let first = train.get(0);
//! assert_eq!((first.label(), first.shape()), (5, [1, 28, 28]));
//! # }
//! ```
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
mod transform;

pub use collate::{Collate, TryCollate};
pub use dataset::{Augment, Dataset, Map, Subset, Transform};
pub use images::{Image, ImageSet};
pub use loader::{DataLoader, DataLoaderConfig, Epoch};
pub use progress::{Progress, Status};
pub use random::SampleRng;
pub use transform::{RandomCrop, RandomHorizontalFlip};
