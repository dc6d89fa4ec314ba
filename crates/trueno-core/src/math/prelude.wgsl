// What rows need and WGSL lacks, or leaves to the driver. Drivers may assume that no value is NaN or infinite and give
// sines that are off by 2^-11, so that every function here tests bits and brings polynomials of its own.

// Not constants: WGSL rejects non-finite constant expressions.
var<private> infinity_bits: u32 = 0x7f800000u;
var<private> nan_bits: u32 = 0x7fc00000u;

fn infinity() -> f32 {
    return bitcast<f32>(infinity_bits);
}

fn quiet_nan() -> f32 {
    return bitcast<f32>(nan_bits);
}

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_infinite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

fn magnitude_of(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

fn nan_max(a: f32, b: f32) -> f32 {
    return select(select(b, a, a > b), a, is_nan(a));
}

fn nan_min(a: f32, b: f32) -> f32 {
    return select(select(b, a, a < b), a, is_nan(a));
}

fn copysign(magnitude: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

// Drivers multiply by the reciprocal, which is 0 for the largest divisors.
fn ieee_div(a: f32, b: f32) -> f32 {
    let scale = select(1.0, 0.0625, magnitude_of(b) > 1e37);
    return (a * scale) / (b * scale);
}

// 2^n for n in [-126, 127].
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// 2^n * e^r for |r| <= ln(2)/2 and n in [-252, 254], in two factors so that neither overflows first.
fn scaled_exp(r: f32, n: i32) -> f32 {
    let p = fma(fma(fma(fma(0.00139504764, r, 0.00836888235), r, 0.041666206), r, 0.166665182), r, 0.5);
    let y = fma(p * r, r, r) + 1.0;
    let half = n / 2;
    return y * power_of_two(half) * power_of_two(n - half);
}

fn ieee_exp(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let limited = clamp(x, -104.0, 89.0);
    let n = round(limited * 1.4426950408889634);
    let r = fma(n, -1.428606765330187e-06, fma(n, -0.693145751953125, limited));
    return select(select(scaled_exp(r, i32(n)), 0.0, x < -104.0), infinity(), x > 88.8);
}

fn ieee_exp2(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let limited = clamp(x, -151.0, 129.0);
    let n = round(limited);
    return select(scaled_exp((limited - n) * 0.6931471805599453, i32(n)), infinity(), x >= 128.0);
}

// A positive finite number as 2^exponent * (1 + f) with f in [sqrt(1/2) - 1, sqrt(2) - 1].
struct Binary {
    f: f32,
    exponent: f32,
}

fn split(x: f32) -> Binary {
    let tiny = bitcast<u32>(x) < 0x00800000u;
    let bits = bitcast<u32>(select(x, x * 16777216.0, tiny));
    // Centres the mantissa on 1: 0x3f3504f3 is sqrt(1/2).
    let shifted = bits - 0x3f3504f3u;
    let exponent = bitcast<i32>(shifted) >> 23u;
    let mantissa = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
    return Binary(mantissa - 1.0, f32(exponent) - select(0.0, 24.0, tiny));
}

// ln(1 + f) for f as in `Binary`.
fn log_of_mantissa(f: f32) -> f32 {
    var p = fma(-0.0786014125, f, 0.128813803);
    p = fma(p, f, -0.131284162);
    p = fma(p, f, 0.141812176);
    p = fma(p, f, -0.166245952);
    p = fma(p, f, 0.200022861);
    p = fma(p, f, -0.250008076);
    p = fma(p, f, 0.333333164);
    let square = f * f;
    return fma(square * f, p, fma(-0.5, square, f));
}

// What a logarithm of any base gives where it is not a number or not finite, else `value`.
fn log_or_special(x: f32, value: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if is_nan(x) || bits == 0x7f800000u {
        return x;
    }
    if (bits & 0x7fffffffu) == 0u {
        return -infinity();
    }
    return select(value, quiet_nan(), bits > 0x7fffffffu);
}

fn ieee_log(x: f32) -> f32 {
    let b = split(x);
    let value = fma(b.exponent, 0.693145751953125, fma(b.exponent, 1.428606765330187e-06, log_of_mantissa(b.f)));
    return log_or_special(x, value);
}

fn ieee_log2(x: f32) -> f32 {
    let b = split(x);
    return log_or_special(x, fma(log_of_mantissa(b.f), 1.4426950408889634, b.exponent));
}

fn ieee_log10(x: f32) -> f32 {
    let b = split(x);
    return log_or_special(x, fma(b.exponent, 0.3010299956639812, log_of_mantissa(b.f) * 0.4342944819032518));
}

// The root itself may be any that WGSL allows; a step of Newton's method rounds it.
fn ieee_sqrt(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if is_nan(x) || bits == 0x7f800000u || (bits & 0x7fffffffu) == 0u {
        return x;
    }
    if bits > 0x7fffffffu {
        return quiet_nan();
    }
    let scale = select(1.0, 16777216.0, bits < 0x0c800000u);
    let v = x * scale;
    let root = sqrt(v);
    return fma(fma(-root, root, v), 0.5 / root, root) * select(1.0, 0.000244140625, scale > 1.0);
}

fn ieee_expm1(x: f32) -> f32 {
    if magnitude_of(x) > 0.5 || is_nan(x) {
        return ieee_exp(x) - 1.0;
    }
    var p = fma(2.49618879e-5, x, 0.000199735659);
    p = fma(p, x, 0.00138885912);
    p = fma(p, x, 0.00833314285);
    p = fma(p, x, 0.0416666679);
    p = fma(p, x, 0.166666672);
    return fma(fma(p, x, 0.5) * x, x, x);
}

// The rounding of 1 + x is small in the logarithm but near 0. (Kahan's quotient would undo it, and drivers undo the quotient.)
fn ieee_log1p(x: f32) -> f32 {
    if x > -0.2928932 && x < 0.41421354 {
        return log_of_mantissa(x);
    }
    return ieee_log(1.0 + x);
}

fn ieee_tanh(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let t = ieee_expm1(2.0 * min(magnitude_of(x), 20.0));
    return copysign(t / (t + 2.0), x);
}

fn ieee_erf(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let a = min(magnitude_of(x), 4.0);
    if a < 1.0 {
        let z = x * x;
        var p = fma(7.8891193e-5, z, -0.000802084105);
        p = fma(p, z, 0.00518953521);
        p = fma(p, z, -0.0268544443);
        p = fma(p, z, 0.112836003);
        p = fma(p, z, -0.37612626);
        p = fma(p, z, -1.18176136e-9);
        return fma(p, x, x * 1.1283791671);
    }
    // The logarithm of what is left to 1.
    var tail = fma(-2.16976387e-5, a, 0.000441472919);
    tail = fma(tail, a, -0.00420528604);
    tail = fma(tail, a, 0.0252103414);
    tail = fma(tail, a, -0.108422101);
    tail = fma(tail, a, -0.633216381);
    tail = fma(tail, a, -1.12958026);
    tail = fma(tail, a, 0.000188467791);
    return copysign(1.0 - ieee_exp(tail), x);
}

// An angle less the nearest multiple of pi/2, and which multiple it was (modulo 4).
struct Angle {
    rest: f32,
    quadrant: u32,
}

// The high word of a product.
fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let cross = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u);
}

// 2/pi in binary, 32 bits a word.
var<private> two_over_pi: array<u32, 8> = array<u32, 8>(
    0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
);

// Payne and Hanek: as many bits of 2/pi as the exponent asks for, times the mantissa.
fn reduce_large(x: f32) -> Angle {
    let bits = bitcast<u32>(x);
    let exponent = ((bits >> 23u) & 0xffu) - 127u;
    let mantissa = ((bits & 0x007fffffu) | 0x00800000u) << 8u;
    // Higher bits of 2/pi only add whole turns. One word of zeros stands before the point.
    let first = exponent - 1u;
    let word = first >> 5u;
    let shift = first & 31u;
    var window = array<u32, 3>();
    for (var i = 0u; i < 3u; i++) {
        let high = two_over_pi[word + i] << shift;
        window[i] = select(high | (two_over_pi[word + i + 1u] >> (32u - shift)), two_over_pi[word + i], shift == 0u);
    }
    let low = multiply_high(mantissa, window[2]);
    let middle = mantissa * window[1];
    let carried = middle + low;
    let high = mantissa * window[0] + multiply_high(mantissa, window[1]) + select(0u, 1u, carried < middle);
    // `high` holds the turns in quarters in its two upper bits, then the fraction of a quarter.
    let rounded = high + 0x20000000u;
    let quadrant = rounded >> 30u;
    let fraction_high = bitcast<i32>(high - (quadrant << 30u));
    let fraction = f32(fraction_high) * 9.313225746154785e-10 + f32(carried) * 2.168404344971009e-19;
    return Angle(fraction * 1.5707963267948966, quadrant);
}

fn reduce_angle(x: f32) -> Angle {
    let a = magnitude_of(x);
    if a > 10000.0 {
        return reduce_large(a);
    }
    let n = round(a * 0.6366197723675814);
    // Each part of pi/2 has 11 bits, so that its product with `n` is exact even where `fma` rounds twice.
    // WGSL lets drivers gather the four products into one, which loses what they are for; none sees through a minimum.
    var rest = min(fma(n, -1.5703125, a), 1e30);
    rest = min(fma(n, -0.0004837512969970703, rest), 1e30);
    rest = min(fma(n, -7.549533620476723e-08, rest), 1e30);
    return Angle(fma(n, -2.5632829192545614e-12, rest), u32(n));
}

fn sine_series(r: f32) -> f32 {
    let z = r * r;
    let p = fma(fma(fma(2.71831163e-6, z, -0.000198393347), z, 0.00833332911), z, -0.166666672);
    return fma(p * z, r, r);
}

fn cosine_series(r: f32) -> f32 {
    let z = r * r;
    let p = fma(fma(fma(-2.72102369e-7, z, 2.47995195e-5), z, -0.00138888834), z, 0.0416666679);
    return fma(p * z, z, fma(-0.5, z, 1.0));
}

// The sine of an angle that many quarters further on.
fn sine_of(angle: Angle, quarters: u32) -> f32 {
    let quadrant = angle.quadrant + quarters;
    let value = select(sine_series(angle.rest), cosine_series(angle.rest), (quadrant & 1u) != 0u);
    return select(value, -value, (quadrant & 2u) != 0u);
}

fn ieee_sin(x: f32) -> f32 {
    if is_nan(x) || is_infinite(x) {
        return quiet_nan();
    }
    let value = sine_of(reduce_angle(x), 0u);
    return bitcast<f32>(bitcast<u32>(value) ^ (bitcast<u32>(x) & 0x80000000u));
}

fn ieee_cos(x: f32) -> f32 {
    if is_nan(x) || is_infinite(x) {
        return quiet_nan();
    }
    return sine_of(reduce_angle(x), 1u);
}

fn ieee_tan(x: f32) -> f32 {
    if is_nan(x) || is_infinite(x) {
        return quiet_nan();
    }
    let angle = reduce_angle(x);
    let value = sine_of(angle, 0u) / sine_of(angle, 1u);
    return bitcast<f32>(bitcast<u32>(value) ^ (bitcast<u32>(x) & 0x80000000u));
}

// x^n for finite x > 0, from the logarithm in two parts: its rounding would be multiplied by n.
fn positive_pow(x: f32, n: f32) -> f32 {
    let b = split(x);
    let mantissa = log_of_mantissa(b.f);
    let high = fma(b.exponent, 0.693145751953125, mantissa);
    let low = fma(b.exponent, 1.428606765330187e-06, fma(b.exponent, 0.693145751953125, -high) + mantissa);
    let product = n * high;
    if is_nan(product) || magnitude_of(product) > 200.0 {
        return ieee_exp(product);
    }
    let error = fma(n, high, -product) + n * low;
    let y = ieee_exp(product);
    return select(fma(y, error, y), y, is_infinite(y));
}

fn ieee_sigmoid(x: f32) -> f32 {
    let e = ieee_exp(-magnitude_of(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

fn ieee_gelu(x: f32) -> f32 {
    return x * 0.5 * (ieee_erf(x * 0.70710678118) + 1.0);
}

fn ieee_sinh(x: f32) -> f32 {
    let a = magnitude_of(x);
    if a > 88.0 {
        // In two steps, for e^a overflows before half of it does.
        let half = ieee_exp(a - 1.0);
        return copysign(half * 1.3591409, x);
    }
    let e = ieee_expm1(a);
    return copysign(0.5 * (e + e / (e + 1.0)), x);
}

fn ieee_cosh(x: f32) -> f32 {
    let a = magnitude_of(x);
    if a > 88.0 {
        return ieee_exp(a - 1.0) * 1.3591409;
    }
    let e = ieee_exp(a);
    return 0.5 * (e + 1.0 / e);
}

// atan(t) - t for 0 <= t <= 1.
fn atan_beyond_linear(t: f32) -> f32 {
    let z = t * t;
    var p = fma(0.0011137908, z, -0.0073179654);
    p = fma(p, z, 0.022539884);
    p = fma(p, z, -0.044689957);
    p = fma(p, z, 0.06741598);
    p = fma(p, z, -0.08811092);
    p = fma(p, z, 0.11058224);
    p = fma(p, z, -0.14279833);
    p = fma(p, z, 0.19999671);
    p = fma(p, z, -0.33333328);
    return t * z * p;
}

fn ieee_atan2(y: f32, x: f32) -> f32 {
    if is_nan(x) || is_nan(y) {
        return quiet_nan();
    }
    let a = magnitude_of(y);
    let b = magnitude_of(x);
    let steep = bitcast<u32>(a) > bitcast<u32>(b);
    let large = select(b, a, steep);
    let small = select(a, b, steep);
    // Dividing by more than 2^126 is free to give 0.
    let scale = select(1.0, 0.25, bitcast<u32>(large) >= 0x7e800000u);
    var t = (small * scale) / (large * scale);
    if bitcast<u32>(small) == 0u {
        t = 0.0;
    } else if is_infinite(small) {
        t = 1.0;
    } else if is_infinite(large) {
        t = 0.0;
    }
    var angle = t + atan_beyond_linear(t);
    if steep {
        angle = 1.5707963 - angle;
    }
    if (bitcast<u32>(x) & 0x80000000u) != 0u {
        angle = 3.1415927 - angle;
    }
    return copysign(angle, y);
}

fn ieee_atan(x: f32) -> f32 {
    return ieee_atan2(x, 1.0);
}

fn ieee_asin(x: f32) -> f32 {
    if is_nan(x) || magnitude_of(x) > 1.0 {
        return quiet_nan();
    }
    return ieee_atan2(x, ieee_sqrt((1.0 - x) * (1.0 + x)));
}

fn ieee_acos(x: f32) -> f32 {
    if is_nan(x) || magnitude_of(x) > 1.0 {
        return quiet_nan();
    }
    return ieee_atan2(ieee_sqrt((1.0 - x) * (1.0 + x)), x);
}

fn ieee_hypot(x: f32, y: f32) -> f32 {
    if is_infinite(x) || is_infinite(y) {
        return infinity();
    }
    if is_nan(x) || is_nan(y) {
        return quiet_nan();
    }
    let large = max(magnitude_of(x), magnitude_of(y));
    if bitcast<u32>(large) == 0u {
        return 0.0;
    }
    // Dividing by more than 2^126 is free to give 0.
    let scale = select(1.0, 0.25, bitcast<u32>(large) >= 0x7e800000u);
    let p = (x * scale) / (large * scale);
    let q = (y * scale) / (large * scale);
    return large * ieee_sqrt(fma(p, p, q * q));
}

fn ieee_asinh(x: f32) -> f32 {
    let a = magnitude_of(x);
    if is_nan(x) || is_infinite(x) {
        return x;
    }
    if a > 4096.0 {
        return copysign(ieee_log(a) + 0.6931472, x);
    }
    return copysign(ieee_log1p(a + a * a / (1.0 + ieee_sqrt(fma(a, a, 1.0)))), x);
}

fn ieee_acosh(x: f32) -> f32 {
    if is_nan(x) || x < 1.0 {
        return quiet_nan();
    }
    if x > 4096.0 {
        return ieee_log(x) + 0.6931472;
    }
    let t = x - 1.0;
    return ieee_log1p(t + ieee_sqrt(t * (t + 2.0)));
}

fn ieee_atanh(x: f32) -> f32 {
    let a = magnitude_of(x);
    if is_nan(x) || a > 1.0 {
        return quiet_nan();
    }
    if a == 1.0 {
        return copysign(infinity(), x);
    }
    return copysign(0.5 * ieee_log1p(2.0 * a / (1.0 - a)), x);
}

// C99 pow: negative bases with integer exponents, zeros and infinities.
fn ieee_pow(x: f32, n: f32) -> f32 {
    if n == 0.0 || x == 1.0 {
        return 1.0;
    }
    if is_nan(x) || is_nan(n) {
        return quiet_nan();
    }
    let base = magnitude_of(x);
    if is_infinite(n) {
        return select(select(0.0, infinity(), (base > 1.0) == (n > 0.0)), 1.0, base == 1.0);
    }
    let whole = floor(n) == n;
    let odd = whole && magnitude_of(n) < 16777216.0 && (i32(n) & 1) != 0;
    var power = 0.0;
    if base == 0.0 || is_infinite(base) {
        power = select(0.0, infinity(), (base == 0.0) == (n < 0.0));
    } else if x < 0.0 && !whole {
        return quiet_nan();
    } else {
        power = positive_pow(base, n);
    }
    return select(power, copysign(power, x), odd);
}
