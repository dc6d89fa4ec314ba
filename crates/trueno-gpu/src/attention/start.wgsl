@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.y * groups.x + group.x;
    let blocks = (OWN_ROWS + TILE - 1u) / TILE;
    if number >= HEADS * blocks * CHUNKS {
        return;
    }
    head = number / (blocks * CHUNKS);
    FIND_HEAD
    let own = number / CHUNKS % blocks * TILE;
    let column = number % CHUNKS * TILE;
    tx = PLACE_X;
    ty = PLACE_Y;
