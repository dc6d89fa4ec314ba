// An angle in quarter turns, modulo 4, and the rest in two parts.
struct Far {
    turns: f64,
    hi: f64,
    lo: f64,
}

// The digits of 2 / pi, after 64 zeros.
var<private> two_over_pi: array<u64, COUNT> = array<u64, COUNT>(DIGITS);

// The low and the high word of a product.
fn multiply_wide(a: u64, b: u64) -> vec2<u64> {
    let mask = 0xfffffffflu;
    let low = (a & mask) * (b & mask);
    let cross = (a >> 32u) * (b & mask) + (low >> 32u);
    let other = (a & mask) * (b >> 32u) + (cross & mask);
    return vec2<u64>(a * b, (a >> 32u) * (b >> 32u) + (cross >> 32u) + (other >> 32u));
}

// Payne and Hanek: as many digits of 2 / pi as the exponent asks for, times the mantissa. Angles that are not far cost nothing.
fn far_angle(x: f64) -> Far {
    if is_nan(x) || is_infinite(x) || x < 1048576.0lf {
        return Far(0.0lf, 0.0lf, 0.0lf);
    }
    let bits = bitcast<u64>(x);
    let mantissa = (bits & 0x000ffffffffffffflu) | 0x0010000000000000lu;
    // Higher digits only add whole turns.
    let skipped = u32(bits >> 52u) - 1013u;
    let word = skipped / 64u;
    let shift = skipped % 64u;
    var digits = array<u64, 3>();
    for (var i = 0u; i < 3u; i++) {
        digits[i] = two_over_pi[word + i];
        if shift != 0u {
            digits[i] = (two_over_pi[word + i] << shift) | (two_over_pi[word + i + 1u] >> (64u - shift));
        }
    }
    // The product modulo 2^192: two digits of quarter turns, then the fraction.
    let last = multiply_wide(mantissa, digits[2]);
    let next = multiply_wide(mantissa, digits[1]);
    let middle = next.x + last.y;
    let high = mantissa * digits[0] + next.y + select(0lu, 1lu, middle < next.x);
    var quarters = u32(high >> 62u);
    var upper = (high << 2u) | (middle >> 62u);
    var lower = (middle << 2u) | (last.x >> 62u);
    // A fraction of at least one half is the distance below the next quarter.
    let below = (upper >> 63u) != 0lu;
    if below {
        quarters += 1u;
        lower = 0lu - lower;
        upper = select(0lu - upper - 1lu, 0lu - upper, lower == 0lu);
    }
    let first = f64(upper >> 32u) * 2.3283064365386963e-10lf;
    let second = f64(upper & 0xfffffffflu) * 5.421010862427522e-20lf;
    let third = f64(lower >> 32u) * 1.262177448353619e-29lf + f64(lower & 0xfffffffflu) * 2.938735877055719e-39lf;
    let hi = settled(first + second);
    let lo = settled(second - settled(hi - first)) + third;
    let radians = settled(hi * 1.5707963267948966lf) + (hi * 6.123233995736766e-17lf + lo * 1.5707963267948966lf);
    return Far(f64(quarters), select(radians, -radians, below), 0.0lf);
}
