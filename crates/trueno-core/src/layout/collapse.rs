//! Several layouts of one shape, reduced to the fewest axes that walk them all.

use super::{Dims, Layout, Strides};
use smallvec::SmallVec;

/// `N` layouts of the same shape, walked together: axes of size 1 gone, axes merged wherever every layout allows.
///
/// What is left is a short list of outer axes and one inner axis, the last, over which a kernel runs.
///
/// ```
/// use trueno_core::{Collapsed, Layout};
/// let a = Layout::contiguous(&[2, 3, 4]);
/// let walk = Collapsed::new([&a, &a]);
/// assert_eq!(walk.shape(), [24]); // one run
/// let t = a.permute("example", &[0, 2, 1])?;
/// assert_eq!(Collapsed::new([&t]).shape(), [2, 4, 3]);
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Collapsed<const N: usize> {
    shape: Dims,
    strides: [Strides; N],
    offsets: [usize; N],
}

impl<const N: usize> Collapsed<N> {
    /// Collapses layouts of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn new(layouts: [&Layout; N]) -> Self {
        let mut shape = Dims::new();
        let mut strides: [Strides; N] = core::array::from_fn(|_| Strides::new());
        for axis in 0..layouts[0].rank() {
            let size = layouts[0].shape()[axis];
            assert!(layouts.iter().all(|l| l.shape()[axis] == size), "collapsed layouts have one shape");
            if size == 1 {
                continue;
            }
            let steps: [isize; N] = core::array::from_fn(|i| layouts[i].strides()[axis]);
            let merges =
                shape.last().is_some() && (0..N).all(|i| strides[i].last() == Some(&(steps[i] * size as isize)));
            if merges {
                *shape.last_mut().unwrap_or(&mut 0) *= size;
                for (strides, step) in strides.iter_mut().zip(steps) {
                    if let Some(last) = strides.last_mut() {
                        *last = step;
                    }
                }
            } else {
                shape.push(size);
                for (strides, step) in strides.iter_mut().zip(steps) {
                    strides.push(step);
                }
            }
        }
        if shape.is_empty() {
            shape.push(1);
            strides.iter_mut().for_each(|s| s.push(1));
        }
        Collapsed { shape, strides, offsets: core::array::from_fn(|i| layouts[i].offset()) }
    }

    /// The collapsed shape; at least one axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Length of the inner axis.
    pub fn inner(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// Steps along every axis of the collapsed shape, per layout.
    pub fn strides(&self) -> &[Strides; N] {
        &self.strides
    }

    /// Where each layout begins.
    pub fn offsets(&self) -> [usize; N] {
        self.offsets
    }

    /// How many inner runs there are.
    pub fn outer(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }

    /// Steps along the inner axis, one per layout.
    pub fn inner_strides(&self) -> [isize; N] {
        core::array::from_fn(|i| self.strides[i][self.shape.len() - 1])
    }

    /// Storage index of the first element of an inner run, one per layout. Runs are numbered in row-major order.
    pub fn run_offsets(&self, run: usize) -> [usize; N] {
        let mut rest = run;
        let mut offsets: [isize; N] = core::array::from_fn(|i| self.offsets[i] as isize);
        for axis in (0..self.shape.len() - 1).rev() {
            let index = (rest % self.shape[axis]) as isize;
            rest /= self.shape[axis];
            for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                *offset += index * strides[axis];
            }
        }
        core::array::from_fn(|i| offsets[i] as usize)
    }

    /// The offsets of runs `first..`, without a division per run.
    pub fn runs(&self, first: usize) -> Runs<'_, N> {
        let mut index: SmallVec<[usize; 6]> = SmallVec::from_elem(0, self.shape.len() - 1);
        let mut rest = first;
        for axis in (0..index.len()).rev() {
            index[axis] = rest % self.shape[axis].max(1);
            rest /= self.shape[axis].max(1);
        }
        Runs { walk: self, index, offsets: self.run_offsets_or_start(first), left: self.outer().saturating_sub(first) }
    }

    fn run_offsets_or_start(&self, first: usize) -> [usize; N] {
        if first < self.outer() { self.run_offsets(first) } else { self.offsets }
    }
}

/// Iterator over the starts of inner runs. See [`Collapsed::runs`].
#[derive(Debug)]
pub struct Runs<'a, const N: usize> {
    walk: &'a Collapsed<N>,
    index: SmallVec<[usize; 6]>,
    offsets: [usize; N],
    left: usize,
}

impl<const N: usize> Iterator for Runs<'_, N> {
    type Item = [usize; N];

    fn next(&mut self) -> Option<[usize; N]> {
        self.left = self.left.checked_sub(1)?;
        let current = self.offsets;
        for axis in (0..self.index.len()).rev() {
            self.index[axis] += 1;
            let wrapped = self.index[axis] == self.walk.shape[axis];
            for (offset, strides) in self.offsets.iter_mut().zip(&self.walk.strides) {
                let stride = strides[axis];
                let step = if wrapped { stride * (1 - self.walk.shape[axis] as isize) } else { stride };
                *offset = offset.wrapping_add_signed(step);
            }
            if !wrapped {
                break;
            }
            self.index[axis] = 0;
        }
        Some(current)
    }
}
