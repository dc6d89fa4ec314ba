//! Products of `bfloat16`, on every instruction set with and without its instruction for pairs, against sums in `f64`.

use std::vec;
use std::vec::Vec;

use super::*;
use proptest::prelude::*;
use trueno_core::bf16;

/// Every level, with the instructions that multiply pairs and tiles and without.
fn every_isa() -> impl Iterator<Item = Isa> {
    let pairs = Isa::available().filter(|isa| isa.has_bf16_dots()).map(Isa::without_amx);
    let tiles = Isa::available().filter(|isa| isa.has_amx());
    Isa::available().map(Isa::without_bf16_dots).chain(pairs).chain(tiles)
}

/// Numbers of either sign and of many sizes, some of them 0.
fn halves(seed: u64, len: usize) -> Vec<bf16> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (sign, exponent, mantissa) = (state >> 63, 120 + (state >> 40) % 9, state >> 33 & 0x7F);
            bf16::from_bits(if state >> 50 & 15 == 0 { 0 } else { (sign << 15 | exponent << 7 | mantissa) as u16 })
        })
        .collect()
}

fn element(m: &MatRef<'_, bf16>, row: usize, col: usize) -> f64 {
    // SAFETY: callers stay inside the matrix.
    unsafe { *m.at(row, col) }.to_f64()
}

/// The sums, and how far from them sums of `f32` may be: one rounding of all that was added, for each addition.
fn expected(a: &MatRef<'_, bf16>, b: &MatRef<'_, bf16>) -> Vec<[f64; 2]> {
    let places = (0..a.rows()).flat_map(|i| (0..b.cols()).map(move |j| (i, j)));
    places
        .map(|(i, j)| {
            let products = (0..a.cols()).map(|p| element(a, i, p) * element(b, p, j));
            let size: f64 = products.clone().map(f64::abs).sum();
            [products.sum(), size * a.cols() as f64 * f64::from(f32::EPSILON) / 2.0]
        })
        .collect()
}

#[track_caller]
fn assert_near(got: f32, [want, error]: [f64; 2], isa: Isa, place: [usize; 2]) {
    let close = (f64::from(got) - want).abs() <= error;
    assert!(close, "{} {} {place:?}: {got}, not {want}", isa.level(), isa.has_bf16_dots());
}

/// Both factors as pairs.
fn factors<'p>(
    isa: Isa,
    [a, b]: [MatRef<'_, bf16>; 2],
    [left, right]: [&'p mut Vec<Pair>; 2],
) -> [MatRef<'p, Pair>; 2] {
    let steps = Pair::steps(isa, a.cols());
    *left = vec![Pair::of(&[-1.0])[0]; a.rows() * steps];
    *right = vec![Pair::of(&[-1.0])[0]; b.cols() * steps];
    [Pair::lines(isa, Side::Left, a, left), Pair::lines(isa, Side::Right, b.transposed(), right).transposed()]
}

/// The product in a matrix wider than it, by every kind of plan and with the right factor packed before, in both ways.
fn check(isa: Isa, a: MatRef<'_, bf16>, b: MatRef<'_, bf16>) {
    let (m, n, steps) = (a.rows(), b.cols(), Pair::steps(isa, a.cols()));
    let (stride, want) = (n + 3, expected(&a, &b));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let [left, right] = factors(isa, [a, b], [&mut left, &mut right]);
    let whole = Plan::new::<Pair>(isa, m, n, steps);
    let mut by_whole_plan = Vec::new();
    for (steps, tiles) in [(0, 0), (5, 1), (3, 8)] {
        let (kc, nc) = (steps * whole.tile.steps, tiles * whole.tile.cols);
        let plan = if kc == 0 { whole } else { Plan { kc, nc, ..whole } };
        let mut scratch = vec![Pair::of(&[77.0])[0]; plan.scratch_len()];
        let mut data = vec![-5.0; m * stride];
        let c = MatMut::new(Pair::of_mut(&mut data), m, n, stride);
        gemm(isa, &plan, left, right, c, &Epilogue::STORE, &mut scratch);
        for (at, &got) in data.iter().enumerate() {
            match (at / stride, at % stride) {
                (i, j) if j < n => assert_near(got, want[i * n + j], isa, [i, j]),
                _ => assert_eq!(got, -5.0),
            }
        }
        if plan.kc == whole.kc {
            by_whole_plan = data.chunks(stride).flat_map(|row| row[..n].to_vec()).collect();
        }
    }
    let mut packed = vec![Pair::of(&[9.0])[0]; PackedB::<Pair>::len(isa, steps, n)];
    let mut straight = packed.clone();
    let packed = PackedB::pack(isa, right, &mut packed);
    check_packed(isa, &whole, left, &packed, &by_whole_plan);
    if Pair::lie_across(&b.transposed()) {
        check_packed(isa, &whole, left, &PackedB::pack_elements(isa, b, &mut straight), &by_whole_plan);
    }
}

/// The same bits by a right factor that was packed before.
fn check_packed(isa: Isa, plan: &Plan, left: MatRef<'_, Pair>, right: &PackedB<'_, Pair>, want: &[f32]) {
    let (m, n) = (left.rows(), right.cols());
    let (mut data, mut scratch) = (vec![-5.0; m * n], vec![Pair::NOTHING; plan.scratch_len()]);
    let c = MatMut::row_major(Pair::of_mut(&mut data), m, n);
    gemm_packed_b(isa, plan, left, right, c, &Epilogue::STORE, &mut scratch);
    assert_eq!(data, want, "{} {m}x{n}", isa.level());
}

#[test]
fn products_of_every_shape() {
    for isa in every_isa() {
        for m in [0, 1, 2, 7, 15, 33] {
            for n in [0, 1, 3, 16, 17, 33, 70] {
                for k in [0, 1, 2, 3, 9, 40, 67] {
                    let (a, b) = (halves(1, m * k), halves(2, k * n));
                    check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
                    check(isa, MatRef::row_major(&a, k, m).transposed(), MatRef::row_major(&b, n, k).transposed());
                }
            }
        }
        for [m, n, k] in [[45, 300, 131], [20, 40, 3000]] {
            let (a, b) = (halves(1, m * k), halves(2, k * n));
            check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, n, k).transposed());
            check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
        }
    }
}

#[test]
fn any_strides() {
    for isa in every_isa() {
        for [m, n, k] in [[4, 20, 6], [20, 37, 19], [50, 40, 45]] {
            let (a, b) = (halves(1, 2 * m * k), halves(2, 3 * k * n));
            let (mi, ki, ni) = (m as isize, k as isize, n as isize);
            let lefts = [
                MatRef::new(&a, 0, [m, k], [2 * ki, 2]),
                MatRef::new(&a, m * k - 1, [m, k], [-ki, -1]),
                MatRef::new(&a, 0, [m, k], [0, 1]),
                MatRef::new(&a, 0, [m, k], [1, mi]),
                MatRef::new(&a, 0, [m, k], [0, 0]),
            ];
            let rights = [
                MatRef::new(&b, 0, [k, n], [3 * ni, 3]),
                MatRef::new(&b, n - 1, [k, n], [ni, -1]),
                MatRef::new(&b, 0, [k, n], [1, 0]),
                MatRef::new(&b, 1, [k, n], [ni + 1, 1]),
            ];
            for left in lefts {
                for right in rights {
                    check(isa, left, right);
                }
            }
        }
    }
}

#[test]
fn bias_and_activation_are_fused_before_rounding() {
    let (m, n, k) = (17, 35, 600);
    let (a, b) = (halves(1, m * k), halves(2, k * n));
    let (a, b) = (MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
    let bias: Vec<f32> = (0..n).map(|j| 0.3 - j as f32 / 11.0).collect();
    let epilogue = Epilogue { accumulate: true, bias: Bias::PerColumn(&bias), activation: Activation::Relu };
    for isa in every_isa() {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let [left, right] = factors(isa, [a, b], [&mut left, &mut right]);
        let plan = Plan { kc: 48, ..Plan::new::<Pair>(isa, m, n, Pair::steps(isa, k)) };
        let (mut c, mut scratch) = (vec![2.0; m * n], vec![Pair::NOTHING; plan.scratch_len()]);
        gemm(isa, &plan, left, right, MatMut::row_major(Pair::of_mut(&mut c), m, n), &epilogue, &mut scratch);
        for (at, [sum, error]) in expected(&a, &b).into_iter().enumerate() {
            let want = (sum + 2.0 + f64::from(bias[at % n])).max(0.0);
            assert_near(c[at], [want, error + 1e-6 * want.abs().max(1.0)], isa, [at / n, at % n]);
        }
    }
}

#[test]
fn what_is_not_finite_stays_so() {
    let [nan, inf, one, zero, low] = [f32::NAN, f32::INFINITY, 1.0, 0.0, f32::NEG_INFINITY].map(bf16::from_f32);
    // Each at either place of a pair, and in the odd one at the end.
    for k in [2, 7, 64, 65] {
        for at in [0, 1, k - 1] {
            for isa in every_isa() {
                for (x, others, want) in [
                    (nan, one, f32::NAN),
                    (inf, one, f32::INFINITY),
                    (low, one, f32::NEG_INFINITY),
                    (inf, zero, f32::NAN),
                ] {
                    let (mut a, b) = (vec![one; 3 * k], vec![others; k * 20]);
                    a[k + at] = x;
                    let (mut left, mut right) = (Vec::new(), Vec::new());
                    let (a, b) = (MatRef::row_major(&a, 3, k), MatRef::row_major(&b, k, 20));
                    let [left, right] = factors(isa, [a, b], [&mut left, &mut right]);
                    let plan = Plan::new::<Pair>(isa, 3, 20, Pair::steps(isa, k));
                    let (mut c, mut scratch) = (vec![0.0; 60], vec![Pair::NOTHING; plan.scratch_len()]);
                    let out = MatMut::row_major(Pair::of_mut(&mut c), 3, 20);
                    gemm(isa, &plan, left, right, out, &Epilogue::STORE, &mut scratch);
                    let same = |got: f32| got == want || (got.is_nan() && want.is_nan());
                    assert!(c[20..40].iter().all(|&got| same(got)), "{} {x}: {:?}", isa.level(), &c[20..40]);
                    assert!(c[..20].iter().chain(&c[40..]).all(|x| x.is_finite()));
                }
            }
        }
    }
}

#[test]
fn the_instruction_takes_subnormal_numbers_for_zero() {
    let (tiny, large) = ([bf16::from_bits(0x0040); 4], [bf16::from_f32(2.0_f32.powi(120)); 4]);
    for isa in every_isa() {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let matrices = [MatRef::row_major(&tiny, 2, 2), MatRef::row_major(&large, 2, 2)];
        let [left, right] = factors(isa, matrices, [&mut left, &mut right]);
        let plan = Plan::new::<Pair>(isa, 2, 2, Pair::steps(isa, 2));
        let (mut c, mut scratch) = ([1.0; 4], vec![Pair::NOTHING; plan.scratch_len()]);
        let out = MatMut::row_major(Pair::of_mut(&mut c), 2, 2);
        gemm(isa, &plan, left, right, out, &Epilogue::STORE, &mut scratch);
        let want = if isa.has_bf16_dots() { 0.0 } else { 2.0_f32.powi(-6) };
        assert_eq!(c, [want; 4], "{}", isa.level());
    }
}

#[test]
fn pairs_that_lie_there_are_read_in_place() {
    let held = vec![0.0_f32; 20 * 32];
    // SAFETY: two halves each, of which any bits are a value.
    let halves: &[bf16] = unsafe { core::slice::from_raw_parts(held.as_ptr().cast(), 2 * held.len()) };
    for isa in every_isa() {
        let unit = 2 * Pair::step_unit(isa);
        let is_there = |x| Pair::in_place(isa, Side::Right, x).is_some();
        let x = MatRef::row_major(halves, 20, 64);
        assert!(is_there(x) && is_there(x.block(0..20, 2..unit + 2)));
        assert!(is_there(MatRef::row_major(&halves[2..], 1, 2 * unit)));
        for other in [
            x.transposed(),
            x.block(0..20, 1..unit + 1),
            x.block(0..20, 0..unit - 1),
            MatRef::row_major(halves, 3, unit + 1),
        ] {
            assert!(!is_there(other));
        }
    }
}

#[test]
fn parts_of_a_factor_are_the_pairs_of_the_whole() {
    let k = 235;
    let x = halves(3, 20 * k);
    for isa in every_isa() {
        let (steps, cut) = (Pair::steps(isa, k), 3 * Pair::step_unit(isa));
        let mut whole = vec![Pair::NOTHING; 20 * steps];
        let mut parts = whole.clone();
        let rows = MatRef::row_major(&x, 20, k);
        Pair::lines(isa, Side::Right, rows, &mut whole);
        for (i, pairs) in parts.chunks_mut(8 * steps).enumerate() {
            Pair::lines(isa, Side::Right, rows.block(8 * i..20.min(8 * i + 8), 0..k), pairs);
        }
        assert_eq!(whole, parts);
        let columns = MatRef::row_major(&x, k, 20).transposed();
        assert!(Pair::lie_across(&columns) && !Pair::lie_across(&rows));
        Pair::lines(isa, Side::Left, columns, &mut whole);
        for (i, pairs) in parts.chunks_mut(cut * 20).enumerate() {
            Pair::lines(isa, Side::Left, columns.block(0..20, 2 * cut * i..k.min(2 * cut * (i + 1))), pairs);
        }
        assert_eq!(whole, parts);
    }
}

#[test]
fn products_with_a_vector_of_any_strides() {
    for isa in every_isa() {
        for [m, k] in [[0, 3], [1, 0], [1, 1], [5, 3], [3, 70], [70, 9], [3000, 6], [9, 64], [4, 1001]] {
            let (matrix, vector) = (halves(1, 2 * m * k), halves(2, k));
            let column = MatRef::row_major(&vector, k, 1);
            for matrix in [
                MatRef::row_major(&matrix, m, k),
                MatRef::row_major(&matrix, k, m).transposed(),
                MatRef::new(&matrix, 0, [m, k], [2 * k as isize, 2]),
            ] {
                let mut out = vec![-1.0; m];
                bf16_product_with_vector(isa, matrix, &vector, &mut out);
                for (i, want) in expected(&matrix, &column).into_iter().enumerate() {
                    assert_near(out[i], want, isa, [i, 0]);
                }
                let mut parts = vec![-1.0; m];
                for (i, part) in parts.chunks_mut(3).enumerate() {
                    let rows = 3 * i..3 * i + part.len();
                    bf16_product_with_vector(isa, matrix.block(rows, 0..k), &vector, part);
                }
                assert_eq!(parts, out, "{} {m} {k}", isa.level());
            }
        }
    }
}

#[test]
fn sums_are_rounded_to_the_nearest() {
    let sums: Vec<f32> = halves(5, 40).iter().enumerate().map(|(i, x)| x.to_f32() * (1.0 + i as f32 / 900.0)).collect();
    for isa in every_isa() {
        let mut out = vec![bf16::ZERO; 5 * 11];
        Pair::round(isa, MatRef::row_major(&sums, 5, 8), MatMut::new(&mut out, 5, 8, 11));
        for (at, &got) in out.iter().enumerate() {
            let want = if at % 11 < 8 { bf16::from_f32(sums[at / 11 * 8 + at % 11]) } else { bf16::ZERO };
            assert_eq!(got, want);
        }
    }
}

proptest! {
    #[test]
    fn any_product_is_near(m in 1_usize..20, n in 1_usize..40, k in 0_usize..70, seed: u64, turned: [bool; 2]) {
        let (a, b) = (halves(seed, m * k), halves(!seed, k * n));
        let a = if turned[0] { MatRef::row_major(&a, k, m).transposed() } else { MatRef::row_major(&a, m, k) };
        let b = if turned[1] { MatRef::row_major(&b, n, k).transposed() } else { MatRef::row_major(&b, k, n) };
        for isa in every_isa() {
            check(isa, a, b);
        }
    }
}

#[test]
#[should_panic(expected = "as many words as the matrix takes")]
fn pairs_that_do_not_fit_are_refused() {
    Pair::lines(Isa::best(), Side::Left, MatRef::row_major(&[bf16::ONE; 12], 3, 4), &mut [Pair::NOTHING; 2]);
}
