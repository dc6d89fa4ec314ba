//! The tools that gates need and a fresh machine lacks.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{cargo, run, succeeds};
use crate::workspace::Workspace;

/// A cargo subcommand, pinned so that a new release cannot break a change that did not ask for it.
pub struct Tool {
    /// The package, and its binary.
    pub name: &'static str,
    version: &'static str,
}

/// Line coverage.
pub const LLVM_COV: Tool = Tool { name: "cargo-llvm-cov", version: "0.9.1" };
/// Licences, bans and sources of dependencies.
pub const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Whether tests notice when code is changed.
pub const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };
/// Grades of structure and of the repository.
pub const PMAT: Tool = Tool { name: "pmat", version: "3.42.0" };

impl Tool {
    /// Installs the tool unless some version of it is there.
    ///
    /// It is built without optimisation: a tool runs for seconds, and optimising it takes minutes.
    pub fn ensure(&self, workspace: &Workspace) -> Result<()> {
        let present = match self.name.strip_prefix("cargo-") {
            Some(subcommand) => succeeds("cargo", &[subcommand, "--version"]),
            None => succeeds(self.name, &["--version"]),
        };
        if present {
            return Ok(());
        }
        let mut install = cargo(workspace, ["install", "--locked", "--debug", "--version", self.version, self.name]);
        // Not among the project's own build products, whose flags and profiles differ.
        install.env("CARGO_TARGET_DIR", workspace.target().join("tools"));
        // Nobody looks for faults in it either.
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        run(&mut install).with_context(|| format!("{} could not be installed", self.name))
    }
}

/// Whether the nightly toolchain is installed. It is never downloaded: some gates need it and are skipped without.
pub fn has_nightly() -> bool {
    succeeds("cargo", &["+nightly", "--version"])
}

/// The two LLVM programs that turn raw profiles into line counts, of the LLVM that rustc was built with.
pub struct LlvmTools {
    /// For `LLVM_COV`.
    pub cov: String,
    /// For `LLVM_PROFDATA`.
    pub profdata: String,
}

/// The Debian package of those programs. Its major version must be rustc's.
const LLVM_PACKAGE: &str = "llvm-22";

impl LlvmTools {
    /// The tools, from the environment or from a Debian package that is installed when this user may.
    ///
    /// `Err` carries the reason in words for the summary.
    pub fn ensure() -> Result<Self, String> {
        let named = |variable: &str, program: &str| {
            std::env::var(variable).unwrap_or_else(|_| format!("/usr/bin/{program}-22"))
        };
        let tools = Self { cov: named("LLVM_COV", "llvm-cov"), profdata: named("LLVM_PROFDATA", "llvm-profdata") };
        if tools.present() {
            return Ok(tools);
        }
        install_debian_packages(&[LLVM_PACKAGE])?;
        if tools.present() { Ok(tools) } else { Err(format!("{LLVM_PACKAGE} did not bring {}", tools.cov)) }
    }

    fn present(&self) -> bool {
        Path::new(&self.cov).is_file() && Path::new(&self.profdata).is_file()
    }
}

/// Installs Debian packages as root; otherwise, or where that fails, says what is missing.
pub fn install_debian_packages(packages: &[&str]) -> Result<(), String> {
    let missing = packages.join(" ");
    if !succeeds("apt-get", &["--version"]) {
        return Err(format!("{missing} needed, and this system has no apt-get to install it"));
    }
    if !is_root() {
        return Err(format!("only root may run `apt-get install {missing}`, which is needed"));
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends"]).args(packages);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    // The lists on a fresh machine are empty or old; refreshing them first costs seconds and saves a failure.
    run(Command::new("apt-get").arg("update"))
        .and_then(|()| install())
        .map_err(|error| format!("{missing} needed, and could not be installed: {error:#}"))
}

/// Lets packages of another architecture be installed beside those of this machine.
pub fn add_debian_architecture(name: &str) -> Result<(), String> {
    if !is_root() || !succeeds("dpkg", &["--version"]) {
        return Err(format!("packages for {name} are needed, and only root of a Debian system may add them"));
    }
    run(Command::new("dpkg").args(["--add-architecture", name])).map_err(|error| format!("{error:#}"))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
