// What rows need and WGSL lacks, or leaves to the driver: NaN-propagating extrema, C99's pow, and the
// functions that cancel near 0.

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

fn nan_max(a: f32, b: f32) -> f32 {
    return select(b, a, is_nan(a) || a > b);
}

fn nan_min(a: f32, b: f32) -> f32 {
    return select(b, a, is_nan(a) || a < b);
}

fn copysign(magnitude: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

fn log10(x: f32) -> f32 {
    return log2(x) * 0.30102999566;
}

// Taylor series below 0.5, where e^x - 1 would cancel.
fn expm1(x: f32) -> f32 {
    if abs(x) > 0.5 || is_nan(x) {
        return exp(x) - 1.0;
    }
    let series = 1.0 / 5040.0 + x * (1.0 / 40320.0 + x * (1.0 / 362880.0));
    return x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x * series))))));
}

// Kahan: the rounding error of 1 + x cancels in the quotient.
fn log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    if u == 1.0 {
        return x;
    }
    if u == infinity() || is_nan(u) {
        return u;
    }
    return log(u) * (x / (u - 1.0));
}

// Drivers may compute tanh from exponentials that overflow.
fn ieee_tanh(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let t = expm1(2.0 * min(abs(x), 20.0));
    return copysign(t / (t + 2.0), x);
}

// Maclaurin series near 0; elsewhere 1 - erfc by its continued fraction (Abramowitz and Stegun 7.1.14).
fn erf(x: f32) -> f32 {
    if is_nan(x) {
        return x;
    }
    let a = min(abs(x), 6.0);
    if a < 2.0 {
        var term = a;
        var sum = a;
        for (var n = 1; n < 24; n++) {
            term *= -a * a / f32(n);
            sum += term / f32(2 * n + 1);
        }
        return copysign(sum * 1.1283791671, x);
    }
    var tail = a;
    for (var n = 24; n > 0; n--) {
        tail = a + 0.5 * f32(n) / tail;
    }
    return copysign(1.0 - exp(-a * a) * 0.5641895835 / tail, x);
}

// C99 pow: negative bases with integer exponents, and the exact cases that log2 would spoil.
fn ieee_pow(x: f32, n: f32) -> f32 {
    if n == 0.0 || x == 1.0 {
        return 1.0;
    }
    if is_nan(x) || is_nan(n) {
        return quiet_nan();
    }
    let whole = floor(n) == n;
    if x < 0.0 && !whole && abs(x) != infinity() && abs(n) != infinity() {
        return quiet_nan();
    }
    let odd = whole && abs(n) < 16777216.0 && (i32(n) & 1) != 0;
    let magnitude = select(pow(abs(x), n), select(0.0, infinity(), n < 0.0), x == 0.0);
    return select(magnitude, copysign(magnitude, x), odd);
}
