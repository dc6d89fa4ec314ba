//! Checkpoints: a module, its optimizer and its random streams in one safetensors file.

use crate::{Optimizer, Rule};
use std::collections::BTreeMap;
use std::path::Path;
use trueno_core::{Error, Result};
use trueno_nn::{Module, StateDict};

/// Marks a file as a checkpoint of this form.
const FORMAT: (&str, &str) = ("trueno.checkpoint", "1");
/// Before the names of the user's own metadata.
const USER: &str = "user.";

/// Saves a module and its optimizer, so that [`load`] continues the run bit for bit.
///
/// The file is safetensors: parameters and buffers as `model.NAME`, the optimizer's state as `optimizer.NAME`, random
/// streams as `rng.NAME`. It is written beside its final name and moved there when it is complete, so an
/// interrupted save leaves the previous checkpoint whole.
///
/// # Errors
/// [`Error::File`] if it cannot be written.
pub fn save<M: Module, R: Rule>(module: &M, optimizer: &Optimizer<R>, path: impl AsRef<Path>) -> Result<()> {
    save_with(module, optimizer, &[], path)
}

/// As [`save`], with words of the caller's own (the epoch, say), which [`load`] returns.
///
/// # Errors
/// [`Error::File`] if it cannot be written.
pub fn save_with<M: Module, R: Rule>(
    module: &M,
    optimizer: &Optimizer<R>,
    metadata: &[(&str, String)],
    path: impl AsRef<Path>,
) -> Result<()> {
    let mut file = StateDict::new();
    let state = optimizer.state_dict()?;
    file.extend_under("model", &module.state_dict());
    file.extend_under("rng", &module.rng_state_dict());
    file.extend_under("optimizer", &state);
    let words = file.metadata_mut();
    words.extend(state.metadata().clone());
    words.extend(metadata.iter().map(|(name, value)| (format!("{USER}{name}"), value.clone())));
    words.insert(FORMAT.0.into(), FORMAT.1.into());
    file.save_safetensors(path)
}

/// Loads what [`save`] saved into a module and an optimizer of the same kinds, and returns the caller's own words.
///
/// All or nothing: on an error both are as before.
///
/// # Errors
/// [`Error::File`] if the file is missing or broken; [`Error::Argument`] if it is not of this module or optimizer.
pub fn load<M: Module, R: Rule>(
    module: &mut M,
    optimizer: &mut Optimizer<R>,
    path: impl AsRef<Path>,
) -> Result<BTreeMap<String, String>> {
    let path = path.as_ref();
    let file = StateDict::load_safetensors(path)?;
    if file.metadata().get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
        let reason = "is not a training checkpoint of this version; a bare model loads with load_state_dict".into();
        return Err(Error::File { path: path.display().to_string(), offset: None, reason });
    }
    let mut state = file.under("optimizer");
    state.metadata_mut().extend(file.metadata().clone());
    // Each of the three is loaded whole or not at all; what succeeded is taken back if a later one fails.
    let before = module.state_dict();
    module.load_state_dict(&file.under("model"), true)?;
    let mut resumed = optimizer.clone();
    let rest = resumed.load_state_dict(module, &state).and_then(|()| module.load_rng_state_dict(&file.under("rng")));
    if let Err(error) = rest {
        module.load_state_dict(&before, true)?;
        return Err(error);
    }
    *optimizer = resumed;
    let own = |(name, value): (&String, &String)| Some((name.strip_prefix(USER)?.to_owned(), value.clone()));
    Ok(file.metadata().iter().filter_map(own).collect())
}
