//! Running gates in order and saying at the end what passed, what failed and what did not run.

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process;

/// How a gate ended when nothing was wrong. A failure is an error.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It ran and its bar was met; the text is a figure worth keeping, or empty.
    Passed(String),
    /// It could not run here; the text says why.
    Skipped(String),
}

impl Verdict {
    /// Passed, with nothing more to say.
    pub fn passed() -> Self {
        Self::Passed(String::new())
    }

    /// Could not run, because of `why`.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(figure) if figure.is_empty() => f.write_str("passed"),
            Self::Passed(figure) => write!(f, "passed: {figure}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

/// One thing that must hold.
pub struct Gate<'a> {
    name: String,
    check: Box<dyn FnOnce() -> Result<Verdict> + 'a>,
}

impl<'a> Gate<'a> {
    /// A gate called `name` that `check` decides.
    pub fn new(name: impl Into<String>, check: impl FnOnce() -> Result<Verdict> + 'a) -> Self {
        Self { name: name.into(), check: Box::new(check) }
    }

    /// Whether `--only text` selects this gate.
    pub fn matches(&self, text: &str) -> bool {
        self.name.contains(text)
    }
}

struct Row {
    name: String,
    result: Result<Verdict>,
    took: Duration,
    worked: Option<Duration>,
}

impl Row {
    /// Seconds that passed, and seconds that processors worked: on a busy machine only these can be compared.
    fn seconds(&self) -> String {
        seconds(self.took, self.worked)
    }

    fn outcome(&self) -> String {
        match &self.result {
            Ok(verdict) => verdict.to_string(),
            Err(error) => format!("FAILED: {error:#}"),
        }
    }
}

fn seconds(took: Duration, worked: Option<Duration>) -> String {
    let worked = worked.map_or("?".to_string(), |worked| format!("{:.1}", worked.as_secs_f64()));
    format!("{:>7.1}  {worked:>7}", took.as_secs_f64())
}

/// Runs every gate, also after one failed, and prints a summary. An error if any failed.
pub fn run_all(gates: Vec<Gate<'_>>) -> Result<()> {
    let count = gates.len();
    let mut rows = Vec::with_capacity(count);
    for (index, gate) in gates.into_iter().enumerate() {
        let place = format!("[{}/{count}] {}", index + 1, gate.name);
        println!("\n=== {place}");
        let (start, before) = (Instant::now(), process::worked());
        let result = (gate.check)();
        let worked = before.and_then(|before| Some(process::worked()?.saturating_sub(before)));
        let row = Row { name: gate.name, result, took: start.elapsed(), worked };
        println!("=== {place}: {} ({:.1} s)", row.outcome(), row.took.as_secs_f64());
        rows.push(row);
    }
    print!("\n{}", summary(&rows));
    match rows.iter().filter(|row| row.result.is_err()).count() {
        0 => Ok(()),
        1 => bail!("1 gate failed"),
        failed => bail!("{failed} gates failed"),
    }
}

fn summary(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max("gate".len());
    let mut text = format!("{:<width$}  seconds      cpu  outcome\n", "gate");
    for row in rows {
        text += &format!("{:<width$}  {}  {}\n", row.name, row.seconds(), row.outcome());
    }
    let skipped = rows.iter().filter(|row| matches!(row.result, Ok(Verdict::Skipped(_)))).count();
    let failed = rows.iter().filter(|row| row.result.is_err()).count();
    let took = rows.iter().map(|row| row.took).sum();
    let worked = rows.iter().map(|row| row.worked).sum();
    let passed = rows.len() - skipped - failed;
    text += &format!("{:<width$}  {}\n", "all", seconds(took, worked));
    text + &format!("{passed} passed, {failed} failed, {skipped} skipped\n")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_failure_does_not_stop_the_gates_behind_it() {
        let reached = Cell::new(false);
        let gates = vec![
            Gate::new("first", || bail!("broken")),
            Gate::new("second", || {
                reached.set(true);
                Ok(Verdict::passed())
            }),
        ];
        assert_eq!(run_all(gates).unwrap_err().to_string(), "1 gate failed");
        assert!(reached.get());
    }

    #[test]
    fn skipped_gates_do_not_fail_and_are_counted() {
        assert!(run_all(vec![Gate::new("absent", || Ok(Verdict::skipped("no such tool")))]).is_ok());
        let row = |result, worked| Row { name: "gate".into(), result, took: Duration::from_millis(1500), worked };
        let second = Some(Duration::from_secs(1));
        let text = summary(&[
            row(Ok(Verdict::Passed("91 %".into())), second),
            row(Ok(Verdict::skipped("no such tool")), second),
            row(Err(anyhow::anyhow!("broken")), second),
        ]);
        assert!(text.contains("    1.5      1.0  passed: 91 %\n"), "{text}");
        assert!(text.contains("    1.5      1.0  skipped: no such tool\n"), "{text}");
        assert!(text.contains("    1.5      1.0  FAILED: broken\n"), "{text}");
        assert!(text.ends_with("all       4.5      3.0\n1 passed, 1 failed, 1 skipped\n"), "{text}");
        assert!(summary(&[row(Ok(Verdict::passed()), None)]).contains("    1.5        ?  passed\n"));
    }
}
