// LANES threads share four neighbouring results, or a part of them, and step through their elements side by side. They join in a
// tree.

fn join(a: vec4<SCALAR>, x: vec4<SCALAR>, c: vec4<SCALAR>) -> vec4<SCALAR> {
    return both(a, vec4(part(x.x, c.x), part(x.y, c.y), part(x.z, c.z), part(x.w, c.w)));
}

fn both(a: vec4<SCALAR>, b: vec4<SCALAR>) -> vec4<SCALAR> {
    return vec4(combine(a.x, b.x), combine(a.y, b.y), combine(a.z, b.z), combine(a.w, b.w));
}

var<workgroup> joined: array<vec4<SCALAR>, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let across = 256u / LANES;
    let lane = thread / across;
    let own = (group.y * groups.x + group.x) * across + thread % across;
    let columns = RESULTS / 4u;
    let column = own % columns;
    let begin = (own / columns) * SPAN;
    // Past the last part there is nothing to join.
    let to = select(0u, min(begin + SPAN, ELEMENTS), own < columns * PARTS);
    let base = OFFSET + kept_at(column * 4u);
    let zero = SCALAR(0);
    let center = CENTER;
    var sum = vec4(init(zero));
    var r = begin + lane;
    for (; r + 3u * LANES < to; r += 4u * LANES) {
        let x0 = load_elements((base + joined_at(r)) / 4u);
        let x1 = load_elements((base + joined_at(r + LANES)) / 4u);
        let x2 = load_elements((base + joined_at(r + 2u * LANES)) / 4u);
        let x3 = load_elements((base + joined_at(r + 3u * LANES)) / 4u);
        sum = join(join(join(join(sum, x0, center), x1, center), x2, center), x3, center);
    }
    for (; r < to; r += LANES) {
        sum = join(sum, load_elements((base + joined_at(r)) / 4u), center);
    }
    joined[thread] = sum;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            sum = both(sum, joined[thread + half * across]);
            joined[thread] = sum;
        }
    }
    if lane == 0u && own < columns * PARTS {
        results[own] = vec4(done(sum.x), done(sum.y), done(sum.z), done(sum.w));
    }
}
