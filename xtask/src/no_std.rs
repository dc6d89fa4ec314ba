//! Proof that the crates which promise to be `no_std` are: a program without std that calls them links and runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::binaries;
use crate::process::{capture, cargo, run};
use crate::report::Verdict;
use crate::workspace::Workspace;

/// The crates that promise it.
const CRATES: [&str; 2] = ["trueno-core", "trueno-kernels"];

/// Links `no_std/probe.rs` against the crates and runs it.
///
/// The probe brings its own panic handler and allocator. Had any crate below it linked std, there would be two
/// panic handlers and rustc would refuse; had one used an operating system, symbols would be missing.
pub fn link(workspace: &Workspace) -> Result<Verdict> {
    if let Some(missing) = CRATES.iter().find(|name| !workspace.has_crate(name)) {
        return Ok(Verdict::skipped(format!("{missing} does not exist yet")));
    }
    let libraries = build(workspace)?;
    let folder = workspace.target().join("no_std");
    std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let program = folder.join("probe");
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace.root()).args(["--edition", "2024", "-D", "warnings", "-C", "panic=abort", "-O"]);
    for (name, library) in &libraries {
        rustc.arg("--extern").arg(format!("{name}={}", library.display()));
        if let Some(dependencies) = library.parent() {
            rustc.arg("-L").arg(format!("dependency={}", dependencies.join("deps").display()));
        }
    }
    run(rustc.arg("-o").arg(&program).arg("xtask/no_std/probe.rs"))?;
    run(&mut Command::new(&program))?;
    Ok(Verdict::Passed(format!("{} link and run without std", CRATES.join(" and "))))
}

/// Builds the crates alone, so that no other crate of the workspace switches a feature on for them, and without
/// unwinding, which is a service of std.
fn build(workspace: &Workspace) -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo(workspace, ["build", "--quiet", "--message-format=json"]);
    // Whether it links does not depend on how well it is optimised.
    build.env("CARGO_PROFILE_DEV_PANIC", "abort").args(["--config", "profile.dev.package.trueno-kernels.opt-level=0"]);
    for name in CRATES {
        build.args(["--package", name]);
    }
    let libraries = binaries::of_libraries(&capture(&mut build)?, &CRATES)?;
    if libraries.len() != CRATES.len() {
        bail!("cargo built {libraries:?} where {CRATES:?} were asked for");
    }
    Ok(libraries)
}
