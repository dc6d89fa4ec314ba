// The sum of the gradients of the windows whose largest element this is.
fn value(plane: u32, y: u32, x: u32) -> Real {
    let origin = plane_of_x(plane);
    let rows = windows_over(y, PADDING_Y, KERNEL_Y, STRIDE_Y, GIVEN_Y);
    let columns = windows_over(x, PADDING_X, KERNEL_X, STRIDE_X, GIVEN_X);
    var sum = Real(0.0);
    for (var oy = rows.x; oy < rows.y; oy += 1u) {
        for (var ox = columns.x; ox < columns.y; ox += 1u) {
            if positions[(plane * GIVEN_Y + oy) * GIVEN_X + ox] == y * MADE_X + x {
                sum += load_x(origin + oy * X_Y + ox * X_X);
            }
        }
    }
    return sum;
}
