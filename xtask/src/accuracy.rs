//! The accuracy of the CPU's kernels: an example of `trueno-kernels` measures it, `docs/accuracy.md` keeps the figures.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use trueno_core::table::UnaryOp;

use crate::process::{capture, cargo};
use crate::report::Verdict;
use crate::workspace::Workspace;

/// Where the figures are kept.
const PAGE: &str = "docs/accuracy.md";

/// The gate compares every so manyth `f32`: a prime, so that every exponent and every low bit comes up.
const GATE_STEP: u64 = 127;

/// What to measure.
pub struct Options {
    /// Rows by name; all if there is none.
    pub rows: Vec<String>,
    /// Instruction sets by name; all that the machine has if there is none.
    pub isas: Vec<String>,
    /// Every so manyth `f32`.
    pub step: u64,
    /// Leave out the rows that the page has with this step or a smaller one.
    pub resume: bool,
}

/// One line of the page.
#[derive(Clone, Debug, PartialEq)]
struct Figure {
    row: String,
    isa: String,
    step: u64,
    bound: f64,
    error: f64,
    at: String,
}

impl Figure {
    /// A line of the example's output.
    fn from_output(line: &str, step: u64) -> Result<Self> {
        let parts: Vec<&str> = line.split('\t').collect();
        let [row, isa, bound, error, at, _seconds] = parts[..] else { bail!("`{line}` is no figure") };
        Ok(Figure {
            row: row.to_string(),
            isa: isa.to_string(),
            step,
            bound: bound.parse().with_context(|| format!("the bound in `{line}`"))?,
            error: error.parse().with_context(|| format!("the error in `{line}`"))?,
            at: at.to_string(),
        })
    }

    /// A line of the page, or `None` if it is no figure.
    fn from_page(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [row, isa, step, bound, error, at] = cells[..] else { return None };
        Some(Figure {
            row: row.to_string(),
            isa: isa.to_string(),
            step: step.parse().ok()?,
            bound: bound.parse().ok()?,
            error: error.parse().ok()?,
            at: at.to_string(),
        })
    }

    fn to_page(&self) -> String {
        let Figure { row, isa, step, bound, error, at } = self;
        format!("| {row} | {isa} | {step} | {bound} | {error:.3} | {at} |\n")
    }
}

/// The figures of a page, by row and instruction set.
type Figures = BTreeMap<(String, String), Figure>;

fn read(workspace: &Workspace) -> Figures {
    let text = fs::read_to_string(workspace.path(PAGE)).unwrap_or_default();
    text.lines()
        .filter_map(Figure::from_page)
        .map(|figure| ((figure.row.clone(), figure.isa.clone()), figure))
        .collect()
}

fn write(workspace: &Workspace, figures: &Figures) -> Result<()> {
    let mut text = String::from(HEAD);
    for op in UnaryOp::ALL {
        let of_row = figures.values().filter(|figure| figure.row == op.name());
        of_row.for_each(|figure| text.push_str(&figure.to_page()));
    }
    fs::write(workspace.path(PAGE), text).with_context(|| format!("could not write {PAGE}"))
}

const HEAD: &str = "\
# Accuracy

Written by `cargo xtask accuracy`, which measures rows one by one and keeps the others; do not edit.

The largest error of every operation on one operand, in units in the last place of an `f32` result, on each instruction
set, with the rows' default parameters. A step of 1 means that all 2^32 values of `f32` were compared, subnormals,
infinities and every NaN included; a step of N, every Nth of them by representation. The bound is the row's own, and a
figure above it fails the command and tier 3.

An error is the distance from the exact value, not from the correctly rounded one: a perfect function has errors of up
to 0.5, and a tie is exactly that, so no hard case has to be decided. The exact value is taken from the row's formula in
`f64`, whose functions are within a few units of 2^-53: that moves the figures from the eighth digit on. Signs of
zeros, infinities and NaN must be those of the rounded value; one that is not counts as an infinite error.

| row | instruction set | step | bound | largest error | at |
| --- | --- | ---: | ---: | ---: | ---: |
";

/// Measures rows one after the other and writes the page after each, so that a run can be stopped and resumed.
pub fn accuracy(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut figures = read(workspace);
    let mut over = Vec::new();
    let mut names: Vec<&str> = UnaryOp::ALL.iter().map(|op| op.name()).collect();
    if let Some(unknown) = options.rows.iter().find(|row| !names.contains(&row.as_str())) {
        bail!("there is no row `{unknown}`");
    }
    names.retain(|name| options.rows.is_empty() || options.rows.iter().any(|row| row == name));
    if options.resume {
        names.retain(|name| !figures.values().any(|known| known.row == *name && known.step <= options.step));
    }
    for name in names {
        for figure in measure(workspace, name, &options.isas, options.step)? {
            print!("{}", figure.to_page());
            if figure.error > figure.bound {
                over.push(format!("{} on {}: {} at {}", figure.row, figure.isa, figure.error, figure.at));
            }
            figures.insert((figure.row.clone(), figure.isa.clone()), figure);
        }
        write(workspace, &figures)?;
    }
    ensure!(over.is_empty(), "over the row's bound: {}", over.join(", "));
    Ok(())
}

/// The figures of one row.
fn measure(workspace: &Workspace, row: &str, isas: &[String], step: u64) -> Result<Vec<Figure>> {
    let mut example =
        cargo(workspace, ["run", "--quiet", "--release", "-p", "trueno-kernels", "--example", "accuracy"]);
    example.args(["--", "--report", "--row", row, "--step", &step.to_string()]);
    isas.iter().for_each(|isa| {
        example.args(["--isa", isa]);
    });
    capture(&mut example)?.lines().map(|line| Figure::from_output(line, step)).collect()
}

/// Every row is within its bound on a sample of all values, and the page has every row.
pub fn gate(workspace: &Workspace) -> Result<Verdict> {
    let known = read(workspace);
    if let Some(missing) = UnaryOp::ALL.iter().find(|op| !known.values().any(|figure| figure.row == op.name())) {
        bail!("{PAGE} lacks `{}`: run `cargo xtask accuracy --row {}`", missing.name(), missing.name());
    }
    let step = GATE_STEP.to_string();
    let example = ["run", "--quiet", "--release", "-p", "trueno-kernels", "--example", "accuracy", "--"];
    let output = capture(cargo(workspace, example).args(["--step", &step]))?;
    Ok(Verdict::Passed(format!("{} figures, every {step}th value", output.lines().count())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_back() {
        let figure = Figure::from_output("exp\tavx2\t1\t0.933\t-2.7e1\t12.5", 4).unwrap();
        assert_eq!(Figure::from_page(figure.to_page().trim_end()), Some(figure));
        assert!(HEAD.lines().all(|line| Figure::from_page(line).is_none()), "the head of the table is no figure");
        assert!(Figure::from_output("exp avx2", 1).is_err());
    }
}
