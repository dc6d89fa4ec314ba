var<workgroup> joined: array<f32, 256>;
var<workgroup> kept: array<f32, TILE>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    let blocks = (QUERIES + TILE - 1u) / TILE;
    if own >= HEADS * blocks * CHUNKS {
        return;
    }
    head = own / (blocks * CHUNKS);
    let first = own / CHUNKS % blocks * TILE;
    let y = thread / 16u;
    let x = thread % 16u;
    let column = own % CHUNKS * 64u + x * 4u;
    // The row whose sum a thread has a share in.
    let row = thread / SHARES;
    let share = thread % SHARES;
    var largest = -infinity();
    var sum = 0.0;
    each var acc# = vec4(0.0);
    for (var key = 0u; key < LAST_KEY; key += TILE) {
        let s = product_scores(first, key, thread);
        workgroupBarrier();
        each put(y * M + #u, x * M, masked(s.t#, first + y * M + #u, key + x * M));
        workgroupBarrier();
        var here = -infinity();
        for (var c = share; c < TILE; c += SHARES) { here = nan_max(here, weights[row * PITCH + c]); }
        joined[thread] = here;
        workgroupBarrier();
        var next = largest;
        for (var c = 0u; c < SHARES; c++) { next = nan_max(next, joined[row * SHARES + c]); }
        // A row that saw nothing is not shifted: its exponentials are 0 and not NaN.
        let shift = select(next, 0.0, next == -infinity());
        var total = 0.0;
        for (var c = share; c < TILE; c += SHARES) {
            let term = ieee_exp(weights[row * PITCH + c] - shift);
            weights[row * PITCH + c] = term;
            total += term;
        }
        workgroupBarrier();
        joined[thread] = total;
        let keeps = ieee_exp(largest - shift);
        if share == 0u { kept[row] = keeps; }
        workgroupBarrier();
        sum *= keeps;
        for (var c = 0u; c < SHARES; c++) { sum += joined[row * SHARES + c]; }
        largest = next;
        each acc# *= kept[y * M + #u];
        for (var j = 0u; j < TILE; j += 16u) {
            workgroupBarrier();
            values[thread] = v_vector(key + j + y, column);
            workgroupBarrier();
            for (var d = 0u; d < 16u; d++) {
                let v = values[d * 16u + x];
                each acc# += weights[(y * M + #u) * PITCH + j + d] * v;
            }
        }
    }
    workgroupBarrier();
    if share == 0u {
        // A row that saw nothing is 0.
        kept[row] = select(1.0 / sum, 0.0, sum == 0.0);
        let shift = select(largest, 0.0, largest == -infinity());
        if own % CHUNKS == 0u && first + row < QUERIES {
            log_sum[head * QUERIES + first + row] = select(ieee_log(sum) + shift, -infinity(), sum == 0.0);
        }
    }
    workgroupBarrier();
    each emit_out(first + y * M + #u, column, acc# * kept[y * M + #u]);
}
