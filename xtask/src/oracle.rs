//! What NumPy and PyTorch answer: fixtures made with pinned versions of both, in a virtual environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{capture, run};
use crate::report::Verdict;
use crate::table;
use crate::workspace::Workspace;

/// The scripts that ask NumPy and PyTorch, and where what they are told is committed.
const SCRIPTS: [Script; 5] = [
    Script { path: "xtask/oracle/generate.py", out: "crates/trueno/tests/fixtures", reads_table: true },
    Script {
        path: "xtask/oracle/mnist_curve.py",
        out: "crates/trueno-optim/tests/fixtures/mnist_curve.safetensors",
        reads_table: false,
    },
    Script { path: "xtask/oracle/print.py", out: "crates/trueno-tensor/tests/fixtures/print.json", reads_table: false },
    Script {
        path: "xtask/oracle/optim.py",
        out: "crates/trueno-optim/tests/fixtures/optim.safetensors",
        reads_table: false,
    },
    Script { path: "xtask/oracle/nn.py", out: "crates/trueno-nn/tests/fixtures/nn.safetensors", reads_table: false },
];

/// The versions that the fixtures are made with.
const REQUIREMENTS: &str = "xtask/oracle/requirements.txt";

struct Script {
    path: &'static str,
    /// A file or a folder.
    out: &'static str,
    /// Whether it wants the operation table.
    reads_table: bool,
}

/// Makes the fixtures, or with `check` compares the committed ones with what the libraries answer now.
///
/// `python` is an interpreter that has the libraries already; without one a virtual environment is made.
pub fn oracle(workspace: &Workspace, check: bool, python: Option<PathBuf>) -> Result<()> {
    let python = match python {
        Some(python) => python,
        None => Environment::of(workspace).ensure()?,
    };
    generate(workspace, check, &python)
}

/// The fixtures are what the libraries say. Skipped where the libraries are not installed yet: they are 2.5 GB, and
/// the tests compare with the committed fixtures anyway.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    let environment = Environment::of(workspace);
    if !environment.is_ready() {
        return Ok(Verdict::skipped(
            "pinned NumPy and PyTorch are not installed; `cargo xtask oracle --check` does it",
        ));
    }
    generate(workspace, true, &environment.python())?;
    Ok(Verdict::passed())
}

/// The interpreter of the virtual environment with NumPy and PyTorch, made if need be.
pub fn python(workspace: &Workspace) -> Result<PathBuf> {
    Environment::of(workspace).ensure()
}

fn generate(workspace: &Workspace, check: bool, python: &Path) -> Result<()> {
    let exported = workspace.target().join("oracle-table.json");
    fs::create_dir_all(workspace.target())?;
    fs::write(&exported, serde_json::to_string_pretty(&table::json())?)
        .with_context(|| format!("could not write {}", exported.display()))?;
    for Script { path, out, reads_table } in SCRIPTS {
        let mut script = Command::new(python);
        script.current_dir(workspace.root()).arg(path).args(["--out", out]);
        if reads_table {
            script.arg("--table").arg(&exported);
        }
        if check {
            script.arg("--check");
        }
        run(&mut script)?;
    }
    Ok(())
}

/// A virtual environment under the build folder, kept until the requirements change.
struct Environment {
    folder: PathBuf,
    requirements: PathBuf,
}

impl Environment {
    fn of(workspace: &Workspace) -> Self {
        Self { folder: workspace.target().join("oracle-venv"), requirements: workspace.path(REQUIREMENTS) }
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A copy of the requirements that were installed: written last, so that it stands for a finished installation.
    fn installed(&self) -> PathBuf {
        self.folder.join("installed.txt")
    }

    fn is_ready(&self) -> bool {
        match (fs::read(self.installed()), fs::read(&self.requirements)) {
            (Ok(installed), Ok(wanted)) => installed == wanted,
            _ => false,
        }
    }

    fn ensure(&self) -> Result<PathBuf> {
        if !self.is_ready() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&self.folder))?;
            // The list is complete, and PyTorch's own list asks for more than it loads.
            let mut install = Command::new(self.python());
            install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]).arg(&self.requirements);
            run(&mut install)?;
            let versions = "import numpy, torch; print('NumPy', numpy.__version__, 'PyTorch', torch.__version__)";
            print!("{}", capture(Command::new(self.python()).args(["-c", versions]))?);
            fs::copy(&self.requirements, self.installed()).context("could not mark the environment as finished")?;
        }
        Ok(self.python())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_ready_until_the_requirements_change() {
        let root = tempfile::tempdir().unwrap();
        let environment =
            Environment { folder: root.path().join("venv"), requirements: root.path().join("requirements.txt") };
        assert!(!environment.is_ready(), "nothing is installed");
        fs::create_dir(&environment.folder).unwrap();
        fs::write(&environment.requirements, "numpy==1\n").unwrap();
        fs::write(environment.installed(), "numpy==1\n").unwrap();
        assert!(environment.is_ready());
        fs::write(&environment.requirements, "numpy==2\n").unwrap();
        assert!(!environment.is_ready());
    }

    #[test]
    fn every_requirement_is_pinned() {
        let requirements = include_str!("../oracle/requirements.txt");
        for line in requirements.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            assert!(line.contains("=="), "{line}");
        }
    }
}
