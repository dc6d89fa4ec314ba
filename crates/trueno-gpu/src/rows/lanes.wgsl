// LANES threads share each row; what each of them has joins in a fixed tree.

var<workgroup> shared_values: array<Real, 256>;

fn row_max(thread: u32, value: Real) -> Real {
    shared_values[thread] = value;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread % LANES < half {
            shared_values[thread] = nan_max(shared_values[thread], shared_values[thread + half]);
        }
    }
    workgroupBarrier();
    let result = shared_values[thread - thread % LANES];
    workgroupBarrier();
    return result;
}

fn row_sum(thread: u32, value: Real) -> Real {
    shared_values[thread] = value;
    for (var half = LANES / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if thread % LANES < half {
            shared_values[thread] = shared_values[thread] + shared_values[thread + half];
        }
    }
    workgroupBarrier();
    let result = shared_values[thread - thread % LANES];
    workgroupBarrier();
    return result;
}
