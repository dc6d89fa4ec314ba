//! Timings of Trueno, and of NumPy and PyTorch beside it in one run.

mod page;
mod peer;
mod record;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, run};
use crate::report::Verdict;
use crate::workspace::Workspace;
use crate::{binaries, oracle, process};
use peer::Peer;
use record::{Machine, Record, Timing};

/// The rows, in the order of the page. Each side knows them by these names.
const ROWS: [&str; 10] = [
    "add 1M",
    "mul 1M",
    "exp 1M",
    "tanh 1M",
    "sum 1M",
    "softmax 1024x1024",
    "matmul 256",
    "matmul 1024",
    "conv2d 8x64x56x56 k64 3x3",
    "MNIST training step, batch 64",
];

/// Answers per row and side; the figure is their median. Odd, so that the median is one of them.
const ROUNDS: usize = 7;

/// Where figures are kept.
const RESULTS: &str = "benches/results";

/// What to time.
#[derive(Default)]
pub struct Options {
    /// NumPy and PyTorch too.
    pub peers: bool,
    /// Only that every row runs: once, and nothing is written.
    pub check: bool,
    /// An interpreter that has the peers; without it a virtual environment is made.
    pub python: Option<PathBuf>,
}

/// Times every row, and writes the results and the page made from them.
pub fn bench(workspace: &Workspace, options: Options) -> Result<()> {
    let Options { peers, check, python } = options;
    let program = build(workspace)?;
    let python = match python {
        _ if !peers => None,
        Some(python) => Some(python),
        None => Some(oracle::python(workspace)?),
    };
    let script = workspace.path("benches/peers.py");
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
        for row in ROWS {
            let timing = time(&mut sides, row, threads, rounds)?;
            println!("{}", timing.describe());
            timings.push(timing);
        }
    }
    if let Some(missing) = timings.iter().find(|timing| timing.of("Trueno").is_none()) {
        bail!("Trueno has no row called `{}`", missing.row);
    }
    if !check {
        let record = Record { machine, timings };
        record.save(&workspace.path(RESULTS))?;
        page::write(workspace)?;
    }
    Ok(())
}

/// Every row runs.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    bench(workspace, Options { check: true, ..Options::default() })?;
    Ok(Verdict::Passed(format!("{} rows", ROWS.len())))
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

/// Asks every side in turn, `rounds` times over, after one answer that warms up and is thrown away.
fn time(sides: &mut [Peer], row: &str, threads: usize, rounds: usize) -> Result<Timing> {
    let mut answers = vec![Vec::new(); sides.len()];
    for round in 0..=rounds {
        for (side, answers) in sides.iter_mut().zip(&mut answers) {
            if let (Some(microseconds), true) = (side.ask(row)?, round > 0) {
                answers.push(microseconds);
            }
        }
    }
    let sides = sides.iter().map(|side| side.name.to_string()).zip(answers);
    Ok(Timing { row: row.to_string(), threads, answers: sides.filter(|(_, answers)| !answers.is_empty()).collect() })
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
