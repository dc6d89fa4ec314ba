//! How elements of each type lie in device memory, as WGSL: declarations, loads and stores.
//!
//! Every shader computes in 32 bits. Narrow types are packed into words and unpacked where they are read, and those of 64
//! bits are pairs of words that can be moved, compared and cast, so that no driver needs a feature for them.

use trueno_core::math::wgsl::Scalar;
use trueno_core::{DType, Error, Result};

/// The type that a shader computes in for elements of `dtype`.
///
/// # Errors
/// [`Error::DType`], naming `op`, for types of 64 bits, which most GPUs have not.
pub(crate) fn scalar(op: &'static str, dtype: DType) -> Result<Scalar> {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => Ok(Scalar::F32),
        DType::I32 => Ok(Scalar::I32),
        DType::U32 | DType::U8 | DType::Bool => Ok(Scalar::U32),
        DType::F64 | DType::I64 => {
            let expected = "on a GPU it takes types of at most 32 bits; cast it first, or compute on the CPU".into();
            Err(Error::DType { op, got: dtype, expected })
        }
    }
}

/// The word of WGSL that four elements of `dtype` are.
fn vector_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "vec4<f32>",
        DType::I32 => "vec4<i32>",
        DType::U32 => "vec4<u32>",
        DType::F16 | DType::BF16 => "vec2<u32>",
        DType::Bool | DType::U8 => "u32",
        DType::F64 | DType::I64 => "Pairs",
    }
}

/// The word of WGSL that holds one element of `dtype`, or several.
fn word_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::I32 => "i32",
        DType::U32 | DType::F16 | DType::BF16 | DType::Bool | DType::U8 => "u32",
        DType::F64 | DType::I64 => "vec2<u32>",
    }
}

/// Whether an element is a pair of words.
pub(crate) fn is_pair(dtype: DType) -> bool {
    matches!(dtype, DType::F64 | DType::I64)
}

/// The type of WGSL that one element of `dtype` is once it is loaded.
pub(crate) fn element_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => "f32",
        DType::I32 => "i32",
        DType::U32 | DType::U8 | DType::Bool => "u32",
        DType::F64 | DType::I64 => "vec2<u32>",
    }
}

/// What makes four elements of `dtype` one value of WGSL, with members `x`, `y`, `z` and `w`.
pub(crate) fn four(dtype: DType) -> &'static str {
    if is_pair(dtype) { "Pairs" } else { "vec4" }
}

/// The type of WGSL that four elements of `dtype` are once they are loaded.
pub(crate) fn four_type(dtype: DType) -> String {
    if is_pair(dtype) { "Pairs".into() } else { format!("vec4<{}>", element_type(dtype)) }
}

/// Functions that unpack and pack half precision, rounding to nearest even where drivers may truncate.
pub(crate) const PACKING: &str = include_str!("storage.wgsl");

/// Functions on pairs of words; they use core's prelude.
pub(crate) const PAIRS: &str = include_str!("pairs.wgsl");

/// A read-only binding of `dtype` and a function `load_NAME`: of four elements at a vector's index, or of one at its own.
pub(crate) fn reader(binding: u32, name: &str, dtype: DType, vectors: bool) -> String {
    let (element, result, body) = if vectors {
        let body = match dtype {
            DType::F16 => format!("let w = {name}[i]; return vec4(unpack2x16float(w.x), unpack2x16float(w.y));"),
            DType::BF16 => format!("return unpack_bf16({name}[i]);"),
            DType::Bool | DType::U8 => format!("return (vec4({name}[i]) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u);"),
            DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => format!("return {name}[i];"),
        };
        (vector_type(dtype), four_type(dtype), body)
    } else {
        let body = match dtype {
            DType::F16 => format!("let w = unpack2x16float({name}[i >> 1u]); return select(w.x, w.y, (i & 1u) != 0u);"),
            DType::BF16 => format!("return bitcast<f32>(({name}[i >> 1u] >> ((i & 1u) * 16u)) << 16u);"),
            DType::Bool | DType::U8 => format!("return ({name}[i >> 2u] >> ((i & 3u) * 8u)) & 255u;"),
            DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => format!("return {name}[i];"),
        };
        (word_type(dtype), element_type(dtype).into(), body)
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;\n\
         fn load_{name}(i: u32) -> {result} {{ {body} }}\n"
    )
}

/// A binding of `dtype` to write, and a function `store_NAME` of four elements at a vector's index.
pub(crate) fn writer(binding: u32, name: &str, dtype: DType) -> String {
    let body = match dtype {
        DType::F16 => "vec2(pack_f16(v.x) | (pack_f16(v.y) << 16u), pack_f16(v.z) | (pack_f16(v.w) << 16u))",
        DType::BF16 => "vec2(pack_bf16(v.x) | (pack_bf16(v.y) << 16u), pack_bf16(v.z) | (pack_bf16(v.w) << 16u))",
        DType::Bool => "dot(vec4<u32>(v != vec4(0u)), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u))",
        DType::U8 => "dot(v & vec4(255u), vec4(1u, 1u << 8u, 1u << 16u, 1u << 24u))",
        DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 => "v",
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read_write> {name}: array<{}>;\n\
         fn store_{name}(i: u32, v: {}) {{ {name}[i] = {body}; }}\n",
        vector_type(dtype),
        four_type(dtype),
    )
}

/// A scalar parameter as the word that a shader reads.
pub(crate) fn word(scalar: Scalar, value: f64) -> u32 {
    match scalar {
        Scalar::F32 => (value as f32).to_bits(),
        Scalar::I32 => value as i32 as u32,
        Scalar::U32 => value as u32,
    }
}
