// Each thread makes four neighbouring results, one at a time. Products and sums of integers wrap, as the processor's do.

fn element(i: u32) -> SCALAR {
    let row = (i / SIZE_N) % SIZE_M;
    let batch = i / (SIZE_N * SIZE_M);
    var at_a = OFFSET_A + batch_a(batch) + row * STRIDE_M;
    var at_b = OFFSET_B + batch_b(batch) + (i % SIZE_N) * STRIDE_N;
    var sum = SCALAR(0);
    for (var k = 0u; k < SIZE_K; k += 1u) {
        sum += load_a(at_a) * load_b(at_b);
        at_a += LEFT_K;
        at_b += RIGHT_K;
    }
    return sum;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = (group.y * groups.x + group.x) * 256u + thread;
    let first = own * 4u;
    if first >= COUNT {
        return;
    }
    let last = COUNT - 1u;
    store_out(own, vec4(
        element(first), element(min(first + 1u, last)), element(min(first + 2u, last)), element(min(first + 3u, last)),
    ));
}
