//! What a mask picks: how many each piece has is counted first, so that pieces know where they write.

use super::movement::{cast, contiguous};
use super::operand::elements;
use super::{misfit, unsupported};
use crate::DynTensor;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::{DType, Element, Error, Result, dispatch_dtype};

/// Elements that are looked at in one go.
const BLOCK: usize = 1024;

/// A row-major mask cut into pieces, each with the number of elements that it picks.
struct Pieces<'a> {
    mask: &'a [bool],
    size: usize,
    counts: Vec<usize>,
}

impl<'a> Pieces<'a> {
    fn new(mask: &'a [bool]) -> Pieces<'a> {
        let size = piece_size(mask.len(), 2);
        let mut counts = vec![0; mask.len().div_ceil(size)];
        for_each_piece(&mut counts, 1, size, |index, count| {
            let piece = &mask[index * size..mask.len().min((index + 1) * size)];
            // Short sums in a byte, so that they are vector code.
            let picked = piece.chunks(255).map(|part| usize::from(part.iter().fold(0, |n: u8, &m| n + u8::from(m))));
            count[0] = picked.sum();
        });
        Pieces { mask, size, counts }
    }

    fn picked(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Writes what `get` gives for each position that is picked, in order.
    fn write<T: Element>(&self, out: &mut [T], get: impl Fn(usize) -> T + Sync + Send) {
        let mut jobs = Vec::with_capacity(self.counts.len());
        let mut rest = out;
        for (index, &count) in self.counts.iter().enumerate() {
            let (part, more) = rest.split_at_mut(count);
            rest = more;
            jobs.push((index * self.size, part));
        }
        for_each_piece(&mut jobs, 1, self.size * 2, |_, jobs| {
            for (start, out) in jobs {
                let end = self.mask.len().min(*start + self.size);
                pick(&self.mask[*start..end], out, |i| get(*start + i));
            }
        });
    }
}

/// Every element is written, and the next one over it if it was not picked: nothing branches on the mask.
fn pick<T: Element>(mask: &[bool], out: &mut [T], get: impl Fn(usize) -> T) {
    let mut picked = [T::default(); BLOCK + 1];
    let mut rest = out;
    for (block, mask) in mask.chunks(BLOCK).enumerate() {
        let mut count = 0;
        for (i, &holds) in mask.iter().enumerate() {
            picked[count] = get(block * BLOCK + i);
            count += usize::from(holds);
        }
        let (part, more) = rest.split_at_mut(count);
        part.copy_from_slice(&picked[..count]);
        rest = more;
    }
}

/// The elements of `x` where the mask, of its shape, holds.
pub(crate) fn masked_select(x: &DynTensor, mask: &DynTensor) -> Result<DynTensor> {
    let op = "masked_select";
    if mask.dtype() != DType::Bool {
        return Err(unsupported(op, mask.dtype(), "the mask is bool; compare first"));
    }
    if mask.shape() != x.shape() {
        return Err(misfit(op, x, mask, "the mask must have the shape of what it picks from".into()));
    }
    let (x, mask) = (contiguous(x)?, contiguous(mask)?);
    let pieces = Pieces::new(elements::<bool>(&mask));
    let count = pieces.picked();
    let mut buffer = Buffer::new(op, x.dtype(), count)?;
    dispatch_dtype!(x.dtype(), all T => {
        let x = elements::<T>(&x);
        pieces.write(buffer.as_mut_slice::<T>(), |i| x[i]);
    });
    Ok(DynTensor::from_buffer(buffer, &[count]))
}

/// The positions of the elements that are not 0.
pub(crate) fn nonzero(x: &DynTensor) -> Result<DynTensor> {
    let op = "nonzero";
    let mask = cast(x, DType::Bool)?;
    let mask = contiguous(&mask)?;
    let pieces = Pieces::new(elements::<bool>(&mask));
    let (count, rank) = (pieces.picked(), x.rank());
    let mut flat = Buffer::new(op, DType::I64, count)?;
    pieces.write(flat.as_mut_slice::<i64>(), |i| i as i64);
    if rank == 1 {
        return Ok(DynTensor::from_buffer(flat, &[count, 1]));
    }
    let size = count.checked_mul(rank).ok_or(Error::OutOfMemory { op, bytes: usize::MAX })?;
    let mut buffer = Buffer::new(op, DType::I64, size)?;
    let flat = flat.as_slice::<i64>();
    let piece = piece_size(count, rank * 16);
    for_each_piece(buffer.as_mut_slice::<i64>(), piece * rank, 16, |index, out| {
        for (position, &flat) in out.chunks_exact_mut(rank).zip(&flat[index * piece..]) {
            let mut rest = flat;
            for (axis, &size) in x.shape().iter().enumerate().rev() {
                position[axis] = rest % size as i64;
                rest /= size as i64;
            }
        }
    });
    Ok(DynTensor::from_buffer(buffer, &[count, rank]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{assert_refused, assert_threads_agree, numbers, values};
    use trueno_core::table::CompareOp;

    #[test]
    fn what_a_mask_picks_is_in_order() {
        let x = numbers(&[70, 60]).transpose().unwrap();
        let mask = x.compare(CompareOp::Gt, &x.constant(1.0).unwrap()).unwrap();
        let want: Vec<f64> = values(&x).into_iter().filter(|&v| v > 1.0).collect();
        assert_eq!(values(&masked_select(&x, &mask).unwrap()), want);
        let places = nonzero(&mask).unwrap();
        assert_eq!(places.shape(), [want.len(), 2]);
        for (place, want) in places.to_vec::<i64>().unwrap().chunks(2).zip(want) {
            let items = [0, 1].map(|i| trueno_core::SliceItem::Index(place[i] as isize));
            assert_eq!(x.slice(&items).unwrap().item::<f64>().unwrap(), want);
        }
        assert_refused(masked_select(&x, &x), &["masked_select", "the mask is bool"]);
        assert_refused(masked_select(&x, &mask.transpose().unwrap()), &["[60, 70]", "[70, 60]"]);
    }

    #[test]
    fn nothing_and_one_element_are_picked_too() {
        let one = DynTensor::scalar(2.5_f32).unwrap();
        assert_eq!(nonzero(&one).unwrap().shape(), [1, 0]);
        let yes = DynTensor::scalar(true).unwrap();
        assert_eq!(masked_select(&one, &yes).unwrap().to_vec::<f32>().unwrap(), [2.5]);
        let none = numbers(&[0, 3]);
        assert_eq!(nonzero(&none).unwrap().shape(), [0, 2]);
        assert_eq!(masked_select(&none, &none.cast(DType::Bool).unwrap()).unwrap().shape(), [0]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = numbers(&[300, 1000]);
        let mask = x.compare(CompareOp::Lt, &x.constant(0.5).unwrap()).unwrap();
        assert_threads_agree(|| masked_select(&x, &mask).unwrap());
        assert_threads_agree(|| nonzero(&mask).unwrap());
    }
}
