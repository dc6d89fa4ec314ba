//! Data for training: sets of samples, the files they come from, and an embedded part of MNIST.
//!
//! It is for reading the MNIST family ([`mnist`], [`idx`]) and CIFAR ([`cifar`]) and for holding
//! classified images ([`ImageSet`]). It is not for decoding photographs, nor for fetching anything: what is
//! not embedded is read from a folder that you name.
//!
//! ```
//! use trueno_data::mnist;
//!
//! # #[cfg(feature = "mnist-subset")] {
//! let (train, _test) = mnist::subset();
//! let first = train.pixels(0);
//! assert_eq!((train.labels()[0], first.len()), (5, 28 * 28));
//! # }
//! ```
//!
//! Damaged files are an [`Error::File`](trueno_core::Error::File) that names the file, the byte and what is wrong with it. Readers
//! take memory for what a file holds, not for what its header claims.
#![forbid(unsafe_code)]

pub mod cifar;
mod files;
pub mod idx;
mod images;
pub mod mnist;
mod source;

pub use images::ImageSet;
