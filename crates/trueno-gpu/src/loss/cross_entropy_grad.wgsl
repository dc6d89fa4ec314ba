let label = label_of(row, lane == 0u && own < ROWS);
var sum = V(0.0);
for (var c = lane; c < WORDS; c += LANES) { sum += term(load_x(base + c), largest); }
let total = row_sum(thread, fold_sum(sum));
let scale = load_g(FROM_G) / COUNTED;
let spread = SMOOTHING / CLASSES;
for (var c = lane; c < WORDS && own < ROWS; c += LANES) {
    let share = term(load_x(base + c), largest) / V(total);
    let value = (share - V(spread) - (1.0 - SMOOTHING) * hit(c, label.index)) * V(scale);
    store_out(row * WORDS + c, select(V(0.0), value, V_TRUTH(label.counts)));
}
