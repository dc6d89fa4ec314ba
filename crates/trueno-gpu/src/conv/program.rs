//! The text of convolutions.

use std::fmt::Write;

use trueno_core::DType;

use super::cooperative;
use crate::record::Shader;
use crate::storage::{self, Format};
#[cfg(test)]
use crate::tile::TILES;
use crate::tile::{Operand, Reading, Tile, singles};
use crate::walk::{IMMEDIATES, fill, slot};

/// A kernel of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Results from an image and a weight: of a convolution, or of its gradient by the input.
    Images(Images),
    /// The gradient by the weight, from that by the results and the image.
    Weights(Weights),
    /// As [`Program::Images`], on matrix units.
    UnitImages(cooperative::Images),
    /// As [`Program::Weights`], on matrix units.
    UnitWeights(cooperative::Weights),
    /// As [`Program::Images`], a thread for each result.
    Direct {
        /// Of the operands.
        dtype: DType,
        /// Whether a bias is added.
        bias: bool,
    },
    /// As [`Program::Weights`], a workgroup for each weight.
    DirectWeights {
        /// Of the operands.
        dtype: DType,
    },
}

/// How four elements of an image at neighbouring positions are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Gather {
    /// One vector: windows of one element that leave none out.
    Vector,
    /// Positions of one row whose elements are neighbours, in rows that are whole vectors: in two of these. Only matrix units read so.
    Shifted,
    /// Positions of one row.
    Row,
    /// Positions anywhere.
    Anywhere,
}

impl Gather {
    /// Whether the image is read in vectors.
    pub fn is_vectors(self) -> bool {
        matches!(self, Self::Vector | Self::Shifted)
    }

    /// The same by kernels without matrix units.
    pub fn without_units(self) -> Self {
        if self == Self::Shifted { Self::Row } else { self }
    }
}

/// A product of a weight with windows of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Images {
    pub dtype: DType,
    pub result: DType,
    /// Of the weight.
    pub reading: Reading,
    pub gather: Gather,
    pub tile: Tile,
    /// Whether a tap's channels are whole slices.
    pub even: bool,
    /// Whether four neighbouring positions are a vector of the result.
    pub aligned: bool,
    pub bias: bool,
}

/// A product of the gradient by the results with windows of an image, over positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Weights {
    pub dtype: DType,
    /// Of the gradient and of the image.
    pub gather: [Gather; 2],
    pub tile: Tile,
    /// Whether rows of the result are whole vectors.
    pub aligned: bool,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    /// Rows of the product: channels of a group that are made.
    pub const SIZE_M: usize = 0;
    /// Positions of all images.
    pub const COLUMNS: usize = 1;
    /// Channels of a group of the image.
    pub const CHANNELS: usize = 2;
    /// Positions of an image, and of a row of it.
    pub const PLANE: usize = 3;
    pub const ROW: usize = 4;
    /// Sizes of the image, where it begins and its four strides.
    pub const HEIGHT: usize = 5;
    pub const WIDTH: usize = 6;
    pub const FROM_IMAGE: usize = 7;
    pub const IMAGE: usize = 8;
    /// Along height and width: of windows, of the first tap, between taps, and how many there are.
    pub const STEP: usize = 12;
    pub const BASE: usize = 14;
    pub const DELTA: usize = 16;
    pub const TAPS: usize = 18;
    /// Where the weight begins, its strides along M, K, taps down and across, and from group to group.
    pub const FROM_WEIGHT: usize = 20;
    pub const WEIGHT: usize = 21;
    pub const WEIGHT_GROUP: usize = 25;
    /// Where the result begins and its four strides.
    pub const FROM_OUT: usize = 26;
    pub const OUT: usize = 27;
    /// Results, where each has a thread or a workgroup.
    pub const COUNT: usize = 31;
    /// In place of the weight: where the gradient by the results begins and its four strides.
    pub const FROM_GRAD: usize = 20;
    pub const GRAD: usize = 21;
    /// In place of the result: groups, and positions of a part.
    pub const FAMILIES: usize = 26;
    pub const SPAN: usize = 27;
}

/// Every scalar by its name in the templates.
pub(super) fn names() -> Vec<(&'static str, String)> {
    let single = [
        ("SIZE_M", slots::SIZE_M),
        ("COLUMNS", slots::COLUMNS),
        ("CHANNELS", slots::CHANNELS),
        ("PLANE", slots::PLANE),
        ("ROW", slots::ROW),
        ("HEIGHT", slots::HEIGHT),
        ("WIDTH", slots::WIDTH),
        ("FROM_IMAGE", slots::FROM_IMAGE),
        ("FROM_WEIGHT", slots::FROM_WEIGHT),
        ("WEIGHT_GROUP", slots::WEIGHT_GROUP),
        ("FROM_OUT", slots::FROM_OUT),
        ("COUNT", slots::COUNT),
        ("FROM_GRAD", slots::FROM_GRAD),
        ("FAMILIES", slots::FAMILIES),
        ("SPAN", slots::SPAN),
    ];
    let several: [(&[&str], usize); 8] = [
        (&["IMAGE_N", "IMAGE_C", "IMAGE_Y", "IMAGE_X"], slots::IMAGE),
        (&["STEP_Y", "STEP_X"], slots::STEP),
        (&["BASE_Y", "BASE_X"], slots::BASE),
        (&["DELTA_Y", "DELTA_X"], slots::DELTA),
        (&["TAPS_Y", "TAPS_X"], slots::TAPS),
        (&["WEIGHT_M", "WEIGHT_K", "WEIGHT_Y", "WEIGHT_X"], slots::WEIGHT),
        (&["OUT_N", "OUT_C", "OUT_Y", "OUT_X"], slots::OUT),
        (&["GRAD_N", "GRAD_C", "GRAD_Y", "GRAD_X"], slots::GRAD),
    ];
    let several = several.into_iter().flat_map(|(names, first)| names.iter().copied().zip(first..));
    single.into_iter().chain(several).map(|(name, at)| (name, slot(at))).collect()
}

/// Two operands to read, by these names, whether as vectors, and the result as single `f32`.
fn bindings(operands: [(&str, bool); 2], dtype: DType, bias: bool) -> String {
    let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
    for (binding, (name, vectors)) in (0..).zip(operands) {
        text += &storage::reader(binding, name, Format::computed(dtype), vectors);
    }
    if bias {
        text += &storage::reader(2, "bias", Format::computed(dtype), false);
    }
    text
}

fn single_results(binding: u32) -> String {
    format!("@group(0) @binding({binding}) var<storage, read_write> out: array<f32>;\n")
}

/// The results of a kernel without tiles, in the type that it computes in.
fn direct_results(binding: u32, dtype: DType) -> String {
    let real = storage::scalar(dtype).name();
    format!("alias Real = {real};\n@group(0) @binding({binding}) var<storage, read_write> out: array<Real>;\n")
}

impl Program {
    pub fn shader(&self) -> Shader {
        match *self {
            Self::Images(program) => program.shader(),
            Self::Weights(program) => program.shader(),
            Self::UnitImages(program) => program.shader(),
            Self::UnitWeights(program) => program.shader(),
            Self::Direct { dtype, bias } => {
                let reads = 2 + u32::from(bias);
                let mut names = names();
                names.push(("BIAS", if bias { "+ load_bias(channel)".into() } else { String::new() }));
                let text = bindings([("weight", false), ("image", false)], dtype, bias)
                    + &direct_results(reads, dtype)
                    + &fill(include_str!("direct.wgsl"), &names);
                Shader { text, reads, writes: 1 }
            }
            Self::DirectWeights { dtype } => {
                let text = bindings([("grad", false), ("image", false)], dtype, false)
                    + &direct_results(2, dtype)
                    + &fill(include_str!("direct_weights.wgsl"), &names());
                Shader { text, reads: 2, writes: 1 }
            }
        }
    }
}

/// Where the results at column `n` begin, whatever strides they have.
pub(super) fn store_position(n: &str) -> String {
    format!("FROM_OUT + ({n} / PLANE) * OUT_N + (({n} % PLANE) / ROW) * OUT_Y + (({n} % PLANE) % ROW) * OUT_X")
}

/// What the tiled templates have in common.
fn tiled(template: &str, tile: Tile, stores: &str) -> String {
    let mut names = names();
    names.extend(tile.names());
    names.extend([("STORES", stores.to_owned()), ("QUADS", format!("{}u", tile.size()[1] / 4))]);
    // Texts that are put in hold names themselves.
    fill(&fill(template, &names), &names)
}

impl Images {
    fn shader(&self) -> Shader {
        let operands = [("weight", self.reading != Reading::Single), ("image", self.gather == Gather::Vector)];
        let mut text = bindings(operands, self.dtype, self.bias);
        let reads = 2 + u32::from(self.bias);
        text += &if self.aligned { storage::writer(reads, "out", self.result) } else { single_results(reads) };
        let steps = [slots::WEIGHT, slots::WEIGHT + 1];
        let weight =
            Operand { at: 0, name: "weight", reading: self.reading, size: slots::SIZE_M, steps, even: self.even };
        text += &weight.functions(&self.tile);
        text += &self.tile.stash_function(1, Reading::Across);
        let fetch = format!("{}{}", self.tile.fetch(0, ["weights", "m0", "c0", "CHANNELS"]), self.gather());
        let names = [("LANES", self.lanes()), ("FETCH", fetch)];
        text += &tiled(&fill(include_str!("implicit.wgsl"), &names), self.tile, &self.stores());
        Shader { text, reads, writes: 1 }
    }

    /// Where the windows of a thread's positions lie, which stays the same all along K and for all its moves.
    fn lanes(&self) -> String {
        let lanes = if self.gather == Gather::Anywhere { 4 } else { 1 };
        let busy = if self.tile.exceeds(1) { "row < SLICE && " } else { "" };
        let mut text = String::new();
        for lane in 0..lanes {
            _ = write!(
                text,
                "let column{lane} = column + {lane}u; let in{lane} = {busy}column{lane} < COLUMNS;\n\
                 let place{lane} = column{lane} % PLANE; let at{lane} = from_image + (column{lane} / PLANE) * IMAGE_N;\n\
                 let y{lane} = (place{lane} / ROW) * STEP_Y; let x{lane} = (place{lane} % ROW) * STEP_X;\n"
            );
        }
        text
    }

    /// Statements that fetch a slice of the image.
    fn gather(&self) -> String {
        let rows = self.tile.count() / (self.tile.size()[1] / 4);
        let moves = (0..self.tile.moves(1)).map(|index| {
            let next = format!("next_right{index}");
            let one = self.gather_one(&next);
            format!("{{ let c = c0 + row + {}u;\n{one} }}\n", index * rows)
        });
        moves.collect()
    }

    /// The read of one vector. What lies outside is read from the beginning of the image and replaced by zeros, without a branch,
    /// as [`Operand::functions`] explains.
    fn gather_one(&self, next: &str) -> String {
        let mut text = String::new();
        let channel = if self.even { "" } else { " && c < CHANNELS" };
        match self.gather {
            Gather::Vector => {
                _ = writeln!(
                    text,
                    "let inside = in0{channel};\n\
                     {next} = select(vec4(0.0), load_image(select(0u, (at0 + c * IMAGE_C + place0) / 4u, inside)), inside);"
                );
            }
            Gather::Shifted | Gather::Row => {
                _ = writeln!(
                    text,
                    "let y = y0 + y_tap; let x = x0 + x_tap; let seen = in0{channel} && y < HEIGHT;\n\
                     let at = at0 + c * IMAGE_C + y * IMAGE_Y;"
                );
                for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                    _ = writeln!(
                        text,
                        "{{ let x = x + {lane}u * STEP_X; let inside = seen && x < WIDTH;\n\
                         {next}.{name} = select(0.0, load_image(select(0u, at + x * IMAGE_X, inside)), inside); }}"
                    );
                }
            }
            Gather::Anywhere => {
                for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                    _ = writeln!(
                        text,
                        "{{ let y = y{lane} + y_tap; let x = x{lane} + x_tap;\n\
                         let inside = in{lane}{channel} && y < HEIGHT && x < WIDTH;\n\
                         let at = at{lane} + c * IMAGE_C + y * IMAGE_Y + x * IMAGE_X;\n\
                         {next}.{name} = select(0.0, load_image(select(0u, at, inside)), inside); }}"
                    );
                }
            }
        }
        text
    }

    fn stores(&self) -> String {
        let [down, across] = self.tile.blocks;
        let mut text = String::from("let made = family * SIZE_M;\n");
        let at = "FROM_OUT + (n / PLANE) * OUT_N";
        for block in 0..across {
            _ = writeln!(text, "{{ let n = {};\nif n < COLUMNS {{", self.tile.column(block));
            if self.aligned {
                _ = writeln!(text, "let at = {at} + n % PLANE;");
            } else {
                for lane in 0..4 {
                    let position = store_position(&format!("n{lane}"));
                    _ = writeln!(text, "let n{lane} = n + {lane}u; let at{lane} = {position};");
                }
            }
            for row in 0..4 * down {
                _ = writeln!(text, "{{ let m = {}; if m < SIZE_M {{", self.tile.row(row));
                let bias = if self.bias { " + vec4(load_bias(made + m))" } else { "" };
                _ = writeln!(text, "let v = c{row}_{block}{bias}; let channel = (made + m) * OUT_C;");
                if self.aligned {
                    text += "store_out((at + channel) / 4u, v);";
                } else {
                    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                        _ = writeln!(text, "if n{lane} < COLUMNS {{ out[at{lane} + channel] = v.{name}; }}");
                    }
                }
                text += "} }\n";
            }
            text += "} }\n";
        }
        text
    }
}

impl Weights {
    fn shader(&self) -> Shader {
        let [grad, image] = self.gather.map(|gather| gather == Gather::Vector);
        let mut text = bindings([("grad", grad), ("image", image)], self.dtype, false);
        text += &if self.aligned { storage::writer(2, "out", DType::F32) } else { single_results(2) };
        text += &(self.tile.stash_function(0, Reading::AlongK) + &self.tile.stash_function(1, Reading::AlongK));
        let names = [("ROWS", self.rows()), ("FETCH", self.gather())];
        text += &tiled(&fill(include_str!("weights.wgsl"), &names), self.tile, &self.stores());
        Shader { text, reads: 2, writes: 1 }
    }

    /// Where the rows of both operands lie that a thread moves, which stays the same all along K.
    fn rows(&self) -> String {
        let mut text = String::new();
        for at in 0..2 {
            let (name, first, size) = [("m", "m0", "SIZE_M"), ("n", "n0", "size_n")][at];
            for index in 0..self.tile.moves(at) {
                let row = format!("row + {}u", index * self.tile.count() / (self.tile.slice / 4));
                let busy =
                    if self.tile.exceeds(at) { format!("row < {}u && ", self.tile.size()[at]) } else { String::new() };
                _ = writeln!(
                    text,
                    "let own_{name}{index} = {first} + {row}; let has_{name}{index} = {busy}own_{name}{index} < {size};"
                );
                text += &match at {
                    0 => format!("let from_g{index} = FROM_GRAD + (family * SIZE_M + own_m{index}) * GRAD_C;\n"),
                    _ => format!(
                        "let y_tap{index} = BASE_Y + ((own_n{index} % taps) / TAPS_X) * DELTA_Y;\n\
                         let x_tap{index} = BASE_X + ((own_n{index} % taps) % TAPS_X) * DELTA_X;\n\
                         let from_image{index} = FROM_IMAGE + (family * CHANNELS + own_n{index} / taps) * IMAGE_C;\n"
                    ),
                };
            }
        }
        text
    }

    /// Statements that fetch a slice of both operands, without a branch as in [`Images::gather_one`].
    fn gather(&self) -> String {
        let [grad, image] = self.gather;
        let [lefts, rights] = [0, 1].map(|at| self.tile.moves(at));
        let mut text =
            String::from("var image = k / PLANE; let place = k % PLANE; var y = place / ROW; var x = place % ROW;\n");
        let whole = |text: &mut String, moves: usize, [has, next, load, from, step]: [&str; 5]| {
            for index in 0..moves {
                _ = writeln!(
                    text,
                    "{{ let inside = {has}{index} && k < last; let at = ({from}{index} + image * {step} + place) / 4u;\n\
                     {next}{index} = select(vec4(0.0), {load}(select(0u, at, inside)), inside); }}"
                );
            }
        };
        if grad == Gather::Vector {
            whole(&mut text, lefts, ["has_m", "next_left", "load_grad", "from_g", "GRAD_N"]);
        }
        if image == Gather::Vector {
            whole(&mut text, rights, ["has_n", "next_right", "load_image", "from_image", "IMAGE_N"]);
        }
        let carry = if grad == Gather::Anywhere || image == Gather::Anywhere {
            "x += 1u; if x == ROW { x = 0u; y += 1u; if y * ROW == PLANE { y = 0u; image += 1u; } }\n"
        } else {
            "x += 1u;\n"
        };
        for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
            if lane > 0 && self.gather != [Gather::Vector; 2] {
                text += carry;
            }
            for index in 0..if grad == Gather::Vector { 0 } else { lefts } {
                _ = writeln!(
                    text,
                    "{{ let inside = has_m{index} && k + {lane}u < last;\n\
                     let at = from_g{index} + image * GRAD_N + y * GRAD_Y + x * GRAD_X;\n\
                     next_left{index}.{name} = select(0.0, load_grad(select(0u, at, inside)), inside); }}"
                );
            }
            for index in 0..if image == Gather::Vector { 0 } else { rights } {
                _ = writeln!(
                    text,
                    "{{ let iy = y * STEP_Y + y_tap{index}; let ix = x * STEP_X + x_tap{index};\n\
                     let inside = has_n{index} && k + {lane}u < last && iy < HEIGHT && ix < WIDTH;\n\
                     let at = from_image{index} + image * IMAGE_N + iy * IMAGE_Y + ix * IMAGE_X;\n\
                     next_right{index}.{name} = select(0.0, load_image(select(0u, at, inside)), inside); }}"
                );
            }
        }
        format!("{{ {text} }}\n")
    }

    fn stores(&self) -> String {
        let store = if self.aligned { "store_out(at / 4u, v);".into() } else { singles("size_n") };
        self.tile.stores("size_n", |sum| format!("let v = {sum}; let at = base + m * size_n + n;\n{store}"))
    }
}

/// Every way to gather, in every way to store.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let gathers = [Gather::Vector, Gather::Row, Gather::Anywhere];
    let readings = [Reading::AlongK, Reading::Across, Reading::Single];
    let pairs = gathers.into_iter().flat_map(move |gather| readings.map(|reading| (gather, reading)));
    let images = pairs.enumerate().map(|(at, (gather, reading))| {
        let dtype = [DType::F32, DType::F16, DType::BF16][at % 3];
        let aligned = at % 2 == 0;
        let result = if aligned { dtype } else { DType::F32 };
        let tile = TILES[at / 3];
        Program::Images(Images { dtype, result, reading, gather, tile, even: at % 2 == 0, aligned, bias: at % 4 < 2 })
    });
    let weights = gathers.into_iter().flat_map(move |left| {
        gathers.map(|right| {
            let tile = TILES[if left == right { 0 } else { TILES.len() - 1 }];
            let dtype = if left == Gather::Row { DType::F16 } else { DType::F32 };
            Program::Weights(Weights { dtype, gather: [left, right], tile, aligned: left == right })
        })
    });
    let direct = [DType::F32, DType::BF16, DType::F64]
        .into_iter()
        .flat_map(|dtype| [Program::Direct { dtype, bias: dtype != DType::BF16 }, Program::DirectWeights { dtype }]);
    images.chain(weights).chain(direct).chain(cooperative::every_program())
}
