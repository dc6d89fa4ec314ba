//! What a mask picks. How much that is, is known on the device alone: one number is brought back.

use trueno_core::{DType, Error, Layout, Result};

use crate::dense::Dense;
use crate::elementwise::{cast, contiguous};
use crate::index::index_select;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch, Shader};
use crate::scan::running_sums;
use crate::storage;
use crate::walk::{IMMEDIATES, groups_of_fours, index, slot, store_fours};

/// A kernel over what a mask picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// The numbers of the elements that are picked.
    Numbers,
    /// Numbers of elements as positions along each axis.
    Coordinates { rank: usize },
}

/// The places of scalars among the immediates.
mod slots {
    pub const COUNT: usize = 0;
    pub const SIZES: usize = 1;
}

/// The elements of `x` where the mask, of its shape, holds, in order.
///
/// # Errors
/// [`Error::DType`] if the mask is not `bool`, [`Error::ShapePair`] if it has another shape; and what the device refuses.
pub async fn masked_select_async(x: &View<'_>, mask: &View<'_>) -> Result<Buffer> {
    let op = "masked_select";
    if mask.buffer().dtype() != DType::Bool {
        let expected = "the mask is bool; compare first".into();
        return Err(Error::DType { op, got: mask.buffer().dtype(), expected });
    }
    if mask.shape() != x.shape() {
        let reason = "the mask must have the shape of what it picks from".into();
        return Err(Error::ShapePair { op, lhs: x.shape().into(), rhs: mask.shape().into(), reason });
    }
    let numbers = numbers(op, mask).await?;
    let numbers = cast(&View::contiguous(op, &numbers, &[numbers.len()])?, DType::I64)?;
    let elements = Dense::new(x, 1)?;
    let flat = Layout::contiguous(&[elements.from() + x.layout().size()]);
    let flat = View::new(op, elements.buffer(), &flat.narrow(op, 0, elements.from(), x.layout().size())?)?;
    index_select(&flat, 0, &View::contiguous(op, &numbers, &[numbers.len()])?)
}

/// The positions of the elements that are not 0, as `int64` of shape `[count, rank]`, with the count.
///
/// # Errors
/// What the device refuses.
pub async fn nonzero_async(x: &View<'_>) -> Result<(Buffer, usize)> {
    let op = "nonzero";
    let numbers = numbers(op, x).await?;
    let (count, rank) = (numbers.len(), x.shape().len());
    let device = x.buffer().device();
    let output = Buffer::new(device, op, DType::I64, count * rank)?;
    if output.is_empty() {
        return Ok((output, count));
    }
    let mut immediates = Immediates::default();
    if slots::SIZES + rank > immediates.len() {
        return Err(Error::Argument { op, reason: format!("rank {rank} is more than a GPU walks").into() });
    }
    immediates[slots::COUNT] = index(op, output.len())?;
    for (word, &size) in immediates[slots::SIZES..].iter_mut().zip(x.shape()) {
        *word = index(op, size)?;
    }
    let program = record::Program::Mask(Program::Coordinates { rank });
    let groups = groups_of_fours(device, output.len());
    Launch { op, program, reads: &[&numbers], writes: &[&output], immediates, groups }.record(device)?;
    Ok((output, count))
}

/// [`masked_select_async`], waited for.
///
/// # Errors
/// As there.
#[cfg(not(target_arch = "wasm32"))]
pub fn masked_select(x: &View<'_>, mask: &View<'_>) -> Result<Buffer> {
    crate::Device::wait_for(masked_select_async(x, mask))
}

/// [`nonzero_async`], waited for.
///
/// # Errors
/// As there.
#[cfg(not(target_arch = "wasm32"))]
pub fn nonzero(x: &View<'_>) -> Result<(Buffer, usize)> {
    crate::Device::wait_for(nonzero_async(x))
}

/// The numbers, in row-major order, of the elements that are not 0.
async fn numbers(op: &'static str, x: &View<'_>) -> Result<Buffer> {
    let device = x.buffer().device();
    let len = x.layout().size();
    if len == 0 {
        return Buffer::new(device, op, DType::U32, 0);
    }
    let flags = cast(x, DType::Bool)?;
    let flags = cast(&View::contiguous(op, &flags, &[len])?, DType::U32)?;
    let sums = running_sums(op, &flags, 0, [1, len])?;
    let last = View::contiguous(op, &sums, &[len])?.layout().narrow(op, 0, len - 1, 1)?;
    let count = contiguous(&View::new(op, &sums, &last)?)?.download::<u32>(op).await?;
    let count = count.first().map_or(0, |&count| count as usize);
    let output = Buffer::new(device, op, DType::U32, count)?;
    if count == 0 {
        return Ok(output);
    }
    let mut immediates = Immediates::default();
    immediates[slots::COUNT] = index(op, len)?;
    let program = record::Program::Mask(Program::Numbers);
    let groups = record::grid(device, len.div_ceil(256));
    Launch { op, program, reads: &[&flags, &sums], writes: &[&output], immediates, groups }.record(device)?;
    Ok(output)
}

impl Program {
    pub fn shader(&self) -> Shader {
        match *self {
            Self::Numbers => {
                let text = format!(
                    "{IMMEDIATES}@group(0) @binding(0) var<storage, read> flags: array<u32>;\n\
                     @group(0) @binding(1) var<storage, read> sums: array<u32>;\n\
                     @group(0) @binding(2) var<storage, read_write> out: array<u32>;\n\
                     @compute @workgroup_size(256)\n\
                     fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, \
                     @builtin(local_invocation_index) thread: u32) {{\n\
                     let i = (group.y * groups.x + group.x) * 256u + thread;\n\
                     if i < {} && flags[i] != 0u {{ out[sums[i] - 1u] = i; }}\n}}\n",
                    slot(slots::COUNT),
                );
                Shader { text, reads: 2, writes: 1 }
            }
            Self::Coordinates { rank } => {
                let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
                text += "@group(0) @binding(0) var<storage, read> numbers: array<u32>;\n";
                text += &storage::writer(1, "out", DType::I64);
                text += &format!("fn element(i: u32) -> vec2<u32> {{\nvar rest = numbers[i / {rank}u];\n");
                for axis in (0..rank).rev() {
                    let size = slot(slots::SIZES + axis);
                    text +=
                        &format!("if i % {rank}u == {axis}u {{ return vec2(rest % {size}, 0u); }}\nrest /= {size};\n");
                }
                text += "return vec2(0u);\n}\n";
                text += &store_fours(storage::four(DType::I64), false, slots::COUNT);
                Shader { text, reads: 1, writes: 1 }
            }
        }
    }
}

/// Both kernels.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    [Program::Numbers, Program::Coordinates { rank: 1 }, Program::Coordinates { rank: 3 }].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, gather, read, samples, shaped, upload};

    #[test]
    fn what_a_mask_picks_is_in_order() {
        let Some(device) = device() else { return };
        let values = samples(1, 70 * 60, [-1.0, 1.0]);
        let x = upload(device, &values);
        let turned = Layout::contiguous(&[70, 60]).permute("test", &[1, 0]).unwrap();
        for threshold in [-2.0, 0.3, 0.9, 2.0] {
            let flags: Vec<bool> = values.iter().map(|&x| x > threshold).collect();
            let mask = Buffer::from_slice(device, "test", &flags).unwrap();
            for layout in [Layout::contiguous(&[70, 60]), turned.clone(), turned.narrow("test", 0, 5, 20).unwrap()] {
                let want: Vec<f32> = gather(&values, &layout).into_iter().filter(|&x| x > threshold).collect();
                let (x, mask) = (View::new("test", &x, &layout).unwrap(), View::new("test", &mask, &layout).unwrap());
                assert_eq!(read(masked_select(&x, &mask)), want);
                let (places, count) = nonzero(&mask).unwrap();
                assert_eq!(count, want.len());
                let places: Vec<i64> = places.download("test").wait().unwrap();
                let columns = layout.shape()[1] as i64;
                let elements = gather(&values, &layout);
                let found = places.chunks(2).map(|place| elements[(place[0] * columns + place[1]) as usize]);
                assert_eq!(found.collect::<Vec<_>>(), want);
            }
        }
        let part = View::new("test", &x, &Layout::contiguous(&[12]).narrow("test", 0, 3, 9).unwrap()).unwrap();
        let flags = Buffer::from_slice(device, "test", &[true; 9]).unwrap();
        assert_eq!(read(masked_select(&part, &shaped(&flags, &[9]))), values[3..12]);
    }

    #[test]
    fn nothing_and_one_element_are_picked_too() {
        let Some(device) = device() else { return };
        let (one, none) = (upload(device, &[2.5]), upload(device, &[]));
        let (places, count) = nonzero(&shaped(&one, &[])).unwrap();
        assert!(places.is_empty() && count == 1);
        let yes = Buffer::from_slice(device, "test", &[true]).unwrap();
        assert_eq!(read(masked_select(&shaped(&one, &[]), &shaped(&yes, &[]))), [2.5]);
        assert_eq!(nonzero(&shaped(&none, &[0, 3])).unwrap().1, 0);
        assert!(
            masked_select(&shaped(&one, &[1]), &shaped(&one, &[1]))
                .unwrap_err()
                .to_string()
                .contains("the mask is bool")
        );
        assert!(matches!(masked_select(&shaped(&one, &[1]), &shaped(&yes, &[])), Err(Error::ShapePair { .. })));
    }
}
