//! A module's state outside the module: named tensors, in memory and in files.

pub(crate) mod load;
mod rng;
mod safetensors;

pub use load::Incompatible;
pub use rng::RngState;

use indexmap::IndexMap;
use std::collections::BTreeMap;
use trueno_tensor::DynTensor;

/// Named tensors in the order of insertion, with a few words of metadata.
///
/// ```
/// use trueno_nn::StateDict;
/// use trueno_nn::tensor::DynTensor;
///
/// let mut state = StateDict::new();
/// state.insert("weight", DynTensor::from_slice(&[1.0_f32, 2.0], &[2])?);
/// state.metadata_mut().insert("epoch".into(), "3".into());
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// state.save_safetensors(&path)?;
/// let back = StateDict::load_safetensors(&path)?;
/// assert_eq!(back.get("weight").unwrap().to_vec::<f32>()?, [1.0, 2.0]);
/// assert_eq!(back.metadata()["epoch"], "3");
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    tensors: IndexMap<String, DynTensor>,
    metadata: BTreeMap<String, String>,
}

impl StateDict {
    /// No tensors.
    pub fn new() -> StateDict {
        StateDict::default()
    }

    /// Adds a tensor, or replaces the one of this name and returns it. Its place in a gradient graph is not kept.
    pub fn insert(&mut self, name: impl Into<String>, value: DynTensor) -> Option<DynTensor> {
        self.tensors.insert(name.into(), value.with_recorder(None))
    }

    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&DynTensor> {
        self.tensors.get(name)
    }

    /// Takes out the tensor of a name; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<DynTensor> {
        self.tensors.shift_remove(name)
    }

    /// Whether there is a tensor of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The names.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The names with their tensors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &DynTensor)> {
        self.tensors.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Words about the tensors, such as the epoch; saved with them.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The same, to change them.
    pub fn metadata_mut(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.metadata
    }

    /// Adds every tensor of `other` as `prefix.name`: the model beside its optimizer in one file.
    pub fn extend_under(&mut self, prefix: &str, other: &StateDict) {
        for (name, value) in other.iter() {
            self.insert(format!("{prefix}.{name}"), value.clone());
        }
    }

    /// The tensors whose names start with `prefix.`, without it: what [`extend_under`](StateDict::extend_under) added.
    #[must_use]
    pub fn under(&self, prefix: &str) -> StateDict {
        let inside = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('.')?.to_owned());
        let tensors = self.iter().filter_map(|(name, value)| Some((inside(name)?, value.clone())));
        StateDict { tensors: tensors.collect(), metadata: BTreeMap::new() }
    }
}

impl FromIterator<(String, DynTensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, DynTensor)>>(tensors: I) -> StateDict {
        let mut state = StateDict::new();
        for (name, value) in tensors {
            state.insert(name, value);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(value: f32) -> DynTensor {
        DynTensor::scalar(value).unwrap()
    }

    #[test]
    fn names_keep_their_order() {
        let mut state = StateDict::new();
        for name in ["b", "c", "a"] {
            assert!(state.insert(name, tensor(0.0)).is_none());
        }
        assert!(state.insert("c", tensor(1.0)).is_some());
        assert_eq!(state.keys().collect::<Vec<_>>(), ["b", "c", "a"]);
        assert!(state.remove("b").is_some());
        assert_eq!(state.keys().collect::<Vec<_>>(), ["c", "a"]);
        assert_eq!(state.len(), 2);
    }

    #[test]
    fn a_dict_under_a_prefix_comes_back() {
        let model: StateDict = [("weight".to_owned(), tensor(1.0))].into_iter().collect();
        let mut both = StateDict::new();
        both.extend_under("model", &model);
        both.extend_under("model2", &model);
        assert_eq!(both.keys().collect::<Vec<_>>(), ["model.weight", "model2.weight"]);
        assert_eq!(both.under("model").keys().collect::<Vec<_>>(), ["weight"]);
        assert!(both.under("mod").is_empty());
    }
}
