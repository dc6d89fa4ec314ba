//! Figures of a GPU beside PyTorch's on the same one, and `docs/gpu.md` made from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::record::{file_stem, today};
use super::sides::build;
use crate::process::capture;
use crate::report::Verdict;
use crate::workspace::Workspace;

const RESULTS: &str = "benches/results/gpu";
const PAGE: &str = "docs/gpu.md";

/// Trueno's programs: what cargo is asked for, and what it calls the program.
const PROGRAMS: [(&[&str], &str); 2] = [
    (&["--package", "trueno-gpu", "--example", "throughput"], "throughput"),
    (&["--package", "trueno-benches", "--bin", "gpu"], "gpu"),
];

/// How to measure.
#[derive(Default)]
pub struct Options {
    /// An interpreter with a PyTorch that sees the GPU.
    pub python: Option<PathBuf>,
    /// A folder that holds Trueno's programs, built elsewhere: machines with a GPU need not have a compiler.
    pub programs: Option<PathBuf>,
    /// The commit that the programs are of, where the history is not at hand either.
    pub commit: Option<String>,
}

/// One run of all rows on one device.
#[derive(Serialize, Deserialize)]
struct Record {
    /// What Trueno says of the device.
    device: String,
    /// What PyTorch says of it, with its version; nothing if it was not asked.
    peer: Option<String>,
    date: String,
    commit: String,
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    unit: String,
    trueno: f64,
    pytorch: Option<f64>,
}

impl Row {
    /// Above 1, Trueno is faster.
    fn ratio(&self) -> Option<f64> {
        let pytorch = self.pytorch?;
        // Microseconds are better the fewer they are; everything else is a rate.
        Some(if self.unit.starts_with("us") { pytorch / self.trueno } else { self.trueno / pytorch })
    }
}

/// What one program printed: words of the device, and rows in their order.
struct Output {
    about: String,
    rows: Vec<(String, f64, String)>,
}

/// Measures, prints the table, and stores it.
pub fn gpu(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut device = None;
    let mut rows = Vec::new();
    for (arguments, name) in PROGRAMS {
        let program = match &options.programs {
            Some(folder) => folder.join(name),
            None => build(workspace, arguments, name)?,
        };
        let output = parse(&capture(Command::new(&program).current_dir(workspace.root()))?)?;
        device.get_or_insert(output.about);
        rows.extend(output.rows);
    }
    let peer = match &options.python {
        Some(python) => Some(parse(&capture(Command::new(python).arg(workspace.path("benches/gpu_peers.py")))?)?),
        None => None,
    };
    let Some(device) = device else { bail!("no program said what device it ran on") };
    let record = Record {
        device,
        date: today()?,
        commit: options.commit.clone().map_or_else(|| super::record::commit(workspace), Ok)?,
        rows: join(rows, peer.as_ref().map_or(&[], |peer| &peer.rows))?,
        peer: peer.map(|peer| peer.about),
    };
    print!("{}", table(&record));
    let folder = workspace.path(RESULTS);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.json", file_stem(record.device.split(',').next().unwrap_or_default())));
    fs::write(&path, serde_json::to_string_pretty(&record)? + "\n")
        .with_context(|| format!("could not write {}", path.display()))?;
    fs::write(workspace.path(PAGE), markdown(&committed(workspace)?)).with_context(|| format!("could not write {PAGE}"))
}

/// `docs/gpu.md` says what the results say.
pub fn page_gate(workspace: &Workspace) -> Result<Verdict> {
    let records = committed(workspace)?;
    if records.is_empty() {
        return Ok(Verdict::skipped("no figures of a GPU are committed"));
    }
    let found = fs::read_to_string(workspace.path(PAGE)).with_context(|| format!("could not read {PAGE}"))?;
    if found != markdown(&records) {
        bail!("{PAGE} is not what {RESULTS} says: it is written by `cargo xtask bench --gpu`");
    }
    Ok(Verdict::Passed(format!("{} devices", records.len())))
}

/// Lines of `name<TAB>value<TAB>unit`; the first that begins with `#` says where it ran.
fn parse(text: &str) -> Result<Output> {
    let mut about = None;
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix('#') {
            about.get_or_insert(words.trim().to_string());
            continue;
        }
        let [name, value, unit] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("`{line}` is not a name, a value and a unit");
        };
        let value = value.parse().with_context(|| format!("`{line}` has no value"))?;
        rows.push((name.to_string(), value, unit.to_string()));
    }
    Ok(Output { about: about.context("a program did not say where it ran")?, rows })
}

/// Trueno's rows with PyTorch's of the same name.
fn join(rows: Vec<(String, f64, String)>, peer: &[(String, f64, String)]) -> Result<Vec<Row>> {
    let mut others: BTreeMap<&str, (f64, &str)> =
        peer.iter().map(|(name, value, unit)| (name.as_str(), (*value, unit.as_str()))).collect();
    let row = |(name, trueno, unit): (String, f64, String)| {
        let pytorch = match others.remove(name.as_str()) {
            Some((_, other)) if other != unit => bail!("{name} is in {unit} here and in {other} there"),
            found => found.map(|(value, _)| value),
        };
        Ok(Row { name, unit, trueno, pytorch })
    };
    rows.into_iter().map(row).collect()
}

fn committed(workspace: &Workspace) -> Result<Vec<Record>> {
    let load = |path: &PathBuf| load(path);
    super::committed(&workspace.path(RESULTS))?.iter().map(load).collect()
}

fn load(path: &Path) -> Result<Record> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a record of a GPU", path.display()))
}

fn markdown(records: &[Record]) -> String {
    let mut text = String::from(
        "# GPU figures\n\nWritten by `cargo xtask bench --gpu` from [benches/results/gpu](../benches/results/gpu); do not edit. Trueno's \
         programs and\nPyTorch ran one after the other on the same machine. TF32 is off, everything is `float32` unless the row says \
         otherwise, matrices of\nrows without a size are 8192 x 8192. Kernels are the best of three measurements of at least 0.1 s; \
         Trueno's training steps are the\nmedians of five of at least 0.5 s, PyTorch's the best of three. A ratio above 1 says that Trueno \
         is faster.\n\nRows are those of [throughput](../crates/trueno-gpu/examples/throughput.rs) and [gpu](../benches/src/bin/gpu.rs); \
         PyTorch's side is\n[gpu_peers.py](../benches/gpu_peers.py). What training on real data gave is in [cifar10.md](cifar10.md).\n",
    );
    for record in records {
        let peer = record.peer.as_ref().map_or(String::new(), |peer| format!("; {peer}"));
        text +=
            &format!("\n## {}{peer}\n\nCommit {}, {}.\n\n{}", record.device, record.commit, record.date, table(record));
    }
    text
}

fn table(record: &Record) -> String {
    let mut text = String::from("| row | unit | Trueno | PyTorch | ratio |\n| --- | --- | ---: | ---: | ---: |\n");
    for row in &record.rows {
        let pytorch = row.pytorch.map_or(String::new(), figure);
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let (name, trueno) = (row.name.replace('_', " "), figure(row.trueno));
        text += &format!("| {name} | {} | {trueno} | {pytorch} | {ratio} |\n", row.unit);
    }
    text
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_sides_meet_by_name() {
        let ours = parse("# A GPU, some driver\nadd\t4000.00\tGB/s\nstep\t200.0\tus\nown\t1.0\tus\n").unwrap();
        let theirs = parse("# A GPU PyTorch 2\nstep\t400.0\tus\nadd\t2000.0\tGB/s\n").unwrap();
        let rows = join(ours.rows, &theirs.rows).unwrap();
        assert_eq!(rows.iter().map(Row::ratio).collect::<Vec<_>>(), [Some(2.0), Some(2.0), None]);
        let record =
            Record { device: ours.about, peer: Some(theirs.about), date: "d".into(), commit: "c".into(), rows };
        let page = markdown(&[record]);
        assert!(page.contains("## A GPU, some driver; A GPU PyTorch 2\n"), "{page}");
        assert!(
            page.contains(
                "| add | GB/s | 4000 | 2000 | 2.00 |\n| step | us | 200 | 400 | 2.00 |\n| own | us | 1.00 |  |  |\n"
            ),
            "{page}"
        );
    }

    #[test]
    fn what_is_no_row_is_told() {
        assert!(parse("# x\nadd 4000").is_err());
        assert!(parse("# x\nadd\tmany\tGB/s").is_err());
        assert!(parse("add\t1\tGB/s").is_err());
        let row = |unit: &str| vec![("a".to_string(), 1.0, unit.to_string())];
        assert!(join(row("us"), &row("GB/s")).is_err());
    }
}
