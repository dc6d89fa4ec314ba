//! Whether anything became slower than the committed figures say.
//!
//! What is compared is Trueno's time over that of the fastest peer, each side's quickest answer of one run, so that a slow machine,
//! or a busy one, slows both. A row that seems slower is timed again, and is at fault only if it is slower each time.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::record::{Machine, Record, Timing};
use super::sides::{Row, Sides};
use super::{RESULTS, ROUNDS, time};
use crate::workspace::Workspace;

/// How much of its ratio a row may lose.
const MARGIN: f64 = 1.05;

/// How often a row is timed before it is at fault.
const TRIES: usize = 4;

/// Times the rows beside the peers and compares them with the figures that are committed for this processor.
pub fn regression(workspace: &Workspace, only: Option<&str>, python: Option<PathBuf>) -> Result<()> {
    let sides = Sides::with_peers(workspace, python)?;
    let machine = Machine::here(workspace, sides.python())?;
    let path = workspace.path(RESULTS).join(machine.file_name());
    if !path.is_file() {
        bail!(
            "there are no figures of this processor to compare with: `cargo xtask bench --peers` writes {}",
            path.display()
        );
    }
    let baseline = Record::load(&path)?;
    println!("{}\ncompared with: {}", machine.describe(), baseline.machine.describe());
    let mut rows = sides.rows()?;
    rows.retain(|row| only.is_none_or(|part| row.name.contains(part)));
    let slower = compare(&sides, &rows, &baseline)?;
    if slower.is_empty() {
        println!("no row is more than {:.0} % slower than before", 100.0 * (MARGIN - 1.0));
        return Ok(());
    }
    bail!("{} rows are slower than before:\n{}", slower.len(), slower.join("\n"));
}

/// A line for each row that is slower.
fn compare(sides: &Sides, rows: &[Row], baseline: &Record) -> Result<Vec<String>> {
    let mut slower = Vec::new();
    for threads in super::thread_counts() {
        let mut sides = sides.start(threads)?;
        for row in rows {
            let before = baseline.timings.iter().find(|timing| timing.row == row.name && timing.threads == threads);
            let Some(before) = before.and_then(Timing::quickest_against_best) else {
                println!("skipped: {} on {threads} threads has no figure beside a peer", row.name);
                continue;
            };
            let now = least_ratio(before, || time(&mut sides, row, threads, ROUNDS))?;
            println!("{threads} threads, {}: {now:.2} of the best peer's time, was {before:.2}", row.name);
            if is_slower(before, now) {
                slower.push(format!(
                    "{} on {threads} threads: {now:.2} of the best peer's time, was {before:.2}",
                    row.name
                ));
            }
        }
    }
    Ok(slower)
}

/// The least ratio of some tries, which end with the first that is no slower than before.
fn least_ratio(before: f64, mut timed: impl FnMut() -> Result<Timing>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        least = least.min(timed()?.quickest_against_best().unwrap_or(f64::INFINITY));
        if !is_slower(before, least) {
            break;
        }
    }
    Ok(least)
}

fn is_slower(before: f64, now: f64) -> bool {
    now > before * MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(trueno: f64, peer: f64) -> Timing {
        let answers = vec![("Trueno".into(), vec![trueno * 3.0, trueno]), ("NumPy".into(), vec![peer, peer * 2.0])];
        Timing { group: "g".into(), row: "r".into(), threads: 1, answers }
    }

    #[test]
    fn a_row_is_slower_only_if_it_is_so_each_time() {
        let mut tries = 0;
        let mut answers = |ratios: [f64; TRIES]| {
            tries = 0;
            least_ratio(1.0, || {
                tries += 1;
                Ok(timing(ratios[tries - 1], 1.0))
            })
            .map(|least| (least, tries))
            .unwrap()
        };
        assert_eq!(answers([1.04, 9.0, 9.0, 9.0]), (1.04, 1));
        assert_eq!(answers([2.0, 1.5, 0.5, 9.0]), (0.5, 3));
        let (least, tries) = answers([2.0, 1.5, 1.06, 1.2]);
        assert_eq!((least, tries), (1.06, TRIES));
        assert!(is_slower(1.0, least));
    }

    #[test]
    fn a_peer_that_is_slowed_alike_changes_nothing() {
        assert_eq!(timing(3.0, 2.0).quickest_against_best(), timing(30.0, 20.0).quickest_against_best());
    }
}
