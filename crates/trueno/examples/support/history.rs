//! What was measured so far; travels in the checkpoint, so that a resumed run draws the whole curve.

use std::collections::BTreeMap;

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Mean training loss.
    pub loss: f64,
    /// Share of training images that were classified right while training on them.
    pub train_accuracy: f64,
    /// Share of test images that are classified right.
    pub test_accuracy: f64,
}

/// Where a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The finished epochs.
    pub epochs: Vec<Epoch>,
    /// Batches done in the epoch after them, with the sum of their losses and of right answers.
    pub batches: usize,
    pub loss: f64,
    pub correct: usize,
}

impl History {
    /// As words for a checkpoint. `{:?}` of a float reads back as the same float.
    pub fn to_words(&self) -> Vec<(&'static str, String)> {
        let epochs: Vec<String> =
            self.epochs.iter().map(|e| format!("{:?} {:?} {:?}", e.loss, e.train_accuracy, e.test_accuracy)).collect();
        vec![
            ("epochs", epochs.join(";")),
            ("batches", self.batches.to_string()),
            ("loss", format!("{:?}", self.loss)),
            ("correct", self.correct.to_string()),
        ]
    }

    /// Back from words; `None` if they are not ours.
    pub fn from_words(words: &BTreeMap<String, String>) -> Option<History> {
        let epoch = |text: &str| {
            let values: Vec<f64> = text.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
            let [loss, train_accuracy, test_accuracy] = values[..] else { return None };
            Some(Epoch { loss, train_accuracy, test_accuracy })
        };
        let epochs = words.get("epochs")?.split(';').filter(|text| !text.is_empty());
        Some(History {
            epochs: epochs.map(epoch).collect::<Option<_>>()?,
            batches: words.get("batches")?.parse().ok()?,
            loss: words.get("loss")?.parse().ok()?,
            correct: words.get("correct")?.parse().ok()?,
        })
    }
}
