// Each thread makes four neighbouring results.

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = (group.y * groups.x + group.x) * 256u + thread;
    if own * 4u >= ELEMENTS {
        return;
    }
    RESULT
    store_out(own, made);
}
