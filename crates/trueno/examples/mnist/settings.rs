//! What decides the result of a run. It travels in the checkpoint, so that `--resume` needs no other option.

use crate::Options;
use std::collections::BTreeMap;

/// The options that change a bit of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub epochs: u64,
    pub batch_size: usize,
    pub lr: f64,
    pub seed: u64,
}

impl Settings {
    /// What the command line gives, else what the checkpoint's `words` have, else the defaults.
    pub fn new(options: &Options, words: &BTreeMap<String, String>) -> Settings {
        fn saved<T: std::str::FromStr>(words: &BTreeMap<String, String>, name: &str) -> Option<T> {
            words.get(name)?.parse().ok()
        }
        Settings {
            epochs: options.epochs.or_else(|| saved(words, "setting.epochs")).unwrap_or(16),
            batch_size: options.batch_size.or_else(|| saved(words, "setting.batch_size")).unwrap_or(64),
            lr: options.lr.or_else(|| saved(words, "setting.lr")).unwrap_or(2e-3),
            seed: options.seed.or_else(|| saved(words, "setting.seed")).unwrap_or(0),
        }
    }

    /// As words for a checkpoint.
    pub fn to_words(self) -> Vec<(&'static str, String)> {
        vec![
            ("setting.epochs", self.epochs.to_string()),
            ("setting.batch_size", self.batch_size.to_string()),
            ("setting.lr", format!("{:?}", self.lr)),
            ("setting.seed", self.seed.to_string()),
        ]
    }
}
