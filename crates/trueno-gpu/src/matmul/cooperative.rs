//! Products of `f16` on matrix units, accumulated in `f32`.

use std::fmt::Write;

use trueno_core::{DType, Result};

use super::program::slots;
use super::{Job, OP, Program};
use crate::device::Device;
use crate::elementwise::cast;
use crate::memory::{Buffer, View};
use crate::record::{self, Launch, Shader};
use crate::tile::Reading;
use crate::walk::{IMMEDIATES, slot};

/// Steps along K of one slice.
const SLICE: usize = 32;

/// Elements by which rows in workgroup memory are longer than they need be, so that those of a fragment begin in different banks.
const PADDING: usize = 8;

/// A matrix product on matrix units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cooperative {
    /// Vectors along K or across it, for each operand.
    pub reading: [Reading; 2],
    /// Fragments of a subgroup, down and across.
    pub fragments: [usize; 2],
    /// Subgroups down and across; their product is 8.
    pub subgroups: [usize; 2],
    pub batch_rank: usize,
}

impl Cooperative {
    /// The kernel for a product, if the device has matrix units and the product is whole tiles.
    pub(super) fn fits(device: &Device, job: &Job<'_>) -> Option<Self> {
        let half = job.operands[0].buffer().dtype() == DType::F16;
        let capable = device.capabilities().cooperative_f16 && device.capabilities().subgroup_min == 32;
        let reading = [job.reading(0), job.reading(1)];
        let most = device.capabilities().groups_per_axis as usize;
        let plain = job.plain && !reading.contains(&Reading::Single) && job.k.is_multiple_of(SLICE);
        if !(half && capable && plain && job.k > 0 && job.batch() <= most) {
            return None;
        }
        let batch_rank = job.sizes.len();
        let shapes = [([4, 4], [2, 4]), ([4, 2], [2, 4])];
        shapes.into_iter().map(|(fragments, subgroups)| Self { reading, fragments, subgroups, batch_rank }).find(
            |program| {
                let [tile_m, tile_n] = program.tile();
                let whole = job.m.is_multiple_of(tile_m) && job.n.is_multiple_of(tile_n);
                let busy = job.m / tile_m * (job.n / tile_n) * job.batch() >= 64 || program.fragments[1] == 2;
                whole && busy && program.workgroup_bytes() <= device.capabilities().workgroup_bytes as usize
            },
        )
    }

    fn tile(&self) -> [usize; 2] {
        [0, 1].map(|at| self.fragments[at] * self.subgroups[at] * 16)
    }

    /// Rows of an operand's slice in workgroup memory, their elements, and how far apart they begin.
    fn stage(&self, at: usize) -> [usize; 3] {
        let tile = self.tile()[at];
        let [rows, columns] = if self.reading[at] == Reading::AlongK { [tile, SLICE] } else { [SLICE, tile] };
        [rows, columns, columns + PADDING]
    }

    fn workgroup_bytes(&self) -> usize {
        [0, 1].map(|at| self.stage(at)).iter().map(|[rows, _, stride]| rows * stride * 2).sum()
    }

    pub(super) fn run(self, job: &Job<'_>) -> Result<Buffer> {
        let [a, b] = job.operands.map(View::buffer);
        let device = a.device();
        let output = Buffer::new(device, OP, DType::F32, job.batch() * job.m * job.n)?;
        let [tile_m, tile_n] = self.tile();
        let groups = [job.n / tile_n, job.m / tile_m, job.batch()].map(|count| count as u32);
        let immediates = job.immediates(job.k, 1)?;
        let program = record::Program::Matmul(Program::Cooperative(self));
        Launch { op: OP, program, reads: &[a, b], writes: &[&output], immediates, groups }.record(device)?;
        if job.result == DType::F32 {
            return Ok(output);
        }
        cast(&View::contiguous(OP, &output, &[output.len()])?, job.result)
    }

    pub fn shader(&self) -> Shader {
        let mut text = format!("enable f16;\nenable wgpu_cooperative_matrix;\n{IMMEDIATES}");
        for (binding, name) in ["a", "b"].iter().enumerate() {
            text += &format!("@group(0) @binding({binding}) var<storage, read> {name}: array<vec4<f16>>;\n");
        }
        text += "@group(0) @binding(2) var<storage, read_write> product: array<f32>;\n";
        text += &super::program::batches(self.batch_rank);
        let [tile_m, tile_n] = self.tile();
        let totals = [0, 1].map(|at| self.stage(at)).map(|[rows, _, stride]| rows * stride / 4);
        text += &include_str!("cooperative.wgsl")
            .replace("LEFT_TOTAL", &totals[0].to_string())
            .replace("RIGHT_TOTAL", &totals[1].to_string())
            .replace("ACCUMULATORS", &self.accumulators())
            .replace(
                "FETCH_FIRST",
                &(self.fetch(0, "a", "from_a", "m0", "0u", true) + &self.fetch(1, "b", "from_b", "n0", "0u", true)),
            )
            .replace(
                "FETCH_NEXT",
                &(self.fetch(0, "a", "from_a", "m0", "k1", false) + &self.fetch(1, "b", "from_b", "n0", "k1", false)),
            )
            .replace("STASH", &(self.stash(0, "left") + &self.stash(1, "right")))
            .replace("MULTIPLY", &self.multiply())
            .replace("STORES", &self.stores())
            .replace("TILE_M", &format!("{tile_m}u"))
            .replace("TILE_N", &format!("{tile_n}u"))
            .replace("SUBGROUPS_N", &format!("{}u", self.subgroups[1]))
            .replace("FRAGS_M", &format!("{}u", self.fragments[0]))
            .replace("FRAGS_N", &format!("{}u", self.fragments[1]))
            .replace("SIZE_M", &slot(slots::M))
            .replace("SIZE_N", &slot(slots::N))
            .replace("SIZE_K", &slot(slots::K))
            .replace("OFFSET_A", &slot(slots::OFFSETS))
            .replace("OFFSET_B", &slot(slots::OFFSETS + 1));
        Shader { text, reads: 2, writes: 1 }
    }

    fn accumulators(&self) -> String {
        let [down, across] = self.fragments;
        let names =
            (0..down).flat_map(|i| (0..across).map(move |j| format!("var acc{i}_{j} = coop_mat16x16<f32, C>();\n")));
        names.collect()
    }

    /// Vectors of an operand's slice that each thread moves.
    fn moves(&self, at: usize) -> usize {
        let [rows, columns, _] = self.stage(at);
        rows * columns / 4 / 256
    }

    /// Row and vector of move number `index` of a thread.
    fn place(&self, at: usize, index: usize) -> String {
        let quads = self.stage(at)[1] / 4;
        format!("let e = thread + {}u; let row = e / {quads}u; let quad = e % {quads}u;", index * 256)
    }

    fn fetch(&self, at: usize, operand: &str, from: &str, i0: &str, k0: &str, first: bool) -> String {
        // Memory steps by rows of the stage: along M or N where vectors lie along K, else along K.
        let along_k = self.reading[at] == Reading::AlongK;
        let step = slot(slots::STRIDES + [[0, 1], [3, 2]][at][usize::from(!along_k)]);
        let (row0, column0) = if along_k { (i0, k0) } else { (k0, i0) };
        let mut text = String::new();
        for index in 0..self.moves(at) {
            if first {
                _ = writeln!(text, "var {operand}{index} = vec4<f16>();");
            }
            let place = self.place(at, index);
            _ = writeln!(
                text,
                "{{ {place} {operand}{index} = {operand}[({from} + ({row0} + row) * {step} + {column0}) / 4u + quad]; }}"
            );
        }
        text
    }

    fn stash(&self, at: usize, side: &str) -> String {
        let stride = self.stage(at)[2] / 4;
        let operand = ["a", "b"][at];
        let put =
            |index| format!("{{ {} {side}[row * {stride}u + quad] = {operand}{index}; }}\n", self.place(at, index));
        (0..self.moves(at)).map(put).collect()
    }

    fn multiply(&self) -> String {
        let [down, across] = self.fragments;
        let mut text = String::new();
        let mut load = |at: usize, name: &str, side: &str, count: usize, sub: &str| {
            let stride = self.stage(at)[2] / 4;
            let along_k = self.reading[at] == Reading::AlongK;
            // The left operand's rows are along M, the right one's along K.
            let row_major = if at == 0 { along_k } else { !along_k };
            let function = if row_major { "coopLoadT" } else { "coopLoad" };
            let role = ["A", "B"][at];
            for i in 0..count {
                let place = format!("({sub} + {}u)", i * 16);
                let index = if along_k {
                    format!("{place} * {stride}u + k / 4u")
                } else {
                    format!("k * {stride}u + {place} / 4u")
                };
                _ = writeln!(text, "let {name}_at{i} = {index};");
                _ = writeln!(
                    text,
                    "let {name}_frag{i} = {function}<coop_mat16x16<f16, {role}>>(&{side}[{name}_at{i}], {stride}u);"
                );
            }
        };
        load(0, "l", "left", down, "sub_m");
        load(1, "r", "right", across, "sub_n");
        for i in 0..down {
            for j in 0..across {
                _ = writeln!(text, "acc{i}_{j} = coopMultiplyAdd(l_frag{i}, r_frag{j}, acc{i}_{j});");
            }
        }
        text
    }

    fn stores(&self) -> String {
        let [down, across] = self.fragments;
        let mut text = String::new();
        for i in 0..down {
            for j in 0..across {
                // Bound first: the SPIR-V writer wants operands of a store that it has already written.
                _ = writeln!(
                    text,
                    "let to{i}_{j} = base + {}u * stride + {}u; let done{i}_{j} = acc{i}_{j};",
                    i * 16,
                    j * 16
                );
                _ = writeln!(text, "coopStoreT(done{i}_{j}, &product[to{i}_{j}], stride);");
            }
        }
        text
    }
}
