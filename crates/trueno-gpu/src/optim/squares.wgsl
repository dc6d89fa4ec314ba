// A workgroup adds up the squares of SPAN vectors, in a fixed tree.

var<workgroup> sums: array<Real, 256>;

fn inside(i: u32) -> vec4<bool> { return vec4(i * 4u) + vec4(0u, 1u, 2u, 3u) < vec4(COUNT); }

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    let to = min((own + 1u) * SPAN, VECTORS);
    var sum = vec4<Real>(0.0);
    for (var i = own * SPAN + thread; i < to; i += 256u) {
        let g = select(vec4<Real>(0.0), load_grad(FROM_G + i), inside(i));
        sum += g * g;
    }
    sums[thread] = (sum.x + sum.y) + (sum.z + sum.w);
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half { sums[thread] += sums[thread + half]; }
    }
    if thread == 0u && own * SPAN < VECTORS { partial[FIRST + own] = sums[0]; }
}
