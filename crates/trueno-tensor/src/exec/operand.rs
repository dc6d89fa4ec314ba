//! An operand seen block by block in the result's row-major order.

use super::isa::isa;
use super::transpose::Transposed;
use crate::DynTensor;
use crate::storage::Buffer;
use std::ops::Deref;
use trueno_core::{Collapsed, Element, Layout};
use trueno_kernels::{Operand, Plane, copy_plane};

/// The largest block that is gathered from strided memory at once; small enough for the first-level cache.
pub(crate) const BLOCK: usize = 1024;

/// The elements of a row-major tensor of type `T`.
///
/// # Panics
/// If it is not one: callers have just made it so.
pub(crate) fn elements<T: Element>(x: &DynTensor) -> &[T] {
    x.as_slice::<T>().unwrap_or_else(|| panic!("{x:?} is not a row-major tensor of {}", T::DTYPE))
}

/// A row-major operand: as it is, or a copy.
///
/// What is borrowed costs nothing, and what is copied is worth a box: kernels of small operands are faster than moving a tensor
/// about.
pub(crate) enum RowMajor<'a> {
    /// It was one already.
    Lent(&'a DynTensor),
    /// A copy.
    Owned(Box<DynTensor>),
}

impl RowMajor<'_> {
    /// The operand as a value of its own, outside any gradient graph.
    pub(crate) fn into_owned(self) -> DynTensor {
        match self {
            RowMajor::Lent(x) => x.detach(),
            RowMajor::Owned(x) => *x,
        }
    }

    /// The same for one that outlives what it was made of, a view say.
    pub(crate) fn into_static(self) -> RowMajor<'static> {
        match self {
            RowMajor::Lent(_) => RowMajor::Owned(Box::new(self.into_owned())),
            RowMajor::Owned(x) => RowMajor::Owned(x),
        }
    }
}

impl Deref for RowMajor<'_> {
    type Target = DynTensor;

    fn deref(&self) -> &DynTensor {
        match self {
            RowMajor::Lent(x) => x,
            RowMajor::Owned(x) => x,
        }
    }
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

    /// Copies consecutive positions, from `within` in run `run`: the rest of that run, whole runs, and the beginning of one.
    fn gather(&self, mut run: usize, within: usize, out: &mut [T]) {
        let inner = self.walk.inner();
        let head = if within > 0 { (inner - within).min(out.len()) } else { 0 };
        let (part, mut rest) = out.split_at_mut(head);
        if head > 0 {
            self.copy_runs(run, within, [1, head], part);
            run += 1;
        }
        let shape = self.walk.shape();
        let together = if shape.len() > 1 { shape[shape.len() - 2] } else { 1 };
        while rest.len() >= inner {
            let count = (together - run % together).min(rest.len() / inner);
            let (part, more) = rest.split_at_mut(count * inner);
            self.copy_runs(run, 0, [count, inner], part);
            (run, rest) = (run + count, more);
        }
        if !rest.is_empty() {
            self.copy_runs(run, 0, [1, rest.len()], rest);
        }
    }

    /// Copies `[count, length]` elements: so many of each of the runs from `run` on, which are neighbours along one axis.
    fn copy_runs(&self, run: usize, within: usize, shape: [usize; 2], out: &mut [T]) {
        let ([strides], [first]) = (self.walk.strides(), self.walk.run_offsets(run));
        let (right, outer) = (strides[strides.len() - 1], &strides[..strides.len() - 1]);
        let down = outer.last().copied().unwrap_or(0);
        let first = first.wrapping_add_signed(within as isize * right);
        if (shape[0], right) == (1, 1) {
            // One piece of memory needs no walk.
            return out.copy_from_slice(&self.elements.as_slice()[first..first + shape[1]]);
        }
        let from = Plane { first, steps: [down, right] };
        let to = Plane { first: 0, steps: [shape[1] as isize, 1] };
        copy_plane(isa(), self.elements.as_slice(), from, out, to, shape);
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
