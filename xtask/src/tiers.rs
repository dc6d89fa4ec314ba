//! Which gates belong to which tier, in which order: what fails fastest comes first.

use anyhow::{Result, bail};

use crate::coverage::TestBuild;
use crate::isa::{self, Level};
use crate::report::{Gate, run_all};
use crate::workspace::Workspace;
use crate::{accuracy, bench, foreign, gates, gpu, memory, mutants, no_std, oracle, table, tidy};

/// Seconds: what to run after every few lines.
pub fn tier1(workspace: &Workspace) -> Result<()> {
    run_all(vec![
        Gate::new("format", || gates::format(workspace)),
        Gate::new("tidy", || tidy::gate(workspace)),
        Gate::new("check", || gates::check(workspace)),
        Gate::new("unit tests", || gates::unit_tests(workspace)),
    ])
}

/// Minutes: what every change must pass. `only` selects gates by name.
pub fn tier2(workspace: &Workspace, only: Option<&str>) -> Result<()> {
    let build = &TestBuild::new(workspace);
    let mut gates = vec![
        Gate::new("compiler", || gates::compiler(workspace)),
        Gate::new("format", || gates::format(workspace)),
        Gate::new("tidy", || tidy::gate(workspace)),
        Gate::new("clippy", || gates::clippy(workspace)),
        // Before the tests, which use it.
        Gate::new("gpu device", gpu::device),
        Gate::new("tests", || build.test()),
    ];
    for level in Level::ALL {
        gates.push(Gate::new(format!("isa {level}"), move || isa::equivalence(build, level)));
    }
    gates.extend([
        Gate::new("doc tests", || build.doc_tests()),
        Gate::new("coverage", || build.lines()),
        Gate::new("documentation", || gates::documentation(workspace)),
        Gate::new("oracle fixtures", || oracle::gate(workspace)),
        Gate::new("docs/ops.md", || table::page(workspace, true)),
        Gate::new("docs/performance.md", || bench::page_gate(workspace)),
        Gate::new("docs/gpu.md", || bench::gpu_page_gate(workspace)),
        Gate::new("no_std link", || no_std::link(workspace)),
        Gate::new("dependencies", || gates::deny(workspace)),
        Gate::new("advisories", || gates::advisories(workspace)),
    ]);
    run_all(selected(gates, only)?)
}

/// Tens of minutes: what looks deeper than a change can wait for.
pub fn tier3(workspace: &Workspace, only: Option<&str>, mutant_minutes: u64, pmat: bool) -> Result<()> {
    let mut gates = foreign::gates(workspace);
    gates.extend([
        Gate::new("address sanitizer", || memory::address_sanitizer(workspace)),
        Gate::new("valgrind", || memory::valgrind(workspace)),
        Gate::new("miri", || memory::miri(workspace)),
        Gate::new("mutants of trueno-core", || mutants::gate(workspace, "trueno-core", mutant_minutes)),
        Gate::new("mutants of trueno-autograd", || mutants::gate(workspace, "trueno-autograd", mutant_minutes)),
        Gate::new("accuracy", || accuracy::gate(workspace)),
        Gate::new("benches", || bench::gate(workspace)),
        Gate::new("pmat", || gates::pmat(workspace, pmat)),
    ]);
    run_all(selected(gates, only)?)
}

/// The gates with `text` in their name, or all of them.
fn selected<'a>(mut gates: Vec<Gate<'a>>, text: Option<&str>) -> Result<Vec<Gate<'a>>> {
    if let Some(text) = text {
        gates.retain(|gate| gate.matches(text));
        if gates.is_empty() {
            bail!("no gate of this tier has `{text}` in its name");
        }
    }
    Ok(gates)
}
