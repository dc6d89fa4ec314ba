//! The text of kernels that read at positions and add to them.

use trueno_core::DType;
use trueno_core::math::wgsl::PRELUDE;

use crate::record::{Checked, Shader};
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, position, slot, store_fours};

/// A kernel over positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Elements at positions.
    Take {
        op: Checked,
        dtype: DType,
        /// Axes of the result, as the operand is walked along them.
        rank: usize,
        /// Whether the positions are those of slices.
        slices: bool,
        /// Whether elements come as whole vectors.
        vectors: bool,
    },
    /// Chains of what goes to one place.
    Links { op: Checked },
    /// Sums along chains.
    Sum {
        dtype: DType,
        /// Whether chains are of slices.
        slices: bool,
        vectors: bool,
    },
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    /// Results, or positions.
    pub const COUNT: usize = 0;
    /// Elements of a slice that lie on one line.
    pub const INNER: usize = 1;
    /// Positions along the axis.
    pub const LENGTH: usize = 2;
    /// The size of the axis that positions are in.
    pub const SIZE: usize = 3;
    pub const AXIS: usize = 4;
    pub const FROM_P: usize = 5;
    pub const FROM_X: usize = 6;
    /// The stride of that axis.
    pub const STRIDE: usize = 7;
    pub const AXES: usize = 8;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let (text, reads, writes) = match *self {
            Self::Take { op, dtype, rank, slices, vectors } => (take(op, dtype, rank, slices, vectors), 2, 2),
            Self::Links { op } => (links(op), 1, 3),
            Self::Sum { dtype, slices, vectors } => (sum(dtype, slices, vectors), 3, 1),
        };
        let text = text
            .replace("COUNT", &slot(slots::COUNT))
            .replace("INNER", &slot(slots::INNER))
            .replace("LENGTH", &slot(slots::LENGTH))
            .replace("SIZE", &slot(slots::SIZE))
            .replace("AXIS", &slot(slots::AXIS))
            .replace("FROM_P", &slot(slots::FROM_P))
            .replace("FROM_X", &slot(slots::FROM_X))
            .replace("STRIDE", &slot(slots::STRIDE));
        Shader { text, reads, writes }
    }
}

const POSITIONS: &str = "var<storage, read> positions: array<vec2<u32>>;\n";

fn take(op: Checked, dtype: DType, rank: usize, slices: bool, vectors: bool) -> String {
    let mut text = format!("{IMMEDIATES}{PRELUDE}{}", storage::PACKING);
    text += &storage::reader(0, "x", dtype, vectors);
    text += &format!("@group(0) @binding(1) {POSITIONS}");
    text += &storage::writer(2, "out", dtype);
    text += &op.text(3);
    text += &position("walk", rank, slots::AXES);
    text += include_str!("position.wgsl");
    let which = if slices { "(i / INNER) % LENGTH" } else { "i" };
    let at = format!("FROM_X + walk(i) + checked_place({which}) * STRIDE");
    text += &if vectors {
        format!("fn vector(i: u32) -> {} {{ return load_x(({at}) / 4u); }}\n", storage::four_type(dtype))
    } else {
        format!("fn element(i: u32) -> {} {{ return load_x({at}); }}\n", storage::element_type(dtype))
    };
    text + &store_fours(storage::four(dtype), vectors, slots::COUNT)
}

fn links(op: Checked) -> String {
    let mut text = format!("{IMMEDIATES}@group(0) @binding(0) {POSITIONS}");
    text += "@group(0) @binding(1) var<storage, read_write> heads: array<atomic<u32>>;\n\
             @group(0) @binding(2) var<storage, read_write> next: array<u32>;\n";
    text += &op.text(3);
    text + include_str!("position.wgsl") + include_str!("links.wgsl")
}

fn sum(dtype: DType, slices: bool, vectors: bool) -> String {
    let mut text = format!("{IMMEDIATES}{PRELUDE}{}", storage::PACKING);
    let format = Format::computed(dtype);
    text += &storage::reader(0, "x", format, vectors);
    text += "@group(0) @binding(1) var<storage, read> heads: array<u32>;\n\
             @group(0) @binding(2) var<storage, read> next: array<u32>;\n";
    text += &storage::writer(3, "out", format);
    let (head, at) = if slices {
        ("(i / INNER) % SIZE", "(i / (INNER * SIZE) * LENGTH + j) * INNER + i % INNER")
    } else {
        ("i", "j")
    };
    let (name, gives, load) = if vectors {
        ("vector", storage::four_type(format), format!("load_x((FROM_X + {at}) / 4u)"))
    } else {
        ("element", storage::element_type(format).into(), format!("load_x(FROM_X + {at})"))
    };
    text += &format!(
        "fn {name}(i: u32) -> {gives} {{\nvar sum = {gives}();\n\
         for (var j = heads[{head}]; j != 0xffffffffu; j = next[j]) {{ sum += {load}; }}\nreturn sum;\n}}\n"
    );
    text + &store_fours(storage::four(format), vectors, slots::COUNT)
}

/// Every kind, in every type that it takes.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let takes = DType::ALL.into_iter().flat_map(|dtype| {
        [(Checked::IndexSelect, true, true), (Checked::IndexSelect, true, false), (Checked::Gather, false, false)]
            .map(|(op, slices, vectors)| Program::Take { op, dtype, rank: 2, slices, vectors })
    });
    let sums = [DType::F32, DType::F16, DType::BF16, DType::F64].into_iter().flat_map(|dtype| {
        [(true, true), (true, false), (false, false)].map(|(slices, vectors)| Program::Sum { dtype, slices, vectors })
    });
    let links = [Checked::IndexAdd, Checked::ScatterAdd].map(|op| Program::Links { op });
    takes.chain(sums).chain(links)
}
