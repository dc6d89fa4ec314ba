@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    let blocks = (KEYS + TILE - 1u) / TILE;
    if own >= HEADS * blocks * CHUNKS {
        return;
    }
    head = own / (blocks * CHUNKS);
    let key = own / CHUNKS % blocks * TILE;
    let y = thread / 16u;
    let x = thread % 16u;
    let column = own % CHUNKS * 64u + x * 4u;
    each var by_key# = vec4(0.0); var by_value# = vec4(0.0);
    for (var first = FIRST_QUERY; first < QUERIES; first += TILE) {
        let s = product_scores(first, key, thread);
        each let w# = weighed(masked(s.t#, first + y * M + #u, key + x * M), first + y * M + #u);
        workgroupBarrier();
        each put(y * M + #u, x * M, w#);
        for (var j = 0u; j < TILE; j += 16u) {
            workgroupBarrier();
            values[thread] = g_vector(first + j + y, column);
            workgroupBarrier();
            for (var d = 0u; d < 16u; d++) {
                let v = values[d * 16u + x];
                each by_value# += weights[(j + d) * PITCH + y * M + #u] * v;
            }
        }
        let g = product_slopes(first, key, thread);
        workgroupBarrier();
        each put(y * M + #u, x * M, slope(w#, g.t#, first + y * M + #u));
        for (var j = 0u; j < TILE; j += 16u) {
            workgroupBarrier();
            values[thread] = q_vector(first + j + y, column);
            workgroupBarrier();
            for (var d = 0u; d < 16u; d++) {
                let v = values[d * 16u + x];
                each by_key# += weights[(j + d) * PITCH + y * M + #u] * v;
            }
        }
    }
    each emit_gk(key + y * M + #u, column, by_key#);
    each emit_gv(key + y * M + #u, column, by_value#);
}
