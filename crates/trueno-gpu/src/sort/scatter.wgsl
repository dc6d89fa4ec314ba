// Moves keys and places to where their digit belongs; those of one digit keep their order, told by bits of the threads before.

var<workgroup> before: array<atomic<u32>, 128>;
var<workgroup> starts: array<u32, 16>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    if own >= ROWS * TILES {
        return;
    }
    let row = own / TILES;
    let tile = own % TILES;
    if thread < 16u {
        let at = (row * 16u + thread) * TILES + tile;
        starts[thread] = sums[at] - counts[at];
    }
    let word = thread / 32u;
    for (var k = 0u; k < 4u; k++) {
        if thread < 128u { atomicStore(&before[thread], 0u); }
        workgroupBarrier();
        let place = tile * 1024u + k * 256u + thread;
        let inside = place < LENGTH;
        var key = 0u;
        if inside { key = keys[row * LENGTH + place]; }
        let digit = (key >> SHIFT) & 15u;
        if inside { atomicOr(&before[digit * 8u + word], 1u << (thread % 32u)); }
        workgroupBarrier();
        if inside {
            var to = row * LENGTH + starts[digit];
            to += countOneBits(atomicLoad(&before[digit * 8u + word]) & ((1u << (thread % 32u)) - 1u));
            for (var w = 0u; w < word; w++) { to += countOneBits(atomicLoad(&before[digit * 8u + w])); }
            moved_keys[to] = key;
            moved_places[to] = places[row * LENGTH + place];
        }
        workgroupBarrier();
        if thread < 16u {
            var count = 0u;
            for (var w = 0u; w < 8u; w++) { count += countOneBits(atomicLoad(&before[thread * 8u + w])); }
            starts[thread] += count;
        }
        workgroupBarrier();
    }
}
