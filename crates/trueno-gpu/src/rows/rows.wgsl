// LANES threads share each row and hold it in registers, so that it is read once.

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = thread % LANES;
    let own = (group.y * groups.x + group.x) * (256u / LANES) + thread / LANES;
    let row = min(own, ROWS - 1u);
    let base = row * WORDS;
    SETTLE
    BODY
}
