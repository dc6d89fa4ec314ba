//! Every product of a batch, on every instruction set, against the bits that `gemm` gives.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;
use crate::simd::Real;

/// Numbers whose sums round.
fn numbers<T: Real>(len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64((i * 7919 % 1009) as f64 / 317.0 - 1.5)).collect()
}

/// How the matrices of a factor lie.
#[derive(Clone, Copy, Debug)]
enum Order {
    Rows,
    Columns,
    Apart,
    Reversed,
    Repeated,
}

const ORDERS: [Order; 5] = [Order::Rows, Order::Columns, Order::Apart, Order::Reversed, Order::Repeated];

impl Order {
    /// Where the first element lies, and the strides.
    fn place(self, [count, rows, cols]: [usize; 3]) -> (usize, [isize; 3]) {
        let ([r, c], size) = ([rows as isize, cols as isize], rows * cols);
        match self {
            Order::Rows => (0, [size as isize, c, 1]),
            Order::Columns => (0, [size as isize, 1, r]),
            Order::Apart => (3, [2 * size as isize + 1, 2 * c, 2]),
            Order::Reversed => ((count * size).saturating_sub(1), [-(size as isize), -c, -1]),
            Order::Repeated => (1, [0, c, 1]),
        }
    }
}

const COUNT: usize = 3;

fn check<T: Real>(isa: Isa, [m, n, k]: [usize; 3]) {
    let (sizes, len) = ([[COUNT, m, k], [COUNT, k, n]], 2 * COUNT * (m.max(n) * k) + COUNT + 4);
    let data = numbers::<T>(len + 1);
    for (left, right) in ORDERS.into_iter().flat_map(|left| ORDERS.map(|right| (left, right))) {
        let [(first_a, steps_a), (first_b, steps_b)] = [left.place(sizes[0]), right.place(sizes[1])];
        // The factors end where their memory does.
        let [a, b] = [&data[1..], &data[..len]];
        let [all_a, all_b] = [MatRefs::new(a, first_a, sizes[0], steps_a), MatRefs::new(b, first_b, sizes[1], steps_b)];
        let mut out = vec![T::NAN; COUNT * m * n];
        small_products(isa, all_a, all_b, &mut out, &mut vec![T::NAN; small_scratch_len(n, k)]);
        let plan = Plan::new::<T>(isa, m, n, k);
        let mut scratch = vec![T::NAN; plan.scratch_len()];
        for (i, out) in out.chunks((m * n).max(1)).enumerate() {
            let mut want = vec![T::ZERO; m * n];
            let c = MatMut::row_major(&mut want, m, n);
            gemm(isa, &plan, all_a.get(i), all_b.get(i), c, &Epilogue::STORE, &mut scratch);
            let bits = |values: &[T]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(out), bits(&want), "{} {m}x{k}x{n} {left:?} {right:?} {i}", isa.level());
        }
    }
}

#[test]
fn small_products_are_those_of_gemm_bit_for_bit() {
    for isa in Isa::available() {
        for m in [1, 2, 3, 7, 8, 13] {
            for n in [1, 2, 5, 8, 16, 17, 33] {
                for k in [0, 1, 4, 9, 64] {
                    check::<f32>(isa, [m, n, k]);
                    check::<f64>(isa, [m, n, k]);
                }
            }
        }
    }
}

#[test]
fn products_of_nothing_are_nothing() {
    for [count, m, n] in [[0, 2, 2], [2, 0, 2], [2, 2, 0]] {
        let (a, b) = (
            MatRefs::new(&[1.0; 8], 0, [count, m, 2], [4, 2, 1]),
            MatRefs::new(&[1.0; 8], 0, [count, 2, n], [4, n as isize, 1]),
        );
        small_products::<f64>(Isa::best(), a, b, &mut [], &mut [0.0; 4]);
    }
}

#[test]
#[should_panic(expected = "is not small")]
fn large_products_are_refused() {
    let one = MatRefs::new(&[1.0_f32; 65], 0, [1, 1, 65], [65, 65, 1]);
    let other = MatRefs::new(&[1.0_f32; 65], 0, [1, 65, 1], [65, 1, 1]);
    small_products(Isa::best(), one, other, &mut [0.0], &mut [0.0; 65]);
}

#[test]
#[should_panic(expected = "are no pairs")]
fn other_numbers_of_factors_are_refused() {
    let [one, two] = [1, 2].map(|count| MatRefs::new(&[1.0_f32; 8], 0, [count, 2, 2], [4, 2, 1]));
    small_products(Isa::best(), one, two, &mut [0.0; 4], &mut [0.0; 4]);
}
