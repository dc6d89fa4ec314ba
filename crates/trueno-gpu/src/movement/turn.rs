//! Copies that change which axis is the inner one: transposes, and images from channels first to channels last.

use smallvec::SmallVec;
use trueno_core::{DType, Result};

use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch, Shader};
use crate::storage;
use crate::walk::{Axes, IMMEDIATES, fill, index, position, slot, write_axes};

/// Rows and columns of the part that a workgroup copies.
const SIDE: usize = 64;

/// The least size of both axes: below it most of a tile would be empty.
const LEAST: usize = 16;

/// A copy by tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    pub dtype: DType,
    /// Axes besides those two.
    pub rank: usize,
    /// Whether the operand is read in vectors.
    pub vectors: bool,
}

/// The places of scalars among the immediates.
mod slots {
    pub const LAYERS: usize = 0;
    pub const FROM: usize = 1;
    /// The result's inner axis and the operand's.
    pub const SIZE_M: usize = 2;
    pub const SIZE_N: usize = 3;
    /// How far elements of the result's inner axis are apart in the operand, and those of the operand's in the result.
    pub const SOURCE_M: usize = 4;
    pub const MADE_N: usize = 5;
    /// The other axes in the operand, and then in the result.
    pub const AXES: usize = 6;
}

/// An axis, with its strides in the operand and in the result.
type Axis = (usize, [isize; 2]);

/// The elements in row-major order, where tiles copy them faster than one by one: where the inner axis of the result is not that of
/// the operand, and both are long enough.
pub(crate) fn turned(op: &'static str, x: &View<'_>) -> Result<Option<Buffer>> {
    let dtype = x.buffer().dtype();
    let axes = joint(x);
    let inner = |&(size, [source, _]): &Axis| source == 1 && size >= LEAST;
    let (Some((&(size_m, [source_m, _]), others)), false) = (axes.split_last(), storage::is_pair(dtype)) else {
        return Ok(None);
    };
    let Some(at) = others.iter().position(inner).filter(|_| size_m >= LEAST && size_m.is_multiple_of(4)) else {
        return Ok(None);
    };
    let (size_n, [_, made_n]) = others[at];
    let outer: SmallVec<[Axis; 6]> =
        others.iter().enumerate().filter(|&(i, _)| i != at).map(|(_, &axis)| axis).collect();
    let walk = |which: usize| Axes {
        sizes: outer.iter().map(|axis| axis.0).collect(),
        strides: outer.iter().map(|axis| axis.1[which]).collect(),
    };
    let by_vectors = |stride: isize| stride % 4 == 0;
    let vectors = size_n.is_multiple_of(4)
        && x.layout().offset().is_multiple_of(4)
        && by_vectors(source_m)
        && outer.iter().all(|axis| by_vectors(axis.1[0]));
    let layers: usize = outer.iter().map(|axis| axis.0).product();
    let mut immediates = Immediates::default();
    let words = [(slots::LAYERS, layers), (slots::FROM, x.layout().offset()), (slots::SIZE_M, size_m)];
    for (slot, word) in words.into_iter().chain([(slots::SIZE_N, size_n), (slots::MADE_N, made_n as usize)]) {
        immediates[slot] = index(op, word)?;
    }
    // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
    immediates[slots::SOURCE_M] = source_m as u32;
    if write_axes(op, &mut immediates, slots::AXES, [&walk(0), &walk(1)]).is_err() {
        return Ok(None);
    }
    let device = x.buffer().device();
    let output = Buffer::new(device, op, dtype, x.layout().size())?;
    let groups = record::grid(device, layers * size_m.div_ceil(SIDE) * size_n.div_ceil(SIDE));
    let program = record::Program::Movement(super::Program::Turn(Turn { dtype, rank: outer.len(), vectors }));
    Launch { op, program, reads: &[x.buffer()], writes: &[&output], immediates, groups }.record(device)?;
    Ok(Some(output))
}

/// The axes of a view and of its row-major copy, merged where both allow.
fn joint(x: &View<'_>) -> SmallVec<[Axis; 6]> {
    let mut merged: SmallVec<[Axis; 6]> = SmallVec::new();
    let mut made: isize = x.layout().size() as isize;
    for (&size, &source) in x.shape().iter().zip(x.layout().strides()).filter(|&(&size, _)| size != 1) {
        made /= (size as isize).max(1);
        match merged.last_mut() {
            Some((joined, strides)) if strides[0] == source * size as isize => {
                (*joined, *strides) = (*joined * size, [source, made])
            }
            _ => merged.push((size, [source, made])),
        }
    }
    merged
}

impl Turn {
    pub fn shader(&self) -> Shader {
        let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
        text += &(storage::reader(0, "x", self.dtype, self.vectors) + &storage::writer(1, "out", self.dtype));
        text += &position("source_at", self.rank, slots::AXES);
        text += &position("made_at", self.rank, slots::AXES + 2 * self.rank);
        let four = storage::four(self.dtype);
        let read = if self.vectors {
            "let v = load_x((source + m * SOURCE_M + min(n0 + quad, SIZE_N - 4u)) / 4u);".to_owned()
        } else {
            let one = |lane| format!("load_x(source + m * SOURCE_M + min(n0 + quad + {lane}u, SIZE_N - 1u))");
            format!("let v = {four}({});", [0, 1, 2, 3].map(one).join(", "))
        };
        let names = [
            ("READ", read),
            ("FOUR", four.to_owned()),
            ("ELEMENT", storage::element_type(self.dtype).to_owned()),
            ("TOTAL", (SIDE * (SIDE + 1)).to_string()),
            ("SIDE", format!("{SIDE}u")),
            ("LAYERS", slot(slots::LAYERS)),
            ("FROM", slot(slots::FROM)),
            ("SIZE_M", slot(slots::SIZE_M)),
            ("SIZE_N", slot(slots::SIZE_N)),
            ("SOURCE_M", slot(slots::SOURCE_M)),
            ("MADE_N", slot(slots::MADE_N)),
        ];
        text += &fill(&fill(include_str!("turn.wgsl"), &names), &names);
        Shader { text, reads: 1, writes: 1 }
    }
}
