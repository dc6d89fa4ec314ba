//! The operation table as data: JSON for the oracle's script, Markdown for people.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use trueno_core::table::{BinaryOp, CompareOp, Family, Gradient, ReduceOp, RowInfo, TernaryOp, UnaryOp};

use crate::report::Verdict;
use crate::workspace::Workspace;

/// Where people read the table.
const PAGE: &str = "docs/ops.md";

/// A row with what its table adds to it.
struct Row {
    kind: &'static str,
    operands: &'static [&'static str],
    info: &'static RowInfo,
}

/// The operands' names of ternary rows, which oracle expressions use and [`RowInfo`] does not hold.
macro_rules! ternary_operands {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:ident ($a:ident, $b:ident, $c:ident) { $($body:tt)* })+) => {
        fn ternary_operands(op: TernaryOp) -> &'static [&'static str] {
            match op { $(TernaryOp::$variant => &[stringify!($a), stringify!($b), stringify!($c)],)+ }
        }
    };
}
trueno_core::ternary_table!(ternary_operands);

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |kind, operands, info| rows.push(Row { kind, operands, info });
    UnaryOp::ALL.iter().for_each(|op| add("unary", &["x"][..], op.info()));
    BinaryOp::ALL.iter().for_each(|op| add("binary", &["a", "b"], op.info()));
    CompareOp::ALL.iter().for_each(|op| add("compare", &["a", "b"], op.info()));
    TernaryOp::ALL.iter().for_each(|&op| add("ternary", ternary_operands(op), op.info()));
    ReduceOp::ALL.iter().for_each(|op| add("reduce", &["x"], op.info()));
    Family::ALL.iter().for_each(|op| add("family", &[], op.info()));
    rows
}

/// The table as the oracle's script reads it: `{"rows": [{"kind", "name", "operands", "oracle", ...}]}`.
pub fn json() -> Value {
    let row = |Row { kind, operands, info }: Row| {
        let (gradient, reason) = match info.gradient {
            Gradient::Defined => ("defined", None),
            Gradient::Zero => ("zero", None),
            Gradient::None(reason) => ("none", Some(reason)),
        };
        let parameters = info.parameters.iter().map(|(name, value)| json!({"name": name, "default": value}));
        json!({
            "kind": kind,
            "name": info.name,
            "operands": operands,
            "parameters": parameters.collect::<Vec<_>>(),
            "integers": info.integers,
            "gradient": gradient,
            "no_gradient_because": reason,
            "oracle": info.oracle,
            "domain": info.domain,
            "kinks": info.kinks,
            "tolerance": {"f32": info.tolerance[0], "f64": info.tolerance[1]},
        })
    };
    json!({ "rows": rows().into_iter().map(row).collect::<Vec<_>>() })
}

/// Writes `docs/ops.md`, or with `check` only says whether it is what the table says.
pub fn page(workspace: &Workspace, check: bool) -> Result<Verdict> {
    let path = workspace.path(PAGE);
    let wanted = markdown();
    if check {
        let found = fs::read_to_string(&path).with_context(|| format!("could not read {PAGE}"))?;
        if found != wanted {
            bail!("{PAGE} is not what the table says: run `cargo xtask ops`");
        }
    } else {
        fs::write(&path, &wanted).with_context(|| format!("could not write {PAGE}"))?;
    }
    Ok(Verdict::Passed(format!("{} rows", rows().len())))
}

fn markdown() -> String {
    let mut text = String::from(
        "# Operations\n\nWritten by `cargo xtask ops` from the operation table of `trueno-core`; do not edit.\n\
         Tolerances are the largest error against NumPy and PyTorch that tests accept, relative to the value (where terms cancel, to the largest operand).\n",
    );
    for (kind, title) in [
        ("unary", "One operand"),
        ("binary", "Two operands"),
        ("compare", "Comparisons and logic"),
        ("ternary", "Three operands"),
        ("reduce", "Reductions"),
        ("family", "With kernels of their own"),
    ] {
        text += &format!("\n## {title}\n\n| name | what it computes | integers | gradient | f32 | f64 |\n");
        text += "| --- | --- | --- | --- | --- | --- |\n";
        for row in rows().iter().filter(|row| row.kind == kind) {
            text += &line(row);
        }
    }
    text
}

fn line(row: &Row) -> String {
    let info = row.info;
    let gradient = match info.gradient {
        Gradient::Defined => "yes".to_string(),
        Gradient::Zero => "zero".to_string(),
        Gradient::None(reason) => format!("none: {reason}"),
    };
    let parameters: String = info.parameters.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
    let integers = if info.integers { "yes" } else { "" };
    let [t32, t64] = info.tolerance.map(|error| if error == 0.0 { "exact".into() } else { format!("{error:e}") });
    // Links in the documentation's own form lead nowhere on this page; a bar would end the cell.
    let doc = without_links(info.doc).replace('|', "\\|");
    let call = match row.kind {
        "family" => info.name.to_string(),
        _ => format!("{}({}{parameters})", info.name, row.operands.join(", ")),
    };
    format!("| `{call}` | {doc} | {integers} | {gradient} | {t32} | {t64} |\n")
}

/// Turns `[text](target)` into `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        match link.split_once("](").and_then(|(name, tail)| Some((name, tail.split_once(')')?.1))) {
            Some((name, tail)) if !name.contains('[') => {
                plain.push_str(before);
                plain.push_str(name);
                rest = tail;
            }
            _ => {
                plain.push_str(before);
                plain.push('[');
                rest = link;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_exported_once() {
        let table = json();
        let exported = table["rows"].as_array().unwrap();
        let mut names: Vec<_> = exported.iter().map(|row| row["name"].as_str().unwrap()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two rows share a name");
        assert_eq!(
            count,
            UnaryOp::ALL.len()
                + BinaryOp::ALL.len()
                + CompareOp::ALL.len()
                + TernaryOp::ALL.len()
                + ReduceOp::ALL.len()
                + Family::ALL.len()
        );
    }

    #[test]
    fn oracles_speak_of_the_operands_by_name() {
        for row in rows().iter().filter(|row| row.kind != "family") {
            for operand in row.operands {
                let used =
                    row.info.oracle.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *operand);
                assert!(used, "the oracle of `{}` never uses `{operand}`", row.info.name);
            }
        }
    }

    #[test]
    fn cells_hold_plain_text() {
        assert_eq!(without_links("root of [`var`](ReduceOp::Var), `a[i]`"), "root of `var`, `a[i]`");
        assert_eq!(without_links("`[N, C]` windows"), "`[N, C]` windows");
        assert_eq!(without_links("[a] and [b](c)"), "[a] and b");
    }

    #[test]
    fn every_row_is_on_the_page() {
        let page = markdown();
        for row in rows() {
            assert!(page.contains(&format!("| `{}", row.info.name)), "{}", row.info.name);
        }
    }
}
