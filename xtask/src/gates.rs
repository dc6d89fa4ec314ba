//! The gates that are one cargo command each.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::install::{DENY, PMAT};
use crate::process::{capture, cargo, run, succeeds};
use crate::report::Verdict;
use crate::workspace::Workspace;

/// Every file is as rustfmt writes it.
pub fn format(workspace: &Workspace) -> Result<Verdict> {
    run(&mut cargo(workspace, ["fmt", "--all", "--", "--check"]))?;
    Ok(Verdict::passed())
}

/// Everything type-checks.
pub fn check(workspace: &Workspace) -> Result<Verdict> {
    run(&mut cargo(workspace, ["check", "--workspace", "--all-targets"]))?;
    Ok(Verdict::passed())
}

/// The unit tests with so few random cases that one waits for them.
pub fn unit_tests(workspace: &Workspace) -> Result<Verdict> {
    run(cargo(workspace, ["test", "--workspace", "--lib", "--quiet"]).env("PROPTEST_CASES", "10"))?;
    Ok(Verdict::passed())
}

/// Clippy has nothing to say about any target with any feature.
pub fn clippy(workspace: &Workspace) -> Result<Verdict> {
    let everything = ["clippy", "--workspace", "--all-targets", "--all-features"];
    run(cargo(workspace, everything).args(["--", "-D", "warnings"]))?;
    Ok(Verdict::passed())
}

/// The documentation builds without a broken link.
pub fn documentation(workspace: &Workspace) -> Result<Verdict> {
    let mut doc = cargo(workspace, ["doc", "--workspace", "--no-deps", "--exclude", "xtask"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Verdict::passed())
}

/// Licences, duplicate and banned crates, and where crates come from.
pub fn deny(workspace: &Workspace) -> Result<Verdict> {
    DENY.ensure(workspace)?;
    // The crates of optional targets may not have been downloaded yet, and cargo-deny reads all of them.
    run(&mut cargo(workspace, ["fetch", "--locked"]))?;
    run(&mut cargo(workspace, ["deny", "--offline", "check", "licenses", "bans", "sources"]))?;
    Ok(Verdict::passed())
}

/// Known vulnerabilities, where the database that lists them can be reached.
pub fn advisories(workspace: &Workspace) -> Result<Verdict> {
    const DATABASE: &str = "https://github.com/rustsec/advisory-db";
    if !succeeds("timeout", &["20", "git", "-c", "credential.helper=", "ls-remote", "--quiet", DATABASE, "HEAD"]) {
        return Ok(Verdict::skipped("advisory database not reachable"));
    }
    DENY.ensure(workspace)?;
    run(&mut cargo(workspace, ["deny", "check", "advisories"]))?;
    Ok(Verdict::passed())
}

/// Says in the log which compiler the gates below ran with.
pub fn compiler(workspace: &Workspace) -> Result<Verdict> {
    let version = capture(&mut cargo(workspace, ["--version"]))?;
    Ok(Verdict::Passed(version.trim().to_string()))
}

/// The grades that the project's structure and its repository must reach.
const GRADE: &str = "B+";
const REPOSITORY_SCORE: f64 = 90.0;

/// What pmat thinks of the code and of the repository. Building it takes longer than all other gates together.
pub fn pmat(workspace: &Workspace, wanted: bool) -> Result<Verdict> {
    if !wanted {
        return Ok(Verdict::skipped("takes 24 minutes to install: `cargo xtask tier3 --pmat`"));
    }
    PMAT.ensure(workspace)?;
    run(Command::new("pmat").args(["tdg", ".", "--min-grade", GRADE]).current_dir(workspace.root()))?;
    let mut score = Command::new("pmat");
    let report = capture(score.args(["repo-score", "--format", "json"]).current_dir(workspace.root()))?;
    let report: Value = serde_json::from_str(&report).context("pmat's score is not JSON")?;
    let total = report["total_score"].as_f64().context("pmat's score has no `total_score`")?;
    if total < REPOSITORY_SCORE {
        bail!("the repository scores {total}, and {REPOSITORY_SCORE} is needed");
    }
    Ok(Verdict::Passed(format!("repository score {total}")))
}
