//! What kernels of products share: a workgroup of 256 threads makes a tile, each of them some vectors of it, from slices of both
//! operands that pass through workgroup memory.

use std::fmt::Write;

use crate::walk::slot;

/// Steps along K of one slice.
pub(crate) const SLICE: usize = 8;

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

/// Vectors of a row of a slice in workgroup memory, one more than it holds so that rows begin in different banks.
pub(crate) fn stride(tile: usize) -> usize {
    (tile + 4) / 4
}

/// An operand's slices, whose elements lie at strides that the immediates hold.
pub(crate) struct Operand<'a> {
    /// `left` or `right`: the array in workgroup memory.
    pub side: &'a str,
    /// The buffer that `load_NAME` reads.
    pub name: &'a str,
    pub reading: Reading,
    pub tile: usize,
    /// The place of its size along M or N among the immediates.
    pub size: usize,
    /// The places of its strides along M or N and along K.
    pub steps: [usize; 2],
}

impl Operand<'_> {
    /// Functions that read four elements of a slice, and that put them into workgroup memory, which holds them by K.
    pub fn functions(&self) -> String {
        let Self { side, name, reading, tile, size, steps } = *self;
        // `i` counts along M or N.
        let (size, [step_i, step_k]) = (slot(size), steps.map(slot));
        let quads = tile / 4;
        let zero = "vec4<f32>(0.0)";
        let read = match reading {
            Reading::AlongK => format!(
                "let i = i0 + thread / 2u; let k = k0 + (thread % 2u) * 4u;\n\
                 if thread >= {}u || i >= {size} || k >= last {{ return {zero}; }}\n\
                 return load_{name}((base + i * {step_i} + k) / 4u);",
                tile * 2
            ),
            Reading::Across => format!(
                "let i = i0 + (thread % {quads}u) * 4u; let k = k0 + thread / {quads}u;\n\
                 if thread >= {}u || i >= {size} || k >= last {{ return {zero}; }}\n\
                 return load_{name}((base + i + k * {step_k}) / 4u);",
                quads * SLICE
            ),
            Reading::Single => {
                let mut read = format!("var v = {zero};\n");
                for lane in 0..tile * SLICE / 256 {
                    _ = writeln!(
                        read,
                        "{{ let e = thread + {}u; let i = i0 + e % {tile}u; let k = k0 + e / {tile}u;\n\
                         if i < {size} && k < last {{ v[{lane}] = load_{name}(base + i * {step_i} + k * {step_k}); }} }}",
                        lane * 256
                    );
                }
                read + "return v;"
            }
        };
        format!(
            "fn fetch_{side}(base: u32, i0: u32, k0: u32, last: u32, thread: u32) -> vec4<f32> {{\n{read}\n}}\n{}",
            stash(side, reading, tile)
        )
    }
}

/// The function that puts four elements, read so, into one of the two stages of workgroup memory.
pub(crate) fn stash(side: &str, reading: Reading, tile: usize) -> String {
    let (stride, quads) = (stride(tile), tile / 4);
    let put = match reading {
        Reading::AlongK => format!(
            "if thread >= {}u {{ return; }}\n\
             let i = thread / 2u; let at = (stage * 8u + (thread % 2u) * 4u) * {stride}u + i / 4u; let c = i % 4u;\n\
             {side}[at][c] = v.x; {side}[at + {stride}u][c] = v.y; \
             {side}[at + 2u * {stride}u][c] = v.z; {side}[at + 3u * {stride}u][c] = v.w;",
            tile * 2
        ),
        Reading::Across => format!(
            "if thread >= {}u {{ return; }}\n\
             {side}[(stage * 8u + thread / {quads}u) * {stride}u + thread % {quads}u] = v;",
            quads * SLICE
        ),
        Reading::Single => {
            let mut put = String::new();
            for lane in 0..tile * SLICE / 256 {
                _ = writeln!(
                    put,
                    "{{ let e = thread + {}u; let i = e % {tile}u;\n\
                     {side}[(stage * 8u + e / {tile}u) * {stride}u + i / 4u][i % 4u] = v[{lane}]; }}",
                    lane * 256
                );
            }
            put
        }
    };
    format!("fn stash_{side}(stage: u32, thread: u32, v: vec4<f32>) {{\n{put}\n}}\n")
}

/// The sums of a thread: `c` with its row and its block across.
pub(crate) fn accumulators([down, across]: [usize; 2]) -> String {
    let names =
        (0..4 * down).flat_map(|row| (0..across).map(move |block| format!("var c{row}_{block} = vec4(0.0);\n")));
    names.collect()
}

/// A slice's products, written out: drivers do not unroll the loop by themselves.
pub(crate) fn multiply([down, across]: [usize; 2]) -> String {
    let [left, right] = [down, across].map(|blocks| stride(blocks * 64));
    let mut text = String::new();
    for k in 0..SLICE {
        text += "{\n";
        (0..down).for_each(|i| _ = writeln!(text, "let a{i} = left[at_left + {}u];", k * left + i * 16));
        (0..across).for_each(|j| _ = writeln!(text, "let b{j} = right[at_right + {}u];", k * right + j * 16));
        for row in 0..4 * down {
            let lane = ["x", "y", "z", "w"][row % 4];
            for block in 0..across {
                let c = format!("c{row}_{block}");
                _ = writeln!(text, "{c} = fma(vec4(a{}.{lane}), b{block}, {c});", row / 4);
            }
        }
        text += "}\n";
    }
    text
}
