//! Elements at integer positions, and sums into them. Negative positions count from the end, as in NumPy.

use super::isa::isa;
use super::movement::{contiguous, pad};
use super::operand::{RowMajor, elements};
use super::{FLOATS, misfit, unsupported};
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::{DType, Dims, Error, Result, dispatch_dtype};
use trueno_kernels::AxisBlocks;
use trueno_kernels::gather as kernel;

/// Positions inside an axis of `size`, all non-negative and row-major.
fn positions<'a>(op: &'static str, axis: usize, size: usize, index: &'a DynTensor) -> Result<RowMajor<'a>> {
    if index.dtype() != DType::I64 {
        return Err(unsupported(op, index.dtype(), "positions are int64"));
    }
    let index = contiguous(index)?;
    let all = elements::<i64>(&index);
    // Every size fits: memory ends before `i64` does.
    let length = size as i64;
    // What is outside is searched for only once there is something.
    let [least, most] = kernel::index_range(isa(), all);
    if least < -length || most >= length {
        let outside = all.iter().find(|at| !(-length..length).contains(*at));
        return Err(Error::Index { op, index: outside.copied().unwrap_or(most), axis, size });
    }
    if least >= 0 {
        return Ok(index);
    }
    let mut buffer = Buffer::new(op, DType::I64, all.len())?;
    for (to, &at) in buffer.as_mut_slice::<i64>().iter_mut().zip(all) {
        *to = if at < 0 { at + length } else { at };
    }
    Ok(RowMajor::Owned(Box::new(DynTensor::from_buffer(buffer, index.shape()))))
}

/// Positions were checked before any kernel ran.
fn checked(result: std::result::Result<(), trueno_kernels::IndexError>) {
    debug_assert!(result.is_ok(), "positions were checked");
}

/// Refuses positions that are not a list.
fn list(op: &'static str, x: &DynTensor, index: &DynTensor) -> Result<()> {
    if index.rank() == 1 { Ok(()) } else { Err(misfit(op, x, index, "the positions must have rank 1".into())) }
}

/// Slices of an axis.
pub(crate) fn index_select(axis: usize, x: &DynTensor, index: &DynTensor) -> Result<DynTensor> {
    let op = "index_select";
    list(op, x, index)?;
    let positions = positions(op, axis, x.shape()[axis], index)?;
    let x = contiguous(x)?;
    let blocks = AxisBlocks::new(x.shape(), axis);
    let mut shape = Dims::from_slice(x.shape());
    shape[axis] = index.size();
    let mut buffer = Buffer::new(op, x.dtype(), checked_size(op, &shape)?)?;
    if buffer.len() == 0 {
        return Ok(DynTensor::from_buffer(buffer, &shape));
    }
    let positions = elements::<i64>(&positions);
    dispatch_dtype!(x.dtype(), all T => {
        let (x, out) = (elements::<T>(&x), buffer.as_mut_slice::<T>());
        if blocks.outer == 1 {
            let together = piece_size(positions.len(), blocks.inner * 2);
            for_each_piece(out, together * blocks.inner, 2, |index, out| {
                let positions = &positions[index * together..][..out.len() / blocks.inner];
                checked(kernel::gather_rows(x, blocks, positions, out));
            });
        } else {
            let (block_in, block_out) = (blocks.len * blocks.inner, positions.len() * blocks.inner);
            let together = piece_size(blocks.outer, block_out * 2);
            for_each_piece(out, together * block_out, 2, |index, out| {
                let outer = out.len() / block_out;
                let x = &x[index * together * block_in..][..outer * block_in];
                checked(kernel::gather_rows(x, AxisBlocks { outer, ..blocks }, positions, out));
            });
        }
    });
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// The part of `shape` that positions of shape `index` reach: all of `axis`, and as much of the others as the positions have.
fn reached(op: &'static str, axis: usize, shape: &[usize], x: &DynTensor, index: &DynTensor) -> Result<Dims> {
    let fits = index.rank() == shape.len()
        && index.shape().iter().zip(shape).enumerate().all(|(i, (have, most))| i == axis || have <= most);
    if !fits {
        let reason =
            format!("positions of rank {}, not larger than {shape:?} but for axis {axis}, are needed", shape.len());
        return Err(misfit(op, x, index, reason));
    }
    let mut reached = Dims::from_slice(index.shape());
    reached[axis] = shape[axis];
    Ok(reached)
}

/// Elements along an axis.
pub(crate) fn gather(axis: usize, x: &DynTensor, index: &DynTensor) -> Result<DynTensor> {
    let op = "gather";
    let reached = reached(op, axis, x.shape(), x, index)?;
    let mut layout = x.layout().clone();
    for (i, &size) in reached.iter().enumerate() {
        layout = layout.narrow(op, i as isize, 0, size)?;
    }
    let x = x.view(layout);
    let x = contiguous(&x)?;
    let positions = positions(op, axis, reached[axis], index)?;
    let blocks = AxisBlocks::new(&reached, axis);
    let mut buffer = Buffer::new(op, x.dtype(), index.size())?;
    let (length, positions) = (index.shape()[axis], elements::<i64>(&positions));
    let (block_in, block_out) = (blocks.len * blocks.inner, length * blocks.inner);
    dispatch_dtype!(x.dtype(), all T => {
        let x = elements::<T>(&x);
        let together = piece_size(blocks.outer, block_out * 2);
        for_each_piece(buffer.as_mut_slice::<T>(), together * block_out, 2, |index, out| {
            let outer = out.len() / block_out;
            let x = &x[index * together * block_in..][..outer * block_in];
            let positions = &positions[index * together * block_out..][..out.len()];
            kernel::gather_checked(x, AxisBlocks { outer, ..blocks }, positions, length, out);
        });
    });
    Ok(DynTensor::from_buffer(buffer, index.shape()))
}

/// Slices added, in order, into zeros whose `axis` has `size`.
pub(crate) fn index_add(axis: usize, size: usize, g: &DynTensor, index: &DynTensor) -> Result<DynTensor> {
    let op = "index_add";
    list(op, g, index)?;
    if g.shape().get(axis) != Some(&index.size()) {
        return Err(misfit(op, g, index, format!("axis {axis} needs one slice per position")));
    }
    let positions = positions(op, axis, size, index)?;
    let g = contiguous(g)?;
    let mut shape = Dims::from_slice(g.shape());
    shape[axis] = size;
    let blocks = AxisBlocks::new(&shape, axis);
    let mut buffer = Buffer::zeros(op, g.dtype(), checked_size(op, &shape)?)?;
    let positions = elements::<i64>(&positions);
    let (block_in, block_out) = (positions.len() * blocks.inner, size * blocks.inner);
    dispatch_dtype!(g.dtype(), real T => {
        let g = elements::<T>(&g);
        let together = piece_size(blocks.outer, block_in * 2);
        for_each_piece(buffer.as_mut_slice::<T>(), together * block_out, 2, |index, out| {
            let outer = out.len() / block_out;
            let g = &g[index * together * block_in..][..outer * block_in];
            checked(kernel::scatter_add_rows(g, positions, AxisBlocks { outer, ..blocks }, out));
        });
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// Elements added, in order along `axis`, into zeros of `shape`.
pub(crate) fn scatter_add(axis: usize, shape: &[usize], g: &DynTensor, index: &DynTensor) -> Result<DynTensor> {
    let op = "scatter_add";
    if g.shape() != index.shape() {
        return Err(misfit(op, g, index, "one position per element is needed".into()));
    }
    let reached = reached(op, axis, shape, g, index)?;
    let positions = positions(op, axis, reached[axis], index)?;
    let g = contiguous(g)?;
    let blocks = AxisBlocks::new(&reached, axis);
    let mut buffer = Buffer::zeros(op, g.dtype(), checked_size(op, &reached)?)?;
    let (length, positions) = (index.shape()[axis], elements::<i64>(&positions));
    let (block_in, block_out) = (length * blocks.inner, blocks.len * blocks.inner);
    dispatch_dtype!(g.dtype(), real T => {
        let g = elements::<T>(&g);
        let together = piece_size(blocks.outer, block_in.max(block_out) * 2);
        for_each_piece(buffer.as_mut_slice::<T>(), together * block_out, 2, |index, out| {
            let outer = out.len() / block_out;
            let part = index * together * block_in..index * together * block_in + outer * block_in;
            let (g, positions) = (&g[part.clone()], &positions[part]);
            checked(kernel::scatter_add(g, positions, length, AxisBlocks { outer, ..blocks }, out));
        });
    }, else return Err(unsupported(op, g.dtype(), FLOATS)));
    let result = DynTensor::from_buffer(buffer, &reached);
    if *reached == *shape {
        return Ok(result);
    }
    let border = shape.iter().zip(&reached).map(|(&size, &have)| [0, size - have]);
    pad(&border.collect::<Vec<_>>(), 0.0, &result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, single, values};

    fn list_of(positions: &[i64]) -> DynTensor {
        DynTensor::from_slice(positions, &[positions.len()]).unwrap()
    }

    fn wrap(position: i64, size: usize) -> usize {
        if position < 0 { (position + size as i64) as usize } else { position as usize }
    }

    /// The index of every element of a row-major array.
    fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
        let steps: Vec<usize> = (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect();
        (0..shape.iter().product()).map(|at| (0..shape.len()).map(|i| at / steps[i] % shape[i]).collect()).collect()
    }

    fn flat(index: &[usize], shape: &[usize]) -> usize {
        index.iter().zip(shape).fold(0, |at, (i, size)| at * size + i)
    }

    #[test]
    fn slices_are_selected_and_their_gradient_adds_them_back() {
        let list = [2, -1, 0, 2, -3];
        for (shape, axis) in [(vec![3], 0), (vec![3, 4], 0), (vec![5, 3], 1), (vec![2, 3, 4], 1), (vec![2, 4, 3], 2)] {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let x = numbers(&reversed).transpose().unwrap();
            let (xs, mut selected) = (values(&x), shape.clone());
            selected[axis] = list.len();
            let from = |index: &Vec<usize>| {
                let mut index = index.clone();
                index[axis] = wrap(list[index[axis]], 3);
                flat(&index, &shape)
            };
            let want: Vec<f64> = indices(&selected).iter().map(|index| xs[from(index)]).collect();
            let got = index_select(axis, &x, &list_of(&list)).unwrap();
            assert_eq!(got.shape(), selected);
            assert_close(&got, &want, 0.0);
            let mut sums = vec![0.0; xs.len()];
            indices(&selected).iter().zip(&want).for_each(|(index, g)| sums[from(index)] += g);
            assert_close(&index_add(axis, 3, &got, &list_of(&list)).unwrap(), &sums, 1e-15);
            assert_close(&index_add(axis, 3, &single([&got])[0], &list_of(&list)).unwrap(), &sums, 1e-6);
        }
    }

    #[test]
    fn elements_are_gathered_and_their_gradient_adds_them_back() {
        for (shape, reach, axis) in
            [(vec![3], vec![5], 0), (vec![4, 3], vec![2, 6], 1), (vec![3, 2, 4], vec![2, 2, 3], 0)]
        {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let x = numbers(&reversed).transpose().unwrap();
            let all = indices(&reach);
            let list: Vec<i64> = (0..all.len() as i64).map(|i| i * 5 % 6 - 3).collect();
            let index = DynTensor::from_slice(&list, &reach).unwrap();
            let from = |i: usize| {
                let mut index = all[i].clone();
                index[axis] = wrap(list[i], 3);
                flat(&index, &shape)
            };
            let xs = values(&x);
            let want: Vec<f64> = (0..all.len()).map(|i| xs[from(i)]).collect();
            let got = gather(axis, &x, &index).unwrap();
            assert_close(&got, &want, 0.0);
            let mut sums = vec![0.0; xs.len()];
            want.iter().enumerate().for_each(|(i, g)| sums[from(i)] += g);
            let back = scatter_add(axis, &shape, &got, &index).unwrap();
            assert_eq!(back.shape(), shape);
            assert_close(&back, &sums, 1e-15);
        }
    }

    #[test]
    fn any_type_can_be_selected_and_nothing_stays_nothing() {
        let flags = DynTensor::from_slice(&[true, false, true], &[3]).unwrap();
        let picked = index_select(0, &flags, &list_of(&[1, 2])).unwrap();
        assert_eq!(picked.to_vec::<bool>().unwrap(), [false, true]);
        assert_eq!(index_select(0, &numbers(&[3, 2]), &list_of(&[])).unwrap().shape(), [0, 2]);
        assert_eq!(index_select(0, &numbers(&[3, 0]), &list_of(&[1])).unwrap().shape(), [1, 0]);
        assert_close(&index_add(0, 2, &numbers(&[0, 3]), &list_of(&[])).unwrap(), &[0.0; 6], 0.0);
        let none = DynTensor::from_slice::<i64>(&[], &[0, 2]).unwrap();
        assert_eq!(gather(0, &numbers(&[3, 2]), &none).unwrap().shape(), [0, 2]);
        assert_close(&scatter_add(0, &[2, 2], &numbers(&[0, 2]), &none).unwrap(), &[0.0; 4], 0.0);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let list: Vec<i64> = (0..5000).map(|i| i * 7 % 300).collect();
        let (x, index) = (numbers(&[300, 64]), list_of(&list));
        assert_threads_agree(|| index_select(0, &x, &index).unwrap());
        let g = numbers(&[64, 5000]);
        assert_threads_agree(|| index_add(1, 300, &g, &index).unwrap());
        let wide = index.unsqueeze(0).unwrap().broadcast_to(&[64, 5000]).unwrap();
        assert_threads_agree(|| scatter_add(1, &[64, 300], &g, &wide).unwrap());
        assert_threads_agree(|| gather(1, &numbers(&[64, 300]), &wide).unwrap());
    }

    #[test]
    fn errors_name_position_axis_and_size() {
        let x = numbers(&[2, 3]);
        assert_refused(index_select(1, &x, &list_of(&[0, 3])), &["index_select", "index 3", "axis 1", "size 3"]);
        assert_refused(index_select(0, &x, &list_of(&[-3])), &["index -3", "axis 0", "size 2"]);
        assert_refused(index_select(0, &x, &list_of(&[i64::MIN])), &["size 2"]);
        assert_refused(index_select(0, &x, &numbers(&[1])), &["float64", "positions are int64"]);
        let square = DynTensor::from_slice(&[0_i64, 0, 0, 0], &[2, 2]).unwrap();
        assert_refused(index_select(0, &x, &square), &["[2, 2]", "rank 1"]);
        assert_refused(gather(0, &x, &list_of(&[0])), &["gather", "[2, 3]", "[1]", "rank 2"]);
        let tall = DynTensor::from_slice(&[0_i64; 12], &[4, 3]).unwrap();
        assert_refused(gather(1, &x, &tall), &["[4, 3]", "not larger than [2, 3]"]);
        assert_refused(index_add(0, 5, &x, &list_of(&[0])), &["index_add", "one slice per position"]);
        assert_refused(scatter_add(0, &[2, 3], &x, &square), &["scatter_add", "[2, 3]", "[2, 2]"]);
    }
}
