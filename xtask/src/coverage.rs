//! The tests, built once with coverage counters: their results, the runs per instruction set and the line
//! coverage all come from the same binaries.

use std::cell::OnceCell;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::binaries;
use crate::gpu;
use crate::install::{LLVM_COV, LlvmTools};
use crate::process::{capture, cargo, run};
use crate::report::Verdict;
use crate::workspace::Workspace;

/// Share of lines that tests must reach.
const LINES_PERCENT: f64 = 90.0;

/// Random cases per property.
const CASES: &str = "256";

/// Makes counting in kernels cheap.
const BEFORE_RUSTC: &str = "xtask/coverage/rustc.sh";

/// What the percentage leaves out: xtask drives other programs, which the gates themselves exercise and counters
/// cannot see; benches and examples are run to be read and timed, not to be tested.
fn not_counted(workspace: &Workspace) -> String {
    let root = workspace.root().to_string_lossy();
    let escaped = root.chars().flat_map(|c| (!c.is_alphanumeric() && c != '/').then_some('\\').into_iter().chain([c]));
    format!("^{}/(xtask|benches|examples|crates/[^/]+/examples)/", escaped.collect::<String>())
}

/// The test binaries of the workspace, with coverage counters where the tools for them exist.
pub struct TestBuild<'a> {
    workspace: &'a Workspace,
    setup: OnceCell<Result<Setup, String>>,
}

/// How to build and run so that counters are collected, or why that is not possible.
struct Setup {
    environment: Vec<(String, String)>,
    missing: Option<String>,
}

impl<'a> TestBuild<'a> {
    /// Nothing is built before it is asked for.
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, setup: OnceCell::new() }
    }

    /// Builds and runs every test but the documentation's, as `cargo test` does.
    pub fn test(&self) -> Result<Verdict> {
        if self.setup()?.missing.is_none() {
            run(&mut self.cargo(["llvm-cov", "clean", "--workspace"])?)?;
        }
        run(&mut self.cargo(["test", "--workspace", "--all-targets"])?)?;
        Ok(Verdict::passed())
    }

    /// Runs the examples in the documentation, against the same libraries.
    pub fn doc_tests(&self) -> Result<Verdict> {
        run(&mut self.cargo(["test", "--workspace", "--doc"])?)?;
        Ok(Verdict::passed())
    }

    /// Runs the test binaries of one crate again, but for those that only compile programs. `variables` are set; how many binaries there
    /// were.
    pub fn run(&self, package: &str, variables: &[(&str, &str)]) -> Result<usize> {
        if !self.workspace.has_crate(package) {
            return Ok(0);
        }
        // The same selection as in `test`, so that cargo finds everything built.
        let mut list = self.cargo(["test", "--workspace", "--all-targets", "--no-run", "--message-format=json"])?;
        let binaries = binaries::of_tests(&capture(list.arg("--quiet"))?, package)?;
        for binary in binaries.iter().filter(|binary| !binaries::compares_messages(binary)) {
            let mut command = Command::new(binary);
            command.current_dir(self.workspace.path("crates").join(package));
            command.envs(self.environment()?).envs(variables.iter().copied());
            run(&mut command)?;
        }
        Ok(binaries.len())
    }

    /// The share of lines that everything run so far has reached, against its bar.
    pub fn lines(&self) -> Result<Verdict> {
        if let Some(why) = &self.setup()?.missing {
            return Ok(Verdict::skipped(why));
        }
        let mut report = self.cargo(["llvm-cov", "report", "--json", "--summary-only"])?;
        report.arg("--ignore-filename-regex").arg(not_counted(self.workspace));
        let report = Report::parse(&capture(&mut report)?)?;
        print!("{}", report.per_crate());
        let percent = report.percent();
        if percent < LINES_PERCENT {
            bail!("{percent:.2} % of lines are covered, and {LINES_PERCENT} % are needed");
        }
        Ok(Verdict::Passed(format!("{percent:.2} % of lines")))
    }

    fn setup(&self) -> Result<&Setup> {
        let setup = self.setup.get_or_init(|| Setup::new(self.workspace).map_err(|error| format!("{error:#}")));
        setup.as_ref().map_err(|message| anyhow!("{message}"))
    }

    fn environment(&self) -> Result<impl Iterator<Item = (&str, &str)>> {
        Ok(self.setup()?.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Result<Command> {
        let mut command = cargo(self.workspace, arguments);
        command.envs(self.environment()?);
        Ok(command)
    }
}

impl Setup {
    fn new(workspace: &Workspace) -> Result<Self> {
        let mut environment = vec![("PROPTEST_CASES".to_string(), CASES.to_string())];
        if gpu::present() {
            environment.push(("TRUENO_DEVICE".into(), "gpu".into()));
        }
        let tools = match LlvmTools::ensure() {
            Ok(tools) => tools,
            Err(missing) => return Ok(Self { environment, missing: Some(missing) }),
        };
        LLVM_COV.ensure(workspace)?;
        let folder = workspace.target().join("coverage");
        environment.push(("CARGO_TARGET_DIR".into(), folder.to_string_lossy().into_owned()));
        environment.push(("LLVM_COV".into(), tools.cov));
        environment.push(("LLVM_PROFDATA".into(), tools.profdata));
        let mut show = cargo(workspace, ["llvm-cov", "show-env", "--sh"]);
        show.envs(environment.iter().map(|(name, value)| (name, value)));
        environment.extend(exported(&capture(&mut show)?));
        let before_rustc = workspace.path(BEFORE_RUSTC).to_string_lossy().into_owned();
        environment.push(("RUSTC_WORKSPACE_WRAPPER".into(), before_rustc));
        Ok(Self { environment, missing: None })
    }
}

/// The variables that shell text of the form `export NAME='value'` sets.
fn exported(script: &str) -> impl Iterator<Item = (String, String)> {
    script.lines().filter_map(|line| {
        let (name, value) = line.trim().trim_start_matches("export ").split_once('=')?;
        let quotes: &[char] = &['\'', '"'];
        Some((name.to_string(), value.trim_end_matches(';').trim_matches(quotes).to_string()))
    })
}

/// Lines that exist and lines that ran, by file.
struct Report {
    files: Vec<(String, Lines)>,
}

#[derive(Clone, Copy, Default)]
struct Lines {
    count: u64,
    covered: u64,
}

impl Lines {
    fn percent(self) -> f64 {
        if self.count == 0 { 0.0 } else { 100.0 * self.covered as f64 / self.count as f64 }
    }

    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, covered: self.covered + other.covered }
    }
}

impl Report {
    fn parse(json: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(json).context("the coverage report is not JSON")?;
        let files = report["data"][0]["files"].as_array().context("the coverage report lists no files")?;
        let parse = |file: &Value| {
            let lines = &file["summary"]["lines"];
            let lines = Lines { count: lines["count"].as_u64()?, covered: lines["covered"].as_u64()? };
            Some((file["filename"].as_str()?.to_string(), lines))
        };
        let files = files.iter().map(parse).collect::<Option<_>>();
        Ok(Self { files: files.context("the coverage report has a file without line counts")? })
    }

    fn percent(&self) -> f64 {
        self.files.iter().fold(Lines::default(), |sum, (_, lines)| sum.plus(*lines)).percent()
    }

    /// A line per crate, and one per file that is below the bar.
    fn per_crate(&self) -> String {
        let mut crates: Vec<(&str, Lines)> = Vec::new();
        let mut low = String::new();
        for (file, lines) in &self.files {
            let inside = file.split_once("/crates/").map_or(file.as_str(), |(_, inside)| inside);
            let name = inside.split('/').next().unwrap_or(inside);
            match crates.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.plus(*lines),
                None => crates.push((name, *lines)),
            }
            if lines.percent() < LINES_PERCENT {
                low += &format!("  {:>6.2} %  {inside}\n", lines.percent());
            }
        }
        let crates = crates.iter().map(|(name, lines)| format!("{:>8.2} %  {name}\n", lines.percent()));
        let mut text: String = crates.collect();
        if !low.is_empty() {
            text += &format!("files below {LINES_PERCENT} %:\n{low}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn shell_exports_become_variables() {
        let script = "export RUSTFLAGS='-C instrument-coverage --cfg=coverage'\nexport CARGO_LLVM_COV=1\n";
        let variables: Vec<_> = exported(script).collect();
        assert_eq!(variables[0], ("RUSTFLAGS".into(), "-C instrument-coverage --cfg=coverage".into()));
        assert_eq!(variables[1], ("CARGO_LLVM_COV".into(), "1".into()));
    }

    #[test]
    fn only_kernels_count_without_atomics() {
        let before_rustc = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(BEFORE_RUSTC);
        let seen = |file: &str| capture(Command::new(&before_rustc).args(["echo", file, "-O"])).unwrap();
        for file in ["crates/trueno-kernels/src/lib.rs", "crates/trueno-kernels/tests/page_end.rs"] {
            let arguments = seen(file);
            assert!(arguments.starts_with(&format!("{file} -O -C passes=function(lower-atomic,")), "{arguments}");
        }
        assert_eq!(seen("crates/trueno-tensor/src/lib.rs"), "crates/trueno-tensor/src/lib.rs -O\n");
    }

    #[test]
    fn the_percentage_weighs_files_by_their_lines() {
        let file = |name: &str, count: u64, covered: u64| {
            format!(r#"{{"filename":"{name}","summary":{{"lines":{{"count":{count},"covered":{covered}}}}}}}"#)
        };
        let files =
            [file("/w/crates/a/src/x.rs", 90, 90), file("/w/crates/a/src/y.rs", 5, 0), file("/w/crates/b/z.rs", 5, 5)];
        let report = Report::parse(&format!(r#"{{"data":[{{"files":[{}]}}]}}"#, files.join(","))).unwrap();
        assert!((report.percent() - 95.0).abs() < 1e-9);
        let text = report.per_crate();
        assert!(text.contains("94.74 %  a\n") && text.contains("100.00 %  b\n"), "{text}");
        assert!(text.contains("0.00 %  a/src/y.rs\n"), "{text}");
    }

    #[test]
    fn the_project_may_lie_in_a_folder_of_any_name() {
        let pattern = not_counted(&Workspace::at(Path::new("/home/x.y/xtask")));
        assert_eq!(pattern, r"^/home/x\.y/xtask/(xtask|benches|examples|crates/[^/]+/examples)/");
    }

    #[test]
    fn a_report_without_files_is_an_error() {
        assert!(Report::parse("{}").is_err());
        assert!(Report::parse("not json").is_err());
    }
}
