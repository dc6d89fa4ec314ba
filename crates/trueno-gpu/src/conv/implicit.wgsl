// A workgroup of 256 threads makes TILE_M channels at TILE_N positions, as a product of the weight with elements of the image that are
// gathered while they are staged: no buffer holds them. K counts the channels of a tap, tap after tap, in slices of 8 that pass
// through two stages of workgroup memory: the next is fetched while this one is multiplied.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tiles_m = (SIZE_M + TILE_M - 1u) / TILE_M;
    let own = group.y * groups.x + group.x;
    let m0 = (own % tiles_m) * TILE_M;
    let n0 = (own / tiles_m) * TILE_N;
    if n0 >= COLUMNS {
        return;
    }
    let family = group.z;
    let from_image = FROM_IMAGE + family * CHANNELS * IMAGE_C;
    let column = n0 + (thread % QUADS) * 4u;
    let row = thread / QUADS;
    LANES
    let tx = thread % 16u;
    let ty = thread / 16u;
    ACCUMULATORS
    let steps = TAPS_Y * TAPS_X * ((CHANNELS + 7u) / 8u);
    var weights = FROM_WEIGHT + family * WEIGHT_GROUP;
    var y_tap = BASE_Y;
    var x_tap = BASE_X;
    var tap_x = 0u;
    var c0 = 0u;
    var next_left = vec4<f32>(0.0);
    var next_right = vec4<f32>(0.0);
    if steps > 0u {
        next_left = fetch_left(weights, m0, c0, CHANNELS, thread);
        GATHER
    }
    stash_left(0u, thread, next_left);
    stash_right(0u, thread, next_right);
    workgroupBarrier();
    var stage = 0u;
    for (var step = 0u; step < steps; step += 1u) {
        c0 += 8u;
        if c0 >= CHANNELS {
            c0 = 0u;
            tap_x += 1u;
            x_tap += DELTA_X;
            weights += WEIGHT_X;
            if tap_x == TAPS_X {
                tap_x = 0u;
                x_tap = BASE_X;
                y_tap += DELTA_Y;
                weights += WEIGHT_Y - TAPS_X * WEIGHT_X;
            }
        }
        if step + 1u < steps {
            next_left = fetch_left(weights, m0, c0, CHANNELS, thread);
            GATHER
        }
        let at_left = stage * 8u * LEFT_STRIDE + ty;
        let at_right = stage * 8u * RIGHT_STRIDE + tx;
        MULTIPLY
        stage = 1u - stage;
        stash_left(stage, thread, next_left);
        stash_right(stage, thread, next_right);
        workgroupBarrier();
    }
    STORES
}
