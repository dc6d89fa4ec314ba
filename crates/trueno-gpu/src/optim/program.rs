//! The text of steps and norms.

use trueno_core::DType;

use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, slot};

/// A step, or a part of a norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Sgd {
        /// The gradient's type.
        grad: DType,
        /// Whether the gradient is multiplied by a factor on the device.
        scaled: bool,
        /// Whether there is momentum.
        moving: bool,
        /// Whether the velocity begins with this step.
        first: bool,
        nesterov: bool,
    },
    Adam {
        grad: DType,
        scaled: bool,
        amsgrad: bool,
    },
    /// Sums of squares of one gradient.
    Squares {
        grad: DType,
    },
    /// The norm of all, and the factor that limits it.
    Norm {
        /// Of the sums.
        dtype: DType,
    },
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const VECTORS: usize = 0;
    pub const FROM_G: usize = 1;
    /// Elements, or parts of a sum.
    pub const COUNT: usize = 2;
    /// Where the parts of a gradient begin.
    pub const FIRST: usize = 3;
    /// The constants of a step, in the order in which the text names them.
    pub const CONSTANTS: usize = 4;
}

/// Vectors of a gradient that a workgroup adds up.
pub(super) const SPAN: usize = 2048;

const SGD: [&str; 4] = ["LR", "MOMENTUM", "FRESH", "WEIGHT_DECAY"];
const ADAM: [&str; 8] = ["KEEP", "WEIGHT_DECAY", "FRESH1", "BETA2", "FRESH2", "ROOT_CORRECTION", "EPS", "STEP_SIZE"];

impl Program {
    pub fn shader(&self) -> Shader {
        match *self {
            Self::Sgd { grad, scaled, moving, first, nesterov } => {
                let velocity = if first { "g" } else { "velocity[i] * MOMENTUM + g * FRESH" };
                let direction = if nesterov { "g + v * MOMENTUM" } else { "v" };
                let body = include_str!("sgd.wgsl").replace("VELOCITY", velocity).replace("DIRECTION", direction);
                let states: &[&str] = if moving { &["parameter", "velocity"] } else { &["parameter"] };
                step(grad, scaled, states, &keep_lines(&body, "moving ", moving), &SGD)
            }
            Self::Adam { grad, scaled, amsgrad } => {
                let states = ["parameter", "mean", "square", "largest"];
                let states = if amsgrad { &states[..] } else { &states[..3] };
                step(grad, scaled, states, &keep_lines(include_str!("adam.wgsl"), "amsgrad ", amsgrad), &ADAM)
            }
            Self::Squares { grad } => squares(grad),
            Self::Norm { dtype } => norm(dtype),
        }
    }
}

/// A text with the lines that begin with a word, or without them.
fn keep_lines(text: &str, word: &str, keep: bool) -> String {
    let lines = text.lines().filter_map(|line| match line.strip_prefix(word) {
        Some(rest) => keep.then_some(rest),
        None => Some(line),
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A kernel that reads a gradient and changes states in place.
fn step(grad: DType, scaled: bool, states: &[&str], body: &str, constants: &[&str]) -> Shader {
    let mut text = head(grad);
    if scaled {
        text += "@group(0) @binding(1) var<storage, read> factor: array<Real>;\n";
    }
    let reads = 1 + u32::from(scaled);
    for (binding, state) in (reads..).zip(states) {
        text += &format!("@group(0) @binding({binding}) var<storage, read_write> {state}: array<vec4<Real>>;\n");
    }
    let mut main = include_str!("main.wgsl")
        .replace("BODY", body)
        .replace("FACTOR", if scaled { "factor[0]" } else { "1.0" })
        .replace("VECTORS", &slot(slots::VECTORS))
        .replace("FROM_G", &slot(slots::FROM_G));
    let scalar = storage::scalar(grad);
    for (at, name) in constants.iter().enumerate() {
        let first = slots::CONSTANTS + at * storage::words_of_scalar(scalar);
        main = main.replace(name, &storage::number(scalar, first));
    }
    Shader { text: text + &main, reads, writes: states.len() as u32 }
}

fn squares(grad: DType) -> Shader {
    let mut text = head(grad) + "@group(0) @binding(1) var<storage, read_write> partial: array<Real>;\n";
    text += &include_str!("squares.wgsl")
        .replace("SPAN", &format!("{SPAN}u"))
        .replace("VECTORS", &slot(slots::VECTORS))
        .replace("FROM_G", &slot(slots::FROM_G))
        .replace("COUNT", &slot(slots::COUNT))
        .replace("FIRST", &slot(slots::FIRST));
    Shader { text, reads: 1, writes: 1 }
}

/// What a kernel begins with that reads a gradient.
fn head(grad: DType) -> String {
    let reader = storage::reader(0, "grad", Format::computed(grad), true);
    format!("{IMMEDIATES}{}{}{reader}", storage::reals(grad, ""), storage::PACKING)
}

fn norm(dtype: DType) -> Shader {
    let mut text = format!("{IMMEDIATES}{}", storage::reals(dtype, ""));
    text += "@group(0) @binding(0) var<storage, read> partial: array<Real>;\n\
             @group(0) @binding(1) var<storage, read_write> norm: array<Real>;\n\
             @group(0) @binding(2) var<storage, read_write> factor: array<Real>;\n";
    text += &include_str!("norm.wgsl")
        .replace("COUNT", &slot(slots::COUNT))
        .replace("MAX_NORM", &storage::number(storage::scalar(dtype), slots::CONSTANTS));
    Shader { text, reads: 1, writes: 2 }
}

/// Every step.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let flags = [false, true];
    let grads = [DType::F32, DType::F16, DType::BF16, DType::F64];
    let kinds = [(false, false, false), (true, true, false), (true, false, false), (true, false, true)];
    let sgd = flags.into_iter().zip([DType::F32, DType::F64]).flat_map(move |(scaled, grad)| {
        kinds.map(|(moving, first, nesterov)| Program::Sgd { grad, scaled, moving, first, nesterov })
    });
    let adam = grads.into_iter().flat_map(move |grad| {
        flags.into_iter().flat_map(move |scaled| flags.map(|amsgrad| Program::Adam { grad, scaled, amsgrad }))
    });
    let norms = [DType::F32, DType::F64].map(|dtype| Program::Norm { dtype });
    sgd.chain(adam).chain(grads.map(|grad| Program::Squares { grad })).chain(norms)
}
