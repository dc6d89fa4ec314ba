
// Own rows of LEFT_OPERAND times the others of RIGHT_OPERAND, both LENGTH wide.
fn product_NAME(own: u32, other: u32, thread: u32) -> Tile {
    ACCUMULATORS
    let row = thread / (SLICE / 4u);
    var w = thread % (SLICE / 4u) * 4u;
    var stage = 0u;
    var next_left0 = LEFT_OPERAND_at(own + row, w);
    var next_right0 = RIGHT_OPERAND_at(other + row, w);
    STASH
    workgroupBarrier();
    for (var step = 0u; step < LENGTH; step += SLICE) {
        w += SLICE;
        next_left0 = LEFT_OPERAND_at(own + row, w);
        next_right0 = RIGHT_OPERAND_at(other + row, w);
        let at_left = stage * LEFT_STAGE + ty;
        let at_right = stage * RIGHT_STAGE + tx;
        MULTIPLY
        stage = 1u - stage;
        STASH
        workgroupBarrier();
    }
    return Tile(SUMS);
}
