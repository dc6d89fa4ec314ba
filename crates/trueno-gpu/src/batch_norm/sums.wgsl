// A workgroup sums the gradient, and its product with the normalised operand, over a part of a channel.

var<workgroup> partial: array<vec2<Real>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let channel = group.x;
    let first = group.y * SPAN;
    let last = min(first + SPAN, WORDS);
    let mean = means[channel];
    var sum = V(0.0);
    var product = V(0.0);
    for (var k = first + thread; k < last; k += 256u) {
        let at = ((k / ROW) * CHANNELS + channel) * ROW + k % ROW;
        let g = load_g(at);
        sum += g;
        product += g * (load_x(at) - V(mean));
    }
    partial[thread] = vec2(fold(sum), fold(product));
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half {
            partial[thread] += partial[thread + half];
        }
    }
    if thread == 0u {
        parts[channel * PARTS + group.y] = partial[0];
    }
}
