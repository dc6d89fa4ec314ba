//! Every reduction on every instruction set against the oracle.

use std::vec::Vec;

use super::*;

/// Lengths around the sizes of vectors and chains.
const LENGTHS: [usize; 10] = [0, 1, 2, 7, 16, 17, 63, 64, 65, 300];

fn values<T: Real>(count: usize) -> Vec<T> {
    (0..count).map(|i| T::from_f64(((i * 67 + 11) % 101) as f64 / 50.0 - 1.0)).collect()
}

fn assert_close<T: Real>(got: T, want: f64, context: &str) {
    let tolerance = if T::MANTISSA_BITS < 32 { 1e-5 } else { 1e-13 };
    let got = got.to_f64();
    let close = got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= tolerance * want.abs().max(1.0);
    assert!(close, "{context}: {got:e}, not {want:e}");
}

fn mean(elements: &[f64]) -> f64 {
    elements.iter().sum::<f64>() / elements.len() as f64
}

fn check<T: Real>() {
    const RESULTS: usize = 19;
    for isa in Isa::available() {
        for length in LENGTHS {
            let x = values::<T>(length * RESULTS);
            let wide: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
            let lines = |line: usize, by_row: bool| -> Vec<f64> {
                (0..length).map(|i| wide[if by_row { line * length + i } else { i * RESULTS + line }]).collect()
            };
            for &op in ReduceOp::ALL {
                for by_row in [true, false] {
                    let centers: Vec<T> = (0..RESULTS).map(|line| T::from_f64(mean(&lines(line, by_row)))).collect();
                    let mut acc = std::vec![T::NAN; RESULTS];
                    if by_row {
                        accumulate_rows(isa, op, &x, length, Some(&centers), &mut acc);
                    } else {
                        accumulate_columns(isa, op, &x, Some(&centers), &mut acc);
                    }
                    finish(isa, op, length, 0.0, &mut acc);
                    for (line, &got) in acc.iter().enumerate() {
                        let want = op.eval(&lines(line, by_row), 0.0);
                        let context = std::format!("{} of {length}, by row {by_row}, {}", op.name(), isa.level());
                        assert_close(got, want, &context);
                    }
                }
            }
        }
    }
}

/// Halves are accumulated to the bits that they give once they are widened.
fn check_halves<E: Readable<f32>>(half: impl Fn(f32) -> E) {
    for isa in Isa::available() {
        for length in LENGTHS {
            let x: Vec<E> = values::<f32>(length * 3).into_iter().map(&half).collect();
            let wide: Vec<f32> = x.iter().map(|x| x.to_f64() as f32).collect();
            for &op in ReduceOp::ALL {
                let centers = Some(&[0.5, -1.0, 2.0][..]);
                let (mut got, mut want) = ([0.0_f32; 3], [1.0; 3]);
                accumulate_rows(isa, op, &x, length, centers, &mut got);
                accumulate_rows(isa, op, &wide, length, centers, &mut want);
                assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{} of {length}, {}", op.name(), isa.level());
                accumulate_columns(isa, op, &x, centers, &mut got);
                accumulate_columns(isa, op, &wide, centers, &mut want);
                assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{} of {length}, {}", op.name(), isa.level());
            }
        }
    }
}

#[test]
fn halves_are_widened_as_they_are_read() {
    check_halves(trueno_core::f16::from_f32);
    check_halves(trueno_core::bf16::from_f32);
}

#[test]
fn reductions_match_the_oracle() {
    check::<f32>();
    check::<f64>();
}

#[test]
fn partial_results_join_to_the_whole() {
    for isa in Isa::available() {
        let x = values::<f64>(1000);
        for &op in ReduceOp::ALL {
            let centers = [mean(&x)];
            let (mut left, mut right) = ([0.0], [0.0]);
            accumulate_rows(isa, op, &x[..600], 600, Some(&centers), &mut left);
            accumulate_rows(isa, op, &x[600..], 400, Some(&centers), &mut right);
            combine(isa, op, &mut left, &right);
            finish(isa, op, 1000, 1.0, &mut left);
            assert_close(left[0], op.eval(&x, 1.0), op.name());
        }
    }
}

#[test]
fn a_nan_anywhere_is_the_extreme() {
    for isa in Isa::available() {
        for length in [1, 5, 16, 70] {
            for place in 0..length {
                let mut x = std::vec![1.0_f32; length];
                x[place] = f32::NAN;
                for (op, largest) in [(ReduceOp::Max, true), (ReduceOp::Min, false)] {
                    let mut acc = [0.0];
                    accumulate_rows(isa, op, &x, length, None, &mut acc);
                    assert!(acc[0].is_nan(), "{} with NaN at {place} of {length}, {}", op.name(), isa.level());
                    let mut at = [-1];
                    arg_columns(isa, largest, &x, &mut at);
                    assert_eq!(at[0], place as i64);
                }
            }
        }
    }
}

/// The position by NumPy's rule, the plain way.
fn plain_arg(line: &[f64], largest: bool) -> i64 {
    let mut best = 0;
    for (i, &x) in line.iter().enumerate() {
        let beyond = if largest { x > line[best] } else { x < line[best] };
        if !line[best].is_nan() && (beyond || x.is_nan()) {
            best = i;
        }
    }
    best as i64
}

#[test]
fn positions_are_of_the_first_extreme() {
    for isa in Isa::available() {
        for width in [1, 2, 19] {
            for length in [1, 3, 40, 150] {
                let mut x = values::<f64>(length * width);
                if length == 150 {
                    x[77 * width] = f64::NAN;
                    x[99 * width] = f64::NAN;
                }
                let integers: Vec<i32> = x.iter().map(|x| (x * 50.0) as i32).collect();
                for largest in [true, false] {
                    let (mut at, mut at_integer) = (std::vec![-1; width], std::vec![-1; width]);
                    arg_columns(isa, largest, &x, &mut at);
                    arg_int(isa, largest, &integers, &mut at_integer);
                    for column in 0..width {
                        let line: Vec<f64> = x[column..].iter().step_by(width).copied().collect();
                        assert_eq!(at[column], plain_arg(&line, largest), "{}", isa.level());
                        let line: Vec<f64> = integers[column..].iter().step_by(width).map(|&x| f64::from(x)).collect();
                        assert_eq!(at_integer[column], plain_arg(&line, largest));
                    }
                }
            }
        }
    }
}

#[test]
fn positions_in_rows_are_those_of_each_row() {
    for (isa, length) in Isa::available().flat_map(|isa| [1, 3, 16, 65, 300, 2049].map(|length| (isa, length))) {
        let mut x: Vec<f32> = (0..7 * length).map(|i| ((i * 37) % 101) as f32).collect();
        x[3 * length + length / 2] = f32::NAN;
        for largest in [true, false] {
            let mut positions = [77; 7];
            arg_rows(isa, largest, &x, length, &mut positions);
            for (row, position) in x.chunks_exact(length).zip(positions) {
                let mut want = [0];
                arg_columns(isa, largest, row, &mut want);
                let line: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
                assert_eq!(([position], position), (want, plain_arg(&line, largest)), "{} {length}", isa.level());
            }
        }
        arg_rows::<f32>(isa, true, &[], length, &mut []);
    }
}

#[test]
fn integers_reduce_exactly_and_wrap() {
    for isa in Isa::available() {
        for (width, length) in [(1, 200), (1, 63), (3, 50), (70, 4)] {
            let x: Vec<i64> = (0..(width * length) as i64).map(|i| i * i - 700).collect();
            for (op, plain) in [
                (ReduceOp::Sum, (|a, b| a + b) as fn(i64, i64) -> i64),
                (ReduceOp::Max, |a, b| a.max(b)),
                (ReduceOp::Min, |a, b| a.min(b)),
                (ReduceOp::Prod, i64::wrapping_mul),
            ] {
                let mut acc = std::vec![0; width];
                reduce_int(isa, op, &x, &mut acc);
                for (column, &got) in acc.iter().enumerate() {
                    let want = x[column..].iter().step_by(width).copied().reduce(plain);
                    assert_eq!(Some(got), want, "{} {}", op.name(), isa.level());
                }
            }
        }
        let mut acc = [9_u8];
        reduce_int(isa, ReduceOp::Any, &[0, 0, 3], &mut acc);
        assert_eq!(acc, [1]);
        reduce_int(isa, ReduceOp::All, &[], &mut acc);
        assert_eq!(acc, [1]);
    }
}

#[test]
fn running_sums_go_along_the_first_axis() {
    for isa in Isa::available() {
        let x = values::<f32>(40 * 19);
        let mut out = std::vec![0.0; x.len()];
        cumsum(isa, &x, 19, &mut out);
        let mut whole = std::vec![0; 6];
        cumsum_int(isa, &[1_i64, 2, 3, 4, 5, 6], 2, &mut whole);
        assert_eq!(whole, [1, 2, 4, 6, 9, 12]);
        for column in 0..19 {
            let mut sum = 0.0_f32;
            for row in 0..40 {
                sum += x[row * 19 + column];
                assert_eq!(out[row * 19 + column], sum, "{}", isa.level());
            }
        }
        cumsum(isa, &[1.0_f64, 2.0, f64::NAN], 1, &mut [0.0; 3]);
        cumsum::<f64>(isa, &[], 0, &mut []);
    }
}

#[test]
fn running_sums_of_a_line_agree_with_plain_ones_at_every_length() {
    for isa in Isa::available() {
        for length in LENGTHS.into_iter().chain([8, 9, 4096, 4097, 9000]) {
            // Integers, so that every order of additions gives the same.
            let x: Vec<f32> = (0..length).map(|i| ((i * 31) % 17) as f32 - 8.0).collect();
            let mut out = std::vec![f32::NAN; length];
            cumsum(isa, &x, 1, &mut out);
            let mut sum = 0.0;
            for (i, (&x, &out)) in x.iter().zip(&out).enumerate() {
                sum += x;
                assert_eq!(out, sum, "{} {length} {i}", isa.level());
            }
        }
        let mut zeros = [1.0_f64; 20];
        cumsum(isa, &[-0.0; 20], 1, &mut zeros);
        assert!(zeros.iter().all(|zero| zero.to_bits() == (-0.0_f64).to_bits()));
    }
}

#[test]
fn blocks_of_a_line_are_summed_apart_to_the_same_bits() {
    fn check<T: Real>() {
        for (isa, blocks, rest) in Isa::available().flat_map(|isa| [(isa, 0, 5), (isa, 1, 0), (isa, 3, 1001)]) {
            let x = values::<T>(blocks * SCAN_BLOCK + rest);
            let (mut whole, mut apart) = (x.clone(), x.clone());
            cumsum(isa, &x, 1, &mut whole);
            let (of_blocks, after) = apart.split_at_mut(blocks * SCAN_BLOCK);
            scan_parts(isa, &x[..of_blocks.len()], of_blocks);
            let mut total = -T::ZERO;
            for (block, sums) in of_blocks.chunks_exact_mut(SCAN_BLOCK).enumerate() {
                let before = total;
                total = scan_total(before, sums);
                assert_eq!(total.to_bits(), whole[(block + 1) * SCAN_BLOCK - 1].to_bits());
                scan_go_on(isa, before, sums);
            }
            cumsum_from(isa, &x[blocks * SCAN_BLOCK..], total, after);
            assert!(whole.iter().zip(&apart).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", isa.level());
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn running_sums_of_positive_numbers_never_fall() {
    for isa in Isa::available() {
        let x: Vec<f32> = (0..10_000).map(|i| 1.0 / (1 + (i * 7919) % 1009) as f32).collect();
        let mut out = std::vec![0.0; x.len()];
        cumsum(isa, &x, 1, &mut out);
        assert!(out.is_sorted(), "{}", isa.level());
        assert_close(out[9_999], x.iter().map(|&x| f64::from(x)).sum(), isa.level().name());
    }
}

#[test]
fn dot_products_match_sums_in_double_precision() {
    fn check<T: Real>() {
        for (isa, length) in Isa::available().flat_map(|isa| LENGTHS.map(|length| (isa, length))) {
            let (a, mut b) = (values::<T>(length), values::<T>(length));
            b.reverse();
            let want = a.iter().zip(&b).map(|(a, b)| a.to_f64() * b.to_f64()).sum();
            assert_close(dot(isa, &a, &b), want, isa.level().name());
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
#[should_panic(expected = "var needs the mean")]
fn a_variance_without_means_is_refused() {
    accumulate_rows(Isa::best(), ReduceOp::Var, &[1.0_f32], 1, None, &mut [0.0]);
}
