//! Order along an axis: elements become keys of the same order, rows are sorted apart, or by parts where they are few.

use super::isa::isa;
use super::movement::{contiguous, copy};
use super::operand::elements;
use super::unsupported;
use crate::parallel::{for_each_piece, for_each_piece_pair, num_threads, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Extreme};
use trueno_core::{DType, Element, Error, Result, dispatch_dtype};
use trueno_kernels::sort::{self as kernel, Key, Placed, SAMPLE, Sortable, Splitters, VectorKey, WAYS};

/// Steps per element of a row that is sorted.
const COST: usize = 12;
/// Keys from which a row is cut into parts for several threads.
const LONG: usize = 1 << 14;
/// Keys that are made at a time, before they are handed to their parts.
const BLOCK: usize = 1024;

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
        Ok(Rows { x: contiguous(&moved)?.into_owned(), axis, dtype })
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
    let buffer = dispatch_dtype!(rows.x.dtype(), real T => values::<T>(op, &rows, descending)?,
        else dispatch_dtype!(rows.x.dtype(), int T => values::<T>(op, &rows, descending)?,
        else return Err(unsupported(op, x.dtype(), "it takes numbers; cast it first"))));
    let length = rows.length();
    rows.back(op, buffer, length)
}

fn values<T: Element + Sortable<Key: Element>>(op: &'static str, rows: &Rows, descending: bool) -> Result<Buffer> {
    let (isa, x, length, keys_type) = (isa(), elements::<T>(&rows.x), rows.length(), <T::Key as Element>::DTYPE);
    let mut sorted = Buffer::new(op, keys_type, x.len())?;
    let mut scratch = Buffer::new(op, keys_type, x.len())?;
    let fill = |start: usize, keys: &mut [T::Key]| kernel::keys(isa, descending, &x[start..], keys);
    let (keys, scratch) = (sorted.as_mut_slice::<T::Key>(), scratch.as_mut_slice());
    if T::DTYPE.size() == keys_type.size() {
        // Keys become elements where they are, as soon as they are in order and while they lie in a cache.
        sort_rows(keys, scratch, length, 0, fill, |keys| kernel::restore::<T>(isa, descending, keys));
        return Ok(sorted.retyped(T::DTYPE));
    }
    sort_rows(keys, scratch, length, 0, fill, |_| {});
    let mut buffer = Buffer::new(op, T::DTYPE, x.len())?;
    let (keys, piece) = (&*keys, piece_size(x.len(), 2));
    for_each_piece(buffer.as_mut_slice::<T>(), piece, 2, |index, out| {
        for (x, &key) in out.iter_mut().zip(&keys[index * piece..]) {
            *x = if descending { T::from_reversed_key(key) } else { T::from_key(key) };
        }
    });
    Ok(buffer)
}

/// Fills rows of keys, from a position on, sorts each by the bits from `low` on, and finishes what is sorted.
fn sort_rows<K: VectorKey>(
    out: &mut [K],
    scratch: &mut [K],
    length: usize,
    low: u32,
    fill: impl Fn(usize, &mut [K]) + Sync + Send,
    finish: impl Fn(&mut [K]) + Sync + Send,
) {
    // The order of keys is total, so how a row is cut cannot change a bit.
    let threads = num_threads();
    if threads == 1 || length < LONG || out.len() >= 4 * threads * length {
        return sort_whole_rows(out, scratch, length, low, fill, finish);
    }
    for (index, (row, scratch)) in out.chunks_exact_mut(length).zip(scratch.chunks_exact_mut(length)).enumerate() {
        sort_cut_row(row, scratch, low, |start, keys| fill(index * length + start, keys), &finish);
    }
}

/// As [`sort_rows`] with each row sorted by one thread.
fn sort_whole_rows<K: Key>(
    out: &mut [K],
    scratch: &mut [K],
    length: usize,
    low: u32,
    fill: impl Fn(usize, &mut [K]) + Sync + Send,
    finish: impl Fn(&mut [K]) + Sync + Send,
) {
    let isa = isa();
    let piece = piece_size(out.len().checked_div(length).unwrap_or(0), length * COST) * length;
    for_each_piece_pair((out, piece), (scratch, piece), COST, |index, out, scratch| {
        let rows = out.chunks_exact_mut(length).zip(scratch.chunks_exact_mut(length)).enumerate();
        rows.for_each(|(row, (keys, scratch))| {
            fill(index * piece + row * length, keys);
            kernel::sort(isa, keys, scratch, low, &finish);
        });
    });
}

/// Sorts one row by parts: its keys go to `scratch` part by part, and from there into `row`, in order.
fn sort_cut_row<K: VectorKey>(
    row: &mut [K],
    scratch: &mut [K],
    low: u32,
    fill: impl Fn(usize, &mut [K]) + Sync + Send,
    finish: impl Fn(&mut [K]) + Sync + Send,
) {
    let (isa, length) = (isa(), row.len());
    let mut sample = [K::default(); SAMPLE];
    sample.iter_mut().enumerate().for_each(|(i, key)| fill(i * length / SAMPLE, std::slice::from_mut(key)));
    let splitters = Splitters::of(isa, &mut sample);

    // Each chunk of the row has a place of its own in each part, so that threads can hand out its keys.
    let chunk = piece_size(length, 2).next_multiple_of(BLOCK);
    let blocks = |index: usize, work: &mut dyn FnMut(&[K])| {
        let mut keys = [K::default(); BLOCK];
        for start in (index * chunk..length.min((index + 1) * chunk)).step_by(BLOCK) {
            let keys = &mut keys[..BLOCK.min(length - start)];
            fill(start, keys);
            work(keys);
        }
    };
    let mut counts = vec![[0; WAYS]; length.div_ceil(chunk)];
    for_each_piece(&mut counts, 1, chunk * 2, |index, counts| {
        blocks(index, &mut |keys| splitters.count(isa, keys, &mut counts[0]));
    });
    let mut fronts: Vec<[&mut [K]; WAYS]> = counts.iter().map(|_| Default::default()).collect();
    let mut rest = &mut *scratch;
    for way in 0..WAYS {
        for (front, counts) in fronts.iter_mut().zip(&counts) {
            (front[way], rest) = rest.split_at_mut(counts[way]);
        }
    }
    for_each_piece(&mut fronts, 1, chunk * 4, |index, fronts| {
        blocks(index, &mut |keys| splitters.spread(isa, keys, &mut fronts[0]));
    });

    let (mut row, mut scratch, mut parts) = (row, scratch, Vec::with_capacity(WAYS));
    for way in 0..WAYS {
        let count = counts.iter().map(|counts| counts[way]).sum();
        let (part, more) = row.split_at_mut(count);
        let (from, rest) = scratch.split_at_mut(count);
        (row, scratch) = (more, rest);
        parts.push((from, part));
    }
    for_each_piece(&mut parts, 1, length / WAYS * COST, |_, parts| {
        for (from, part) in parts {
            kernel::sort_into(isa, from, part, low, &finish);
        }
    });
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

/// The order of an element as a number that grows downwards if `descending`.
fn rank<T: Sortable>(descending: bool, x: T) -> i64 {
    if descending { !x.rank() } else { x.rank() }
}

fn positions<T: Element + Sortable>(op: &'static str, rows: &Rows, descending: bool, out: &mut [i64]) -> Result<()> {
    let (isa, x, length) = (isa(), elements::<T>(&rows.x), rows.length());
    if kernel::packs::<T>(length) {
        let mut scratch = Buffer::new(op, DType::I64, x.len())?;
        // What is filled lies within one row.
        let fill = |start: usize, keys: &mut [i64]| {
            kernel::packed(isa, descending, &x[start..], (start % length) as i64, keys);
        };
        let finish = |keys: &mut [i64]| keys.iter_mut().for_each(|key| *key &= 0xFFFF_FFFF);
        sort_rows(out, scratch.as_mut_slice::<i64>(), length, 32, fill, finish);
        return Ok(());
    }
    let (mut placed, mut scratch) = (places(op, x.len())?, places(op, x.len())?);
    let fill = |start: usize, part: &mut [Placed]| {
        for (i, (placed, &x)) in part.iter_mut().zip(&x[start..]).enumerate() {
            *placed = Placed { key: rank(descending, x), position: ((start + i) % length) as i64 };
        }
    };
    sort_whole_rows(&mut placed, &mut scratch, length, 0, fill, |_| {});
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
    let (isa, x, length) = (isa(), elements::<T>(&rows.x), rows.length());
    let together = piece_size(rows.count(), length * 4);
    for_each_piece(out, together * k, length.div_ceil(k) * 4, |index, out| {
        let x = x[index * together * length..].chunks_exact(length);
        if kernel::packs::<T>(length) {
            let mut keys = vec![0_i64; length];
            for (x, out) in x.zip(out.chunks_exact_mut(k)) {
                kernel::packed(isa, largest, x, 0, &mut keys);
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
