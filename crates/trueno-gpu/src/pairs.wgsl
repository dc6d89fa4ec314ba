// Types of 64 bits as pairs of words, the lower one first: integers in two's complement, floats by their bits.

fn pair_shl(w: vec2<u32>, n: u32) -> vec2<u32> {
    if n == 0u { return w; }
    if n >= 64u { return vec2(0u); }
    if n >= 32u { return vec2(0u, w.x << (n - 32u)); }
    return vec2(w.x << n, (w.y << n) | (w.x >> (32u - n)));
}

fn pair_shr(w: vec2<u32>, n: u32) -> vec2<u32> {
    if n == 0u { return w; }
    if n >= 64u { return vec2(0u); }
    if n >= 32u { return vec2(w.y >> (n - 32u), 0u); }
    return vec2((w.x >> n) | (w.y << (32u - n)), w.y >> n);
}

fn pair_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + u32(low < a.x));
}

fn pair_negative(w: vec2<u32>) -> vec2<u32> {
    return pair_add(~w, vec2(1u, 0u));
}

fn pair_magnitude(w: vec2<u32>) -> vec2<u32> {
    if (w.y >> 31u) != 0u { return pair_negative(w); }
    return w;
}

// The number of the highest bit that is set; there must be one.
fn pair_top(w: vec2<u32>) -> u32 {
    if w.y != 0u { return 32u + firstLeadingBit(w.y); }
    return firstLeadingBit(w.x);
}

// m / 2^n, to nearest even; or with `odd` cut off, its last bit then standing for whatever was lost, so that it can be
// rounded once more.
fn pair_rounded(m: vec2<u32>, n: u32, odd: bool) -> vec2<u32> {
    if n == 0u { return m; }
    let kept = pair_shr(m, n);
    let lost = pair_shl(m, 64u - n);
    if odd {
        return vec2(kept.x | u32((lost.x | lost.y) != 0u), kept.y);
    }
    let tie = lost.y == 0x80000000u && lost.x == 0u;
    let up = lost.y >= 0x80000000u && (!tie || (kept.x & 1u) != 0u);
    return pair_add(kept, vec2(u32(up), 0u));
}

fn integer_of_i32(x: i32) -> vec2<u32> {
    return vec2(bitcast<u32>(x), bitcast<u32>(x >> 31u));
}

fn integer_to_f32(w: vec2<u32>, odd: bool) -> f32 {
    let m = pair_magnitude(w);
    if (m.x | m.y) == 0u { return 0.0; }
    let top = pair_top(m);
    var digits = pair_shl(m, 23u - min(top, 23u)).x;
    if top > 23u { digits = pair_rounded(m, top - 23u, odd).x; }
    // The hidden bit of the digits adds 1 to the exponent, and so does a carry.
    return bitcast<f32>((w.y & 0x80000000u) | (((126u + top) << 23u) + digits));
}

// Cut off and saturated; 0 of NaN.
fn integer_of_f32(x: f32) -> vec2<u32> {
    return integer_of_double(double_of_f32(x));
}

fn integer_to_double(w: vec2<u32>) -> vec2<u32> {
    let m = pair_magnitude(w);
    if (m.x | m.y) == 0u { return vec2(0u); }
    let top = pair_top(m);
    var digits = pair_shl(m, 52u - min(top, 52u));
    if top > 52u { digits = pair_rounded(m, top - 52u, false); }
    return vec2(digits.x, (w.y & 0x80000000u) | (((1022u + top) << 20u) + digits.y));
}

fn integer_of_double(d: vec2<u32>) -> vec2<u32> {
    let exponent = (d.y >> 20u) & 0x7ffu;
    let negative = (d.y >> 31u) != 0u;
    if double_is_nan(d) || exponent < 1023u { return vec2(0u); }
    if exponent >= 1086u { return select(vec2(0xffffffffu, 0x7fffffffu), vec2(0u, 0x80000000u), negative); }
    let digits = vec2(d.x, (d.y & 0xfffffu) | 0x100000u);
    let power = exponent - 1023u;
    let m = pair_shl(pair_shr(digits, 52u - min(power, 52u)), max(power, 52u) - 52u);
    if negative { return pair_negative(m); }
    return m;
}

// Cut off and saturated.
fn i32_of_double(d: vec2<u32>) -> i32 {
    let w = integer_of_double(d);
    if w.y == bitcast<u32>(bitcast<i32>(w.x) >> 31u) { return bitcast<i32>(w.x); }
    return select(2147483647, -2147483647 - 1, (w.y >> 31u) != 0u);
}

fn u32_of_double(d: vec2<u32>) -> u32 {
    let w = integer_of_double(d);
    if (w.y >> 31u) != 0u { return 0u; }
    return select(w.x, 0xffffffffu, w.y != 0u);
}

fn double_is_nan(d: vec2<u32>) -> bool {
    let high = d.y & 0x7fffffffu;
    return high > 0x7ff00000u || (high == 0x7ff00000u && d.x != 0u);
}

fn double_of_f32(x: f32) -> vec2<u32> {
    let bits = bitcast<u32>(x);
    let sign = bits & 0x80000000u;
    let exponent = (bits >> 23u) & 255u;
    let digits = bits & 0x7fffffu;
    if exponent == 0u && digits == 0u { return vec2(0u, sign); }
    if exponent == 0u {
        let top = firstLeadingBit(digits);
        let wide = pair_shl(vec2(digits, 0u), 52u - top);
        // The hidden bit adds 1 to the exponent.
        return vec2(wide.x, sign | (((top + 873u) << 20u) + wide.y));
    }
    let power = select(exponent + 896u, 0x7ffu, exponent == 255u);
    return vec2(digits << 29u, sign | (power << 20u) | (digits >> 3u));
}

fn double_to_f32(d: vec2<u32>, odd: bool) -> f32 {
    let sign = d.y & 0x80000000u;
    let exponent = (d.y >> 20u) & 0x7ffu;
    if double_is_nan(d) { return bitcast<f32>(sign | 0x7fc00000u); }
    if exponent > 1150u { return bitcast<f32>(sign | 0x7f800000u); }
    let digits = vec2(d.x, (d.y & 0xfffffu) | 0x100000u);
    if exponent > 896u {
        return bitcast<f32>(sign | (((exponent - 897u) << 23u) + pair_rounded(digits, 29u, odd).x));
    }
    // Denormal, or too small for that.
    let shift = 926u - exponent;
    if shift > 54u { return bitcast<f32>(sign); }
    return bitcast<f32>(sign | pair_rounded(digits, shift, odd).x);
}

fn integer_truth(w: vec2<u32>) -> f32 {
    return f32((w.x | w.y) != 0u);
}

fn double_truth(d: vec2<u32>) -> f32 {
    return f32((d.x | (d.y & 0x7fffffffu)) != 0u);
}

// -1, 0 or 1 as a is less than, equal to or more than b.
fn integer_order(a: vec2<u32>, b: vec2<u32>) -> f32 {
    if a.y != b.y { return select(1.0, -1.0, bitcast<i32>(a.y) < bitcast<i32>(b.y)); }
    return select(select(0.0, 1.0, a.x > b.x), -1.0, a.x < b.x);
}

// NaN if either is.
fn double_order(a: vec2<u32>, b: vec2<u32>) -> f32 {
    if double_is_nan(a) || double_is_nan(b) { return quiet_nan(); }
    return integer_order(double_key(a), double_key(b));
}

// An integer of the same order, equal for both zeros.
fn double_key(d: vec2<u32>) -> vec2<u32> {
    if (d.y >> 31u) == 0u { return d; }
    return pair_negative(vec2(d.x, d.y & 0x7fffffffu));
}
