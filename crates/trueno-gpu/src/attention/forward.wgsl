var<workgroup> joined: array<f32, THREADS>;
var<workgroup> kept: array<vec4<f32>, QUARTER>;

START
    // The row whose sum a thread has a share in.
    let row = thread % TILE;
    let share = thread / TILE;
    var largest = -infinity();
    var sum = 0.0;
    var acc = Tile();
    for (var key = 0u; key < LAST_OTHER; key += TILE) {
        put(masked(product_scores(own, key, thread), own, key));
        workgroupBarrier();
        var here = -infinity();
        for (var c = share; c < TILE; c += SHARES) { here = nan_max(here, weights[held(c, row / 4u)][row % 4u]); }
        joined[thread] = here;
        workgroupBarrier();
        var next = largest;
        for (var c = 0u; c < SHARES; c++) { next = nan_max(next, joined[c * TILE + row]); }
        // A row that saw nothing is not shifted: its exponentials are 0 and not NaN.
        let shift = select(next, 0.0, next == -infinity());
        var total = 0.0;
        for (var c = share; c < TILE; c += SHARES) {
            let at = held(c, row / 4u);
            let term = ieee_exp(weights[at][row % 4u] - shift);
            weights[at][row % 4u] = term;
            total += term;
        }
        workgroupBarrier();
        joined[thread] = total;
        let keeps = ieee_exp(largest - shift);
        if share == 0u { kept[row / 4u][row % 4u] = keeps; }
        workgroupBarrier();
        sum *= keeps;
        for (var c = 0u; c < SHARES; c++) { sum += joined[c * TILE + row]; }
        largest = next;
        each acc.c# *= kept[own_row(#u) / 4u][#u % 4u];
        acc = gather_v(acc, key, column, thread);
    }
    if share == 0u {
        // A row that saw nothing is 0.
        kept[row / 4u][row % 4u] = select(1.0 / sum, 0.0, sum == 0.0);
        let shift = select(largest, 0.0, largest == -infinity());
        if column == 0u && own + row < QUERIES {
            log_sum[head * QUERIES + own + row] = select(ieee_log(sum) + shift, -infinity(), sum == 0.0);
        }
    }
    workgroupBarrier();
    each emit_out(own + own_row(#u), column + tx * 4u, acc.c# * kept[own_row(#u) / 4u][#u % 4u]);
}
