//! Products of `f16` on matrix units, accumulated in `f32`.

use std::fmt::Write;

use trueno_core::{DType, Result};

use super::program::{batches, slots};
use super::{Epilogue, Job, OP, Program};
use crate::memory::{Buffer, View};
use crate::record::{self, Launch, Shader};
use crate::storage;
use crate::tile::{Kernel, Reading};
use crate::units::{HALVES, Parts, Store, Tile, Turns, UNITS, VECTOR, choose, select_read};
use crate::walk::{IMMEDIATES, fill, slot};

/// Sums from which on one workgroup alone keeps a processor busy.
const LONG: usize = 384;

/// A matrix product on matrix units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cooperative {
    /// Whether each operand's vectors lie along K.
    pub along_k: [bool; 2],
    pub tile: Tile,
    pub batch_rank: usize,
    pub result: DType,
    /// Whether the product is whole tiles.
    pub whole: bool,
    pub bias: bool,
}

impl Job<'_> {
    /// Whether each operand's vectors lie along K, where it is read in vectors.
    fn along_k(&self) -> [bool; 2] {
        [0, 1].map(|at| self.reading(at, VECTOR) == Reading::AlongK)
    }

    /// Whether the product is whole tiles.
    fn is_whole(&self, tile: &Tile) -> bool {
        let [tile_m, tile_n] = tile.size();
        self.m.is_multiple_of(tile_m) && self.n.is_multiple_of(tile_n) && self.k.is_multiple_of(tile.slice)
    }

    /// Whether a tile is considered. Those of four subgroups gain from the workgroups that a processor holds beside each other, and were
    /// measured on an H200 to lose where edges are looked for (0.70 to 0.92 of the speed of the others), and where a processor has
    /// at most one workgroup with short sums (0.87 to 0.96 with sums of 64 and 256; from 384 on they gain).
    fn suits(&self, tile: &Tile) -> bool {
        let [tile_m, tile_n] = tile.size();
        let groups = self.m.div_ceil(tile_m) * self.n.div_ceil(tile_n) * self.batch();
        tile.turns != Turns::Spread || self.is_whole(tile) && (self.k >= LONG || groups > UNITS as usize)
    }
}

impl Cooperative {
    /// The kernel for a product, if the device has matrix units and the operands are read in vectors.
    pub(super) fn fits(job: &Job<'_>, epilogue: &Epilogue<'_>) -> Option<Self> {
        let device = job.operands[0].buffer().device();
        let reading = [job.reading(0, VECTOR), job.reading(1, VECTOR)];
        let readable = !reading.contains(&Reading::Single) && job.n.is_multiple_of(VECTOR);
        if job.operands[0].buffer().dtype() != DType::F16 || !readable || job.k == 0 {
            return None;
        }
        let along_k = job.along_k();
        let tile = choose(device, Kernel::Matrices, along_k, [job.m, job.n], job.batch(), |tile| job.suits(tile))?;
        // A few tiles of a long product are left to kernels that cut K.
        let [tile_m, tile_n] = tile.size();
        let tiles = job.m.div_ceil(tile_m) * job.n.div_ceil(tile_n) * job.batch();
        (tiles >= 16 || job.k < 2048).then(|| Self::by(job, epilogue, tile))
    }

    /// The kernel of a tile, for operands that it can read.
    pub(super) fn by(job: &Job<'_>, epilogue: &Epilogue<'_>, tile: Tile) -> Self {
        let whole = job.is_whole(&tile);
        let (along_k, bias) = (job.along_k(), epilogue.bias.is_some());
        Self { along_k, tile, batch_rank: job.sizes.len(), result: job.result, whole, bias }
    }

    /// Whether results pass through workgroup memory.
    fn bounces(&self) -> bool {
        !(self.whole && self.result == DType::F32 && !self.bias)
    }

    pub(super) fn run(self, job: &Job<'_>, epilogue: &Epilogue<'_>) -> Result<Buffer> {
        let [a, b] = job.operands.map(View::buffer);
        let device = a.device();
        let output = Buffer::new(device, OP, self.result, job.batch() * job.m * job.n)?;
        let [tile_m, tile_n] = self.tile.size();
        let groups = job.grid([tile_m, tile_n], 1)?;
        let immediates = job.immediates(job.k, 1)?;
        let program = record::Program::Matmul(Program::Cooperative(self));
        let reads: Vec<&Buffer> = [a, b].into_iter().chain(epilogue.bias.map(View::buffer)).collect();
        Launch { op: OP, program, reads: &reads, writes: &[&output], immediates, groups }.record(device)?;
        Ok(output)
    }

    pub fn shader(&self) -> Shader {
        let mut text = format!("enable f16;\nenable wgpu_cooperative_matrix;\n{IMMEDIATES}{}", storage::PACKING);
        for (binding, name) in ["a_in", "b_in"].iter().enumerate() {
            text += &format!("@group(0) @binding({binding}) var<storage, read> {name}: array<vec4<f16>>;\n");
        }
        let mut reads = 2;
        if self.bias {
            text += &storage::reader(2, "bias", DType::F32, true);
            reads = 3;
        }
        if self.bounces() {
            text += &storage::writer(reads, "out", self.result);
        } else {
            text += &format!("@group(0) @binding({reads}) var<storage, read_write> product: array<f32>;\n");
        }
        text += &batches(self.batch_rank);
        let bias = if self.bias { " + load_bias(n / 4u)" } else { "" };
        let rows = format!("if m < SIZE_M && n < SIZE_N {{ store_out((made + m * SIZE_N + n) / 4u, v{bias}); }}");
        let store = if self.bounces() {
            Store::Rows(&rows)
        } else {
            Store::Whole { at: "made + m * SIZE_N + n", stride: "SIZE_N" }
        };
        let text_of = self.tile.text(&Parts {
            along_k: self.along_k,
            words: [false; 2],
            setup: &self.setup(),
            fetch: &|at, index, variable| self.fetch(at, index, variable),
            before_fetch: "",
            advance: "k0 += SLICE;",
            store,
        });
        let [tile_m, tile_n] = self.tile.size();
        let names = [
            ("TILE_M", format!("{tile_m}u")),
            ("TILE_N", format!("{tile_n}u")),
            ("SLICE", format!("{}u", self.tile.slice)),
            ("SIZE_M", slot(slots::M)),
            ("SIZE_N", slot(slots::N)),
            ("SIZE_K", slot(slots::K)),
            ("OFFSET_A", slot(slots::OFFSETS)),
            ("OFFSET_B", slot(slots::OFFSETS + 1)),
        ];
        Shader { text: text + &fill(&text_of, &names), reads, writes: 1 }
    }

    /// Where each move of a thread begins: all but the step along K.
    fn setup(&self) -> String {
        let mut text = String::from(
            "let own = group.y * groups.x + group.x;\n\
             let across = (SIZE_N + TILE_N - 1u) / TILE_N;\n\
             let m0 = (own / across) * TILE_M; let n0 = (own % across) * TILE_N;\n\
             if m0 >= SIZE_M { return; }\n\
             let made = group.z * SIZE_M * SIZE_N;\n\
             let steps = (SIZE_K + SLICE - 1u) / SLICE;\nvar k0 = 0u;\n",
        );
        for (at, name) in ["a", "b"].iter().enumerate() {
            let along_k = self.along_k[at];
            let vectors = self.tile.vectors(at, along_k);
            let [across, along] = [[0, 1], [3, 2]][at].map(|stride| slot(slots::STRIDES + stride));
            let base = format!("{} + batch_{name}(group.z)", ["OFFSET_A", "OFFSET_B"][at]);
            let first = ["m0", "n0"][at];
            for index in 0..self.tile.moves(at, along_k) {
                let row = self.tile.row(at, along_k, index);
                let place = if along_k {
                    format!("({base} + ({first} + {row}) * {across}) / 4u + thread % {vectors}u")
                } else {
                    format!("({base} + {first} + {row} * {along}) / 4u + thread % {vectors}u")
                };
                _ = writeln!(text, "let {name}_from{index} = {place};");
            }
        }
        text
    }

    fn fetch(&self, at: usize, index: usize, variable: &str) -> String {
        let along_k = self.along_k[at];
        let name = ["a", "b"][at];
        let along = slot(slots::STRIDES + [1, 2][at]);
        let step = if along_k { "k0 / 4u".into() } else { format!("k0 * {along} / 4u") };
        let place = format!("{name}_from{index} + {step}");
        if self.whole {
            return format!("{variable} = {name}_in[{place}];\n");
        }
        let vectors = self.tile.vectors(at, along_k);
        let row = self.tile.row(at, along_k, index);
        let (first, size) = [("m0", "SIZE_M"), ("n0", "SIZE_N")][at];
        let inside = if along_k {
            format!("{first} + {row} < {size} && k0 + (thread % {vectors}u) * 4u < SIZE_K")
        } else {
            format!("{first} + (thread % {vectors}u) * 4u < {size} && k0 + {row} < SIZE_K")
        };
        select_read(HALVES, variable, &inside, &format!("{name}_in"), &place)
    }
}

/// Every way to read, in every tile, whole and not.
#[cfg(test)]
pub(super) fn every_program() -> impl Iterator<Item = Cooperative> {
    let ways = [[true, true], [true, false], [false, true], [false, false]];
    crate::units::TILES.into_iter().flat_map(move |tile| {
        ways.into_iter().flat_map(move |along_k| {
            [(true, DType::F32, false), (false, DType::F16, true), (false, DType::F32, false)]
                .map(move |(whole, result, bias)| Cooperative { along_k, tile, batch_rank: 1, result, whole, bias })
        })
    })
}
