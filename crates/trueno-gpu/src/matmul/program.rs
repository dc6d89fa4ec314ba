//! The text of matrix products.

use std::fmt::Write;

use trueno_core::DType;
use trueno_core::math::wgsl::{PRELUDE, Scalar};
use trueno_core::table::UnaryOp;

use crate::elementwise::Formula;
use crate::record::Shader;
use crate::storage;
use crate::walk::{IMMEDIATES, slot};

/// Steps along K of one slice.
pub(super) const SLICE: usize = 8;

/// How an operand's slices are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// Vectors of four along K.
    AlongK,
    /// Vectors of four along the other axis.
    Across,
    /// Single elements.
    Single,
}

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
        text += &self.fetch("left", "a", 0, tile_m);
        text += &self.fetch("right", "b", 1, tile_n);
        text += &self.epilogue();
        let strides = [tile_m, tile_n].map(|tile| (tile + 4) / 4);
        text += &include_str!("tiled.wgsl")
            .replace("LEFT_TOTAL", &(2 * SLICE * strides[0]).to_string())
            .replace("RIGHT_TOTAL", &(2 * SLICE * strides[1]).to_string())
            .replace("LEFT_STRIDE", &format!("{}u", strides[0]))
            .replace("RIGHT_STRIDE", &format!("{}u", strides[1]))
            .replace("ACCUMULATORS", &self.accumulators())
            .replace("MULTIPLY", &self.multiply())
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

    /// Functions that read four elements of a slice, and that put them into workgroup memory, which holds them by K.
    fn fetch(&self, side: &str, operand: &str, at: usize, tile: usize) -> String {
        // `i` counts along M or N.
        let size = slot([slots::M, slots::N][at]);
        let [step_i, step_k] = [[0, 1], [3, 2]][at].map(|stride| slot(slots::STRIDES + stride));
        let stride = (tile + 4) / 4;
        let quads = tile / 4;
        let zero = "vec4<f32>(0.0)";
        let (read, put) = match self.reading[at] {
            Reading::AlongK => (
                format!(
                    "let i = i0 + thread / 2u; let k = k0 + (thread % 2u) * 4u;\n\
                     if thread >= {}u || i >= {size} || k >= last {{ return {zero}; }}\n\
                     return load_{operand}((base + i * {step_i} + k) / 4u);",
                    tile * 2
                ),
                format!(
                    "if thread >= {}u {{ return; }}\n\
                     let i = thread / 2u; let at = (stage * 8u + (thread % 2u) * 4u) * {stride}u + i / 4u; let c = i % 4u;\n\
                     {side}[at][c] = v.x; {side}[at + {stride}u][c] = v.y; \
                     {side}[at + 2u * {stride}u][c] = v.z; {side}[at + 3u * {stride}u][c] = v.w;",
                    tile * 2
                ),
            ),
            Reading::Across => (
                format!(
                    "let i = i0 + (thread % {quads}u) * 4u; let k = k0 + thread / {quads}u;\n\
                     if thread >= {}u || i >= {size} || k >= last {{ return {zero}; }}\n\
                     return load_{operand}((base + i + k * {step_k}) / 4u);",
                    quads * SLICE
                ),
                format!(
                    "if thread >= {}u {{ return; }}\n\
                     {side}[(stage * 8u + thread / {quads}u) * {stride}u + thread % {quads}u] = v;",
                    quads * SLICE
                ),
            ),
            Reading::Single => {
                let mut read = format!("var v = {zero};\n");
                let mut put = String::new();
                for lane in 0..tile * SLICE / 256 {
                    _ = writeln!(
                        read,
                        "{{ let e = thread + {}u; let i = i0 + e % {tile}u; let k = k0 + e / {tile}u;\n\
                         if i < {size} && k < last {{ v[{lane}] = load_{operand}(base + i * {step_i} + k * {step_k}); }} }}",
                        lane * 256
                    );
                    _ = writeln!(
                        put,
                        "{{ let e = thread + {}u; let i = e % {tile}u;\n\
                         {side}[(stage * 8u + e / {tile}u) * {stride}u + i / 4u][i % 4u] = v[{lane}]; }}",
                        lane * 256
                    );
                }
                (read + "return v;", put)
            }
        };
        format!(
            "fn fetch_{side}(base: u32, i0: u32, k0: u32, last: u32, thread: u32) -> vec4<f32> {{\n{read}\n}}\n\
             fn stash_{side}(stage: u32, thread: u32, v: vec4<f32>) {{\n{put}\n}}\n"
        )
    }

    fn accumulators(&self) -> String {
        let [down, across] = self.blocks;
        let names =
            (0..4 * down).flat_map(|row| (0..across).map(move |block| format!("var c{row}_{block} = vec4(0.0);\n")));
        names.collect()
    }

    /// A slice's products, written out: drivers do not unroll the loop by themselves.
    fn multiply(&self) -> String {
        let [down, across] = self.blocks;
        let [left, right] = self.tile().map(|tile| (tile + 4) / 4);
        let mut text = String::new();
        for k in 0..SLICE {
            text += "{\n";
            (0..down).for_each(|i| _ = writeln!(text, "let a{i} = left[at_left + {}u];", k * left + i * 16));
            (0..across).for_each(|j| _ = writeln!(text, "let b{j} = right[at_right + {}u];", k * right + j * 16));
            for row in 0..4 * down {
                let lane = ["x", "y", "z", "w"][row % 4];
                for block in 0..across {
                    let c = format!("c{row}_{block}");
                    _ = writeln!(text, "{c} = fma(vec4(a{}.{lane}), b{block}, {c});", row / 4);
                }
            }
            text += "}\n";
        }
        text
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
