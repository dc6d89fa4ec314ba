let mean = means[row];
let rstd = rstds[row];
var sum = V(0.0);
var products = V(0.0);
each var h# = V(0.0); var g# = V(0.0); if lane + #u * LANES < WORDS { h# = (load_x(FROM_X + base + lane + #u * LANES) - V(mean)) * rstd; g# = load_g(FROM_G + base + lane + #u * LANES) WEIGHT(lane + #u * LANES); }
each sum += g#; products += g# * h#;
let level = row_sum(thread, fold_sum(sum)) / COLUMNS;
let slope = row_sum(thread, fold_sum(products)) / COLUMNS;
each if own < ROWS && lane + #u * LANES < WORDS { store_out(base + lane + #u * LANES, (g# - V(level) - h# * slope) * rstd); }
