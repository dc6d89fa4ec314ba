//! Where a loader's random decisions come from: pure functions of the seed, the epoch and the sample.

use trueno_core::Philox;

/// What a random number is for. Each purpose has its own stream under the user's seed, so that none
/// repeats another, nor anything else that the seed is used for.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Purpose {
    Shuffle = u64::from_be_bytes(*b"\0shuffle"),
    Sample = u64::from_be_bytes(*b"\0\0sample"),
}

/// The stream of one purpose in one epoch.
fn stream(seed: u64, purpose: Purpose, epoch: u64) -> Philox {
    let [low, high, ..] = Philox::new(seed).stream(purpose as u64).block(epoch);
    Philox::new(u64::from(high) << 32 | u64::from(low))
}

/// The indices `0..len` in the order that the epoch visits them (Fisher-Yates).
pub(crate) fn shuffled(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = SampleRng::new(stream(seed, Purpose::Shuffle, epoch));
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        order.swap(last, rng.below(last + 1));
    }
    order
}

/// Random numbers for one visit to one sample: the same for a seed, an epoch and an index, whichever
/// worker makes the sample and whenever.
///
/// ```
/// use trueno_data::SampleRng;
///
/// let mut rng = SampleRng::for_sample(42, 0, 17);
/// let (shift, flip) = (rng.below(9), rng.chance(0.5));
/// let mut again = SampleRng::for_sample(42, 0, 17);
/// assert_eq!((shift, flip), (again.below(9), again.chance(0.5)));
/// ```
#[derive(Clone, Debug)]
pub struct SampleRng {
    stream: Philox,
    position: u64,
    words: [u32; 4],
    left: usize,
}

impl SampleRng {
    /// The numbers for sample `index` in an epoch of a loader with this seed.
    pub fn for_sample(seed: u64, epoch: u64, index: usize) -> Self {
        SampleRng::new(stream(seed, Purpose::Sample, epoch).stream(index as u64))
    }

    fn new(stream: Philox) -> Self {
        SampleRng { stream, position: 0, words: [0; 4], left: 0 }
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.left == 0 {
            self.words = self.stream.block(self.position);
            self.position += 1;
            self.left = self.words.len();
        }
        self.left -= 1;
        self.words[self.words.len() - 1 - self.left]
    }

    /// A whole number below `bound`, each as likely to within 2^-64 of `bound`.
    ///
    /// # Panics
    /// If `bound` is 0: there is no such number.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "SampleRng::below: no number is below 0");
        let bits = u64::from(self.next_u32()) << 32 | u64::from(self.next_u32());
        ((u128::from(bits) * bound as u128) >> 64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        Philox::unit_f32(self.next_u32())
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_the_seed_and_the_epoch_decide() {
        let first = shuffled(1000, 1, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..1000));
        assert_eq!(first, shuffled(1000, 1, 0));
        assert_ne!(first, shuffled(1000, 1, 1));
        assert_ne!(first, shuffled(1000, 2, 0));
        assert_eq!(shuffled(0, 1, 0), []);
    }

    /// 24 orders of four, 24,000 draws: each expected 1,000 times, standard deviation 31.
    #[test]
    fn every_permutation_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            *counts.entry(shuffled(4, 7, epoch)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn samples_do_not_share_numbers() {
        let draw = |seed, epoch, index| SampleRng::for_sample(seed, epoch, index).next_u32();
        let draws = [draw(0, 0, 0), draw(0, 0, 1), draw(0, 1, 0), draw(1, 0, 0)];
        for (position, value) in draws.iter().enumerate() {
            assert!(!draws[..position].contains(value));
        }
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut rng = SampleRng::for_sample(3, 0, 0);
        for _ in 0..1000 {
            assert!(rng.below(3) < 3);
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert!(!rng.chance(0.0) && rng.chance(1.0));
        assert_eq!(rng.below(1), 0);
    }
}
