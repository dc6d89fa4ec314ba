//! The text of kernels that put values together: each thread looks up what belongs to its place.

use std::fmt::Write;

use trueno_core::DType;

use super::turn::Turn;
use crate::record::Shader;
use crate::storage;
use crate::walk::{IMMEDIATES, slot, store_fours};

/// Operands that one kernel joins.
pub(super) const MOST_JOINED: usize = 6;

/// A kernel that moves elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// A window of a larger value, with a constant around it.
    Place { dtype: DType, rank: usize, vectors: bool },
    /// Several operands along an axis.
    Concat { dtype: DType, inputs: usize, vectors: bool },
    /// A copy with another inner axis.
    Turn(Turn),
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const COUNT: usize = 0;
    pub const FROM_X: usize = 1;
    /// The constant, as words.
    pub const VALUE: usize = 2;
    /// Of each axis the size, where the window begins, its step and its size.
    pub const AXES: usize = 4;
    /// Elements of the result from one index before the axis to the next.
    pub const BLOCK: usize = 1;
    /// Where in a block each operand begins, and the last ends.
    pub const STARTS: usize = 2;
    /// Where each operand's elements begin.
    pub const FROMS: usize = STARTS + super::MOST_JOINED + 1;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
        match *self {
            Self::Turn(program) => program.shader(),
            Self::Place { dtype, rank, vectors } => {
                text += &storage::reader(0, "x", dtype, vectors);
                text += &storage::writer(1, "out", dtype);
                text += &place(dtype, rank, vectors);
                text += &store_fours(storage::four(dtype), vectors, slots::COUNT);
                Shader { text, reads: 1, writes: 1 }
            }
            Self::Concat { dtype, inputs, vectors } => {
                for input in 0..inputs {
                    text += &storage::reader(input as u32, &format!("x{input}"), dtype, vectors);
                }
                text += &storage::writer(inputs as u32, "out", dtype);
                text += &concat(dtype, inputs, vectors);
                text += &store_fours(storage::four(dtype), vectors, slots::COUNT);
                Shader { text, reads: inputs as u32, writes: 1 }
            }
        }
    }
}

/// The head of the function that gives a result.
fn head(dtype: DType, vectors: bool) -> String {
    if vectors {
        format!("fn vector(i: u32) -> {} {{\n", storage::four_type(dtype))
    } else {
        format!("fn element(i: u32) -> {} {{\n", storage::element_type(dtype))
    }
}

fn place(dtype: DType, rank: usize, vectors: bool) -> String {
    let constant = match storage::element_type(dtype) {
        "vec2<u32>" => format!("vec2({}, {})", slot(slots::VALUE), slot(slots::VALUE + 1)),
        other => format!("bitcast<{other}>({})", slot(slots::VALUE)),
    };
    let constant = if vectors && storage::is_pair(dtype) {
        format!("Pairs({constant}, {constant}, {constant}, {constant})")
    } else if vectors {
        format!("vec4({constant})")
    } else {
        constant
    };
    let mut text = head(dtype, vectors);
    text += "var rest = i;\nvar at = 0u;\nvar unit = 1u;\n";
    for axis in (0..rank).rev() {
        let [size, begin, step, count] = [0, 1, 2, 3].map(|word| slot(slots::AXES + 4 * axis + word));
        // Writing to a string cannot fail.
        _ = write!(
            text,
            "{{\nlet c = rest % {size};\nrest = rest / {size};\nlet d = c - {begin};\n\
             if c < {begin} || d % {step} != 0u || d / {step} >= {count} {{ return {constant}; }}\n\
             at += d / {step} * unit;\nunit *= {count};\n}}\n"
        );
    }
    let place = format!("{} + at", slot(slots::FROM_X));
    text + &if vectors {
        format!("return load_x(({place}) / 4u);\n}}\n")
    } else {
        format!("return load_x({place});\n}}\n")
    }
}

fn concat(dtype: DType, inputs: usize, vectors: bool) -> String {
    let mut text = head(dtype, vectors);
    _ = writeln!(text, "let block = i / {0};\nlet r = i % {0};", slot(slots::BLOCK));
    for input in (0..inputs).rev() {
        let [start, end] = [0, 1].map(|next| slot(slots::STARTS + input + next));
        let at = format!("{} + block * ({end} - {start}) + r - {start}", slot(slots::FROMS + input));
        let at = if vectors { format!("({at}) / 4u") } else { at };
        let condition = if input > 0 { format!("if r >= {start} {{ return ") } else { "return ".into() };
        _ = writeln!(text, "{condition}load_x{input}({at});{}", if input > 0 { " }" } else { "" });
    }
    text + "}\n"
}

/// Every kind, in every type.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let turned = DType::ALL.into_iter().filter(|&dtype| !storage::is_pair(dtype));
    let turned =
        turned.enumerate().map(|(at, dtype)| Program::Turn(Turn { dtype, rank: at % 3, vectors: at % 2 == 0 }));
    let placed = DType::ALL.into_iter().flat_map(|dtype| {
        [true, false].into_iter().flat_map(move |vectors| {
            let inputs = if vectors { 2 } else { MOST_JOINED };
            [Program::Place { dtype, rank: 3, vectors }, Program::Concat { dtype, inputs, vectors }]
        })
    });
    placed.chain(turned)
}
