//! The text of convolutions.

use std::fmt::Write;

use trueno_core::DType;

use super::cooperative;
use crate::record::Shader;
use crate::storage;
use crate::tile::{self, Operand, Reading, SLICE};
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
    /// Positions of one row.
    Row,
    /// Positions anywhere.
    Anywhere,
}

/// A product of a weight with windows of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Images {
    pub dtype: DType,
    pub result: DType,
    /// Of the weight.
    pub reading: Reading,
    pub gather: Gather,
    /// Vectors of a thread, down and across: the tile is 64 times that.
    pub blocks: [usize; 2],
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
    pub blocks: [usize; 2],
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
        text += &storage::reader(binding, name, dtype, vectors);
    }
    if bias {
        text += &storage::reader(2, "bias", dtype, false);
    }
    text
}

fn single_results(binding: u32) -> String {
    format!("@group(0) @binding({binding}) var<storage, read_write> out: array<f32>;\n")
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
                    + &single_results(reads)
                    + &fill(include_str!("direct.wgsl"), &names);
                Shader { text, reads, writes: 1 }
            }
            Self::DirectWeights { dtype } => {
                let text = bindings([("grad", false), ("image", false)], dtype, false)
                    + &single_results(2)
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
fn tiled(template: &str, blocks: [usize; 2], gather: &str, stores: &str) -> String {
    let [tile_m, tile_n] = blocks.map(|blocks| blocks * 64);
    let [left, right] = [tile_m, tile_n].map(tile::stride);
    let mut names = names();
    names.extend([
        ("GATHER", gather.to_owned()),
        ("STORES", stores.to_owned()),
        ("MULTIPLY", tile::multiply(blocks)),
        ("ACCUMULATORS", tile::accumulators(blocks)),
        ("LEFT_TOTAL", (2 * SLICE * left).to_string()),
        ("RIGHT_TOTAL", (2 * SLICE * right).to_string()),
        ("LEFT_STRIDE", format!("{left}u")),
        ("RIGHT_STRIDE", format!("{right}u")),
        ("TILE_M", format!("{tile_m}u")),
        ("TILE_N", format!("{tile_n}u")),
        ("QUADS", format!("{}u", tile_n / 4)),
    ]);
    // Texts that are put in hold names themselves.
    fill(&fill(template, &names), &names)
}

impl Images {
    pub fn tile(&self) -> [usize; 2] {
        self.blocks.map(|blocks| blocks * 64)
    }

    fn shader(&self) -> Shader {
        let [tile_m, tile_n] = self.tile();
        let operands = [("weight", self.reading != Reading::Single), ("image", self.gather == Gather::Vector)];
        let mut text = bindings(operands, self.dtype, self.bias);
        let reads = 2 + u32::from(self.bias);
        text += &if self.aligned { storage::writer(reads, "out", self.result) } else { single_results(reads) };
        let weight = Operand {
            side: "left",
            name: "weight",
            reading: self.reading,
            tile: tile_m,
            size: slots::SIZE_M,
            steps: [slots::WEIGHT, slots::WEIGHT + 1],
        };
        text += &weight.functions();
        text += &tile::stash("right", Reading::Across, tile_n);
        let template = include_str!("implicit.wgsl").replace("LANES", &self.lanes());
        text += &tiled(&template, self.blocks, &self.gather(), &self.stores());
        Shader { text, reads, writes: 1 }
    }

    /// Where the windows of a thread's positions lie, which stays the same all along K.
    fn lanes(&self) -> String {
        let lanes = if self.gather == Gather::Anywhere { 4 } else { 1 };
        let mut text = String::from("let busy = row < 8u;\n");
        for lane in 0..lanes {
            _ = write!(
                text,
                "let column{lane} = column + {lane}u; let in{lane} = busy && column{lane} < COLUMNS;\n\
                 let place{lane} = column{lane} % PLANE; let at{lane} = from_image + (column{lane} / PLANE) * IMAGE_N;\n\
                 let y{lane} = (place{lane} / ROW) * STEP_Y; let x{lane} = (place{lane} % ROW) * STEP_X;\n"
            );
        }
        text
    }

    fn gather(&self) -> String {
        let mut text = String::from("next_right = vec4<f32>(0.0);\nlet c = c0 + row;\n");
        match self.gather {
            Gather::Vector => {
                text += "if in0 && c < CHANNELS { next_right = load_image((at0 + c * IMAGE_C + place0) / 4u); }\n";
            }
            Gather::Row => {
                text += "let y = y0 + y_tap; let x = x0 + x_tap;\n\
                         if in0 && c < CHANNELS && y < HEIGHT {\n\
                         let at = at0 + c * IMAGE_C + y * IMAGE_Y;\n";
                for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                    _ = writeln!(
                        text,
                        "let x{lane} = x + {lane}u * STEP_X; \
                         if x{lane} < WIDTH {{ next_right.{name} = load_image(at + x{lane} * IMAGE_X); }}"
                    );
                }
                text += "}\n";
            }
            Gather::Anywhere => {
                for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                    _ = writeln!(
                        text,
                        "{{ let y = y{lane} + y_tap; let x = x{lane} + x_tap;\n\
                         if in{lane} && c < CHANNELS && y < HEIGHT && x < WIDTH {{\n\
                         next_right.{name} = load_image(at{lane} + c * IMAGE_C + y * IMAGE_Y + x * IMAGE_X); }} }}"
                    );
                }
            }
        }
        format!("{{ {text} }}")
    }

    fn stores(&self) -> String {
        let [down, across] = self.blocks;
        let mut text = String::from("let made = family * SIZE_M;\n");
        let at = "FROM_OUT + (n / PLANE) * OUT_N";
        for block in 0..across {
            _ = writeln!(text, "{{ let n = n0 + {}u + tx * 4u;\nif n < COLUMNS {{", block * 64);
            if self.aligned {
                _ = writeln!(text, "let at = {at} + n % PLANE;");
            } else {
                for lane in 0..4 {
                    let position = store_position(&format!("n{lane}"));
                    _ = writeln!(text, "let n{lane} = n + {lane}u; let at{lane} = {position};");
                }
            }
            for row in 0..4 * down {
                _ = writeln!(text, "{{ let m = m0 + {}u + ty * 4u + {}u; if m < SIZE_M {{", row / 4 * 64, row % 4);
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
    pub fn tile(&self) -> [usize; 2] {
        self.blocks.map(|blocks| blocks * 64)
    }

    fn shader(&self) -> Shader {
        let [tile_m, tile_n] = self.tile();
        let [grad, image] = self.gather.map(|gather| gather == Gather::Vector);
        let mut text = bindings([("grad", grad), ("image", image)], self.dtype, false);
        text += &if self.aligned { storage::writer(2, "out", DType::F32) } else { single_results(2) };
        text += &(tile::stash("left", Reading::AlongK, tile_m) + &tile::stash("right", Reading::AlongK, tile_n));
        // The variables of a gathering are seen by what follows it.
        let declared = "var next_left = vec4<f32>(0.0);\nvar next_right = vec4<f32>(0.0);\n";
        let template = include_str!("weights.wgsl").replacen("GATHER", &format!("{declared}GATHER"), 1);
        text += &tiled(&template, self.blocks, &self.gather(), &self.stores());
        Shader { text, reads: 2, writes: 1 }
    }

    fn gather(&self) -> String {
        let [grad, image] = self.gather;
        let mut text = String::from(
            "next_left = vec4<f32>(0.0);\nnext_right = vec4<f32>(0.0);\n\
             if k < last {\n\
             var image = k / PLANE; let place = k % PLANE; var y = place / ROW; var x = place % ROW;\n",
        );
        if grad == Gather::Vector {
            text += "if has_left { next_left = load_grad((from_g + image * GRAD_N + place) / 4u); }\n";
        }
        if image == Gather::Vector {
            text += "if has_right { next_right = load_image((from_image + image * IMAGE_N + place) / 4u); }\n";
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
            if grad != Gather::Vector {
                _ = writeln!(
                    text,
                    "if has_left && k + {lane}u < last {{\n\
                     next_left.{name} = load_grad(from_g + image * GRAD_N + y * GRAD_Y + x * GRAD_X); }}"
                );
            }
            if image != Gather::Vector {
                _ = writeln!(
                    text,
                    "{{ let iy = y * STEP_Y + y_tap; let ix = x * STEP_X + x_tap;\n\
                     if has_right && k + {lane}u < last && iy < HEIGHT && ix < WIDTH {{\n\
                     next_right.{name} = load_image(from_image + image * IMAGE_N + iy * IMAGE_Y + ix * IMAGE_X); }} }}"
                );
            }
        }
        format!("{text} }}\n")
    }

    fn stores(&self) -> String {
        let [down, across] = self.blocks;
        let mut text = String::new();
        for row in 0..4 * down {
            for block in 0..across {
                let m = format!("m0 + {}u + ty * 4u + {}u", row / 4 * 64, row % 4);
                let n = format!("n0 + {}u + tx * 4u", block * 64);
                _ = writeln!(text, "{{ let m = {m}; let n = {n};\nif m < SIZE_M && n < size_n {{");
                _ = writeln!(text, "let v = c{row}_{block}; let at = base + m * size_n + n;");
                if self.aligned {
                    text += "store_out(at / 4u, v);";
                } else {
                    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                        _ = writeln!(text, "if n + {lane}u < size_n {{ out[at + {lane}u] = v.{name}; }}");
                    }
                }
                text += "} }\n";
            }
        }
        text
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
        let blocks = [[2, 2], [1, 2], [1, 1]][at / 3];
        Program::Images(Images { dtype, result, reading, gather, blocks, aligned, bias: at % 4 < 2 })
    });
    let weights = gathers.into_iter().flat_map(move |left| {
        gathers.map(|right| {
            let blocks = if left == right { [2, 2] } else { [1, 1] };
            let dtype = if left == Gather::Row { DType::F16 } else { DType::F32 };
            Program::Weights(Weights { dtype, gather: [left, right], blocks, aligned: left == right })
        })
    });
    let direct = [DType::F32, DType::BF16]
        .into_iter()
        .flat_map(|dtype| [Program::Direct { dtype, bias: dtype == DType::F32 }, Program::DirectWeights { dtype }]);
    images.chain(weights).chain(direct).chain(cooperative::every_program())
}
