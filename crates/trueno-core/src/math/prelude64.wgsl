// What `prelude.wgsl` gives rows over `f32`, for `f64`: the same names, so that a text over either type calls the same functions. The
// elementary functions are made elsewhere.

// Not constants: those may not be infinite or NaN.
var<private> infinity_bits: u64 = 0x7ff0000000000000lu;
var<private> nan_bits: u64 = 0x7ff8000000000000lu;

fn infinity() -> f64 {
    return bitcast<f64>(infinity_bits);
}

fn quiet_nan() -> f64 {
    return bitcast<f64>(nan_bits);
}

fn magnitude_of(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) & 0x7ffffffffffffffflu);
}

fn is_nan(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) > 0x7ff0000000000000lu;
}

fn is_infinite(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) == 0x7ff0000000000000lu;
}

fn nan_max(a: f64, b: f64) -> f64 {
    return select(select(b, a, a > b), a, is_nan(a));
}

fn nan_min(a: f64, b: f64) -> f64 {
    return select(select(b, a, a < b), a, is_nan(a));
}

fn copysign(magnitude: f64, sign: f64) -> f64 {
    let bits = (bitcast<u64>(magnitude) & 0x7ffffffffffffffflu) | (bitcast<u64>(sign) & 0x8000000000000000lu);
    return bitcast<f64>(bits);
}

fn ieee_div(a: f64, b: f64) -> f64 {
    return a / b;
}

fn ieee_sqrt(x: f64) -> f64 {
    return sqrt(x);
}

// Functions of WGSL, by other means: Mesa's processor without AVX-512 loses the sign of zeros, and halves beyond 2^24.

fn trunc(x: f64) -> f64 {
    let bits = bitcast<u64>(x);
    let exponent = i32((bits >> 52u) & 0x7fflu) - 1023;
    if exponent < 0 {
        return bitcast<f64>(bits & 0x8000000000000000lu);
    }
    if exponent >= 52 {
        return x;
    }
    return bitcast<f64>(bits & ~(0x000ffffffffffffflu >> u32(exponent)));
}

fn floor(x: f64) -> f64 {
    let whole = trunc(x);
    return select(whole, whole - 1.0lf, x < whole);
}

fn ceil(x: f64) -> f64 {
    let whole = trunc(x);
    return select(whole, whole + 1.0lf, x > whole);
}

fn round(x: f64) -> f64 {
    let whole = trunc(magnitude_of(x));
    let rest = magnitude_of(x) - whole;
    let odd = trunc(whole * 0.5lf) * 2.0lf != whole;
    return copysign(select(whole, whole + 1.0lf, rest > 0.5lf || (rest == 0.5lf && odd)), x);
}
