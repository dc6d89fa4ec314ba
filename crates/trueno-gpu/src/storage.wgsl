// Four elements of 64 bits, the lower word first.
struct Pairs { x: vec2<u32>, y: vec2<u32>, z: vec2<u32>, w: vec2<u32> }

// Half precision in halves of words.

fn unpack_bf16(w: vec2<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4(w.x << 16u, w.x & 0xffff0000u, w.y << 16u, w.y & 0xffff0000u));
}

// The upper half of the bits, rounded to nearest even; NaN stays NaN.
fn pack_bf16(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
    return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}

// To nearest even, in integers: drivers may truncate, and may flush what is denormal.
fn pack_f16(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let sign = (bits >> 16u) & 0x8000u;
    let size = bits & 0x7fffffffu;
    if size >= 0x47800000u {
        // 65536 and above, infinity, NaN.
        return sign | select(0x7c00u, 0x7e00u, size > 0x7f800000u);
    }
    if size >= 0x38800000u {
        // Normal: the carry of rounding may go up into the exponent, and from 65520 on to infinity.
        let shifted = size - 0x38000000u;
        return sign | ((shifted + 0xfffu + ((shifted >> 13u) & 1u)) >> 13u);
    }
    if size < 0x33000000u {
        return sign;
    }
    // Denormal: the mantissa with its hidden bit, shifted to the unit 2^-24.
    let mantissa = (size & 0x7fffffu) | 0x800000u;
    let shift = 126u - (size >> 23u);
    let half = 1u << (shift - 1u);
    let kept = mantissa >> shift;
    let rest = mantissa & ((1u << shift) - 1u);
    let up = rest > half || (rest == half && (kept & 1u) != 0u);
    return sign | (kept + select(0u, 1u, up));
}
