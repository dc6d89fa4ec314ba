// A workgroup takes a part of a channel, which it holds in registers: it is read once, and its squares are of distances from its own
// mean.

var<workgroup> partial: array<Real, 256>;

fn total(thread: u32, value: Real) -> Real {
    partial[thread] = value;
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half {
            partial[thread] += partial[thread + half];
        }
    }
    workgroupBarrier();
    let result = partial[0];
    workgroupBarrier();
    return result;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let channel = group.x;
    let first = group.y * SPAN;
    let last = min(first + SPAN, WORDS);
    let count = Real(last - first) * WIDTH;
    each let k# = first + thread + #u * 256u; var h# = V(0.0); if k# < last { h# = load_x(((k# / ROW) * CHANNELS + channel) * ROW + k# % ROW); }
    var sum = V(0.0);
    each sum += h#;
    let near = total(thread, fold(sum)) / count;
    // What is left of the sum is as far as the mean was rounded, and its sum.
    var rest = V(0.0);
    each if k# < last { h# -= V(near); rest += h#; }
    let missed = total(thread, fold(rest)) / count;
    let mean = near + missed;
    var squares = V(0.0);
    each if k# < last { h# -= V(missed); squares += h# * h#; }
    let spread = total(thread, fold(squares));
    if thread == 0u {
        let at = channel * PARTS + group.y;
        parts[at] = vec4(count, mean, spread, 0.0);
    }
}
