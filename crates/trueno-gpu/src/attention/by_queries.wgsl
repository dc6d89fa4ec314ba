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
    each var acc# = vec4(0.0);
    for (var key = 0u; key < LAST_KEY; key += TILE) {
        let s = product_scores(first, key, thread);
        let g = product_slopes(first, key, thread);
        workgroupBarrier();
        each { let row = first + y * M + #u; put(y * M + #u, x * M, slope(weighed(masked(s.t#, row, key + x * M), row), g.t#, row)); }
        for (var j = 0u; j < TILE; j += 16u) {
            workgroupBarrier();
            values[thread] = k_vector(key + j + y, column);
            workgroupBarrier();
            for (var d = 0u; d < 16u; d++) {
                let v = values[d * 16u + x];
                each acc# += weights[(y * M + #u) * PITCH + j + d] * v;
            }
        }
    }
    each emit_gq(first + y * M + #u, column, acc# * SCALE);
}
