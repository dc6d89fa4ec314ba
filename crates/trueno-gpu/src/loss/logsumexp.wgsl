// An infinite shift would make NaN of infinite elements.
let shift = select(largest, Real(0.0), is_infinite(largest));
var sum = V(0.0);
for (var c = lane; c < WORDS; c += LANES) { sum += term(load_x(base + c), shift); }
let total = row_sum(thread, fold_sum(sum));
if own < ROWS && lane == 0u { out[row] = ieee_log(total) + shift; }
