//! Running other programs, loudly: every command is printed before it runs, and a failure names it.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// A cargo command at the root of the workspace.
///
/// It is the `cargo` on the path, not the one that started this program, so that `+nightly` can pick a toolchain.
pub fn cargo<S: AsRef<OsStr>>(workspace: &Workspace, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(workspace.root());
    command
}

/// Runs `command` with its output passed through, however it ends.
pub fn start(command: &mut Command) -> Result<ExitStatus> {
    let line = display(command);
    println!("$ {line}");
    command.status().with_context(|| format!("could not start `{line}`"))
}

/// Runs `command` with its output passed through; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let status = start(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", short(command));
    }
    Ok(())
}

/// Runs `command` and returns what it printed; its error output is passed through.
pub fn capture(command: &mut Command) -> Result<String> {
    let line = display(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("could not start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed something that is not UTF-8"))
}

/// Whether `program` with `arguments` can be started and succeeds; prints nothing.
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// How long processors have worked for the programs that were started here and have ended. Linux says so in `/proc`.
pub fn worked() -> Option<Duration> {
    let status = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, which may hold spaces; the 14th and 15th after it are
    // the times of ended children in their own code and in the system's, in hundredths of a second.
    let mut times = status.rsplit_once(") ")?.1.split(' ').skip(13);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

/// The program and its first words: enough to find the full line, printed before it ran.
fn short(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).take(3);
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The command as one would type it, with the environment it adds, but for what cargo-llvm-cov passes to itself.
fn display(command: &Command) -> String {
    let told = command.get_envs().filter(|(name, _)| {
        let name = name.to_string_lossy();
        !name.contains("LLVM") && name != "RUSTC_WRAPPER"
    });
    let variables = told.filter_map(|(name, value)| Some((name, value?))).map(|(name, value)| {
        let mut pair = name.to_os_string();
        pair.push("=");
        pair.push(value);
        pair
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_os_string);
    variables.chain(words).map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("false").env("LEVEL", "3").arg("now")).unwrap_err();
        assert!(error.to_string().starts_with("`false now` failed"), "{error}");
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("cargo");
        command.args(["test", "--doc", "--workspace"]).env("LEVEL", "3").env("CARGO_LLVM_COV", "1");
        assert_eq!(display(&command), "LEVEL=3 cargo test --doc --workspace");
        assert_eq!(short(&command), "cargo test --doc");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_work_of_programs_that_ended_is_counted() {
        let before = worked().unwrap();
        run(Command::new("sh").args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"])).unwrap();
        assert!(worked().unwrap() - before >= Duration::from_millis(10));
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_not_a_panic() {
        assert!(run(&mut Command::new("no-such-program-here")).is_err());
        assert!(!succeeds("no-such-program-here", &[]));
    }
}
