// A workgroup joins the parts of a channel's two sums.

var<workgroup> held: array<vec2<Real>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let channel = group.x;
    var sum = vec2<Real>(0.0);
    for (var part = thread; part < PARTS; part += 64u) {
        sum += parts[channel * PARTS + part];
    }
    held[thread] = sum;
    for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half {
            held[thread] += held[thread + half];
        }
    }
    if thread == 0u {
        biases[channel] = held[0].x;
        weights[channel] = held[0].y * rstds[channel];
    }
}
