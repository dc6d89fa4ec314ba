//! Every path, on every instruction set, against sums in `f64`.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;
use crate::simd::Real;

/// Small integers, whose products and sums are exact in both types: a wrong element cannot hide in a tolerance.
fn integers<T: Real>(seed: u64, len: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            T::from_f64((state >> 33) as f64 % 9.0 - 4.0)
        })
        .collect()
}

fn element<T: Real>(m: &MatRef<'_, T>, row: usize, col: usize) -> f64 {
    // SAFETY: callers stay inside the matrix.
    unsafe { (*m.at(row, col)).to_f64() }
}

/// What `gemm` must give for one element.
fn expected<T: Real>(
    a: &MatRef<'_, T>,
    b: &MatRef<'_, T>,
    old: f64,
    epilogue: &Epilogue<'_, T>,
    i: usize,
    j: usize,
) -> f64 {
    let mut sum: f64 = (0..a.cols()).map(|p| element(a, i, p) * element(b, p, j)).sum();
    if epilogue.accumulate {
        sum += old;
    }
    match epilogue.bias {
        Bias::None => {}
        Bias::PerRow(bias) => sum += bias[i].to_f64(),
        Bias::PerColumn(bias) => sum += bias[j].to_f64(),
    }
    match epilogue.activation {
        Activation::Identity => sum,
        Activation::Relu => sum.max(0.0),
    }
}

fn check<T: Real>(isa: Isa, a: MatRef<'_, T>, b: MatRef<'_, T>, epilogue: &Epilogue<'_, T>) {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let stride = n + 3;
    let before = integers::<T>(7, m * stride);
    let [narrow, wide] = [1, 8].map(|tiles| small_blocks::<T>(isa, [m, n, k], tiles));
    for plan in [Plan::new::<T>(isa, m, n, k), Plan::packed::<T>(isa, m, n, k), narrow, wide] {
        let mut scratch = vec![T::NAN; plan.scratch_len()];
        let mut data = before.clone();
        gemm(isa, &plan, a, b, MatMut::new(&mut data, m, n, stride), epilogue, &mut scratch);
        for i in 0..m {
            for j in 0..stride {
                let old = before[i * stride + j].to_f64();
                let want = if j < n { expected(&a, &b, old, epilogue, i, j) } else { old };
                assert_eq!(data[i * stride + j].to_f64(), want, "{} {m}x{k}x{n} [{i}, {j}] {plan:?}", isa.level());
            }
        }
    }
}

/// A plan that cuts axes, however short, into blocks of so many tiles: eight are enough to pack the left factor.
fn small_blocks<T: Real>(isa: Isa, [m, n, k]: [usize; 3], tiles: usize) -> Plan {
    let plan = Plan::packed::<T>(isa, m, n, k);
    Plan { kc: 5, nc: tiles * plan.tile.cols, ..plan }
}

fn shapes() -> Vec<[usize; 3]> {
    let mut shapes = vec![];
    for m in [0, 1, 2, 5, 6, 7, 14, 15, 33] {
        for n in [0, 1, 3, 8, 16, 17, 31, 33, 70] {
            for k in [0, 1, 2, 9, 40] {
                shapes.push([m, n, k]);
            }
        }
    }
    shapes.extend([[1, 300, 130], [130, 1, 300], [1, 1, 1000], [45, 50, 300]]);
    shapes
}

fn every_shape<T: Real>() {
    for isa in Isa::available() {
        for [m, n, k] in shapes() {
            let (a, b) = (integers::<T>(1, m * k), integers::<T>(2, k * n));
            check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n), &Epilogue::STORE);
        }
    }
}

#[test]
fn products_of_every_shape_f32() {
    every_shape::<f32>();
}

#[test]
fn products_of_every_shape_f64() {
    every_shape::<f64>();
}

#[test]
fn any_strides() {
    for isa in Isa::available() {
        for [m, n, k] in [[1, 9, 7], [9, 1, 7], [4, 20, 6], [20, 37, 19], [50, 40, 45], [31, 300, 21]] {
            let paged = integers::<f32>(3, m * 1024 + k);
            let (a, b) = (integers::<f32>(1, 2 * m * k), integers::<f32>(2, 3 * k * n));
            let (mi, ki, ni) = (m as isize, k as isize, n as isize);
            let lefts = [
                MatRef::row_major(&a, k, m).transposed(),
                MatRef::new(&a, 0, [m, k], [2 * ki, 2]),
                MatRef::new(&a, m * k - 1, [m, k], [-ki, -1]),
                MatRef::new(&a, 0, [m, k], [0, 1]),
                // Rows that fall on the same lines of the first level.
                MatRef::new(&paged, 0, [m, k], [1024, 1]),
                MatRef::new(&a, 0, [m, k], [1, mi]),
            ];
            let rights = [
                MatRef::row_major(&b, n, k).transposed(),
                MatRef::new(&b, 0, [k, n], [3 * ni, 3]),
                MatRef::new(&b, n - 1, [k, n], [ni, -1]),
                MatRef::new(&b, 0, [k, n], [1, 0]),
                MatRef::row_major(&b, k, n),
            ];
            for left in lefts {
                for right in rights {
                    check(isa, left, right, &Epilogue::STORE);
                }
            }
        }
    }
}

#[test]
fn epilogues() {
    for isa in Isa::available() {
        for [m, n, k] in [[1, 40, 9], [40, 1, 9], [3, 3, 0], [7, 35, 11], [30, 70, 33], [50, 50, 300]] {
            let (a, b) = (integers::<f64>(1, m * k), integers::<f64>(2, k * n));
            let bias = integers::<f64>(3, m.max(n));
            for accumulate in [false, true] {
                for bias in [Bias::None, Bias::PerRow(&bias[..m]), Bias::PerColumn(&bias[..n])] {
                    for activation in [Activation::Identity, Activation::Relu] {
                        let epilogue = Epilogue { accumulate, bias, activation };
                        check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n), &epilogue);
                    }
                }
            }
        }
    }
}

#[test]
fn relu_keeps_nan_and_stops_the_rest() {
    for isa in Isa::available() {
        let plan = Plan::new::<f32>(isa, 2, 2, 1);
        let mut scratch = vec![0.0; plan.scratch_len()];
        let mut c = [0.0; 4];
        let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::STORE };
        let a = MatRef::row_major(&[1.0, -1.0], 2, 1);
        let b = MatRef::row_major(&[f32::NAN, f32::INFINITY], 1, 2);
        gemm(isa, &plan, a, b, MatMut::row_major(&mut c, 2, 2), &epilogue, &mut scratch);
        assert!(c[0].is_nan() && c[2].is_nan(), "{c:?}");
        assert_eq!([c[1], c[3]], [f32::INFINITY, 0.0]);
    }
}

#[test]
fn nan_and_infinity_reach_their_row_and_column_alone() {
    for isa in Isa::available() {
        for [m, n, k] in [[1, 40, 9], [40, 1, 9], [5, 7, 3], [45, 67, 20], [45, 300, 20]] {
            let (mut a, mut b) = (vec![1.0_f32; m * k], vec![1.0_f32; k * n]);
            let (row, col, step) = (m / 2, n / 3, k - 1);
            a[row * k + step] = f32::INFINITY;
            b[step * n + col] = 0.0;
            let plan = Plan::new::<f32>(isa, m, n, k);
            let (mut scratch, mut c) = (vec![f32::NAN; plan.scratch_len()], vec![0.0; m * n]);
            let right = MatRef::row_major(&b, k, n);
            for right in [right, MatRef::row_major(&transposed(&b, k, n), n, k).transposed()] {
                let left = MatRef::row_major(&a, m, k);
                gemm(isa, &plan, left, right, MatMut::row_major(&mut c, m, n), &Epilogue::STORE, &mut scratch);
                for (at, &value) in c.iter().enumerate() {
                    match (at / n == row, at % n == col) {
                        (true, true) => assert!(value.is_nan(), "infinity times zero"),
                        (true, false) => assert_eq!(value, f32::INFINITY),
                        (false, true) => assert_eq!(value, k as f32 - 1.0),
                        (false, false) => assert_eq!(value, k as f32),
                    }
                }
            }
        }
    }
}

/// The elements of a `[rows, cols]` matrix, column after column.
fn transposed(matrix: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..rows * cols).map(|i| matrix[i % rows * cols + i / rows]).collect()
}

/// Values whose sums round, so that another order would show.
fn fractions(seed: u64, len: usize) -> Vec<f32> {
    integers::<f32>(seed, len).iter().enumerate().map(|(i, v)| v / 7.0 + 1.0 / (i as f32 + 3.0)).collect()
}

#[test]
fn blocks_of_a_plan_give_the_bits_of_the_whole() {
    for isa in Isa::available() {
        for [m, n, k] in [[60, 90, 700], [20, 30, 40], [1, 200, 100], [200, 1, 100], [6, 100, 300]] {
            let (a, b) = (fractions(1, m * k), fractions(2, k * n));
            let (a, b) = (MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
            let plan = Plan::new::<f32>(isa, m, n, k);
            let mut scratch = vec![0.0; plan.scratch_len()];
            let mut whole = vec![0.0; m * n];
            gemm(isa, &plan, a, b, MatMut::row_major(&mut whole, m, n), &Epilogue::STORE, &mut scratch);
            let mut parts = vec![0.0; m * n];
            let (row, col) = (m / 3, n - n / 4);
            let (top, bottom) = MatMut::row_major(&mut parts, m, n).split_at_row(row);
            for (rows, block) in [(0..row, top), (row..m, bottom)] {
                let (left, right) = block.split_at_col(col);
                for (cols, block) in [(0..col, left), (col..n, right)] {
                    let (a, b) = (a.block(rows.clone(), 0..k), b.block(0..k, cols));
                    gemm(isa, &plan, a, b, block, &Epilogue::STORE, &mut scratch);
                }
            }
            assert!(whole.iter().zip(&parts).all(|(x, y)| x.to_bits() == y.to_bits()), "{} {m}x{k}x{n}", isa.level());
            if m > 1 && n > 1 {
                let mut packed = vec![0.0; PackedB::<f32>::len(isa, k, n)];
                let packed = PackedB::pack(isa, b, &mut packed);
                let cut = n / 2 / plan.col_unit() * plan.col_unit();
                for cut in [0, cut] {
                    parts.fill(f32::NAN);
                    let (left, right) = MatMut::row_major(&mut parts, m, n).split_at_col(cut);
                    for (cols, c) in [(0..cut, left), (cut..n, right)] {
                        gemm_packed_b(isa, &plan, a, &packed.columns(cols), c, &Epilogue::STORE, &mut scratch);
                    }
                    assert!(whole.iter().zip(&parts).all(|(x, y)| x.to_bits() == y.to_bits()));
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "is not [2, 3]")]
fn sizes_that_do_not_fit_are_refused() {
    let isa = Isa::best();
    let plan = Plan::new::<f32>(isa, 2, 3, 2);
    let (a, b, mut c) = ([0.0; 4], [0.0; 9], [0.0; 6]);
    let mut scratch = vec![0.0; plan.scratch_len()];
    let (a, b) = (MatRef::row_major(&a, 2, 2), MatRef::row_major(&b, 3, 3));
    gemm(isa, &plan, a, b, MatMut::row_major(&mut c, 2, 3), &Epilogue::STORE, &mut scratch);
}

#[test]
#[should_panic(expected = "scratch of 0 elements")]
fn short_scratch_is_refused() {
    let isa = Isa::best();
    let plan = Plan::new::<f32>(isa, 1, 1, 1);
    let mut c = [0.0_f32];
    gemm(
        isa,
        &plan,
        MatRef::row_major(&[1.0], 1, 1),
        MatRef::row_major(&[1.0], 1, 1),
        MatMut::row_major(&mut c, 1, 1),
        &Epilogue::STORE,
        &mut [],
    );
}
