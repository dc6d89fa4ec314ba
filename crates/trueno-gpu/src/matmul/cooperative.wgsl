// Eight subgroups make a tile of TILE_M x TILE_N, each FRAGS_M x FRAGS_N fragments of 16 x 16. Slices of 32 along K pass through
// workgroup memory; the next is fetched into registers while this one is multiplied.

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
    for (var k0 = 0u; k0 < SIZE_K; k0 += 32u) {
        STASH
        workgroupBarrier();
        let k1 = min(k0 + 32u, SIZE_K - 32u);
        FETCH_NEXT
        for (var k = 0u; k < 32u; k += 16u) {
            MULTIPLY
        }
        workgroupBarrier();
    }
    let base = group.z * SIZE_M * SIZE_N + (m0 + sub_m) * SIZE_N + n0 + sub_n;
    let stride = SIZE_N;
    STORES
}
