//! The text of matrix products.

use std::fmt::Write;

use trueno_core::DType;
use trueno_core::math::wgsl::{PRELUDE, Scalar};
use trueno_core::table::UnaryOp;

use crate::elementwise::Formula;
use crate::record::Shader;
use crate::storage;
use crate::tile::{Operand, Reading, Tile, singles};
use crate::walk::{IMMEDIATES, fill, slot};

/// A matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tiled {
    pub dtypes: [DType; 2],
    pub reading: [Reading; 2],
    pub result: DType,
    pub tile: Tile,
    pub batch_rank: usize,
    /// Whether K is whole slices.
    pub even: bool,
    /// Whether rows of the result are whole vectors.
    pub aligned: bool,
    pub bias: bool,
    pub activation: Option<UnaryOp>,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const M: usize = 0;
    pub const N: usize = 1;
    pub const K: usize = 2;
    pub const SPAN: usize = 3;
    pub const PARTS: usize = 4;
    /// Results, where each has its own loop over all of K.
    pub const COUNT: usize = SPAN;
    pub const OFFSETS: usize = 5;
    /// Along M and K of the left operand, along K and N of the right one.
    pub const STRIDES: usize = 7;
    /// The two parameters of the activation.
    pub const PARAMETERS: usize = 11;
    /// Sizes of the batch axes, then the strides of each operand.
    pub const BATCH: usize = 13;
}

impl Tiled {
    pub fn shader(&self) -> Shader {
        let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
        let mut reads = 2;
        for (binding, name) in (0..).zip(["a", "b"]) {
            let at = binding as usize;
            text += &storage::reader(binding, name, self.dtypes[at], self.reading[at] != Reading::Single);
        }
        if self.bias {
            text += &storage::reader(2, "bias", DType::F32, false);
            reads = 3;
        }
        if self.aligned {
            text += &storage::writer(reads, "out", self.result);
        } else {
            text += &format!("@group(0) @binding({reads}) var<storage, read_write> out: array<f32>;\n");
        }
        text += &batches(self.batch_rank);
        let operands = [
            ("a", slots::M, [slots::STRIDES, slots::STRIDES + 1]),
            ("b", slots::N, [slots::STRIDES + 3, slots::STRIDES + 2]),
        ];
        for (at, (name, size, steps)) in operands.into_iter().enumerate() {
            text +=
                &Operand { at, name, reading: self.reading[at], size, steps, even: self.even }.functions(&self.tile);
        }
        text += &self.epilogue();
        let fetch = |at| self.tile.fetch(at, [["from_a", "from_b"][at], ["m0", "n0"][at], "k", "last"]);
        let mut names = self.tile.names();
        names.extend([
            ("FETCH", [0, 1].map(fetch).concat()),
            ("STORES", self.stores()),
            ("SIZE_M", slot(slots::M)),
            ("SIZE_N", slot(slots::N)),
            ("SIZE_K", slot(slots::K)),
            ("SPAN", slot(slots::SPAN)),
            ("PARTS", slot(slots::PARTS)),
            ("OFFSET_A", slot(slots::OFFSETS)),
            ("OFFSET_B", slot(slots::OFFSETS + 1)),
        ]);
        // Texts that are put in hold names themselves.
        text += &fill(&fill(include_str!("tiled.wgsl"), &names), &names);
        Shader { text, reads, writes: 1 }
    }

    /// What is done to four neighbours before they are stored.
    fn epilogue(&self) -> String {
        let mut text = String::new();
        let mut body = String::new();
        if self.bias {
            let lane = |lane: usize| format!("load_bias(min(n + {lane}u, {} - 1u))", slot(slots::N));
            _ = writeln!(body, "x = x + vec4({}, {}, {}, {});", lane(0), lane(1), lane(2), lane(3));
        }
        if let Some(op) = self.activation {
            text += PRELUDE;
            text += &Formula::Unary(op).text(Scalar::F32, DType::F32);
            let parameter = |at: usize| format!("bitcast<f32>({})", slot(slots::PARAMETERS + at));
            let apply = |lane: &str| format!("value(x.{lane}, p, q)");
            _ = writeln!(body, "let p = {}; let q = {};", parameter(0), parameter(1));
            _ = writeln!(body, "x = vec4({}, {}, {}, {});", apply("x"), apply("y"), apply("z"), apply("w"));
        }
        text + &format!("fn finished(v: vec4<f32>, n: u32) -> vec4<f32> {{ var x = v;\n{body} return x; }}\n")
    }

    fn stores(&self) -> String {
        let store = if self.aligned { "store_out(at / 4u, v);".into() } else { singles("SIZE_N") };
        self.tile
            .stores("SIZE_N", |sum| format!("let v = finished({sum}, n); let at = base + m * SIZE_N + n;\n{store}"))
    }
}

/// Functions that say where a batch begins in each operand.
pub(super) fn batches(rank: usize) -> String {
    let mut text = String::new();
    for (at, name) in ["a", "b"].iter().enumerate() {
        let mut body = String::from("var rest = batch; var at = 0u;\n");
        for axis in (0..rank).rev() {
            let (size, stride) = (slot(slots::BATCH + axis), slot(slots::BATCH + rank * (1 + at) + axis));
            _ = writeln!(body, "at += (rest % {size}) * {stride}; rest = rest / {size};");
        }
        _ = writeln!(text, "fn batch_{name}(batch: u32) -> u32 {{ {body} return at; }}");
    }
    text
}
