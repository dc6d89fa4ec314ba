//! Timings of Trueno, and of its peers beside it in one run.

mod page;
mod peer;
mod record;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, run};
use crate::report::Verdict;
use crate::workspace::Workspace;
use crate::{binaries, oracle, process};
use peer::Peer;
use record::{Machine, Record, Timing};

/// Answers per row and side; the figure is their median. Odd, so that the median is one of them.
const ROUNDS: usize = 7;

/// Where figures are kept.
const RESULTS: &str = "benches/results";

/// What to time.
#[derive(Default)]
pub struct Options {
    /// NumPy, PyTorch and candle too.
    pub peers: bool,
    /// Only that every row runs: once, and nothing is written.
    pub check: bool,
    /// Only rows whose name contains this; nothing is written.
    pub only: Option<String>,
    /// An interpreter that has the peers; without it a virtual environment is made.
    pub python: Option<PathBuf>,
}

/// Times the rows, and writes the results and the page made from them. Returns how many rows there were.
pub fn bench(workspace: &Workspace, options: Options) -> Result<usize> {
    let Options { peers, check, only, python } = options;
    let program = build(workspace)?;
    let mut rows = rows(&program)?;
    if let Some(part) = &only {
        rows.retain(|row| row.name.contains(part));
    }
    let python = match python {
        _ if !peers => None,
        Some(python) => Some(python),
        None => Some(oracle::python(workspace)?),
    };
    let script = workspace.path("benches/peers.py");
    let candle = if peers { Some(build_candle(workspace)?) } else { None };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rounds = if check { 1 } else { ROUNDS };
    let machine = Machine::here(workspace, python.as_deref())?;
    println!("{}", machine.describe());
    let mut timings = Vec::new();
    for threads in [1, 2].into_iter().filter(|&threads| threads <= cores) {
        let mut sides = vec![Peer::start("Trueno", &program, &[], threads)?];
        if let Some(python) = &python {
            let script = script.to_string_lossy();
            sides.push(Peer::start("NumPy", python, &[&script, "numpy"], threads)?);
            sides.push(Peer::start("PyTorch", python, &[&script, "torch"], threads)?);
        }
        if let Some(candle) = &candle {
            sides.push(Peer::start("candle", candle, &[], threads)?);
        }
        for row in &rows {
            let timing = time(&mut sides, row, threads, rounds)?;
            println!("{}", timing.describe());
            timings.push(timing);
        }
    }
    if let Some(missing) = timings.iter().find(|timing| timing.of("Trueno").is_none()) {
        bail!("Trueno has no row called `{}`", missing.row);
    }
    if !check && only.is_none() {
        let record = Record { machine, timings };
        record.save(&workspace.path(RESULTS))?;
        page::write(workspace)?;
    }
    Ok(rows.len())
}

/// Every row runs.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    let count = bench(workspace, Options { check: true, ..Options::default() })?;
    Ok(Verdict::Passed(format!("{count} rows")))
}

/// `docs/performance.md` says what the results say.
pub fn page_gate(workspace: &Workspace) -> Result<Verdict> {
    page::check(workspace)
}

/// Builds Trueno's side as users build it: release profile, no flags for this machine.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--package", "trueno-benches"];
    run(&mut cargo(workspace, arguments))?;
    let messages = process::capture(cargo(workspace, arguments).args(["--quiet", "--message-format=json"]))?;
    binaries::of_program(&messages, "trueno-benches")?.context("cargo built no program called trueno-benches")
}

/// Builds candle's side, which is a workspace of its own.
fn build_candle(workspace: &Workspace) -> Result<PathBuf> {
    let manifest = workspace.path("benches/rust-peers/Cargo.toml");
    let target = workspace.path("target/rust-peers");
    let mut command = cargo(workspace, ["build", "--release", "--manifest-path"]);
    command.arg(&manifest).arg("--target-dir").arg(&target);
    run(&mut command)?;
    let messages = process::capture(command.args(["--quiet", "--message-format=json"]))?;
    binaries::of_program(&messages, "trueno-rust-peers")?.context("cargo built no program called trueno-rust-peers")
}

/// What is timed, and what it is judged together with.
struct Row {
    group: String,
    name: String,
}

/// The rows in the order of the page: those that Trueno's side lists. Peers know them by the same names.
fn rows(program: &Path) -> Result<Vec<Row>> {
    let list = process::capture(Command::new(program).arg("--list"))?;
    let row = |line: &str| {
        let (group, name) =
            line.split_once('\t').with_context(|| format!("`{line}` is not a group, a tab and a row"))?;
        Ok(Row { group: group.into(), name: name.into() })
    };
    list.lines().map(row).collect()
}

/// Asks every side in turn, `rounds` times over, after one answer that warms up and is thrown away.
fn time(sides: &mut [Peer], row: &Row, threads: usize, rounds: usize) -> Result<Timing> {
    let mut answers = vec![Vec::new(); sides.len()];
    for round in 0..=rounds {
        for (side, answers) in sides.iter_mut().zip(&mut answers) {
            if let (Some(microseconds), true) = (side.ask(&row.name)?, round > 0) {
                answers.push(microseconds);
            }
        }
    }
    let sides = sides.iter().map(|side| side.name.to_string()).zip(answers);
    let answers = sides.filter(|(_, answers)| !answers.is_empty()).collect();
    Ok(Timing { group: row.group.clone(), row: row.name.clone(), threads, answers })
}

/// The results of every machine, in the order of their names; none before the first run.
fn committed(workspace: &Workspace) -> Result<Vec<Record>> {
    let folder = workspace.path(RESULTS);
    let mut paths = Vec::new();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    for entry in fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Record::load(path)).collect()
}
