//! Finding the file of a data set under the names that it is published with.

use std::path::{Path, PathBuf};

use trueno_core::{Error, Result};

/// The first of these names that exists in the folder.
pub(crate) fn find(dir: &Path, names: &[String]) -> Result<PathBuf> {
    names.iter().map(|name| dir.join(name)).find(|path| path.is_file()).ok_or_else(|| Error::File {
        path: dir.display().to_string(),
        offset: None,
        reason: format!("has no file named {}", names.join(" or ")),
    })
}
