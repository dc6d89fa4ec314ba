//! Order along an axis: elements become keys of the same order, rows are sorted apart, and long rows by parts.

use super::movement::{contiguous, copy};
use super::operand::elements;
use super::unsupported;
use crate::parallel::{for_each_piece, for_each_piece_pair, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Extreme};
use trueno_core::{DType, Element, Error, Result, dispatch_dtype};
use trueno_kernels::sort::{self as kernel, Key, Placed, Sortable};

/// Steps per element of a row that is sorted.
const COST: usize = 32;
/// Keys from which a row is cut by its leading digit: what a thread's share of the cache no longer holds.
const LONG: usize = 1 << 15;

/// `x` with `axis` last, its elements in row-major order; `bool` as `u8`.
struct Rows {
    x: DynTensor,
    axis: usize,
    dtype: DType,
}

impl Rows {
    fn new(op: &'static str, axis: usize, x: &DynTensor) -> Result<Rows> {
        let dtype = x.dtype();
        let x = if dtype == DType::Bool { super::movement::cast(x, DType::U8)? } else { x.detach() };
        let moved = x.view(x.layout().swap_axes(op, axis as isize, -1)?);
        Ok(Rows { x: contiguous(&moved)?, axis, dtype })
    }

    fn length(&self) -> usize {
        self.x.shape().last().copied().unwrap_or(1)
    }

    fn count(&self) -> usize {
        self.x.size().checked_div(self.length()).unwrap_or(0)
    }

    /// The result, whose rows lie one after the other, with the axis where it was.
    fn back(&self, op: &'static str, buffer: Buffer, length: usize) -> Result<DynTensor> {
        let mut shape = trueno_core::Dims::from_slice(self.x.shape());
        if let Some(last) = shape.last_mut() {
            *last = length;
        }
        let result = DynTensor::from_buffer(buffer, &shape);
        let result = if self.dtype == DType::Bool && result.dtype() == DType::U8 {
            super::movement::cast(&result, DType::Bool)?
        } else {
            result
        };
        let view = result.view(result.layout().swap_axes(op, self.axis as isize, -1)?);
        if view.layout().is_contiguous() { Ok(view) } else { copy(op, &view) }
    }
}

/// The elements along `axis` in order; those that are equal keep theirs.
pub(crate) fn sort(axis: usize, descending: bool, x: &DynTensor) -> Result<DynTensor> {
    let op = "sort";
    let rows = Rows::new(op, axis, x)?;
    let mut buffer = Buffer::new(op, rows.x.dtype(), rows.x.size())?;
    dispatch_dtype!(rows.x.dtype(), real T => {
        values::<T>(op, &rows, descending, buffer.as_mut_slice::<T>())?;
    }, else dispatch_dtype!(rows.x.dtype(), int T => {
        values::<T>(op, &rows, descending, buffer.as_mut_slice::<T>())?;
    }, else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    let length = rows.length();
    rows.back(op, buffer, length)
}

fn values<T>(op: &'static str, rows: &Rows, descending: bool, out: &mut [T]) -> Result<()>
where
    T: Element + Sortable<Key: Element>,
{
    // The direction is a constant of the loops that turn elements into keys and back.
    if descending { directed::<T, true>(op, rows, out) } else { directed::<T, false>(op, rows, out) }
}

fn directed<T, const DESCENDING: bool>(op: &'static str, rows: &Rows, out: &mut [T]) -> Result<()>
where
    T: Element + Sortable<Key: Element>,
{
    let (x, length) = (elements::<T>(&rows.x), rows.length());
    let mut sorted = Buffer::new(op, <T::Key as Element>::DTYPE, x.len())?;
    let mut scratch = Buffer::new(op, <T::Key as Element>::DTYPE, x.len())?;
    let keys = sorted.as_mut_slice::<T::Key>();
    each_row(keys, scratch.as_mut_slice(), length, 0, |start, part| {
        for (key, &x) in part.iter_mut().zip(&x[start..]) {
            *key = if DESCENDING { x.reversed_key() } else { x.key() };
        }
    });
    let (keys, piece) = (&*keys, piece_size(out.len(), 2));
    for_each_piece(out, piece, 2, |index, out| {
        for (x, &key) in out.iter_mut().zip(&keys[index * piece..]) {
            *x = if DESCENDING { T::from_reversed_key(key) } else { T::from_key(key) };
        }
    });
    Ok(())
}

/// Fills rows of keys, and sorts each by the bits from `low` on.
fn each_row<K: Key>(
    out: &mut [K],
    scratch: &mut [K],
    length: usize,
    low: u32,
    fill: impl Fn(usize, &mut [K]) + Sync + Send,
) {
    if length < LONG {
        let piece = piece_size(out.len().checked_div(length).unwrap_or(0), length * COST) * length;
        for_each_piece_pair((out, piece), (scratch, piece), COST, |index, out, scratch| {
            fill(index * piece, out);
            let rows = out.chunks_exact_mut(length).zip(scratch.chunks_exact_mut(length));
            rows.for_each(|(row, scratch)| kernel::sort(row, scratch, low));
        });
        return;
    }
    let piece = piece_size(scratch.len(), 2);
    for_each_piece(scratch, piece, 2, |index, part| fill(index * piece, part));
    for (row, keys) in out.chunks_exact_mut(length).zip(scratch.chunks_exact_mut(length)) {
        let counts = kernel::partition(keys, row);
        let (mut row, mut keys) = (row, keys);
        let mut parts = Vec::new();
        for count in counts.into_iter().filter(|&count| count > 0) {
            let (part, rest) = row.split_at_mut(count);
            let (scratch, more) = keys.split_at_mut(count);
            (row, keys) = (rest, more);
            parts.push((part, scratch));
        }
        let together = parts.len().div_ceil(256).max(1);
        for_each_piece(&mut parts, together, length * COST / 256, |_, parts| {
            for (part, scratch) in parts {
                kernel::sort_below(part, scratch, low, kernel::below_leading::<K>());
            }
        });
    }
}

/// The positions along `axis` in the order of their elements; equal ones in their own.
pub(crate) fn argsort(axis: usize, descending: bool, x: &DynTensor) -> Result<DynTensor> {
    let op = "argsort";
    let rows = Rows::new(op, axis, x)?;
    let mut buffer = Buffer::new(op, DType::I64, rows.x.size())?;
    let out = buffer.as_mut_slice::<i64>();
    dispatch_dtype!(rows.x.dtype(), real T => positions::<T>(op, &rows, descending, out)?,
        else dispatch_dtype!(rows.x.dtype(), int T => positions::<T>(op, &rows, descending, out)?,
        else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    let length = rows.length();
    rows.back(op, buffer, length)
}

/// Whether key and position fit into one `i64`.
fn packs<T: Sortable>(length: usize) -> bool {
    T::Key::BITS == 32 && u32::try_from(length).is_ok()
}

/// The order of an element as a number that grows downwards if `descending`.
fn rank<T: Sortable>(descending: bool, x: T) -> i64 {
    if descending { !x.rank() } else { x.rank() }
}

/// Rank and position in one number, of the order of the rank.
fn pack<T: Sortable>(descending: bool, x: T, position: usize) -> i64 {
    // The rank is an `i32`: nothing of it is lost.
    (rank(descending, x) << 32) | position as i64
}

fn positions<T: Element + Sortable>(op: &'static str, rows: &Rows, descending: bool, out: &mut [i64]) -> Result<()> {
    let (x, length) = (elements::<T>(&rows.x), rows.length());
    if packs::<T>(length) {
        let mut scratch = Buffer::new(op, DType::I64, x.len())?;
        each_row(out, scratch.as_mut_slice::<i64>(), length, 32, |start, part| {
            for (i, (key, &x)) in part.iter_mut().zip(&x[start..]).enumerate() {
                *key = pack(descending, x, (start + i) % length);
            }
        });
        let piece = piece_size(out.len(), 2);
        for_each_piece(out, piece, 2, |_, out| out.iter_mut().for_each(|key| *key &= 0xFFFF_FFFF));
        return Ok(());
    }
    let (mut placed, mut scratch) = (places(op, x.len())?, places(op, x.len())?);
    each_row(&mut placed, &mut scratch, length, 0, |start, part| {
        for (i, (placed, &x)) in part.iter_mut().zip(&x[start..]).enumerate() {
            *placed = Placed { key: rank(descending, x), position: ((start + i) % length) as i64 };
        }
    });
    out.iter_mut().zip(&placed).for_each(|(out, placed)| *out = placed.position);
    Ok(())
}

/// Memory for keys and positions, which no pool has.
fn places(op: &'static str, len: usize) -> Result<Vec<Placed>> {
    let mut places = Vec::new();
    let bytes = len.saturating_mul(size_of::<Placed>());
    places.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { op, bytes })?;
    places.resize(len, Placed::default());
    Ok(places)
}

/// The positions of the `k` largest (or smallest) elements along `axis`, in order; the first of equal ones first.
pub(crate) fn top_k(axis: usize, k: usize, extreme: Extreme, x: &DynTensor) -> Result<DynTensor> {
    let (op, largest) = ("topk", extreme == Extreme::Max);
    let rows = Rows::new(op, axis, x)?;
    let length = rows.length();
    if k > length {
        let reason = format!("k = {k} is more than axis {axis} of shape {:?} has", x.shape());
        return Err(Error::Argument { op, reason: reason.into() });
    }
    let mut buffer = Buffer::new(op, DType::I64, rows.count() * k)?;
    if buffer.len() > 0 {
        let out = buffer.as_mut_slice::<i64>();
        dispatch_dtype!(rows.x.dtype(), real T => top_rows::<T>(&rows, k, largest, out),
            else dispatch_dtype!(rows.x.dtype(), int T => top_rows::<T>(&rows, k, largest, out),
            else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    }
    rows.back(op, buffer, k)
}

fn top_rows<T: Element + Sortable>(rows: &Rows, k: usize, largest: bool, out: &mut [i64]) {
    let (x, length) = (elements::<T>(&rows.x), rows.length());
    let together = piece_size(rows.count(), length * 4);
    for_each_piece(out, together * k, length.div_ceil(k) * 4, |index, out| {
        let x = x[index * together * length..].chunks_exact(length);
        if packs::<T>(length) {
            let mut keys = vec![0_i64; length];
            for (x, out) in x.zip(out.chunks_exact_mut(k)) {
                keys.iter_mut().zip(x).enumerate().for_each(|(i, (key, &x))| *key = pack(largest, x, i));
                kernel::smallest(&mut keys, k);
                out.iter_mut().zip(&keys).for_each(|(out, key)| *out = key & 0xFFFF_FFFF);
            }
        } else {
            let mut keys = vec![Placed::default(); length];
            for (x, out) in x.zip(out.chunks_exact_mut(k)) {
                let place = |position: usize, x: T| Placed { key: rank(largest, x), position: position as i64 };
                keys.iter_mut().zip(x).enumerate().for_each(|(i, (key, &x))| *key = place(i, x));
                kernel::smallest(&mut keys, k);
                out.iter_mut().zip(&keys).for_each(|(out, placed)| *out = placed.position);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{assert_threads_agree, numbers, single, values};

    fn order(x: &[f64], descending: bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| if descending { x[b].total_cmp(&x[a]) } else { x[a].total_cmp(&x[b]) });
        order
    }

    #[test]
    fn short_and_long_rows_are_sorted_in_any_type() {
        for (rows, length) in [(3, 7), (1, 700), (2, 40_000)] {
            let x = numbers(&[rows, length]);
            let cases = [x.clone(), single([&x])[0].clone(), x.cast(DType::F16).unwrap()];
            let scaled = x.binary_scalar(trueno_core::table::BinaryOp::Mul, 40.0).unwrap();
            let whole = [DType::I64, DType::I32, DType::Bool].map(|dtype| scaled.cast(dtype).unwrap());
            for x in cases.iter().chain(&whole) {
                for descending in [false, true] {
                    let (got, places) = (x.sort(1, descending).unwrap(), x.argsort(1, descending).unwrap());
                    assert_eq!((got.dtype(), places.dtype()), (x.dtype(), DType::I64));
                    let (xs, got, places) = (values(x), values(&got), values(&places));
                    let top = values(&x.topk(3, 1, if descending { Extreme::Max } else { Extreme::Min }).unwrap().1);
                    for row in 0..rows {
                        let at = row * length..(row + 1) * length;
                        let want = order(&xs[at.clone()], descending);
                        assert!(want.iter().zip(&places[at.clone()]).all(|(&want, &got)| want as f64 == got));
                        assert!(want.iter().zip(&got[at.clone()]).all(|(&want, &got)| xs[at.start + want] == got));
                        assert!((0..3).all(|i| top[row * 3 + i] == want[i] as f64));
                    }
                }
            }
        }
    }

    #[test]
    fn any_axis_is_sorted_and_nothing_stays_nothing() {
        let x = DynTensor::from_slice(&[3_i64, 1, 2, 9, 8, 7], &[3, 2]).unwrap();
        assert_eq!(x.sort(0, false).unwrap().to_vec::<i64>().unwrap(), [2, 1, 3, 7, 8, 9]);
        assert_eq!(x.argsort(0, true).unwrap().to_vec::<i64>().unwrap(), [2, 1, 0, 2, 1, 0]);
        let none = numbers(&[2, 0]);
        assert_eq!(none.sort(1, false).unwrap().shape(), [2, 0]);
        assert_eq!(none.argsort(0, false).unwrap().shape(), [2, 0]);
        assert_eq!(numbers(&[2, 3]).topk(0, 1, Extreme::Max).unwrap().0.shape(), [2, 0]);
        assert!(x.topk(4, 0, Extreme::Max).unwrap_err().to_string().starts_with("topk: k = 4"));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, rows) = (numbers(&[100_000]), numbers(&[900, 100]));
        assert_threads_agree(|| x.sort(0, false).unwrap());
        assert_threads_agree(|| x.argsort(0, true).unwrap());
        assert_threads_agree(|| rows.sort(1, false).unwrap());
        assert_threads_agree(|| rows.topk(5, 1, Extreme::Max).unwrap().1);
    }
}
