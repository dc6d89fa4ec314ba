// The mean of a window, whose padding counts as zeros.
fn value(plane: u32, y: u32, x: u32) -> Real {
    let origin = plane_of_x(plane);
    let y0 = y * STRIDE_Y;
    let x0 = x * STRIDE_X;
    let y_end = min(y0 + KERNEL_Y - PADDING_Y, GIVEN_Y);
    let x_end = min(x0 + KERNEL_X - PADDING_X, GIVEN_X);
    var sum = Real(0.0);
    for (var iy = max(y0, PADDING_Y) - PADDING_Y; iy < y_end; iy += 1u) {
        for (var ix = max(x0, PADDING_X) - PADDING_X; ix < x_end; ix += 1u) {
            sum += load_x(origin + iy * X_Y + ix * X_X);
        }
    }
    return sum / AREA;
}
