//! Memory errors that tests alone do not show: sanitizers, Valgrind and Miri over the crates with `unsafe`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::binaries;
use crate::install::{has_nightly, install_debian_packages};
use crate::process::{capture, cargo, run, succeeds};
use crate::report::Verdict;
use crate::workspace::Workspace;

/// The crates where `unsafe` is allowed.
const UNSAFE: [&str; 2] = ["trueno-kernels", "trueno-tensor"];

/// What fails in Valgrind although the same program passes outside: its processor reports caches of its own, and as it translates the
/// logarithm of a sum, that of NaN is a number (with `--tool=none` too, and memory is not misused there).
const UNLIKE_THE_MACHINE: [&str; 2] = [
    "cache::tests::the_first_level_is_the_one_that_the_system_reports",
    "softmax::tests::nan_and_infinities_as_in_pytorch",
];

/// The only target whose standard library is there on every machine that this runs on.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The tests with checks around every access to memory, and for leaks at the end.
pub fn address_sanitizer(workspace: &Workspace) -> Result<Verdict> {
    if !has_nightly() {
        return Ok(Verdict::skipped("sanitizers need a nightly toolchain"));
    }
    let mut list = cargo(workspace, ["+nightly", "test", "--lib", "--tests", "--target", TARGET]);
    let packages = existing(workspace)?;
    list.args(packages.iter().flat_map(|name| ["--package", name])).args(["--no-run", "--message-format=json"]);
    // A named target keeps the flags from build scripts and macros, and needs its own build products.
    list.env("RUSTFLAGS", "-Zsanitizer=address").env("CARGO_TARGET_DIR", workspace.target().join("sanitizer"));
    let messages = capture(&mut list)?;
    let mut count = 0;
    for package in packages {
        for binary in binaries::of_tests(&messages, package)? {
            if !binaries::compares_messages(&binary) {
                let mut test = Command::new(binary);
                // Some tests ask for memory that nobody has, and want to be refused rather than ended.
                test.env("ASAN_OPTIONS", "allocator_may_return_null=1").env("PROPTEST_CASES", "16");
                run(test.current_dir(workspace.path("crates").join(package)))?;
                count += 1;
            }
        }
    }
    if count == 0 {
        bail!("found no test binary: nothing was looked at");
    }
    Ok(Verdict::Passed(format!("{count} test binaries")))
}

/// The unit tests in Valgrind, which also sees reads of memory that was never written.
pub fn valgrind(workspace: &Workspace) -> Result<Verdict> {
    if !succeeds("valgrind", &["--version"])
        && let Err(why) = install_debian_packages(&["valgrind"])
    {
        return Ok(Verdict::Skipped(why));
    }
    // Full optimisation hoists branches on values that are not set yet and then does not care which way they went;
    // Valgrind reports such branches, and cannot know that nothing depends on them.
    let plain = "profile.dev.package.trueno-kernels.opt-level=1";
    let mut count = 0;
    for package in existing(workspace)? {
        let mut list = cargo(workspace, ["test", "--quiet", "--lib", "--no-run", "--message-format=json"]);
        list.args(["--config", plain, "--package", package]);
        for binary in binaries::of_tests(&capture(&mut list)?, package)? {
            let mut check = Command::new("valgrind");
            check.args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
            check.arg(binary).arg("--test-threads=1").current_dir(workspace.path("crates").join(package));
            check.args(UNLIKE_THE_MACHINE.iter().flat_map(|name| ["--skip", name]));
            // It runs code some fifty times slower, and hides AVX-512 from it.
            run(check.env("PROPTEST_CASES", "2"))?;
            count += 1;
        }
    }
    Ok(Verdict::Passed(format!("{count} test binaries")))
}

/// The unit tests in Miri, on the scalar level: it knows few vector instructions.
pub fn miri(workspace: &Workspace) -> Result<Verdict> {
    if !succeeds("cargo", &["+nightly", "miri", "--version"]) {
        return Ok(Verdict::skipped("Miri is not a component of any installed toolchain"));
    }
    let mut test = cargo(workspace, ["+nightly", "miri", "test", "--lib"]);
    let packages = existing(workspace)?;
    test.args(packages.iter().flat_map(|name| ["--package", name]));
    // Isolation forbids the files in which proptest keeps failures.
    test.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("TRUENO_ISA", "scalar");
    run(test.env("PROPTEST_CASES", "2"))?;
    Ok(Verdict::Passed(packages.join(" and ")))
}

fn existing(workspace: &Workspace) -> Result<Vec<&'static str>> {
    let found: Vec<_> = UNSAFE.into_iter().filter(|name| workspace.has_crate(name)).collect();
    if found.is_empty() {
        bail!("none of {UNSAFE:?} exists");
    }
    Ok(found)
}
