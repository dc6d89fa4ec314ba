//! The text of attention by tiles, and of its gradients.

use trueno_core::DType;
use trueno_core::math::wgsl::PRELUDE;

use crate::record::Shader;
use crate::storage;
use crate::walk::{IMMEDIATES, expand, position, slot};

/// Columns of a result that a workgroup makes.
pub(super) const COLUMNS: usize = 64;

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
    /// Rows and columns of a tile: 32 or 64.
    pub tile: usize,
    /// Whether rows of results are whole vectors.
    pub vectors: bool,
}

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
    /// Where queries, keys, values and the gradient begin.
    pub const FROMS: usize = 7;
    pub const FROM_MASK: usize = 11;
    /// The mask's strides by query and by key, and then the axes of its heads.
    pub const MASK: usize = 12;
}

/// Bytes that a workgroup of tiles of 64 shares.
pub(super) const SHARED_BYTES: u32 = 30_208;

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
            text += &storage::reader(binding(), name, self.dtype, false);
            text += &access(operand, name);
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
        for name in writes {
            text += &self.emitter(binding(), name);
        }
        if !backward {
            text += &format!("@group(0) @binding({}) var<storage, read_write> log_sum: array<f32>;\n", binding());
        }
        text += &self.tiles(include_str!("tiles.wgsl"));
        text += &self.tiles(&product("scores", "q", "k", "WIDTH"));
        if backward {
            text += &self.tiles(&product("slopes", "g", "v", "VALUES"));
            text += &self.tiles(include_str!("slopes.wgsl"));
        }
        text += &self.tiles(main);
        let writes = writes.len() as u32 + u32::from(!backward);
        Shader { text: self.named(&text), reads: next - writes, writes }
    }

    /// A template with its lines for each row of a thread, and for each lane of a row.
    fn tiles(&self, template: &str) -> String {
        let rows = self.tile / 16;
        let mut text = String::new();
        for line in template.lines() {
            match line.trim_start().strip_prefix("lanes ") {
                Some(repeated) => (0..rows).for_each(|lane| {
                    let member = ["x", "y", "z", "w"][lane];
                    text += &repeated.replace('#', &lane.to_string()).replace('@', member);
                    text.push('\n');
                }),
                None => {
                    text += line;
                    text.push('\n');
                }
            }
        }
        expand(&text, rows)
    }

    /// The text with its constants and immediates in place.
    fn named(&self, text: &str) -> String {
        let tile = self.tile;
        let hidden = if self.causal { "column > row" } else { "false" };
        let last_key = if self.causal { "min(KEYS, first + TILE)" } else { "KEYS" };
        let first_query = if self.causal { "key" } else { "0u" };
        text.replace("LAST_KEY", last_key)
            .replace("FIRST_QUERY", first_query)
            .replace("HIDDEN", hidden)
            .replace("LEFT", &(16 * tile).to_string())
            .replace("WEIGHTS", &(tile * (tile + 1)).to_string())
            .replace("PITCH", &format!("{}u", tile + 1))
            .replace("SHARES", &format!("{}u", 256 / tile))
            .replace("TILE", &format!("{tile}u"))
            .replace("HEADS", &slot(slots::HEADS))
            .replace("QUERIES", &slot(slots::QUERIES))
            .replace("KEYS", &slot(slots::KEYS))
            .replace("WIDTH", &slot(slots::WIDTH))
            .replace("VALUES", &slot(slots::VALUES))
            .replace("CHUNKS", &slot(slots::CHUNKS))
            .replace("SCALE", &format!("bitcast<f32>({})", slot(slots::SCALE)))
            .replace("* M", &format!("* {}u", tile / 16))
            .replace("S(", &format!("vec{}<f32>(", tile / 16))
            .replace(": S", &format!(": vec{}<f32>", tile / 16))
            .replace("-> S", &format!("-> vec{}<f32>", tile / 16))
            .replace("<S,", &format!("<vec{}<f32>,", tile / 16))
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
    fn emitter(&self, binding: u32, name: &str) -> String {
        let [rows, columns] = extent(name);
        let head = format!("fn emit_{name}(row: u32, column: u32, v: vec4<f32>) {{\nif row >= {rows} {{ return; }}\n");
        let at = format!("(head * {rows} + row) * {columns} + column");
        if self.vectors {
            storage::writer(binding, name, self.dtype)
                + &format!("{head}if column < {columns} {{ store_{name}(({at}) / 4u, v); }}\n}}\n")
        } else {
            let lane =
                |lane: usize| format!("if column + {lane}u < {columns} {{ {name}[{at} + {lane}u] = v[{lane}]; }}\n");
            let lanes: String = (0..4).map(lane).collect();
            format!("@group(0) @binding({binding}) var<storage, read_write> {name}: array<f32>;\n{head}{lanes}}}\n")
        }
    }
}

/// Rows and columns of an operand or a result.
fn extent(name: &str) -> [&'static str; 2] {
    match name {
        "q" | "gq" => ["QUERIES", "WIDTH"],
        "k" | "gk" => ["KEYS", "WIDTH"],
        "v" | "gv" => ["KEYS", "VALUES"],
        _ => ["QUERIES", "VALUES"],
    }
}

/// Functions that read an operand of the head that is worked on: zeros outside, queries scaled.
fn access(operand: usize, name: &str) -> String {
    let [rows, columns] = extent(name);
    let factor = if name == "q" { " * SCALE" } else { "" };
    let from = slot(slots::FROMS + operand);
    format!(
        "fn {name}_at(row: u32, column: u32) -> f32 {{\n\
         if row >= {rows} || column >= {columns} {{ return 0.0; }}\n\
         return load_{name}({from} + (head * {rows} + row) * {columns} + column){factor};\n}}\n\
         fn {name}_vector(row: u32, column: u32) -> vec4<f32> {{\n\
         return vec4({name}_at(row, column), {name}_at(row, column + 1u), {name}_at(row, column + 2u), \
         {name}_at(row, column + 3u));\n}}\n"
    )
}

/// The product of rows of one operand with rows of another.
fn product(name: &str, left: &str, right: &str, length: &str) -> String {
    let text = include_str!("product.wgsl").replace("NAME", name).replace("LENGTH", length);
    text.replace("A_at", &format!("{left}_at")).replace("B_at", &format!("{right}_at"))
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
                [(32, true), (64, false)].map(|(tile, causal)| Program { kind, dtype, causal, mask, tile, vectors })
            })
        })
    })
}
