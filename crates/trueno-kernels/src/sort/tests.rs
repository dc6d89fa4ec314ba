use super::*;
use crate::Level;
use std::vec;
use std::vec::Vec;

/// Words in no order.
fn random() -> impl FnMut() -> u64 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 31
    }
}

fn numbers(count: usize) -> Vec<f64> {
    let mut next = random();
    (0..count).map(|_| (next() % 4000) as f64 / 16.0 - 125.0).collect()
}

fn sorted<T: Sortable>(isa: Isa, elements: &[T]) -> Vec<T> {
    let mut keys: Vec<T::Key> = elements.iter().map(|x| x.key()).collect();
    let mut scratch = keys.clone();
    let mut parts = Vec::new();
    sort(isa, &mut keys, &mut scratch, 0, |part| {
        parts.push(part.to_vec());
        // Nobody reads what is finished.
        part.fill(T::Key::default());
    });
    assert!(keys.iter().all(|&key| key == T::Key::default()));
    parts.sort_unstable();
    parts.concat().into_iter().map(T::from_key).collect()
}

/// Both directions, and both ways: as a whole, and by parts as threads do it.
fn check<T: Sortable + PartialOrd + core::fmt::Debug>(elements: Vec<T>) {
    let mut want = elements.clone();
    want.sort_by(|a, b| a.partial_cmp(b).unwrap());
    for isa in Isa::available() {
        assert_eq!(sorted(isa, &elements), want);
        let keys: Vec<T::Key> = elements.iter().map(|x| x.reversed_key()).collect();
        let back: Vec<T> = by_parts(isa, &keys).into_iter().rev().map(T::from_reversed_key).collect();
        assert_eq!(back, want);
    }
}

fn by_parts<K: VectorKey>(isa: Isa, keys: &[K]) -> Vec<K> {
    let mut sample = [K::default(); SAMPLE];
    sample.iter_mut().zip(keys.iter().step_by(keys.len() / SAMPLE + 1)).for_each(|(to, &key)| *to = key);
    let splitters = Splitters::of(isa, &mut sample);
    let mut counts = [0; WAYS];
    splitters.count(isa, keys, &mut counts);
    let (mut spread, mut sorted) = (keys.to_vec(), keys.to_vec());
    let mut rest = &mut spread[..];
    let mut parts = counts.map(|count| rest.split_off_mut(..count).unwrap());
    keys.chunks(1000).for_each(|chunk| splitters.spread(isa, chunk, &mut parts));
    assert!(parts.iter().all(|rest| rest.is_empty()));
    let mut start = 0;
    for count in counts {
        let part = start..start + count;
        sort_into(isa, &mut spread[part.clone()], &mut sorted[part], 0, |_| {});
        start += count;
    }
    sorted
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
        check(x.iter().map(|&v| v as i8).collect());
        check(x.iter().map(|&v| (v + 200.0) as u32 * 10_000_000).collect());
    }
}

/// Keys from `0..range` in every number around that of the registers, on every instruction set.
fn few<K: Key + core::fmt::Debug>(key: impl Fn(u64) -> K) {
    let mut next = random();
    for count in (0..300).chain([511, 1024, 2047, 2049]) {
        for range in [2, 100, u64::MAX] {
            let keys: Vec<K> = (0..count).map(|_| key(next() % range)).collect();
            let mut want = keys.clone();
            want.sort_unstable();
            for isa in Isa::available() {
                let (mut main, mut side) = (keys.clone(), keys.clone());
                sort(isa, &mut main, &mut side, 0, |_| {});
                assert_eq!(main, want, "{count} on {isa:?}");
                let (mut from, mut to) = (keys.clone(), vec![K::default(); count]);
                sort_into(isa, &mut from, &mut to, 0, |_| {});
                assert_eq!(to, want, "{count} on {isa:?}, moved");
            }
        }
    }
}

#[test]
fn few_keys_are_sorted_in_registers() {
    few(|word| word as i32);
    few(|word| (word << 31 ^ word) as i64);
}

/// A network that orders zeros and ones in every arrangement orders everything (Knuth's 0-1 principle): one column of 16.
#[test]
fn networks_order_all_zeros_and_ones() {
    for height in 1..=16 {
        for bits in 0..1_u32 << height {
            // The same column in every lane; the rest of the network only merges what is equal.
            let keys: Vec<i32> = (0..height).map(|row| (bits >> row & 1) as i32).collect();
            let mut want = keys.clone();
            want.sort_unstable();
            for isa in [Level::Avx2, Level::Avx512].into_iter().filter_map(Isa::with_level) {
                let lanes = if isa.level() == Level::Avx512 { 16 } else { 8 };
                if height > lanes {
                    continue;
                }
                let spread = |keys: &[i32]| keys.iter().flat_map(|&key| vec![key; lanes]).collect::<Vec<_>>();
                let mut got = spread(&keys);
                let mut scratch = got.clone();
                sort(isa, &mut got, &mut scratch, 0, |_| {});
                assert_eq!(got, spread(&want), "{bits:b}");
            }
        }
    }
}

#[test]
fn orders_that_are_hard_for_a_pivot_are_sorted() {
    const N: i64 = 20_000;
    let patterns: [fn(i64) -> i64; 8] = [
        |i| i,
        |i| -i,
        |_| 7,
        |i| i % 2,
        |i| if i == N / 2 { 1 } else { 0 },
        |i| (i - N / 2).abs(),
        |i| i * 7919 % 101,
        |i| if i % 3 == 0 { i64::MAX } else { i64::MIN },
    ];
    for pattern in patterns {
        check((0..N).map(pattern).collect::<Vec<i64>>());
        check((0..N).map(|i| pattern(i) as i32).collect::<Vec<i32>>());
    }
}

kernel! {
    /// Quicksort that has no patience.
    fn impatient(simd: S, main: &mut [i32], side: &mut [i32], moved: bool, patience: u32) {
        quick::sort::<S::I32>(simd, main, side, moved, patience, &mut |_| {});
    }
}

#[test]
fn keys_that_were_parted_too_often_are_sorted_by_digits() {
    let mut next = random();
    let keys: Vec<i32> = (0..30_000).map(|_| next() as i32).collect();
    let mut want = keys.clone();
    want.sort_unstable();
    for isa in [Level::Avx2, Level::Avx512].into_iter().filter_map(Isa::with_level) {
        for (moved, patience) in [(false, 0), (true, 0), (false, 1), (true, 3)] {
            let (mut main, mut side) = (keys.clone(), keys.clone());
            if moved {
                main.fill(0)
            } else {
                side.fill(0)
            }
            impatient(isa, &mut main, &mut side, moved, patience);
            assert_eq!(main, want);
        }
    }
}

#[test]
fn special_values_have_their_place() {
    let special = [f32::NAN, 1.0, f32::NEG_INFINITY, -0.0, f32::INFINITY, -f32::NAN, 1e-45, -1e-45, f32::MAX];
    for isa in Isa::available() {
        let got = sorted(isa, &special);
        assert_eq!(got[..7], [f32::NEG_INFINITY, -1e-45, -0.0, 1e-45, 1.0, f32::MAX, f32::INFINITY]);
        assert!(got[7].is_nan() && got[8].is_nan());
        let wide: Vec<f64> = special.iter().map(|&v| f64::from(v)).collect();
        let got = sorted(isa, &wide);
        assert!(got[7].is_nan() && got[8].is_nan() && got[6] == f64::INFINITY);
        assert_eq!(got[2].to_bits(), (-0.0_f64).to_bits());
    }
    assert_eq!((0.0_f32.rank(), 0.0_f64.rank()), ((-0.0_f32).rank(), (-0.0_f64).rank()));
    assert_eq!(f32::bits_of_reversed_key((-2.5_f32).reversed_key()) as u32, (-2.5_f32).to_bits());
}

#[test]
fn equal_keys_keep_their_order_where_positions_are_below() {
    let x = numbers(5000);
    let mut placed: Vec<Placed> = x.iter().zip(0..).map(|(x, position)| Placed { key: x.rank(), position }).collect();
    let packed: Vec<i64> = x.iter().zip(0_i64..).map(|(&x, i)| ((x as f32).rank() << 32) | i).collect();
    let mut want: Vec<usize> = (0..x.len()).collect();
    want.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    sort(Isa::best(), &mut placed, &mut [Placed::default(); 5000], 0, |_| {});
    for isa in Isa::available() {
        let mut packed = packed.clone();
        sort(isa, &mut packed, &mut [0; 5000], 32, |_| {});
        for (i, &want) in want.iter().enumerate() {
            assert_eq!((placed[i].position as usize, (packed[i] & 0xFFFF_FFFF) as usize), (want, want));
        }
        smallest(&mut packed[..], 7);
        assert!(packed[..7].is_sorted());
    }
}
