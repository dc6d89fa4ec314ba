//! Timings of Trueno, and of its peers beside it in one run.

mod gpu;
mod page;
mod peak;
mod peer;
mod picture;
mod record;
mod regression;
mod sides;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::report::Verdict;
use crate::workspace::Workspace;
use peer::Peer;
use record::{Machine, Record, Timing};
use sides::{Row, Sides};

pub use gpu::{Options as GpuOptions, gpu, page_gate as gpu_page_gate};
pub use page::write as write_page;
pub use regression::regression;

/// Answers per row and side, where nothing else is said; the figure is their median. Odd, so that the median is one of them.
pub const ROUNDS: usize = 7;

/// Where figures are kept.
const RESULTS: &str = "benches/results";

/// What to time.
pub struct Options {
    /// NumPy, PyTorch and candle too.
    pub peers: bool,
    /// Only rows whose name contains this; nothing is written.
    pub only: Option<String>,
    /// Answers per row and side; odd.
    pub rounds: usize,
    /// An interpreter that has the peers; without it a virtual environment is made.
    pub python: Option<PathBuf>,
}

/// Times the rows, and writes the results and the page made from them.
pub fn bench(workspace: &Workspace, options: Options) -> Result<()> {
    let Options { peers, only, rounds, python } = options;
    if rounds.is_multiple_of(2) {
        bail!("a median of {rounds} answers is none of them: name an odd number");
    }
    let sides = if peers { Sides::with_peers(workspace, python)? } else { Sides::trueno(workspace)? };
    let mut rows = sides.rows()?;
    rows.retain(|row| only.as_ref().is_none_or(|part| row.name.contains(part)));
    let machine = Machine::here(workspace, sides.python())?;
    println!("{}", machine.describe());
    let timings = time_all(&sides, &rows, rounds)?;
    if only.is_some() {
        return Ok(());
    }
    let peaks = peak::measure(&sides, &rows)?;
    Record { machine, timings, peaks }.save(&workspace.path(RESULTS))?;
    page::write(workspace)
}

/// Every row runs: each once, and nothing is written.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    let sides = Sides::trueno(workspace)?;
    let rows = sides.rows()?;
    time_all(&sides, &rows, 1)?;
    Ok(Verdict::Passed(format!("{} rows", rows.len())))
}

/// `docs/performance.md` and its pictures say what the results say.
pub fn page_gate(workspace: &Workspace) -> Result<Verdict> {
    page::check(workspace)
}

/// The numbers of threads that are timed on a machine.
fn thread_counts() -> impl Iterator<Item = usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    [1, 2].into_iter().filter(move |&threads| threads <= cores)
}

/// Times all rows for each number of threads.
fn time_all(sides: &Sides, rows: &[Row], rounds: usize) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    for threads in thread_counts() {
        let mut sides = sides.start(threads)?;
        for row in rows {
            let timing = time(&mut sides, row, threads, rounds)?;
            println!("{}", timing.describe());
            timings.push(timing);
        }
    }
    Ok(timings)
}

/// Threads that wait for work by asking for it, as those of OpenBLAS and OpenMP do, hold a core for some time after the last (OpenMP's
/// 200 ms): a side is not asked while those of another do.
const REST: Duration = Duration::from_millis(250);

/// Asks every side in turn, `rounds` times over, after one answer that warms up and is thrown away.
fn time(sides: &mut [Peer], row: &Row, threads: usize, rounds: usize) -> Result<Timing> {
    let mut answers = vec![Vec::new(); sides.len()];
    for round in 0..=rounds {
        for (side, answers) in sides.iter_mut().zip(&mut answers) {
            if threads > 1 {
                thread::sleep(REST);
            }
            if let (Some(microseconds), true) = (side.ask(&row.name)?, round > 0) {
                answers.push(microseconds);
            }
        }
    }
    let sides = sides.iter().map(|side| side.name.to_string()).zip(answers);
    let answers = sides.filter(|(_, answers)| !answers.is_empty()).collect();
    let timing = Timing { group: row.group.clone(), row: row.name.clone(), threads, answers };
    if timing.of("Trueno").is_none() {
        bail!("Trueno has no row called `{}`", row.name);
    }
    Ok(timing)
}

/// The results of every machine, in the order of their names; none before the first run.
fn committed(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    if !folder.is_dir() {
        return Ok(paths);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
