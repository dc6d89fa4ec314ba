// A workgroup works on tiles of TILE rows by TILE columns, of which each of 16 x 16 threads has M x M elements: `t#` is a row.

struct Tile {
    each t#: S,
}

var<workgroup> left: array<f32, LEFT>;
var<workgroup> right: array<S, 256>;
var<workgroup> values: array<vec4<f32>, 256>;
var<workgroup> weights: array<f32, WEIGHTS>;

// The head that is worked on.
var<private> head: u32;

// Writes a row of a thread's part of a tile where all threads read it.
fn put(row: u32, column: u32, v: S) {
    lanes weights[row * PITCH + column + #u] = v.@;
}

// Scores with what is hidden as minus infinity: what lies outside, what the mask hides, and what is yet to come.
fn masked(v: S, row: u32, column: u32) -> S {
    var s = v;
    lanes s.@ = seen(s.@, row, column + #u);
    return s;
}

fn seen(score: f32, row: u32, column: u32) -> f32 {
    if row >= QUERIES || column >= KEYS || HIDDEN { return -infinity(); }
    return score + mask_at(row, column);
}
