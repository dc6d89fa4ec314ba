//! Quicksort between two memories: a pivot parts keys, vector by vector and without a branch.
//!
//! What is not greater than the pivot goes to the one memory and what is greater to the other, each from the front. Whichever
//! of them the keys are read from, no more is written to it than was read, so no key is lost, and whole vectors may be
//! written, of which the next overwrites what is too much.

use super::network::{sort_few, sort_rows};
use super::{Finish, Key, radix};
use crate::simd::KeyVector;
use core::slice;

/// Keys that lie at `side + ..` if `moved`, else at `main + ..`, and are wanted at the latter in order.
#[derive(Clone, Copy, Default)]
struct Task {
    main: usize,
    side: usize,
    count: usize,
    moved: bool,
    /// How many times they may be parted yet.
    patience: u32,
    stage: Stage,
}

/// What is to be done with the keys of a task.
#[derive(Clone, Copy, Default, PartialEq)]
enum Stage {
    /// To sort and to finish them.
    #[default]
    Whole,
    /// To sort them: they are part of what is finished later.
    Part,
    /// To finish them: they are in order.
    Sorted,
}

/// The smaller of two parts is sorted first, so the ones that wait are each twice as large as the next; and a part that is to be
/// finished, or two.
const MAX_TASKS: usize = usize::BITS as usize + 2;
/// Keys that are finished together: they still lie in the first level of cache, or most do.
const TOGETHER: usize = 8192;
/// Keys from which a pivot is chosen from more candidates.
const MANY: usize = 2048;
/// The most candidates.
const CANDIDATES: usize = 64;

/// How many times keys may be parted before they are taken to be against it, and are sorted by digits.
pub(super) fn patience(count: usize) -> u32 {
    2 * count.max(1).ilog2() + 8
}

/// Sorts the keys of `side` into `main` if `moved`, else those of `main`, and has `finish` finish them, part by part; what `side`
/// holds afterwards is unspecified.
#[inline(always)]
pub(super) fn sort<V: KeyVector<Elem: Key + Predecessor>>(
    token: V::Token,
    main: &mut [V::Elem],
    side: &mut [V::Elem],
    moved: bool,
    patience: u32,
    finish: Finish<'_, V::Elem>,
) {
    let count = main.len();
    assert_eq!(side.len(), count, "both memories are as large");
    let (main, side) = (main.as_mut_ptr(), side.as_mut_ptr());
    let mut waiting = [Task::default(); MAX_TASKS];
    let mut tasks = 1;
    waiting[0] = Task { main: 0, side: 0, count, moved, patience, stage: Stage::Whole };
    while tasks > 0 {
        tasks -= 1;
        let mut task = waiting[tasks];
        // SAFETY: tasks cut both memories into disjoint ranges of `task.count` keys each, which begin at `main` and `side`; but those
        // of a sorted task, which is taken up after its parts. They are parts of the first task, whose ranges are the whole of both.
        unsafe {
            let (to, beside) = (main.add(task.main), side.add(task.side));
            let from = if task.moved { beside } else { to };
            if task.stage == Stage::Sorted {
                finish(slice::from_raw_parts_mut(to, task.count));
                continue;
            }
            if task.stage == Stage::Whole && task.count <= TOGETHER {
                waiting[tasks] = Task { stage: Stage::Sorted, ..task };
                tasks += 1;
                task.stage = Stage::Part;
            }
            if task.count <= V::ROWS * V::LANES {
                sort_few::<V>(token, from, to, task.count);
            } else if task.patience == 0 {
                sort_by_digits(to, beside, task.count, task.moved);
                if task.stage == Stage::Whole {
                    finish(slice::from_raw_parts_mut(to, task.count));
                }
            } else {
                let (lefts, rights) = part::<V>(token, from, task.count, to, beside);
                let in_order = task.count - lefts - rights;
                if in_order > 0 && task.stage == Stage::Whole {
                    finish(slice::from_raw_parts_mut(to.add(lefts), in_order));
                }
                let patience = task.patience - 1;
                let left = Task { side: task.side + rights, count: lefts, moved: false, patience, ..task };
                let right = Task { main: task.main + lefts, count: rights, moved: true, patience, ..task };
                let (smaller, larger) = if lefts < rights { (left, right) } else { (right, left) };
                waiting[tasks] = larger;
                waiting[tasks + 1] = smaller;
                tasks += 2;
            }
        }
    }
}

/// An integer that has one below it.
pub(super) trait Predecessor {
    /// The next smaller one; the largest below the smallest.
    fn predecessor(self) -> Self;
}

impl Predecessor for i32 {
    #[inline(always)]
    fn predecessor(self) -> i32 {
        self.wrapping_sub(1)
    }
}

impl Predecessor for i64 {
    #[inline(always)]
    fn predecessor(self) -> i64 {
        self.wrapping_sub(1)
    }
}

/// Parts keys by one of them: what is not greater goes to `left`, and what is greater to `right`. Gives how many are on either
/// side and not in their places yet.
///
/// # Safety
/// As for [`part_by`].
#[inline(always)]
unsafe fn part<V: KeyVector<Elem: Predecessor>>(
    token: V::Token,
    from: *const V::Elem,
    count: usize,
    left: *mut V::Elem,
    right: *mut V::Elem,
) -> (usize, usize) {
    // SAFETY: the caller vouches for the memory. In the second call the keys are those that the first left at `left`.
    unsafe {
        let pivot = pivot::<V>(token, from, count);
        let rights = part_by::<V>(token, from, count, V::splat(token, pivot), left, right);
        if rights > 0 {
            return (count - rights, rights);
        }
        // The pivot is the largest. All that equal it are in order, and after the others.
        let equal = part_by::<V>(token, left, count, V::splat(token, pivot.predecessor()), left, right);
        let mut i = count - equal;
        while i < count {
            left.add(i).write(pivot);
            i += 1;
        }
        (count - equal, 0)
    }
}

/// The median of some keys. There must be at least `CANDIDATES` if there are `MANY`, and at least `LANES` in any case.
///
/// # Safety
/// `from` must be readable for `count` keys.
#[inline(always)]
unsafe fn pivot<V: KeyVector>(token: V::Token, from: *const V::Elem, count: usize) -> V::Elem {
    let mut candidates = [V::Elem::default(); CANDIDATES];
    let number = if count < MANY { V::LANES } else { 4 * V::LANES };
    let step = count / number;
    let mut i = 0;
    while i < number {
        // SAFETY: `i * step + step / 2` is less than `number * step`, which is at most `count`.
        candidates[i] = unsafe { from.add(i * step + step / 2).read() };
        i += 1;
    }
    let all = candidates.as_mut_ptr();
    // SAFETY: the candidates are as many as one vector or four have lanes, which is at most `CANDIDATES`.
    unsafe {
        if count < MANY {
            sort_rows::<V, 1>(token, all, all, number)
        } else {
            sort_rows::<V, 4>(token, all, all, number)
        }
    }
    candidates[number / 2]
}

/// Writes the keys that are not greater than the pivot to `left` and the others to `right`, and gives how many those are.
///
/// # Safety
/// `from` must be readable, and `left` and `right` writable, for `count` keys; `left` and `right` must not overlap, and `from`
/// must be one of them or not overlap either.
#[inline(always)]
unsafe fn part_by<V: KeyVector>(
    token: V::Token,
    from: *const V::Elem,
    count: usize,
    pivot: V,
    left: *mut V::Elem,
    right: *mut V::Elem,
) -> usize {
    let (mut lefts, mut rights, mut at) = (0, 0, 0);
    // SAFETY: `lefts + rights` keys are written where as many were read, so a whole vector ends no later at `left` or `right`
    // than the vector that was read last does at `from`, within the `count` keys, and overwrites none that is still to be
    // read. The last, partial vector writes what it read and no more.
    unsafe {
        while at + 4 * V::LANES <= count {
            let next = from.add(at);
            let vectors = [
                V::load(token, next),
                V::load(token, next.add(V::LANES)),
                V::load(token, next.add(2 * V::LANES)),
                V::load(token, next.add(3 * V::LANES)),
            ];
            let mut i = 0;
            while i < 4 {
                let greater = vectors[i].greater(pivot);
                vectors[i].compress(greater ^ V::ALL).store(left.add(lefts));
                vectors[i].compress(greater).store(right.add(rights));
                let more = greater.count_ones() as usize;
                (lefts, rights) = (lefts + V::LANES - more, rights + more);
                i += 1;
            }
            at += 4 * V::LANES;
        }
        while at < count {
            let taken = (count - at).min(V::LANES);
            let vector = V::load_partial(token, from.add(at), taken);
            let valid = ((1_u64 << taken) - 1) as u32;
            let greater = vector.greater(pivot) & valid;
            let more = greater.count_ones() as usize;
            vector.compress(greater ^ valid).store_partial(left.add(lefts), taken - more);
            vector.compress(greater).store_partial(right.add(rights), more);
            (lefts, rights) = (lefts + taken - more, rights + more);
            at += taken;
        }
    }
    rights
}

/// What [`sort`] does, in time that no order of the keys can lengthen.
///
/// # Safety
/// `main` and `side` must be readable and writable for `count` keys and must not overlap.
#[cold]
#[inline(never)]
unsafe fn sort_by_digits<K: Key>(main: *mut K, side: *mut K, count: usize, moved: bool) {
    // SAFETY: as the caller vouches; nothing else refers to this memory while the slices are in use.
    let (main, side) = unsafe { (slice::from_raw_parts_mut(main, count), slice::from_raw_parts_mut(side, count)) };
    if moved {
        main.copy_from_slice(side);
    }
    radix::sort(main, side, 0);
}
