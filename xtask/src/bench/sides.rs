//! Who is timed: Trueno's program, and its peers where they are wanted.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::peer::Peer;
use crate::process::{self, cargo, run};
use crate::workspace::Workspace;
use crate::{binaries, oracle};

/// The programs of one run.
pub struct Sides {
    trueno: PathBuf,
    peers: Option<Peers>,
}

/// What the peers need.
struct Peers {
    python: PathBuf,
    script: PathBuf,
    candle: PathBuf,
}

/// What is timed, and what it is judged together with.
pub struct Row {
    pub group: String,
    pub name: String,
}

impl Sides {
    /// Builds Trueno's side as users build it: release profile, no flags for this machine.
    pub fn trueno(workspace: &Workspace) -> Result<Self> {
        let trueno = build(workspace, &["--package", "trueno-benches", "--bin", "trueno-benches"], "trueno-benches")?;
        Ok(Sides { trueno, peers: None })
    }

    /// Trueno, NumPy, PyTorch and candle; the Python libraries come from `python`, or from a virtual environment that is made.
    pub fn with_peers(workspace: &Workspace, python: Option<PathBuf>) -> Result<Self> {
        let python = python.map_or_else(|| oracle::python(workspace), Ok)?;
        // candle's side is a workspace of its own.
        let manifest = workspace.path("benches/rust-peers/Cargo.toml").to_string_lossy().into_owned();
        let target = workspace.path("target/rust-peers").to_string_lossy().into_owned();
        let arguments = ["--manifest-path", manifest.as_str(), "--target-dir", target.as_str()];
        let candle = build(workspace, &arguments, "trueno-rust-peers")?;
        let peers = Peers { python, script: workspace.path("benches/peers.py"), candle };
        Ok(Sides { peers: Some(peers), ..Sides::trueno(workspace)? })
    }

    /// The interpreter of the peers.
    pub fn python(&self) -> Option<&Path> {
        self.peers.as_ref().map(|peers| peers.python.as_path())
    }

    /// The rows in the order of the page: those that Trueno's side lists. Peers know them by the same names.
    pub fn rows(&self) -> Result<Vec<Row>> {
        let list = process::capture(Command::new(&self.trueno).arg("--list"))?;
        let row = |line: &str| {
            let (group, name) =
                line.split_once('\t').with_context(|| format!("`{line}` is not a group, a tab and a row"))?;
            Ok(Row { group: group.into(), name: name.into() })
        };
        list.lines().map(row).collect()
    }

    /// One process per side, Trueno's first.
    pub fn start(&self, threads: usize) -> Result<Vec<Peer>> {
        let mut sides = vec![Peer::start("Trueno", &self.trueno, &[], threads)?];
        if let Some(Peers { python, script, candle }) = &self.peers {
            let script = script.to_string_lossy();
            sides.push(Peer::start("NumPy", python, &[&script, "numpy"], threads)?);
            sides.push(Peer::start("PyTorch", python, &[&script, "torch"], threads)?);
            sides.push(Peer::start("candle", candle, &[], threads)?);
        }
        Ok(sides)
    }
}

/// The program called `name` that a release build with these arguments makes.
pub fn build(workspace: &Workspace, arguments: &[&str], name: &str) -> Result<PathBuf> {
    let arguments = [&["build", "--release"], arguments].concat();
    run(&mut cargo(workspace, &arguments))?;
    let messages = process::capture(cargo(workspace, &arguments).args(["--quiet", "--message-format=json"]))?;
    binaries::of_program(&messages, name)?.with_context(|| format!("cargo built no program called {name}"))
}
