// LANES threads share each row and hold it in registers, so that it is read once.

var<workgroup> shared_values: array<f32, 256>;

fn row_max(thread: u32, value: f32) -> f32 {
    shared_values[thread] = value;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread % LANES < half {
            shared_values[thread] = nan_max(shared_values[thread], shared_values[thread + half]);
        }
    }
    workgroupBarrier();
    let result = shared_values[thread - thread % LANES];
    workgroupBarrier();
    return result;
}

fn row_sum(thread: u32, value: f32) -> f32 {
    shared_values[thread] = value;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread % LANES < half {
            shared_values[thread] = shared_values[thread] + shared_values[thread + half];
        }
    }
    workgroupBarrier();
    let result = shared_values[thread - thread % LANES];
    workgroupBarrier();
    return result;
}

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
    BODY
}
