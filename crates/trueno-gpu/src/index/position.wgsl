const END = 0xffffffffu;

// The position that an index says, counted from the end if it is negative; END if it lies outside the axis.
fn place_of(i: u32) -> u32 {
    let p = positions[FROM_P + i];
    if p.y == 0u && p.x < SIZE { return p.x; }
    let back = 0u - p.x;
    if p.y == 0xffffffffu && p.x != 0u && back <= SIZE { return SIZE - back; }
    return END;
}

// The same, telling of what lies outside and then giving the first.
fn checked_place(i: u32) -> u32 {
    let place = place_of(i);
    if place == END {
        report(positions[FROM_P + i], AXIS, SIZE);
        return 0u;
    }
    return place;
}
