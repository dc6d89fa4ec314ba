//! `cargo xtask`: the gates every change to Trueno passes, and the commands that make its fixtures and figures.
//!
//! It is not part of the library and is never published. Run `cargo xtask help` for the commands.
#![forbid(unsafe_code)]

mod accuracy;
mod bench;
mod binaries;
mod coverage;
mod foreign;
mod gates;
mod gpu;
mod install;
mod isa;
mod memory;
mod mutants;
mod no_std;
mod oracle;
mod process;
mod report;
mod table;
mod tidy;
mod tiers;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Gates, fixtures and figures of Trueno")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The inner loop: format, check, unit tests with few cases
    Tier1,
    /// Every gate a change must pass; installs the tools it needs
    Tier2 {
        /// Run only the gates whose name contains this text
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// What takes too long for every change: sanitizers, Valgrind, Miri, mutants
    Tier3 {
        /// Run only the gates whose name contains this text
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Minutes to spend on the mutants of each crate
        #[arg(long, value_name = "MINUTES", default_value_t = 30)]
        mutant_minutes: u64,
        /// Install and run pmat too
        #[arg(long)]
        pmat: bool,
    },
    /// Times Trueno and writes the results and docs/performance.md
    Bench {
        /// Time NumPy and PyTorch beside it
        #[arg(long)]
        peers: bool,
        /// Fail if a row lost more than 5 % against the committed figures, as ratios to the fastest peer; writes nothing
        #[arg(long, conflicts_with = "peers")]
        check: bool,
        /// Run every row once, without peers, and write nothing
        #[arg(long, conflicts_with_all = ["peers", "check", "only", "python"])]
        smoke: bool,
        /// Only write docs/performance.md and its pictures from the committed figures
        #[arg(long, conflicts_with_all = ["peers", "check", "only", "python", "smoke"])]
        page: bool,
        /// Measure a GPU, beside PyTorch if `--python` names an interpreter that has it, and write docs/gpu.md
        #[arg(long, conflicts_with_all = ["peers", "check", "only", "smoke", "page"])]
        gpu: bool,
        /// Take the GPU's programs from this folder instead of building them
        #[arg(long, value_name = "PATH", requires = "gpu")]
        programs: Option<PathBuf>,
        /// The commit that those programs are of
        #[arg(long, value_name = "ID", requires = "programs")]
        commit: Option<String>,
        /// Time only the rows whose name contains this text, and write nothing
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Answers of each side, whose median is the figure; odd
        #[arg(long, value_name = "N", default_value_t = bench::ROUNDS, conflicts_with_all = ["check", "smoke", "page", "gpu"])]
        rounds: usize,
        /// An interpreter that has NumPy and PyTorch; without it a virtual environment is made
        #[arg(long, value_name = "PATH")]
        python: Option<PathBuf>,
    },
    /// Makes the fixtures that say what NumPy and PyTorch answer
    Oracle {
        /// Compare the committed fixtures instead of writing them
        #[arg(long)]
        check: bool,
        /// An interpreter that has NumPy and PyTorch; without it a virtual environment is made
        #[arg(long, value_name = "PATH")]
        python: Option<PathBuf>,
    },
    /// Compares operations on one operand with the exact values, for all `f32`, and writes docs/accuracy.md
    Accuracy {
        /// Only this row; may be repeated
        #[arg(long, value_name = "NAME")]
        row: Vec<String>,
        /// Only this instruction set; may be repeated
        #[arg(long, value_name = "NAME")]
        isa: Vec<String>,
        /// Compare every so manyth value
        #[arg(long, value_name = "N", default_value_t = 1)]
        step: u64,
        /// Leave out rows that the page has with this step or a smaller one
        #[arg(long)]
        resume: bool,
    },
    /// Other architectures: tests of the kernels on NEON under QEMU and SIMD128 in Node, and a check of everything for browsers
    Isa,
    /// Writes docs/ops.md from the operation table
    Ops {
        /// Only say whether it is current
        #[arg(long)]
        check: bool,
    },
    /// The house rules alone: crate edges, `unsafe`, sizes, markers, manifests
    Tidy,
}

fn main() -> ExitCode {
    let outcome = Workspace::find().and_then(|workspace| match Arguments::parse().command {
        Task::Tier1 => tiers::tier1(&workspace),
        Task::Tier2 { only } => tiers::tier2(&workspace, only.as_deref()),
        Task::Tier3 { only, mutant_minutes, pmat } => tiers::tier3(&workspace, only.as_deref(), mutant_minutes, pmat),
        Task::Bench { gpu: true, programs, commit, python, .. } => {
            bench::gpu(&workspace, &bench::GpuOptions { python, programs, commit })
        }
        Task::Bench { page: true, .. } => bench::write_page(&workspace),
        Task::Bench { smoke: true, .. } => bench::gate(&workspace).map(|verdict| println!("benches: {verdict}")),
        Task::Bench { check: true, only, python, .. } => bench::regression(&workspace, only.as_deref(), python),
        Task::Bench { peers, only, rounds, python, .. } => {
            bench::bench(&workspace, bench::Options { peers, only, rounds, python })
        }
        Task::Oracle { check, python } => oracle::oracle(&workspace, check, python),
        Task::Accuracy { row, isa, step, resume } => {
            accuracy::accuracy(&workspace, &accuracy::Options { rows: row, isas: isa, step, resume })
        }
        Task::Isa => foreign::isa(&workspace),
        Task::Ops { check } => table::page(&workspace, check).map(|verdict| println!("ops: {verdict}")),
        Task::Tidy => tidy::gate(&workspace).map(|verdict| println!("tidy: {verdict}")),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
