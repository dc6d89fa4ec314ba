// The arithmetic that elementary functions of `f64` are interpreted in.

fn rounded_sum(a: f64, b: f64) -> f64 {
    return settled(a + b);
}

fn rounded_difference(a: f64, b: f64) -> f64 {
    return settled(a - b);
}

fn rounded_product(a: f64, b: f64) -> f64 {
    return settled(a * b);
}

fn rounded_quotient(a: f64, b: f64) -> f64 {
    return settled(ieee_div(a, b));
}

fn rounded_product_and_sum(a: f64, b: f64, c: f64) -> f64 {
    return settled(settled(a * b) + c);
}

fn lesser(a: f64, b: f64) -> f64 {
    return select(b, a, a < b);
}

fn greater(a: f64, b: f64) -> f64 {
    return select(b, a, a > b);
}

fn bits_and(a: f64, b: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) & bitcast<u64>(b));
}

fn bits_or(a: f64, b: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) | bitcast<u64>(b));
}

fn bits_xor(a: f64, b: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) ^ bitcast<u64>(b));
}

fn bits_sum(a: f64, b: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) + bitcast<u64>(b));
}

fn bits_difference(a: f64, b: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(a) - bitcast<u64>(b));
}

fn bits_into_exponent(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) << 52u);
}

fn bits_of_exponent(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) >> 52u);
}

fn second_bit_as_sign(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) << 62u);
}

// 2^n for an integer that gives a normal number: beside 1.5 * 2^52 and the bias, an integer is the lowest bits.
fn power_of_two(n: f64) -> f64 {
    return bits_into_exponent(settled(n + 6755399441056767.0lf));
}

// x * 2^n for an integer of at most twice the range, in two steps so that neither overflows first.
fn scaled(x: f64, n: f64) -> f64 {
    let half = floor(n * 0.5lf);
    return settled(settled(x * power_of_two(half)) * power_of_two(n - half));
}

// A positive finite number as 2^exponent * mantissa with a mantissa from 3/4 to 3/2.
struct Binary {
    exponent: f64,
    mantissa: f64,
}

fn split(x: f64) -> Binary {
    let tiny = bitcast<u64>(x) < 0x0010000000000000lu;
    let bits = bitcast<u64>(select(x, x * 18014398509481984.0lf, tiny));
    // By what 1 is more than 3/4, so that the exponent changes there.
    let biased = (bits + 0x0008000000000000lu) >> 52u;
    let exponent = f64(biased) - select(1023.0lf, 1077.0lf, tiny);
    return Binary(exponent, bitcast<f64>(bits - (biased << 52u) + 0x3ff0000000000000lu));
}
