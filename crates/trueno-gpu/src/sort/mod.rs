//! Order along an axis: short rows are sorted by a workgroup in its own memory, long ones digit by digit (a stable radix sort).
//!
//! Equal elements keep their order, and NaN is the largest, as on the processor.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::Program;
#[cfg(test)]
pub(crate) use program::every_program;

use program::{Order, slots};
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::elementwise::cast;
use crate::index::gather;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch};
use crate::scan::{axis_back, running_sums};
use crate::storage;
use crate::walk::index;

/// Elements that a workgroup sorts in its own memory.
const SHORT: usize = 1024;

/// Elements of a tile that a workgroup moves.
const TILE: usize = 1024;

/// The elements along `axis` in order, row-major.
///
/// # Errors
/// [`Error::Axis`]; and what the device refuses.
pub fn sort(x: &View<'_>, axis: usize, descending: bool) -> Result<Buffer> {
    let op = "sort";
    let last = x.axis_last(op, axis)?;
    let positions = Rows::new(op, &last)?.positions(descending, false, x.shape()[axis])?;
    let index = View::contiguous(op, &positions, last.shape())?;
    let sorted = gather(&last, last.shape().len() - 1, &index)?;
    axis_back(op, sorted, last.shape(), axis)
}

/// The positions along `axis` in the order of their elements, as `int64`, row-major; both zeros are equal.
///
/// # Errors
/// As [`sort`].
pub fn argsort(x: &View<'_>, axis: usize, descending: bool) -> Result<Buffer> {
    let op = "argsort";
    let last = x.axis_last(op, axis)?;
    let positions = Rows::new(op, &last)?.positions(descending, true, x.shape()[axis])?;
    axis_back(op, positions, last.shape(), axis)
}

/// The positions of the `k` largest (or smallest) elements along `axis`, in order, as `int64`, row-major.
///
/// # Errors
/// As [`sort`]; [`Error::Argument`] if there are fewer than `k`.
pub fn topk(x: &View<'_>, axis: usize, k: usize, largest: bool) -> Result<Buffer> {
    let op = "topk";
    let last = x.axis_last(op, axis)?;
    if k > x.shape()[axis] {
        let reason = format!("k = {k} is more than axis {axis} of shape {:?} has", x.shape()).into();
        return Err(Error::Argument { op, reason });
    }
    let positions = Rows::new(op, &last)?.positions(largest, true, k)?;
    let mut shape = last.shape().to_vec();
    shape[last.shape().len() - 1] = k;
    axis_back(op, positions, &shape, axis)
}

/// Rows to sort, one after the other.
struct Rows<'a> {
    op: &'static str,
    x: Dense<'a>,
    rows: usize,
    length: usize,
}

impl<'a> Rows<'a> {
    fn new(op: &'static str, last: &View<'a>) -> Result<Self> {
        let length = last.shape()[last.shape().len() - 1];
        let rows = last.layout().size().checked_div(length).unwrap_or(0);
        Ok(Self { op, x: Dense::new(last, 1)?, rows, length })
    }

    /// The first `take` positions of each row, in its order.
    fn positions(&self, descending: bool, zeros_equal: bool, take: usize) -> Result<Buffer> {
        let device = self.x.buffer().device();
        if self.rows * take == 0 {
            return Buffer::new(device, self.op, DType::I64, 0);
        }
        let order = Order { dtype: self.x.buffer().dtype(), descending, zeros_equal };
        if self.length > SHORT {
            return self.by_digits(order, take);
        }
        let output = Buffer::new(device, self.op, DType::I64, self.rows * take)?;
        let mut immediates = self.immediates()?;
        immediates[slots::TAKE] = index(self.op, take)?;
        let size = self.length.next_power_of_two().max(2);
        let program = Program::Bitonic { order, size };
        self.launch(program, &[self.x.buffer()], &[&output], immediates, self.rows)?;
        Ok(output)
    }

    /// Long rows: the digits of the lower word of each key, and then of the upper.
    fn by_digits(&self, order: Order, take: usize) -> Result<Buffer> {
        let (op, device, count) = (self.op, self.x.buffer().device(), self.rows * self.length);
        let words = || Buffer::new(device, op, DType::U32, count);
        let bits = match order.dtype {
            DType::Bool | DType::U8 | DType::I8 if !order.descending => 8,
            _ => 32,
        };
        let mut places: Option<Buffer> = None;
        for word in 0..if storage::is_pair(order.dtype) { 2 } else { 1 } {
            let (mut keys, mut own) = (words()?, words()?);
            let program = Program::Keys { order, word, placed: places.is_some() };
            let reads: Vec<&Buffer> = std::iter::once(self.x.buffer()).chain(&places).collect();
            self.launch(program, &reads, &[&keys, &own], self.immediates()?, count.div_ceil(256))?;
            for shift in (0..bits).step_by(4) {
                (keys, own) = self.by_digit(shift, &keys, &own)?;
            }
            places = Some(own);
        }
        let Some(places) = places else { return Buffer::new(device, op, DType::I64, 0) };
        let rows = View::contiguous(op, &places, &[self.rows, self.length])?;
        cast(&View::new(op, &places, &rows.layout().narrow(op, 1, 0, take)?)?, DType::I64)
    }

    /// Keys and places in the order of one digit.
    fn by_digit(&self, shift: u32, keys: &Buffer, places: &Buffer) -> Result<(Buffer, Buffer)> {
        let (op, device) = (self.op, keys.device());
        let tiles = self.length.div_ceil(TILE);
        let mut immediates = self.immediates()?;
        immediates[slots::TILES] = index(op, tiles)?;
        immediates[slots::SHIFT] = shift;
        let counts = Buffer::new(device, op, DType::U32, self.rows * 16 * tiles)?;
        self.launch(Program::Count, &[keys], &[&counts], immediates, self.rows * tiles)?;
        let sums = running_sums(op, &counts, 0, [self.rows, 16 * tiles])?;
        let moved =
            [Buffer::new(device, op, DType::U32, keys.len())?, Buffer::new(device, op, DType::U32, keys.len())?];
        let reads = [keys, places, &counts, &sums];
        self.launch(Program::Scatter, &reads, &[&moved[0], &moved[1]], immediates, self.rows * tiles)?;
        let [keys, places] = moved;
        Ok((keys, places))
    }

    fn immediates(&self) -> Result<Immediates> {
        let mut immediates = Immediates::default();
        immediates[slots::ROWS] = index(self.op, self.rows)?;
        immediates[slots::LENGTH] = index(self.op, self.length)?;
        immediates[slots::FROM] = index(self.op, self.x.from())?;
        Ok(immediates)
    }

    fn launch(
        &self,
        program: Program,
        reads: &[&Buffer],
        writes: &[&Buffer],
        immediates: Immediates,
        groups: usize,
    ) -> Result<()> {
        let device = self.x.buffer().device();
        let (program, groups) = (record::Program::Sort(program), record::grid(device, groups));
        Launch { op: self.op, program, reads, writes, immediates, groups }.record(device)
    }
}
