// A workgroup of 256 threads makes a tile of TILE_M x TILE_N; each thread 4 RM x 4 RN of it, as rows of vectors. Slices of 8
// along K pass through two stages of workgroup memory: the next is fetched while this one is multiplied.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let part = group.z % PARTS;
    let batch = group.z / PARTS;
    let m0 = group.y * TILE_M;
    let n0 = group.x * TILE_N;
    let from_a = OFFSET_A + batch_a(batch);
    let from_b = OFFSET_B + batch_b(batch);
    let first = part * SPAN;
    let last = min(first + SPAN, SIZE_K);
    let tx = thread % 16u;
    let ty = thread / 16u;
    ACCUMULATORS
    stash_left(0u, thread, fetch_left(from_a, m0, first, last, thread));
    stash_right(0u, thread, fetch_right(from_b, n0, first, last, thread));
    workgroupBarrier();
    var stage = 0u;
    for (var k0 = first; k0 < last; k0 += 8u) {
        let next_left = fetch_left(from_a, m0, k0 + 8u, last, thread);
        let next_right = fetch_right(from_b, n0, k0 + 8u, last, thread);
        let at_left = stage * 8u * LEFT_STRIDE + ty;
        let at_right = stage * 8u * RIGHT_STRIDE + tx;
        MULTIPLY
        stage = 1u - stage;
        stash_left(stage, thread, next_left);
        stash_right(stage, thread, next_right);
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * SIZE_N;
    STORES
}
