//! What kernels on matrix units share: products of `f16` that accumulate in `f32`, tile by tile.

use std::fmt::Write;

use crate::device::Device;
use crate::walk::fill;

/// Halves by which rows in workgroup memory are longer than they need be, so that those of a fragment begin in different banks.
const PADDING: usize = 8;

/// Halves that are moved at once. (Drivers of 2026 lose the device over fragments that are loaded from words of 16 bytes.)
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
}

/// Tiles, the largest first.
pub(crate) const TILES: [Tile; 5] = [
    Tile { fragments: [4, 4], subgroups: [2, 4], slice: 32 },
    Tile { fragments: [4, 4], subgroups: [2, 2], slice: 32 },
    Tile { fragments: [4, 4], subgroups: [1, 4], slice: 32 },
    Tile { fragments: [4, 4], subgroups: [1, 2], slice: 32 },
    Tile { fragments: [2, 2], subgroups: [2, 2], slice: 32 },
];

/// Workgroups that keep a large GPU busy.
const BUSY: usize = 128;

/// The largest tile of which a result of so many rows and columns, and so many layers of it, keeps the device busy; else the smallest;
/// nothing if the device has no matrix units.
pub(crate) fn choose(device: &Device, along_k: [bool; 2], [rows, columns]: [usize; 2], layers: usize) -> Option<Tile> {
    let tiles = |tile: &Tile| {
        let [tile_m, tile_n] = tile.size();
        rows.div_ceil(tile_m) * columns.div_ceil(tile_n) * layers
    };
    // A tile that is mostly empty wastes what a smaller one does not.
    let wasteful = |tile: &Tile| tile.size()[0] >= 2 * rows.max(64) || tile.size()[1] >= 2 * columns.max(64);
    let mut fitting = TILES.iter().filter(|tile| tile.fits(device, along_k));
    let busy = fitting.clone().find(|tile| tiles(tile) >= BUSY && !wasteful(tile));
    busy.or_else(|| fitting.next_back()).copied()
}

/// What differs between kernels on matrix units.
pub(crate) struct Parts<'a> {
    /// Whether rows of each operand's slice are along K, else along M or N.
    pub along_k: [bool; 2],
    /// Sets `m0`, `n0`, `steps` and whatever the others need.
    pub setup: &'a str,
    /// Statements that fetch move `index` of an operand into a variable of this name.
    pub fetch: &'a dyn Fn(usize, usize, &str) -> String,
    /// Once before the fetching of a slice.
    pub before_fetch: &'a str,
    /// From a slice to the next.
    pub advance: &'a str,
    /// Statements that store eight neighbours of a row, `v0` and `v1`, at `m` and `n`; or that store a fragment `done` at `m` and
    /// `n` whole.
    pub store: Store<'a>,
}

/// How a tile is stored.
pub(crate) enum Store<'a> {
    /// By fragments: the position of one in `product`, and the distance of its rows.
    Whole { at: &'a str, stride: &'a str },
    /// Through workgroup memory, eight elements at a time.
    Rows(&'a str),
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

    /// Bytes of both operands' slices, and of a fragment for each subgroup.
    fn workgroup_bytes(&self, along_k: [bool; 2]) -> usize {
        let slices = [0, 1].map(|at| self.stage(at, along_k[at])).map(|[rows, _, pitch]| rows * pitch * 2);
        slices[0] + slices[1] + self.threads() / 32 * 1024
    }

    /// Whether a device can run it.
    fn fits(&self, device: &Device, along_k: [bool; 2]) -> bool {
        let capabilities = device.capabilities();
        capabilities.cooperative_f16
            && capabilities.subgroup_min == 32
            && self.workgroup_bytes(along_k) <= capabilities.workgroup_bytes as usize
    }

    /// Declarations of workgroup memory and the entry point.
    pub fn text(&self, parts: &Parts<'_>) -> String {
        let along_k = parts.along_k;
        let stages = [0, 1].map(|at| {
            let [rows, _, pitch] = self.stage(at, along_k[at]);
            rows * pitch / VECTOR
        });
        let mut text = String::new();
        for (at, name) in ["left", "right"].iter().enumerate() {
            _ = writeln!(text, "var<workgroup> {name}: array<vec4<f16>, {}>;", stages[at]);
        }
        if matches!(parts.store, Store::Rows(_)) {
            _ = writeln!(text, "var<workgroup> bounced: array<f32, {}>;", self.threads() / 32 * 256);
        }
        let names = [
            ("SETUP", self.declared(parts)),
            ("ACCUMULATORS", self.accumulators()),
            ("FETCH", self.fetch(parts)),
            ("ADVANCE", parts.advance.to_owned()),
            ("STASH", self.stash(along_k)),
            ("MULTIPLY", self.multiply(along_k)),
            ("STORES", self.stores(&parts.store)),
            ("THREADS", self.threads().to_string()),
            ("SUBGROUPS_N", format!("{}u", self.subgroups[1])),
            ("FRAGS_M", format!("{}u", self.fragments[0])),
            ("FRAGS_N", format!("{}u", self.fragments[1])),
        ];
        text + &fill(include_str!("units.wgsl"), &names)
    }

    /// The setup, and the variables that hold what was fetched.
    fn declared(&self, parts: &Parts<'_>) -> String {
        let mut text = parts.setup.to_owned();
        for (at, name) in ["a", "b"].iter().enumerate() {
            for index in 0..self.moves(at, parts.along_k[at]) {
                _ = writeln!(text, "var {name}{index} = vec4<f16>();");
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

    fn stash(&self, along_k: [bool; 2]) -> String {
        let mut text = String::new();
        for (at, (name, side)) in [("a", "left"), ("b", "right")].iter().enumerate() {
            let pitch = self.stage(at, along_k[at])[2] / VECTOR;
            let vectors = self.vectors(at, along_k[at]);
            for index in 0..self.moves(at, along_k[at]) {
                let row = self.row(at, along_k[at], index);
                _ = writeln!(text, "{side}[{row} * {pitch}u + thread % {vectors}u] = {name}{index};");
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
                format!("{place} * {pitch}u + {}u", k / VECTOR)
            } else {
                format!("{}u + {place} / {}u", k * pitch, VECTOR)
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
            for j in 0..across {
                let fragment = format!("let m = m0 + sub_m + {}u; let n = n0 + sub_n + {}u;", i * 16, j * 16);
                // Bound first: the SPIR-V writer wants operands of a store that it has already written.
                match store {
                    Store::Whole { at, stride } => {
                        _ = writeln!(
                            text,
                            "{{ {fragment} let to = {at}; let stride = {stride}; let done = acc{i}_{j};\n\
                         coopStoreT(done, &product[to], stride); }}"
                        )
                    }
                    Store::Rows(statements) => {
                        _ = writeln!(
                            text,
                            "{{ let to = subgroup * 256u; let stride = 16u; let done = acc{i}_{j};\n\
                         coopStoreT(done, &bounced[to], stride);\n}}\n\
                         workgroupBarrier();\n\
                         {{ let m = m0 + sub_m + {}u + lane / 2u; let n = n0 + sub_n + {}u + (lane % 2u) * 8u;\n\
                         let held = subgroup * 256u + lane * 8u;\n\
                         let v0 = vec4(bounced[held], bounced[held + 1u], bounced[held + 2u], bounced[held + 3u]);\n\
                         let v1 = vec4(bounced[held + 4u], bounced[held + 5u], bounced[held + 6u], bounced[held + 7u]);\n\
                         {statements} }}\n\
                         workgroupBarrier();",
                            i * 16,
                            j * 16
                        )
                    }
                }
            }
        }
        text
    }
}
