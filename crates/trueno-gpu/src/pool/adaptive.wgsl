// The mean of a window whose size follows from those of operand and result.
fn value(plane: u32, y: u32, x: u32) -> Real {
    let origin = plane_of_x(plane);
    let rows = share(y, MADE_Y, GIVEN_Y);
    let columns = share(x, MADE_X, GIVEN_X);
    var sum = Real(0.0);
    for (var iy = rows.x; iy < rows.y; iy += 1u) {
        var row = Real(0.0);
        for (var ix = columns.x; ix < columns.y; ix += 1u) {
            row += load_x(origin + iy * X_Y + ix * X_X);
        }
        sum += row;
    }
    return sum / Real((rows.y - rows.x) * (columns.y - columns.x));
}
