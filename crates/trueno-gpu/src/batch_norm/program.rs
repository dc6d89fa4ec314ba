//! The text of batch normalisation.

use trueno_core::DType;

use crate::record::Shader;
use crate::storage::{self, Format};
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
    Join {
        /// Of the parts and results.
        dtype: DType,
    },
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
    JoinSums {
        /// Of the sums.
        dtype: DType,
    },
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
    /// Added to the variance; a float as well.
    pub const EPS: usize = 5;
    /// Elements of all.
    pub const ELEMENTS: usize = 7;
    /// Elements of a channel of all samples, as a float of the type that is computed in.
    pub const COUNT: usize = 8;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let dtype = self.dtype();
        let (bindings, body, reads, writes) = match *self {
            Self::Moments { dtype, width } => {
                let bindings =
                    vector(width) + &reader(0, "x", dtype, width == 4) + &plain(1, "read_write", "parts", "vec4<Real>");
                let body = expand(include_str!("moments.wgsl"), CHUNKS).replace("WIDTH", &format!("{width}.0"));
                (bindings, body, 1, 1)
            }
            Self::Join { .. } => {
                let results = (1..).zip(["means", "rstds", "variances"]);
                let results: String = results.map(|(at, name)| plain(at, "read_write", name, "Real")).collect();
                (plain(0, "read", "parts", "vec4<Real>") + &results, include_str!("join.wgsl").into(), 1, 3)
            }
            Self::Normalise { dtype, params, whole } => {
                let bindings = reader(0, "x", dtype, true)
                    + &reader(1, "weight", params, false)
                    + &reader(2, "bias", params, false)
                    + &statistics(3)
                    + &storage::writer(5, "out", Format::computed(dtype));
                let line = "(x - means[c]) * (rstds[c] * load_weight(c)) + load_bias(c)";
                (bindings, each(&["x"], whole, line), 5, 1)
            }
            Self::Sums { dtype, width } => {
                let bindings = vector(width)
                    + &reader(0, "x", dtype, width == 4)
                    + &reader(1, "g", dtype, width == 4)
                    + &plain(2, "read", "means", "Real")
                    + &plain(3, "read_write", "parts", "vec2<Real>");
                (bindings, include_str!("sums.wgsl").into(), 3, 1)
            }
            Self::JoinSums { .. } => {
                let bindings = plain(0, "read", "parts", "vec2<Real>")
                    + &plain(1, "read", "rstds", "Real")
                    + &plain(2, "read_write", "biases", "Real")
                    + &plain(3, "read_write", "weights", "Real");
                (bindings, include_str!("join_sums.wgsl").into(), 2, 2)
            }
            Self::Gradient { dtype, params, whole, training: false } => {
                let bindings = reader(0, "g", dtype, true)
                    + &reader(1, "weight", params, false)
                    + &plain(2, "read", "rstds", "Real")
                    + &storage::writer(3, "out", Format::computed(dtype));
                (bindings, each(&["g"], whole, "g * (rstds[c] * load_weight(c))"), 3, 1)
            }
            Self::Gradient { dtype, params, whole, training: true } => {
                let bindings = reader(0, "x", dtype, true)
                    + &reader(1, "g", dtype, true)
                    + &reader(2, "weight", params, false)
                    + &statistics(3)
                    + &plain(5, "read", "biases", "Real")
                    + &plain(6, "read", "weights", "Real")
                    + &storage::writer(7, "out", Format::computed(dtype));
                let line = "(g - (biases[c] + (x - means[c]) * (rstds[c] * weights[c])) / COUNT) \
                            * (rstds[c] * load_weight(c))";
                (bindings, each(&["x", "g"], whole, line), 7, 1)
            }
        };
        let head = storage::reals(dtype, "");
        let text = format!("{IMMEDIATES}{head}{}{bindings}{}", storage::PACKING, fill(&body, &names(dtype)));
        Shader { text, reads, writes }
    }
}

impl Program {
    /// The type that decides what is computed in.
    fn dtype(&self) -> DType {
        match *self {
            Self::Moments { dtype, .. }
            | Self::Join { dtype }
            | Self::Normalise { dtype, .. }
            | Self::Sums { dtype, .. }
            | Self::JoinSums { dtype }
            | Self::Gradient { dtype, .. } => dtype,
        }
    }
}

/// A binding to read of operands or parameters.
fn reader(binding: u32, name: &str, dtype: DType, vectors: bool) -> String {
    storage::reader(binding, name, Format::computed(dtype), vectors)
}

/// A binding of single words or vectors.
fn plain(binding: u32, access: &str, name: &str, element: &str) -> String {
    format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n")
}

/// The mean and the reciprocal deviation of every channel.
fn statistics(first: u32) -> String {
    plain(first, "read", "means", "Real") + &plain(first + 1, "read", "rstds", "Real")
}

/// The type of a word of so many elements, and the sum of them.
fn vector(width: usize) -> String {
    if width == 4 {
        "alias V = vec4<Real>;\nfn fold(v: V) -> Real { return (v.x + v.y) + (v.z + v.w); }\n".into()
    } else {
        "alias V = Real;\nfn fold(v: V) -> Real { return v; }\n".into()
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
        let mut body = format!("{}var made = vec4<Real>(0.0);\n", loads("s"));
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
fn names(dtype: DType) -> Vec<(&'static str, String)> {
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
    let number = |at| storage::number(storage::scalar(dtype), at);
    words.chain(floats.into_iter().map(|(name, at)| (name, number(at)))).collect()
}

/// Every kernel, in both widths.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let dtypes = [DType::F32, DType::F16, DType::BF16, DType::F64];
    let by_type = dtypes.into_iter().flat_map(|dtype| {
        [1, 4].into_iter().flat_map(move |width| {
            let (params, whole) = (if width == 4 { dtype } else { storage::sums(dtype) }, width == 4);
            [
                Program::Moments { dtype, width },
                Program::Sums { dtype, width },
                Program::Normalise { dtype, params, whole },
                Program::Gradient { dtype, params, whole, training: true },
                Program::Gradient { dtype, params, whole, training: false },
            ]
        })
    });
    let joins = [DType::F32, DType::F64].map(|dtype| [Program::Join { dtype }, Program::JoinSums { dtype }]);
    by_type.chain(joins.into_iter().flatten())
}
