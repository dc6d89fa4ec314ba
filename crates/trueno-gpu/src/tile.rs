//! What kernels of products share: a workgroup makes a tile, each thread some vectors of it, from slices of both operands that pass
//! through workgroup memory.

use std::fmt::Write;

use crate::device::{Device, DeviceKind};
use crate::walk::slot;

/// The shape of a tile, and of the slices that it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Threads of the workgroup, down and across: multiples of 4 and of 8, which are what 32 neighbouring threads take.
    pub threads: [usize; 2],
    /// Vectors of a thread, down and across.
    pub blocks: [usize; 2],
    /// Steps along K of one slice: a multiple of 4.
    pub slice: usize,
}

/// How fast kernels of a tile are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed {
    /// Operations of a full device in a picosecond.
    pub full: f64,
    /// The same where each unit has only one workgroup.
    pub alone: f64,
    /// Workgroups that a unit begins together once it is full, so that it is the rounds of so many that count.
    pub together: f64,
}

/// A tile, and how fast it is.
struct Rated {
    tile: Tile,
    /// Where it was first measured.
    speed: Speed,
    /// Kernels besides products of matrices that were measured to gain from it.
    gathers: &'static [Kernel],
}

/// What a tile is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// A product of matrices.
    Matrices,
    /// A convolution, or its gradient by the input.
    Images,
    /// A convolution's gradient by the weight.
    Weights,
}

const fn rated(threads: [usize; 2], blocks: [usize; 2], speed: [f64; 3], gathers: &'static [Kernel]) -> Rated {
    let [full, alone, together] = speed;
    Rated { tile: Tile { threads, blocks, slice: 8 }, speed: Speed { full, alone, together }, gathers }
}

/// How many tiles there are.
pub(crate) const COUNT: usize = 7;

/// Tiles as they were measured in products of `f32` on an H200 (2026-11-29), the largest first. A device that was
/// [tuned](Device::tune) has speeds of its own.
const RATED: [Rated; COUNT] = [
    rated([16, 16], [2, 4], [44.0, 41.5, 1.0], &[]),
    rated([8, 16], [2, 4], [43.5, 38.0, 2.0], &[]),
    rated([16, 16], [2, 2], [39.7, 38.0, 1.0], &[Kernel::Images, Kernel::Weights]),
    rated([8, 16], [2, 2], [38.5, 29.0, 1.0], &[Kernel::Images, Kernel::Weights]),
    rated([16, 8], [2, 2], [38.0, 30.0, 1.0], &[Kernel::Weights]),
    rated([8, 8], [2, 2], [36.5, 18.0, 1.0], &[]),
    rated([16, 16], [1, 1], [29.5, 24.0, 1.0], &[Kernel::Images]),
];

/// Every tile.
pub(crate) const TILES: [Tile; COUNT] = {
    let mut tiles = [RATED[0].tile; COUNT];
    let mut at = 0;
    while at < COUNT {
        tiles[at] = RATED[at].tile;
        at += 1;
    }
    tiles
};

/// Their speeds where nothing else is known.
pub(crate) const SPEEDS: [Speed; COUNT] = {
    let mut speeds = [RATED[0].speed; COUNT];
    let mut at = 0;
    while at < COUNT {
        speeds[at] = RATED[at].speed;
        at += 1;
    }
    speeds
};

/// What a product is chosen a tile by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub kernel: Kernel,
    /// Rows and columns of a result, and the length of its sums.
    pub size: [usize; 3],
    /// How many such results there are.
    pub layers: usize,
    /// The fewest parts that sums are cut into, and the most.
    pub parts: [usize; 2],
}

impl Product {
    /// The tile, and the number of parts of the sums, with which a device should have it soonest.
    pub fn plan(&self, device: &Device) -> (Tile, usize) {
        self.plan_for(units(device.info().kind), &device.rates().tiles)
    }

    fn plan_for(&self, units: f64, speeds: &[Speed; COUNT]) -> (Tile, usize) {
        let [least, most] = self.parts;
        let suits =
            |(rated, _): &(&Rated, &Speed)| self.kernel == Kernel::Matrices || rated.gathers.contains(&self.kernel);
        let parts = PARTS.into_iter().filter(|&parts| parts == 1 || parts <= most).map(|parts| parts.max(least));
        let tiles = RATED.iter().zip(speeds).filter(suits);
        let plans = tiles.flat_map(|(rated, speed)| parts.clone().map(move |parts| (rated.tile, speed, parts)));
        let best = plans.map(|(tile, speed, parts)| (self.time(tile, speed, parts, units), tile, parts));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or((RATED[2].tile, 1), |(_, tile, parts)| (tile, parts))
    }

    /// The picoseconds that a plan takes where the rates are true: workgroups go over the units in rounds, and the last round
    /// takes as long as the others. Parts are written, and then read by a kernel of their own.
    fn time(&self, tile: Tile, speed: &Speed, parts: usize, units: f64) -> f64 {
        let [rows, columns, length] = self.size;
        let [tile_m, tile_n] = tile.size();
        let groups = (rows.div_ceil(tile_m) * columns.div_ceil(tile_n) * self.layers * parts) as f64;
        let rounds = (groups / units).ceil();
        let rate = if rounds > 1.0 { speed.full } else { speed.alone };
        let together = speed.together;
        let rounds = if rounds > together { (groups / units / together).ceil() * together } else { rounds };
        let product = rounds * units * (2 * tile_m * tile_n * length.div_ceil(parts)) as f64 / rate;
        let joined = (8 * rows * columns * self.layers * parts) as f64;
        product + if parts > 1 { JOIN + joined * PER_BYTE } else { 0.0 }
    }
}

/// The numbers of parts that are considered.
const PARTS: [usize; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 24, 32];

/// What the kernel that joins parts takes, and what it takes for each byte, in picoseconds.
const JOIN: f64 = 5e6;
const PER_BYTE: f64 = 0.25;

/// Processors of a device that have workgroups of their own. Drivers do not tell; a guess too high makes tiles smaller than they
/// need be, which costs less than idle units do.
pub(crate) fn units(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::Discrete | DeviceKind::Virtual | DeviceKind::Other => 132.0,
        DeviceKind::Integrated => 16.0,
        DeviceKind::Software => 4.0,
    }
}

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

/// Four neighbours of a row, `v`, stored as singles from `at` on, those that lie before `size_n`.
pub(crate) fn singles(size_n: &str) -> String {
    let lanes = ["x", "y", "z", "w"].into_iter().enumerate();
    lanes.map(|(lane, name)| format!("if n + {lane}u < {size_n} {{ out[at + {lane}u] = v.{name}; }}\n")).collect()
}

/// The names of both operands' arrays in workgroup memory.
const SIDES: [&str; 2] = ["left", "right"];

impl Tile {
    /// Rows and columns of the result.
    pub fn size(&self) -> [usize; 2] {
        [0, 1].map(|at| 4 * self.threads[at] * self.blocks[at])
    }

    /// Threads of the workgroup.
    pub fn count(&self) -> usize {
        self.threads[0] * self.threads[1]
    }

    /// Vectors from a row of an operand's slice in workgroup memory to the next: one more than it holds, so that rows begin in
    /// different banks.
    pub fn pitch(&self, at: usize) -> usize {
        self.size()[at] / 4 + 1
    }

    /// Vectors of an operand's slice.
    pub fn vectors(&self, at: usize) -> usize {
        self.size()[at] * self.slice / 4
    }

    /// Vectors of an operand's slice that a thread moves.
    pub fn moves(&self, at: usize) -> usize {
        self.vectors(at).div_ceil(self.count())
    }

    /// What templates of tiles name.
    pub fn names(&self) -> Vec<(&'static str, String)> {
        let [tile_m, tile_n] = self.size();
        let [tx, ty] = self.place();
        let stage = |at: usize| self.slice * self.pitch(at);
        vec![
            ("THREADS", self.count().to_string()),
            ("PLACE", format!("let tx = {tx};\nlet ty = {ty};")),
            ("ACCUMULATORS", self.accumulators()),
            ("DECLARE", self.declare()),
            ("STASH", self.stash()),
            ("MULTIPLY", self.multiply()),
            ("LEFT_TOTAL", (2 * stage(0)).to_string()),
            ("RIGHT_TOTAL", (2 * stage(1)).to_string()),
            ("LEFT_STAGE", format!("{}u", stage(0))),
            ("RIGHT_STAGE", format!("{}u", stage(1))),
            ("TILE_M", format!("{tile_m}u")),
            ("TILE_N", format!("{tile_n}u")),
            ("SLICE", format!("{}u", self.slice)),
        ]
    }

    /// Where in the tile a thread works, across and down. Neighbours are 4 down and 8 across, and so read few different vectors of
    /// both sides.
    pub fn place(&self) -> [String; 2] {
        [
            format!("thread / 32u % {}u * 8u + thread % 8u", self.threads[1] / 8),
            format!("thread / {}u * 4u + thread % 32u / 8u", self.threads[1] * 4),
        ]
    }

    /// The sums of a thread: `c` with its row and its block across.
    fn accumulators(&self) -> String {
        let [down, across] = self.blocks;
        let names =
            (0..4 * down).flat_map(|row| (0..across).map(move |block| format!("var c{row}_{block} = vec4(0.0);\n")));
        names.collect()
    }

    /// A slice's products, written out: drivers do not unroll the loop by themselves.
    fn multiply(&self) -> String {
        let read = |at: usize, k: usize, block: usize| {
            format!("{0}[at_{0} + {1}u]", SIDES[at], k * self.pitch(at) + block * self.threads[at])
        };
        (0..self.slice).map(|k| self.step(|block| read(0, k, block), |block| read(1, k, block))).collect()
    }

    /// The products of one step along K, where `left` and `right` give the vectors of a block.
    pub fn step(&self, left: impl Fn(usize) -> String, right: impl Fn(usize) -> String) -> String {
        let [down, across] = self.blocks;
        let mut text = String::from("{\n");
        (0..down).for_each(|i| _ = writeln!(text, "let a{i} = {};", left(i)));
        (0..across).for_each(|j| _ = writeln!(text, "let b{j} = {};", right(j)));
        for row in 0..4 * down {
            let lane = ["x", "y", "z", "w"][row % 4];
            for block in 0..across {
                let c = format!("c{row}_{block}");
                _ = writeln!(text, "{c} = fma(vec4(a{}.{lane}), b{block}, {c});", row / 4);
            }
        }
        text + "}\n"
    }

    /// Where in the result row `row` of a thread lies.
    pub fn row(&self, row: usize) -> String {
        format!("m0 + {}u + ty * 4u", row / 4 * 4 * self.threads[0] + row % 4)
    }

    /// Where in the result the four columns of block `block` of a thread begin.
    pub fn column(&self, block: usize) -> String {
        format!("n0 + {}u + tx * 4u", block * 4 * self.threads[1])
    }

    /// The parts of a thread: `store` of each row of four neighbours, whose sum has this name, at `m` and `n` of the result.
    pub fn stores(&self, size_n: &str, store: impl Fn(&str) -> String) -> String {
        let [down, across] = self.blocks;
        let mut text = String::new();
        for row in 0..4 * down {
            for block in 0..across {
                let (m, n) = (self.row(row), self.column(block));
                _ = writeln!(text, "{{ let m = {m}; let n = {n};\nif m < SIZE_M && n < {size_n} {{");
                _ = writeln!(text, "{} }} }}", store(&format!("c{row}_{block}")));
            }
        }
        text
    }

    /// The variables that hold what was read of a slice: `next_left0` and so on.
    fn declare(&self) -> String {
        self.each_move(|at, index, _| format!("var next_{}{index} = vec4<f32>(0.0);\n", SIDES[at]))
    }

    /// Statements that read a slice of an operand into these variables: from `base` on, its tile beginning at `first`, from `k` on
    /// and to `last`, which is not 0.
    pub fn fetch(&self, at: usize, [base, first, k, last]: [&str; 4]) -> String {
        let side = SIDES[at];
        let moves = (0..self.moves(at)).map(|index| {
            let item = self.item(index);
            format!("next_{side}{index} = fetch_{side}({base}, {first}, {k}, {last}, {item});\n")
        });
        moves.collect()
    }

    /// Statements that put what was read into a stage of workgroup memory.
    fn stash(&self) -> String {
        self.each_move(|at, index, item| format!("stash_{0}(stage, {item}, next_{0}{index});\n", SIDES[at]))
    }

    /// The vector of a slice that is a thread's move number `index`.
    fn item(&self, index: usize) -> String {
        format!("thread + {}u", index * self.count())
    }

    fn each_move(&self, text: impl Fn(usize, usize, String) -> String) -> String {
        let moves = (0..2).flat_map(|at| (0..self.moves(at)).map(move |index| (at, index)));
        moves.map(|(at, index)| text(at, index, self.item(index))).collect()
    }

    /// Whether the threads' moves are more than an operand's slice has vectors.
    pub fn exceeds(&self, at: usize) -> bool {
        !self.vectors(at).is_multiple_of(self.count())
    }

    /// Leaves a function about vector `item` of a slice with `what` where there is no such vector.
    fn guard(&self, at: usize, what: &str) -> String {
        if self.exceeds(at) { format!("if item >= {}u {{ {what} }}\n", self.vectors(at)) } else { String::new() }
    }

    /// The function that puts vector `item` of an operand's slice, read so, into one of the two stages of workgroup memory, which
    /// holds it by K.
    pub fn stash_function(&self, at: usize, reading: Reading) -> String {
        let (side, pitch, quads, slice) = (SIDES[at], self.pitch(at), self.size()[at] / 4, self.slice);
        let stage = format!("stage * {}u", slice * pitch);
        let put = match reading {
            Reading::AlongK => format!(
                "let i = item / {0}u; let at = {stage} + item % {0}u * {1}u + i / 4u; let c = i % 4u;\n\
                 {side}[at][c] = v.x; {side}[at + {pitch}u][c] = v.y; \
                 {side}[at + {2}u][c] = v.z; {side}[at + {3}u][c] = v.w;",
                slice / 4,
                4 * pitch,
                2 * pitch,
                3 * pitch,
            ),
            Reading::Across => format!("{side}[{stage} + item / {quads}u * {pitch}u + item % {quads}u] = v;"),
            Reading::Single => {
                let tile = 4 * quads;
                let mut put = String::new();
                for lane in 0..4 {
                    _ = writeln!(
                        put,
                        "{{ let e = item + {}u; let i = e % {tile}u;\n\
                         {side}[{stage} + e / {tile}u * {pitch}u + i / 4u][i % 4u] = v[{lane}]; }}",
                        lane * self.vectors(at)
                    );
                }
                put
            }
        };
        let guard = self.guard(at, "return;");
        format!("fn stash_{side}(stage: u32, item: u32, v: vec4<f32>) {{\n{guard}{put}\n}}\n")
    }
}

/// An operand's slices, whose elements lie at strides that the immediates hold.
pub(crate) struct Operand<'a> {
    /// Whether it is on the left (0) or the right (1).
    pub at: usize,
    /// The buffer that `load_NAME` reads.
    pub name: &'a str,
    pub reading: Reading,
    /// The place of its size along M or N among the immediates.
    pub size: usize,
    /// The places of its strides along M or N and along K.
    pub steps: [usize; 2],
    /// Whether K is whole slices: then none has to be filled up with zeros.
    pub even: bool,
}

impl Operand<'_> {
    /// Functions that read vector `item` of a slice, and that put it into workgroup memory.
    ///
    /// What lies outside is read from the last place inside: rows of it make rows of a result that are not stored, and along K it is
    /// replaced by zeros afterwards. To branch around the read instead would make the device wait for it there, and not only
    /// where it is used.
    pub fn functions(&self, shape: &Tile) -> String {
        let Self { at, name, reading, size, steps, even } = *self;
        // `i` counts along M or N.
        let (size, [step_i, step_k]) = (slot(size), steps.map(slot));
        let (side, tile) = (SIDES[at], shape.size()[at]);
        let guard = shape.guard(at, "return vec4<f32>(0.0);");
        let zeroed = |value: &str, zero: &str| {
            if even { value.to_owned() } else { format!("select({zero}, {value}, k < last)") }
        };
        let read = match reading {
            Reading::AlongK => format!(
                "let i = min(i0 + item / {0}u, {size} - 1u); let k = k0 + item % {0}u * 4u;\n\
                 let v = load_{name}((base + i * {step_i} + min(k, last - 4u)) / 4u);\nreturn {1};",
                shape.slice / 4,
                zeroed("v", "vec4<f32>(0.0)")
            ),
            Reading::Across => format!(
                "let i = min(i0 + item % {0}u * 4u, {size} - 4u); let k = k0 + item / {0}u;\n\
                 let v = load_{name}((base + i + min(k, last - 1u) * {step_k}) / 4u);\nreturn {1};",
                tile / 4,
                zeroed("v", "vec4<f32>(0.0)")
            ),
            Reading::Single => {
                let mut read = String::from("var v = vec4<f32>();\n");
                for lane in 0..4 {
                    _ = writeln!(
                        read,
                        "{{ let e = item + {}u; let i = min(i0 + e % {tile}u, {size} - 1u); let k = k0 + e / {tile}u;\n\
                         let x = load_{name}(base + i * {step_i} + min(k, last - 1u) * {step_k}); v[{lane}] = {}; }}",
                        lane * shape.vectors(at),
                        zeroed("x", "0.0")
                    );
                }
                read + "return v;"
            }
        };
        format!(
            "fn fetch_{side}(base: u32, i0: u32, k0: u32, last: u32, item: u32) -> vec4<f32> {{\n{guard}{read}\n}}\n{}",
            shape.stash_function(at, reading)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plans that were the fastest, or within a few percent of it, of all that were measured.
    #[test]
    fn plans_are_those_that_were_measured_to_be_fast() {
        let plan = |size, most| {
            let (tile, parts) =
                Product { kernel: Kernel::Matrices, size, layers: 1, parts: [1, most] }.plan_for(132.0, &SPEEDS);
            (tile.size(), parts)
        };
        assert_eq!(plan([4096, 4096, 4096], 64), ([128, 256], 1));
        assert_eq!(plan([4096, 768, 768], 12), ([64, 128], 1));
        assert_eq!(plan([4096, 2304, 768], 12), ([64, 128], 1));
        let (_, parts) = plan([768, 768, 4096], 64);
        assert!((4..=12).contains(&parts), "{parts}");
        let (_, parts) = plan([512, 512, 512], 8);
        assert!(parts > 1, "{parts}");
    }

    #[test]
    fn a_plan_keeps_within_the_parts_that_are_asked_for() {
        for parts in [[1, 0], [1, 1], [3, 3], [300, 400]] {
            let product = Product { kernel: Kernel::Weights, size: [64, 64, 100_000], layers: 1, parts };
            let (_, got) = product.plan_for(132.0, &SPEEDS);
            assert!(got >= parts[0] && got <= parts[1].max(1), "{parts:?}: {got}");
        }
    }
}
