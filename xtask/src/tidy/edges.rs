//! Dependencies between the project's crates point down one list.

use toml::{Table, Value};

use super::Finding;

/// Every crate there may be, innermost first; a crate may use those before it. `docs/architecture.md` says why.
const LADDER: [&str; 15] = [
    "trueno-core",
    "trueno-kernels",
    "trueno-gpu",
    "trueno-fuse",
    "trueno-tensor",
    "trueno-autograd",
    "trueno-nn-derive",
    "trueno-nn",
    "trueno-optim",
    "trueno-data",
    "trueno-io",
    "trueno-hub",
    "trueno-dist",
    "trueno-python",
    "trueno",
];

/// The tables that make an edge. Tests may look up: a dev-dependency is no part of what a user builds.
const TABLES: [&str; 2] = ["dependencies", "build-dependencies"];

/// Checks one manifest under `crates/`.
pub fn check(path: &str, text: &str) -> Vec<Finding> {
    let Some(folder) = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml")) else {
        return Vec::new();
    };
    let Some(place) = rank(folder) else {
        return vec![Finding::file(path, format!("`{folder}` is not one of the crates of the design"))];
    };
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::file(path, format!("not TOML: {error}"))],
    };
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(&manifest).chain(targets.filter_map(Value::as_table));
    let uses = tables.flat_map(|table| TABLES.iter().filter_map(|name| table.get(*name)?.as_table()));
    uses.flat_map(Table::keys)
        .filter(|name| rank(name).is_some_and(|used| used >= place))
        .map(|name| Finding::file(path, format!("`{folder}` may not depend on `{name}`, which is not below it")))
        .collect()
}

fn rank(name: &str) -> Option<usize> {
    LADDER.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_is_allowed_and_up_is_not() {
        let down = "[dependencies]\ntrueno-core.workspace = true\nrayon.workspace = true\n";
        assert_eq!(check("crates/trueno-tensor/Cargo.toml", down), []);
        let up = "[dependencies]\ntrueno-nn.workspace = true\n";
        let found = check("crates/trueno-tensor/Cargo.toml", up);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("`trueno-tensor` may not depend on `trueno-nn`"));
    }

    #[test]
    fn edges_hide_in_build_and_target_tables_too() {
        let build = "[build-dependencies]\ntrueno.workspace = true\n";
        assert_eq!(check("crates/trueno-core/Cargo.toml", build).len(), 1);
        let target = "[target.'cfg(unix)'.dependencies]\ntrueno.workspace = true\n";
        assert_eq!(check("crates/trueno-core/Cargo.toml", target).len(), 1);
    }

    #[test]
    fn tests_may_look_up_and_other_packages_anywhere() {
        let tests = "[dev-dependencies]\ntrueno-nn.workspace = true\n";
        assert_eq!(check("crates/trueno-nn-derive/Cargo.toml", tests), []);
        assert_eq!(check("benches/Cargo.toml", "[dependencies]\ntrueno.workspace = true\n"), []);
    }

    #[test]
    fn a_crate_outside_the_design_is_found() {
        assert_eq!(check("crates/trueno-misc/Cargo.toml", "").len(), 1);
    }
}
