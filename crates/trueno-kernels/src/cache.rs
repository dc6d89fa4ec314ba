//! How much cache a core can count on: what blocks are cut by.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of cache that one core can count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSizes {
    /// First level, data.
    pub l1: usize,
    /// Second level.
    pub l2: usize,
    /// This core's share of the last level.
    pub l3: usize,
    /// All of the last level, which cores share.
    pub last: usize,
    /// What is read over and over, in order, keeps up with arithmetic up to this size.
    pub streamed: usize,
}

impl Default for CacheSizes {
    /// What x86-64 and AArch64 cores of the last decade have at least: 32 KiB, 512 KiB, 2 MiB. The whole last level is what many
    /// have, so that nothing goes past one that was not found.
    fn default() -> Self {
        CacheSizes { l1: 32 << 10, l2: 512 << 10, l3: 2 << 20, last: 32 << 20, streamed: 256 << 10 }
    }
}

impl CacheSizes {
    /// The caches of this machine, or the default where it does not say. Asks the processor once.
    pub fn detected() -> CacheSizes {
        static L1: AtomicUsize = AtomicUsize::new(0);
        static L2: AtomicUsize = AtomicUsize::new(0);
        static L3: AtomicUsize = AtomicUsize::new(0);
        static LAST: AtomicUsize = AtomicUsize::new(0);
        static STREAMED: AtomicUsize = AtomicUsize::new(0);
        // The level that is stored last and read first says whether the others are there.
        let l1 = L1.load(Ordering::Acquire);
        if l1 != 0 {
            let [l2, l3, last, streamed] = [&L2, &L3, &LAST, &STREAMED].map(|size| size.load(Ordering::Relaxed));
            return CacheSizes { l1, l2, l3, last, streamed };
        }
        let sizes = detect().plausible();
        L2.store(sizes.l2, Ordering::Relaxed);
        L3.store(sizes.l3, Ordering::Relaxed);
        LAST.store(sizes.last, Ordering::Relaxed);
        STREAMED.store(sizes.streamed, Ordering::Relaxed);
        L1.store(sizes.l1, Ordering::Release);
        sizes
    }

    /// Sizes that blocks can be cut by, whatever a hypervisor claims.
    fn plausible(self) -> CacheSizes {
        let least = CacheSizes::default();
        let l2 = self.l2.clamp(256 << 10, 8 << 20);
        CacheSizes {
            l1: self.l1.clamp(16 << 10, 256 << 10),
            l2,
            streamed: self.streamed.clamp(l2 / 2, 4 << 20),
            l3: self.l3.clamp(least.l3, 32 << 20),
            last: self.last.clamp(least.l3, 1 << 30),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> CacheSizes {
    CacheSizes::default()
}

/// Reads the leaf of deterministic cache parameters: 4 on Intel, its twin at 8000_001D on AMD.
#[cfg(target_arch = "x86_64")]
fn detect() -> CacheSizes {
    use core::arch::x86_64::{__cpuid, __cpuid_count};

    const AMD: u32 = 0x8000_001D;
    const DATA: u32 = 1;
    const UNIFIED: u32 = 3;
    let leaf = if __cpuid(0).eax >= 4 && __cpuid_count(4, 0).eax & 0x1F != 0 {
        4
    } else if __cpuid(0x8000_0000).eax >= AMD {
        AMD
    } else {
        return CacheSizes::default();
    };
    let mut sizes = CacheSizes::default();
    // There are four on the machines that have most; the bound is for hypervisors that never say "no more".
    for index in 0..8 {
        let cache = __cpuid_count(leaf, index);
        let (kind, level) = (cache.eax & 0x1F, cache.eax >> 5 & 7);
        if kind == 0 {
            break;
        }
        let field = |register: u32, low: u32, bits: u32| (register >> low & ((1 << bits) - 1)) as usize + 1;
        let [line, partitions, ways] = [field(cache.ebx, 0, 12), field(cache.ebx, 12, 10), field(cache.ebx, 22, 10)];
        let size = line * partitions * ways * (cache.ecx as usize + 1);
        match (level, kind) {
            (1, DATA) => sizes.l1 = size,
            (2, DATA | UNIFIED) => sizes.l2 = size,
            (3, DATA | UNIFIED) => (sizes.l3, sizes.last) = (size / field(cache.eax, 14, 12), size),
            _ => {}
        }
    }
    // Half of the second level, which leaves the rest to everything else. AMD's last level is near its cores, and feeds them as the second
    // does (a product of 1024 runs 4 % faster from there); Intel's is on the far side of a mesh.
    sizes.streamed = if leaf == AMD { sizes.l3 / 4 } else { sizes.l2 / 2 };
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_grow_and_the_answer_stays() {
        let first = CacheSizes::detected();
        assert_eq!(CacheSizes::detected(), first);
        assert!(first.l1 <= first.l2 && first.l1 >= 16 << 10, "{first:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_first_level_is_the_one_that_the_system_reports() {
        let Ok(text) = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index0/size") else { return };
        let kilobytes: usize = text.trim().trim_end_matches('K').parse().expect("a size in K");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(detect().l1, kilobytes << 10);
        }
    }

    #[test]
    fn claims_are_kept_within_reason() {
        let wild = CacheSizes { l1: 1, l2: usize::MAX, l3: 0, last: usize::MAX, streamed: 0 }.plausible();
        assert_eq!(wild, CacheSizes { l1: 16 << 10, l2: 8 << 20, l3: 2 << 20, last: 1 << 30, streamed: 4 << 20 });
    }
}
