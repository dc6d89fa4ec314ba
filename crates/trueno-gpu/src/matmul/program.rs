//! The text of matrix products.

use std::fmt::Write;

use trueno_core::DType;
use trueno_core::math::wgsl::{PRELUDE, Scalar};
use trueno_core::table::UnaryOp;

use crate::elementwise::Formula;
use crate::record::Shader;
use crate::storage;
use crate::tile::{self, Operand, Reading, SLICE};
use crate::walk::{IMMEDIATES, slot};

/// A matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tiled {
    pub dtypes: [DType; 2],
    pub reading: [Reading; 2],
    pub result: DType,
    /// Vectors of a thread, down and across: the tile is 64 times that.
    pub blocks: [usize; 2],
    pub batch_rank: usize,
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
    pub fn tile(&self) -> [usize; 2] {
        self.blocks.map(|blocks| blocks * 64)
    }

    pub fn shader(&self) -> Shader {
        let [tile_m, tile_n] = self.tile();
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
        let left = Operand {
            side: "left",
            name: "a",
            reading: self.reading[0],
            tile: tile_m,
            size: slots::M,
            steps: [slots::STRIDES, slots::STRIDES + 1],
        };
        let right = Operand {
            side: "right",
            name: "b",
            reading: self.reading[1],
            tile: tile_n,
            size: slots::N,
            steps: [slots::STRIDES + 3, slots::STRIDES + 2],
        };
        text += &(left.functions() + &right.functions());
        text += &self.epilogue();
        let strides = [tile_m, tile_n].map(tile::stride);
        text += &include_str!("tiled.wgsl")
            .replace("LEFT_TOTAL", &(2 * SLICE * strides[0]).to_string())
            .replace("RIGHT_TOTAL", &(2 * SLICE * strides[1]).to_string())
            .replace("LEFT_STRIDE", &format!("{}u", strides[0]))
            .replace("RIGHT_STRIDE", &format!("{}u", strides[1]))
            .replace("ACCUMULATORS", &tile::accumulators(self.blocks))
            .replace("MULTIPLY", &tile::multiply(self.blocks))
            .replace("STORES", &self.stores())
            .replace("TILE_M", &format!("{tile_m}u"))
            .replace("TILE_N", &format!("{tile_n}u"))
            .replace("SIZE_M", &slot(slots::M))
            .replace("SIZE_N", &slot(slots::N))
            .replace("SIZE_K", &slot(slots::K))
            .replace("SPAN", &slot(slots::SPAN))
            .replace("PARTS", &slot(slots::PARTS))
            .replace("OFFSET_A", &slot(slots::OFFSETS))
            .replace("OFFSET_B", &slot(slots::OFFSETS + 1));
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
        let [down, across] = self.blocks;
        let mut text = String::new();
        for row in 0..4 * down {
            for block in 0..across {
                let m = format!("m0 + {}u + ty * 4u + {}u", row / 4 * 64, row % 4);
                let n = format!("n0 + {}u + tx * 4u", block * 64);
                _ = writeln!(text, "{{ let m = {m}; let n = {n};\nif m < SIZE_M && n < SIZE_N {{");
                _ = writeln!(text, "let v = finished(c{row}_{block}, n); let at = base + m * SIZE_N + n;");
                if self.aligned {
                    text += "store_out(at / 4u, v);";
                } else {
                    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                        _ = writeln!(text, "if n + {lane}u < SIZE_N {{ out[at + {lane}u] = v.{name}; }}");
                    }
                }
                text += "} }\n";
            }
        }
        text
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
