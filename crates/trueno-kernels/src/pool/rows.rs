//! What neighbouring windows of a row meet, side by side in vectors. With a stride of 2 that is every second element.

use core::ops::Range;

use super::Pool2dShape;
use crate::lanes::read;
use crate::simd::RealVector;

/// The windows of a row, of `count`, that are worked on in vectors: those whose columns are all inside the plane, where the stride is one
/// that vectors are made for.
#[inline(always)]
pub(super) fn in_vectors(shape: &Pool2dShape, count: usize) -> Range<usize> {
    if shape.stride[1] <= 2 { shape.inside(count) } else { 0..0 }
}

/// Where the first element of a window whose columns are all inside the plane lies in it.
#[inline(always)]
pub(super) fn start(shape: &Pool2dShape, oy: usize, ox: usize) -> usize {
    shape.rows(oy).start * shape.width + ox * shape.stride[1] - shape.padding[1]
}

/// Calls `visit` for each place in a window with what a vector of neighbouring windows has there. `x` is the plane from the first element
/// of the first window on, and `rows` how many rows the windows have inside it. A place is how far it lies from the first.
#[inline(always)]
pub(super) fn for_each_place<V: RealVector>(
    simd: V::Token,
    shape: &Pool2dShape,
    x: &[V::Elem],
    rows: usize,
    mut visit: impl FnMut(usize, V),
) {
    for ky in 0..rows {
        let row = &x[ky * shape.width..];
        for kx in (0..shape.kernel[1]).step_by(2) {
            let place = ky * shape.width + kx;
            let [this, next] = two_columns::<V>(simd, row, shape.stride[1], kx);
            visit(place, this);
            if kx + 1 < shape.kernel[1] {
                visit(place + 1, next);
            }
        }
    }
}

/// The elements of columns `kx` and `kx + 1` of neighbouring windows. What the row has behind the last window counts for windows that do not
/// exist.
#[inline(always)]
fn two_columns<V: RealVector>(simd: V::Token, row: &[V::Elem], stride: usize, kx: usize) -> [V; 2] {
    let read = |from: usize| read::<V>(simd, row, from.min(row.len()));
    if stride == 1 {
        return [read(kx), read(kx + 1)];
    }
    let (even, odd) = read(kx).unzip(read(kx + V::LANES));
    [even, odd]
}
