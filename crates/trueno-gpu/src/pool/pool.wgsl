// Each thread makes four neighbouring results, one at a time: windows are gathered, nothing is added to from two sides.

// Where a plane of the operand begins.
fn plane_of_x(plane: u32) -> u32 {
    return FROM_X + (plane / CHANNELS) * X_N + (plane % CHANNELS) * X_C;
}

// The first window that reaches a position, and the one after the last, of `count` along an axis.
fn windows_over(at: u32, padding: u32, kernel: u32, stride: u32, count: u32) -> vec2<u32> {
    let last = at + padding;
    let first = select(0u, (last - kernel) / stride + 1u, last >= kernel);
    return vec2(first, min(last / stride + 1u, count));
}

// The elements of window `i` of `outer` that share `inner` elements as evenly as can be.
fn share(i: u32, outer: u32, inner: u32) -> vec2<u32> {
    return vec2(i * inner / outer, ((i + 1u) * inner + outer - 1u) / outer);
}

VALUE

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = (group.y * groups.x + group.x) * 256u + thread;
    if own * 4u >= COUNT {
        return;
    }
    var v = vec4<Real>(0.0);
    POSITIONS
    for (var lane = 0u; lane < 4u; lane += 1u) {
        let i = min(own * 4u + lane, COUNT - 1u);
        let plane = i / (MADE_Y * MADE_X);
        let place = i % (MADE_Y * MADE_X);
        ASSIGN
    }
    STORE
}
