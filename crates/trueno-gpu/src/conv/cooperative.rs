//! Convolutions of `f16` on matrix units, accumulated in `f32`: the products of `implicit.wgsl` and `weights.wgsl` in larger tiles.

use std::fmt::Write;

use trueno_core::DType;

use super::program::{Gather, names, store_position};
use crate::record::Shader;
use crate::storage;
use crate::units::{FROM_WORDS, Parts, Store, Tile, VECTOR, select_read};
use crate::walk::{IMMEDIATES, fill};

/// A product of a weight with windows of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Images {
    pub tile: Tile,
    /// Whether the weight's vectors lie along K.
    pub along_k: bool,
    pub gather: Gather,
    pub result: DType,
    /// Whether four neighbouring positions are a vector of the result.
    pub aligned: bool,
    pub bias: bool,
}

/// A product of the gradient by the results with windows of an image, over positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Weights {
    pub tile: Tile,
    /// Of the image; the gradient is read in vectors.
    pub gather: Gather,
    /// Whether the result is whole tiles.
    pub whole: bool,
}

/// Bindings of two operands: the first in vectors, the second as it is gathered.
fn bindings(names: [&str; 2], tile: &Tile, gather: Gather, bias: bool) -> String {
    let mut text =
        format!("enable f16;\nenable wgpu_cooperative_matrix;\n{IMMEDIATES}{}{FROM_WORDS}", storage::PACKING);
    let element = if gather.is_vectors() { tile.vector() } else { "f16" };
    for (binding, (name, element)) in names.into_iter().zip([tile.vector(), element]).enumerate() {
        _ = writeln!(text, "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;");
    }
    if bias {
        text += &storage::reader(2, "bias", DType::F16, false);
    }
    text
}

/// Whether each operand is fetched in words. Single elements are halves.
fn words(tile: &Tile, gather: Gather) -> [bool; 2] {
    [true, gather.is_vectors()].map(|vectors| vectors && tile.words())
}

/// Statements that gather elements at four neighbouring positions of a row of an image, those that it has; with `inside`, where the
/// image begins at `from`, and the window at `y` and `x`.
fn gather(gather: Gather, tile: &Tile, variable: &str, inside: &str, from: &str) -> String {
    match gather {
        Gather::Vector => select_read(tile.vector(), variable, inside, "image", &format!("({from} + place) / 4u")),
        Gather::Shifted => gather_shifted(tile, variable, inside, from),
        Gather::Row | Gather::Anywhere => gather_singles(variable, inside, from),
    }
}

/// Elements that are neighbours: from the two vectors that have them. Which of their elements are wanted says `x` alone.
fn gather_shifted(tile: &Tile, variable: &str, inside: &str, from: &str) -> String {
    let (row, vector) = (format!("{from} + y * IMAGE_Y"), tile.vector());
    let [first, second] = [0, 4].map(|step| {
        let [name, at] = [format!("v{step}"), format!("(x & 0xfffffffcu) + {step}u")];
        let inside = format!("seen && {at} < WIDTH");
        let read = select_read(vector, &name, &inside, "image", &format!("(origin + ({at})) / 4u"));
        format!("var {name} = {vector}(); {read}")
    });
    let shift = if tile.words() { SHIFT_WORDS } else { SHIFT_HALVES };
    format!(
        "{{ let seen = {inside} && y < HEIGHT; let origin = {row};\n{first}{second}{shift}{variable} = shifted; }}\n"
    )
}

/// Of two vectors of halves, the four from the one on that `x` says.
const SHIFT_HALVES: &str = "let shift = x & 3u;
let near = select(v0, vec4(v0.yzw, v4.x), shift == 1u);
let far = select(vec4(v0.zw, v4.xy), vec4(v0.w, v4.xyz), shift == 3u);
let shifted = select(near, far, shift >= 2u);
";

/// The same of words: from the second on, or from the upper half of one on, or both.
const SHIFT_WORDS: &str = "let middle = vec2(v0.y, v4.x); let later = (x & 2u) != 0u;
let own = select(v0, middle, later); let next = select(middle, v4, later);
let shifted = select(own, (own >> vec2(16u)) | (next << vec2(16u)), (x & 1u) != 0u);
";

/// Elements wherever they are, one by one.
fn gather_singles(variable: &str, inside: &str, from: &str) -> String {
    let mut text = format!("{{ let seen = {inside} && y < HEIGHT; let origin = {from} + y * IMAGE_Y;\n");
    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
        _ = writeln!(
            text,
            "{{ let at = x + {lane}u * STEP_X; let had = seen && at < WIDTH;\n\
             {variable}.{name} = select(0.0h, image[select(0u, origin + at * IMAGE_X, had)], had); }}"
        );
    }
    text + "}\n"
}

impl Images {
    fn along_k(&self) -> [bool; 2] {
        [self.along_k, false]
    }

    pub fn shader(&self) -> Shader {
        let reads = 2 + u32::from(self.bias);
        let mut text = bindings(["weight", "image"], &self.tile, self.gather, self.bias);
        if self.aligned {
            text += &storage::writer(reads, "out", self.result);
        } else {
            text += &format!("@group(0) @binding({reads}) var<storage, read_write> out: array<f32>;\n");
        }
        let before = if self.gather == Gather::Vector { "" } else { "let y = y0 + y_tap; let x = x0 + x_tap;\n" };
        let body = self.tile.text(&Parts {
            along_k: self.along_k(),
            words: words(&self.tile, self.gather),
            setup: &self.setup(),
            fetch: &|at, index, variable| {
                if at == 0 { self.weight(index, variable) } else { self.image(index, variable) }
            },
            before_fetch: before,
            advance: ADVANCE,
            store: Store::Rows(&self.store()),
        });
        Shader { text: text + &filled(&self.tile, &body), reads, writes: 1 }
    }

    fn setup(&self) -> String {
        let along_k = self.along_k()[1];
        let (vectors, width) = (self.tile.vectors(1, along_k), VECTOR);
        format!(
            "let tiles_m = (SIZE_M + TILE_M - 1u) / TILE_M;\n\
             let own = group.y * groups.x + group.x;\n\
             let m0 = (own % tiles_m) * TILE_M; let n0 = (own / tiles_m) * TILE_N;\n\
             if n0 >= COLUMNS {{ return; }}\n\
             let family = group.z; let made = family * SIZE_M;\n\
             let column = n0 + (thread % {vectors}u) * {width}u; let place = column % PLANE;\n\
             let at0 = FROM_IMAGE + family * CHANNELS * IMAGE_C + (column / PLANE) * IMAGE_N;\n\
             let y0 = (place / ROW) * STEP_Y; let x0 = (place % ROW) * STEP_X;\n\
             let steps = TAPS_Y * TAPS_X * ((CHANNELS + SLICE - 1u) / SLICE);\n\
             var weights = FROM_WEIGHT + family * WEIGHT_GROUP;\n\
             var y_tap = BASE_Y; var x_tap = BASE_X; var tap_x = 0u; var c0 = 0u;\n"
        )
    }

    fn weight(&self, index: usize, variable: &str) -> String {
        let along_k = self.along_k()[0];
        let (vectors, row) = (self.tile.vectors(0, along_k), self.tile.row(0, along_k, index));
        let vector = format!("thread % {vectors}u");
        let (inside, at) = if self.along_k {
            let inside = format!("m0 + {row} < SIZE_M && c0 + ({vector}) * 4u < CHANNELS");
            (inside, format!("(weights + (m0 + {row}) * WEIGHT_M + c0) / 4u + {vector}"))
        } else {
            let inside = format!("m0 + ({vector}) * 4u < SIZE_M && c0 + {row} < CHANNELS");
            (inside, format!("(weights + m0 + (c0 + {row}) * WEIGHT_K) / 4u + {vector}"))
        };
        select_read(self.tile.vector(), variable, &inside, "weight", &at)
    }

    fn image(&self, index: usize, variable: &str) -> String {
        let row = self.tile.row(1, self.along_k()[1], index);
        let inside = format!("column < COLUMNS && c0 + {row} < CHANNELS");
        gather(self.gather, &self.tile, variable, &inside, &format!("at0 + (c0 + {row}) * IMAGE_C"))
    }

    fn store(&self) -> String {
        let bias = if self.bias { " + vec4(load_bias(made + m))" } else { "" };
        let mut text = format!("if m < SIZE_M && n < COLUMNS {{ let channel = (made + m) * OUT_C; let w = v{bias};\n");
        if self.aligned {
            text += "store_out((FROM_OUT + (n / PLANE) * OUT_N + channel + n % PLANE) / 4u, w);\n";
        } else {
            for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                let position = store_position(&format!("(n + {lane}u)"));
                _ = writeln!(text, "if n + {lane}u < COLUMNS {{ out[{position} + channel] = w.{name}; }}");
            }
        }
        text + "}\n"
    }
}

/// From a slice of channels to the next, tap after tap.
const ADVANCE: &str = "c0 += SLICE;
if c0 >= CHANNELS {
    c0 = 0u;
    tap_x += 1u;
    x_tap += DELTA_X;
    weights += WEIGHT_X;
    if tap_x == TAPS_X {
        tap_x = 0u;
        x_tap = BASE_X;
        y_tap += DELTA_Y;
        weights += WEIGHT_Y - TAPS_X * WEIGHT_X;
    }
}
";

impl Weights {
    fn along_k(&self) -> [bool; 2] {
        [true, true]
    }

    pub fn shader(&self) -> Shader {
        let mut text = bindings(["grad", "image"], &self.tile, self.gather, false);
        let store = if self.whole {
            text += "@group(0) @binding(2) var<storage, read_write> product: array<f32>;\n";
            Store::Whole { at: "made + m * size_n + n", stride: "size_n" }
        } else {
            text += &storage::writer(2, "out", DType::F32);
            Store::Rows("if m < SIZE_M && n < size_n { store_out((made + m * size_n + n) / 4u, v); }\n")
        };
        let body = self.tile.text(&Parts {
            along_k: self.along_k(),
            words: words(&self.tile, self.gather),
            setup: &self.setup(),
            fetch: &|at, index, variable| {
                if at == 0 { self.grad(index, variable) } else { self.image(index, variable) }
            },
            before_fetch: &self.before(),
            advance: "k0 += SLICE;",
            store,
        });
        Shader { text: text + &filled(&self.tile, &body), reads: 2, writes: 1 }
    }

    fn setup(&self) -> String {
        let mut text = String::from(
            "let taps = TAPS_Y * TAPS_X; let size_n = CHANNELS * taps;\n\
             let tiles_m = (SIZE_M + TILE_M - 1u) / TILE_M;\n\
             let own = group.y * groups.x + group.x;\n\
             let m0 = (own % tiles_m) * TILE_M; let n0 = (own / tiles_m) * TILE_N;\n\
             if n0 >= size_n { return; }\n\
             let made = group.z * SIZE_M * size_n;\n\
             let family = group.z % FAMILIES;\n\
             let first = (group.z / FAMILIES) * SPAN; let last = min(first + SPAN, COLUMNS);\n\
             let steps = (last - first + SLICE - 1u) / SLICE; var k0 = first;\n",
        );
        for index in 0..self.tile.moves(0, self.along_k()[0]) {
            let row = self.tile.row(0, self.along_k()[0], index);
            _ = writeln!(text, "let g_at{index} = FROM_GRAD + (family * SIZE_M + m0 + {row}) * GRAD_C;");
        }
        for index in 0..self.tile.moves(1, self.along_k()[1]) {
            let row = self.tile.row(1, self.along_k()[1], index);
            _ = writeln!(
                text,
                "let own_n{index} = n0 + {row}; let x_at{index} = FROM_IMAGE + (family * CHANNELS + own_n{index} / taps) * IMAGE_C;\n\
                 let y_tap{index} = BASE_Y + ((own_n{index} % taps) / TAPS_X) * DELTA_Y;\n\
                 let x_tap{index} = BASE_X + ((own_n{index} % taps) % TAPS_X) * DELTA_X;"
            );
        }
        text
    }

    /// The positions of a thread's vectors, the same for all its rows.
    fn before(&self) -> String {
        let [left, right] = [0, 1].map(|at| self.tile.vectors(at, self.along_k()[at]));
        let width = VECTOR;
        format!(
            "let kl = k0 + (thread % {left}u) * 4u;\n\
             let grad_at = (kl / PLANE) * GRAD_N + kl % PLANE;\n\
             let kr = k0 + (thread % {right}u) * {width}u; let place = kr % PLANE;\n\
             let image_at = (kr / PLANE) * IMAGE_N;\n\
             let y0 = (place / ROW) * STEP_Y; let x0 = (place % ROW) * STEP_X;\n"
        )
    }

    fn grad(&self, index: usize, variable: &str) -> String {
        let row = self.tile.row(0, self.along_k()[0], index);
        let inside = format!("kl < last && m0 + {row} < SIZE_M");
        select_read(self.tile.vector(), variable, &inside, "grad", &format!("(g_at{index} + grad_at) / 4u"))
    }

    fn image(&self, index: usize, variable: &str) -> String {
        let inside = format!("kr < last && own_n{index} < size_n");
        let gathered = gather(self.gather, &self.tile, variable, &inside, &format!("x_at{index} + image_at"));
        format!("{{ let y = y0 + y_tap{index}; let x = x0 + x_tap{index};\n{gathered} }}\n")
    }
}

/// A text with its scalars and sizes put in.
fn filled(tile: &Tile, body: &str) -> String {
    let [tile_m, tile_n] = tile.size();
    let mut names = names();
    names.extend([
        ("TILE_M", format!("{tile_m}u")),
        ("TILE_N", format!("{tile_n}u")),
        ("SLICE", format!("{}u", tile.slice)),
    ]);
    fill(body, &names)
}

/// Every way to gather and to store.
#[cfg(test)]
pub(super) fn every_program() -> impl Iterator<Item = super::Program> {
    use super::Program;
    let gathers = [Gather::Vector, Gather::Shifted, Gather::Row];
    let flags = [false, true];
    crate::units::TILES.into_iter().flat_map(move |tile| {
        gathers.into_iter().flat_map(move |gather| {
            flags.into_iter().flat_map(move |flag| {
                let result = if flag { DType::F16 } else { DType::F32 };
                let images = [true, false].map(|along_k| {
                    Program::UnitImages(Images { tile, along_k, gather, result, aligned: flag, bias: flag })
                });
                images.into_iter().chain([Program::UnitWeights(Weights { tile, gather, whole: flag })])
            })
        })
    })
}
