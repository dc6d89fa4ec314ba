var sum = V(0.0);
each var y# = V(0.0); var g# = V(0.0); if lane + #u * LANES < WORDS { y# = load_x(FROM_X + base + lane + #u * LANES); g# = load_g(FROM_G + base + lane + #u * LANES); }
each sum += TERM;
let total = row_sum(thread, fold_sum(sum));
each if own < ROWS && lane + #u * LANES < WORDS { store_out(base + lane + #u * LANES, RESULT); }
