//! The gates that are one cargo command each.

use anyhow::Result;

use crate::install::DENY;
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

/// The examples in the documentation run.
pub fn doc_tests(workspace: &Workspace) -> Result<Verdict> {
    run(&mut cargo(workspace, ["test", "--workspace", "--doc"]))?;
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
