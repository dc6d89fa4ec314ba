//! Rules about the text itself: size, leftovers, and ways to switch a check off.

use super::Finding;
use super::lexer;

/// A file one can read in one sitting.
const MOST_LINES: usize = 600;

/// Work that was put off. Spelled in two halves so that this file does not find itself.
const MARKERS: [(&str, &str); 4] = [("TO", "DO"), ("FIX", "ME"), ("HA", "CK"), ("X", "XX")];

/// Macros that stand for code that does not exist.
const PLACEHOLDERS: [&str; 2] = ["todo", "unimplemented"];

/// Checks one file of any kind.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_rust = path.ends_with(".rs");
    let is_prose = path.ends_with(".md");
    let count = text.lines().count();
    if count > MOST_LINES && [".rs", ".wgsl", ".py"].iter().any(|kind| path.ends_with(kind)) {
        findings.push(Finding::file(path, format!("{count} lines, and {MOST_LINES} are the most")));
    }
    if !is_prose {
        findings.extend(text.lines().enumerate().flat_map(|(index, line)| leftovers(path, index + 1, line)));
    }
    if is_rust {
        findings.extend(switches(path, text));
    }
    findings
}

/// Markers of work put off, and shell that cannot fail.
fn leftovers(path: &str, number: usize, line: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for marker in MARKERS.map(|(head, tail)| format!("{head}{tail}")) {
        if line.split(|c: char| !c.is_alphanumeric()).any(|word| word == marker) {
            findings.push(Finding::at(path, number, format!("`{marker}`: do it, or open an issue")));
        }
    }
    let words: Vec<_> = line.split_whitespace().collect();
    let swallowing = ["||", "true"];
    if words.windows(2).any(|pair| pair[0] == swallowing[0] && pair[1].trim_end_matches([';', ')', '"']) == "true") {
        findings.push(Finding::at(path, number, format!("`{}` hides a failure", swallowing.join(" "))));
    }
    findings
}

/// Code that switches a test or a lint off, or that stands for code that does not exist.
fn switches(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in lexer::lines(text).iter().enumerate() {
        let tokens = line.tokens();
        let starts = |pattern: &[&str]| tokens.windows(pattern.len()).any(|window| window == pattern);
        let mut found = |what: String| findings.push(Finding::at(path, index + 1, what));
        if starts(&["#", "[", "ignore"]) {
            found("a test that is switched off".into());
        }
        if starts(&["#", "!", "[", "allow"]) {
            found("an `allow` for the whole crate or module: use `#[expect(lint, reason = ...)]` where it is".into());
        }
        for name in PLACEHOLDERS {
            if starts(&[name, "!"]) {
                found(format!("`{name}!` is a promise, not code"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(path: &str, text: &str) -> String {
        check(path, text).into_iter().map(|finding| finding.what).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn long_files_are_found_where_the_limit_applies() {
        let long = "\n".repeat(MOST_LINES + 1);
        for path in ["a.rs", "a.wgsl", "a.py"] {
            assert!(whats(path, &long).contains("601 lines"));
        }
        assert_eq!(whats("a.rs", &"\n".repeat(MOST_LINES)), "");
        assert_eq!(whats("a.md", &long), "");
    }

    #[test]
    fn markers_are_whole_words() {
        for (head, tail) in MARKERS {
            assert!(!whats("a.py", &format!("# {head}{tail}: later")).is_empty());
            assert_eq!(whats("a.py", &format!("# {head}{tail}S and {}{tail}", head.to_lowercase())), "");
        }
    }

    #[test]
    fn shell_that_cannot_fail_is_found() {
        let swallow = format!("make {} true", "||");
        assert!(whats(".ci/run", &swallow).contains("hides a failure"));
        assert_eq!(whats(".ci/run", "make && true"), "");
        assert_eq!(whats("README.md", &swallow), "");
    }

    #[test]
    fn switched_off_tests_and_lints_are_found() {
        assert!(whats("a.rs", "#[ignore]\nfn f() {}").contains("switched off"));
        assert!(whats("a.rs", "#[ignore = \"slow\"]\nfn f() {}").contains("switched off"));
        assert!(whats("a.rs", "#![allow(dead_code)]").contains("whole crate"));
        assert_eq!(whats("a.rs", "#[allow(dead_code)] fn f() {}\n// #[ignore]\n"), "");
    }

    #[test]
    fn promises_are_found() {
        for name in PLACEHOLDERS {
            assert!(whats("a.rs", &format!("{name}!()")).contains("promise"));
            assert_eq!(whats("a.rs", &format!("/// `{name}!()`")), "");
        }
    }
}
