// A workgroup makes a tile of TILE_M x TILE_N, each thread some vectors of it. Slices along K pass through two stages of
// workgroup memory: the next is fetched while this one is multiplied.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let part = group.z % PARTS;
    let batch = group.z / PARTS;
    let m0 = group.y * TILE_M;
    let n0 = group.x * TILE_N;
    let from_a = OFFSET_A + batch_a(batch);
    let from_b = OFFSET_B + batch_b(batch);
    let first = part * SPAN;
    let last = min(first + SPAN, SIZE_K);
    PLACE
    ACCUMULATORS
    DECLARE
    var k = first;
    if first < last {
        FETCH
    }
    var stage = 0u;
    STASH
    workgroupBarrier();
    while k < last {
        k += SLICE;
        FETCH
        let at_left = stage * LEFT_STAGE + ty;
        let at_right = stage * RIGHT_STAGE + tx;
        MULTIPLY
        stage = 1u - stage;
        STASH
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * SIZE_N;
    STORES
}
