//! A process that answers the name of a row with microseconds.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// One side of the comparison. It stays up between rows, so that only its work is timed.
pub struct Peer {
    /// As the page calls it.
    pub name: &'static str,
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `program` with every library it could use held to `threads` threads.
    pub fn start(name: &'static str, program: &Path, arguments: &[&str], threads: usize) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        for variable in ["THREADS", "TRUENO_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
        {
            command.env(variable, threads.to_string());
        }
        let mut child = command.spawn().with_context(|| format!("could not start {name}"))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{name} has no pipes");
        };
        Ok(Self { name, child, questions, answers: BufReader::new(answers) })
    }

    /// Microseconds per call of `row`; `None` if this side does not have it.
    pub fn ask(&mut self, row: &str) -> Result<Option<f64>> {
        writeln!(self.questions, "{row}").and_then(|()| self.questions.flush()).with_context(|| self.gone(row))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).with_context(|| self.gone(row))?;
        match answer.trim() {
            "absent" => Ok(None),
            "" => bail!(self.gone(row)),
            figure => figure.parse().map(Some).with_context(|| format!("{} answered `{figure}` to `{row}`", self.name)),
        }
    }

    /// KiB of memory that the process holds now; `None` where the system does not tell.
    pub fn resident(&self) -> Result<Option<f64>> {
        self.status("VmRSS:")
    }

    /// The most it has held, in KiB.
    pub fn resident_peak(&self) -> Result<Option<f64>> {
        self.status("VmHWM:")
    }

    /// A line of what Linux says of the process.
    fn status(&self, field: &str) -> Result<Option<f64>> {
        let path = format!("/proc/{}/status", self.child.id());
        let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next());
        kibibytes.map(|figure| figure.parse().with_context(|| format!("{path}: `{figure}` is no size"))).transpose()
    }

    fn gone(&self, row: &str) -> String {
        format!("{} ended at `{row}`", self.name)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends at the end of its input; a side that hangs must not hang this program too. That it may have ended
        // already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Peer {
        Peer::start("a side", Path::new("sh"), &["-c", script], 2).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_side_is_known() {
        let side = shell("read row");
        let (now, most) = (side.resident().unwrap().unwrap(), side.resident_peak().unwrap().unwrap());
        assert!(now > 0.0 && most >= now, "{now} {most}");
    }

    #[test]
    fn answers_are_numbers_or_absent() {
        let mut side =
            shell("while read row; do case $row in known) echo 1.5;; odd) echo x;; *) echo absent;; esac; done");
        assert_eq!(side.ask("known").unwrap(), Some(1.5));
        assert_eq!(side.ask("unknown").unwrap(), None);
        assert_eq!(side.ask("odd").unwrap_err().to_string(), "a side answered `x` to `odd`");
        assert_eq!(side.ask("known").unwrap(), Some(1.5));
    }

    #[test]
    fn a_side_that_ends_is_an_error() {
        let mut side = shell("read row");
        assert!(side.ask("known").unwrap_err().to_string().contains("ended at `known`"));
    }

    #[test]
    fn every_library_is_told_the_number_of_threads() {
        let mut side = shell("read row; echo $THREADS$OMP_NUM_THREADS$TRUENO_NUM_THREADS");
        assert_eq!(side.ask("any").unwrap(), Some(222.0));
    }
}
