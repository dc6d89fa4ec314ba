//! The text of attention by tiles, and of its gradients.

use std::fmt::Write;

use trueno_core::DType;
use trueno_core::math::wgsl::PRELUDE;

use crate::record::Shader;
use crate::storage;
use crate::tile::{Reading, Tile};
use crate::walk::{IMMEDIATES, expand, fill, position, slot};

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The result, and the logarithm of each row's sum.
    Forward,
    /// The gradient by queries.
    ByQueries,
    /// The gradients by keys and values.
    ByKeys,
}

/// A kernel of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub kind: Kind,
    pub dtype: DType,
    pub causal: bool,
    /// The type of the mask, and the axes of heads that it is walked along.
    pub mask: Option<(DType, usize)>,
    /// Own rows of a workgroup by others.
    pub tile: Tile,
    /// Whether rows of operands and results are whole vectors.
    pub vectors: bool,
    /// Whether each result has the rows of its heads side by side.
    pub interleaved: [bool; 2],
}

/// Tiles: of long sequences, and of short ones or where workgroups share little.
pub(super) const LARGE: Tile = Tile { threads: [8, 16], blocks: [2, 1], slice: 8 };
pub(super) const SMALL: Tile = Tile { threads: [8, 8], blocks: [1, 1], slice: 8 };

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const HEADS: usize = 0;
    pub const QUERIES: usize = 1;
    pub const KEYS: usize = 2;
    pub const WIDTH: usize = 3;
    pub const VALUES: usize = 4;
    pub const SCALE: usize = 5;
    /// Workgroups that share the columns of a result.
    pub const CHUNKS: usize = 6;
    /// Heads are counted in outer and inner ones; how many inner ones there are.
    pub const INNER: usize = 7;
    /// Of queries, keys, values and the gradient: where they begin, and how far rows, outer heads and inner heads are apart.
    pub const FROMS: usize = 8;
    pub const ROWS: usize = 12;
    pub const OUTER_STEPS: usize = 16;
    pub const INNER_STEPS: usize = 20;
    pub const FROM_MASK: usize = 24;
    /// The mask's strides by query and by key, and then the axes of its heads.
    pub const MASK: usize = 25;
}

/// Bytes that a workgroup of the large tile shares.
pub(super) const SHARED_BYTES: u32 = 25_856;

impl Program {
    pub fn shader(&self) -> Shader {
        let mut text = format!("{IMMEDIATES}{PRELUDE}{}", storage::PACKING);
        let (reads, writes, main): (&[&str], &[&str], _) = match self.kind {
            Kind::Forward => (&["q", "k", "v"], &["out"], include_str!("forward.wgsl")),
            Kind::ByQueries => (&["q", "k", "v", "g"], &["gq"], include_str!("by_queries.wgsl")),
            Kind::ByKeys => (&["q", "k", "v", "g"], &["gk", "gv"], include_str!("by_keys.wgsl")),
        };
        let backward = self.kind != Kind::Forward;
        let mut next = 0;
        let mut binding = || {
            next += 1;
            next - 1
        };
        for (operand, name) in reads.iter().enumerate() {
            text += &storage::reader(binding(), name, self.dtype, self.vectors);
            text += &self.access(operand, name);
        }
        if backward {
            for name in ["log_sum", "dots"] {
                text += &format!("@group(0) @binding({}) var<storage, read> {name}: array<f32>;\n", binding());
            }
        }
        if let Some((dtype, _)) = self.mask {
            text += &storage::reader(binding(), "mask", dtype, false);
        }
        text += &self.mask_text();
        for (at, name) in writes.iter().enumerate() {
            text += &self.emitter(binding(), name, self.interleaved[at]);
        }
        if !backward {
            text += &format!("@group(0) @binding({}) var<storage, read_write> log_sum: array<f32>;\n", binding());
        }
        let (scores, slopes, gathered): (_, _, &[&str]) = match self.kind {
            Kind::Forward => (["q", "k"], None, &["v"]),
            Kind::ByQueries => (["q", "k"], Some(["g", "v"]), &["k"]),
            Kind::ByKeys => (["k", "q"], Some(["v", "g"]), &["g", "q"]),
        };
        let mut tiles = String::from(include_str!("tiles.wgsl"));
        tiles += &product("scores", scores, "WIDTH");
        if let Some(slopes) = slopes {
            tiles += &(product("slopes", slopes, "VALUES") + include_str!("slopes.wgsl") + &self.of_queries());
        }
        for name in gathered {
            tiles += &include_str!("gather.wgsl").replace("NAME", name);
        }
        for at in 0..2 {
            text += &self.tile.stash_function(at, Reading::AlongK);
        }
        text += &self.filled(&(tiles + &main.replace("START", include_str!("start.wgsl"))), reads);
        let writes = writes.len() as u32 + u32::from(!backward);
        Shader { text, reads: next - writes, writes }
    }

    /// Functions that give what there is for each query, for an own row and four others.
    fn of_queries(&self) -> String {
        let one = |name: &str, value: &str| {
            let of = match self.kind {
                Kind::ByKeys => {
                    ["other", "other + 1u", "other + 2u", "other + 3u"].map(|query| format!("{value}({query})"))
                }
                Kind::Forward | Kind::ByQueries => ["own"; 4].map(|query| format!("{value}({query})")),
            };
            format!("fn {name}(own: u32, other: u32) -> vec4<f32> {{ return vec4({}); }}\n", of.join(", "))
        };
        one("logs", "log_of") + &one("all_dots", "dot_of")
    }

    /// A template with its lines for each row of a thread, its constants and immediates in place.
    fn filled(&self, template: &str, operands: &[&str]) -> String {
        let tile = self.tile.size()[0];
        let [down, _] = self.tile.threads;
        let rows = 4 * self.tile.blocks[0];
        let by_keys = self.kind == Kind::ByKeys;
        let held = |d: usize, block: usize| format!("weights[held(j + {d}u, ty + {}u)]", block * down);
        let right = |d: usize| format!("right[at_right + {}u]", d * self.tile.pitch(1));
        let steps = (0..self.tile.slice).map(|d| self.tile.step(|block| held(d, block), |_| right(d)));
        let sums: Vec<String> = (0..rows).map(|row| format!("c{row}_0")).collect();
        let [place_x, place_y] = self.tile.place();
        let mut names = self.tile.names();
        names.extend([
            ("STEPS", steps.collect()),
            ("SUMS", sums.join(", ")),
            ("PUT", self.put()),
            ("PLACE_X", place_x),
            ("PLACE_Y", place_y),
            ("FIND_HEAD", operands.iter().enumerate().map(|(at, name)| find(at, name)).collect()),
            ("SEEN", if by_keys { "seen_by_key" } else { "seen" }.into()),
            ("OWN_ROWS", slot(if by_keys { slots::KEYS } else { slots::QUERIES })),
            ("LAST_OTHER", if self.causal { "min(KEYS, own + TILE)" } else { "KEYS" }.into()),
            ("FIRST_OTHER", if self.causal { "own" } else { "0u" }.into()),
            ("HIDDEN", if self.causal { "column > row" } else { "false" }.into()),
            ("WEIGHTS", (tile * tile / 4).to_string()),
            ("QUARTER", (tile / 4).to_string()),
            ("PITCH", format!("{}u", self.tile.pitch(1))),
            ("SHARES", format!("{}u", self.tile.count() / tile)),
            ("DOWN", format!("{down}u")),
            ("TILE", format!("{tile}u")),
            ("HEADS", slot(slots::HEADS)),
            ("QUERIES", slot(slots::QUERIES)),
            ("KEYS", slot(slots::KEYS)),
            ("WIDTH", slot(slots::WIDTH)),
            ("VALUES", slot(slots::VALUES)),
            ("CHUNKS", slot(slots::CHUNKS)),
            ("SCALE", scale()),
        ]);
        // Texts that are put in hold names themselves.
        fill(&fill(&expand(template, rows), &names), &names)
    }

    /// Statements that write a thread's part of a tile in vectors of four own rows.
    fn put(&self) -> String {
        let mut text = String::new();
        for block in 0..self.tile.blocks[0] {
            for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
                let rows = [0, 1, 2, 3].map(|row| format!("t.c{}.{name}", 4 * block + row)).join(", ");
                let four = block * self.tile.threads[0];
                _ = writeln!(text, "weights[held(tx * 4u + {lane}u, ty + {four}u)] = vec4({rows});");
            }
        }
        text
    }

    /// What is added to the score of a query and a key.
    fn mask_text(&self) -> String {
        let Some((dtype, rank)) = self.mask else {
            return "fn mask_at(row: u32, column: u32) -> f32 { return 0.0; }\n".into();
        };
        let value =
            if dtype == DType::Bool { "select(-infinity(), 0.0, load_mask(at) != 0u)" } else { "load_mask(at)" };
        position("mask_head", rank, slots::MASK + 2)
            + &format!(
                "fn mask_at(row: u32, column: u32) -> f32 {{\n\
                 let at = {} + mask_head(head) + row * {} + column * {};\nreturn {value};\n}}\n",
                slot(slots::FROM_MASK),
                slot(slots::MASK),
                slot(slots::MASK + 1),
            )
    }

    /// A result, and a function that writes four neighbours of a row of it.
    fn emitter(&self, binding: u32, name: &str, interleaved: bool) -> String {
        let [rows, columns] = extent(name);
        let inner = slot(slots::INNER);
        let line = if interleaved {
            format!("(head / {inner} * {rows} + row) * {inner} + head % {inner}")
        } else {
            format!("head * {rows} + row")
        };
        let head = format!(
            "fn emit_{name}(row: u32, column: u32, v: vec4<f32>) {{\nif row >= {rows} {{ return; }}\n\
             let at = ({line}) * {columns} + column;\n"
        );
        if self.vectors {
            storage::writer(binding, name, self.dtype)
                + &format!("{head}if column < {columns} {{ store_{name}(at / 4u, v); }}\n}}\n")
        } else {
            let lane =
                |lane: usize| format!("if column + {lane}u < {columns} {{ {name}[at + {lane}u] = v[{lane}]; }}\n");
            let lanes: String = (0..4).map(lane).collect();
            format!("@group(0) @binding({binding}) var<storage, read_write> {name}: array<f32>;\n{head}{lanes}}}\n")
        }
    }

    /// A function that reads four neighbours of a row of an operand of the head that is worked on: zeros outside, queries scaled.
    fn access(&self, operand: usize, name: &str) -> String {
        let [rows, columns] = extent(name);
        let factor = if name == "q" { format!(" * {}", scale()) } else { String::new() };
        let row = slot(slots::ROWS + operand);
        // Without a branch, for the reason that `tile::Operand::functions` gives.
        let read = if self.vectors {
            format!(
                "let at = select(0u, (from_{name} + row * {row} + column) / 4u, inside && column < {columns});\n\
                 return select(vec4(0.0), load_{name}(at){factor}, inside && column < {columns});"
            )
        } else {
            let lanes: String = (0..4)
                .map(|lane| {
                    format!(
                        "{{ let own = inside && column + {lane}u < {columns};\n\
                         v[{lane}] = select(0.0, load_{name}(select(0u, at + {lane}u, own)), own); }}\n"
                    )
                })
                .collect();
            format!("let at = from_{name} + row * {row} + column;\nvar v = vec4<f32>();\n{lanes}return v{factor};")
        };
        format!(
            "var<private> from_{name}: u32;\nfn {name}_at(row: u32, column: u32) -> vec4<f32> {{\n\
             let inside = row < {rows};\n{read}\n}}\n"
        )
    }
}

/// Rows and columns of an operand or a result.
fn extent(name: &str) -> [String; 2] {
    let [rows, columns] = match name {
        "q" | "gq" => [slots::QUERIES, slots::WIDTH],
        "k" | "gk" => [slots::KEYS, slots::WIDTH],
        "v" | "gv" => [slots::KEYS, slots::VALUES],
        _ => [slots::QUERIES, slots::VALUES],
    };
    [slot(rows), slot(columns)]
}

fn scale() -> String {
    format!("bitcast<f32>({})", slot(slots::SCALE))
}

/// A statement that finds where an operand of the head that is worked on begins.
fn find(operand: usize, name: &str) -> String {
    let [from, inner] = [slots::FROMS + operand, slots::INNER].map(slot);
    let [outer_step, inner_step] = [slots::OUTER_STEPS, slots::INNER_STEPS].map(|first| slot(first + operand));
    format!("from_{name} = {from} + head / {inner} * {outer_step} + head % {inner} * {inner_step};\n")
}

/// The product of own rows of one operand with others of another.
fn product(name: &str, [left, right]: [&str; 2], length: &str) -> String {
    let text = include_str!("product.wgsl").replace("NAME", name).replace("LENGTH", length);
    text.replace("LEFT_OPERAND", left).replace("RIGHT_OPERAND", right)
}

/// Every kernel, with and without mask, in both tiles.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let kinds = [Kind::Forward, Kind::ByQueries, Kind::ByKeys];
    let masks = [None, Some((DType::Bool, 2)), Some((DType::F32, 0))];
    let types = [(DType::F32, false), (DType::F32, true), (DType::F16, true), (DType::BF16, true)];
    kinds.into_iter().flat_map(move |kind| {
        masks.into_iter().flat_map(move |mask| {
            types.into_iter().flat_map(move |(dtype, vectors)| {
                [(SMALL, true), (LARGE, false)].map(|(tile, causal)| {
                    let interleaved = [causal, vectors];
                    Program { kind, dtype, causal, mask, tile, vectors, interleaved }
                })
            })
        })
    })
}
