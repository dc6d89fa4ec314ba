//! The text of steps and norms.

use std::any::TypeId;
use std::hash::{Hash, Hasher};

use trueno_core::DType;
use trueno_core::math::wgsl::Scalar;
use trueno_core::optim::{FLAGS, FUNCTION, NUMBERS, Update, shader};

use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, slot};

/// A step, or a part of a norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Step {
        formula: Formula,
        /// The gradient's type.
        grad: DType,
        /// Whether the gradient is multiplied by a factor on the device.
        scaled: bool,
    },
    /// Sums of squares of one gradient.
    Squares { grad: DType },
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
    /// What a gradient is multiplied by, up to two words.
    pub const FACTOR: usize = 4;
    /// The numbers of a step, in the order of its formula.
    pub const NUMBERS: usize = 6;
}

/// Vectors of a gradient that a workgroup adds up.
pub(super) const SPAN: usize = 2048;

/// The formula of a rule: what it computes is told by the rule, the flags and the number of states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Formula {
    rule: TypeId,
    flags: [bool; FLAGS],
    states: usize,
    text: fn(Scalar, [bool; FLAGS], usize) -> String,
}

impl Formula {
    pub fn of<R: Update>(flags: [bool; FLAGS], states: usize) -> Self {
        Formula { rule: TypeId::of::<R>(), flags, states, text: shader::<R> }
    }

    fn key(&self) -> (TypeId, [bool; FLAGS], usize) {
        (self.rule, self.flags, self.states)
    }
}

impl PartialEq for Formula {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Formula {}

impl Hash for Formula {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl Program {
    pub fn shader(&self) -> Shader {
        match *self {
            Self::Step { formula, grad, scaled } => step(formula, grad, scaled),
            Self::Squares { grad } => squares(grad),
            Self::Norm { dtype } => norm(dtype),
        }
    }
}

/// A kernel that reads a gradient and changes a parameter and its states in place.
fn step(formula: Formula, grad: DType, scaled: bool) -> Shader {
    let scalar = storage::scalar(grad);
    let function = (formula.text)(scalar, formula.flags, formula.states);
    let mut text = head(grad, &function);
    if scaled {
        text += "@group(0) @binding(1) var<storage, read> factor: array<Real>;\n";
    }
    let reads = 1 + u32::from(scaled);
    let names: Vec<String> =
        ["parameter".into()].into_iter().chain((0..formula.states).map(|state| format!("state{state}"))).collect();
    for (binding, name) in (reads..).zip(&names) {
        text += &format!("@group(0) @binding({binding}) var<storage, read_write> {name}: array<vec4<Real>>;\n");
    }
    text += &function;
    let factor = storage::number(scalar, slots::FACTOR);
    text += &include_str!("main.wgsl")
        .replace("BODY", &body(scalar, &names))
        .replace("FACTOR", &if scaled { format!("({factor} * factor[0])") } else { factor })
        .replace("VECTORS", &slot(slots::VECTORS))
        .replace("FROM_G", &slot(slots::FROM_G))
        .replace("SETTLE", &storage::settle(grad));
    Shader { text, reads, writes: names.len() as u32 }
}

/// What a thread does with the four elements at `i` of every buffer, by their names, and their gradients `g`.
fn body(scalar: Scalar, names: &[String]) -> String {
    let numbers: Vec<String> = (0..NUMBERS)
        .map(|at| storage::number(scalar, slots::NUMBERS + at * storage::words_of_scalar(scalar)))
        .collect();
    let (numbers, states) = (numbers.join(", "), &names[1..]);
    let mut text = String::new();
    for lane in ["x", "y", "z", "w"] {
        let states: String = states.iter().map(|name| format!("{name}[i].{lane}, ")).collect();
        text += &format!("let {lane} = {FUNCTION}(parameter[i].{lane}, g.{lane}, {states}{numbers});\n");
    }
    for (at, name) in names.iter().enumerate() {
        // A function of one result gives it as itself.
        let result = if states.is_empty() { String::new() } else { format!("[{at}]") };
        text += &format!("{name}[i] = vec4<Real>(x{result}, y{result}, z{result}, w{result});\n");
    }
    text
}

fn squares(grad: DType) -> Shader {
    let mut text = head(grad, "") + "@group(0) @binding(1) var<storage, read_write> partial: array<Real>;\n";
    text += &include_str!("squares.wgsl")
        .replace("SPAN", &format!("{SPAN}u"))
        .replace("VECTORS", &slot(slots::VECTORS))
        .replace("FROM_G", &slot(slots::FROM_G))
        .replace("COUNT", &slot(slots::COUNT))
        .replace("FIRST", &slot(slots::FIRST));
    Shader { text, reads: 1, writes: 1 }
}

/// What a kernel begins with that reads a gradient, and calls what `text` does.
fn head(grad: DType, text: &str) -> String {
    let reader = storage::reader(0, "grad", Format::computed(grad), true);
    format!("{IMMEDIATES}{}{}{reader}", storage::reals(grad, text), storage::PACKING)
}

fn norm(dtype: DType) -> Shader {
    let mut text = format!("{IMMEDIATES}{}", storage::reals(dtype, ""));
    text += "@group(0) @binding(0) var<storage, read> partial: array<Real>;\n\
             @group(0) @binding(1) var<storage, read_write> norm: array<Real>;\n\
             @group(0) @binding(2) var<storage, read_write> factor: array<Real>;\n";
    text += &include_str!("norm.wgsl")
        .replace("COUNT", &slot(slots::COUNT))
        .replace("MAX_NORM", &storage::number(storage::scalar(dtype), slots::NUMBERS));
    Shader { text, reads: 1, writes: 2 }
}

/// Every kind of step, and the norms.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let grads = [DType::F32, DType::F16, DType::BF16, DType::F64];
    let steps = grads.into_iter().flat_map(|grad| {
        [false, true].into_iter().flat_map(move |scaled| {
            (0..=trueno_core::optim::MAX_STATES).map(move |states| {
                let formula = Formula::of::<super::tests::Chain>([scaled; FLAGS], states);
                Program::Step { formula, grad, scaled }
            })
        })
    });
    let norms = [DType::F32, DType::F64].map(|dtype| Program::Norm { dtype });
    steps.chain(grads.map(|grad| Program::Squares { grad })).chain(norms)
}
