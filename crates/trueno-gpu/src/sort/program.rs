//! The text of kernels that sort.

use trueno_core::DType;
use trueno_core::math::wgsl::PRELUDE;

use crate::record::Shader;
use crate::walk::{IMMEDIATES, slot};
use crate::{order, storage};

/// How elements are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub dtype: DType,
    pub descending: bool,
    /// Whether both zeros are equal.
    pub zeros_equal: bool,
}

/// A kernel that sorts, or a step of sorting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Rows that a workgroup holds, of at most so many elements.
    Bitonic {
        order: Order,
        size: usize,
    },
    /// A word of the key of each element, where it is or where places say.
    Keys {
        order: Order,
        word: usize,
        placed: bool,
    },
    Count,
    Scatter,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    pub const ROWS: usize = 0;
    pub const LENGTH: usize = 1;
    pub const FROM: usize = 2;
    /// Positions that are wanted of each row.
    pub const TAKE: usize = 3;
    /// Tiles of a row.
    pub const TILES: usize = 4;
    /// The digit's lowest bit.
    pub const SHIFT: usize = 5;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let (text, reads, writes) = match *self {
            Self::Bitonic { order, size } => (bitonic(order, size), 1, 1),
            Self::Keys { order, word, placed } => (keys(order, word, placed), 1 + u32::from(placed), 2),
            Self::Count => {
                let bindings = words(&["keys"], &["counts"]);
                (format!("{IMMEDIATES}{bindings}{}", include_str!("count.wgsl")), 1, 1)
            }
            Self::Scatter => {
                let bindings = words(&["keys", "places", "counts", "sums"], &["moved_keys", "moved_places"]);
                (format!("{IMMEDIATES}{bindings}{}", include_str!("scatter.wgsl")), 4, 2)
            }
        };
        let text = text
            .replace("ROWS", &slot(slots::ROWS))
            .replace("LENGTH", &slot(slots::LENGTH))
            .replace("FROM", &slot(slots::FROM))
            .replace("TAKE", &slot(slots::TAKE))
            .replace("TILES", &slot(slots::TILES))
            .replace("SHIFT", &slot(slots::SHIFT));
        Shader { text, reads, writes }
    }
}

/// Bindings of words, some read and then some written.
fn words(reads: &[&str], writes: &[&str]) -> String {
    let access = reads.iter().map(|name| (name, "read")).chain(writes.iter().map(|name| (name, "read_write")));
    let binding = |(at, (name, access)): (usize, (&&str, &str))| {
        format!("@group(0) @binding({at}) var<storage, {access}> {name}: array<u32>;\n")
    };
    access.enumerate().map(binding).collect()
}

/// The operand, and a function `rank` that grows in the order that is wanted.
fn ranked(order: Order) -> String {
    let mut text = format!("{IMMEDIATES}{PRELUDE}{}{}", storage::PACKING, storage::PAIRS);
    text += &storage::reader(0, "x", order.dtype, false);
    text += &order::key(order.dtype, order.zeros_equal);
    let (element, key) = (storage::element_type(order.dtype), key_type(order.dtype));
    let turn = if order.descending { "~" } else { "" };
    text + &format!("fn rank(x: {element}) -> {key} {{ return {turn}key(x); }}\n")
}

fn key_type(dtype: DType) -> &'static str {
    if storage::is_pair(dtype) { "vec2<u32>" } else { "u32" }
}

fn bitonic(order: Order, size: usize) -> String {
    let key = key_type(order.dtype);
    let greater = if storage::is_pair(order.dtype) { "a.y > b.y || (a.y == b.y && a.x > b.x)" } else { "a > b" };
    let mut text = ranked(order);
    text += "@group(0) @binding(1) var<storage, read_write> out: array<vec2<u32>>;\n";
    text += &format!("fn greater(a: {key}, b: {key}) -> bool {{ return {greater}; }}\n");
    let main = include_str!("bitonic.wgsl").replace("KEY", key).replace("SIZE", &format!("{size}u"));
    text + &if storage::is_pair(order.dtype) {
        main
    } else {
        main.replace("all(keys[a] == keys[b])", "keys[a] == keys[b]")
    }
}

fn keys(order: Order, word: usize, placed: bool) -> String {
    let member = match (storage::is_pair(order.dtype), word) {
        (false, _) => "",
        (true, 0) => ".x",
        (true, _) => ".y",
    };
    let mut text = ranked(order);
    let first = 1 + u32::from(placed);
    if placed {
        text += "@group(0) @binding(1) var<storage, read> places: array<u32>;\n";
    }
    text += &format!(
        "@group(0) @binding({first}) var<storage, read_write> keys: array<u32>;\n\
         @group(0) @binding({}) var<storage, read_write> own_places: array<u32>;\n",
        first + 1,
    );
    let place = if placed { "places[i]" } else { "i % LENGTH" };
    text + &format!(
        "@compute @workgroup_size(256)\n\
         fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, \
         @builtin(local_invocation_index) thread: u32) {{\n\
         let i = (group.y * groups.x + group.x) * 256u + thread;\nif i >= ROWS * LENGTH {{ return; }}\n\
         let place = {place};\nkeys[i] = rank(load_x(FROM + i - i % LENGTH + place)){member};\nown_places[i] = place;\n}}\n"
    )
}

/// Every type and kernel.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let sorts = DType::ALL.into_iter().flat_map(|dtype| {
        [false, true].into_iter().flat_map(move |descending| {
            let order = Order { dtype, descending, zeros_equal: descending };
            let keys = Program::Keys { order, word: usize::from(descending), placed: descending };
            [Program::Bitonic { order, size: if descending { 1024 } else { 2 } }, keys]
        })
    });
    sorts.chain([Program::Count, Program::Scatter])
}
