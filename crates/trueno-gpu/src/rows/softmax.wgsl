var top = V(-infinity());
each var h# = V(-infinity()); if lane + #u * LANES < WORDS { h# = load_x(FROM_X + base + lane + #u * LANES); }
each top = wide_max(top, h#);
let shift = row_max(thread, fold_max(top));
var sum = V(0.0);
each let s# = h# - V(shift); h# = wide_exp(s#); sum += h#;
let total = row_sum(thread, fold_sum(sum));
each if own < ROWS && lane + #u * LANES < WORDS { store_out(base + lane + #u * LANES, RESULT); }
