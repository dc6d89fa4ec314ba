// LANES threads share each result, or each part of one.

var<workgroup> partial: array<SCALAR, 256>;

fn join(a: vec4<SCALAR>, x: vec4<SCALAR>, c: SCALAR) -> vec4<SCALAR> {
    return vec4(
        combine(a.x, part(x.x, c)), combine(a.y, part(x.y, c)), combine(a.z, part(x.z, c)), combine(a.w, part(x.w, c)),
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = thread % LANES;
    let own = (group.y * groups.x + group.x) * (256u / LANES) + thread / LANES;
    let count = RESULTS * PARTS;
    let piece = min(own, count - 1u);
    let row = piece / PARTS;
    let begin = (piece % PARTS) * SPAN;
    let to = min(begin + SPAN, ELEMENTS);
    let zero = SCALAR(0);
    let start = init(zero);
    let center = CENTER;
    var sum = start;
    ACCUMULATE
    partial[thread] = sum;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            partial[thread] = combine(partial[thread], partial[thread + half]);
        }
    }
    if lane == 0u && own < count {
        results[own] = done(partial[thread]);
    }
}
