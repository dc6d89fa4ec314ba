
// Adds the others of NAME, each times its weight for an own row: four columns of a thread.
fn gather_NAME(sum: Tile, other: u32, column: u32, thread: u32) -> Tile {
    each var c#_0 = sum.c#;
    let row = thread / (TILE / 4u);
    let at = row * PITCH + thread % (TILE / 4u);
    let lane = column + thread % (TILE / 4u) * 4u;
    var stage = 0u;
    right[at] = NAME_at(other + row, lane);
    workgroupBarrier();
    for (var j = 0u; j < TILE; j += SLICE) {
        let next = NAME_at(other + j + SLICE + row, lane);
        let at_right = stage * RIGHT_STAGE + tx;
        STEPS
        stage = 1u - stage;
        right[stage * RIGHT_STAGE + at] = next;
        workgroupBarrier();
    }
    return Tile(SUMS);
}
