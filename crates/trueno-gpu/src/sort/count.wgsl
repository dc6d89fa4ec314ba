// How many keys of a tile have each digit.

var<workgroup> digits: array<atomic<u32>, 16>;

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
    if thread < 16u { atomicStore(&digits[thread], 0u); }
    workgroupBarrier();
    let row = own / TILES;
    let tile = own % TILES;
    for (var k = 0u; k < 4u; k++) {
        let place = tile * 1024u + k * 256u + thread;
        if place < LENGTH { atomicAdd(&digits[(keys[row * LENGTH + place] >> SHIFT) & 15u], 1u); }
    }
    workgroupBarrier();
    if thread < 16u { counts[(row * 16u + thread) * TILES + tile] = atomicLoad(&digits[thread]); }
}
