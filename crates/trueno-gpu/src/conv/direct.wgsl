// One thread for each result, for groups of so few channels that a tile of them would be empty (depthwise convolution).

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = (group.y * groups.x + group.x) * 256u + thread;
    if own >= COUNT {
        return;
    }
    let channel = own / COLUMNS;
    let column = own % COLUMNS;
    let image = column / PLANE;
    let place = column % PLANE;
    let family = channel / SIZE_M;
    let from_image = FROM_IMAGE + image * IMAGE_N + family * CHANNELS * IMAGE_C;
    let weights = FROM_WEIGHT + family * WEIGHT_GROUP + (channel % SIZE_M) * WEIGHT_M;
    let y0 = (place / ROW) * STEP_Y + BASE_Y;
    let x0 = (place % ROW) * STEP_X + BASE_X;
    var sum = Real(0.0);
    for (var tap_y = 0u; tap_y < TAPS_Y; tap_y += 1u) {
        let y = y0 + tap_y * DELTA_Y;
        if y >= HEIGHT {
            continue;
        }
        for (var tap_x = 0u; tap_x < TAPS_X; tap_x += 1u) {
            let x = x0 + tap_x * DELTA_X;
            if x >= WIDTH {
                continue;
            }
            let at = from_image + y * IMAGE_Y + x * IMAGE_X;
            let tap = weights + tap_y * WEIGHT_Y + tap_x * WEIGHT_X;
            for (var c = 0u; c < CHANNELS; c += 1u) {
                sum = fma(load_image(at + c * IMAGE_C), load_weight(tap + c * WEIGHT_K), sum);
            }
        }
    }
    out[FROM_OUT + image * OUT_N + channel * OUT_C + (place / ROW) * OUT_Y + (place % ROW) * OUT_X] = sum BIAS;
}
