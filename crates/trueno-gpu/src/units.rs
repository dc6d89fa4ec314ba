//! What kernels on matrix units share: products of `f16` that accumulate in `f32`, tile by tile.

use std::fmt::Write;

use crate::device::Device;
use crate::tile::Kernel;
use crate::walk::fill;

/// Halves by which rows in workgroup memory are longer than they need be, so that those of a fragment begin in different banks.
const PADDING: usize = 8;

/// Halves that are moved at once. (More would be words of 16 bytes, and drivers of 2026 do not compile fragments that are loaded from
/// integers.)
pub(crate) const VECTOR: usize = 4;

/// The shape of a tile, and of the slices that it is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Fragments of a subgroup, down and across.
    pub fragments: [usize; 2],
    /// Subgroups down and across.
    pub subgroups: [usize; 2],
    /// Steps along K of one slice.
    pub slice: usize,
    /// How slices follow each other.
    pub turns: Turns,
}

/// How slices follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turns {
    /// One slice in workgroup memory, and a branch that keeps the reads of the next before the products of this one.
    Branching,
    /// Two slices in workgroup memory, one of which is written while the other is multiplied.
    Alternating,
    /// One slice, and no branch: drivers spread the reads of the next over the products, which is better where a processor holds several
    /// workgroups.
    Spread,
}

/// Operations in a picosecond of a device whose units have a workgroup each: of products of matrices, of convolutions with their
/// gradients by the input, and of gradients by the weight.
pub(crate) type Rates = [f64; 3];

const fn rated(fragments: [usize; 2], subgroups: [usize; 2], turns: Turns, rates: Rates) -> (Tile, Rates) {
    (Tile { fragments, subgroups, slice: 32, turns }, rates)
}

/// How many tiles there are.
pub(crate) const COUNT: usize = 6;

/// Tiles as they were measured on an H200 (2026-12-01), the largest first. What limits them is how long reads of the operands take: a
/// workgroup of four subgroups leaves a processor the registers and the workgroup memory for others, which work while it waits; the
/// largest tile fills a processor alone, and reads the least. Convolutions and their gradients by the input were from 0.6 to 1.5 times
/// as fast by 64 x 64 of four subgroups as by what is chosen now, from layer to layer, and gradients by the weight by 64 x 128 of them
/// three quarters as fast as by 64 x 64: these three rates of 36 say that they are not to be chosen. Products by tiles of four subgroups
/// are rated below their best, 187 and 163: other layouts and results in halves leave less of it. A device that was
/// [tuned](Device::tune) has rates of its own.
const RATED: [(Tile, Rates); COUNT] = [
    rated([4, 4], [2, 4], Turns::Branching, [247.0, 97.0, 48.0]),
    rated([2, 4], [2, 4], Turns::Branching, [124.0, 74.0, 40.0]),
    rated([2, 4], [2, 2], Turns::Spread, [165.0, 36.0, 36.0]),
    rated([2, 2], [2, 4], Turns::Alternating, [90.0, 68.0, 38.0]),
    rated([2, 2], [2, 2], Turns::Spread, [135.0, 36.0, 84.0]),
    rated([2, 1], [2, 4], Turns::Alternating, [85.0, 50.0, 52.0]),
];

/// Every tile.
pub(crate) const TILES: [Tile; COUNT] = {
    let mut tiles = [RATED[0].0; COUNT];
    let mut at = 0;
    while at < COUNT {
        tiles[at] = RATED[at].0;
        at += 1;
    }
    tiles
};

/// Their rates where nothing else is known.
pub(crate) const RATES: [Rates; COUNT] = {
    let mut rates = [RATED[0].1; COUNT];
    let mut at = 0;
    while at < COUNT {
        rates[at] = RATED[at].1;
        at += 1;
    }
    rates
};

/// The tile, of those that suit, with which a result of so many rows and columns, and so many layers of it, should be there soonest;
/// nothing if the device has no matrix units.
pub(crate) fn choose(
    device: &Device,
    kernel: Kernel,
    along_k: [bool; 2],
    size: [usize; 2],
    layers: usize,
    suits: impl Fn(&Tile) -> bool,
) -> Option<Tile> {
    let rates = device.rates();
    let fitting = TILES.iter().zip(&rates.units).filter(|(tile, _)| tile.fits(device, along_k) && suits(tile));
    let times = fitting.map(|(tile, rates)| (*tile, time(tile, rates[kernel as usize], size, layers)));
    times.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(tile, _)| tile)
}

/// Picoseconds for each step along K where the rate is true: workgroups go over the units in rounds, and the last round takes as
/// long as the others.
fn time(tile: &Tile, rate: f64, [rows, columns]: [usize; 2], layers: usize) -> f64 {
    let [tile_m, tile_n] = tile.size();
    let groups = rows.div_ceil(tile_m) * columns.div_ceil(tile_n) * layers;
    (groups as f64 / UNITS).ceil() * UNITS * (2 * tile_m * tile_n) as f64 / rate
}

/// Processors of the devices that have matrix units.
pub(crate) const UNITS: f64 = 132.0;

/// What differs between kernels on matrix units.
pub(crate) struct Parts<'a> {
    /// Whether rows of each operand's slice are along K, else along M or N.
    pub along_k: [bool; 2],
    /// Whether each operand is fetched in words, else in halves.
    pub words: [bool; 2],
    /// Sets `m0`, `n0`, `steps` and whatever the others need.
    pub setup: &'a str,
    /// Statements that fetch move `index` of an operand into a variable of this name.
    pub fetch: &'a dyn Fn(usize, usize, &str) -> String,
    /// Once before the fetching of a slice.
    pub before_fetch: &'a str,
    /// From a slice to the next.
    pub advance: &'a str,
    pub store: Store<'a>,
}

/// How a tile is stored.
pub(crate) enum Store<'a> {
    /// By fragments: the position of one in `product`, and the distance of its rows.
    Whole { at: &'a str, stride: &'a str },
    /// Through workgroup memory: statements that store four neighbours of a row, `v`, at `m` and `n`.
    Rows(&'a str),
}

/// Four halves as they are moved, or as the words that hold them: choosing between halves takes a driver several instructions for each of
/// them, between words one for two.
pub(crate) const HALVES: &str = "vec4<f16>";
const WORDS: &str = "vec2<u32>";

/// The function that takes halves out of words. Drivers know that no number changes on the way, and leave the conversions out.
pub(crate) const FROM_WORDS: &str = "fn halves(v: vec2<u32>) -> vec4<f16> {
    return vec4<f16>(vec4(unpack2x16float(v.x), unpack2x16float(v.y)));
}
";

/// A statement that sets a variable to the vector of `array` at `place`, of type `vector`, or to zeros unless it is `inside`. There is no
/// branch: at one the device would wait for what was read before, and not only where that is used.
pub(crate) fn select_read(vector: &str, variable: &str, inside: &str, array: &str, place: &str) -> String {
    format!(
        "{{ let inside = {inside}; let at = select(0u, {place}, inside);\n\
         {variable} = select({vector}(), {array}[at], inside); }}\n"
    )
}

impl Tile {
    pub fn threads(&self) -> usize {
        32 * self.subgroups[0] * self.subgroups[1]
    }

    /// Rows and columns of the result.
    pub fn size(&self) -> [usize; 2] {
        [0, 1].map(|at| self.fragments[at] * self.subgroups[at] * 16)
    }

    /// Rows of an operand's slice in workgroup memory, their halves, and how far apart they begin.
    fn stage(&self, at: usize, along_k: bool) -> [usize; 3] {
        let tile = self.size()[at];
        let [rows, columns] = if along_k { [tile, self.slice] } else { [self.slice, tile] };
        [rows, columns, columns + PADDING]
    }

    /// Vectors of an operand's slice that each thread moves.
    pub fn moves(&self, at: usize, along_k: bool) -> usize {
        let [rows, columns, _] = self.stage(at, along_k);
        rows * columns / VECTOR / self.threads()
    }

    /// Vectors of a row of an operand's slice.
    pub fn vectors(&self, at: usize, along_k: bool) -> usize {
        self.stage(at, along_k)[1] / VECTOR
    }

    /// The row of move number `index` of a thread, which always moves the same vector of a row.
    pub fn row(&self, at: usize, along_k: bool, index: usize) -> String {
        let vectors = self.vectors(at, along_k);
        format!("(thread / {vectors}u + {}u)", index * self.threads() / vectors)
    }

    /// Vectors of an operand's slice, with what its rows are longer by.
    fn stage_vectors(&self, at: usize, along_k: bool) -> usize {
        let [rows, _, pitch] = self.stage(at, along_k);
        rows * pitch / VECTOR
    }

    /// Slices in workgroup memory.
    fn stages(&self) -> usize {
        if self.turns == Turns::Alternating { 2 } else { 1 }
    }

    /// Whether what is gathered is gathered in words, else in halves.
    pub fn words(&self) -> bool {
        self.turns == Turns::Spread
    }

    /// The type of a vector of what is gathered.
    pub fn vector(&self) -> &'static str {
        if self.words() { WORDS } else { HALVES }
    }

    /// Fragments of a row that a subgroup stores together: two, so that it writes longer rows, unless the memory for them would keep
    /// another workgroup from the processor.
    fn together(&self) -> usize {
        if self.turns == Turns::Spread { 1 } else { self.fragments[1].min(2) }
    }

    /// Columns of the fragments that a subgroup stores together, and how far apart their rows begin in workgroup memory.
    fn bounce(&self) -> [usize; 2] {
        let columns = 16 * self.together();
        [columns, columns + 4]
    }

    /// Bytes of both operands' slices, and of the fragments that subgroups store together.
    fn workgroup_bytes(&self, along_k: [bool; 2]) -> usize {
        let slices: usize = [0, 1].iter().map(|&at| self.stage_vectors(at, along_k[at]) * 2 * VECTOR).sum();
        self.stages() * slices + self.threads() / 32 * 16 * self.bounce()[1] * 4
    }

    /// Whether a device can run it.
    pub fn fits(&self, device: &Device, along_k: [bool; 2]) -> bool {
        let capabilities = device.capabilities();
        capabilities.cooperative_f16
            && capabilities.subgroup_min == 32
            && self.workgroup_bytes(along_k) <= capabilities.workgroup_bytes as usize
    }

    /// Declarations of workgroup memory and the entry point.
    pub fn text(&self, parts: &Parts<'_>) -> String {
        let along_k = parts.along_k;
        let mut text = String::new();
        for (at, name) in ["left", "right"].iter().enumerate() {
            let vectors = self.stages() * self.stage_vectors(at, along_k[at]);
            _ = writeln!(text, "var<workgroup> {name}: array<vec4<f16>, {vectors}>;");
        }
        if matches!(parts.store, Store::Rows(_)) {
            let held = self.threads() / 32 * 16 * self.bounce()[1];
            _ = writeln!(text, "var<workgroup> bounced: array<f32, {held}>;");
        }
        let names = [
            ("LOOP", self.turns.text()),
            ("LEFT_STAGE", format!("{}u", self.stage_vectors(0, along_k[0]))),
            ("RIGHT_STAGE", format!("{}u", self.stage_vectors(1, along_k[1]))),
            ("SETUP", self.declared(parts)),
            ("ACCUMULATORS", self.accumulators()),
            ("FETCH", self.fetch(parts)),
            ("ADVANCE", parts.advance.to_owned()),
            ("STASH", self.stash(parts)),
            ("MULTIPLY", self.multiply(along_k)),
            ("STORES", self.stores(&parts.store)),
            ("THREADS", self.threads().to_string()),
            ("SUBGROUPS_N", format!("{}u", self.subgroups[1])),
            ("FRAGS_M", format!("{}u", self.fragments[0])),
            ("FRAGS_N", format!("{}u", self.fragments[1])),
        ];
        // The loop holds names itself.
        text + &fill(&fill(include_str!("units.wgsl"), &names[..1]), &names[1..])
    }

    /// The setup, and the variables that hold what was fetched.
    fn declared(&self, parts: &Parts<'_>) -> String {
        let mut text = parts.setup.to_owned();
        for (at, name) in ["a", "b"].iter().enumerate() {
            for index in 0..self.moves(at, parts.along_k[at]) {
                _ = writeln!(text, "var {name}{index} = {}();", if parts.words[at] { WORDS } else { HALVES });
            }
        }
        text
    }

    fn accumulators(&self) -> String {
        let [down, across] = self.fragments;
        let names =
            (0..down).flat_map(|i| (0..across).map(move |j| format!("var acc{i}_{j} = coop_mat16x16<f32, C>();\n")));
        names.collect()
    }

    fn fetch(&self, parts: &Parts<'_>) -> String {
        let mut text = parts.before_fetch.to_owned();
        for (at, name) in ["a", "b"].iter().enumerate() {
            for index in 0..self.moves(at, parts.along_k[at]) {
                text += &(parts.fetch)(at, index, &format!("{name}{index}"));
            }
        }
        text
    }

    fn stash(&self, parts: &Parts<'_>) -> String {
        let along_k = parts.along_k;
        let mut text = String::new();
        for (at, (name, side)) in [("a", "left"), ("b", "right")].iter().enumerate() {
            let pitch = self.stage(at, along_k[at])[2] / VECTOR;
            let vectors = self.vectors(at, along_k[at]);
            for index in 0..self.moves(at, along_k[at]) {
                let row = self.row(at, along_k[at], index);
                let value = if parts.words[at] { format!("halves({name}{index})") } else { format!("{name}{index}") };
                _ = writeln!(text, "{side}[{side}_stage + {row} * {pitch}u + thread % {vectors}u] = {value};");
            }
        }
        text
    }

    /// A slice's products, written out.
    fn multiply(&self, along_k: [bool; 2]) -> String {
        let mut text = String::new();
        for k in (0..self.slice).step_by(16) {
            text += "{\n";
            self.load(0, along_k[0], k, ["l", "left", "sub_m", "A"], &mut text);
            self.load(1, along_k[1], k, ["r", "right", "sub_n", "B"], &mut text);
            for i in 0..self.fragments[0] {
                for j in 0..self.fragments[1] {
                    _ = writeln!(text, "acc{i}_{j} = coopMultiplyAdd(l_frag{i}, r_frag{j}, acc{i}_{j});");
                }
            }
            text += "}\n";
        }
        text
    }

    /// The fragments of an operand at step `k` of a slice.
    fn load(&self, at: usize, along_k: bool, k: usize, [name, memory, sub, role]: [&str; 4], text: &mut String) {
        let pitch = self.stage(at, along_k)[2] / VECTOR;
        // The left operand's rows are along M, the right one's along K.
        let function = if (at == 0) == along_k { "coopLoadT" } else { "coopLoad" };
        for i in 0..self.fragments[at] {
            let place = format!("({sub} + {}u)", i * 16);
            let index = if along_k {
                format!("{memory}_stage + {place} * {pitch}u + {}u", k / VECTOR)
            } else {
                format!("{memory}_stage + {}u + {place} / {}u", k * pitch, VECTOR)
            };
            _ = writeln!(text, "let {name}_at{i} = {index};");
            _ = writeln!(
                text,
                "let {name}_frag{i} = {function}<coop_mat16x16<f16, {role}>>(&{memory}[{name}_at{i}], {pitch}u);"
            );
        }
    }

    fn stores(&self, store: &Store<'_>) -> String {
        let [down, across] = self.fragments;
        let mut text = String::new();
        for i in 0..down {
            match store {
                Store::Whole { at, stride } => {
                    for j in 0..across {
                        // Bound first: the SPIR-V writer wants operands of a store that it has already written.
                        _ = writeln!(
                            text,
                            "{{ let m = m0 + sub_m + {}u; let n = n0 + sub_n + {}u;\n\
                             let to = {at}; let stride = {stride}; let done = acc{i}_{j};\n\
                             coopStoreT(done, &product[to], stride); }}",
                            i * 16,
                            j * 16
                        );
                    }
                }
                Store::Rows(statements) => {
                    (0..across).step_by(self.together()).for_each(|j| text += &self.store_rows(i, j, statements));
                }
            }
        }
        text
    }

    /// Stores the fragments that go together from `i` and `j` on: neighbouring threads write neighbours of a row.
    fn store_rows(&self, i: usize, j: usize, statements: &str) -> String {
        let [columns, pitch] = self.bounce();
        let (held, vectors) = (16 * pitch, columns / 4);
        let mut text = String::new();
        for at in 0..self.together() {
            _ = writeln!(
                text,
                "{{ let to = subgroup * {held}u + {}u; let stride = {pitch}u; let done = acc{i}_{};\n\
                 coopStoreT(done, &bounced[to], stride); }}",
                16 * at,
                j + at
            );
        }
        text += "workgroupBarrier();\n";
        for pass in 0..16 * vectors / 32 {
            let row = format!("(lane / {vectors}u + {}u)", pass * 32 / vectors);
            let column = format!("(lane % {vectors}u) * 4u");
            _ = writeln!(
                text,
                "{{ let m = m0 + sub_m + {}u + {row}; let n = n0 + sub_n + {}u + {column};\n\
                 let held = subgroup * {held}u + {row} * {pitch}u + {column};\n\
                 let v = vec4(bounced[held], bounced[held + 1u], bounced[held + 2u], bounced[held + 3u]);\n\
                 {statements} }}",
                i * 16,
                j * 16
            );
        }
        text + "workgroupBarrier();\n"
    }
}

impl Turns {
    /// The loop over slices, with the fetching of the first.
    fn text(self) -> String {
        match self {
            Self::Branching => [FIRST, BRANCHING].concat(),
            Self::Alternating => [FIRST, ALTERNATING].concat(),
            Self::Spread => SPREAD.to_owned(),
        }
    }
}

/// The first slice is on its way before the loop.
const FIRST: &str = "if steps > 0u {
    FETCH
}
";

/// A slice after the other: all threads wait before it is multiplied, and before the next replaces it.
const BRANCHING: &str = "let left_stage = 0u; let right_stage = 0u;
for (var step = 0u; step < steps; step += 1u) {
    STASH
    workgroupBarrier();
    if step + 1u < steps {
        ADVANCE
        FETCH
    }
    MULTIPLY
    workgroupBarrier();
}
";

/// The same, where what is fetched is put down within one turn of the loop: drivers do not spread over the products what a branch or the
/// next turn needs.
const SPREAD: &str = "let left_stage = 0u; let right_stage = 0u;
if steps > 0u {
    FETCH
    STASH
    workgroupBarrier();
    for (var step = 1u; step < steps; step += 1u) {
        ADVANCE
        FETCH
        MULTIPLY
        workgroupBarrier();
        STASH
        workgroupBarrier();
    }
    MULTIPLY
}
";

/// The next slice is put beside the one that is multiplied: all threads wait once for each.
const ALTERNATING: &str = "var left_stage = 0u; var right_stage = 0u;
STASH
workgroupBarrier();
for (var step = 0u; step < steps; step += 1u) {
    if step + 1u < steps {
        ADVANCE
        FETCH
    }
    MULTIPLY
    left_stage = LEFT_STAGE - left_stage;
    right_stage = RIGHT_STAGE - right_stage;
    if step + 1u < steps {
        STASH
    }
    workgroupBarrier();
}
";

#[cfg(test)]
mod tests {
    use super::*;

    /// The tiles that were measured to be the fastest, or within a few percent of it.
    #[test]
    fn tiles_are_those_that_were_measured_to_be_fast() {
        let fastest = |kernel, size| {
            let time = |at: usize| time(&TILES[at], RATES[at][kernel as usize], size, 1);
            (0..COUNT).min_by(|&a, &b| time(a).total_cmp(&time(b))).map(|at| TILES[at].size())
        };
        assert_eq!(fastest(Kernel::Matrices, [4096, 4096]), Some([128, 256]));
        assert_eq!(fastest(Kernel::Matrices, [1024, 1024]), Some([64, 128]));
        // Convolutions of ResNet-50, batch 128: channels, and positions.
        assert_eq!(fastest(Kernel::Images, [64, 128 << 10]), Some([64, 256]));
        assert_eq!(fastest(Kernel::Images, [128, 128 << 8]), Some([128, 256]));
        assert_eq!(fastest(Kernel::Images, [256, 128 << 6]), Some([64, 256]));
        assert_eq!(fastest(Kernel::Images, [512, 128 << 4]), Some([64, 128]));
        assert_eq!(fastest(Kernel::Weights, [256, 2304]), Some([64, 64]));
    }
}
