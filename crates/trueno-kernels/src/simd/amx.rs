//! AMX: registers that hold whole tiles, of 16 rows of 64 bytes each, and instructions that multiply one by another.
//!
//! A tile of a left factor holds 16 of its rows, 16 words of 32 bits of each; one of a right factor 16 words of the summed axis, of 16 columns
//! each. A word is four 8-bit integers or two `bfloat16`, and a tile of sums is 16 x 16 words.

/// The proof that this machine has AMX, for 8-bit integers and for `bfloat16`, and that this process may use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

/// Rows of a tile, and words in a row of it.
pub(crate) const SIDE: usize = 16;

/// What words are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Signed integers, whose sums wrap.
    Bytes,
    /// `bfloat16`: sums of the first numbers of a tile's words and of the second ones are made apart, rounded to `f32` at each step,
    /// then added to the sum that was there.
    Halves,
}

/// The factors of up to two by two tiles of sums, and where those are.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux")),
    expect(dead_code, reason = "no other machine reads them")
)]
pub(crate) struct TileProduct {
    /// Tiles of the left factor, packed: for each 16 words of the summed axis [`SIDE`] words of the first 2 * [`SIDE`] rows.
    pub a: *const u8,
    /// Rows of 2 * [`SIDE`] words of the right factor, one for each word of the summed axis.
    pub b: *const u8,
    /// How many tiles the summed axis is long.
    pub depth: usize,
    /// Rows of 2 * [`SIDE`] sums.
    pub c: *mut u8,
    /// Bytes from each row of sums to the next.
    pub c_row: usize,
    /// Whether products are added to the sums that are there.
    pub accumulate: bool,
}

pub(crate) use machine::Tiles;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod machine {
    use super::{Amx, Numbers, SIDE, TileProduct};
    use core::arch::asm;
    use core::marker::PhantomData;
    use core::sync::atomic::{AtomicU8, Ordering};

    /// Bytes in a row of a tile.
    const ROW: usize = 64;

    impl Amx {
        /// The proof, if Linux lets this process have the registers, which it is asked for once.
        ///
        /// # Safety
        /// The machine must have AMX-TILE, AMX-INT8 and AMX-BF16.
        #[inline]
        pub unsafe fn permitted() -> Option<Amx> {
            const UNKNOWN: u8 = 0;
            const NO: u8 = 1;
            const YES: u8 = 2;
            static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
            // A race only repeats the question; the answer is the same.
            let mut answer = ANSWER.load(Ordering::Relaxed);
            if answer == UNKNOWN {
                answer = if ask_for_tiles() { YES } else { NO };
                ANSWER.store(answer, Ordering::Relaxed);
            }
            (answer == YES).then_some(Amx(()))
        }
    }

    /// Asks for the registers, on behalf of all threads of this process.
    #[cold]
    fn ask_for_tiles() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XTILEDATA: u64 = 18;
        let mut result = ARCH_PRCTL;
        // SAFETY: the call takes two numbers and touches no memory of ours; the kernel overwrites RCX and R11. Kernels that do not know it say
        // so by the result.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") result,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XTILEDATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        result == 0
    }

    /// What `LDTILECFG` reads: palette 1, and as many bytes in a row and rows of each tile as there can be.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        bytes_in_row: [u16; 16],
        rows: [u8; 16],
    }

    /// Whole tiles in all eight registers.
    static WHOLE_TILES: Configuration = {
        let (mut bytes_in_row, mut rows) = ([0; 16], [0; 16]);
        let mut tile = 0;
        while tile < 8 {
            (bytes_in_row[tile], rows[tile]) = (ROW as u16, SIDE as u8);
            tile += 1;
        }
        Configuration { palette: 1, start_row: 0, reserved: [0; 14], bytes_in_row, rows }
    };

    /// The registers of this thread, in use until this is dropped.
    pub struct Tiles(PhantomData<*const ()>);

    impl Amx {
        /// Takes the registers of this thread.
        ///
        /// # Safety
        /// They must not be taken already.
        #[inline]
        pub unsafe fn tiles(self) -> Tiles {
            // SAFETY: the token proves the instruction, and the table is one of 64 bytes as it reads. No compiled code uses the registers.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &WHOLE_TILES, options(nostack, readonly, preserves_flags)) };
            Tiles(PhantomData)
        }
    }

    impl Drop for Tiles {
        fn drop(&mut self) {
            // SAFETY: they were taken by an instruction of the same set. Left in use, they would be saved at each switch of threads.
            unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
        }
    }

    impl Tiles {
        /// Multiplies, for the first `ROWS` tiles of rows: one or two.
        ///
        /// # Safety
        /// The left factor must be readable for `depth` times two tiles, the right one for `depth * SIDE` rows, and the sums be
        /// writable (with `accumulate` readable too) in `ROWS * SIDE` rows.
        #[inline]
        pub unsafe fn multiply<const ROWS: usize>(&mut self, numbers: Numbers, product: TileProduct) {
            // SAFETY: the caller's promises are theirs.
            unsafe {
                match (numbers, ROWS) {
                    (Numbers::Bytes, 1) => bytes_one(product),
                    (Numbers::Bytes, _) => bytes_two(product),
                    (Numbers::Halves, 1) => halves_one(product),
                    (Numbers::Halves, _) => halves_two(product),
                }
            }
        }
    }

    /// Multiplies by one instruction, for the given tiles of rows: the register and place of its left factor, the two registers of its sums and
    /// their row.
    macro_rules! multiply {
        ($name:ident, $dot:literal, $([$a:literal, $at:literal, $left:literal, $right:literal, $sums:ident, $row:expr]),*) => {
            /// # Safety
            /// As [`Tiles::multiply`], and the registers must be configured.
            #[inline]
            unsafe fn $name(TileProduct { a, b, depth, c, c_row, accumulate }: TileProduct) {
                if depth == 0 && accumulate {
                    return;
                }
                // SAFETY: the caller vouches for what is read and written. All of the registers are configured as whole tiles.
                unsafe {
                    asm!(
                        "test {accumulate}, {accumulate}",
                        "jz 2f",
                        $(
                            concat!("tileloadd ", $left, ", [{", stringify!($sums), "} + {c_row}]"),
                            concat!("tileloadd ", $right, ", [{", stringify!($sums), "} + {c_row} + 64]"),
                        )*
                        "jmp 3f",
                        "2:",
                        $(concat!("tilezero ", $left), concat!("tilezero ", $right),)*
                        "3:",
                        "test {depth}, {depth}",
                        "jz 5f",
                        "4:",
                        "tileloadd tmm6, [{b} + {b_row}]",
                        "tileloadd tmm7, [{b} + {b_row} + 64]",
                        // The rows after these are on their way meanwhile: each is two lines.
                        ".irp line, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
                        "prefetcht0 [{b} + 2048 + 128 * \\line]",
                        "prefetcht0 [{b} + 2048 + 128 * \\line + 64]",
                        ".endr",
                        $(
                            concat!("tileloadd ", $a, ", [{a} + {a_row} + ", $at, "]"),
                            concat!($dot, " ", $left, ", ", $a, ", tmm6"),
                            concat!($dot, " ", $right, ", ", $a, ", tmm7"),
                        )*
                        "add {a}, 2048",
                        "add {b}, 2048",
                        "dec {depth}",
                        "jnz 4b",
                        "5:",
                        $(
                            concat!("tilestored [{", stringify!($sums), "} + {c_row}], ", $left),
                            concat!("tilestored [{", stringify!($sums), "} + {c_row} + 64], ", $right),
                        )*
                        a = inout(reg) a => _,
                        b = inout(reg) b => _,
                        depth = inout(reg) depth => _,
                        a_row = in(reg) ROW,
                        b_row = in(reg) 2 * ROW,
                        accumulate = in(reg) usize::from(accumulate),
                        c_row = in(reg) c_row,
                        $($sums = in(reg) c.wrapping_add($row * c_row),)*
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            }
        };
    }
    multiply!(bytes_one, "tdpbssd", ["tmm4", "0", "tmm0", "tmm1", upper, 0]);
    multiply!(halves_one, "tdpbf16ps", ["tmm4", "0", "tmm0", "tmm1", upper, 0]);
    multiply!(
        bytes_two,
        "tdpbssd",
        ["tmm4", "0", "tmm0", "tmm1", upper, 0],
        ["tmm5", "1024", "tmm2", "tmm3", lower, SIDE]
    );
    multiply!(
        halves_two,
        "tdpbf16ps",
        ["tmm4", "0", "tmm0", "tmm1", upper, 0],
        ["tmm5", "1024", "tmm2", "tmm3", lower, SIDE]
    );
}

/// What stands for it on machines that never have it: nobody gets the proof, so nothing is called.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod machine {
    use super::{Amx, Numbers, TileProduct};

    /// Registers that there are not.
    pub struct Tiles(());

    impl Amx {
        /// # Safety
        /// None.
        #[inline]
        pub unsafe fn permitted() -> Option<Amx> {
            None
        }

        /// # Safety
        /// None.
        pub unsafe fn tiles(self) -> Tiles {
            let Amx(nothing) = self;
            Tiles(nothing)
        }
    }

    impl Tiles {
        /// # Safety
        /// None.
        pub unsafe fn multiply<const ROWS: usize>(&mut self, numbers: Numbers, _: TileProduct) {
            unreachable!("no machine of this kind multiplies tiles of {numbers:?}: {:?}", self.0)
        }
    }
}
