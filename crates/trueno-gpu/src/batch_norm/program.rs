//! The text of batch normalisation.

use trueno_core::DType;
use trueno_core::math::wgsl::PRELUDE;

use crate::record::Shader;
use crate::storage;
use crate::walk::{IMMEDIATES, expand, fill, slot};

/// Words that a thread holds of a part.
pub(super) const CHUNKS: usize = 8;

/// A kernel of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Count, mean and sum of squares of parts of channels.
    Moments {
        /// Of the operand.
        dtype: DType,
        /// Elements that are read at once: 4, or 1 where rows of a channel are not whole vectors.
        width: usize,
    },
    /// Mean, reciprocal deviation and variance from those.
    Join,
    /// The result.
    Normalise {
        /// Of the operand.
        dtype: DType,
        /// Of weight and bias.
        params: DType,
        /// Whether four neighbours are always of one channel.
        whole: bool,
    },
    /// Sums over parts of channels of the gradient, and of it times the distances from the mean.
    Sums {
        /// Of the operands.
        dtype: DType,
        /// As in [`Program::Moments`].
        width: usize,
    },
    /// The gradients by bias and weight from those.
    JoinSums,
    /// The gradient by the operand.
    Gradient {
        /// Of the operands.
        dtype: DType,
        /// Of the weight.
        params: DType,
        /// Whether four neighbours are always of one channel.
        whole: bool,
        /// Whether the statistics depend on the operand.
        training: bool,
    },
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const CHANNELS: usize = 0;
    /// Words of a channel of one sample.
    pub const ROW: usize = 1;
    /// Words of a channel of all samples.
    pub const WORDS: usize = 2;
    /// Words of a part.
    pub const SPAN: usize = 3;
    /// Parts of a channel.
    pub const PARTS: usize = 4;
    /// Added to the variance.
    pub const EPS: usize = 5;
    /// Elements of all.
    pub const ELEMENTS: usize = 6;
    /// Elements of a channel of all samples, as a float.
    pub const COUNT: usize = 7;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let (bindings, body, reads, writes) = match *self {
            Self::Moments { dtype, width } => {
                let bindings = vector(width)
                    + &storage::reader(0, "x", dtype, width == 4)
                    + &plain(1, "read_write", "parts", "vec4<f32>");
                let body = expand(include_str!("moments.wgsl"), CHUNKS).replace("WIDTH", &format!("{width}.0"));
                (bindings, body, 1, 1)
            }
            Self::Join => {
                let results = (1..).zip(["means", "rstds", "variances"]);
                let results: String = results.map(|(at, name)| plain(at, "read_write", name, "f32")).collect();
                (plain(0, "read", "parts", "vec4<f32>") + &results, include_str!("join.wgsl").into(), 1, 3)
            }
            Self::Normalise { dtype, params, whole } => {
                let bindings = storage::reader(0, "x", dtype, true)
                    + &storage::reader(1, "weight", params, false)
                    + &storage::reader(2, "bias", params, false)
                    + &statistics(3)
                    + &storage::writer(5, "out", dtype);
                let line = "(x - means[c]) * (rstds[c] * load_weight(c)) + load_bias(c)";
                (bindings, each(&["x"], whole, line), 5, 1)
            }
            Self::Sums { dtype, width } => {
                let bindings = vector(width)
                    + &storage::reader(0, "x", dtype, width == 4)
                    + &storage::reader(1, "g", dtype, width == 4)
                    + &plain(2, "read", "means", "f32")
                    + &plain(3, "read_write", "parts", "vec2<f32>");
                (bindings, include_str!("sums.wgsl").into(), 3, 1)
            }
            Self::JoinSums => {
                let bindings = plain(0, "read", "parts", "vec2<f32>")
                    + &plain(1, "read", "rstds", "f32")
                    + &plain(2, "read_write", "biases", "f32")
                    + &plain(3, "read_write", "weights", "f32");
                (bindings, include_str!("join_sums.wgsl").into(), 2, 2)
            }
            Self::Gradient { dtype, params, whole, training: false } => {
                let bindings = storage::reader(0, "g", dtype, true)
                    + &storage::reader(1, "weight", params, false)
                    + &plain(2, "read", "rstds", "f32")
                    + &storage::writer(3, "out", dtype);
                (bindings, each(&["g"], whole, "g * (rstds[c] * load_weight(c))"), 3, 1)
            }
            Self::Gradient { dtype, params, whole, training: true } => {
                let bindings = storage::reader(0, "x", dtype, true)
                    + &storage::reader(1, "g", dtype, true)
                    + &storage::reader(2, "weight", params, false)
                    + &statistics(3)
                    + &plain(5, "read", "biases", "f32")
                    + &plain(6, "read", "weights", "f32")
                    + &storage::writer(7, "out", dtype);
                let line = "(g - (biases[c] + (x - means[c]) * (rstds[c] * weights[c])) / COUNT) \
                            * (rstds[c] * load_weight(c))";
                (bindings, each(&["x", "g"], whole, line), 7, 1)
            }
        };
        let text = format!("{IMMEDIATES}{PRELUDE}{}{bindings}{}", storage::PACKING, fill(&body, &names()));
        Shader { text, reads, writes }
    }
}

/// A binding of single words or vectors.
fn plain(binding: u32, access: &str, name: &str, element: &str) -> String {
    format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n")
}

/// The mean and the reciprocal deviation of every channel.
fn statistics(first: u32) -> String {
    plain(first, "read", "means", "f32") + &plain(first + 1, "read", "rstds", "f32")
}

/// The type of a word of so many elements, and the sum of them.
fn vector(width: usize) -> String {
    if width == 4 {
        "alias V = vec4<f32>;\nfn fold(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }\n".into()
    } else {
        "alias V = f32;\nfn fold(v: V) -> f32 { return v; }\n".into()
    }
}

/// A kernel of four neighbours at a time: `line` is what is made of one element of the operands, of channel `c`.
fn each(operands: &[&str], whole: bool, line: &str) -> String {
    let loads = |suffix: &str| -> String {
        operands.iter().map(|name| format!("let {name}{suffix} = load_{name}(own);\n")).collect()
    };
    let body = if whole {
        // Scalars of the channel and vectors of elements mix in WGSL.
        format!("let c = (own * 4u / ROW) % CHANNELS;\n{}let made = {line};", loads(""))
    } else {
        let mut body = format!("{}var made = vec4<f32>(0.0);\n", loads("s"));
        for lane in 0..4 {
            let elements: String = operands.iter().map(|name| format!("let {name} = {name}s[{lane}]; ")).collect();
            body +=
                &format!("{{ let c = ((own * 4u + {lane}u) / ROW) % CHANNELS; {elements}made[{lane}] = {line}; }}\n");
        }
        body
    };
    include_str!("each.wgsl").replace("RESULT", &body)
}

/// Every scalar by its name in the templates.
fn names() -> Vec<(&'static str, String)> {
    let words = [
        ("CHANNELS", slots::CHANNELS),
        ("ROW", slots::ROW),
        ("WORDS", slots::WORDS),
        ("SPAN", slots::SPAN),
        ("PARTS", slots::PARTS),
        ("ELEMENTS", slots::ELEMENTS),
    ];
    let floats = [("EPS", slots::EPS), ("COUNT", slots::COUNT)];
    let words = words.into_iter().map(|(name, at)| (name, slot(at)));
    words.chain(floats.into_iter().map(|(name, at)| (name, format!("bitcast<f32>({})", slot(at))))).collect()
}

/// Every kernel, in both widths.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let dtypes = [DType::F32, DType::F16, DType::BF16];
    let by_type = dtypes.into_iter().flat_map(|dtype| {
        [1, 4].into_iter().flat_map(move |width| {
            let (params, whole) = (if width == 4 { dtype } else { DType::F32 }, width == 4);
            [
                Program::Moments { dtype, width },
                Program::Sums { dtype, width },
                Program::Normalise { dtype, params, whole },
                Program::Gradient { dtype, params, whole, training: true },
                Program::Gradient { dtype, params, whole, training: false },
            ]
        })
    });
    by_type.chain([Program::Join, Program::JoinSums])
}
