//! `cargo xtask`: the gates every change to Trueno passes, and the commands that make its fixtures and figures.
//!
//! It is not part of the library and is never published. Run `cargo xtask help` for the commands.
#![forbid(unsafe_code)]

mod coverage;
mod gates;
mod install;
mod isa;
mod no_std;
mod process;
mod report;
mod tidy;
mod tiers;
mod workspace;

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
    /// The house rules alone: crate edges, `unsafe`, sizes, markers, manifests
    Tidy,
}

fn main() -> ExitCode {
    let outcome = Workspace::find().and_then(|workspace| match Arguments::parse().command {
        Task::Tier1 => tiers::tier1(&workspace),
        Task::Tier2 { only } => tiers::tier2(&workspace, only.as_deref()),
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
