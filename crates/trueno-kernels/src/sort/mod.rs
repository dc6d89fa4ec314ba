//! Sorting by digits: elements become integers of the same order, whose digits are counted.
//!
//! A pass over one digit reads every key once and writes it once, so the time grows with the number of keys and not
//! with that times its logarithm, and equal keys keep their order. Large arrays are first cut by their leading digit
//! ([`partition`]) into parts that lie in a cache, and that threads sort apart ([`sort`]).
//!
//! NaN is larger than any number, as in NumPy and PyTorch.
//!
//! ```
//! use trueno_kernels::sort::{self, Sortable};
//!
//! let mut keys = [2.5_f32, -1.0, f32::NAN, 0.0].map(f32::key);
//! sort::sort(&mut keys, &mut [0; 4], 0);
//! assert_eq!(keys.map(f32::from_key)[..3], [-1.0, 0.0, 2.5]);
//! ```

mod element;
#[cfg(test)]
mod tests;

pub use element::Sortable;

/// Bits of a digit.
const DIGIT: u32 = 11;
/// Values of a digit.
pub const PARTS: usize = 1 << DIGIT;
/// Fewer keys than this are compared: counting has a cost of its own.
const FEW: usize = 512;

/// A key that sorts by its bits.
pub trait Key: Copy + Default + Ord + Send + Sync + 'static {
    /// The number of bits that order it.
    const BITS: u32;
    /// `DIGIT` bits from `shift` on.
    fn digit(self, shift: u32) -> usize;
}

const MASK: u64 = PARTS as u64 - 1;

impl Key for u32 {
    const BITS: u32 = 32;

    #[inline(always)]
    fn digit(self, shift: u32) -> usize {
        ((self >> shift) & MASK as u32) as usize
    }
}

impl Key for i64 {
    const BITS: u32 = 64;

    #[inline(always)]
    fn digit(self, shift: u32) -> usize {
        (((self as u64 ^ (1 << 63)) >> shift) & MASK) as usize
    }
}

/// A key and where it stood, by which equal keys are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// The key.
    pub key: i64,
    /// Its position.
    pub position: i64,
}

impl Key for Placed {
    const BITS: u32 = 64;

    #[inline(always)]
    fn digit(self, shift: u32) -> usize {
        self.key.digit(shift)
    }
}

/// Sorts keys whose bits below `low` are in order already (positions, say), using `scratch` of the same length.
///
/// # Panics
/// If `scratch` is not as long as `keys`.
pub fn sort<K: Key>(keys: &mut [K], scratch: &mut [K], low: u32) {
    sort_below(keys, scratch, low, K::BITS);
}

/// As [`sort`], for keys that agree in the bits from `high` on.
///
/// # Panics
/// If `scratch` is not as long as `keys`.
pub fn sort_below<K: Key>(keys: &mut [K], scratch: &mut [K], low: u32, high: u32) {
    assert_eq!(keys.len(), scratch.len(), "scratch");
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    let (mut from, mut to) = (&mut *keys, &mut *scratch);
    let mut moved = false;
    let mut shift = low;
    while shift < high {
        if pass(from, to, shift) {
            core::mem::swap(&mut from, &mut to);
            moved = !moved;
        }
        shift += DIGIT;
    }
    if moved {
        to.copy_from_slice(from);
    }
}

/// Moves keys to the order of one digit. Says `false`, and moves nothing, if all have the same.
fn pass<K: Key>(from: &[K], to: &mut [K], shift: u32) -> bool {
    let mut places = counts(from, shift);
    if places[from[0].digit(shift)] == from.len() {
        return false;
    }
    let mut next = 0;
    for place in &mut places {
        next += core::mem::replace(place, next);
    }
    scatter(from, to, shift, &mut places);
    true
}

fn counts<K: Key>(keys: &[K], shift: u32) -> [usize; PARTS] {
    let mut counts = [0; PARTS];
    for key in keys {
        counts[key.digit(shift)] += 1;
    }
    counts
}

fn scatter<K: Key>(from: &[K], to: &mut [K], shift: u32, places: &mut [usize; PARTS]) {
    for &key in from {
        let place = &mut places[key.digit(shift)];
        to[*place] = key;
        *place += 1;
    }
}

/// The bits that [`partition`] leaves to be sorted: those below this.
pub const fn below_leading<K: Key>() -> u32 {
    K::BITS - DIGIT
}

/// Moves keys to the order of their leading digit, keeping the order of those that share it, and gives how many have
/// each.
///
/// # Panics
/// If `to` is not as long as `keys`.
pub fn partition<K: Key>(keys: &[K], to: &mut [K]) -> [usize; PARTS] {
    assert_eq!(keys.len(), to.len(), "to");
    let shift = below_leading::<K>();
    let counts = counts(keys, shift);
    let (mut places, mut next) = (counts, 0);
    for place in &mut places {
        next += core::mem::replace(place, next);
    }
    scatter(keys, to, shift, &mut places);
    counts
}

/// Moves the `k` smallest keys to the front, in order.
///
/// # Panics
/// If there are not as many.
pub fn smallest<K: Key>(keys: &mut [K], k: usize) {
    if k > 0 && k < keys.len() {
        keys.select_nth_unstable(k - 1);
    }
    keys[..k].sort_unstable();
}
