// The words of a block of Philox 4x32-10 (Salmon et al., 2011), of which each thread takes one for its four elements.
fn philox(position: u32) -> vec4<u32> {
    var counter = vec4(position, 0u, CALL_LOW, CALL_HIGH);
    var key = vec2(SEED_LOW, SEED_HIGH);
    for (var round = 0u; round < 10u; round++) {
        let low = counter.x * 0xd2511f53u;
        let high = counter.z * 0xcd9e8d57u;
        counter = vec4(
            multiply_high(counter.z, 0xcd9e8d57u) ^ counter.y ^ key.x,
            high,
            multiply_high(counter.x, 0xd2511f53u) ^ counter.w ^ key.y,
            low,
        );
        key += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.y * groups.x + group.x) * 256u + thread;
    if i >= VECTORS {
        return;
    }
    store_out(i, select(vec4<REAL>(0.0), load_x(FROM_X + i) * SCALE, philox(i) <= vec4(LIMIT)));
}
