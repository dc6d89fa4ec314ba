//! Where the project lies on disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The checkout that a command works on.
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace this binary was built from.
    pub fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask has no parent folder")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// A workspace at `root`, for tests on made-up trees.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The folder of the root manifest.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `relative` as seen from the root.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Where build products go: `CARGO_TARGET_DIR`, or `target`.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |folder| self.path(folder))
    }

    /// Whether the workspace has this crate under `crates/` yet.
    pub fn has_crate(&self, name: &str) -> bool {
        self.path("crates").join(name).join("Cargo.toml").is_file()
    }
}
