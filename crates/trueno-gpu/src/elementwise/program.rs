//! The text of an elementwise kernel: each thread computes four consecutive elements of the result.

use std::fmt::Write;

use smallvec::SmallVec;
use trueno_core::DType;
use trueno_core::math::wgsl::{PRELUDE, SETTLED, Scalar};

use super::Formula;
use crate::double;
use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::slot;

/// Threads of a workgroup.
pub(super) const THREADS: usize = 256;

/// How a thread finds its four elements of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// In the result's own order: one vector, at the thread's number.
    Whole,
    /// One element for all.
    Constant,
    /// One vector, where the layout says; the four are neighbours.
    Vector,
    /// Four elements, where the layout says.
    Strided,
}

/// An elementwise kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub formula: Formula,
    /// What it computes in.
    pub scalar: Scalar,
    pub operands: SmallVec<[(DType, Access); 4]>,
    pub result: DType,
    /// Axes that strided operands are walked along; 0 where there are none.
    pub rank: usize,
    /// Whether the last axis is a multiple of four long, so that no four elements straddle it.
    pub aligned: bool,
}

/// The place of each scalar among the immediates.
pub(super) struct Slots {
    /// Words of the parameters.
    parameters: usize,
    operands: usize,
    rank: usize,
    walked: usize,
}

impl Slots {
    pub const COUNT: usize = 0;
    pub const PARAMETERS: usize = 1;

    fn offset(&self, operand: usize) -> usize {
        Self::PARAMETERS + self.parameters + operand
    }

    /// The size of an axis; that of the first is never needed.
    fn size(&self, axis: usize) -> usize {
        self.offset(self.operands) + axis - 1
    }

    fn stride(&self, walked: usize, axis: usize) -> usize {
        self.offset(self.operands) + self.rank.saturating_sub(1) + walked * self.rank + axis
    }

    fn total(&self) -> usize {
        self.stride(self.walked, 0)
    }
}

impl Program {
    fn slots(&self) -> Slots {
        Slots {
            parameters: self.formula.parameters() * storage::words_of_scalar(self.scalar),
            operands: self.operands.len(),
            rank: self.rank,
            walked: self.operands.iter().filter(|(_, access)| access.is_walked()).count(),
        }
    }

    /// Words of immediates that it reads.
    pub fn words(&self) -> usize {
        self.slots().total()
    }

    /// The slot of an operand's offset.
    pub fn offset_slot(&self, operand: usize) -> usize {
        self.slots().offset(operand)
    }

    /// The slot of an axis's size.
    pub fn size_slot(&self, axis: usize) -> usize {
        self.slots().size(axis)
    }

    /// The slot of a stride of the walked operand number `walked`.
    pub fn stride_slot(&self, walked: usize, axis: usize) -> usize {
        self.slots().stride(walked, axis)
    }

    pub fn shader(&self) -> Shader {
        let mut text =
            String::from("struct Immediates { w: array<vec4<u32>, 8> }\nvar<immediate> immediates: Immediates;\n");
        let dtype = self.operands.last().map_or(self.result, |&(dtype, _)| dtype);
        let formula = self.formula.text(self.scalar, dtype);
        if self.scalar == Scalar::F64 {
            text.push_str(&double::prelude(&formula));
        } else {
            text.push_str(PRELUDE);
            text.push_str(if self.is_settled() { SETTLED } else { "" });
        }
        text.push_str(storage::PACKING);
        if self.operands.iter().any(|&(dtype, _)| self.format(dtype).is_pair()) || self.format(self.result).is_pair() {
            text.push_str(storage::PAIRS);
        }
        for (index, &(dtype, access)) in self.operands.iter().enumerate() {
            let vectors = matches!(access, Access::Whole | Access::Vector);
            text.push_str(&storage::reader(index as u32, &format!("in{index}"), self.format(dtype), vectors));
        }
        let (reads, writes) = (self.operands.len() as u32, self.formula.results() as u32);
        for result in 0..writes {
            text.push_str(&storage::writer(reads + result, &format!("out{result}"), self.format(self.result)));
        }
        text.push_str(&formula);
        text.push_str(&self.main());
        Shader { text, reads, writes }
    }

    /// How the kernel sees elements of a type.
    fn format(&self, dtype: DType) -> Format {
        Format::of(dtype, self.scalar)
    }

    /// Whether its text calls `settled`, whose zero the kernel sets. Functions of `f64` do.
    fn is_settled(&self) -> bool {
        self.formula.is_settled() || self.scalar == Scalar::F64
    }

    fn main(&self) -> String {
        let mut text = format!(
            "@compute @workgroup_size({THREADS})\n\
             fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, \
             @builtin(local_invocation_index) lane: u32) {{\n\
             let count = {};\nlet i = (group.y * groups.x + group.x) * {THREADS}u + lane;\nlet first = i * 4u;\n\
             if first >= count {{ return; }}\n",
            slot(Slots::COUNT),
        );
        if self.is_settled() {
            // Grids are flat, but that is the host's to know.
            text.push_str("unknown_zero = groups.z - 1u;\n");
        }
        for (index, &(dtype, access)) in self.operands.iter().enumerate() {
            let offset = slot(self.offset_slot(index));
            // Writing to a string cannot fail.
            _ = match access {
                Access::Whole => writeln!(text, "let x{index} = load_in{index}(i + {offset} / 4u);"),
                Access::Constant => {
                    writeln!(text, "let x{index} = {};", self.same(dtype, &format!("load_in{index}({offset})")))
                }
                Access::Vector | Access::Strided => Ok(()),
            };
        }
        if self.rank > 0 {
            text.push_str(&if self.aligned { self.aligned_loads() } else { self.scattered_loads() });
        }
        for at in 0..self.formula.parameters() {
            let first = Slots::PARAMETERS + at * storage::words_of_scalar(self.scalar);
            _ = writeln!(text, "let p{at} = {};", storage::number(self.scalar, first));
        }
        text.push_str(&self.stores());
        text.push_str("}\n");
        text
    }

    /// Computes four elements and stores them.
    fn stores(&self) -> String {
        const LANES: [&str; 4] = ["x", "y", "z", "w"];
        let value = |lane: &str| {
            let operands = (0..self.operands.len()).map(|index| format!("x{index}.{lane}"));
            let parameters = (0..self.formula.parameters()).map(|at| format!("p{at}"));
            format!("value({})", operands.chain(parameters).collect::<Vec<_>>().join(", "))
        };
        let four = storage::four(self.format(self.result));
        let results = self.formula.results();
        if results == 1 {
            return format!("store_out0(i, {four}({}));\n", LANES.map(value).join(", "));
        }
        let mut text: String = LANES.iter().map(|lane| format!("let y_{lane} = {};\n", value(lane))).collect();
        for result in 0..results {
            let lanes = LANES.map(|lane| format!("y_{lane}[{result}]")).join(", ");
            _ = writeln!(text, "store_out{result}(i, {four}({lanes}));");
        }
        text
    }

    /// The operands that are walked, with their number among those and whether four neighbours are one vector.
    fn walked(&self) -> impl Iterator<Item = (usize, usize, DType, Access)> {
        let walked = self.operands.iter().enumerate().filter(|(_, (_, access))| access.is_walked());
        walked.enumerate().map(|(number, (index, &(dtype, access)))| (number, index, dtype, access))
    }

    /// The coordinates of element `e`, as statements.
    fn coordinates(&self, e: &str) -> String {
        let mut text = format!("var rest = {e};\n");
        for axis in (1..self.rank).rev() {
            let size = slot(self.size_slot(axis));
            _ = writeln!(text, "let c{axis} = rest % {size}; rest = rest / {size};");
        }
        text.push_str("let c0 = rest;\n");
        text
    }

    /// Where the element with those coordinates lies. Negative strides wrap around, and back.
    fn position(&self, number: usize, index: usize) -> String {
        let steps = (0..self.rank).map(|axis| format!(" + c{axis} * {}", slot(self.stride_slot(number, axis))));
        slot(self.offset_slot(index)) + &steps.collect::<String>()
    }

    /// The four elements lie on one line of the last axis.
    fn aligned_loads(&self) -> String {
        let mut text = self.coordinates("first");
        for (number, index, dtype, access) in self.walked() {
            let at = self.position(number, index);
            let step = slot(self.stride_slot(number, self.rank - 1));
            _ = match access {
                Access::Vector => writeln!(text, "let x{index} = load_in{index}(({at}) / 4u);"),
                _ => writeln!(
                    text,
                    "let at{index} = {at}; let step{index} = {step};\n\
                     let x{index} = {}(load_in{index}(at{index}), load_in{index}(at{index} + step{index}), \
                     load_in{index}(at{index} + 2u * step{index}), load_in{index}(at{index} + 3u * step{index}));",
                    storage::four(self.format(dtype)),
                ),
            };
        }
        text
    }

    /// Each of the four elements is found by itself; those beyond the end repeat the last.
    fn scattered_loads(&self) -> String {
        let mut text = String::new();
        for (_, index, dtype, _) in self.walked() {
            let first = format!("load_in{index}({})", slot(self.offset_slot(index)));
            _ = writeln!(text, "var x{index} = {};", self.same(dtype, &first));
        }
        for (lane, member) in ["x", "y", "z", "w"].into_iter().enumerate() {
            _ = writeln!(text, "{{\n{}", self.coordinates(&format!("min(first + {lane}u, count - 1u)")));
            for (number, index, ..) in self.walked() {
                _ = writeln!(text, "x{index}.{member} = load_in{index}({});", self.position(number, index));
            }
            text.push_str("}\n");
        }
        text
    }

    /// Four times one element of `dtype`.
    fn same(&self, dtype: DType, element: &str) -> String {
        match storage::four(self.format(dtype)) {
            "Pairs" => format!("Pairs({element}, {element}, {element}, {element})"),
            vector => format!("{vector}({element})"),
        }
    }
}

impl Access {
    pub fn is_walked(self) -> bool {
        matches!(self, Self::Vector | Self::Strided)
    }
}

/// Every formula over what it computes in, and every way to read an operand.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    use super::Side;
    use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
    let f32s = (DType::F32, Scalar::F32);
    let floats = [f32s, (DType::F64, Scalar::F64)];
    let integers = [(DType::I32, Scalar::I32), (DType::U32, Scalar::U32), (DType::I64, Scalar::I64)];
    let mut cases = Vec::new();
    for &op in UnaryOp::ALL {
        cases.extend(floats.iter().flat_map(|&t| [(Formula::Unary(op), t), (Formula::UnaryGrad(op), t)]));
        cases.extend(integers.into_iter().filter(|_| op.info().integers).map(|t| (Formula::Unary(op), t)));
    }
    for &op in BinaryOp::ALL {
        for t in floats {
            let sides = [Side::Left, Side::Right].map(|side| (Formula::BinaryGrad(op, side), t));
            cases.extend(sides.into_iter().chain([(Formula::Binary(op), t)]));
        }
        cases.extend(integers.into_iter().filter(|_| op.info().integers).map(|t| (Formula::Binary(op), t)));
    }
    for &op in CompareOp::ALL {
        let types = [f32s, (DType::I32, Scalar::I32), (DType::U32, Scalar::U32), (DType::Bool, Scalar::U32)];
        cases.extend(types.into_iter().map(|t| (Formula::Compare(op), t)));
    }
    for &op in TernaryOp::ALL {
        for t in floats {
            cases.push((Formula::Ternary(op), t));
            cases.extend((0..3).map(|index| (Formula::TernaryGrad(op, index), t)));
        }
    }
    cases.extend(floats.map(|t| (Formula::ScaledExp, t)));
    // Each in all the ways to read operands, with one and with several results.
    let listing = super::tests::affine();
    let gradients = [0b010, 0b101, 0b111].map(|wanted| Formula::FusedGrad(listing, wanted));
    for t in [floats; 5].into_iter().flatten() {
        cases.extend([Formula::Fused(listing)].into_iter().chain(gradients).map(|formula| (formula, t)));
    }
    cases.extend(ReduceOp::ALL.iter().flat_map(|&op| floats.map(|t| (Formula::ReduceGrad(op), t))));
    for from in DType::ALL {
        let scalar = if storage::is_pair(from) { Scalar::U32 } else { storage::scalar(from) };
        cases.extend(DType::ALL.map(|to| (Formula::Cast(from, to), (from, scalar))));
        cases.extend([(Formula::Fill, (from, scalar)), (Formula::Where, (from, scalar))]);
    }
    for pair in [DType::I64, DType::F64] {
        cases.extend(CompareOp::ALL.iter().map(|&op| (Formula::Compare(op), (pair, Scalar::U32))));
    }
    let shapes = [
        (Access::Whole, 0, true),
        (Access::Constant, 0, true),
        (Access::Vector, 2, true),
        (Access::Strided, 3, true),
        (Access::Strided, 2, false),
    ];
    cases.into_iter().enumerate().flat_map(move |(at, (formula, (dtype, scalar)))| {
        // Each formula in one of the ways, and some in all.
        let ways: Vec<_> = if at % 40 == 0 { shapes.to_vec() } else { vec![shapes[at % shapes.len()]] };
        ways.into_iter().map(move |(access, rank, aligned)| {
            let mut operands: SmallVec<[(DType, Access); 4]> = SmallVec::from_elem((dtype, access), formula.operands());
            let rank = if operands.is_empty() { 0 } else { rank };
            let result = match formula {
                Formula::Cast(_, to) => to,
                Formula::Compare(_) => DType::Bool,
                _ => dtype,
            };
            if formula == Formula::Where {
                operands[0].0 = DType::Bool;
            }
            Program { formula, scalar, operands, result, rank, aligned }
        })
    })
}
