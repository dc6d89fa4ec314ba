let label = label_of(row, lane == 0u && own < ROWS);
var sum = V(0.0);
var distances = V(0.0);
for (var c = lane; c < WORDS; c += LANES) {
    let v = load_x(base + c);
    sum += term(v, largest);
    distances += V(largest) - v;
}
let log_total = ieee_log(row_sum(thread, fold_sum(sum)));
let mean = log_total + row_sum(thread, fold_sum(distances)) / CLASSES;
if own < ROWS && lane == 0u {
    var loss = log_total + (largest - element_of_x(base, label.index));
    // Not for no smoothing, where an infinite logit would make NaN of a finite loss.
    if SMOOTHING != 0.0 { loss = (1.0 - SMOOTHING) * loss + SMOOTHING * mean; }
    out[row] = select(vec2<Real>(0.0), vec2<Real>(loss, 1.0), label.counts);
}
