//! A test that reads the sources: what takes vectors must be inlined into the kernel that has their instructions.

use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder of the sources") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The signature that starts in line `at`, up to its body or end.
fn signature(lines: &[&str], at: usize) -> String {
    let mut text = String::new();
    for line in &lines[at..] {
        text.push_str(line.trim());
        text.push(' ');
        if line.contains('{') || line.trim_end().ends_with(';') {
            break;
        }
    }
    text
}

#[test]
fn functions_of_vectors_are_inlined_into_their_kernel() {
    let mut files = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    assert!(files.len() > 20, "the sources are where they were");
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            let signature = signature(&lines, at);
            let is_function =
                lines[at].trim_start().trim_start_matches("pub").contains("fn ") && signature.ends_with("{ ");
            let takes_vectors = [
                "<V: RealVector",
                "<V: RealOps",
                "<V: ProductVector",
                "<V: KeyVector",
                "<S: Simd",
                "<T: Dots",
                "<T: PairDots",
            ]
            .iter()
            .any(|bound| signature.contains(bound));
            if !is_function || !takes_vectors || lines[at].trim_start().starts_with("//") {
                continue;
            }
            let inlined =
                lines[..at].iter().rev().map(|line| line.trim()).take_while(|line| !line.is_empty() && *line != "}");
            assert!(inlined.into_iter().any(|line| line == "#[inline(always)]"), "{}:{}", file.display(), at + 1);
        }
    }
}
