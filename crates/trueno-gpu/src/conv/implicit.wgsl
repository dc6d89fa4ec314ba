// A workgroup makes TILE_M channels at TILE_N positions, as a product of the weight with elements of the image that are
// gathered while they are staged: no buffer holds them. K counts the channels of a tap, tap after tap, in slices that pass
// through two stages of workgroup memory: the next is fetched while this one is multiplied.

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;

@compute @workgroup_size(THREADS)
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
    PLACE
    ACCUMULATORS
    let steps = TAPS_Y * TAPS_X * ((CHANNELS + SLICE - 1u) / SLICE);
    var weights = FROM_WEIGHT + family * WEIGHT_GROUP;
    var y_tap = BASE_Y;
    var x_tap = BASE_X;
    var tap_x = 0u;
    var c0 = 0u;
    DECLARE
    if steps > 0u {
        FETCH
    }
    var stage = 0u;
    STASH
    workgroupBarrier();
    for (var step = 0u; step < steps; step += 1u) {
        c0 += SLICE;
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
            FETCH
        }
        let at_left = stage * LEFT_STAGE + ty;
        let at_right = stage * RIGHT_STAGE + tx;
        MULTIPLY
        stage = 1u - stage;
        STASH
        workgroupBarrier();
    }
    STORES
}
