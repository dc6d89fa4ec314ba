//! The text of kernels that hold a row in registers.

use trueno_core::DType;

use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, expand, slot};

/// Threads of a workgroup.
pub(super) const THREADS: usize = 256;

/// Words that a thread holds at most.
const MOST_CHUNKS: usize = 32;

/// What is made of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Softmax,
    LogSoftmax,
    /// Of the result and the gradient by it.
    SoftmaxGrad,
    LogSoftmaxGrad,
    LayerNorm {
        weight: bool,
        bias: bool,
    },
    /// Of the operand and the gradient by the result.
    LayerNormGrad {
        weight: bool,
    },
}

/// A kernel over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub kind: Kind,
    pub dtype: DType,
    /// Elements that are read at once: 4, or 1 for rows that are not whole vectors.
    pub width: usize,
    /// Threads of a row.
    pub lanes: usize,
    /// Words that a thread holds.
    pub chunks: usize,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const ROWS: usize = 0;
    /// Vectors or elements of a row.
    pub const WORDS: usize = 1;
    pub const FROM_X: usize = 2;
    pub const FROM_G: usize = 3;
    /// Elements of a row, as a float of the type that is computed in.
    pub const COLUMNS: usize = 4;
    pub const EPS: usize = 6;
}

impl Program {
    /// The kernel for rows of so many elements; nothing if they are too long to be held.
    pub fn new(kind: Kind, dtype: DType, columns: usize, aligned: bool) -> Option<Self> {
        let width = if aligned && columns.is_multiple_of(4) { 4 } else { 1 };
        let words = columns / width;
        let lanes = (words / 4).next_power_of_two().clamp(8, THREADS);
        let chunks = words.div_ceil(lanes).max(1);
        (chunks <= MOST_CHUNKS).then_some(Self { kind, dtype, width, lanes, chunks })
    }

    pub fn shader(&self) -> Shader {
        let main = self.main();
        let mut text = if self.width == 4 { WIDE } else { NARROW }.to_owned();
        let format = Format::computed(self.dtype);
        let mut reads = Vec::new();
        match self.kind {
            Kind::Softmax | Kind::LogSoftmax => reads.push("x"),
            Kind::SoftmaxGrad | Kind::LogSoftmaxGrad => reads.extend(["x", "g"]),
            Kind::LayerNorm { weight, bias } => {
                reads.push("x");
                reads.extend(weight.then_some("weight"));
                reads.extend(bias.then_some("bias"));
            }
            Kind::LayerNormGrad { weight } => {
                reads.extend(["x", "g"]);
                reads.extend(weight.then_some("weight"));
            }
        }
        for (binding, name) in (0..).zip(&reads) {
            text += &storage::reader(binding, name, format, self.width == 4);
        }
        let mut next = reads.len() as u32;
        let mut plain = |name: &str, access: &str, text: &mut String| {
            *text += &format!("@group(0) @binding({next}) var<storage, {access}> {name}: array<Real>;\n");
            next += 1;
        };
        let gradient = matches!(self.kind, Kind::LayerNormGrad { .. });
        if gradient {
            plain("means", "read", &mut text);
            plain("rstds", "read", &mut text);
        }
        let read = reads.len() as u32 + if gradient { 2 } else { 0 };
        if self.width == 4 {
            text += &storage::writer(read, "out", format);
            next = read + 1;
        } else {
            plain("out", "read_write", &mut text);
            text += "fn store_out(i: u32, v: Real) { out[i] = v; }\n";
        }
        let mut writes = 1;
        if matches!(self.kind, Kind::LayerNorm { .. }) {
            for name in ["means", "rstds"] {
                text += &format!("@group(0) @binding({next}) var<storage, read_write> {name}: array<Real>;\n");
                next += 1;
                writes += 1;
            }
        }
        text += &main;
        let text = format!("{IMMEDIATES}{}{}{text}", storage::reals(self.dtype, &text), storage::PACKING);
        Shader { text, reads: read, writes }
    }

    fn main(&self) -> String {
        let (body, result, term) = match self.kind {
            Kind::Softmax => (include_str!("softmax.wgsl"), "h# / V(total)", ""),
            Kind::LogSoftmax => (include_str!("softmax.wgsl"), "s# - V(ieee_log(total))", ""),
            Kind::SoftmaxGrad => (include_str!("softmax_grad.wgsl"), "y# * (g# - V(total))", "y# * g#"),
            Kind::LogSoftmaxGrad => (include_str!("softmax_grad.wgsl"), "g# - wide_exp(y#) * total", "g#"),
            Kind::LayerNorm { .. } => (include_str!("layer_norm.wgsl"), "", ""),
            Kind::LayerNormGrad { .. } => (include_str!("layer_norm_grad.wgsl"), "", ""),
        };
        let (weight, bias) = match self.kind {
            Kind::LayerNorm { weight, bias } => (weight, bias),
            Kind::LayerNormGrad { weight } => (weight, false),
            Kind::Softmax | Kind::LogSoftmax | Kind::SoftmaxGrad | Kind::LogSoftmaxGrad => (false, false),
        };
        // Absent parameters leave a call that gives the neutral element, which costs nothing.
        let neutral = |present: bool, name: &str, value: &str| {
            if present { String::new() } else { format!("fn load_{name}(i: u32) -> V {{ return V({value}); }}\n") }
        };
        let body = body.replace("RESULT", result).replace("TERM", term);
        let body = body.replace("WEIGHT(", "* load_weight(").replace("BIAS(", "+ load_bias(");
        let text = include_str!("rows.wgsl").replace("BODY", &expand(&body, self.chunks));
        let text = format!("{JOINS}{text}")
            .replace("LANES", &format!("{}u", self.lanes))
            .replace("ROWS", &slot(slots::ROWS))
            .replace("WORDS", &slot(slots::WORDS))
            .replace("FROM_X", &slot(slots::FROM_X))
            .replace("FROM_G", &slot(slots::FROM_G))
            .replace("SETTLE", &storage::settle(self.dtype))
            .replace("COLUMNS", &storage::number(storage::scalar(self.dtype), slots::COLUMNS))
            .replace("EPS", &storage::number(storage::scalar(self.dtype), slots::EPS));
        neutral(weight, "weight", "1.0") + &neutral(bias, "bias", "0.0") + &text
    }
}

/// Functions `row_max` and `row_sum` of what the threads of a row have.
pub(crate) const JOINS: &str = include_str!("lanes.wgsl");

/// What a row is read in: vectors.
pub(crate) const WIDE: &str = "alias V = vec4<Real>;
fn wide_max(a: V, b: V) -> V { return V(nan_max(a.x, b.x), nan_max(a.y, b.y), nan_max(a.z, b.z), nan_max(a.w, b.w)); }
fn fold_max(v: V) -> Real { return nan_max(nan_max(v.x, v.y), nan_max(v.z, v.w)); }
fn fold_sum(v: V) -> Real { return (v.x + v.y) + (v.z + v.w); }
fn wide_exp(v: V) -> V { return V(ieee_exp(v.x), ieee_exp(v.y), ieee_exp(v.z), ieee_exp(v.w)); }
";

/// What a row is read in: elements.
pub(crate) const NARROW: &str = "alias V = Real;
fn wide_max(a: V, b: V) -> V { return nan_max(a, b); }
fn fold_max(v: V) -> Real { return v; }
fn fold_sum(v: V) -> Real { return v; }
fn wide_exp(v: V) -> V { return ieee_exp(v); }
";

/// Every kind, in both widths.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let flags = [false, true];
    let kinds = [Kind::Softmax, Kind::LogSoftmax, Kind::SoftmaxGrad, Kind::LogSoftmaxGrad];
    let norms = flags.into_iter().flat_map(move |weight| flags.map(|bias| Kind::LayerNorm { weight, bias }));
    let gradients = flags.into_iter().map(|weight| Kind::LayerNormGrad { weight });
    let all = kinds.into_iter().chain(norms).chain(gradients);
    all.flat_map(|kind| {
        let shapes = [(DType::F32, 7), (DType::F32, 8192), (DType::BF16, 64), (DType::F64, 7), (DType::F64, 64)];
        shapes.into_iter().filter_map(move |(dtype, columns)| Program::new(kind, dtype, columns, true))
    })
}
