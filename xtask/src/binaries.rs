//! Finding what cargo built in the messages it prints.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// The test executables of `package` in a stream of `--message-format=json`.
pub fn of_tests(messages: &str, package: &str) -> Result<Vec<PathBuf>> {
    let mut binaries = Vec::new();
    for message in parse(messages)? {
        let is_ours = message["manifest_path"].as_str().is_some_and(|path| {
            let folder = PathBuf::from(path);
            folder.parent().and_then(|folder| folder.file_name()).is_some_and(|name| name == package)
        });
        let is_test = message["profile"]["test"] == Value::Bool(true);
        if let (true, true, Some(executable)) = (is_ours, is_test, message["executable"].as_str()) {
            binaries.push(PathBuf::from(executable));
        }
    }
    Ok(binaries)
}

/// Whether a test executable only compiles wrong programs and looks at the compiler's messages. Those depend on no variable and no flag,
/// but on the compiler; and trybuild wants to be run by cargo.
pub fn compares_messages(executable: &Path) -> bool {
    executable.file_name().is_some_and(|name| name.to_string_lossy().starts_with("messages-"))
}

/// Name and path of the library of each of `packages` in a stream of `--message-format=json`.
pub fn of_libraries(messages: &str, packages: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for message in parse(messages)? {
        let Some(name) = message["target"]["name"].as_str() else { continue };
        if message["reason"] != "compiler-artifact" || !packages.contains(&name.replace('_', "-").as_str()) {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(files.filter(|file| file.ends_with(".rlib")).map(|file| (name.to_string(), PathBuf::from(file))));
    }
    Ok(found)
}

/// The program that a binary target called `name` became, in a stream of `--message-format=json`.
pub fn of_program(messages: &str, name: &str) -> Result<Option<PathBuf>> {
    let executable = |message: &Value| message["executable"].as_str().map(PathBuf::from);
    Ok(parse(messages)?.iter().filter(|message| message["target"]["name"] == name).find_map(executable))
}

fn parse(messages: &str) -> Result<Vec<Value>> {
    let objects = messages.lines().filter(|line| line.starts_with('{'));
    objects.map(serde_json::from_str).collect::<Result<_, _>>().context("cargo printed something that is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_executables_of_the_package_are_run() {
        let message = |package: &str, test: bool, executable: &str| {
            format!(
                r#"{{"manifest_path":"/w/crates/{package}/Cargo.toml","profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let stream = [
            message("trueno-kernels", true, r#""/t/kernels-1""#),
            message("trueno-kernels", false, r#""/t/example""#),
            message("trueno-kernels", true, "null"),
            message("trueno-kernels-extra", true, r#""/t/other""#),
        ];
        let found = of_tests(&stream.join("\n"), "trueno-kernels").unwrap();
        assert_eq!(found, [PathBuf::from("/t/kernels-1")]);
    }

    #[test]
    fn only_the_wanted_libraries_are_taken() {
        let artifact = |name: &str, file: &str| {
            format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"filenames":["{file}"]}}"#)
        };
        let stream = [
            artifact("half", "/t/libhalf.rlib"),
            artifact("trueno_core", "/t/libtrueno_core.rlib"),
            artifact("trueno_core", "/t/libtrueno_core.rmeta"),
            r#"{"reason":"build-finished","success":true}"#.to_string(),
        ];
        let found = of_libraries(&stream.join("\n"), &["trueno-core"]).unwrap();
        assert_eq!(found, [("trueno_core".to_string(), PathBuf::from("/t/libtrueno_core.rlib"))]);
    }

    #[test]
    fn a_program_is_found_by_name() {
        let stream = r#"{"target":{"name":"trueno-benches"},"executable":"/t/trueno-benches"}"#;
        assert_eq!(of_program(stream, "trueno-benches").unwrap(), Some(PathBuf::from("/t/trueno-benches")));
        assert_eq!(of_program(stream, "other").unwrap(), None);
    }
}
