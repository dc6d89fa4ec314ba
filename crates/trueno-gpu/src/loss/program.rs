//! The text of kernels over rows of logits, and of the sum of what they give.

use trueno_core::DType;

use crate::record::{Checked, Shader};
use crate::rows::{JOINS, NARROW, WIDE};
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, slot};

/// Threads of a workgroup.
pub(super) const THREADS: usize = 256;

/// What is made of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One number.
    LogSumExp,
    /// The loss, and 1 if the row counts.
    CrossEntropy,
    /// The gradient by every logit; divided, if so, by how many rows count.
    CrossEntropyGrad { mean: bool },
}

/// A kernel over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Rows {
        kind: Kind,
        dtype: DType,
        /// Elements that are read at once: 4, or 1 for rows that are not whole vectors.
        width: usize,
        /// Threads of a row.
        lanes: usize,
    },
    /// Sums of pairs of loss and count, or the counts alone from labels.
    Fold { labels: bool, result: Folded, dtype: DType },
}

/// What a sum of pairs ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Folded {
    /// A pair, to be summed further.
    Pair,
    /// The sum of the losses.
    Sum,
    /// Their mean.
    Mean,
    /// The number of rows that count.
    Count,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const ROWS: usize = 0;
    /// Vectors or elements of a row.
    pub const WORDS: usize = 1;
    pub const FROM_X: usize = 2;
    pub const FROM_L: usize = 3;
    pub const FROM_G: usize = 4;
    /// 1 if a label is ignored.
    pub const FLAGS: usize = 5;
    pub const IGNORE: usize = 6;
    /// Elements of a row, as a float of the type that is computed in.
    pub const CLASSES: usize = 8;
    pub const SMOOTHING: usize = 10;
    /// Pairs or labels to sum.
    pub const COUNT: usize = 0;
    pub const SPAN: usize = 1;
    pub const PARTS: usize = 2;
}

impl Program {
    /// The kernel for rows of so many elements.
    pub fn rows(kind: Kind, dtype: DType, columns: usize) -> Self {
        let width = if columns.is_multiple_of(4) { 4 } else { 1 };
        let lanes = (columns / width / 4).next_power_of_two().clamp(8, THREADS);
        Self::Rows { kind, dtype, width, lanes }
    }

    /// Elements that are read at once.
    pub fn width(&self) -> usize {
        match *self {
            Self::Rows { width, .. } => width,
            Self::Fold { .. } => 1,
        }
    }

    /// Workgroups for so many rows, or parts of a sum.
    pub fn groups(&self, rows: usize) -> usize {
        match *self {
            Self::Rows { lanes, .. } => rows.div_ceil(THREADS / lanes),
            Self::Fold { .. } => rows,
        }
    }

    pub fn shader(&self) -> Shader {
        match *self {
            Self::Rows { kind, dtype, width, lanes } => rows(kind, dtype, width, lanes),
            Self::Fold { labels, result, dtype } => fold(labels, result, dtype),
        }
    }
}

fn rows(kind: Kind, dtype: DType, width: usize, lanes: usize) -> Shader {
    let mut text = if width == 4 { WIDE } else { NARROW }.to_owned();
    let format = Format::computed(dtype);
    text += &storage::reader(0, "x", format, width == 4);
    let labels = "@group(0) @binding(1) var<storage, read> labels: array<vec2<u32>>;\n";
    let result = |binding: u32, element: &str| {
        format!("@group(0) @binding({binding}) var<storage, read_write> out: array<{element}>;\n")
    };
    let (body, reads, writes) = match kind {
        Kind::LogSumExp => {
            text += &result(1, "Real");
            (include_str!("logsumexp.wgsl"), 1, 1)
        }
        Kind::CrossEntropy => {
            text += labels;
            text += &result(2, "vec2<Real>");
            text += &Checked::CrossEntropy.text(3);
            (include_str!("cross_entropy.wgsl"), 2, 2)
        }
        Kind::CrossEntropyGrad { mean } => {
            text += labels;
            text += &storage::reader(2, "g", format, false);
            let reads = if mean { 4 } else { 3 };
            if mean {
                text += "@group(0) @binding(3) var<storage, read> counted: array<Real>;\n";
            }
            if width == 4 {
                text += &storage::writer(reads, "out", format);
            } else {
                text += &result(reads, "Real");
                text += "fn store_out(i: u32, v: Real) { out[i] = v; }\n";
            }
            text += &Checked::CrossEntropy.text(reads + 1);
            (include_str!("cross_entropy_grad.wgsl"), reads, 2)
        }
    };
    if kind != Kind::LogSumExp {
        text += if width == 4 { WIDE_LABELS } else { NARROW_LABELS };
        text += include_str!("label.wgsl");
    }
    let counted = if reads == 4 { "counted[0]" } else { "1.0" };
    let truth = if width == 4 { "vec4<bool>" } else { "bool" };
    text += JOINS;
    text += &include_str!("row.wgsl").replace("BODY", body);
    let text = format!("{IMMEDIATES}{}{}{text}", storage::reals(dtype, &text), storage::PACKING)
        .replace("COUNTED", counted)
        .replace("SETTLE", &storage::settle(dtype))
        .replace("V_TRUTH", truth)
        .replace("WIDTH", &format!("{width}u"))
        .replace("LANES", &format!("{lanes}u"))
        .replace("ROWS", &slot(slots::ROWS))
        .replace("WORDS", &slot(slots::WORDS))
        .replace("FROM_X", &slot(slots::FROM_X))
        .replace("FROM_L", &slot(slots::FROM_L))
        .replace("FROM_G", &slot(slots::FROM_G))
        .replace("FLAGS", &slot(slots::FLAGS))
        .replace("IGNORE_LOW", &slot(slots::IGNORE))
        .replace("IGNORE_HIGH", &slot(slots::IGNORE + 1))
        .replace("CLASSES", &storage::number(storage::scalar(dtype), slots::CLASSES))
        .replace("SMOOTHING", &storage::number(storage::scalar(dtype), slots::SMOOTHING));
    Shader { text, reads, writes }
}

/// The element of a class in a row that starts at a word, and 1 where a word holds that class.
const WIDE_LABELS: &str = "
fn element_of_x(base: u32, label: u32) -> Real { return load_x(base + label / 4u)[label % 4u]; }
fn hit(word: u32, label: u32) -> V { return V(vec4(word * 4u) + vec4(0u, 1u, 2u, 3u) == vec4(label)); }
";

const NARROW_LABELS: &str = "
fn element_of_x(base: u32, label: u32) -> Real { return load_x(base + label); }
fn hit(word: u32, label: u32) -> V { return V(word == label); }
";

fn fold(labels: bool, result: Folded, dtype: DType) -> Shader {
    let (element, pair) = if labels {
        let ignored = format!(
            "all(pairs[i + {}] == vec2({}, {}))",
            slot(slots::FROM_L),
            slot(slots::IGNORE),
            slot(slots::IGNORE + 1)
        );
        ("vec2<u32>", format!("return vec2<Real>(0.0, select(Real(1.0), Real(0.0), {ignored}));"))
    } else {
        ("vec2<Real>", "return pairs[i];".into())
    };
    let (gives, value) = match result {
        Folded::Pair => ("vec2<Real>", "sum"),
        Folded::Sum => ("Real", "sum.x"),
        Folded::Mean => ("Real", "select(sum.x / sum.y, quiet_nan(), sum.y == 0.0)"),
        Folded::Count => ("Real", "sum.y"),
    };
    let main = include_str!("fold.wgsl")
        .replace("COUNT", &slot(slots::COUNT))
        .replace("SPAN", &slot(slots::SPAN))
        .replace("PARTS", &slot(slots::PARTS));
    let text = format!(
        "{IMMEDIATES}{}\
         @group(0) @binding(0) var<storage, read> pairs: array<{element}>;\n\
         @group(0) @binding(1) var<storage, read_write> out: array<{gives}>;\n\
         fn pair_at(i: u32) -> vec2<Real> {{ {pair} }}\n\
         fn done(sum: vec2<Real>) -> {gives} {{ return {value}; }}\n{main}",
        storage::reals(dtype, ""),
    );
    Shader { text, reads: 1, writes: 1 }
}

/// Every kind, in both widths, and every sum.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let kinds = [
        Kind::LogSumExp,
        Kind::CrossEntropy,
        Kind::CrossEntropyGrad { mean: false },
        Kind::CrossEntropyGrad { mean: true },
    ];
    let shapes =
        [(DType::F32, 7), (DType::F32, 8192), (DType::F16, 64), (DType::BF16, 64), (DType::F64, 7), (DType::F64, 64)];
    let rows = kinds
        .into_iter()
        .flat_map(move |kind| shapes.into_iter().map(move |(dtype, columns)| Program::rows(kind, dtype, columns)));
    let folds = [Folded::Pair, Folded::Sum, Folded::Mean, Folded::Count];
    let folds = folds.into_iter().flat_map(|result| {
        let types = [(false, DType::F32), (true, DType::F32), (false, DType::F64), (true, DType::F64)];
        types.map(|(labels, dtype)| Program::Fold { labels, result, dtype })
    });
    rows.chain(folds)
}
