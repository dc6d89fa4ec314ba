// A workgroup sorts a row in its own memory (Batcher, 1968); equal keys are told apart by their places, which keeps their order.

var<workgroup> keys: array<KEY, SIZE>;
var<workgroup> places: array<u32, SIZE>;

fn follows(a: u32, b: u32) -> bool {
    return greater(keys[a], keys[b]) || (all(keys[a] == keys[b]) && places[a] > places[b]);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= ROWS {
        return;
    }
    for (var e = thread; e < SIZE; e += 256u) {
        // What fills up a row has places beyond it, and stays behind all of it.
        keys[e] = KEY(0xffffffffu);
        if e < LENGTH { keys[e] = rank(load_x(FROM + row * LENGTH + e)); }
        places[e] = e;
    }
    for (var run = 2u; run <= SIZE; run *= 2u) {
        for (var step = run / 2u; step > 0u; step /= 2u) {
            workgroupBarrier();
            for (var e = thread; e < SIZE; e += 256u) {
                let other = e ^ step;
                if other > e && follows(e, other) == ((e & run) == 0u) {
                    let key = keys[e];
                    let place = places[e];
                    keys[e] = keys[other];
                    places[e] = places[other];
                    keys[other] = key;
                    places[other] = place;
                }
            }
        }
    }
    workgroupBarrier();
    for (var e = thread; e < TAKE; e += 256u) { out[row * TAKE + e] = vec2(places[e], 0u); }
}
