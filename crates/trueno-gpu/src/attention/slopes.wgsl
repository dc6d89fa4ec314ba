
// The weight of a score, by the logarithm of its row's sum; 0 in a row that saw nothing.
fn weight(score: f32, log: f32) -> f32 {
    return select(ieee_exp(score - log), 0.0, score == -infinity() || log == -infinity());
}

fn weight_row(s: vec4<f32>, log: vec4<f32>) -> vec4<f32> {
    return vec4(weight(s.x, log.x), weight(s.y, log.y), weight(s.z, log.z), weight(s.w, log.w));
}

fn log_of(query: u32) -> f32 {
    return log_sum[head * QUERIES + min(query, QUERIES - 1u)];
}

fn dot_of(query: u32) -> f32 {
    return dots[head * QUERIES + min(query, QUERIES - 1u)];
}

// Weights from the scores of own rows and others.
fn weighed(s: Tile, own: u32, other: u32) -> Tile {
    return Tile(
        each weight_row(s.c#, logs(own + own_row(#u), other + tx * 4u)),
    );
}

// The gradient by scores, from weights and the gradient by those.
fn sloped(w: Tile, g: Tile, own: u32, other: u32) -> Tile {
    return Tile(
        each w.c# * (g.c# - all_dots(own + own_row(#u), other + tx * 4u)),
    );
}
