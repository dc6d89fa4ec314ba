//! Slices as vectors, their ends included: what the kernels that walk over rows share.

use crate::simd::{MAX_LANES, Real, RealVector};
use trueno_core::Element;

/// The vector at `x[from..]`, zeros after its end.
#[inline(always)]
pub(crate) fn read<V: RealVector>(simd: V::Token, x: &[V::Elem], from: usize) -> V {
    let rest = &x[from..];
    // SAFETY: `rest` has `LANES` values in the first case, and the count in the second.
    unsafe {
        if rest.len() >= V::LANES {
            V::load(simd, rest.as_ptr())
        } else {
            V::load_partial(simd, rest.as_ptr(), rest.len())
        }
    }
}

/// Writes to `out[from..]` the lanes that it has room for.
#[inline(always)]
pub(crate) fn write<V: RealVector>(value: V, out: &mut [V::Elem], from: usize) {
    let rest = &mut out[from..];
    // SAFETY: `rest` has `LANES` values in the first case, and the count in the second.
    unsafe {
        if rest.len() >= V::LANES {
            value.store(rest.as_mut_ptr());
        } else {
            value.store_partial(rest.as_mut_ptr(), rest.len());
        }
    }
}

/// The first `count` lanes, zeros after them.
#[inline(always)]
pub(crate) fn keep_first<V: RealVector>(value: V, count: usize) -> V {
    if count >= V::LANES {
        return value;
    }
    let lanes = value.to_lanes();
    // SAFETY: `count < LANES <= MAX_LANES`, the length of `lanes`.
    unsafe { V::load_partial(value.token(), lanes.as_ptr(), count) }
}

/// The largest element, -inf of none. NaN may or may not win.
#[inline(always)]
pub(crate) fn largest<V: RealVector>(simd: V::Token, x: &[V::Elem]) -> V::Elem {
    let lowest = V::splat(simd, -V::Elem::INFINITY);
    let mut best = [lowest; 4];
    let mut from = 0;
    while from + 4 * V::LANES <= x.len() {
        for (i, best) in best.iter_mut().enumerate() {
            *best = read::<V>(simd, x, from + i * V::LANES).max(*best);
        }
        from += 4 * V::LANES;
    }
    while from + V::LANES <= x.len() {
        best[0] = read::<V>(simd, x, from).max(best[0]);
        from += V::LANES;
    }
    let mut lanes = best[0].max(best[1]).max(best[2].max(best[3])).to_lanes();
    // By halves, for a short row would wait for one comparison after the other.
    let mut half = V::LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = larger(lanes[lane + half], lanes[lane]);
        }
        half /= 2;
    }
    x[from..].iter().fold(lanes[0], |largest, &element| larger(element, largest))
}

/// `x` if it is larger than `y`, else `y`.
#[inline(always)]
fn larger<T: Real>(x: T, y: T) -> T {
    if x > y { x } else { y }
}

/// Vectors that are summed in lanes before the sum moves on to `f64`.
const CHUNK: usize = 256;
/// Vectors that terms are added to in turn, so that no addition waits for the one before.
const CHAINS: usize = 4;

/// A sum of terms made from the vectors of a row: in lanes for a chunk of the row, in `f64` from there. Close to
/// exact whatever the length, and the same on every call.
pub(crate) struct Sum<V: RealVector> {
    lanes: [V; CHAINS],
    chunk: usize,
    total: f64,
}

impl<V: RealVector> Sum<V> {
    /// 0.
    #[inline(always)]
    pub fn new(simd: V::Token) -> Self {
        Sum { lanes: [V::splat(simd, V::Elem::ZERO); CHAINS], chunk: 0, total: 0.0 }
    }

    /// Adds every lane of `term`.
    #[inline(always)]
    pub fn add(&mut self, term: V) {
        let [next, b, c, d] = self.lanes;
        self.lanes = [b, c, d, next.add(term)];
        self.count();
    }

    /// Adds every lane of `x * y`.
    #[inline(always)]
    pub fn add_product(&mut self, x: V, y: V) {
        let [next, b, c, d] = self.lanes;
        self.lanes = [b, c, d, x.mul_add(y, next)];
        self.count();
    }

    #[inline(always)]
    fn count(&mut self) {
        self.chunk += 1;
        if self.chunk == CHUNK {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        let mut sums = [0.0; MAX_LANES];
        for lanes in self.lanes {
            for (sum, lane) in sums[..V::LANES].iter_mut().zip(lanes.to_lanes()) {
                *sum += lane.to_f64();
            }
        }
        // By halves, for a short row would wait for one addition after the other.
        let mut half = V::LANES / 2;
        while half > 0 {
            for lane in 0..half {
                sums[lane] += sums[lane + half];
            }
            half /= 2;
        }
        self.total += sums[0];
        self.lanes = [V::splat(self.lanes[0].token(), V::Elem::ZERO); CHAINS];
        self.chunk = 0;
    }

    /// The sum.
    #[inline(always)]
    pub fn finish(mut self) -> f64 {
        self.flush();
        self.total
    }
}
