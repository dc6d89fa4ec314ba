// A workgroup makes the running sums of a chunk of a row, four neighbours a thread.

var<workgroup> sums: array<ELEMENT, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    if own >= ROWS * CHUNKS {
        return;
    }
    let begin = own % CHUNKS * 1024u + thread * 4u;
    let base = own / CHUNKS * LENGTH + begin;
    let v0 = element(base, begin);
    let v1 = plus(v0, element(base + 1u, begin + 1u));
    let v2 = plus(v1, element(base + 2u, begin + 2u));
    let v3 = plus(v2, element(base + 3u, begin + 3u));
    var sum = v3;
    for (var step = 1u; step < 256u; step *= 2u) {
        sums[thread] = sum;
        workgroupBarrier();
        if thread >= step { sum = plus(sums[thread - step], sum); }
        workgroupBarrier();
    }
    sums[thread] = sum;
    workgroupBarrier();
    var before = ELEMENT();
    if thread > 0u { before = sums[thread - 1u]; }
    if begin < LENGTH { out[base] = plus(before, v0); }
    if begin + 1u < LENGTH { out[base + 1u] = plus(before, v1); }
    if begin + 2u < LENGTH { out[base + 2u] = plus(before, v2); }
    if begin + 3u < LENGTH { out[base + 3u] = plus(before, v3); }
    if thread == 255u { totals[own] = sum; }
}
