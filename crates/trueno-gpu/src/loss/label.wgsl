struct Class { index: u32, counts: bool }

// The label of a row; rows that are ignored or have none that exists count for nothing.
fn label_of(row: u32, tells: bool) -> Class {
    let label = labels[FROM_L + row];
    let ignored = (FLAGS & 1u) != 0u && all(label == vec2(IGNORE_LOW, IGNORE_HIGH));
    let exists = label.y == 0u && label.x < WORDS * WIDTH;
    if tells && !ignored && !exists { report(label, 1u, WORDS * WIDTH); }
    return Class(select(0u, label.x, exists), exists && !ignored);
}
