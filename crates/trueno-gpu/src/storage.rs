//! How elements of each type lie in device memory, as WGSL: declarations, loads and stores.
//!
//! Most shaders compute in 32 bits: narrow types are packed into words and unpacked where they are read, and those of 64 bits are
//! pairs of words that can be moved, compared and cast, so that no driver needs a feature for them. Kernels that compute in 64 bits
//! see the same memory as numbers.

use smallvec::{SmallVec, smallvec};
use trueno_core::math::wgsl::{PRELUDE, PRELUDE_F64, Scalar};
use trueno_core::{DType, Error, Result};

use crate::device::Device;
use crate::double;
use crate::memory::Buffer;
use crate::record::Immediates;
use crate::walk::slot;

/// The type that a shader computes in for elements of `dtype`.
pub(crate) fn scalar(dtype: DType) -> Scalar {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => Scalar::F32,
        DType::I32 | DType::I8 => Scalar::I32,
        DType::U32 | DType::U8 | DType::Bool => Scalar::U32,
        DType::I64 => Scalar::I64,
        DType::F64 => Scalar::F64,
    }
}

/// [`scalar`], on a device that computes in it.
///
/// # Errors
/// [`Error::DType`], naming `op` and the feature that is missing, for types of 64 bits where a device has no arithmetic for them.
pub(crate) fn computes(op: &'static str, dtype: DType, device: &Device) -> Result<Scalar> {
    let scalar = scalar(dtype);
    let capabilities = device.capabilities();
    let (missing, narrow) = match scalar {
        Scalar::I64 if !capabilities.i64 => ("SHADER_INT64", DType::I32),
        Scalar::F64 if !capabilities.f64 => ("SHADER_F64 with SHADER_INT64", DType::F32),
        Scalar::F32 | Scalar::I32 | Scalar::U32 | Scalar::I64 | Scalar::F64 => return Ok(scalar),
    };
    let expected = format!(
        "{} has no arithmetic of 64 bits (its feature {missing} is missing or off): cast it to {narrow}, or compute on the CPU",
        device.info()
    );
    Err(Error::DType { op, got: dtype, expected: expected.into() })
}

/// The functions that rows over a type need and WGSL lacks; in `f64` short of the elementary ones, which
/// [`double`](crate::double) adds.
pub(crate) fn prelude(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::F64 => PRELUDE_F64,
        Scalar::F32 | Scalar::I32 | Scalar::U32 | Scalar::I64 => PRELUDE,
    }
}

/// What templates over floats begin with: `Real`, the type that they compute in for elements of `dtype`, and the functions that
/// `text` calls.
pub(crate) fn reals(dtype: DType, text: &str) -> String {
    let scalar = scalar(dtype);
    let functions = if scalar == Scalar::F64 { double::prelude(text) } else { PRELUDE.into() };
    format!("alias Real = {};\n{functions}", scalar.name())
}

/// What a kernel of such a template, with `groups` for its number of workgroups, begins with if it calls elementary functions.
pub(crate) fn settle(dtype: DType) -> String {
    // Grids are flat, but that is the host's to know.
    if dtype == DType::F64 { "unknown_zero = groups.z - 1u;".into() } else { String::new() }
}

/// The type of sums and statistics of elements of a float type.
pub(crate) fn sums(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

/// The type of a value that a kernel over floats takes.
///
/// # Errors
/// [`Error::DType`], naming `op`, for integers, and for `float64` on a device that does not compute in it.
pub(crate) fn float(op: &'static str, buffer: &Buffer) -> Result<DType> {
    let dtype = buffer.dtype();
    if !dtype.is_float() {
        return Err(Error::DType { op, got: dtype, expected: "it takes floats; cast it first".into() });
    }
    computes(op, dtype, buffer.device()).map(|_| dtype)
}

/// A type in memory, and whether a kernel computes in it although it has 64 bits: then its elements are numbers, else pairs of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    dtype: DType,
    numbers: bool,
}

impl Format {
    /// As a kernel sees it that computes in the type itself, or what that is computed in.
    pub fn computed(dtype: DType) -> Self {
        Self::of(dtype, scalar(dtype))
    }

    /// As a kernel sees it that computes in `scalar`.
    pub fn of(dtype: DType, scalar: Scalar) -> Self {
        Self { dtype, numbers: scalar.is_wide() }
    }

    /// Whether an element is a pair of words.
    pub fn is_pair(self) -> bool {
        !self.numbers && is_pair(self.dtype)
    }
}

impl From<DType> for Format {
    fn from(dtype: DType) -> Self {
        Self { dtype, numbers: false }
    }
}

/// The word of WGSL that four elements are.
fn vector_type(format: Format) -> &'static str {
    match format.dtype {
        DType::F64 if format.numbers => "vec4<f64>",
        DType::I64 if format.numbers => "vec4<i64>",
        DType::F32 => "vec4<f32>",
        DType::I32 => "vec4<i32>",
        DType::U32 => "vec4<u32>",
        DType::F16 | DType::BF16 => "vec2<u32>",
        DType::Bool | DType::U8 | DType::I8 => "u32",
        DType::F64 | DType::I64 => "Pairs",
    }
}

/// The word of WGSL that holds one element, or several.
fn word_type(format: Format) -> &'static str {
    match format.dtype {
        DType::F64 if format.numbers => "f64",
        DType::I64 if format.numbers => "i64",
        DType::F32 => "f32",
        DType::I32 => "i32",
        DType::U32 | DType::F16 | DType::BF16 | DType::Bool | DType::U8 | DType::I8 => "u32",
        DType::F64 | DType::I64 => "vec2<u32>",
    }
}

/// Whether an element is a pair of words, where no kernel computes in it.
pub(crate) fn is_pair(dtype: DType) -> bool {
    matches!(dtype, DType::F64 | DType::I64)
}

/// The type of WGSL that one element is once it is loaded.
pub(crate) fn element_type(format: impl Into<Format>) -> &'static str {
    let format = format.into();
    match format.dtype {
        DType::F64 if format.numbers => "f64",
        DType::I64 if format.numbers => "i64",
        DType::F32 | DType::F16 | DType::BF16 => "f32",
        DType::I32 | DType::I8 => "i32",
        DType::U32 | DType::U8 | DType::Bool => "u32",
        DType::F64 | DType::I64 => "vec2<u32>",
    }
}

/// What makes four elements one value of WGSL, with members `x`, `y`, `z` and `w`.
pub(crate) fn four(format: impl Into<Format>) -> &'static str {
    if format.into().is_pair() { "Pairs" } else { "vec4" }
}

/// The type of WGSL that four elements are once they are loaded.
pub(crate) fn four_type(format: impl Into<Format>) -> String {
    let format = format.into();
    if format.is_pair() { "Pairs".into() } else { format!("vec4<{}>", element_type(format)) }
}

/// Functions that unpack and pack half precision, rounding to nearest even where drivers may truncate.
pub(crate) const PACKING: &str = include_str!("storage.wgsl");

/// Functions on pairs of words; they use core's prelude.
pub(crate) const PAIRS: &str = include_str!("pairs.wgsl");

/// A read-only binding and a function `load_NAME`: of four elements at a vector's index, or of one at its own.
pub(crate) fn reader(binding: u32, name: &str, format: impl Into<Format>, vectors: bool) -> String {
    let format = format.into();
    let (element, result, body) = if vectors {
        let body = match format.dtype {
            DType::F16 => format!("let w = {name}[i]; return vec4(unpack2x16float(w.x), unpack2x16float(w.y));"),
            DType::BF16 => format!("return unpack_bf16({name}[i]);"),
            DType::I8 => format!("return bitcast<vec4<i32>>(vec4({name}[i]) << vec4(24u, 16u, 8u, 0u)) >> vec4(24u);"),
            DType::Bool | DType::U8 => format!("return (vec4({name}[i]) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u);"),
            DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => format!("return {name}[i];"),
        };
        (vector_type(format), four_type(format), body)
    } else {
        let body = match format.dtype {
            DType::F16 => format!("let w = unpack2x16float({name}[i >> 1u]); return select(w.x, w.y, (i & 1u) != 0u);"),
            DType::BF16 => format!("return bitcast<f32>(({name}[i >> 1u] >> ((i & 1u) * 16u)) << 16u);"),
            DType::I8 => format!("return extractBits(bitcast<i32>({name}[i >> 2u]), (i & 3u) * 8u, 8u);"),
            DType::Bool | DType::U8 => format!("return ({name}[i >> 2u] >> ((i & 3u) * 8u)) & 255u;"),
            DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => format!("return {name}[i];"),
        };
        (word_type(format), element_type(format).into(), body)
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;\n\
         fn load_{name}(i: u32) -> {result} {{ {body} }}\n"
    )
}

/// A binding to write, and a function `store_NAME` of four elements at a vector's index.
pub(crate) fn writer(binding: u32, name: &str, format: impl Into<Format>) -> String {
    let format = format.into();
    let body = match format.dtype {
        DType::F16 => "vec2(pack_f16(v.x) | (pack_f16(v.y) << 16u), pack_f16(v.z) | (pack_f16(v.w) << 16u))",
        DType::BF16 => "vec2(pack_bf16(v.x) | (pack_bf16(v.y) << 16u), pack_bf16(v.z) | (pack_bf16(v.w) << 16u))",
        DType::Bool => "dot(vec4<u32>(v != vec4(0u)), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u))",
        DType::I8 => "dot(bitcast<vec4<u32>>(v) & vec4(255u), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u))",
        DType::U8 => "dot(v & vec4(255u), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u))",
        DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => "v",
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read_write> {name}: array<{}>;\n\
         fn store_{name}(i: u32, v: {}) {{ {name}[i] = {body}; }}\n",
        vector_type(format),
        four_type(format),
    )
}

/// A number as the words that a shader reads where it computes in `scalar`: one, or of 64 bits the lower and the upper.
pub(crate) fn words(scalar: Scalar, value: f64) -> SmallVec<[u32; 2]> {
    match scalar {
        Scalar::F32 => smallvec![(value as f32).to_bits()],
        Scalar::I32 => smallvec![value as i32 as u32],
        Scalar::U32 => smallvec![value as u32],
        Scalar::I64 => SmallVec::from_slice(&halves(value as i64 as u64)),
        Scalar::F64 => SmallVec::from_slice(&halves(value.to_bits())),
    }
}

/// The lower and the upper word.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// How many [`words`] there are.
pub(crate) fn words_of_scalar(scalar: Scalar) -> usize {
    if scalar.is_wide() { 2 } else { 1 }
}

/// Writes a number into the immediates from a slot on, as a kernel reads it that computes in `dtype`.
pub(crate) fn put_number(immediates: &mut Immediates, first: usize, dtype: DType, value: f64) {
    let words = words(scalar(dtype), value);
    immediates[first..first + words.len()].copy_from_slice(&words);
}

/// WGSL of the number whose [`words`] the immediates hold from a slot on.
pub(crate) fn number(scalar: Scalar, first: usize) -> String {
    let name = scalar.name();
    if scalar.is_wide() {
        format!("bitcast<{name}>(u64({}) | (u64({}) << 32u))", slot(first), slot(first + 1))
    } else {
        format!("bitcast<{name}>({})", slot(first))
    }
}
