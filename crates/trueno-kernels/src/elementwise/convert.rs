//! Casts between all element types.

use core::slice;

use trueno_core::{DType, Element, bf16, dispatch_dtype, f16};

use super::half;
use crate::Isa;
use crate::simd::kernel;

/// `out[i]` is `x[i]` in another type.
///
/// Floats round to nearest even; a float truncates and saturates on its way to an integer, and NaN becomes 0; integers
/// wrap (NumPy's `astype`); `bool` is whether the value differs from 0.
///
/// ```
/// use trueno_kernels::{Isa, elementwise::convert};
/// let mut bytes = [0_u8; 3];
/// convert(Isa::best(), &[1_i64, -1, 300], &mut bytes);
/// assert_eq!(bytes, [1, 255, 44]);
/// ```
///
/// # Panics
/// If the slices differ in length.
pub fn convert<A: Element, B: Element>(isa: Isa, x: &[A], out: &mut [B]) {
    assert_eq!(x.len(), out.len(), "a cast keeps the number of elements");
    // SAFETY: the pointers are those of slices of these types and this length.
    unsafe { convert_erased(isa, (A::DTYPE, x.as_ptr().cast()), (B::DTYPE, out.as_mut_ptr().cast()), x.len()) }
}

/// [`convert`] without type parameters, so that every pair of types is compiled here.
///
/// # Safety
/// The pointers must be those of a slice and a disjoint mutable slice of the types named, of `length` elements.
unsafe fn convert_erased(isa: Isa, from: (DType, *const ()), to: (DType, *mut ()), length: usize) {
    dispatch_dtype!(from.0, all A => dispatch_dtype!(to.0, all B => {
        // SAFETY: each data type names one Rust type, and the caller vouches for memory and length.
        let (x, out) = unsafe {
            (slice::from_raw_parts(from.1.cast::<A>(), length), slice::from_raw_parts_mut(to.1.cast::<B>(), length))
        };
        A::cast_slice(isa, x, out);
    }));
}

/// A type whose slices convert to `B`.
trait Cast<B>: Sized {
    fn cast_slice(isa: Isa, x: &[Self], out: &mut [B]);
}

/// Casts that are an expression of the element.
macro_rules! cast {
    ($($from:ty => $to:ty: $x:ident => $value:expr;)*) => {$(
        impl Cast<$to> for $from {
            fn cast_slice(_: Isa, x: &[$from], out: &mut [$to]) {
                for (out, &$x) in out.iter_mut().zip(x) {
                    *out = $value;
                }
            }
        }
    )*};
}

/// As [`cast!`], in loops that the compiler vectorises for each instruction set.
macro_rules! vector_cast {
    ($($from:ty => $to:ty: $x:ident => $value:expr;)*) => {$(
        impl Cast<$to> for $from {
            fn cast_slice(isa: Isa, x: &[$from], out: &mut [$to]) {
                kernel! {
                    /// Casts element by element.
                    fn cast_all(_simd: S, x: &[$from], out: &mut [$to]) {
                        for (out, &$x) in out.iter_mut().zip(x) {
                            *out = $value;
                        }
                    }
                }
                cast_all(isa, x, out);
            }
        }
    )*};
}

/// Elements that are looked at before they are cast.
const BLOCK: usize = 64;

/// Casts of floats to integers. Machines have an instruction for what fits; a block that holds anything else goes element by element.
macro_rules! truncating_cast {
    ($($from:ty => $($to:ty),*;)*) => {$($(
        impl Cast<$to> for $from {
            fn cast_slice(isa: Isa, x: &[$from], out: &mut [$to]) {
                kernel! {
                    /// Casts block by block.
                    fn cast_all(_simd: S, x: &[$from], out: &mut [$to]) {
                        // The largest may be rounded up, to the first number that does not fit.
                        let (least, end) = (<$to>::MIN as $from, <$to>::MAX as $from);
                        for (x, out) in x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
                            let fits = x.iter().fold(true, |fits, &x| fits & (x >= least) & (x < end));
                            if !fits {
                                out.iter_mut().zip(x).for_each(|(out, &x)| *out = x as $to);
                                continue;
                            }
                            for (out, &x) in out.iter_mut().zip(x) {
                                // SAFETY: each is at least the least number of the type and below the largest, or below the number
                                // after that, and so is what is left without the fraction; NaN would have compared as false.
                                *out = unsafe { x.to_int_unchecked() };
                            }
                        }
                    }
                }
                cast_all(isa, x, out);
            }
        }
    )*)*};
}
truncating_cast! {
    f32 => u8, i8, i32, u32, i64;
    f64 => u8, i8, i32, u32, i64;
}

/// What all types of numbers have in common.
macro_rules! common {
    ($($from:ty),*) => {$(
        vector_cast! {
            $from => bool: x => x != 0 as $from;
            $from => f64: x => x as f64;
            bool => $from: x => u8::from(x) as $from;
        }
    )*};
}
common!(u8, i8, i32, u32, i64, f32, f64);

/// What integers have, besides.
macro_rules! integers {
    ($($from:ty),*) => {$(
        vector_cast! {
            $from => u8: x => x as u8;
            $from => i8: x => x as i8;
            $from => i32: x => x as i32;
            $from => u32: x => x as u32;
            $from => i64: x => x as i64;
            $from => f32: x => x as f32;
        }
    )*};
}
integers!(u8, i8, i32, u32, i64);

vector_cast! {
    f64 => f32: x => x as f32;
    f32 => f32: x => x;
}

/// From the halves by way of `f32`.
macro_rules! halves {
    ($($to:ty),*) => {
        cast! {$(
            f16 => $to: x => x.to_f32() as $to;
            bf16 => $to: x => x.to_f32() as $to;
        )*}
    };
}
halves!(u8, i8, i32, u32, i64, f64);

cast! {
    bool => bool: x => x;
    bool => f16: x => f16::from_f32(f32::from(u8::from(x)));
    bool => bf16: x => bf16::from_f32(f32::from(u8::from(x)));
    u8 => f16: x => f16::from_f32(f32::from(x));
    u8 => bf16: x => bf16::from_f32(f32::from(x));
    i8 => f16: x => f16::from_f32(f32::from(x));
    i8 => bf16: x => bf16::from_f32(f32::from(x));
    // Through `f64`, which holds the integers exactly, so that they are rounded once.
    i32 => f16: x => f16::from_f64(f64::from(x));
    i32 => bf16: x => bf16::from_f64(f64::from(x));
    u32 => f16: x => f16::from_f64(f64::from(x));
    u32 => bf16: x => bf16::from_f64(f64::from(x));
    i64 => f16: x => f16::from_f64(x as f64);
    i64 => bf16: x => bf16::from_f64(x as f64);
    f64 => f16: x => f16::from_f64(x);
    f64 => bf16: x => bf16::from_f64(x);
    f16 => bool: x => x.to_f32() != 0.0;
    bf16 => bool: x => x.to_f32() != 0.0;
    f16 => f16: x => x;
    bf16 => bf16: x => x;
    f16 => bf16: x => bf16::from_f32(x.to_f32());
    bf16 => f16: x => f16::from_f32(x.to_f32());
}

/// Casts that have a kernel.
macro_rules! kernels {
    ($($from:ty => $to:ty: $kernel:path;)*) => {$(
        impl Cast<$to> for $from {
            fn cast_slice(isa: Isa, x: &[$from], out: &mut [$to]) {
                $kernel(isa, x, out);
            }
        }
    )*};
}
kernels! {
    f32 => f16: half::f32_to_f16;
    f16 => f32: half::f16_to_f32;
    f32 => bf16: half::f32_to_bf16;
    bf16 => f32: half::bf16_to_f32;
}
