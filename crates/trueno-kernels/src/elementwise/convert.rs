//! Casts between all element types.

use core::slice;

use trueno_core::{DType, Element, bf16, dispatch_dtype, f16};

use super::half;
use crate::Isa;

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

macro_rules! native {
    ($($from:ty),*) => {$(
        cast! {
            $from => bool: x => x != 0 as $from;
            $from => u8: x => x as u8;
            $from => i8: x => x as i8;
            $from => i32: x => x as i32;
            $from => u32: x => x as u32;
            $from => i64: x => x as i64;
            $from => f32: x => x as f32;
            $from => f64: x => x as f64;
            bool => $from: x => u8::from(x) as $from;
            f16 => $from: x => x.to_f32() as $from;
            bf16 => $from: x => x.to_f32() as $from;
        }
    )*};
}
native!(u8, i8, i32, u32, i64, f64);

/// `f32` has kernels for the halves, and the rest in common with the others.
macro_rules! single {
    ($($to:ty),*) => {
        cast! { $(f32 => $to: x => x as $to;)* }
    };
}
single!(u8, i8, i32, u32, i64, f32, f64);

cast! {
    f32 => bool: x => x != 0.0;
    bool => f32: x => f32::from(u8::from(x));
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
