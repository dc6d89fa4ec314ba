// A workgroup joins the parts of a channel, each thread some and then in a tree: the means of two parts differ, which adds to the
// squares (Chan, Golub and LeVeque, 1979).

var<workgroup> held: array<vec4<Real>, 64>;

fn join(a: vec4<Real>, b: vec4<Real>) -> vec4<Real> {
    // Exactly the other where one has no elements, whatever division rounds to.
    if a.x == 0.0 {
        return b;
    }
    if b.x == 0.0 {
        return a;
    }
    let count = a.x + b.x;
    let distance = b.y - a.y;
    let share = b.x / count;
    return vec4(count, a.y + distance * share, a.z + b.z + distance * distance * a.x * share, 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let channel = group.x;
    var sum = vec4<Real>(0.0);
    for (var part = thread; part < PARTS; part += 64u) {
        sum = join(sum, parts[channel * PARTS + part]);
    }
    held[thread] = sum;
    for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half {
            held[thread] = join(held[thread], held[thread + half]);
        }
    }
    if thread == 0u {
        let variance = held[0].z / held[0].x;
        means[channel] = held[0].y;
        rstds[channel] = 1.0 / ieee_sqrt(variance + EPS);
        variances[channel] = variance;
    }
}
