//! What the examples that train on images share: the loop with everything that keeps a long run safe, its figures, its picture.

#[cfg(feature = "gpu")]
mod compiling;
mod curve;
mod history;
mod training;

pub use training::{Network, Outcome, Training, interrupt_flag, saved_words};
