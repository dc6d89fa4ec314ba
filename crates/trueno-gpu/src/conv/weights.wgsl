// A workgroup makes a tile of the weight's gradient, TILE_M output channels by TILE_N weights of each, from a part of
// the positions: K counts images and the positions of each, in slices as in `implicit.wgsl`.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let taps = TAPS_Y * TAPS_X;
    let size_n = CHANNELS * taps;
    let tiles_m = (SIZE_M + TILE_M - 1u) / TILE_M;
    let own = group.y * groups.x + group.x;
    let m0 = (own % tiles_m) * TILE_M;
    let n0 = (own / tiles_m) * TILE_N;
    if n0 >= size_n {
        return;
    }
    let family = group.z % FAMILIES;
    let first = (group.z / FAMILIES) * SPAN;
    let last = min(first + SPAN, COLUMNS);
    let quad = thread % (SLICE / 4u) * 4u;
    let row = thread / (SLICE / 4u);
    ROWS
    PLACE
    ACCUMULATORS
    DECLARE
    var k = first + quad;
    FETCH
    var stage = 0u;
    STASH
    workgroupBarrier();
    for (var k0 = first; k0 < last; k0 += SLICE) {
        k = k0 + SLICE + quad;
        FETCH
        let at_left = stage * LEFT_STAGE + ty;
        let at_right = stage * RIGHT_STAGE + tx;
        MULTIPLY
        stage = 1u - stage;
        STASH
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * size_n;
    STORES
}
