// The share of this element in the gradients of the windows over it: those windows lie as windows of the opposite pooling do.
fn value(plane: u32, y: u32, x: u32) -> Real {
    let origin = plane_of_x(plane);
    let rows = share(y, MADE_Y, GIVEN_Y);
    let columns = share(x, MADE_X, GIVEN_X);
    var sum = Real(0.0);
    for (var oy = rows.x; oy < rows.y; oy += 1u) {
        let height = share(oy, GIVEN_Y, MADE_Y);
        for (var ox = columns.x; ox < columns.y; ox += 1u) {
            let width = share(ox, GIVEN_X, MADE_X);
            sum += load_x(origin + oy * X_Y + ox * X_X) / Real((height.y - height.x) * (width.y - width.x));
        }
    }
    return sum;
}
