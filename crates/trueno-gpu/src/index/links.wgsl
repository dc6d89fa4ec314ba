// Elements that go to one place are a chain in the order of the axis: where its first is, and after each the next.

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.y * groups.x + group.x) * 256u + thread;
    if i >= COUNT {
        return;
    }
    let place = place_of(i);
    if place == END {
        report(positions[FROM_P + i], AXIS, SIZE);
        return;
    }
    let outer = i / (LENGTH * INNER);
    atomicMin(&heads[(outer * SIZE + place) * INNER + i % INNER], i);
    let end = (outer + 1u) * LENGTH * INNER;
    var other = i + INNER;
    while other < end && place_of(other) != place { other += INNER; }
    next[i] = select(END, other, other < end);
}
