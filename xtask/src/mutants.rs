//! Mutation testing: small wrong changes to the code that some test must notice.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::install::MUTANTS;
use crate::process::start;
use crate::report::Verdict;
use crate::workspace::Workspace;

/// Share of mutants that tests must notice.
const CAUGHT_PERCENT: f64 = 80.0;

/// Below this many tried, a share says little.
const FEWEST: u64 = 20;

/// Tries mutants of one crate, in random order, for at most `minutes`; the share over those tried is what counts.
pub fn gate(workspace: &Workspace, package: &str, minutes: u64) -> Result<Verdict> {
    if !workspace.has_crate(package) {
        return Ok(Verdict::skipped(format!("{package} does not exist yet")));
    }
    MUTANTS.ensure(workspace)?;
    let output = workspace.target().join("mutants").join(package);
    fs::create_dir_all(&output).with_context(|| format!("could not create {}", output.display()))?;
    // An interrupt lets cargo-mutants write down what it found so far. Its exit status says only whether all were
    // caught and that time was up, so the report decides.
    let mut command = Command::new("timeout");
    command.args(["--signal=INT", "--kill-after=60", &format!("{minutes}m")]);
    command.args(["cargo", "mutants", "--jobs=1", "--shuffle", "--colors=never", "--package", package, "--output"]);
    start(command.arg(&output).current_dir(workspace.root()).env("PROPTEST_CASES", "64"))?;
    let report = output.join("mutants.out/outcomes.json");
    let text = fs::read_to_string(&report).with_context(|| format!("there is no {}", report.display()))?;
    let found = fs::read_to_string(output.join("mutants.out/mutants.json")).unwrap_or_default();
    Score::parse(&text, &found)?.verdict()
}

/// How many mutants there are, and what became of those tried.
#[derive(Debug, PartialEq)]
struct Score {
    all: usize,
    caught: u64,
    missed: u64,
}

impl Score {
    fn parse(outcomes: &str, mutants: &str) -> Result<Self> {
        let outcomes: Value = serde_json::from_str(outcomes).context("the report of cargo-mutants is not JSON")?;
        let mutants: Value = serde_json::from_str(mutants).context("the list of mutants is not JSON")?;
        let count = |name: &str| outcomes[name].as_u64().with_context(|| format!("the report has no `{name}`"));
        Ok(Self {
            all: mutants.as_array().map_or(0, Vec::len),
            // A mutant that makes a test run forever is noticed.
            caught: count("caught")? + count("timeout")?,
            missed: count("missed")?,
        })
    }

    fn verdict(&self) -> Result<Verdict> {
        let tried = self.caught + self.missed;
        if tried < FEWEST.min(self.all as u64) {
            bail!("only {tried} of {} mutants were tried in the time given", self.all);
        }
        let percent = 100.0 * self.caught as f64 / tried.max(1) as f64;
        let words = format!("{percent:.1} % caught of {tried} viable mutants tried, of {} in all", self.all);
        if percent < CAUGHT_PERCENT {
            bail!("{words}, and {CAUGHT_PERCENT} % are needed");
        }
        Ok(Verdict::Passed(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_becomes_a_share() {
        let outcomes = r#"{"caught": 16, "timeout": 2, "missed": 2, "unviable": 5, "success": 0}"#;
        let mutants = format!("[{}]", vec!["{}"; 30].join(","));
        let score = Score::parse(outcomes, &mutants).unwrap();
        assert_eq!(score, Score { all: 30, caught: 18, missed: 2 });
        assert!(score.verdict().unwrap().to_string().contains("90.0 % caught of 20"));
    }

    #[test]
    fn too_low_a_share_and_too_small_a_sample_fail() {
        assert!(Score { all: 100, caught: 70, missed: 30 }.verdict().is_err());
        assert!(Score { all: 100, caught: 3, missed: 0 }.verdict().is_err());
        assert!(Score { all: 3, caught: 3, missed: 0 }.verdict().is_ok());
    }
}
