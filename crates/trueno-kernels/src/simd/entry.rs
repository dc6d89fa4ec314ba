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
