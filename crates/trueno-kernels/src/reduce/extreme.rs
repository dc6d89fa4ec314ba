//! Positions of extremes.

use trueno_core::math::Arith;

use crate::Isa;
use crate::lanes::read;
use crate::simd::{Lanes, MAX_LANES, Real, RealVector, Token, kernel};

/// 0, 1, 2, ... in the lanes.
#[inline(always)]
pub(super) fn lane_indices<V: RealVector>(simd: V::Token) -> V {
    let mut lanes = [V::Elem::ZERO; MAX_LANES];
    let mut next = V::Elem::ZERO;
    for lane in &mut lanes {
        *lane = next;
        next = next + V::Elem::ONE;
    }
    V::from_lanes(simd, &lanes)
}

/// See [`arg_columns`](super::arg_columns).
pub(super) fn arg_columns<T: Real>(isa: Isa, largest: bool, x: &[T], positions: &mut [i64]) {
    match positions {
        [] => {}
        [position] => first_extremes(isa, largest, x, core::slice::from_mut(position)),
        positions => columns(isa, largest, x, positions),
    }
}

/// The larger or smaller in each lane, NaN if either is.
#[inline(always)]
fn better<V: RealVector>(largest: bool, a: V, b: V) -> V {
    if largest { Lanes(a).max(Lanes(b)).0 } else { Lanes(a).min(Lanes(b)).0 }
}

/// See [`arg_rows`](super::arg_rows).
pub(super) fn arg_rows<T: Real>(isa: Isa, largest: bool, x: &[T], positions: &mut [i64]) {
    if !positions.is_empty() {
        first_extremes(isa, largest, x, positions);
    }
}

/// Bytes that come together from memory.
const LINE: usize = 64;

/// The largest or smallest element, NaN if any is. Asks for what lies `ahead` elements further meanwhile.
#[inline(always)]
fn extreme<V: RealVector>(simd: V::Token, largest: bool, x: &[V::Elem], ahead: usize) -> V::Elem {
    let worst = V::splat(simd, if largest { -V::Elem::INFINITY } else { V::Elem::INFINITY });
    let mut best = [worst; 4];
    let whole = x.chunks_exact(4 * V::LANES);
    let rest = whole.remainder();
    for block in whole {
        let mut at = 0;
        while at < block.len() {
            simd.prefetch(block.as_ptr().wrapping_add(ahead + at));
            at += LINE / size_of::<V::Elem>();
        }
        let mut chain = 0;
        while chain < 4 {
            best[chain] = better(largest, best[chain], read(simd, block, chain * V::LANES));
            chain += 1;
        }
    }
    let mut from = 0;
    while from < rest.len() {
        let inside = lane_indices::<V>(simd).lt(worst.lit((rest.len() - from) as f64));
        best[0] = better(largest, best[0], V::select(inside, read(simd, rest, from), worst));
        from += V::LANES;
    }
    let best = better(largest, better(largest, best[0], best[1]), better(largest, best[2], best[3]));
    if largest { best.reduce_max() } else { best.reduce_min() }
}

/// Where the first element is that equals the extreme of all, or the first NaN.
#[inline(always)]
fn first_extreme<V: RealVector>(simd: V::Token, largest: bool, x: &[V::Elem], ahead: usize) -> usize {
    let extreme = extreme::<V>(simd, largest, x, ahead);
    let wanted = V::splat(simd, extreme);
    let is_nan = extreme.is_nan();
    let mut from = 0;
    while from < x.len() {
        let values = read::<V>(simd, x, from);
        let found = if is_nan { !values.eq(values) } else { values.eq(wanted) };
        // A lane after the end can only come after one that counts.
        let bits = V::mask_bits(found);
        if bits != 0 {
            return from + bits.trailing_zeros() as usize;
        }
        from += V::LANES;
    }
    0
}

/// Elements of a row that the next one is asked for while it is read: it is in the first level by then, and still is when its turn comes.
const SHORT: usize = 2048;

kernel! {
    /// Where the first extreme of each row is. While it is looked for in one, the machine does not see the next.
    fn first_extremes<T: Real>(simd: S, largest: bool, x: &[T], positions: &mut [i64]) {
        let length = x.len() / positions.len();
        let ahead = if length <= SHORT { length } else { 0 };
        for (row, position) in positions.iter_mut().enumerate() {
            let row = &x[row * length..][..length];
            *position = first_extreme::<T::Vector<S>>(simd, largest, row, ahead) as i64;
        }
    }
}

/// Rows whose numbers any type can hold exactly.
const COUNTABLE: usize = 1 << 24;

kernel! {
    /// Where the first extreme of each column is.
    fn columns<T: Real>(simd: S, largest: bool, x: &[T], positions: &mut [i64]) {
        let width = positions.len();
        positions.fill(0);
        for (block, rows) in x.chunks(COUNTABLE.saturating_mul(width)).enumerate() {
            let mut from = 0;
            while from < width {
                let (best, at) = best_of_columns::<T::Vector<S>>(simd, largest, rows, width, from);
                for (lane, position) in positions[from..].iter_mut().take(T::Vector::<S>::LANES).enumerate() {
                    let earlier = x[*position as usize * width + from + lane];
                    let wins = if largest { best[lane] > earlier } else { best[lane] < earlier };
                    if block == 0 || (!earlier.is_nan() && (wins || best[lane].is_nan())) {
                        *position = (block * COUNTABLE) as i64 + at[lane].to_f64() as i64;
                    }
                }
                from += T::Vector::<S>::LANES;
            }
        }
    }
}

/// The extremes of the columns from `from` on and the rows they are in.
#[inline(always)]
fn best_of_columns<V: RealVector>(
    simd: V::Token,
    largest: bool,
    x: &[V::Elem],
    width: usize,
    from: usize,
) -> ([V::Elem; MAX_LANES], [V::Elem; MAX_LANES]) {
    let zero = V::splat(simd, V::Elem::ZERO);
    let one = V::splat(simd, V::Elem::ONE);
    let (mut best, mut at, mut index) = (read::<V>(simd, &x[..width], from), zero, zero);
    for row in x.chunks_exact(width) {
        let value = read::<V>(simd, row, from);
        let beyond = if largest { best.lt(value) } else { value.lt(best) };
        // A NaN wins over any number, and nothing over a NaN.
        let wins = beyond | (!value.eq(value) & best.eq(best));
        best = V::select(wins, value, best);
        at = V::select(wins, index, at);
        index = index.add(one);
    }
    (best.to_lanes(), at.to_lanes())
}
