//! The figures of one run, with what they were taken on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::process::capture;
use crate::workspace::Workspace;

/// One run of all rows.
#[derive(Serialize, Deserialize)]
pub struct Record {
    pub machine: Machine,
    pub timings: Vec<Timing>,
    #[serde(default)]
    pub peaks: Vec<Peak>,
}

/// What a row adds to the memory of a process, at most.
#[derive(Serialize, Deserialize)]
pub struct Peak {
    pub row: String,
    /// Side, and its MiB.
    pub mebibytes: Vec<(String, f64)>,
}

impl Peak {
    /// A side's MiB.
    pub fn of(&self, side: &str) -> Option<f64> {
        self.mebibytes.iter().find(|(name, _)| name == side).map(|&(_, mebibytes)| mebibytes)
    }

    /// One line for the log.
    pub fn describe(&self) -> String {
        let sides = self.mebibytes.iter().map(|(name, mebibytes)| format!("{name} {mebibytes:.0} MiB"));
        format!("memory of {}: {}", self.row, sides.collect::<Vec<_>>().join(", "))
    }
}

/// What a run was made on and with.
#[derive(Serialize, Deserialize)]
pub struct Machine {
    /// As the processor calls itself.
    pub processor: String,
    /// How many of its cores this system has.
    pub cores: usize,
    /// Day of the run.
    pub date: String,
    /// The commit that was timed.
    pub commit: String,
    /// rustc, and the peers if they ran.
    pub versions: Vec<String>,
    /// Processes that wanted a core in the minute before the run. Above 0 something else was running.
    pub load: f64,
}

/// The answers of every side for one row.
#[derive(Serialize, Deserialize)]
pub struct Timing {
    /// Rows of a group are judged by the mean of their ratios.
    pub group: String,
    pub row: String,
    pub threads: usize,
    /// Side, and its microseconds per call in the order of the rounds.
    pub answers: Vec<(String, Vec<f64>)>,
}

impl Timing {
    /// The median of a side's answers.
    pub fn of(&self, side: &str) -> Option<f64> {
        let (_, answers) = self.answers.iter().find(|(name, _)| name == side)?;
        let mut sorted = answers.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// How many times longer `side` takes than Trueno.
    pub fn ratio(&self, side: &str) -> Option<f64> {
        Some(self.of(side)? / self.of("Trueno")?)
    }

    /// Trueno's time over that of the fastest other side.
    pub fn against_best(&self) -> Option<f64> {
        self.least_ratio(|side| self.of(side))
    }

    /// The same of each side's quickest answer, which other work on the machine changes least.
    pub fn quickest_against_best(&self) -> Option<f64> {
        self.least_ratio(|side| {
            let (_, answers) = self.answers.iter().find(|(name, _)| name == side)?;
            answers.iter().copied().min_by(f64::total_cmp)
        })
    }

    /// Trueno's figure over the least of the others'.
    fn least_ratio(&self, figure: impl Fn(&str) -> Option<f64>) -> Option<f64> {
        let others = self.answers.iter().filter(|(name, _)| name != "Trueno").filter_map(|(name, _)| figure(name));
        Some(figure("Trueno")? / others.min_by(f64::total_cmp)?)
    }

    /// One line for the log.
    pub fn describe(&self) -> String {
        let sides = self.answers.iter().map(|(name, _)| match (self.of(name), self.ratio(name)) {
            (Some(time), Some(ratio)) if name != "Trueno" => format!("{name} {time:.1} us ({ratio:.2}x)"),
            (Some(time), _) => format!("{name} {time:.1} us"),
            (None, _) => String::new(),
        });
        format!("{} threads, {}: {}", self.threads, self.row, sides.collect::<Vec<_>>().join(", "))
    }
}

impl Machine {
    /// This machine, now.
    pub fn here(workspace: &Workspace, python: Option<&Path>) -> Result<Self> {
        let line = |command: &mut Command| Ok::<_, anyhow::Error>(capture(command)?.trim().to_string());
        let mut versions = vec![line(Command::new("rustc").arg("--version"))?];
        if let Some(python) = python {
            let script = "import numpy, torch; print(f'NumPy {numpy.__version__}, PyTorch {torch.__version__}')";
            versions.push(line(Command::new(python).args(["-c", script]))?);
        }
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            date: today()?,
            commit: commit(workspace)?,
            versions,
            load: load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        })
    }

    /// One line for the log and the page.
    pub fn describe(&self) -> String {
        format!(
            "{}, {} cores; {}; load before the run {}; commit {}, {}",
            self.processor,
            self.cores,
            self.versions.join(", "),
            self.load,
            self.commit,
            self.date
        )
    }

    /// What files about this machine are called, without an ending.
    pub fn stem(&self) -> String {
        format!("{}-{}-cores", file_stem(&self.processor), self.cores)
    }

    /// A file name for the results of this machine.
    pub fn file_name(&self) -> String {
        self.stem() + ".json"
    }
}

/// The letters and digits of a name, as a file may be called.
pub fn file_stem(name: &str) -> String {
    let words = name.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The day, in UTC.
pub fn today() -> Result<String> {
    Ok(capture(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_string())
}

/// The commit that is checked out, with a mark if files differ from it.
pub fn commit(workspace: &Workspace) -> Result<String> {
    let arguments = ["describe", "--always", "--dirty"];
    Ok(capture(Command::new("git").args(arguments).current_dir(workspace.root()))?.trim().to_string())
}

/// The processor's name for itself, with its family, its model and the widest of its instruction sets: virtual machines hide several
/// generations behind one name.
fn processor(info: &str) -> String {
    let field = |name: &str| {
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim().to_string())
    };
    let mut parts: Vec<String> =
        field("model name").filter(|name| name != "unknown").or_else(|| field("vendor_id")).into_iter().collect();
    if let (Some(family), Some(model)) = (field("cpu family"), field("model")) {
        parts.push(format!("family {family} model {model}"));
    }
    if parts.is_empty() {
        parts.push(std::env::consts::ARCH.to_string());
    }
    let flags = field("flags").unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|has| has == flag);
    match ["avx512f", "avx2"].map(has) {
        [true, _] => parts.push("AVX-512".into()),
        [_, true] => parts.push("AVX2".into()),
        _ => {}
    }
    parts.join(", ")
}

impl Record {
    /// Whether `side` answered any row.
    pub fn has(&self, side: &str) -> bool {
        self.timings.iter().any(|timing| timing.of(side).is_some())
    }

    /// The answers that a figure is the median of, at least.
    pub fn rounds(&self) -> usize {
        let answers = self.timings.iter().flat_map(|timing| &timing.answers);
        answers.map(|(_, microseconds)| microseconds.len()).min().unwrap_or(0)
    }

    /// Writes the record under its machine's name, over an older one.
    pub fn save(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join(self.machine.file_name());
        fs::write(&path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("could not write {}", path.display()))?;
        Ok(path)
    }

    /// Reads a record back.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a record of timings", path.display()))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A record with one row on two sides.
    pub fn example() -> Record {
        Record {
            machine: Machine {
                processor: "Some CPU (R) @ 2 GHz".into(),
                cores: 2,
                date: "2026-11-22".into(),
                commit: "abc1234".into(),
                versions: vec!["rustc 1.95".into()],
                load: 0.1,
            },
            timings: vec![
                Timing {
                    group: "vectors".into(),
                    row: "add 1M".into(),
                    threads: 1,
                    answers: vec![
                        ("Trueno".into(), vec![9.0, 2.0, 3.0]),
                        ("NumPy".into(), vec![6.0, 60.0, 5.0]),
                        ("PyTorch".into(), vec![12.0]),
                    ],
                },
                Timing {
                    group: "vectors".into(),
                    row: "sum 1M".into(),
                    threads: 1,
                    answers: vec![("Trueno".into(), vec![4.0]), ("NumPy".into(), vec![2.0])],
                },
            ],
            peaks: vec![Peak {
                row: "a step".into(),
                mebibytes: vec![("Trueno".into(), 10.0), ("PyTorch".into(), 20.0)],
            }],
        }
    }

    #[test]
    fn the_figure_is_the_median() {
        let timing = &example().timings[0];
        assert_eq!(timing.of("Trueno"), Some(3.0));
        assert_eq!(timing.ratio("NumPy"), Some(2.0));
        assert_eq!(timing.of("candle"), None);
        assert_eq!(timing.against_best(), Some(0.5));
        assert_eq!(timing.quickest_against_best(), Some(2.0 / 5.0));
        assert_eq!(
            timing.describe(),
            "1 threads, add 1M: Trueno 3.0 us, NumPy 6.0 us (2.00x), PyTorch 12.0 us (4.00x)"
        );
    }

    #[test]
    fn machines_of_one_name_are_told_apart() {
        let info = |model: u32, flags: &str| {
            format!(
                "vendor_id\t: X\ncpu family\t: 6\nmodel\t\t: {model}\nmodel name\t: Some CPU\nflags\t\t: fpu {flags} nx\n"
            )
        };
        assert_eq!(processor(&info(17, "avx avx2 avx512f")), "Some CPU, family 6 model 17, AVX-512");
        assert_eq!(processor(&info(18, "avx avx2")), "Some CPU, family 6 model 18, AVX2");
        assert_eq!(processor(&info(17, "avx2x")), "Some CPU, family 6 model 17");
        assert_eq!(processor("vendor_id : X\nmodel name : unknown\n"), "X");
        assert_eq!(processor(""), std::env::consts::ARCH);
    }

    #[test]
    fn records_read_back_under_their_machines_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = example().save(folder.path()).unwrap();
        assert!(path.ends_with("some-cpu-r-2-ghz-2-cores.json"), "{}", path.display());
        assert_eq!(Record::load(&path).unwrap().timings[0].of("NumPy"), Some(6.0));
        assert!(Record::load(&folder.path().join("absent.json")).is_err());
    }
}
