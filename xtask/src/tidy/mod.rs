//! The house rules that a reader relies on and no compiler checks.
//!
//! Each rule is a pure function from text to findings, so that it is tested on text; only this file reads the disk.

mod edges;
mod lexer;
mod manifests;
mod text;
mod unsafety;

use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::report::Verdict;
use crate::workspace::Workspace;

/// A broken rule, where it is broken.
#[derive(Debug, PartialEq)]
pub struct Finding {
    file: String,
    /// Counted from one; zero means the whole file.
    line: usize,
    what: String,
}

impl Finding {
    fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }

    fn file(file: &str, what: impl Into<String>) -> Self {
        Self::at(file, 0, what)
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// A file of the project: its path from the root, with `/`, and its text.
struct SourceFile {
    path: String,
    text: String,
}

/// Checks every rule on every file.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    let files = read_project(workspace)?;
    let findings = check(&files);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(Verdict::Passed(format!("{} files", files.len()))),
        1 => bail!("1 finding"),
        count => bail!("{count} findings"),
    }
}

fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = manifests::crates_are_complete(files);
    for SourceFile { path, text } in files {
        findings.extend(text::check(path, text));
        if path.ends_with(".rs") {
            findings.extend(unsafety::check(path, text));
        }
        if path.ends_with("/Cargo.toml") {
            findings.extend(manifests::check(path, text));
            findings.extend(edges::check(path, text));
        }
    }
    findings.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    findings
}

/// Kinds of files that rules look at, by the end of their name.
const KINDS: [&str; 8] = [".rs", ".wgsl", ".py", ".toml", ".md", ".sh", ".yml", ".ci/run"];

/// Every file of those kinds, without build products and other people's code.
fn read_project(workspace: &Workspace) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let full = workspace.path(&folder);
        let entries = fs::read_dir(&full).with_context(|| format!("could not list {}", full.display()))?;
        for entry in entries {
            let entry = entry?;
            let relative = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if !is_foreign(&relative) {
                    folders.push(relative);
                }
                continue;
            }
            let path = relative.to_string_lossy().replace('\\', "/");
            if KINDS.iter().any(|kind| path.ends_with(kind)) {
                let text = fs::read_to_string(entry.path()).with_context(|| format!("could not read {path}"))?;
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// Folders that hold what the project did not write: build products, run outputs, hidden tool state.
fn is_foreign(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
    hidden || matches!(&*name, "target" | "runs" | "__pycache__" | "node_modules") || name.starts_with("mutants.out")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn findings_name_file_and_line() {
        assert_eq!(Finding::at("a.rs", 3, "wrong").to_string(), "a.rs:3: wrong");
        assert_eq!(Finding::file("a.rs", "wrong").to_string(), "a.rs: wrong");
    }

    #[test]
    fn build_products_are_not_read() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "crates/a/src/lib.rs", "");
        write(root.path(), "target/debug/out.rs", "");
        write(root.path(), ".git/hook.sh", "");
        write(root.path(), ".ci/run", "");
        write(root.path(), "picture.png", "");
        let files = read_project(&Workspace::at(root.path())).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "crates/a/src/lib.rs"]);
    }

    #[test]
    fn the_gate_fails_when_a_rule_is_broken() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "docs/ok.md", "fine\n");
        assert!(gate(&Workspace::at(root.path())).is_ok());
        write(root.path(), "xtask/src/long.rs", &"\n".repeat(601));
        assert_eq!(gate(&Workspace::at(root.path())).unwrap_err().to_string(), "1 finding");
    }
}
