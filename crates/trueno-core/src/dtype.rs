//! The element types: a tag for the erased engine ([`DType`]) and the traits that bring a Rust type to it.

use core::fmt::{self, Debug, Display};
use half::{bf16, f16};

/// The type of a tensor's elements, as a value.
///
/// Names print as NumPy prints them (`float32`, `int64`, `bool`, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer: what weights and activations are quantised to.
    I8,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 64-bit integer: the type of indices and labels.
    I64,
    /// IEEE 754 half precision.
    F16,
    /// bfloat16: the upper half of an `f32`.
    BF16,
    /// IEEE 754 single precision: the default.
    F32,
    /// IEEE 754 double precision.
    F64,
}

impl DType {
    /// Every data type, in declaration order.
    pub const ALL: [DType; 10] = [
        DType::Bool,
        DType::U8,
        DType::I8,
        DType::I32,
        DType::U32,
        DType::I64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 | DType::I8 => 1,
            DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// True for the floating-point types, which are those that gradients flow through.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// The name NumPy gives this type (`bfloat16` is PyTorch's).
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "uint8",
            DType::I8 => "int8",
            DType::I32 => "int32",
            DType::U32 => "uint32",
            DType::I64 => "int64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }
}

impl Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that can be an element of a tensor. Sealed: [`DType`] names every implementor.
pub trait Element:
    sealed::Sealed
    + bytemuck::NoUninit
    + bytemuck::CheckedBitPattern
    + Default
    + Debug
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Unpin
{
    /// What sums and products of this type are: the type itself for floats, `i64` for the rest (as in NumPy).
    type Sum: Number;
    /// The tag of this type.
    const DTYPE: DType;
    /// The value as `f64` (exact but for `i64` beyond 2^53). `true` is 1.
    fn to_f64(self) -> f64;
    /// The nearest value of this type; floats round to nearest even, integers truncate and
    /// saturate as Rust's `as` does, `bool` is `value != 0`.
    fn from_f64(value: f64) -> Self;
}

/// An element that carries a sign and a magnitude: every type but `bool`.
pub trait Number: Element {}

/// A floating-point element.
pub trait Float: Number + Element<Sum = Self> {}

macro_rules! element {
    ($($t:ty => $tag:ident, $sum:ty, $to:expr, $from:expr $(, $marker:ident)*;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            type Sum = $sum;
            const DTYPE: DType = DType::$tag;
            #[inline(always)]
            fn to_f64(self) -> f64 { ($to)(self) }
            #[inline(always)]
            fn from_f64(value: f64) -> Self { ($from)(value) }
        }
        $(impl $marker for $t {})*
    )*};
}

element! {
    bool => Bool, i64,  |v: bool| v as u8 as f64, |v: f64| v != 0.0;
    u8   => U8,   i64,  |v: u8| v as f64,         |v: f64| v as u8, Number;
    i8   => I8,   i64,  |v: i8| v as f64,         |v: f64| v as i8, Number;
    i32  => I32,  i64,  |v: i32| v as f64,        |v: f64| v as i32, Number;
    u32  => U32,  i64,  |v: u32| v as f64,        |v: f64| v as u32, Number;
    i64  => I64,  i64,  |v: i64| v as f64,        |v: f64| v as i64, Number;
    f16  => F16,  f16,  f16::to_f64,              f16::from_f64, Number, Float;
    bf16 => BF16, bf16, bf16::to_f64,             bf16::from_f64, Number, Float;
    f32  => F32,  f32,  |v: f32| v as f64,        |v: f64| v as f32, Number, Float;
    f64  => F64,  f64,  |v: f64| v,               |v: f64| v, Number, Float;
}

/// Runs a block with a type alias bound to the element type that a [`DType`] names.
///
/// The first word picks the set of types; a tag outside the set runs the `else` block.
///
/// ```
/// use trueno_core::{DType, dispatch_dtype};
/// let size = dispatch_dtype!(DType::F64, all T => core::mem::size_of::<T>());
/// assert_eq!(size, 8);
/// let float = dispatch_dtype!(DType::I32, float T => T::from_f64(0.5).to_f64() == 0.5, else false);
/// assert!(!float);
/// # use trueno_core::Element;
/// ```
#[macro_export]
macro_rules! dispatch_dtype {
    ($dtype:expr, all $t:ident => $body:expr) => {
        $crate::dispatch_dtype!(@match $dtype, $t => $body;
            Bool bool, U8 u8, I8 i8, I32 i32, U32 u32, I64 i64, F16 $crate::f16, BF16 $crate::bf16, F32 f32, F64 f64;)
    };
    ($dtype:expr, float $t:ident => $body:expr, else $other:expr) => {
        $crate::dispatch_dtype!(@match $dtype, $t => $body; F16 $crate::f16, BF16 $crate::bf16, F32 f32, F64 f64;
            Bool U8 I8 I32 U32 I64 => $other)
    };
    ($dtype:expr, real $t:ident => $body:expr, else $other:expr) => {
        $crate::dispatch_dtype!(@match $dtype, $t => $body; F32 f32, F64 f64; Bool U8 I8 I32 U32 I64 F16 BF16 => $other)
    };
    ($dtype:expr, half $t:ident => $body:expr, else $other:expr) => {
        $crate::dispatch_dtype!(@match $dtype, $t => $body; F16 $crate::f16, BF16 $crate::bf16; Bool U8 I8 I32 U32 I64 F32 F64 => $other)
    };
    ($dtype:expr, int $t:ident => $body:expr, else $other:expr) => {
        $crate::dispatch_dtype!(@match $dtype, $t => $body; U8 u8, I8 i8, I32 i32, U32 u32, I64 i64;
            Bool F16 BF16 F32 F64 => $other)
    };
    (@match $dtype:expr, $t:ident => $body:expr; $($tag:ident $element:ty),+; $($($outside:ident)+ => $other:expr)?) => {
        match $dtype {
            $($crate::DType::$tag => {
                type $t = $element;
                $body
            })+
            $($($crate::DType::$outside)|+ => $other,)?
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_agree_with_the_rust_types() {
        for dtype in DType::ALL {
            let size = dispatch_dtype!(dtype, all T => core::mem::size_of::<T>());
            let tag = dispatch_dtype!(dtype, all T => <T as Element>::DTYPE);
            assert_eq!(size, dtype.size(), "{dtype}");
            assert_eq!(tag, dtype);
        }
    }

    #[test]
    fn values_round_trip_through_f64() {
        for dtype in DType::ALL {
            let one = dispatch_dtype!(dtype, all T => T::from_f64(1.0).to_f64());
            assert_eq!(one, 1.0, "{dtype}");
        }
        assert_eq!(u8::from_f64(-3.0), 0);
        assert_eq!([-200.0, -128.9, 127.9, 300.0].map(i8::from_f64), [-128, -128, 127, 127]);
        assert_eq!(i32::from_f64(2.9), 2);
        assert!(f32::from_f64(f64::NAN).is_nan());
    }
}
