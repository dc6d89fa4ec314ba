//! Cutting many keys into a few parts, of which each is smaller than the next.

use super::VectorKey;
use crate::Isa;
use crate::simd::KeyVector;

/// How many parts keys are cut into.
pub const WAYS: usize = 8;
/// How many keys the cuts are chosen from.
pub const SAMPLE: usize = 32 * WAYS;

/// Where keys are cut: a part has those that are greater than the splitter before it and not greater than the one after it.
///
/// ```
/// use trueno_kernels::{Isa, sort::{SAMPLE, Splitters, WAYS}};
///
/// let isa = Isa::best();
/// let keys: Vec<i32> = (0..1000).rev().collect();
/// let mut sample = [0; SAMPLE];
/// sample.iter_mut().enumerate().for_each(|(i, key)| *key = keys[i * 3]);
/// let splitters = Splitters::of(isa, &mut sample);
///
/// let mut counts = [0; WAYS];
/// splitters.count(isa, &keys, &mut counts);
/// let mut rest = &mut vec![0; 1000][..];
/// let mut parts = counts.map(|count| rest.split_off_mut(..count).unwrap());
/// splitters.spread(isa, &keys, &mut parts);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Splitters<K>([K; WAYS - 1]);

impl<K: VectorKey> Splitters<K> {
    /// Cuts that give parts of about the same size if the sample is like the rest of the keys.
    pub fn of(isa: Isa, sample: &mut [K; SAMPLE]) -> Self {
        super::sort(isa, sample, &mut [K::default(); SAMPLE], 0, |_| {});
        Splitters(core::array::from_fn(|i| sample[(i + 1) * SAMPLE / WAYS]))
    }

    /// Adds how many keys each part gets to `counts`.
    pub fn count(&self, isa: Isa, keys: &[K], counts: &mut [usize; WAYS]) {
        K::count(isa, keys, &self.0, counts);
    }

    /// Writes keys to the fronts of their parts, in the order in which they come, and moves the fronts behind them.
    ///
    /// # Panics
    /// If a part has no room for its keys.
    pub fn spread(&self, isa: Isa, keys: &[K], parts: &mut [&mut [K]; WAYS]) {
        K::spread(isa, keys, &self.0, parts);
    }
}

/// Adds how many keys each part gets to `counts`.
#[inline(always)]
pub(super) fn count<V: KeyVector>(
    token: V::Token,
    keys: &[V::Elem],
    splitters: &[V::Elem; WAYS - 1],
    counts: &mut [usize; WAYS],
) {
    let splitters = splitters.map(|key| V::splat(token, key));
    // How many keys are greater than each splitter.
    let mut greater = [0; WAYS - 1];
    let whole = keys.len() / V::LANES * V::LANES;
    let mut at = 0;
    while at < whole {
        // SAFETY: a whole vector of keys follows.
        add_greater(unsafe { V::load(token, keys.as_ptr().add(at)) }, V::ALL, &splitters, &mut greater);
        at += V::LANES;
    }
    let rest = keys.len() - whole;
    // SAFETY: as many keys follow.
    let vector = unsafe { V::load_partial(token, keys.as_ptr().add(whole), rest) };
    add_greater(vector, ((1_u64 << rest) - 1) as u32, &splitters, &mut greater);

    let mut not_less = keys.len();
    let mut i = 0;
    while i < WAYS {
        let beyond = if i + 1 < WAYS { greater[i] } else { 0 };
        counts[i] += not_less - beyond;
        not_less = beyond;
        i += 1;
    }
}

/// Adds how many of the lanes of `valid` are greater than each splitter.
#[inline(always)]
fn add_greater<V: KeyVector>(vector: V, valid: u32, splitters: &[V; WAYS - 1], greater: &mut [usize; WAYS - 1]) {
    let mut i = 0;
    while i < WAYS - 1 {
        greater[i] += (vector.greater(splitters[i]) & valid).count_ones() as usize;
        i += 1;
    }
}

/// Writes keys to the fronts of their parts and moves the fronts behind them.
///
/// # Panics
/// If a part has no room for its keys.
#[inline(always)]
pub(super) fn spread<V: KeyVector>(
    token: V::Token,
    keys: &[V::Elem],
    splitters: &[V::Elem; WAYS - 1],
    parts: &mut [&mut [V::Elem]; WAYS],
) {
    let splitters = splitters.map(|key| V::splat(token, key));
    let mut written = [0; WAYS];
    let whole = keys.len() / V::LANES * V::LANES;
    let mut at = 0;
    while at < whole {
        // SAFETY: a whole vector of keys follows.
        write(unsafe { V::load(token, keys.as_ptr().add(at)) }, V::ALL, &splitters, parts, &mut written);
        at += V::LANES;
    }
    let rest = keys.len() - whole;
    // SAFETY: as many keys follow.
    let vector = unsafe { V::load_partial(token, keys.as_ptr().add(whole), rest) };
    write(vector, ((1_u64 << rest) - 1) as u32, &splitters, parts, &mut written);
    let mut i = 0;
    while i < WAYS {
        parts[i] = &mut core::mem::take(&mut parts[i])[written[i]..];
        i += 1;
    }
}

/// Writes the lanes of `valid` to their parts, of which `written` keys are written.
#[inline(always)]
fn write<V: KeyVector>(
    vector: V,
    valid: u32,
    splitters: &[V; WAYS - 1],
    parts: &mut [&mut [V::Elem]; WAYS],
    written: &mut [usize; WAYS],
) {
    let mut left = valid;
    let mut i = 0;
    while i < WAYS {
        let beyond = if i + 1 < WAYS { vector.greater(splitters[i]) & left } else { 0 };
        let chosen = vector.compress(left ^ beyond);
        let count = (left ^ beyond).count_ones() as usize;
        let part = &mut *parts[i];
        // SAFETY: there is room for a vector, or, as is asserted, for the keys that are written.
        unsafe {
            let front = part.as_mut_ptr().add(written[i]);
            if written[i] + V::LANES <= part.len() {
                chosen.store(front);
            } else {
                assert!(written[i] + count <= part.len(), "a part has room for its keys");
                chosen.store_partial(front, count);
            }
        }
        written[i] += count;
        left = beyond;
        i += 1;
    }
}
