// LANES threads share each result: each finds the first best of its own elements, and the lower position wins a tie.

fn place_of(unit: u32, r: u32) -> u32 {
    return PLACE;
}

var<workgroup> ranks: array<RANK, 256>;
var<workgroup> places: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let lane = thread % LANES;
    let own = (group.y * groups.x + group.x) * (256u / LANES) + thread / LANES;
    let unit = min(own, ROWS - 1u);
    let base = OFFSET + kept_at(RESULT);
    let first = FIRST;
    let end = END;
    var place = place_of(unit, min(first + lane, end - 1u));
    var best = rank(load_elements(base + joined_at(place)));
    for (var r = first + lane + LANES; r < end; r += LANES) {
        let there = place_of(unit, r);
        let other = rank(load_elements(base + joined_at(there)));
        if better(other, best) {
            best = other;
            place = there;
        }
    }
    ranks[thread] = best;
    places[thread] = place;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            let other = ranks[thread + half];
            let there = places[thread + half];
            if better(other, best) || (!better(best, other) && there < place) {
                best = other;
                place = there;
                ranks[thread] = best;
                places[thread] = place;
            }
        }
    }
    if lane == 0u && own < ROWS {
        positions[own] = vec2(place, 0u);
    }
}
