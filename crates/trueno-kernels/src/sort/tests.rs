use super::*;
use std::vec::Vec;

fn numbers(count: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    (0..count).map(|_| (next() % 4000) as f64 / 16.0 - 125.0).collect()
}

fn sorted<T: Sortable>(elements: &[T]) -> Vec<T> {
    let mut keys: Vec<T::Key> = elements.iter().map(|x| x.key()).collect();
    let mut scratch = keys.clone();
    sort(&mut keys, &mut scratch, 0);
    keys.into_iter().map(T::from_key).collect()
}

/// Both directions, both ways of sorting, and by parts as threads do it.
fn check<T: Sortable + PartialOrd + core::fmt::Debug>(elements: Vec<T>) {
    let mut want = elements.clone();
    want.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(sorted(&elements), want);
    let mut keys: Vec<T::Key> = elements.iter().map(|x| x.reversed_key()).collect();
    let mut scratch = keys.clone();
    let counts = partition(&keys, &mut scratch);
    let mut start = 0;
    for count in counts {
        let part = start..start + count;
        sort_below(&mut scratch[part.clone()], &mut keys[part], 0, below_leading::<T::Key>());
        start += count;
    }
    want.reverse();
    assert_eq!(scratch.into_iter().map(T::from_reversed_key).collect::<Vec<_>>(), want);
}

#[test]
fn every_type_is_sorted_in_any_number() {
    for count in [0, 1, 2, 511, 512, 3000, 70_000] {
        let x = numbers(count);
        check(x.clone());
        check(x.iter().map(|&v| v as f32).collect());
        check(x.iter().map(|&v| v as i32 * 17_000_000).collect());
        check(x.iter().map(|&v| v as i64 * (1 << 55)).collect());
        check(x.iter().map(|&v| (v + 200.0) as u8).collect());
        check(x.iter().map(|&v| (v + 200.0) as u32 * 10_000_000).collect());
    }
}

#[test]
fn special_values_have_their_place() {
    let special = [f32::NAN, 1.0, f32::NEG_INFINITY, -0.0, f32::INFINITY, -f32::NAN, 1e-45, -1e-45, f32::MAX];
    let got = sorted(&special);
    assert_eq!(got[..7], [f32::NEG_INFINITY, -1e-45, -0.0, 1e-45, 1.0, f32::MAX, f32::INFINITY]);
    assert!(got[7].is_nan() && got[8].is_nan());
    let wide: Vec<f64> = special.iter().map(|&v| f64::from(v)).collect();
    let got = sorted(&wide);
    assert!(got[7].is_nan() && got[8].is_nan() && got[6] == f64::INFINITY && got[2].to_bits() == (-0.0_f64).to_bits());
    assert_eq!((0.0_f32.rank(), 0.0_f64.rank()), ((-0.0_f32).rank(), (-0.0_f64).rank()));
}

#[test]
fn equal_keys_keep_their_order_where_positions_are_below() {
    let x = numbers(5000);
    let mut placed: Vec<Placed> = x.iter().zip(0..).map(|(x, position)| Placed { key: x.rank(), position }).collect();
    let mut packed: Vec<i64> = x.iter().zip(0_i64..).map(|(&x, i)| ((x as f32).rank() << 32) | i).collect();
    let mut want: Vec<usize> = (0..x.len()).collect();
    want.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    sort(&mut placed, &mut [Placed::default(); 5000], 0);
    sort(&mut packed, &mut [0; 5000], 32);
    for (i, &want) in want.iter().enumerate() {
        assert_eq!((placed[i].position as usize, (packed[i] & 0xFFFF_FFFF) as usize), (want, want));
    }
    smallest(&mut packed[..], 7);
    assert!(packed[..7].is_sorted());
}
