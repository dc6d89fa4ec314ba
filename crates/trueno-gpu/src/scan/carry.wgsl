// Adds to each chunk the sum of those before it.

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    if own >= ROWS * CHUNKS || own % CHUNKS == 0u {
        return;
    }
    let before = totals[own - 1u];
    for (var k = 0u; k < 4u; k++) {
        let at = own % CHUNKS * 1024u + k * 256u + thread;
        let place = own / CHUNKS * LENGTH + at;
        if at < LENGTH { out[place] = plus(before, out[place]); }
    }
}
