var sum = V(0.0);
each var h# = V(0.0); if lane + #u * LANES < WORDS { h# = load_x(FROM_X + base + lane + #u * LANES); }
each sum += h#;
let mean = row_sum(thread, fold_sum(sum)) / COLUMNS;
var squares = V(0.0);
each if lane + #u * LANES < WORDS { h# -= V(mean); squares += h# * h#; }
let rstd = 1.0 / ieee_sqrt(row_sum(thread, fold_sum(squares)) / COLUMNS + EPS);
each if own < ROWS && lane + #u * LANES < WORDS { store_out(base + lane + #u * LANES, h# * V(rstd) WEIGHT(lane + #u * LANES) BIAS(lane + #u * LANES)); }
if own < ROWS && lane == 0u {
    means[row] = mean;
    rstds[row] = rstd;
}
