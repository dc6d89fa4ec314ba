struct Largest {
    value: Real,
    place: u32,
}

// The largest element of a window and its position in the plane: NaN if there is one, the first of equals.
fn value(plane: u32, y: u32, x: u32) -> Largest {
    let origin = plane_of_x(plane);
    let y0 = y * STRIDE_Y;
    let x0 = x * STRIDE_X;
    let y_first = max(y0, PADDING_Y) - PADDING_Y;
    let x_first = max(x0, PADDING_X) - PADDING_X;
    let y_end = min(y0 + KERNEL_Y - PADDING_Y, GIVEN_Y);
    let x_end = min(x0 + KERNEL_X - PADDING_X, GIVEN_X);
    var best = y_first * GIVEN_X + x_first;
    var largest = load_x(origin + y_first * X_Y + x_first * X_X);
    for (var iy = y_first; iy < y_end; iy += 1u) {
        for (var ix = x_first; ix < x_end; ix += 1u) {
            let candidate = load_x(origin + iy * X_Y + ix * X_X);
            if candidate > largest || (is_nan(candidate) && !is_nan(largest)) {
                largest = candidate;
                best = iy * GIVEN_X + ix;
            }
        }
    }
    return Largest(largest, best);
}
