//! Products of 8-bit integers, on every instruction set with and without its instructions for bytes, against sums in `i64`.

use std::vec;
use std::vec::Vec;

use super::*;
use proptest::prelude::*;

/// Every level, with the instructions that multiply bytes and tiles and without.
fn every_isa() -> impl Iterator<Item = Isa> {
    let bytes = Isa::available().filter(|isa| isa.has_byte_dots()).map(Isa::without_amx);
    let tiles = Isa::available().filter(|isa| isa.has_amx());
    Isa::available().map(Isa::without_byte_dots).chain(bytes).chain(tiles)
}

/// All of the type's values, the least and the largest more often than others.
fn integers(seed: u64, len: usize) -> Vec<i8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match state >> 33 & 7 {
                0 => i8::MIN,
                1 => i8::MAX,
                _ => (state >> 40) as i8,
            }
        })
        .collect()
}

fn element(m: &MatRef<'_, i8>, row: usize, col: usize) -> i64 {
    // SAFETY: callers stay inside the matrix.
    i64::from(unsafe { *m.at(row, col) })
}

/// The sums, wrapped to 32 bits.
fn expected(a: &MatRef<'_, i8>, b: &MatRef<'_, i8>) -> Vec<i32> {
    let sum = |i: usize, j: usize| (0..a.cols()).map(|p| element(a, i, p) * element(b, p, j)).sum::<i64>() as i32;
    (0..a.rows()).flat_map(|i| (0..b.cols()).map(move |j| (i, j))).map(|(i, j)| sum(i, j)).collect()
}

/// What is made of both factors: words, and terms of the rows.
struct Factors {
    left: Vec<Word>,
    right: Vec<Word>,
    terms: Vec<i32>,
}

impl Factors {
    fn new(isa: Isa, a: MatRef<'_, i8>, b: MatRef<'_, i8>) -> Factors {
        let steps = Word::steps(isa, a.cols());
        let [left, right] = [a.rows(), b.cols()].map(|lines| vec![Word::of(&[-1])[0]; lines * steps]);
        Factors { left, right, terms: vec![-1; a.rows()] }
    }

    fn fill(&mut self, isa: Isa, a: MatRef<'_, i8>, b: MatRef<'_, i8>) -> [MatRef<'_, Word>; 2] {
        Word::row_terms(isa, a, &mut self.terms);
        let left = Word::lines(isa, Side::Left, a, &mut self.left);
        [left, Word::lines(isa, Side::Right, b.transposed(), &mut self.right).transposed()]
    }
}

/// The product in a matrix wider than it, by every kind of plan and with the right factor packed before.
fn check(isa: Isa, a: MatRef<'_, i8>, b: MatRef<'_, i8>) {
    let (m, n, steps) = (a.rows(), b.cols(), Word::steps(isa, a.cols()));
    let (stride, want) = (n + 3, expected(&a, &b));
    let mut factors = Factors::new(isa, a, b);
    let [left, right] = factors.fill(isa, a, b);
    let terms = {
        let mut terms = vec![0; m];
        Word::row_terms(isa, a, &mut terms);
        terms
    };
    let epilogue = WordEpilogue { row_terms: &terms, dequantize: None };
    let whole = Plan::new::<Word>(isa, m, n, steps);
    for (steps, tiles) in [(0, 0), (5, 1), (3, 8)] {
        let (kc, nc) = (steps * whole.tile.steps, tiles * whole.tile.cols);
        let plan = if kc == 0 { whole } else { Plan { kc, nc, ..whole } };
        let mut scratch = vec![Word::of(&[77])[0]; plan.scratch_len()];
        let mut data = vec![-5; m * stride];
        gemm(isa, &plan, left, right, MatMut::new(Word::of_mut(&mut data), m, n, stride), &epilogue, &mut scratch);
        for (at, &got) in data.iter().enumerate() {
            let (i, j) = (at / stride, at % stride);
            let want = if j < n { want[i * n + j] } else { -5 };
            assert_eq!(got, want, "{} {} {m}x{}x{n} [{i}, {j}]", isa.level(), isa.has_byte_dots(), a.cols());
        }
    }
    let mut packed = vec![Word::NOTHING; PackedB::<Word>::len(isa, steps, n)];
    let packed = PackedB::pack(isa, right, &mut packed);
    let mut scratch = vec![Word::NOTHING; whole.scratch_len()];
    let mut data = vec![-5; m * n];
    gemm_packed_b(
        isa,
        &whole,
        left,
        &packed,
        MatMut::row_major(Word::of_mut(&mut data), m, n),
        &epilogue,
        &mut scratch,
    );
    assert_eq!(data, want);
}

#[test]
fn products_of_every_shape() {
    for isa in every_isa() {
        for m in [0, 1, 2, 7, 15, 33] {
            for n in [0, 1, 3, 16, 17, 33, 70] {
                for k in [0, 1, 2, 3, 4, 5, 9, 40, 67] {
                    let (a, b) = (integers(1, m * k), integers(2, k * n));
                    check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
                    check(isa, MatRef::row_major(&a, k, m).transposed(), MatRef::row_major(&b, n, k).transposed());
                }
            }
        }
        for [m, n, k] in [[45, 300, 130], [20, 40, 3000]] {
            let (a, b) = (integers(1, m * k), integers(2, k * n));
            check(isa, MatRef::row_major(&a, m, k), MatRef::row_major(&b, n, k).transposed());
        }
    }
}

#[test]
fn any_strides() {
    for isa in every_isa() {
        for [m, n, k] in [[4, 20, 6], [20, 37, 19], [50, 40, 45]] {
            let (a, b) = (integers(1, 2 * m * k), integers(2, 3 * k * n));
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
                MatRef::row_major(&b, k, n),
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
fn extremes_are_exact_and_sums_wrap() {
    for isa in every_isa() {
        for (x, y) in [(-128, -128), (-128, 127), (127, -128), (127, 127), (-1, -128)] {
            let (a, b) = (vec![x; 3 * 500], vec![y; 500 * 20]);
            check(isa, MatRef::row_major(&a, 3, 500), MatRef::row_major(&b, 500, 20));
        }
        // 2^17 products of 2^14 are 2^31.
        let k = 1 << 17;
        let (a, b) = (vec![-128; 2 * k], vec![-128; 2 * k]);
        check(isa, MatRef::row_major(&a, 2, k), MatRef::row_major(&b, 2, k).transposed());
    }
}

#[test]
fn parts_of_a_factor_are_the_words_of_the_whole() {
    let k = 500;
    let x = integers(3, 20 * k);
    for isa in every_isa() {
        let (steps, cut) = (Word::steps(isa, k), 3 * Word::step_unit(isa));
        let mut whole = vec![Word::NOTHING; 20 * steps];
        let mut parts = whole.clone();
        let rows = MatRef::row_major(&x, 20, k);
        Word::lines(isa, Side::Right, rows, &mut whole);
        for (i, words) in parts.chunks_mut(8 * steps).enumerate() {
            Word::lines(isa, Side::Right, rows.block(8 * i..20.min(8 * i + 8), 0..k), words);
        }
        assert_eq!(whole, parts);
        let columns = MatRef::row_major(&x, k, 20).transposed();
        assert!(Word::lie_across(&columns) && !Word::lie_across(&rows));
        Word::lines(isa, Side::Left, columns, &mut whole);
        let cut_columns = cut * Word::per_word(isa);
        for (i, words) in parts.chunks_mut(cut * 20).enumerate() {
            Word::lines(isa, Side::Left, columns.block(0..20, cut_columns * i..k.min(cut_columns * (i + 1))), words);
        }
        assert_eq!(whole, parts);
    }
}

#[test]
fn words_that_lie_there_are_read_in_place() {
    let held = vec![0_i32; 20 * 32];
    // SAFETY: four bytes each, of which any is a value.
    let bytes: &[i8] = unsafe { core::slice::from_raw_parts(held.as_ptr().cast(), 4 * held.len()) };
    let is_there = |isa, side, x| Word::in_place(isa, side, x).is_some();
    for isa in every_isa() {
        let unit = Word::step_unit(isa) * Word::per_word(isa);
        let x = MatRef::row_major(bytes, 20, 128);
        assert_eq!(is_there(isa, Side::Left, x), isa.has_byte_dots());
        assert_eq!(is_there(isa, Side::Left, x.block(0..20, 0..unit)), isa.has_byte_dots());
        for other in [
            x.transposed(),
            x.block(0..20, 1..unit + 1),
            x.block(0..20, 0..unit - 1),
            MatRef::row_major(bytes, 3, unit + 1),
        ] {
            assert!(!is_there(isa, Side::Left, other));
        }
        assert_eq!(is_there(isa, Side::Right, x), isa.has_amx());
    }
    let values = integers(1, 32 * 70);
    let start = values.as_ptr().align_offset(4);
    let x = MatRef::new(&values, start, [20, 64], [68, 1]);
    for isa in every_isa() {
        let Some(got) = Word::in_place(isa, Side::Left, x) else { continue };
        let (mut words, mut copy) = (vec![Word::NOTHING; 20 * 16], vec![Word::NOTHING; 20 * 16]);
        Word::lines(isa, Side::Left, x, &mut words);
        got.copy_to(&mut copy);
        assert_eq!((got.rows(), got.cols(), &copy), (20, 16, &words));
    }
}

#[test]
fn sums_are_scaled_to_floats() {
    let (m, n, k) = (19, 45, 600);
    let (a, b) = (integers(1, m * k), integers(2, k * n));
    let (a, b) = (MatRef::row_major(&a, m, k), MatRef::row_major(&b, k, n));
    let sums = expected(&a, &b);
    let by_row: Vec<f32> = (0..m).map(|i| 0.01 + i as f32 / 7.0).collect();
    let by_col: Vec<f32> = (0..n).map(|j| 0.3 - j as f32 / 11.0).collect();
    for isa in every_isa() {
        let mut factors = Factors::new(isa, a, b);
        factors.fill(isa, a, b);
        let terms = factors.terms.clone();
        let [left, right] = factors.fill(isa, a, b);
        for rows in [Scale::All(0.7), Scale::Each(&by_row)] {
            for cols in [Scale::All(-0.3), Scale::Each(&by_col)] {
                for bias in [None, Some(&by_col[..])] {
                    let epilogue =
                        WordEpilogue { row_terms: &terms, dequantize: Some(Dequantize { rows, cols, bias }) };
                    let whole = Plan::new::<Word>(isa, m, n, Word::steps(isa, k));
                    let plan = Plan { kc: 48, nc: whole.tile.cols, ..whole };
                    let (mut c, mut scratch) = (vec![f32::NAN; m * n], vec![Word::NOTHING; plan.scratch_len()]);
                    let target = MatMut::row_major(Word::of_floats(&mut c), m, n);
                    gemm(isa, &plan, left, right, target, &epilogue, &mut scratch);
                    let of = |scale, at: usize| match scale {
                        Scale::All(scale) => scale,
                        Scale::Each(scales) => scales[at],
                    };
                    for (at, &got) in c.iter().enumerate() {
                        let (i, j) = (at / n, at % n);
                        let scaled = sums[at] as f32 * (of(rows, i) * of(cols, j));
                        let want = bias.map_or(scaled, |bias| scaled + bias[j]);
                        assert_eq!(got.to_bits(), want.to_bits(), "{} [{i}, {j}]", isa.level());
                    }
                }
            }
        }
    }
}

#[test]
fn products_with_a_vector_of_any_strides() {
    for isa in every_isa() {
        for [m, k] in [[0, 3], [1, 0], [1, 1], [5, 3], [3, 70], [70, 9], [3000, 6], [9, 64], [4, 1000]] {
            let (matrix, vector) = (integers(1, 2 * m * k), integers(2, k));
            let column = MatRef::row_major(&vector, k, 1);
            for matrix in [
                MatRef::row_major(&matrix, m, k),
                MatRef::row_major(&matrix, k, m).transposed(),
                MatRef::new(&matrix, 0, [m, k], [2 * k as isize, 2]),
            ] {
                let (mut out, mut words) = (vec![-1; m], vec![Word::of(&[-1])[0]; ByteVector::len(isa, k)]);
                product_with_vector(isa, matrix, ByteVector::new(isa, &vector, &mut words), &mut out);
                assert_eq!(out, expected(&matrix, &column), "{} {m} {k}", isa.level());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_product_is_exact(m in 1_usize..20, n in 1_usize..40, k in 0_usize..70, seed: u64, turned: [bool; 2]) {
        let (a, b) = (integers(seed, m * k), integers(!seed, k * n));
        let a = if turned[0] { MatRef::row_major(&a, k, m).transposed() } else { MatRef::row_major(&a, m, k) };
        let b = if turned[1] { MatRef::row_major(&b, n, k).transposed() } else { MatRef::row_major(&b, k, n) };
        for isa in every_isa() {
            check(isa, a, b);
        }
    }
}

#[test]
#[should_panic(expected = "as many words as the matrix takes")]
fn words_that_do_not_fit_are_refused() {
    Word::lines(Isa::best(), Side::Left, MatRef::row_major(&[1; 12], 3, 4), &mut [Word::NOTHING; 2]);
}
