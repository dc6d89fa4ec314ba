// Sums of losses and of the rows that count, in a fixed tree: a workgroup makes one pair of SPAN.

var<workgroup> sums: array<vec2<Real>, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    let to = min((own + 1u) * SPAN, COUNT);
    var sum = vec2<Real>(0.0);
    for (var i = own * SPAN + thread; i < to; i += 256u) { sum += pair_at(i); }
    sums[thread] = sum;
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half { sums[thread] += sums[thread + half]; }
    }
    if thread == 0u && own < PARTS { out[own] = done(sums[0]); }
}
