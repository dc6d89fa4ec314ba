//! Running sums: of chunks side by side, and then of what the chunks before each add to it, always in the same tree.

use trueno_core::math::wgsl::Scalar;
use trueno_core::{DType, Layout, Result};

use crate::dense::Dense;
use crate::elementwise::{cast, contiguous};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch, Shader};
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, index, slot};

/// Elements of a chunk.
const CHUNK: usize = 1024;

/// A kernel of running sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    /// `f32`, `u32`, `int64` or `float64`.
    dtype: DType,
    /// Whether it adds what comes before a chunk to its sums, rather than making those.
    carry: bool,
}

/// The places of scalars among the immediates.
mod slots {
    pub const ROWS: usize = 0;
    pub const LENGTH: usize = 1;
    pub const CHUNKS: usize = 2;
    pub const FROM: usize = 3;
}

/// Running sums along an axis, row-major; those of integers and truth values are `int64`, as in NumPy.
///
/// # Errors
/// [`Error::Axis`](trueno_core::Error::Axis); [`Error::DType`](trueno_core::Error::DType) for `float64` on a device that does not compute
/// in it; and what the device refuses.
pub fn cumsum(x: &View<'_>, axis: usize) -> Result<Buffer> {
    let op = "cumsum";
    let dtype = x.buffer().dtype();
    let (wide, result) = match dtype {
        DType::F32 | DType::F16 | DType::BF16 => (DType::F32, dtype),
        DType::I64 | DType::I32 | DType::U32 | DType::U8 | DType::I8 | DType::Bool => (DType::I64, DType::I64),
        DType::F64 => {
            storage::computes(op, dtype, x.buffer().device())?;
            (dtype, dtype)
        }
    };
    let last = x.axis_last(op, axis)?;
    let length = x.shape()[axis];
    if x.layout().size() == 0 {
        return Buffer::new(x.buffer().device(), op, result, 0);
    }
    let x = Dense::in_type(&last, wide, 1)?;
    let sums = running_sums(op, x.buffer(), x.from(), [last.layout().size() / length, length])?;
    let shape = last.shape();
    let sums = if result == wide { sums } else { cast(&View::contiguous(op, &sums, shape)?, result)? };
    axis_back(op, sums, shape, axis)
}

/// A row-major value whose last axis belongs at `axis`, with it there.
pub(crate) fn axis_back(op: &'static str, x: Buffer, shape: &[usize], axis: usize) -> Result<Buffer> {
    if axis + 1 == shape.len() {
        return Ok(x);
    }
    let rank = shape.len() as isize;
    let mut order: Vec<isize> = (0..rank - 1).collect();
    order.insert(axis, rank - 1);
    contiguous(&View::new(op, &x, &Layout::contiguous(shape).permute(op, &order)?)?)
}

/// Running sums of rows of `f32`, `u32`, `int64` or `float64`.
pub(crate) fn running_sums(op: &'static str, x: &Buffer, from: usize, shape: [usize; 2]) -> Result<Buffer> {
    let Chunks { output, totals, chunks, immediates, groups } = Chunks::new(op, x, from, shape)?;
    if chunks > 1 {
        let before = running_sums(op, &totals, 0, [shape[0], chunks])?;
        let program = record::Program::Scan(Program { dtype: x.dtype(), carry: true });
        Launch { op, program, reads: &[&before], writes: &[&output], immediates, groups }.record(x.device())?;
    }
    Ok(output)
}

/// Sums of rows of `f32`, `u32` or `int64`, none of them empty.
pub(crate) fn sums(op: &'static str, x: &Buffer, from: usize, shape: [usize; 2]) -> Result<Buffer> {
    let Chunks { totals, chunks, .. } = Chunks::new(op, x, from, shape)?;
    if chunks > 1 { sums(op, &totals, 0, [shape[0], chunks]) } else { Ok(totals) }
}

/// The running sums of each chunk of each row by itself.
struct Chunks {
    output: Buffer,
    /// The sum of each chunk.
    totals: Buffer,
    /// Chunks of a row.
    chunks: usize,
    immediates: Immediates,
    groups: [u32; 3],
}

impl Chunks {
    fn new(op: &'static str, x: &Buffer, from: usize, [rows, length]: [usize; 2]) -> Result<Self> {
        let (device, dtype) = (x.device(), x.dtype());
        let chunks = length.div_ceil(CHUNK);
        let output = Buffer::new(device, op, dtype, rows * length)?;
        let totals = Buffer::new(device, op, dtype, rows * chunks)?;
        let mut immediates = Immediates::default();
        let words = [(slots::ROWS, rows), (slots::LENGTH, length), (slots::CHUNKS, chunks), (slots::FROM, from)];
        for (slot, value) in words {
            immediates[slot] = index(op, value)?;
        }
        let groups = record::grid(device, rows * chunks);
        let program = record::Program::Scan(Program { dtype, carry: false });
        Launch { op, program, reads: &[x], writes: &[&output, &totals], immediates, groups }.record(device)?;
        Ok(Self { output, totals, chunks, immediates, groups })
    }
}

impl Program {
    pub fn shader(&self) -> Shader {
        // Sums of integers are made of pairs of words, which any device adds.
        let format = Format::of(self.dtype, if self.dtype == DType::F64 { Scalar::F64 } else { Scalar::U32 });
        let element = storage::element_type(format);
        let (access, main) =
            if self.carry { ("read", include_str!("carry.wgsl")) } else { ("read_write", include_str!("chunks.wgsl")) };
        let pair = format.is_pair();
        let sum = if pair { "pair_add(a, b)" } else { "a + b" };
        let mut text = String::from(IMMEDIATES);
        if pair {
            text += trueno_core::math::wgsl::PRELUDE;
            text += storage::PAIRS;
        }
        text += &format!("fn plus(a: {element}, b: {element}) -> {element} {{ return {sum}; }}\n");
        let array = |binding: u32, access: &str, name: &str| {
            format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;\n")
        };
        if self.carry {
            text += &array(0, access, "totals");
            text += &array(1, "read_write", "out");
        } else {
            text += &array(0, "read", "x");
            text += &array(1, access, "out");
            text += &array(2, access, "totals");
            text += &format!(
                "fn element(i: u32, at: u32) -> {element} {{\n\
                 if at >= LENGTH {{ return {element}(); }}\nreturn x[{} + i];\n}}\n",
                slot(slots::FROM),
            );
        }
        let text = (text + main)
            .replace("ELEMENT", element)
            .replace("ROWS", &slot(slots::ROWS))
            .replace("LENGTH", &slot(slots::LENGTH))
            .replace("CHUNKS", &slot(slots::CHUNKS));
        Shader { text, reads: 1, writes: if self.carry { 1 } else { 2 } }
    }
}

/// Every type, both kernels.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let types = [DType::F32, DType::U32, DType::I64, DType::F64];
    types.into_iter().flat_map(|dtype| [false, true].map(|carry| Program { dtype, carry }))
}

#[cfg(test)]
mod tests {
    use trueno_core::f16;
    use trueno_kernels::{Isa, reduce as cpu};

    use super::*;
    use crate::testing::{all, assert_close, device, read, samples, shaped, upload, wide};

    #[test]
    fn running_sums_agree_with_the_processor_along_any_axis() {
        let Some(device) = device() else { return };
        let cases: [(&[usize], usize); 7] = [
            (&[5], 0),
            (&[3, 1024], 1),
            (&[2, 1025], 1),
            (&[700, 3], 0),
            (&[2, 9, 4], 1),
            (&[1], 0),
            (&[1_100_000], 0),
        ];
        for (shape, axis) in cases {
            let x = samples(1, shape.iter().product(), [0.0, 1.0]);
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let inner: usize = shape[axis + 1..].iter().product();
            let mut want = vec![0.0; x.len()];
            for (x, want) in wide.chunks(shape[axis] * inner).zip(want.chunks_mut(shape[axis] * inner)) {
                cpu::cumsum(Isa::best(), x, inner, want);
            }
            let got = read(cumsum(&shaped(&upload(device, &x), shape), axis));
            assert_close(&format!("{shape:?}"), &got, &want, 1e-6);
            let whole: Vec<i32> = x.iter().map(|x| (x * 2e9) as i32 - (1 << 29)).collect();
            let buffer = Buffer::from_slice(device, "test", &whole).unwrap();
            let sums: Vec<i64> = cumsum(&shaped(&buffer, shape), axis).unwrap().download("test").wait().unwrap();
            for (i, sum) in sums.iter().enumerate() {
                let before = !(i / inner).is_multiple_of(shape[axis]);
                assert_eq!(*sum, i64::from(whole[i]) + if before { sums[i - inner] } else { 0 }, "{shape:?} {i}");
            }
        }
    }

    #[test]
    fn half_precision_is_summed_in_single_and_nothing_stays_nothing() {
        let Some(device) = device() else { return };
        let x = Buffer::from_slice(device, "test", &[f16::from_f32(0.1); 9]).unwrap();
        let got: Vec<f16> = cumsum(&all(&x), 0).unwrap().download("test").wait().unwrap();
        let want = |i: u16| f16::from_f32(f32::from(i) * f16::from_f32(0.1).to_f32());
        assert!(got.iter().zip(1..).all(|(got, i)| *got == want(i)), "{got:?}");
        let none = upload(device, &[]);
        assert!(read(cumsum(&shaped(&none, &[0, 3]), 1)).is_empty());
    }

    #[test]
    fn doubles_are_summed_as_such() {
        let Some(device) = wide() else { return };
        let x: Vec<f64> = (1..=2000).map(|i| f64::from(i) * 1e-9 + 1.0).collect();
        let buffer = Buffer::from_slice(device, "test", &x).unwrap();
        let got: Vec<f64> = cumsum(&all(&buffer), 0).unwrap().download("test").wait().unwrap();
        let mut sum = 0.0;
        for (got, x) in got.iter().zip(&x) {
            sum += x;
            assert!((got - sum).abs() <= 1e-13 * sum, "{got} {sum}");
        }
    }
}
