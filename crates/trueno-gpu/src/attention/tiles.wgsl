// A workgroup works on tiles of TILE rows of its own by TILE others; each thread on ROWS x 4 elements of one, `c#` being a row.
// Queries are its own rows and keys the others, or the other way round.

struct Tile {
    each c#: vec4<f32>,
}

var<workgroup> left: array<vec4<f32>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f32>, RIGHT_TOTAL>;
// The tile where all threads read it: by the other's number, in vectors of four own rows.
var<workgroup> weights: array<vec4<f32>, WEIGHTS>;

// The head that is worked on.
var<private> head: u32;
// Where a thread works in a tile.
var<private> tx: u32;
var<private> ty: u32;

// Where four own rows of the tile lie: turned by the other's number, so that threads that write do not meet in one bank.
fn held(other: u32, four: u32) -> u32 {
    return other * (TILE / 4u) + (four ^ (other / 4u % (TILE / 4u)));
}

fn own_row(row: u32) -> u32 {
    return row / 4u * 4u * DOWN + ty * 4u + row % 4u;
}

// The score of an own row and another.
fn seen_by_key(score: f32, own: u32, other: u32) -> f32 {
    return seen(score, other, own);
}

// A score with what is hidden as minus infinity: what lies outside, what the mask hides, and what is yet to come.
fn seen(score: f32, row: u32, column: u32) -> f32 {
    if row >= QUERIES || column >= KEYS || HIDDEN { return -infinity(); }
    return score + mask_at(row, column);
}

// The scores of an own row and four others.
fn seen_row(s: vec4<f32>, own: u32, other: u32) -> vec4<f32> {
    return vec4(
        SEEN(s.x, own, other), SEEN(s.y, own, other + 1u), SEEN(s.z, own, other + 2u), SEEN(s.w, own, other + 3u)
    );
}

fn masked(s: Tile, own: u32, other: u32) -> Tile {
    return Tile(
        each seen_row(s.c#, own + own_row(#u), other + tx * 4u),
    );
}

// Writes a thread's part of a tile where all threads read it.
fn put(t: Tile) {
    PUT
}
