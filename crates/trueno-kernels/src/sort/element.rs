//! Elements as keys of the same order.

use super::Key;

/// An element that has a key of the same order, and is what its key says.
pub trait Sortable: Copy + Send + Sync + 'static {
    /// The key: `u32`, or `i64` for what 32 bits do not hold.
    type Key: Key;
    /// Larger for larger elements. All NaN have the largest.
    fn key(self) -> Self::Key;
    /// Larger for smaller elements. All NaN have the smallest.
    fn reversed_key(self) -> Self::Key;
    /// The element of a key; a NaN may be another one.
    fn from_key(key: Self::Key) -> Self;
    /// The element of a reversed key.
    fn from_reversed_key(key: Self::Key) -> Self;
    /// The key as a number, equal for both zeros: what positions are sorted by. Of a key of 32 bits it is an `i32`.
    fn rank(self) -> i64;
}

macro_rules! integers {
    ($($t:ty: $key:ty, |$x:ident| $to:expr, |$k:ident| $from:expr, rank $rank:expr;)*) => {$(
        impl Sortable for $t {
            type Key = $key;

            #[inline(always)]
            fn key(self) -> $key {
                let $x = self;
                $to
            }

            #[inline(always)]
            fn reversed_key(self) -> $key {
                !self.key()
            }

            #[inline(always)]
            fn from_key($k: $key) -> $t {
                $from
            }

            #[inline(always)]
            fn from_reversed_key(key: $key) -> $t {
                <$t>::from_key(!key)
            }

            #[inline(always)]
            fn rank(self) -> i64 {
                let $x = self;
                $rank
            }
        }
    )*};
}

integers! {
    u8: u32, |x| u32::from(x), |k| k as u8, rank i64::from(x);
    u32: u32, |x| x, |k| k, rank i64::from(x) - (1 << 31);
    i32: u32, |x| x as u32 ^ (1 << 31), |k| (k ^ (1 << 31)) as i32, rank i64::from(x);
    i64: i64, |x| x, |k| k, rank x;
}

impl Sortable for f32 {
    type Key = u32;

    #[inline(always)]
    fn key(self) -> u32 {
        let bits = self.to_bits();
        // Negative numbers grow downwards: all their bits turn. Of the others only the sign does.
        let turn = ((bits as i32 >> 31) as u32) | (1 << 31);
        if self.is_nan() { u32::MAX } else { bits ^ turn }
    }

    #[inline(always)]
    fn reversed_key(self) -> u32 {
        !self.key()
    }

    #[inline(always)]
    fn from_key(key: u32) -> f32 {
        let turn = ((!key as i32 >> 31) as u32) | (1 << 31);
        f32::from_bits(key ^ turn)
    }

    #[inline(always)]
    fn from_reversed_key(key: u32) -> f32 {
        f32::from_key(!key)
    }

    #[inline(always)]
    fn rank(self) -> i64 {
        // Adding 0 makes a negative zero positive.
        i64::from((self + 0.0).key()) - (1 << 31)
    }
}

impl Sortable for f64 {
    type Key = i64;

    #[inline(always)]
    fn key(self) -> i64 {
        let bits = self.to_bits() as i64;
        let turn = ((bits >> 63) as u64 >> 1) as i64;
        if self.is_nan() { i64::MAX } else { bits ^ turn }
    }

    #[inline(always)]
    fn reversed_key(self) -> i64 {
        !self.key()
    }

    #[inline(always)]
    fn from_key(key: i64) -> f64 {
        let turn = ((key >> 63) as u64 >> 1) as i64;
        f64::from_bits((key ^ turn) as u64)
    }

    #[inline(always)]
    fn from_reversed_key(key: i64) -> f64 {
        f64::from_key(!key)
    }

    #[inline(always)]
    fn rank(self) -> i64 {
        (self + 0.0).key()
    }
}
