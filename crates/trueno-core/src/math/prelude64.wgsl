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
