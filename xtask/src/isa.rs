//! Instruction sets: which levels this machine has, and the tests of everything that dispatches, once per level.

use std::fmt::{self, Display};

use anyhow::{Result, bail};

use crate::coverage::TestBuild;
use crate::report::Verdict;

/// A value of `TRUENO_ISA`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// No vector instructions.
    Scalar,
    /// What every x86-64 has.
    Sse2,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Sse2, Self::Avx2, Self::Avx512];

    /// Whether this machine can run it.
    #[cfg(target_arch = "x86_64")]
    pub fn available(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Self::Scalar | Self::Sse2 => true,
            Self::Avx2 => has!("avx2") && has!("fma") && has!("f16c"),
            Self::Avx512 => has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl"),
        }
    }

    /// Whether this machine can run it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn available(self) -> bool {
        self == Self::Scalar
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Sse2 => "sse2",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// The crate that picks instructions. The kernels' own tests are not run again: each of them goes through every level.
const DISPATCHING: &str = "trueno-tensor";

/// Runs the tests of the dispatching crate with `level` forced.
pub fn equivalence(build: &TestBuild, level: Level) -> Result<Verdict> {
    if !level.available() {
        return Ok(Verdict::skipped(format!("this machine has no {level}")));
    }
    let count = build.run(DISPATCHING, &[("TRUENO_ISA", &level.to_string())])?;
    if count == 0 {
        bail!("found no test binary of {DISPATCHING}: nothing was compared");
    }
    Ok(Verdict::Passed(format!("{count} test binaries")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_implies_those_below() {
        let available = Level::ALL.map(Level::available);
        assert!(available[0], "scalar is everywhere");
        assert!(available.is_sorted_by(|lower, higher| lower >= higher), "{available:?}");
    }
}
