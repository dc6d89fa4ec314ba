
// Rows of one operand times rows of another, both LENGTH wide.
fn product_NAME(row: u32, column: u32, thread: u32) -> Tile {
    let y = thread / 16u;
    let x = thread % 16u;
    each var t# = S(0.0);
    for (var w = 0u; w < LENGTH; w += 16u) {
        workgroupBarrier();
        for (var e = thread; e < 16u * TILE; e += 256u) {
            left[(e % 16u) * TILE + e / 16u] = A_at(row + e / 16u, w + e % 16u);
        }
        let c = w + x;
        let first = column + y * M;
        var r = S(0.0);
        lanes r.@ = B_at(first + #u, c);
        right[x * 16u + y] = r;
        workgroupBarrier();
        for (var d = 0u; d < 16u; d++) {
            let other = right[d * 16u + x];
            each t# += left[d * TILE + y * M + #u] * other;
        }
    }
    var tile: Tile;
    each tile.t# = t#;
    return tile;
}
