// A workgroup of 256 threads makes a tile of the weight's gradient, TILE_M output channels by TILE_N weights of each, from a part of
// the positions: K counts images and the positions of each, in slices of 8 as in `implicit.wgsl`.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(256)
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
    let quad = (thread % 2u) * 4u;
    let m = m0 + thread / 2u;
    let has_left = thread / 2u < TILE_M && m < SIZE_M;
    let from_g = FROM_GRAD + (family * SIZE_M + m) * GRAD_C;
    let n = n0 + thread / 2u;
    let has_right = thread / 2u < TILE_N && n < size_n;
    let y_tap = BASE_Y + ((n % taps) / TAPS_X) * DELTA_Y;
    let x_tap = BASE_X + ((n % taps) % TAPS_X) * DELTA_X;
    let from_image = FROM_IMAGE + (family * CHANNELS + n / taps) * IMAGE_C;
    let tx = thread % 16u;
    let ty = thread / 16u;
    ACCUMULATORS
    var k = first + quad;
    GATHER
    stash_left(0u, thread, next_left);
    stash_right(0u, thread, next_right);
    workgroupBarrier();
    var stage = 0u;
    for (var k0 = first; k0 < last; k0 += 8u) {
        k = k0 + 8u + quad;
        GATHER
        let at_left = stage * 8u * LEFT_STRIDE + ty;
        let at_right = stage * 8u * RIGHT_STRIDE + tx;
        MULTIPLY
        stage = 1u - stage;
        stash_left(stage, thread, next_left);
        stash_right(stage, thread, next_right);
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * size_n;
    STORES
}
