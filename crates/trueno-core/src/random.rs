//! Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//!
//! A draw is a pure function of a key and a position, so any thread, any backend and any restart
//! sees the same numbers without sharing state.

/// A stream of random numbers that can be read at any position.
///
/// ```
/// use trueno_core::Philox;
/// let stream = Philox::new(42);
/// assert_eq!(stream.block(7), Philox::new(42).block(7));
/// assert_ne!(stream.block(7), stream.block(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    stream: u64,
}

impl Philox {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Philox { key: [seed as u32, (seed >> 32) as u32], stream: 0 }
    }

    /// An independent stream under the same seed: the upper half of the counter.
    #[must_use]
    pub const fn stream(self, stream: u64) -> Self {
        Philox { stream, ..self }
    }

    /// The four words at a position.
    pub const fn block(&self, position: u64) -> [u32; 4] {
        let mut counter = [position as u32, (position >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        let mut key = self.key;
        let mut round = 0;
        while round < 10 {
            let low = counter[0] as u64 * 0xD251_1F53;
            let high = counter[2] as u64 * 0xCD9E_8D57;
            counter = [
                (high >> 32) as u32 ^ counter[1] ^ key[0],
                high as u32,
                (low >> 32) as u32 ^ counter[3] ^ key[1],
                low as u32,
            ];
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
            round += 1;
        }
        counter
    }

    /// Uniform in `[0, 1)` with 24 bits, from one word.
    #[inline(always)]
    pub fn unit_f32(word: u32) -> f32 {
        (word >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[0, 1)` with 53 bits, from two words.
    #[inline(always)]
    pub fn unit_f64(high: u32, low: u32) -> f64 {
        let bits = ((high as u64) << 32 | low as u64) >> 11;
        bits as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_reference_implementation() {
        assert_eq!(Philox::new(0).block(0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = Philox { key: [u32::MAX; 2], stream: u64::MAX };
        assert_eq!(ones.block(u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = Philox { key: [0xa409_3822, 0x299f_31d0], stream: 0x0370_7344_1319_8a2e };
        assert_eq!(pi.block(0x85a3_08d3_243f_6a88), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn unit_values_stay_below_one() {
        assert_eq!(Philox::unit_f32(0), 0.0);
        assert!(Philox::unit_f32(u32::MAX) < 1.0);
        assert!(Philox::unit_f64(u32::MAX, u32::MAX) < 1.0);
    }
}
