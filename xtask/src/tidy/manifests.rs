//! Crates describe themselves and take versions and lints from the workspace.

use toml::{Table, Value};

use super::{Finding, SourceFile};

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks one member's manifest.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::file(path, format!("not TOML: {error}"))],
    };
    let mut findings = Vec::new();
    let inherits = |table: &str| manifest.get(table).and_then(|table| table.get("workspace")) == Some(&true.into());
    if !inherits("lints") {
        findings.push(Finding::file(path, "needs `[lints] workspace = true`"));
    }
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(&manifest).chain(targets.filter_map(Value::as_table));
    for dependencies in tables.flat_map(|table| TABLES.iter().filter_map(|name| table.get(*name)?.as_table())) {
        for (name, _) in dependencies.iter().filter(|(_, wanted)| wanted.get("workspace") != Some(&true.into())) {
            findings.push(Finding::file(path, format!("`{name}` must come from `[workspace.dependencies]`")));
        }
    }
    findings
}

/// Every crate has a README, and its library says in its first lines what it is for.
pub fn crates_are_complete(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    for manifest in files.iter().filter(|file| file.path.starts_with("crates/")) {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        if text(&format!("{folder}/README.md")).is_none_or(|readme| readme.trim().is_empty()) {
            findings.push(Finding::file(&manifest.path, "the crate has no README.md"));
        }
        let root = format!("{folder}/src/lib.rs");
        if !text(&root).is_some_and(|library| library.trim_start().starts_with("//!")) {
            findings.push(Finding::file(&root, "must open with crate documentation"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_the_workspace() {
        let good = "[dependencies]\nrayon.workspace = true\nserde = { workspace = true, features = [\"rc\"] }\n";
        assert_eq!(check("crates/a/Cargo.toml", &format!("{good}[lints]\nworkspace = true\n")), []);
        for bad in ["rayon = \"1\"", "rayon = { version = \"1\" }", "rayon = { path = \"../rayon\" }"] {
            let text = format!("[dev-dependencies]\n{bad}\n[lints]\nworkspace = true\n");
            assert_eq!(check("crates/a/Cargo.toml", &text).len(), 1, "{bad}");
        }
    }

    #[test]
    fn lints_belong_to_the_workspace() {
        assert!(check("crates/a/Cargo.toml", "[package]\nname = \"a\"\n")[0].what.contains("[lints]"));
    }

    #[test]
    fn a_crate_needs_a_readme_and_opening_words() {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let mut files = vec![file("crates/a/Cargo.toml", ""), file("crates/a/src/lib.rs", "mod x;\n")];
        assert_eq!(crates_are_complete(&files).len(), 2);
        files.push(file("crates/a/README.md", "# a\n"));
        files[1].text = "//! What it is for.\n".into();
        assert_eq!(crates_are_complete(&files), []);
    }
}
