// A workgroup copies a tile of SIDE x SIDE through workgroup memory: it is read along the axis whose elements are neighbours in the
// operand (`n`), and written along that whose elements are neighbours in the result (`m`). Rows are one element longer than they need
// be, so that columns do not lie in one bank.

var<workgroup> tile: array<ELEMENT, TOTAL>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tiles_m = (SIZE_M + SIDE - 1u) / SIDE;
    let tiles_n = (SIZE_N + SIDE - 1u) / SIDE;
    let own = group.y * groups.x + group.x;
    let layer = own / (tiles_m * tiles_n);
    if layer >= LAYERS {
        return;
    }
    let m0 = own % tiles_m * SIDE;
    let n0 = own / tiles_m % tiles_n * SIDE;
    let quad = thread % (SIDE / 4u) * 4u;
    let row = thread / (SIDE / 4u);
    let source = FROM + source_at(layer);
    for (var i = row; i < SIDE; i += 1024u / SIDE) {
        let m = min(m0 + i, SIZE_M - 1u);
        READ
        let at = quad * (SIDE + 1u) + i;
        tile[at] = v.x;
        tile[at + SIDE + 1u] = v.y;
        tile[at + 2u * (SIDE + 1u)] = v.z;
        tile[at + 3u * (SIDE + 1u)] = v.w;
    }
    workgroupBarrier();
    let made = made_at(layer);
    for (var i = row; i < SIDE; i += 1024u / SIDE) {
        let at = i * (SIDE + 1u) + quad;
        if n0 + i < SIZE_N && m0 + quad < SIZE_M {
            let v = FOUR(tile[at], tile[at + 1u], tile[at + 2u], tile[at + 3u]);
            store_out((made + (n0 + i) * MADE_N + m0 + quad) / 4u, v);
        }
    }
}
