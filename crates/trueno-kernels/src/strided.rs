//! Copies between planes: two axes, each with a step of its own on either side.

use core::slice;

use trueno_core::Element;

use crate::Isa;
use crate::simd::kernel;

/// Where a plane lies in a slice: element `[r, c]` is `first + r * steps[0] + c * steps[1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The place of element `[0, 0]`.
    pub first: usize,
    /// The steps from row to row and from column to column, of either sign.
    pub steps: [isize; 2],
}

impl Plane {
    /// # Panics
    /// If an element of a plane of this shape, which has one, is not among the first `length` elements.
    fn check(self, length: usize, shape: [usize; 2]) {
        let (mut low, mut high) = (self.first as i128, self.first as i128);
        for (step, size) in self.steps.into_iter().zip(shape) {
            let reach = step as i128 * (size as i128 - 1);
            if reach < 0 { low += reach } else { high += reach }
        }
        assert!(low >= 0 && high < length as i128, "{self:?} of {shape:?} in {length} elements");
    }
}

/// Element `[r, c]` of the plane `to` of `out` becomes that of the plane `from` of `source`, for all of `[rows, columns]`.
///
/// ```
/// use trueno_kernels::{Isa, Plane, copy_plane};
///
/// let mut out = [0; 6];
/// let reversed = Plane { first: 2, steps: [3, -1] };
/// copy_plane(Isa::best(), &[1, 2, 3, 4, 5, 6], reversed, &mut out, Plane { first: 0, steps: [3, 1] }, [2, 3]);
/// assert_eq!(out, [3, 2, 1, 6, 5, 4]);
/// ```
///
/// # Panics
/// If a plane does not lie in its slice.
pub fn copy_plane<T: Element>(isa: Isa, source: &[T], from: Plane, out: &mut [T], to: Plane, shape: [usize; 2]) {
    if shape.contains(&0) {
        return;
    }
    from.check(source.len(), shape);
    to.check(out.len(), shape);
    let (source, out) = (source.as_ptr().wrapping_add(from.first), out.as_mut_ptr().wrapping_add(to.first));
    let steps = [[from.steps[0], to.steps[0]], [from.steps[1], to.steps[1]]];
    // SAFETY: the planes lie in a slice and in a mutable slice, which are apart, of elements of this size.
    unsafe { copy_erased(isa, size_of::<T>(), source.cast(), out.cast(), steps, shape) }
}

/// [`copy_plane`] without a type, so that the kernels are compiled here: bits are moved, whatever they mean.
///
/// # Safety
/// `size` must be 1, 2, 4 or 8 and that of an element, and all elements of the plane must be readable from `source` and
/// writable from `out`, aligned, in memory that is apart.
unsafe fn copy_erased(
    isa: Isa,
    size: usize,
    source: *const (),
    out: *mut (),
    steps: [[isize; 2]; 2],
    shape: [usize; 2],
) {
    macro_rules! words {
        ($word:ty) => {
            // SAFETY: the caller vouches for the pointers; integers of a size are aligned as elements of it are, or less.
            copy_words::<$word>(isa, unsafe { Copying::new(source.cast(), out.cast(), steps, shape) })
        };
    }
    match size {
        1 => words!(u8),
        2 => words!(u16),
        4 => words!(u32),
        _ => words!(u64),
    }
}

/// A copy of a plane whose elements are known to be there.
struct Copying<T> {
    source: *const T,
    out: *mut T,
    /// Of source and result, per axis.
    steps: [[isize; 2]; 2],
    shape: [usize; 2],
}

/// Columns that are copied together with their row by a sequence of moves without a loop.
const NARROW: usize = 8;

impl<T: Copy> Copying<T> {
    /// # Safety
    /// All elements must be readable from `source` and writable from `out`, in memory that is apart.
    unsafe fn new(source: *const T, out: *mut T, steps: [[isize; 2]; 2], shape: [usize; 2]) -> Self {
        Copying { source, out, steps, shape }
    }

    /// The same copy with the columns as rows.
    #[inline(always)]
    fn turned(&self) -> Copying<T> {
        let ([rows, cols], [down, right]) = (self.shape, self.steps);
        Copying { shape: [cols, rows], steps: [right, down], ..*self }
    }

    /// Where a row begins on both sides.
    ///
    /// # Safety
    /// There must be such a row.
    #[inline(always)]
    unsafe fn row(&self, row: usize) -> (*const T, *mut T) {
        let [from, to] = self.steps[0].map(|step| row as isize * step);
        // SAFETY: the first element of a row is one of the plane.
        unsafe { (self.source.offset(from), self.out.offset(to)) }
    }

    /// Line by line along the columns.
    #[inline(always)]
    fn by_lines(&self) {
        let ([rows, cols], steps) = (self.shape, self.steps[1]);
        for row in 0..rows {
            // SAFETY: the row is one of the plane, whose elements are there.
            unsafe {
                let (from, to) = self.row(row);
                copy_line(from, to, steps, cols);
            }
        }
    }

    /// Rows of `COLS` columns.
    #[inline(always)]
    fn by_narrow_rows<const COLS: usize>(&self) {
        let (rows, [from_step, to_step]) = (self.shape[0], self.steps[1]);
        // SAFETY: the rows are those of the plane, whose elements are there; an array is aligned as its elements are, and rows
        // that follow each other on both sides are as many elements and arrays together.
        unsafe {
            match (self.steps[1], self.steps[0]) {
                ([0, 1], [1, down]) if down == COLS as isize => {
                    let out = slice::from_raw_parts_mut(self.out.cast::<[T; COLS]>(), rows);
                    for (to, from) in out.iter_mut().zip(slice::from_raw_parts(self.source, rows)) {
                        *to = [*from; COLS];
                    }
                }
                ([0, 1], _) => {
                    for row in 0..rows {
                        let (from, to) = self.row(row);
                        to.cast::<[T; COLS]>().write([from.read(); COLS]);
                    }
                }
                ([1, 1], _) => {
                    for row in 0..rows {
                        let (from, to) = self.row(row);
                        to.cast::<[T; COLS]>().write(from.cast::<[T; COLS]>().read());
                    }
                }
                _ => {
                    for row in 0..rows {
                        let (from, to) = self.row(row);
                        let mut col = 0;
                        while col < COLS as isize {
                            to.offset(col * to_step).write(from.offset(col * from_step).read());
                            col += 1;
                        }
                    }
                }
            }
        }
    }
}

/// Copies `count` elements, `steps` apart at the source and the result.
///
/// # Safety
/// They must be readable and writable, in memory that is apart.
#[inline(always)]
unsafe fn copy_line<T: Copy>(from: *const T, to: *mut T, steps: [isize; 2], count: usize) {
    // SAFETY: the caller vouches for all elements, which lie together where a step is 1 or -1.
    unsafe {
        match steps {
            [1, 1] => to.copy_from_nonoverlapping(from, count),
            [0, 1] => slice::from_raw_parts_mut(to, count).fill(from.read()),
            [-1, 1] => {
                let source = slice::from_raw_parts(from.offset(1 - count as isize), count);
                reverse(source, slice::from_raw_parts_mut(to, count));
            }
            [from_step, to_step] => {
                let (mut from, mut to, mut left) = (from, to, count);
                // Four are read before any is written, for the compiler cannot know that the sides are apart.
                while left >= 4 {
                    let four = [
                        from.read(),
                        from.offset(from_step).read(),
                        from.offset(2 * from_step).read(),
                        from.offset(3 * from_step).read(),
                    ];
                    to.write(four[0]);
                    to.offset(to_step).write(four[1]);
                    to.offset(2 * to_step).write(four[2]);
                    to.offset(3 * to_step).write(four[3]);
                    from = from.wrapping_offset(4 * from_step);
                    to = to.wrapping_offset(4 * to_step);
                    left -= 4;
                }
                for i in 0..left as isize {
                    to.offset(i * to_step).write(from.offset(i * from_step).read());
                }
            }
        }
    }
}

/// The elements in the opposite order.
#[inline(always)]
fn reverse<T: Copy>(source: &[T], out: &mut [T]) {
    for (to, from) in out.iter_mut().zip(source.iter().rev()) {
        *to = *from;
    }
}

kernel! {
    /// Copies along the longer lines, or by rows where these are a few elements.
    fn copy_words<T: Copy>(_simd: S, plane: Copying<T>) {
        let [rows, cols] = plane.shape;
        let turns = cols > NARROW && rows <= NARROW && matches!(plane.steps[0], [0 | 1, 1]);
        let plane = if turns { plane.turned() } else { plane };
        match plane.shape[1] {
            // One line down.
            1 => plane.turned().by_lines(),
            _ if plane.shape[0] < 4 => plane.by_lines(),
            2 => plane.by_narrow_rows::<2>(),
            3 => plane.by_narrow_rows::<3>(),
            4 => plane.by_narrow_rows::<4>(),
            5 => plane.by_narrow_rows::<5>(),
            6 => plane.by_narrow_rows::<6>(),
            7 => plane.by_narrow_rows::<7>(),
            NARROW => plane.by_narrow_rows::<NARROW>(),
            _ => plane.by_lines(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const SHAPES: [[usize; 2]; 12] =
        [[0, 3], [3, 0], [1, 1], [1, 70], [70, 1], [2, 33], [33, 2], [9, 3], [5, 8], [40, 9], [17, 65], [3, 200]];

    /// A plane whose elements do not overlap, with steps of these signs.
    fn plane([rows, cols]: [usize; 2], [down, right]: [isize; 2], turned: bool, length: usize) -> Plane {
        let (rows, cols) = (rows.max(1) as isize, cols.max(1) as isize);
        let steps =
            if turned { [down, right * (rows * down.abs() + 1)] } else { [down * (cols * right.abs() + 1), right] };
        let back: isize = steps.into_iter().zip([rows, cols]).map(|(step, size)| (step * (size - 1)).min(0)).sum();
        let plane = Plane { first: (3 - back) as usize, steps };
        assert!(plane.first < length);
        plane
    }

    fn check<T: Element>(value: impl Fn(usize) -> T) {
        const LENGTH: usize = 8000;
        let source: Vec<T> = (0..LENGTH).map(|i| value(i + 1)).collect();
        let signs = [[1, 1], [1, -1], [-1, 1], [-2, 3], [2, -3]];
        for isa in Isa::available() {
            for shape in SHAPES {
                for (from, to) in signs.iter().flat_map(|from| signs.map(|to| (*from, to))) {
                    for turned in [[false, false], [true, false], [false, true]] {
                        let mut from = plane(shape, from, turned[0], LENGTH);
                        let to = plane(shape, to, turned[1], LENGTH);
                        for still in [None, Some(0), Some(1)] {
                            if let Some(axis) = still {
                                from.steps[axis] = 0;
                                from.first = if from.steps[1 - axis] < 0 { LENGTH - 1 } else { 0 };
                            }
                            let mut out = vec![value(0); LENGTH];
                            let mut want = out.clone();
                            copy_plane(isa, &source, from, &mut out, to, shape);
                            for (r, c) in (0..shape[0]).flat_map(|r| (0..shape[1]).map(move |c| (r, c))) {
                                let at = |plane: Plane| {
                                    let steps = r as isize * plane.steps[0] + c as isize * plane.steps[1];
                                    plane.first.wrapping_add_signed(steps)
                                };
                                want[at(to)] = source[at(from)];
                            }
                            assert!(out == want, "{} {shape:?} {from:?} {to:?}", isa.level());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_element_comes_to_its_place_and_nothing_else_is_touched() {
        check(|i| (i % 251) as u8);
        check(|i| i % 3 == 0);
        check(|i| trueno_core::f16::from_bits((i % 0x7C00) as u16));
        check(|i| i as f32);
        check(|i| i as i64);
    }

    #[test]
    fn every_element_is_repeated_side_by_side() {
        for (isa, times) in Isa::available().flat_map(|isa| (1..11).map(move |times| (isa, times))) {
            let source: Vec<f32> = (0..333).map(|i| i as f32).collect();
            let mut out = vec![-1.0; 333 * times + 1];
            let (from, to) = (Plane { first: 0, steps: [1, 0] }, Plane { first: 0, steps: [times as isize, 1] });
            copy_plane(isa, &source, from, &mut out, to, [333, times]);
            assert!(out[..333 * times].iter().enumerate().all(|(i, &value)| value == source[i / times]));
            assert_eq!(out[333 * times], -1.0);
        }
    }

    // Where a panic ends the process, nobody sees it.
    #[cfg(panic = "unwind")]
    #[test]
    fn planes_outside_their_slice_are_refused() {
        let copy = |from: Plane, to: Plane| {
            let (source, mut out) = ([1_u8; 6], [0_u8; 6]);
            std::panic::catch_unwind(move || copy_plane(Isa::best(), &source, from, &mut out, to, [2, 3])).is_err()
        };
        let whole = Plane { first: 0, steps: [3, 1] };
        assert!(!copy(whole, whole));
        for wrong in [
            Plane { first: 1, ..whole },
            Plane { steps: [3, -1], ..whole },
            Plane { steps: [4, 1], ..whole },
            Plane { first: usize::MAX, ..whole },
            Plane { steps: [isize::MAX, isize::MAX], ..whole },
            Plane { first: 5, steps: [isize::MIN, 1] },
        ] {
            assert!(copy(wrong, whole) && copy(whole, wrong), "{wrong:?}");
        }
    }
}
