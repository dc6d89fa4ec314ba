// Eight subgroups make a tile of TILE_M x TILE_N, each FRAGS_M x FRAGS_N fragments of 16 x 16. Slices of 16 along K pass through
// two stages of workgroup memory: the next is fetched into registers while this one is multiplied.

var<workgroup> left: array<vec4<f16>, LEFT_TOTAL>;
var<workgroup> right: array<vec4<f16>, RIGHT_TOTAL>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let from_a = OFFSET_A + batch_a(group.z);
    let from_b = OFFSET_B + batch_b(group.z);
    let m0 = group.y * TILE_M;
    let n0 = group.x * TILE_N;
    let subgroup = thread / 32u;
    let sub_m = (subgroup / SUBGROUPS_N) * (FRAGS_M * 16u);
    let sub_n = (subgroup % SUBGROUPS_N) * (FRAGS_N * 16u);
    ACCUMULATORS
    FETCH_FIRST
    var stage = 0u;
    STASH
    workgroupBarrier();
    for (var k0 = 0u; k0 < SIZE_K; k0 += 16u) {
        let k1 = min(k0 + 16u, SIZE_K - 16u);
        FETCH_NEXT
        MULTIPLY
        stage = 1u - stage;
        STASH
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * SIZE_N + (m0 + sub_m) * SIZE_N + n0 + sub_n;
    let stride = SIZE_N;
    STORES
}
