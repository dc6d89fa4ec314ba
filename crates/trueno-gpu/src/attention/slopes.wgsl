
// The weight of a score, by the logarithm of its row's sum; 0 in a row that saw nothing.
fn weight(score: f32, row: u32) -> f32 {
    if score == -infinity() { return 0.0; }
    let log = log_sum[head * QUERIES + row];
    return select(ieee_exp(score - log), 0.0, log == -infinity());
}

fn weighed(v: S, row: u32) -> S {
    var w = v;
    lanes w.@ = weight(v.@, row);
    return w;
}

// The gradient by scores, from weights and the gradient by those.
fn slope(w: S, g: S, row: u32) -> S {
    let dot = dots[head * QUERIES + min(row, QUERIES - 1u)];
    return w * (g - S(dot));
}
