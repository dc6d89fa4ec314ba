// A workgroup for each weight of groups of few channels: its threads take positions in turn, and join in a tree.

var<workgroup> partial: array<Real, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let own = group.y * groups.x + group.x;
    if own >= COUNT {
        return;
    }
    let taps = TAPS_Y * TAPS_X;
    let channel = own / (CHANNELS * taps);
    let within = own % (CHANNELS * taps);
    let y_tap = BASE_Y + ((within % taps) / TAPS_X) * DELTA_Y;
    let x_tap = BASE_X + ((within % taps) % TAPS_X) * DELTA_X;
    let from_image = FROM_IMAGE + ((channel / SIZE_M) * CHANNELS + within / taps) * IMAGE_C;
    let from_g = FROM_GRAD + channel * GRAD_C;
    var sum = Real(0.0);
    for (var k = thread; k < COLUMNS; k += 256u) {
        let image = k / PLANE;
        let place = k % PLANE;
        let y = (place / ROW) * STEP_Y + y_tap;
        let x = (place % ROW) * STEP_X + x_tap;
        if y < HEIGHT && x < WIDTH {
            let g = load_grad(from_g + image * GRAD_N + (place / ROW) * GRAD_Y + (place % ROW) * GRAD_X);
            sum = fma(g, load_image(from_image + image * IMAGE_N + y * IMAGE_Y + x * IMAGE_X), sum);
        }
    }
    partial[thread] = sum;
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half {
            partial[thread] += partial[thread + half];
        }
    }
    if thread == 0u {
        out[own] = partial[0];
    }
}
