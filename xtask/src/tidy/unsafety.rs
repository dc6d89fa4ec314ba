//! `unsafe` lives in few places, and each use argues why it is right.

use super::Finding;
use super::lexer::{self, Line};

/// Where `unsafe` may be written: loads, stores and instruction sets; shaders without bounds checks; the one module that owns raw memory; and the
/// program that proves `no_std` by being one.
const ALLOWED: [&str; 5] = [
    "crates/trueno-kernels/",
    "crates/trueno-gpu/",
    "crates/trueno-tensor/src/storage/",
    "crates/trueno-tensor/src/storage.rs",
    "xtask/no_std/probe.rs",
];

/// Crate roots that cannot forbid `unsafe` outright, and what they say instead.
const ROOTS_WITH_EXCEPTIONS: [(&str, Option<&str>); 3] = [
    ("crates/trueno-kernels/src/lib.rs", None),
    ("crates/trueno-gpu/src/lib.rs", None),
    ("crates/trueno-tensor/src/lib.rs", Some("deny")),
];

/// Checks one Rust file.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let lines = lexer::lines(text);
    let mut findings: Vec<_> = root_attribute(path, &lines).into_iter().collect();
    let allowed = ALLOWED.iter().any(|place| path.starts_with(place));
    for (index, line) in lines.iter().enumerate() {
        let tokens = line.tokens();
        let Some(position) = tokens.iter().position(|token| *token == "unsafe") else { continue };
        // What is not public has its contract in the trait it implements or beside its callers, and the blocks in
        // its body argue for themselves. Attributes and types that say `unsafe` have nothing to argue.
        let public = tokens[..position].contains(&"pub");
        let next = tokens.get(position + 1).copied();
        let problem = match next {
            _ if !allowed => "`unsafe` is not allowed in this file",
            Some("fn" | "extern" | "trait") if public && !argues(&lines, index, &["# Safety", "SAFETY:"]) => {
                "`unsafe` without a `# Safety` section or a SAFETY comment above it"
            }
            Some("{" | "impl") | None if !argues(&lines, index, &["SAFETY:"]) => {
                "`unsafe` without a SAFETY comment above it"
            }
            _ => continue,
        };
        findings.push(Finding::at(path, index + 1, problem));
    }
    findings
}

/// The root of each crate sets the level for all of it.
fn root_attribute(path: &str, lines: &[Line]) -> Option<Finding> {
    let is_root = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
    let level = match ROOTS_WITH_EXCEPTIONS.iter().find(|(root, _)| *root == path) {
        Some((_, level)) => (*level)?,
        None => "forbid",
    };
    let wanted = ["#", "!", "[", level, "(", "unsafe_code", ")", "]"];
    let present = lines.iter().any(|line| line.tokens() == wanted);
    (is_root && !present).then(|| Finding::file(path, format!("needs `#![{level}(unsafe_code)]`")))
}

/// Whether a comment with one of `words` stands on line `index`, or above the statement that it is part of.
fn argues(lines: &[Line], index: usize, words: &[&str]) -> bool {
    let says = |line: &Line| words.iter().any(|word| line.comment.contains(word));
    if says(&lines[index]) {
        return true;
    }
    for line in lines[..index].iter().rev() {
        if says(line) {
            return true;
        }
        let code = line.code.trim();
        let blank = code.is_empty() && line.comment.trim().is_empty();
        let ends_statement = code.ends_with([';', '{', '}', ',']);
        if blank || (ends_statement && !code.starts_with('#')) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = "crates/trueno-kernels/src/simd.rs";

    fn lines_found(path: &str, text: &str) -> Vec<usize> {
        check(path, text).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn code_outside_the_allowed_places_is_found() {
        let text = "// SAFETY: no reason\nfn f() { unsafe { g() } }\n";
        assert_eq!(lines_found("crates/trueno-nn/src/x.rs", text), [2]);
        assert_eq!(lines_found("crates/trueno-tensor/src/dispatch.rs", text), [2]);
        assert!(lines_found("crates/trueno-tensor/src/storage/pool.rs", text).is_empty());
    }

    #[test]
    fn words_in_comments_strings_and_names_are_not_code() {
        let text = "// unsafe { }\nlet a = \"unsafe { }\";\n#![allow(unsafe_op_in_unsafe_fn)]\n";
        assert!(lines_found("crates/trueno-nn/src/x.rs", text).is_empty());
    }

    #[test]
    fn a_block_needs_its_argument() {
        assert_eq!(lines_found(KERNEL, "let a = unsafe { f() };\n"), [1]);
        assert!(lines_found(KERNEL, "// SAFETY: in bounds.\nlet a = unsafe { f() };\n").is_empty());
        assert!(
            lines_found(KERNEL, "// SAFETY: in bounds,\n// as asserted.\nlet a =\n    unsafe { f() };\n").is_empty()
        );
        assert_eq!(lines_found(KERNEL, "// SAFETY: for g.\ng();\nlet a = unsafe { f() };\n"), [3]);
        assert_eq!(lines_found(KERNEL, "// SAFETY: far away.\n\nunsafe impl Send for X {}\n"), [3]);
    }

    #[test]
    fn a_function_may_state_its_contract_in_its_documentation() {
        let text = "/// Loads.\n///\n/// # Safety\n/// In bounds.\n#[inline]\npub unsafe fn load() {}\n";
        assert!(lines_found(KERNEL, text).is_empty());
        assert_eq!(lines_found(KERNEL, "/// Loads.\npub unsafe fn load() {}\n"), [2]);
        assert!(lines_found(KERNEL, "unsafe fn load_of_a_trait() {}\n").is_empty());
    }

    #[test]
    fn roots_state_their_level() {
        let forbid = "//! A.\n#![forbid(unsafe_code)]\n";
        assert_eq!(check("crates/trueno-nn/src/lib.rs", forbid), []);
        assert_eq!(check("crates/trueno-nn/src/lib.rs", "//! A.\n").len(), 1);
        assert_eq!(check("crates/trueno-nn/src/lib.rs", "//! #![forbid(unsafe_code)]\n").len(), 1);
        assert_eq!(check("crates/trueno-tensor/src/lib.rs", "#![deny(unsafe_code)]\n"), []);
        assert_eq!(check("crates/trueno-tensor/src/lib.rs", "").len(), 1);
        assert_eq!(check("crates/trueno-kernels/src/lib.rs", ""), []);
        assert_eq!(check("crates/trueno-nn/src/linear.rs", ""), []);
    }
}
