//! Proof that the crates which promise to be `no_std` are: a program without std that calls them links and runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

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
    build.env("CARGO_PROFILE_DEV_PANIC", "abort");
    for name in CRATES {
        build.args(["--package", name]);
    }
    let libraries = libraries(&capture(&mut build)?)?;
    if libraries.len() != CRATES.len() {
        bail!("cargo built {libraries:?} where {CRATES:?} were asked for");
    }
    Ok(libraries)
}

/// Name and path of the library of each of [`CRATES`] in cargo's stream of messages.
fn libraries(messages: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cargo printed something that is not JSON")?;
        let Some(name) = message["target"]["name"].as_str() else { continue };
        if message["reason"] != "compiler-artifact" || !CRATES.contains(&name.replace('_', "-").as_str()) {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(files.filter(|file| file.ends_with(".rlib")).map(|file| (name.to_string(), PathBuf::from(file))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_promised_crates_are_taken() {
        let artifact = |name: &str, file: &str| {
            format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"filenames":["{file}"]}}"#)
        };
        let stream = [
            artifact("half", "/t/libhalf.rlib"),
            artifact("trueno_core", "/t/libtrueno_core.rlib"),
            artifact("trueno_core", "/t/libtrueno_core.rmeta"),
            r#"{"reason":"build-finished","success":true}"#.to_string(),
        ];
        let found = libraries(&stream.join("\n")).unwrap();
        assert_eq!(found, [("trueno_core".to_string(), PathBuf::from("/t/libtrueno_core.rlib"))]);
    }
}
