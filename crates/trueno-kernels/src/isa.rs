//! Which instruction sets the machine has, and the only way from there into vector code.

use core::fmt::{self, Display};
use core::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
use crate::simd::ByteDots;
use crate::simd::{self, Amx, AnyToken};

/// A family of instructions that kernels are compiled for, on each architecture from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// One lane, on any machine.
    Scalar = 1,
    /// 128-bit vectors that every x86-64 machine has.
    Sse2 = 2,
    /// 256-bit vectors with fused multiply-add: AVX2, FMA and F16C, and the bit counts that came with them or before, POPCNT and
    /// BMI.
    Avx2 = 3,
    /// 512-bit vectors with masks: AVX-512 F, BW, DQ and VL, on top of [`Level::Avx2`].
    Avx512 = 4,
    /// 128-bit vectors with fused multiply-add that every AArch64 machine has.
    Neon = 5,
    /// 128-bit vectors of WebAssembly, in builds for `wasm32` with the target feature `simd128`.
    Simd128 = 6,
}

impl Level {
    /// Every level of every architecture, on each from least to most.
    pub const ALL: [Level; 6] = [Level::Scalar, Level::Sse2, Level::Avx2, Level::Avx512, Level::Neon, Level::Simd128];

    /// Whether kernels are compiled for this level on this architecture.
    const fn is_compiled(self) -> bool {
        match self {
            Level::Scalar => true,
            Level::Sse2 | Level::Avx2 | Level::Avx512 => cfg!(target_arch = "x86_64"),
            Level::Neon => cfg!(target_arch = "aarch64"),
            Level::Simd128 => cfg!(all(target_arch = "wasm32", target_feature = "simd128")),
        }
    }

    /// Whether there are 32 vector registers to hold a tile, or 16 (or, on WebAssembly, no promise of more).
    pub(crate) const fn has_many_registers(self) -> bool {
        match self {
            Level::Scalar | Level::Sse2 | Level::Avx2 | Level::Simd128 => false,
            Level::Avx512 | Level::Neon => true,
        }
    }

    /// The name that `TRUENO_ISA` and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Sse2 => "sse2",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
            Level::Simd128 => "simd128",
        }
    }

    /// The level called `name`, in any case.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The proof that this machine has the instructions of one [`Level`], and perhaps those that multiply bytes, pairs of
/// `bfloat16`, or whole tiles of either, beside it.
///
/// ```
/// use trueno_kernels::Isa;
/// for isa in Isa::available() {
///     assert!(isa.level() <= Isa::best().level());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa {
    level: Level,
    byte_dots: bool,
    bf16_dots: bool,
    amx: bool,
}

/// What [`detect`] found.
#[derive(Clone, Copy)]
struct Machine {
    level: Level,
    /// Whether AVX2 and AVX-512 have instructions for products of bytes.
    vnni: [bool; 2],
    /// Whether AVX-512 has instructions for products of `bfloat16`.
    bf16: bool,
    /// Whether there are instructions for products of tiles, of bytes and of `bfloat16`.
    amx: bool,
}

impl Machine {
    /// What is asked for once.
    #[inline]
    fn detected() -> Machine {
        const LEVEL: u8 = 0x0F;
        const AMX: u8 = 0x10;
        const BF16: u8 = 0x20;
        const VNNI: [u8; 2] = [0x40, 0x80];
        static CACHED: AtomicU8 = AtomicU8::new(0);
        // A race only repeats the question; the answer is the same.
        let cached = CACHED.load(Ordering::Relaxed);
        match Level::ALL.into_iter().find(|&level| level as u8 == cached & LEVEL) {
            Some(level) => {
                let [bf16, amx] = [BF16, AMX].map(|bit| cached & bit != 0);
                Machine { level, vnni: VNNI.map(|bit| cached & bit != 0), bf16, amx }
            }
            None => {
                let machine = detect();
                let found = VNNI.into_iter().zip(machine.vnni).chain([(BF16, machine.bf16), (AMX, machine.amx)]);
                let bits = found.map(|(bit, is_there)| if is_there { bit } else { 0 });
                CACHED.store(bits.sum::<u8>() | machine.level as u8, Ordering::Relaxed);
                machine
            }
        }
    }

    /// The proof for a level that is not above that of the machine.
    fn isa(self, level: Level) -> Isa {
        let byte_dots = match level {
            Level::Avx2 => self.vnni[0],
            Level::Avx512 => self.vnni[1],
            Level::Scalar | Level::Sse2 | Level::Neon | Level::Simd128 => false,
        };
        let bf16_dots = level == Level::Avx512 && self.bf16;
        Isa { level, byte_dots, bf16_dots, amx: byte_dots && bf16_dots && self.amx }
    }
}

impl Isa {
    /// The highest level of this machine. Asks the processor once.
    #[inline]
    pub fn best() -> Isa {
        let machine = Machine::detected();
        machine.isa(machine.level)
    }

    /// The proof for `level`, or `None` where the machine (or this build) does not have it.
    pub fn with_level(level: Level) -> Option<Isa> {
        let machine = Machine::detected();
        (level.is_compiled() && level <= machine.level).then_some(machine.isa(level))
    }

    /// Every level of this machine, from least to most.
    pub fn available() -> impl Iterator<Item = Isa> {
        Level::ALL.into_iter().filter_map(Isa::with_level)
    }

    /// The level proved.
    #[inline]
    pub const fn level(self) -> Level {
        self.level
    }

    /// Whether products of 8-bit integers take instructions made for them: AVX512-VNNI or AVX-VNNI. They give the same sums.
    #[inline]
    pub const fn has_byte_dots(self) -> bool {
        self.byte_dots
    }

    /// The same level without the instructions of [`has_byte_dots`](Isa::has_byte_dots) and [`has_amx`](Isa::has_amx), to compare with.
    pub const fn without_byte_dots(self) -> Isa {
        Isa { byte_dots: false, amx: false, ..self }
    }

    /// Whether products of `bfloat16` take instructions made for them: AVX512-BF16.
    #[inline]
    pub const fn has_bf16_dots(self) -> bool {
        self.bf16_dots
    }

    /// The same level without the instructions of [`has_bf16_dots`](Isa::has_bf16_dots) and [`has_amx`](Isa::has_amx), to compare with.
    pub const fn without_bf16_dots(self) -> Isa {
        Isa { bf16_dots: false, amx: false, ..self }
    }

    /// Whether products of matrices of 8-bit integers and of `bfloat16` take instructions that multiply tiles of them: AMX, which comes with those
    /// of [`has_byte_dots`](Isa::has_byte_dots) and [`has_bf16_dots`](Isa::has_bf16_dots). Sums of `bfloat16` are rounded at other steps.
    ///
    /// The first call on a machine that has them asks Linux for the right of this process to use their registers; where it is refused, and on
    /// other systems, there are none.
    #[inline]
    pub fn has_amx(self) -> bool {
        self.amx().is_some()
    }

    /// The same level without the instructions of [`has_amx`](Isa::has_amx), to compare with.
    pub const fn without_amx(self) -> Isa {
        Isa { amx: false, ..self }
    }

    /// The token of the instructions that multiply tiles, if they are there.
    #[inline]
    pub(crate) fn amx(self) -> Option<Amx> {
        // SAFETY: an `Isa` has these only after `detect` found them.
        if self.amx { unsafe { Amx::permitted() } } else { None }
    }

    /// The token of the instructions that multiply pairs of `bfloat16`, if they are there.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn bf16_dots(self) -> Option<simd::Avx512Bf16> {
        match self.token() {
            // SAFETY: an `Isa` has these only after `detect` found AVX512-BF16.
            AnyToken::Avx512(base) if self.bf16_dots => Some(unsafe { simd::Avx512Bf16::assume(base) }),
            _ => None,
        }
    }

    /// The token of the instructions that multiply bytes, if they are there.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn byte_dots(self) -> Option<ByteDots> {
        if !self.byte_dots {
            return None;
        }
        match self.token() {
            // SAFETY: an `Isa` of this level has byte dots only after `detect` found AVX-VNNI.
            AnyToken::Avx2(base) => Some(ByteDots::Avx2(unsafe { simd::Avx2Vnni::assume(base) })),
            // SAFETY: an `Isa` of this level has byte dots only after `detect` found AVX512-VNNI.
            AnyToken::Avx512(base) => Some(ByteDots::Avx512(unsafe { simd::Avx512Vnni::assume(base) })),
            AnyToken::Scalar(_) | AnyToken::Sse2(_) => None,
        }
    }

    /// The token that kernels of this level take.
    #[inline]
    pub(crate) fn token(self) -> AnyToken {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of this level is only made after `detect` found the level or a higher one.
            Level::Sse2 => AnyToken::Sse2(unsafe { simd::Sse2::assume() }),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx2 => AnyToken::Avx2(unsafe { simd::Avx2::assume() }),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512 => AnyToken::Avx512(unsafe { simd::Avx512::assume() }),
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Level::Neon => AnyToken::Neon(unsafe { simd::Neon::assume() }),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            // SAFETY: as above.
            Level::Simd128 => AnyToken::Simd128(unsafe { simd::Simd128::assume() }),
            // The levels of other architectures are never made.
            _ => AnyToken::Scalar(simd::Scalar),
        }
    }
}

/// What every machine of the architecture has, and nothing where kernels know no instructions of it.
#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Machine {
    let level = if Level::Neon.is_compiled() {
        Level::Neon
    } else if Level::Simd128.is_compiled() {
        Level::Simd128
    } else {
        Level::Scalar
    };
    Machine { level, vnni: [false; 2], bf16: false, amx: false }
}

/// Asks the processor what it has and the operating system which registers it saves.
#[cfg(target_arch = "x86_64")]
fn detect() -> Machine {
    use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    #[target_feature(enable = "xsave")]
    fn saved_registers() -> u64 {
        // SAFETY: the feature is enabled here, and register 0 exists wherever XGETBV does.
        unsafe { _xgetbv(0) }
    }

    const fn bits(positions: &[u32]) -> u32 {
        let (mut mask, mut i) = (0, 0);
        while i < positions.len() {
            mask |= 1 << positions[i];
            i += 1;
        }
        mask
    }
    const FMA_POPCNT_OSXSAVE_AVX_F16C: u32 = bits(&[12, 23, 27, 28, 29]);
    const BMI1_AVX2_BMI2: u32 = bits(&[3, 5, 8]);
    const AVX512_F_DQ_BW_VL: u32 = bits(&[16, 17, 30, 31]);
    const AVX512_VNNI: u32 = bits(&[11]);
    const AVX_VNNI: u32 = bits(&[4]);
    const AVX512_BF16: u32 = bits(&[5]);
    const AMX_BF16_TILE_INT8: u32 = bits(&[22, 24, 25]);
    const XMM_YMM: u64 = 0b110;
    const OPMASK_ZMM: u64 = 0b1110_0000;
    const TILES: u64 = 0b11 << 17;

    let features = __cpuid(1).ecx;
    if __cpuid(0).eax < 7 || features & FMA_POPCNT_OSXSAVE_AVX_F16C != FMA_POPCNT_OSXSAVE_AVX_F16C {
        return Machine { level: Level::Sse2, vnni: [false; 2], bf16: false, amx: false };
    }
    let (leaf, next) = (__cpuid_count(7, 0), __cpuid_count(7, 1));
    let extended = leaf.ebx;
    // The second part of the leaf is there if the first says so.
    let [avx_vnni, bf16] = [AVX_VNNI, AVX512_BF16].map(|bit| leaf.eax >= 1 && next.eax & bit != 0);
    // SAFETY: OSXSAVE says that XGETBV exists and is allowed.
    let saved = unsafe { saved_registers() };
    if saved & XMM_YMM != XMM_YMM || extended & BMI1_AVX2_BMI2 != BMI1_AVX2_BMI2 {
        return Machine { level: Level::Sse2, vnni: [false; 2], bf16: false, amx: false };
    }
    if saved & OPMASK_ZMM != OPMASK_ZMM || extended & AVX512_F_DQ_BW_VL != AVX512_F_DQ_BW_VL {
        return Machine { level: Level::Avx2, vnni: [avx_vnni, false], bf16: false, amx: false };
    }
    let amx = saved & TILES == TILES && leaf.edx & AMX_BF16_TILE_INT8 == AMX_BF16_TILE_INT8;
    Machine { level: Level::Avx512, vnni: [avx_vnni, leaf.ecx & AVX512_VNNI != 0], bf16, amx }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn detection_agrees_with_the_standard_library() {
        let avx2 = std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("fma")
            && std::is_x86_feature_detected!("f16c")
            && std::is_x86_feature_detected!("popcnt")
            && std::is_x86_feature_detected!("bmi1")
            && std::is_x86_feature_detected!("bmi2");
        let avx512 = avx2
            && std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl");
        let want = match (avx2, avx512) {
            (_, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            (false, false) => Level::Sse2,
        };
        assert_eq!(Isa::best().level(), want);
        for (level, want) in [
            (Level::Scalar, false),
            (Level::Sse2, false),
            (Level::Avx2, std::is_x86_feature_detected!("avxvnni")),
            (Level::Avx512, std::is_x86_feature_detected!("avx512vnni")),
        ] {
            if let Some(isa) = Isa::with_level(level) {
                assert_eq!((isa.has_byte_dots(), isa.byte_dots().is_some()), (want, want), "{level}");
                assert!(isa.without_byte_dots().byte_dots().is_none());
            }
        }
        for isa in Isa::available() {
            let want = isa.level() == Level::Avx512 && std::is_x86_feature_detected!("avx512bf16");
            assert_eq!((isa.has_bf16_dots(), isa.bf16_dots().is_some()), (want, want), "{}", isa.level());
            assert!(isa.without_bf16_dots().bf16_dots().is_none());
            assert!(!isa.has_amx() || (isa.has_bf16_dots() && isa.has_byte_dots()));
            for other in [isa.without_amx(), isa.without_byte_dots(), isa.without_bf16_dots()] {
                assert!(!other.has_amx());
            }
            assert_eq!(isa.without_bf16_dots().has_byte_dots(), isa.has_byte_dots());
        }
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
    fn tiles_are_there_where_linux_lists_them() {
        let machine = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let listed = ["amx_tile", "amx_int8", "amx_bf16"]
            .iter()
            .all(|name| machine.split_whitespace().any(|word| word == *name));
        for isa in Isa::available() {
            let beside = isa.has_byte_dots() && isa.has_bf16_dots();
            assert_eq!(isa.has_amx(), listed && beside, "{}", isa.level());
        }
    }

    #[test]
    fn levels_have_names_that_read_back() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert_eq!(Level::from_name("AVX2"), Some(Level::Avx2));
        assert_eq!(Level::from_name("mmx"), None);
    }

    #[test]
    fn available_levels_are_all_up_to_the_best() {
        let levels: std::vec::Vec<_> = Isa::available().map(Isa::level).collect();
        assert_eq!(levels.first(), Some(&Level::Scalar));
        assert_eq!(levels.last(), Some(&Isa::best().level()));
    }
}
