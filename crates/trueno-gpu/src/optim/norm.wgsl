// One workgroup adds up what the others have made of all gradients.

var<workgroup> sums: array<Real, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    var sum = Real(0.0);
    for (var i = thread; i < COUNT; i += 256u) { sum += partial[i]; }
    sums[thread] = sum;
    for (var half = 128u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread < half { sums[thread] += sums[thread + half]; }
    }
    if thread == 0u {
        let total = ieee_sqrt(sums[0]);
        norm[0] = total;
        // A NaN spreads: a run that has diverged should show it. An infinite norm leaves nothing.
        let scale = select(MAX_NORM / (total + 1e-6), Real(0.0), is_infinite(total));
        factor[0] = select(min(scale, Real(1.0)), scale, is_nan(scale));
    }
}
