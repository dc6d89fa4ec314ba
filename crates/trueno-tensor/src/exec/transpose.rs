//! Row-major copies of views whose inner axis is not the one that lies together in memory.

use super::isa::isa;
use crate::parallel::{for_each_piece, piece_size};
use trueno_core::{Collapsed, Element, Strides};
use trueno_kernels::transpose;

/// Axes shorter than this are not worth cutting into squares.
const SHORT: usize = 8;

/// A view of which two axes are transposed: one along which elements lie together, and the inner one, which is another.
pub(super) struct Transposed<'a> {
    walk: &'a Collapsed<1>,
    /// The axis of elements that lie together.
    adjacent: usize,
    /// Steps of the row-major copy.
    steps: Strides,
}

impl<'a> Transposed<'a> {
    /// The view, if it is of that kind and long enough along both axes.
    pub(super) fn new(walk: &'a Collapsed<1>) -> Option<Transposed<'a>> {
        let ([strides], shape) = (walk.strides(), walk.shape());
        let inner = shape.len() - 1;
        let adjacent = (0..inner).find(|&axis| strides[axis] == 1 && shape[axis] >= SHORT)?;
        if strides[inner] <= 1 || shape[inner] < SHORT || strides.iter().any(|&stride| stride < 0) {
            return None;
        }
        let mut steps = Strides::from_elem(1, shape.len());
        for axis in (0..inner).rev() {
            steps[axis] = steps[axis + 1] * shape[axis + 1] as isize;
        }
        Some(Transposed { walk, adjacent, steps })
    }

    /// Copies all the elements to their places in row-major order.
    pub(super) fn copy<T: Element>(&self, elements: &[T], out: &mut [T]) {
        let (first, step) = (self.walk.shape()[0], self.steps[0] as usize);
        // Whole squares, where the first axis is one of theirs.
        let together = piece_size(first, step * 2).next_multiple_of(16);
        for_each_piece(out, together * step, 2, |index, out| {
            let start = index * together;
            self.copy_part(elements, start, start + out.len() / step, out);
        });
    }

    /// The part from `start` to `end` of the first axis.
    fn copy_part<T: Element>(&self, elements: &[T], start: usize, end: usize, out: &mut [T]) {
        let ([strides], [offset], shape) = (self.walk.strides(), self.walk.offsets(), self.walk.shape());
        let inner = shape.len() - 1;
        let length = |axis: usize| if axis == 0 { end - start } else { shape[axis] };
        let others: Strides = (0..inner).filter(|&axis| axis != self.adjacent).map(|axis| axis as isize).collect();
        let planes = others.iter().map(|&axis| length(axis as usize)).product();
        for plane in 0..planes {
            let (mut from, mut to) = (offset + start * strides[0] as usize, 0);
            let mut rest = plane;
            for axis in others.iter().rev().map(|&axis| axis as usize) {
                from += rest % length(axis) * strides[axis] as usize;
                to += rest % length(axis) * self.steps[axis] as usize;
                rest /= length(axis);
            }
            let size = [shape[inner], length(self.adjacent)];
            let steps = (strides[inner] as usize, self.steps[self.adjacent] as usize);
            transpose(isa(), &elements[from..], steps.0, &mut out[to..], steps.1, size);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::DynTensor;
    use crate::exec::fixtures::{assert_threads_agree, numbers, values};
    use crate::exec::movement::copy;

    /// Element by element, by index arithmetic alone.
    fn slowly(x: &DynTensor) -> Vec<f64> {
        let all = x.storage().as_slice::<f64>();
        let at = |mut position: usize| {
            let axes = x.shape().iter().zip(x.layout().strides()).rev();
            let steps = axes.map(|(&size, &stride)| {
                let index = position % size;
                position /= size;
                index as isize * stride
            });
            all[(x.layout().offset() as isize + steps.sum::<isize>()) as usize]
        };
        (0..x.size()).map(at).collect()
    }

    #[test]
    fn every_order_of_axes_is_copied() {
        let x = numbers(&[9, 10, 33, 17]);
        for order in [[3, 2, 1, 0], [0, 1, 3, 2], [0, 2, 3, 1], [0, 3, 1, 2], [3, 0, 1, 2], [1, 3, 0, 2], [2, 1, 0, 3]]
        {
            let view = x.permute(&order).unwrap();
            assert_eq!(values(&copy("test", &view).unwrap()), slowly(&view), "{order:?}");
            let part = view.narrow(1, 1, view.shape()[1] - 1).unwrap();
            assert_eq!(values(&copy("test", &part).unwrap()), slowly(&part), "a part of {order:?}");
            let sum = view.binary(trueno_core::table::BinaryOp::Add, &view).unwrap();
            assert_eq!(values(&sum), slowly(&view).iter().map(|v| v + v).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = numbers(&[700, 900]).transpose().unwrap();
        assert_threads_agree(|| copy("test", &x).unwrap());
    }
}
