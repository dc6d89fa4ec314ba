//! `docs/performance.md`, written from the committed results.

use std::fs;

use anyhow::{Context, Result, bail};

use super::picture;
use super::record::{Peak, Record, Timing};
use crate::report::Verdict;
use crate::workspace::Workspace;

const PAGE: &str = "docs/performance.md";

/// Sides other than Trueno, in the order of the columns.
const PEERS: [&str; 3] = ["NumPy", "PyTorch", "candle"];

/// Writes the page and its pictures.
pub fn write(workspace: &Workspace) -> Result<()> {
    files(&committed(workspace)?)?.iter().try_for_each(|(path, text)| {
        fs::write(workspace.path(path), text).with_context(|| format!("could not write {path}"))
    })
}

/// The page and its pictures say what the results say.
pub fn check(workspace: &Workspace) -> Result<Verdict> {
    let records = committed(workspace)?;
    for (path, text) in files(&records)? {
        let found = fs::read_to_string(workspace.path(&path)).with_context(|| format!("could not read {path}"))?;
        if found != text {
            bail!("{path} is not what {} says: it is written by `cargo xtask bench`", super::RESULTS);
        }
    }
    Ok(Verdict::Passed(format!("{} machines", records.len())))
}

/// The results of every machine.
fn committed(workspace: &Workspace) -> Result<Vec<Record>> {
    super::committed(&workspace.path(super::RESULTS))?.iter().map(|path| Record::load(path)).collect()
}

/// Path and content of the page, and of a picture per machine.
fn files(records: &[Record]) -> Result<Vec<(String, String)>> {
    let mut files = vec![(PAGE.to_string(), markdown(records))];
    for record in records {
        files.push((format!("docs/{}", picture_name(record)), picture::svg(record)?));
    }
    Ok(files)
}

fn picture_name(record: &Record) -> String {
    format!("performance-{}.svg", record.machine.stem())
}

fn markdown(records: &[Record]) -> String {
    let mut text = String::from(
        "# Performance\n\nWritten by `cargo xtask bench --peers` from [benches/results](../benches/results); do not \
         edit. How a figure is\nmade is told in [benches](../benches/README.md). A ratio is the peer's time over \
         Trueno's: above 1, Trueno is faster.\n",
    );
    for record in records {
        let machine = &record.machine;
        text += &format!("\n## {}, {} cores\n\n{}", machine.processor, machine.cores, machine.describe());
        text += &format!("; medians of {}.\n", record.rounds());
        text += &format!("\n![Ratio of each row to its fastest peer]({})\n", picture_name(record));
        let mut counts: Vec<_> = record.timings.iter().map(|timing| timing.threads).collect();
        counts.dedup();
        let peers: Vec<&str> = PEERS.into_iter().filter(|peer| record.has(peer)).collect();
        for threads in counts {
            let plural = if threads == 1 { "" } else { "s" };
            let timings: Vec<_> = record.timings.iter().filter(|timing| timing.threads == threads).collect();
            text += &format!("\n### {threads} thread{plural}\n\n{}| row | Trueno |", groups(&timings));
            text += &peers.iter().map(|peer| format!(" {peer} | ratio |")).collect::<String>();
            text += &format!("\n| --- | ---: |{}\n", " ---: | ---: |".repeat(peers.len()));
            text += &timings.iter().map(|timing| line(timing, &peers)).collect::<String>();
        }
        text += &memory(&record.peaks, &peers);
    }
    text
}

/// What rows take of memory at most, beyond what the process holds before.
fn memory(peaks: &[Peak], peers: &[&str]) -> String {
    if peaks.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n### Memory\n\nWhat a row adds at most to a process of its own, in MiB, on one thread.\n\n| row | Trueno |",
    );
    text += &peers.iter().map(|peer| format!(" {peer} | ratio |")).collect::<String>();
    text += &format!("\n| --- | ---: |{}\n", " ---: | ---: |".repeat(peers.len()));
    for peak in peaks {
        let mebibytes = |side: &str| peak.of(side).map_or(String::new(), |figure| format!("{figure:.0}"));
        let ratio = |side: &str| Some(peak.of(side)? / peak.of("Trueno")?);
        let ratio = |side: &str| ratio(side).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let others: String = peers.iter().map(|peer| format!(" {} | {} |", mebibytes(peer), ratio(peer))).collect();
        text += &format!("| {} | {} |{others}\n", peak.row, mebibytes("Trueno"));
    }
    text
}

/// Trueno's time over that of the fastest peer: the geometric mean over each group of rows, and the row that does worst.
fn groups(timings: &[&Timing]) -> String {
    let mut text = String::new();
    for rows in timings.chunk_by(|a, b| a.group == b.group) {
        let mut ratios: Vec<_> = rows.iter().filter_map(|row| Some((row.against_best()?, &row.row))).collect();
        ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some((worst, row)) = ratios.last() else { continue };
        let mean = (ratios.iter().map(|(ratio, _)| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        text += &format!("| {} | {mean:.2} | {worst:.2} | {row} |\n", rows[0].group);
    }
    let head = "| group | time over the best peer's, geometric mean | at worst | in |\n| --- | ---: | ---: | --- |\n";
    if text.is_empty() { text } else { format!("{head}{text}\n") }
}

fn line(timing: &Timing, peers: &[&str]) -> String {
    let time = |side| timing.of(side).map_or(String::new(), duration);
    let ratio = |side| timing.ratio(side).map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let peers: String = peers.iter().map(|peer| format!(" {} | {} |", time(peer), ratio(peer))).collect();
    format!("| {} | {} |{peers}\n", timing.row, time("Trueno"))
}

/// Microseconds with a unit and three digits that mean something.
fn duration(microseconds: f64) -> String {
    let (value, unit) = if microseconds >= 1000.0 { (microseconds / 1000.0, "ms") } else { (microseconds, "µs") };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::example;
    use super::*;

    #[test]
    fn the_page_has_a_line_per_row_and_leaves_out_what_a_peer_lacks() {
        let page = markdown(&[example()]);
        assert!(page.contains("## Some CPU (R) @ 2 GHz, 2 cores\n"), "{page}");
        assert!(page.contains("### 1 thread\n"), "{page}");
        assert!(page.contains("| row | Trueno | NumPy | ratio | PyTorch | ratio |\n"), "{page}");
        assert!(page.contains("| add 1M | 3.00 µs | 6.00 µs | 2.00 | 12.0 µs | 4.00 |\n"), "{page}");
        assert!(page.contains("| sum 1M | 4.00 µs | 2.00 µs | 0.50 |  |  |\n"), "{page}");
    }

    #[test]
    fn a_group_is_judged_by_the_geometric_mean_against_the_best_peer() {
        let page = markdown(&[example()]);
        assert!(page.contains("| vectors | 1.00 | 2.00 | sum 1M |\n"), "{page}");
    }

    #[test]
    fn memory_has_a_table_of_its_own() {
        let page = markdown(&[example()]);
        assert!(page.contains("### Memory\n") && page.contains("| a step | 10 |  |  | 20 | 2.00 |\n"), "{page}");
    }

    #[test]
    fn durations_keep_three_digits() {
        assert_eq!(duration(1.2345), "1.23 µs");
        assert_eq!(duration(12.345), "12.3 µs");
        assert_eq!(duration(123.45), "123 µs");
        assert_eq!(duration(12345.0), "12.3 ms");
    }

    #[test]
    fn a_page_that_is_not_current_is_found() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(root.path());
        example().save(&workspace.path(super::super::RESULTS)).unwrap();
        fs::create_dir(workspace.path("docs")).unwrap();
        write(&workspace).unwrap();
        assert!(check(&workspace).is_ok());
        fs::write(workspace.path(PAGE), "# Performance\n").unwrap();
        assert!(check(&workspace).is_err());
    }
}
