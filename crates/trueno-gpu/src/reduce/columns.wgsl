// Each thread makes four neighbouring results, or a part of them.

fn join(a: vec4<SCALAR>, x: vec4<SCALAR>, c: vec4<SCALAR>) -> vec4<SCALAR> {
    return vec4(
        combine(a.x, part(x.x, c.x)), combine(a.y, part(x.y, c.y)), combine(a.z, part(x.z, c.z)), combine(a.w, part(x.w, c.w)),
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = (group.y * groups.x + group.x) * 256u + thread;
    let columns = RESULTS / 4u;
    if own >= columns * PARTS {
        return;
    }
    let column = own % columns;
    let begin = (own / columns) * SPAN;
    let to = min(begin + SPAN, ELEMENTS);
    let base = OFFSET + kept_at(column * 4u);
    let zero = SCALAR(0);
    let center = CENTER;
    var sum = vec4(init(zero));
    var r = begin;
    for (; r + 3u < to; r += 4u) {
        let x0 = load_elements((base + joined_at(r)) / 4u);
        let x1 = load_elements((base + joined_at(r + 1u)) / 4u);
        let x2 = load_elements((base + joined_at(r + 2u)) / 4u);
        let x3 = load_elements((base + joined_at(r + 3u)) / 4u);
        sum = join(join(join(join(sum, x0, center), x1, center), x2, center), x3, center);
    }
    for (; r < to; r++) {
        sum = join(sum, load_elements((base + joined_at(r)) / 4u), center);
    }
    results[own] = vec4(done(sum.x), done(sum.y), done(sum.z), done(sum.w));
}
