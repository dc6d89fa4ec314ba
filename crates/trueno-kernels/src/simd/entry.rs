//! The one way into vector code.

#[cfg(target_arch = "aarch64")]
use super::Neon;
use super::Scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::Simd128;
#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512, Sse2};

/// A token of any instruction set: what `kernel!` branches on, once per call.
pub(crate) enum AnyToken {
    Scalar(Scalar),
    #[cfg(target_arch = "x86_64")]
    Sse2(Sse2),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128(Simd128),
}

/// Makes a kernel from a body that is generic over the token.
///
/// `fn name<T: Real>(simd: S, x: &[T]) -> T { .. }` becomes `fn name<T: Real>(isa: Isa, x: &[T]) -> T`, which
/// enters the body, inlined, through the `#[target_feature]` function of the level that `isa` proves. Whatever the body
/// calls with vectors must be `#[inline(always)]` (a test reads the sources for it) and no closure, for those
/// do not get the instruction set of the body.
///
/// `fn name<S: Dots>(simd: S, ..)` is a kernel of words of 8-bit integers, which has entries of its own where the machine multiplies
/// bytes; `fn name<S: PairDots>(simd: S, ..)` is one of pairs of `bfloat16`, which is entered where the machine multiplies them and else goes
/// one by one; `fn name<T: Unit, V>(simd, ..)` one of vectors `V` of units `T`, which are floats or such words or pairs.
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident <$generic:ident : Real>
        ($simd:ident : $token:ident $(, $arg:ident : $ty:ty)* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name <$generic: Real> (isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            $crate::simd::kernel! {
                #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
                fn generic<$generic: $crate::simd::Real>($simd: $token $(, $arg: $ty)*) $(-> $output)? $body
            }
            // The instances are made here and not in the crates that call them, which may be built without optimisation.
            let instance = match size_of::<$generic>() {
                4 => {
                    type $generic = f32;
                    $crate::simd::kernel!(@instance generic::<$generic>, (isa $(, $arg: $ty)*) $(-> $output)?)
                }
                _ => {
                    type $generic = f64;
                    $crate::simd::kernel!(@instance generic::<$generic>, (isa $(, $arg: $ty)*) $(-> $output)?)
                }
            };
            // SAFETY: `Real` is sealed and has the two types above, told apart by their size; so this is the type of the instance.
            let instance: fn($crate::Isa $(, $ty)*) $(-> $output)? = unsafe { core::mem::transmute(instance) };
            instance(isa $(, $arg)*)
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident <$generic:ident : Unit, $vector:ident>
        ($simd:ident $(, $arg:ident : $ty:ty)* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name <$generic: $crate::matmul::Unit> (isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
            #[inline(always)]
            fn product<$vector: $crate::matmul::ProductVector<Elem = $generic>, $generic: $crate::matmul::Unit>(
                $simd: $vector::Token $(, $arg: $ty)*
            ) $(-> $output)? $body

            let instance = match $generic::KIND {
                $crate::matmul::Kind::Single => {
                    type $generic = f32;
                    $crate::simd::kernel!(@floats product, $generic, ($($arg: $ty),*) $(-> $output)?)
                }
                $crate::matmul::Kind::Double => {
                    type $generic = f64;
                    $crate::simd::kernel!(@floats product, $generic, ($($arg: $ty),*) $(-> $output)?)
                }
                $crate::matmul::Kind::Word => {
                    type $generic = $crate::matmul::Word;
                    $crate::simd::kernel! {
                        fn words<S: Dots>(simd: S $(, $arg: $ty)*) $(-> $output)? {
                            product::<$crate::matmul::Words<S>, $generic>(simd $(, $arg)*)
                        }
                    }
                    words as *const ()
                }
                $crate::matmul::Kind::Pair => {
                    type $generic = $crate::matmul::Pair;
                    $crate::simd::kernel! {
                        fn pairs<S: PairDots>(simd: S $(, $arg: $ty)*) $(-> $output)? {
                            product::<$crate::matmul::Pairs<S>, $generic>(simd $(, $arg)*)
                        }
                    }
                    pairs as *const ()
                }
            };
            // SAFETY: `Unit` is sealed, and each of its types has its own `KIND`; so this is the type of the instance.
            let instance: fn($crate::Isa $(, $ty)*) $(-> $output)? = unsafe { core::mem::transmute(instance) };
            instance(isa $(, $arg)*)
        }
    };
    (@floats $product:ident, $generic:ident, ($($arg:ident : $ty:ty),*) $(-> $output:ty)?) => {{
        $crate::simd::kernel! {
            fn floats(simd: S $(, $arg: $ty)*) $(-> $output)? {
                $product::<<$generic as $crate::simd::Real>::Vector<S>, $generic>(simd $(, $arg)*)
            }
        }
        floats as *const ()
    }};
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident <$token:ident : Dots>
        ($simd:ident : $same:ident $(, $arg:ident : $ty:ty)* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
        $vis fn $name (isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
            #[inline(always)]
            fn words<$token: $crate::simd::Dots>($simd: $same $(, $arg: $ty)*) $(-> $output)? $body

            $crate::simd::kernel! {
                fn pairs(simd: S $(, $arg: $ty)*) $(-> $output)? {
                    words::<S>(simd $(, $arg)*)
                }
            }
            /// The body for one set of instructions that multiply bytes.
            #[cfg(target_arch = "x86_64")]
            macro_rules! bytes {
                ($entry:ident, $set:ident, $features:literal) => {
                    #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
                    #[target_feature(enable = $features)]
                    fn $entry(token: $crate::simd::$set $(, $arg: $ty)*) $(-> $output)? {
                        words::<$crate::simd::$set>(token $(, $arg)*)
                    }
                };
            }
            #[cfg(target_arch = "x86_64")]
            {
                bytes!(avx2, Avx2Vnni, "avx2,fma,f16c,avxvnni");
                bytes!(avx512, Avx512Vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni");
                match isa.byte_dots() {
                    // SAFETY: the token proves that the instructions are there.
                    Some($crate::simd::ByteDots::Avx2(token)) => return unsafe { avx2(token $(, $arg)*) },
                    // SAFETY: the token proves that the instructions are there.
                    Some($crate::simd::ByteDots::Avx512(token)) => return unsafe { avx512(token $(, $arg)*) },
                    None => {}
                }
            }
            pairs(isa $(, $arg)*)
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident <$token:ident : PairDots>
        ($simd:ident : $same:ident $(, $arg:ident : $ty:ty)* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
        $vis fn $name (isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
            #[inline(always)]
            fn halves<$token: $crate::simd::PairDots>($simd: $same $(, $arg: $ty)*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
                fn avx512(token: $crate::simd::Avx512Bf16 $(, $arg: $ty)*) $(-> $output)? {
                    halves::<$crate::simd::Avx512Bf16>(token $(, $arg)*)
                }
                if let Some(token) = isa.bf16_dots() {
                    // SAFETY: the token proves that the instructions are there.
                    return unsafe { avx512(token $(, $arg)*) };
                }
            }
            let _ = isa;
            halves::<$crate::simd::Scalar>($crate::simd::Scalar $(, $arg)*)
        }
    };
    (@instance $generic:expr, ($isa:ident $(, $arg:ident : $ty:ty)*) $(-> $output:ty)?) => {{
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel")]
        fn instance($isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            $generic($isa $(, $arg)*)
        }
        instance as *const ()
    }};
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<$($generic:ident : $bound:path),+>)?
        ($simd:ident : $token:ident $(, $arg:ident : $ty:ty)* $(,)?) $(-> $output:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name $(<$($generic: $bound),+>)? (isa: $crate::Isa $(, $arg: $ty)*) $(-> $output)? {
            #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
            #[inline(always)]
            fn body<$token: $crate::simd::Simd $($(, $generic: $bound)+)?>(
                $simd: $token $(, $arg: $ty)*
            ) $(-> $output)? $body

            /// The body for one instruction set.
            macro_rules! entry {
                ($entry:ident, $set:ident, $machine:meta, $features:literal) => {
                    #[cfg($machine)]
                    #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel and its token")]
                    #[target_feature(enable = $features)]
                    fn $entry $(<$($generic: $bound),+>)? (
                        token: $crate::simd::$set $(, $arg: $ty)*
                    ) $(-> $output)? {
                        body::<$crate::simd::$set $($(, $generic)+)?>(token $(, $arg)*)
                    }
                };
            }
            entry!(sse2, Sse2, target_arch = "x86_64", "sse2");
            entry!(avx2, Avx2, target_arch = "x86_64", "avx2,fma,f16c,popcnt,bmi1,bmi2");
            entry!(neon, Neon, target_arch = "aarch64", "neon");
            entry!(simd128, Simd128, all(target_arch = "wasm32", target_feature = "simd128"), "simd128");
            entry!(avx512, Avx512, target_arch = "x86_64", "avx2,fma,f16c,popcnt,bmi1,bmi2,avx512f,avx512bw,avx512dq,avx512vl");

            match isa.token() {
                $crate::simd::AnyToken::Scalar(token) => body::<_ $($(, $generic)+)?>(token $(, $arg)*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token proves that the instructions are there.
                $crate::simd::AnyToken::Sse2(token) => unsafe { sse2 $(::<$($generic),+>)? (token $(, $arg)*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token proves that the instructions are there.
                $crate::simd::AnyToken::Avx2(token) => unsafe { avx2 $(::<$($generic),+>)? (token $(, $arg)*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the token proves that the instructions are there.
                $crate::simd::AnyToken::Avx512(token) => unsafe { avx512 $(::<$($generic),+>)? (token $(, $arg)*) },
                #[cfg(target_arch = "aarch64")]
                // SAFETY: the token proves that the instructions are there.
                $crate::simd::AnyToken::Neon(token) => unsafe { neon $(::<$($generic),+>)? (token $(, $arg)*) },
                #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                $crate::simd::AnyToken::Simd128(token) => simd128 $(::<$($generic),+>)? (token $(, $arg)*),
            }
        }
    };
}
pub(crate) use kernel;
