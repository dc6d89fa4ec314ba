//! Reductions, positions of extremes and running sums.
//!
//! A reduction of an array seen as `[outer, length, inner]` runs over its middle axis: over rows where `inner`
//! is 1, over columns otherwise. The engine cuts what is longer than [`BLOCK`] into blocks, reduces each with
//! [`accumulate_rows`] or [`accumulate_columns`], joins the partial results with [`combine`] in a tree of its own making
//! and ends with [`finish`]. Within a block the order is fixed too, so results depend on the instruction set and
//! on nothing else.

mod dot;
mod extreme;
mod integer;
mod real;
mod scan;

use trueno_core::table::ReduceOp;

use crate::Isa;
use crate::simd::Real;

pub use dot::dot;
pub use integer::{IntegerReduction, arg_int, reduce_int};
pub use real::{Readable, RealReductions};
pub use scan::{SCAN_BLOCK, cumsum_from, cumsum_int, scan_go_on, scan_parts, scan_total};

/// The longest row that is reduced in one sequence of additions per lane.
pub const BLOCK: usize = 8192;

/// `acc[i]` is the unfinished reduction of row `i` of `x`, which is `[acc.len(), length]`.
///
/// `centers` holds the mean of each row where the row of the table is centered.
///
/// ```
/// use trueno_core::table::ReduceOp;
/// use trueno_kernels::{Isa, reduce};
///
/// let isa = Isa::best();
/// let mut means = [0.0_f32; 2];
/// reduce::accumulate_rows(isa, ReduceOp::Mean, &[1.0, 2.0, 6.0, 0.0, 0.0, 3.0], 3, None, &mut means);
/// reduce::finish(isa, ReduceOp::Mean, 3, 0.0, &mut means);
/// assert_eq!(means, [3.0, 1.0]);
/// ```
///
/// # Panics
/// If the lengths do not fit together.
pub fn accumulate_rows<T: Real, E: Readable<T>>(
    isa: Isa,
    op: ReduceOp,
    x: &[E],
    length: usize,
    centers: Option<&[T]>,
    acc: &mut [T],
) {
    assert_eq!(x.len(), acc.len() * length, "{}: rows of {length}", op.name());
    check_centers(op, centers, acc);
    E::accumulate_rows(isa, op, x, length, centers, acc);
}

/// `acc[j]` is the unfinished reduction of column `j` of `x`, which is `[length, acc.len()]`.
///
/// `centers` holds the mean of each column where the row of the table is centered.
///
/// # Panics
/// If the lengths do not fit together.
pub fn accumulate_columns<T: Real, E: Readable<T>>(
    isa: Isa,
    op: ReduceOp,
    x: &[E],
    centers: Option<&[T]>,
    acc: &mut [T],
) {
    check_columns(op.name(), x.len(), acc.len());
    check_centers(op, centers, acc);
    E::accumulate_columns(isa, op, x, centers, acc);
}

/// Joins the unfinished reductions `other` to `acc`, which come first.
///
/// # Panics
/// If the lengths differ.
pub fn combine<T: Real>(isa: Isa, op: ReduceOp, acc: &mut [T], other: &[T]) {
    assert_eq!(acc.len(), other.len(), "{}: partial results", op.name());
    T::combine(isa, op, acc, other);
}

/// Finishes reductions of `count` elements each; `correction` is taken off the count (NumPy's `ddof`).
pub fn finish<T: Real>(isa: Isa, op: ReduceOp, count: usize, correction: f64, acc: &mut [T]) {
    T::finish(isa, op, (count as f64 - correction).max(0.0), acc);
}

/// `positions[j]` is where the largest or smallest element of column `j` of `x` is, which is `[length, positions.len()]`.
///
/// The first of several; a NaN counts as the extreme (NumPy's `argmax` and `argmin`).
///
/// # Panics
/// If the lengths do not fit together, or the columns are empty.
pub fn arg_columns<T: Real>(isa: Isa, largest: bool, x: &[T], positions: &mut [i64]) {
    check_arg(x.len(), positions.len());
    T::arg_columns(isa, largest, x, positions);
}

/// `positions[i]` is where the largest or smallest element of row `i` of `x` is, which is `[positions.len(), length]`: as
/// [`arg_columns`] of each row.
///
/// # Panics
/// If the lengths do not fit together, or the rows are empty.
pub fn arg_rows<T: Real>(isa: Isa, largest: bool, x: &[T], length: usize, positions: &mut [i64]) {
    assert_eq!(x.len(), positions.len() * length, "arg: rows of {length}");
    check_arg(x.len(), positions.len());
    T::arg_rows(isa, largest, x, positions);
}

/// Running sums over the first axis of `x`, which is `[length, inner]`.
///
/// # Panics
/// If the lengths do not fit together.
pub fn cumsum<T: Real>(isa: Isa, x: &[T], inner: usize, out: &mut [T]) {
    scan::check(x.len(), inner, out.len());
    T::cumsum(isa, x, inner, out);
}

fn check_columns(op: &str, elements: usize, columns: usize) {
    assert!(columns == 0 || elements.is_multiple_of(columns), "{op}: {elements} elements in {columns} columns");
}

fn check_centers<T>(op: ReduceOp, centers: Option<&[T]>, acc: &[T]) {
    assert!(centers.is_some() || !op.centered(), "{} needs the mean", op.name());
    assert!(centers.is_none_or(|centers| centers.len() == acc.len()), "{}: a mean for each result", op.name());
}

fn check_arg(elements: usize, columns: usize) {
    check_columns("arg", elements, columns);
    assert!(columns == 0 || elements > 0, "nothing has no extreme");
}

#[cfg(test)]
mod tests;
