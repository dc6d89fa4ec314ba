//! Elements as numbers of the same order, for kernels that sort and choose.

use trueno_core::DType;

/// WGSL of a function `key` of a loaded element of at most 32 bits: larger for larger elements, and largest for all NaN. With
/// `zeros_equal` both zeros have one key.
pub(crate) fn key(dtype: DType, zeros_equal: bool) -> String {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => {
            // Negative numbers grow downwards: all their bits turn. Of the others only the sign does.
            let zero = if zeros_equal { "if (bits << 1u) == 0u { return 0x80000000u; }\n" } else { "" };
            format!(
                "fn key(x: f32) -> u32 {{\nlet bits = bitcast<u32>(x);\n{zero}\
                 if is_nan(x) {{ return 0xffffffffu; }}\n\
                 return bits ^ (bitcast<u32>(bitcast<i32>(bits) >> 31u) | 0x80000000u);\n}}\n"
            )
        }
        DType::I32 => "fn key(x: i32) -> u32 { return bitcast<u32>(x) ^ 0x80000000u; }\n".into(),
        // As narrow as the type, so that a sort by digits needs no more of them.
        DType::I8 => "fn key(x: i32) -> u32 { return bitcast<u32>(x + 128); }\n".into(),
        DType::U32 | DType::U8 | DType::Bool => "fn key(x: u32) -> u32 { return x; }\n".into(),
        DType::I64 | DType::F64 => pair_key(dtype, zeros_equal),
    }
}

/// The same for pairs of words.
fn pair_key(dtype: DType, zeros_equal: bool) -> String {
    let body = match (dtype, zeros_equal) {
        (DType::I64, _) => "return vec2(x.x, x.y ^ 0x80000000u);",
        (_, true) => {
            "if double_is_nan(x) { return vec2(0xffffffffu); }\n\
             let w = double_key(x);\nreturn vec2(w.x, w.y ^ 0x80000000u);"
        }
        (_, false) => {
            "if double_is_nan(x) { return vec2(0xffffffffu); }\n\
             let turn = bitcast<u32>(bitcast<i32>(x.y) >> 31u);\nreturn vec2(x.x ^ turn, x.y ^ (turn | 0x80000000u));"
        }
    };
    format!("fn key(x: vec2<u32>) -> vec2<u32> {{\n{body}\n}}\n")
}
