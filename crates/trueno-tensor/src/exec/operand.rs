//! An operand seen block by block in the result's row-major order.

use super::transpose::Transposed;
use crate::DynTensor;
use crate::storage::Buffer;
use trueno_core::{Collapsed, Element, Layout};
use trueno_kernels::Operand;

/// The largest block that is gathered from strided memory at once; small enough for the first-level cache.
pub(crate) const BLOCK: usize = 1024;

/// The elements of a row-major tensor of type `T`.
///
/// # Panics
/// If it is not one: callers have just made it so.
pub(crate) fn elements<T: Element>(x: &DynTensor) -> &[T] {
    x.as_slice::<T>().unwrap_or_else(|| panic!("{x:?} is not a row-major tensor of {}", T::DTYPE))
}

/// One operand, broadcast to the result's shape.
pub(crate) struct Source<'a, T> {
    elements: Elements<'a, T>,
    walk: Collapsed<1>,
}

enum Elements<'a, T> {
    Lent(&'a [T]),
    /// A row-major copy of a large transposed view.
    Copied(Buffer),
}

impl<T: Element> Elements<'_, T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Elements::Lent(elements) => elements,
            Elements::Copied(buffer) => buffer.as_slice::<T>(),
        }
    }
}

/// Transposed views with fewer elements are gathered as they are read: they lie in the cache.
const LARGE: usize = 1 << 14;

impl<'a, T: Element> Source<'a, T> {
    /// `layout` must have the result's shape. `bool` may be read as `u8`.
    pub(crate) fn new(tensor: &'a DynTensor, layout: &Layout) -> Source<'a, T> {
        let (elements, walk) = (tensor.storage().as_slice::<T>(), Collapsed::new([layout]));
        match Source::copied(elements, &walk) {
            Some(copied) => {
                let walk = Collapsed::new([&Layout::contiguous(layout.shape())]);
                Source { elements: Elements::Copied(copied), walk }
            }
            None => Source { elements: Elements::Lent(elements), walk },
        }
    }

    /// A row-major copy of a large transposed view, if there is memory for it.
    fn copied(elements: &[T], walk: &Collapsed<1>) -> Option<Buffer> {
        let size: usize = walk.shape().iter().product();
        let transposed = Transposed::new(walk).filter(|_| size >= LARGE)?;
        let mut buffer = Buffer::new("contiguous", T::DTYPE, size).ok()?;
        transposed.copy(elements, buffer.as_mut_slice::<T>());
        Some(buffer)
    }

    /// The length of a run that needs no gathering: positions within one run are a slice or a single value.
    pub(crate) fn run(&self) -> usize {
        if matches!(self.walk.inner_strides(), [0 | 1]) { self.walk.inner() } else { 1 }
    }

    /// Positions `start..start + len` of the row-major order. If they lie within one run, they are borrowed; otherwise
    /// they are gathered into `scratch`, which must hold `len` elements.
    pub(crate) fn block<'s>(&'s self, start: usize, len: usize, scratch: &'s mut [T]) -> Operand<'s, T> {
        let inner = self.walk.inner();
        let (run, within) = (start / inner, start % inner);
        let [stride] = self.walk.inner_strides();
        if within + len <= inner {
            let [first] = self.walk.run_offsets(run);
            match stride {
                0 => return Operand::Scalar(self.elements.as_slice()[first]),
                1 => return Operand::Slice(&self.elements.as_slice()[first + within..first + within + len]),
                _ => {}
            }
        }
        self.gather(run, within, &mut scratch[..len]);
        Operand::Slice(&scratch[..len])
    }

    /// Copies the positions from `start` on.
    pub(crate) fn copy(&self, start: usize, out: &mut [T]) {
        let inner = self.walk.inner();
        self.gather(start / inner, start % inner, out);
    }

    /// Copies consecutive positions, from `within` in run `run`.
    fn gather(&self, run: usize, within: usize, out: &mut [T]) {
        let [stride] = self.walk.inner_strides();
        if within + out.len() <= self.walk.inner() {
            let [first] = self.walk.run_offsets(run);
            return copy_run(
                self.elements.as_slice(),
                first.wrapping_add_signed(within as isize * stride),
                stride,
                out,
            );
        }
        let (mut rest, mut skip) = (out, within);
        for [first] in self.walk.runs(run) {
            let take = (self.walk.inner() - skip).min(rest.len());
            let (part, more) = rest.split_at_mut(take);
            copy_run(self.elements.as_slice(), first.wrapping_add_signed(skip as isize * stride), stride, part);
            (rest, skip) = (more, 0);
            if rest.is_empty() {
                break;
            }
        }
    }
}

/// Copies `out.len()` elements from `first`, `stride` apart.
fn copy_run<T: Copy>(elements: &[T], first: usize, stride: isize, out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    match stride {
        0 => out.fill(elements[first]),
        1 => out.copy_from_slice(&elements[first..first + out.len()]),
        stride if stride > 0 => {
            let strided = elements[first..].iter().step_by(stride.unsigned_abs());
            out.iter_mut().zip(strided).for_each(|(to, from)| *to = *from);
        }
        stride => {
            let strided = elements[..=first].iter().rev().step_by(stride.unsigned_abs());
            out.iter_mut().zip(strided).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Whether blocks end where runs of this length do, so that nothing is gathered.
pub(crate) fn is_direct(run: usize) -> bool {
    run >= BLOCK / 4
}

/// Cuts `start..end` into blocks: whole runs' pieces where every operand's runs are long, fixed blocks otherwise.
/// `run` is the shortest run among the operands.
pub(crate) fn blocks(start: usize, end: usize, run: usize) -> impl Iterator<Item = (usize, usize)> {
    let direct = is_direct(run);
    let mut position = start;
    std::iter::from_fn(move || {
        let left = end.checked_sub(position).filter(|&left| left > 0)?;
        let len = if direct { (run - position % run).min(left) } else { left.min(BLOCK) };
        position += len;
        Some((position - len, len))
    })
}
