// LANES threads share each row, and read it as often as they need: it stays in the cache.

fn term(v: V, shift: Real) -> V { return wide_exp(v - V(shift)); }

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    SETTLE
    let lane = thread % LANES;
    let own = (group.y * groups.x + group.x) * (256u / LANES) + thread / LANES;
    let row = min(own, ROWS - 1u);
    let base = FROM_X + row * WORDS;
    var top = V(-infinity());
    for (var c = lane; c < WORDS; c += LANES) { top = wide_max(top, load_x(base + c)); }
    let largest = row_max(thread, fold_max(top));
    BODY
}
