//! The instruction sets of other architectures: NEON under QEMU, SIMD128 under Node.
//!
//! rustup's toolchains here have the host's target alone and nothing may be downloaded, so these builds are made by
//! Debian's rustc: with its standard library for AArch64, and with one built from its sources for WebAssembly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::install::{add_debian_architecture, install_debian_packages};
use crate::process::{run, succeeds};
use crate::report::{Gate, Verdict, run_all};
use crate::workspace::Workspace;

/// The crates that must work anywhere.
const CRATES: [&str; 2] = ["trueno-core", "trueno-kernels"];

/// Debian's compiler and package manager, beside those of rustup.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

/// `cargo xtask isa`.
pub fn isa(workspace: &Workspace) -> Result<()> {
    run_all(gates(workspace))
}

/// One gate per foreign instruction set.
pub fn gates(workspace: &Workspace) -> Vec<Gate<'_>> {
    vec![
        Gate::new("isa neon", || neon(workspace)),
        Gate::new("isa simd128", || simd128(workspace)),
        Gate::new("browser", || browser(workspace)),
    ]
}

/// A `cargo test` of the crates for `target`.
fn tests(workspace: &Workspace, target: &str) -> Command {
    let mut cargo = cargo(workspace);
    cargo.args(["test", "--lib", "--target", target]);
    CRATES.iter().for_each(|name| {
        cargo.args(["--package", name]);
    });
    cargo
}

/// Debian's cargo, with Debian's compiler.
fn cargo(workspace: &Workspace) -> Command {
    let mut cargo = Command::new(CARGO);
    cargo.current_dir(workspace.root());
    // What rustc of another version built is of no use to rustup's; and nobody debugs these programs.
    cargo.env("CARGO_TARGET_DIR", folder(workspace)).env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Emulated, a property costs ten times what it does natively, and it does not depend on the instruction set.
    cargo.env("RUSTC", RUSTC).env("RUSTDOC", "/usr/bin/rustdoc").env("PROPTEST_CASES", "16");
    // Flags and wrappers that the gates around this one set are for the host.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO", "TRUENO_ISA"] {
        cargo.env_remove(variable);
    }
    cargo
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("foreign")
}

/// The unit tests on AArch64, by an emulator of a processor with plain NEON.
fn neon(workspace: &Workspace) -> Result<Verdict> {
    const TARGET: &str = "aarch64-unknown-linux-gnu";
    const PACKAGES: [&str; 6] = [
        "rustc-web",
        "cargo-web",
        "libstd-rust-web-dev:arm64",
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "qemu-user-static",
    ];
    let present = || {
        Path::new("/usr/lib/rustlib").join(TARGET).is_dir()
            && [CARGO, RUSTC, "/usr/bin/qemu-aarch64-static", "/usr/bin/aarch64-linux-gnu-gcc"]
                .iter()
                .all(|program| succeeds(program, &["--version"]))
    };
    if !present()
        && let Err(why) = add_debian_architecture("arm64").and_then(|()| install_debian_packages(&PACKAGES))
    {
        return Ok(Verdict::skipped(why));
    }
    let mut tests = tests(workspace, TARGET);
    tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    run(tests.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64-static -cpu cortex-a72"))?;
    Ok(Verdict::Passed(format!("tests of {} under QEMU", CRATES.join(" and "))))
}

/// The unit tests as WebAssembly with SIMD128, in Node.
fn simd128(workspace: &Workspace) -> Result<Verdict> {
    const PACKAGES: [&str; 8] =
        ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22", "wasi-libc", "clang-22", "llvm-22"];
    if !succeeds("node", &["--version"]) {
        return Ok(Verdict::skipped("Node is not installed"));
    }
    let programs = [CARGO, RUSTC, "/usr/bin/wasm-ld-22", "/usr/bin/clang-22", "/usr/bin/llvm-ar-22"];
    let present = || {
        Path::new(SYSTEM_LIBRARIES).join("libc.a").is_file()
            && Path::new("/usr/lib/rustlib/src").is_dir()
            && programs.iter().all(|program| succeeds(program, &["--version"]))
    };
    if !present()
        && let Err(why) = install_debian_packages(&PACKAGES)
    {
        return Ok(Verdict::skipped(why));
    }
    let libraries = wasi_libraries(workspace)?;
    let libraries = libraries.display();
    let mut tests = tests(workspace, "wasm32-wasip1");
    tests.args(["-Zbuild-std=std,panic_abort"]).env("RUSTC_BOOTSTRAP", "1");
    tests.env("CARGO_TARGET_WASM32_WASIP1_LINKER", "wasm-ld-22").env(
        "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
        format!(
            "-C target-feature=+simd128 -C link-self-contained=no -L native={libraries} \
             -C link-arg={libraries}/crt1-command.o"
        ),
    );
    let runner = workspace.path("xtask/wasi/run.mjs");
    run(tests.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", format!("node --no-warnings {}", runner.display())))?;
    Ok(Verdict::Passed(format!("tests of {} in Node", CRATES.join(" and "))))
}

/// The whole library as a web page would have it, GPUs included: it is checked, not run.
fn browser(workspace: &Workspace) -> Result<Verdict> {
    const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
    let present = || {
        Path::new("/usr/lib/rustlib/src").is_dir()
            && [CARGO, RUSTC].iter().all(|program| succeeds(program, &["--version"]))
    };
    if !present()
        && let Err(why) = install_debian_packages(&PACKAGES)
    {
        return Ok(Verdict::skipped(why));
    }
    let mut check = cargo(workspace);
    check.args(["check", "--target", "wasm32-unknown-unknown", "--package", "trueno", "-Zbuild-std=std,panic_abort"]);
    run(check.env("RUSTC_BOOTSTRAP", "1"))?;
    Ok(Verdict::passed())
}

/// Where Debian keeps the C library of WASI.
const SYSTEM_LIBRARIES: &str = "/usr/lib/wasm32-wasi";

/// A copy of the C library of WASI with two functions that Rust's standard library names but never calls there: Debian's
/// is older than they are.
fn wasi_libraries(workspace: &Workspace) -> Result<PathBuf> {
    let target = folder(workspace).join("wasi");
    fs::create_dir_all(&target).with_context(|| format!("could not create {}", target.display()))?;
    for name in ["libc.a", "crt1-command.o"] {
        let from = Path::new(SYSTEM_LIBRARIES).join(name);
        fs::copy(&from, target.join(name)).with_context(|| format!("could not copy {}", from.display()))?;
    }
    let object = target.join("threads.o");
    let source = workspace.path("xtask/wasi/threads.c");
    let mut clang = Command::new("/usr/bin/clang-22");
    run(clang.args(["--target=wasm32-wasip1", "-O1", "-nostdinc", "-c"]).arg(source).arg("-o").arg(&object))?;
    run(Command::new("/usr/bin/llvm-ar-22").arg("r").arg(target.join("libc.a")).arg(&object))?;
    Ok(target)
}
