//! The instruction set that kernels run with.

use std::sync::OnceLock;
use trueno_kernels::{Isa, Level};

/// The best level the machine has, or the one that `TRUENO_ISA` names (`scalar`, `sse2`, `avx2`, `avx512`, `neon`, `simd128`).
///
/// # Panics
/// If `TRUENO_ISA` names a level that does not exist or that the machine lacks: silently taking another
/// would make a test of that level worthless.
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| match std::env::var("TRUENO_ISA") {
        Err(_) => Isa::best(),
        Ok(name) => {
            let level = Level::ALL.iter().find(|level| level.name() == name.to_ascii_lowercase());
            let known = || Isa::available().map(|isa| isa.level().name()).collect::<Vec<_>>().join(", ");
            level
                .and_then(|&level| Isa::with_level(level))
                .unwrap_or_else(|| panic!("TRUENO_ISA={name}: this machine has {}", known()))
        }
    })
}
