//! Sorting by digits, from the lowest to the highest.
//!
//! A pass over one digit reads every key once and writes it once, so the time grows with the number of keys and not
//! with that times its logarithm, whatever they are, and equal keys keep their order.

use super::Key;

/// Bits of a digit.
const DIGIT: u32 = 11;
/// Values of a digit.
const VALUES: usize = 1 << DIGIT;
/// The bits of a digit.
pub(super) const MASK: u64 = VALUES as u64 - 1;
/// Fewer keys than this are compared: counting has a cost of its own.
const FEW: usize = 512;

/// Sorts keys whose bits below `low` are in order already, with `scratch` of the same length.
pub(super) fn sort<K: Key>(keys: &mut [K], scratch: &mut [K], low: u32) {
    if keys.len() < FEW {
        keys.sort_unstable();
        return;
    }
    let (mut from, mut to) = (&mut *keys, &mut *scratch);
    let mut moved = false;
    let mut shift = low;
    while shift < K::BITS {
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
    for &key in from {
        let place = &mut places[key.digit(shift)];
        to[*place] = key;
        *place += 1;
    }
    true
}

fn counts<K: Key>(keys: &[K], shift: u32) -> [usize; VALUES] {
    let mut counts = [0; VALUES];
    for key in keys {
        counts[key.digit(shift)] += 1;
    }
    counts
}
