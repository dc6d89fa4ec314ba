use super::KeyVector;
use crate::Isa;
use crate::simd::kernel;
use core::fmt::Debug;
use std::vec::Vec;

/// Every method on vectors of 0, 1, .. against the same on numbers.
#[inline(always)]
fn check<V: KeyVector<Elem: Debug + From<i8>>>(token: V::Token) {
    let keys: Vec<V::Elem> = [5, -7, 3, 127, -128, 0, 5, 4, -1, 9, 8, 77, -78, 6, 2, 1].map(V::Elem::from).to_vec();
    let others: Vec<V::Elem> = keys.iter().rev().copied().collect();
    // SAFETY: both have 16 keys, and no vector has more lanes.
    let (a, b) = unsafe { (V::load(token, keys.as_ptr()), V::load(token, others.as_ptr())) };
    let lanes = 0..V::LANES;
    assert_eq!(read(a.min(b)), lanes.clone().map(|i| keys[i].min(others[i])).collect::<Vec<_>>());
    assert_eq!(read(a.larger(b, a.min(b))), lanes.clone().map(|i| keys[i].max(others[i])).collect::<Vec<_>>());
    assert_eq!(a.greater(b), lanes.clone().map(|i| u32::from(keys[i] > others[i]) << i).sum());
    assert_eq!(read(V::splat(token, keys[1])), vec_of(keys[1], V::LANES));
    for distance in [1, 2, 3, 4, 7, 8, 15].into_iter().filter(|&distance| distance < V::LANES) {
        assert_eq!(read(a.swap(distance)), lanes.clone().map(|i| keys[i ^ distance]).collect::<Vec<_>>());
    }
    for bit in [1, 2, 4, 8].into_iter().filter(|&bit| bit < V::LANES) {
        let want = lanes.clone().map(|i| if i & bit == 0 { keys[i].min(others[i]) } else { keys[i].max(others[i]) });
        assert_eq!(read(a.larger_at(bit, b, a.min(b))), want.collect::<Vec<_>>());
    }
    for bits in 0..=V::ALL {
        let want: Vec<_> = lanes.clone().filter(|i| bits >> i & 1 == 1).map(|i| keys[i]).collect();
        assert_eq!(read(a.compress(bits))[..want.len()], want);
    }
    for count in 0..=V::LANES {
        // SAFETY: as above.
        let some = read(unsafe { V::load_partial(token, keys.as_ptr(), count) });
        assert_eq!(some[..count], keys[..count]);
        assert!(some[count..].iter().all(|&key| key > V::Elem::from(127)));
        let mut target = others.clone();
        // SAFETY: as above.
        unsafe { a.store_partial(target.as_mut_ptr(), count) };
        assert_eq!((&target[..count], &target[count..]), (&keys[..count], &others[count..]));
    }
}

#[inline(always)]
fn read<V: KeyVector>(x: V) -> Vec<V::Elem> {
    let mut keys = vec_of(V::Elem::default(), V::LANES);
    // SAFETY: there are as many keys as lanes.
    unsafe { x.store(keys.as_mut_ptr()) };
    keys
}

fn vec_of<T: Clone>(value: T, count: usize) -> Vec<T> {
    core::iter::repeat_n(value, count).collect()
}

kernel! {
    fn check_all(simd: S) {
        check::<S::I32>(simd);
        check::<S::I64>(simd);
    }
}

#[test]
fn vectors_of_keys_do_what_numbers_do() {
    Isa::available().for_each(check_all);
}
