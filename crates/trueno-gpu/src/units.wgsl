// Subgroups make a tile, each FRAGS_M x FRAGS_N fragments of 16 x 16 on matrix units. Slices of both operands pass through workgroup
// memory; the next is fetched into registers while this one is multiplied.

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let subgroup = thread / 32u;
    let lane = thread % 32u;
    let sub_m = (subgroup / SUBGROUPS_N) * (FRAGS_M * 16u);
    let sub_n = (subgroup % SUBGROUPS_N) * (FRAGS_N * 16u);
    SETUP
    ACCUMULATORS
    LOOP
    STORES
}
