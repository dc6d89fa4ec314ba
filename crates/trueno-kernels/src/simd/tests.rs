//! Every primitive of every level against plain Rust, in every lane.

use std::vec::Vec;

use super::*;
use crate::Isa;

/// Values at which primitives tend to break.
fn awkward<T: Real>() -> Vec<T> {
    let limit = (1_u64 << T::MANTISSA_BITS) as f64;
    let mut values: Vec<T> =
        [0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.5, 3.25, 1e-3, 1234.5, 2e9, limit - 0.5, limit, limit + 1.0, 1e30]
            .map(T::from_f64)
            .into();
    values.extend([T::INFINITY, T::NAN, T::from_bits(1), T::EPSILON]);
    let negated: Vec<T> = values.iter().map(|&x| -x).collect();
    values.extend(negated);
    values
}

fn same<T: Real>(got: T, want: T) -> bool {
    got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan())
}

kernel! {
    /// Applies primitive number `index` to each lane.
    fn apply<T: Real>(simd: S, index: usize, a: &[T], b: &[T], out: &mut [T]) {
        let lanes = T::Vector::<S>::LANES;
        let mut start = 0;
        while start < out.len() {
            let count = lanes.min(out.len() - start);
            // SAFETY: `start + count` is within each slice, which are equally long.
            unsafe {
                let x = T::Vector::<S>::load_partial(simd, a.as_ptr().add(start), count);
                let y = T::Vector::<S>::load_partial(simd, b.as_ptr().add(start), count);
                primitive::<T::Vector<S>>(index, x, y).store_partial(out.as_mut_ptr().add(start), count);
            }
            start += lanes;
        }
    }
}

const PRIMITIVES: usize = 31;

/// Sixteen values, each one more than its number from `first` on.
fn table<T: Real>(first: usize) -> [T; 16] {
    core::array::from_fn(|i| T::from_f64((first + i + 1) as f64))
}

#[inline(always)]
fn primitive<V: RealVector>(index: usize, x: V, y: V) -> V {
    let one = V::splat(x.token(), V::Elem::ONE);
    match index {
        0 => x.add(y),
        1 => x.sub(y),
        2 => x.mul(y),
        3 => x.div(y),
        4 => x.neg(),
        5 => x.abs(),
        6 => x.sqrt(),
        7 => x.min(y),
        8 => x.max(y),
        9 => x.floor(),
        10 => x.ceil(),
        11 => x.trunc(),
        12 => x.round(),
        13 => V::select(x.lt(y), x, y),
        14 => V::select(x.le(y), x, y),
        15 => V::select(!x.eq(y), x, y),
        16 => V::select(x.lt(y) | (y.lt(x) & x.le(one)), x, y),
        17 => x.and(y),
        18 => x.or(y),
        19 => x.xor(y),
        20 => x.add_bits(y),
        21 => x.sub_bits(y),
        22 => x.shift_out_exponent().shift_into_exponent(),
        23 => x.shift_second_bit_into_sign(),
        24 => x.copysign(y),
        25 => x.shift_right(7),
        26 => x.exponent_and_mantissa().0,
        27 => x.exponent_and_mantissa().1,
        28 => x.lookup(&table(0)),
        29 => x.lookup_wide(&table(0), &table(16)),
        // Within the range of `scale`, which is exact there.
        _ => one.scale_by_floor(x.max(x.lit(-100.0)).min(x.lit(100.0))),
    }
}

macro_rules! reference {
    ($name:ident, $t:ident, $bits:ident) => {
        fn $name(index: usize, x: $t, y: $t) -> $t {
            let (p, q) = (x.to_bits(), y.to_bits());
            let pick = |mask: bool| if mask { x } else { y };
            match index {
                0 => x + y,
                1 => x - y,
                2 => x * y,
                3 => x / y,
                4 => -x,
                5 => x.abs(),
                6 => x.sqrt(),
                7 => pick(x < y),
                8 => pick(x > y),
                9 => x.floor(),
                10 => x.ceil(),
                11 => x.trunc(),
                12 => x.round_ties_even(),
                13 => pick(x < y),
                14 => pick(x <= y),
                15 => pick(x != y),
                16 => pick(x < y || (y < x && x <= 1.0)),
                17 => $t::from_bits(p & q),
                18 => $t::from_bits(p | q),
                19 => $t::from_bits(p ^ q),
                20 => $t::from_bits(p.wrapping_add(q)),
                21 => $t::from_bits(p.wrapping_sub(q)),
                22 => $t::from_bits(p >> $t::MANTISSA_BITS << $t::MANTISSA_BITS),
                23 => $t::from_bits(p << ($bits::BITS - 2)),
                24 => x.copysign(y),
                25 => $t::from_bits(p >> 7),
                26 => exponent(f64::from(x)) as $t,
                27 => mantissa(f64::from(x)) as $t,
                28 => (p % 16 + 1) as $t,
                29 => (p % 32 + 1) as $t,
                _ => $t::powi(2.0, (if x > -100.0 { x } else { -100.0 }).min(100.0).floor() as i32),
            }
        }
    };
}

/// The exponent of a value and its mantissa from 1 to 2; subnormal `f64` are made normal first.
fn parts(x: f64) -> (f64, f64) {
    let (x, shift) = if x.abs() < f64::MIN_POSITIVE { (x * f64::powi(2.0, 54), 54) } else { (x, 0) };
    let exponent = (x.to_bits() >> 52) as i32 - 1023;
    (f64::from(exponent - shift), x / f64::powi(2.0, exponent))
}

fn exponent(x: f64) -> f64 {
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x > 0.0 && x < f64::INFINITY {
        parts(x).0
    } else {
        f64::INFINITY
    }
}

fn mantissa(x: f64) -> f64 {
    if x == 0.0 || x == f64::INFINITY {
        1.0
    } else if x > 0.0 {
        parts(x).1
    } else {
        f64::NAN
    }
}

reference!(reference32, f32, u32);
reference!(reference64, f64, u64);

fn check<T: Real>(reference: fn(usize, T, T) -> T) {
    let values = awkward::<T>();
    let pairs: Vec<(T, T)> = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect();
    let (a, b): (Vec<T>, Vec<T>) = pairs.iter().copied().unzip();
    for isa in Isa::available() {
        let mut out = std::vec![T::ZERO; a.len()];
        for index in 0..PRIMITIVES {
            apply(isa, index, &a, &b, &mut out);
            for i in 0..a.len() {
                let want = reference(index, a[i], b[i]);
                // What has no mantissa has any exponent, and that of -0 any sign.
                let is_negative = a[i].is_nan() || a[i].to_bits() >> (8 * size_of::<T>() - 1) == 1;
                if is_negative && (index == 26 || (index == 27 && a[i] == T::ZERO)) {
                    continue;
                }
                assert!(
                    same(out[i], want),
                    "primitive {index} of {:?} and {:?}: {:?}, not {want:?} ({})",
                    a[i],
                    b[i],
                    out[i],
                    isa.level()
                );
            }
        }
    }
}

#[test]
fn primitives_of_f32_match_plain_rust() {
    check::<f32>(reference32);
}

#[test]
fn primitives_of_f64_match_plain_rust() {
    check::<f64>(reference64);
}

kernel! {
    /// Copies the first `count` values through a partial load and store, and gives the reductions of the vector.
    fn partial<T: Real>(simd: S, values: &[T; MAX_LANES], count: usize, out: &mut [T; MAX_LANES]) -> (usize, [T; 3]) {
        let count = count.min(T::Vector::<S>::LANES);
        // SAFETY: `count <= LANES <= MAX_LANES`.
        let vector = unsafe { T::Vector::<S>::load_partial(simd, values.as_ptr(), count) };
        // SAFETY: as above.
        unsafe { vector.store_partial(out.as_mut_ptr(), count) };
        (count, [vector.reduce_add(), vector.reduce_min(), vector.reduce_max()])
    }
}

fn check_partial<T: Real>() {
    let values: [T; MAX_LANES] = core::array::from_fn(|i| T::from_f64(i as f64 + 1.0));
    let poison = T::from_f64(-7.0);
    for isa in Isa::available() {
        for wanted in 0..=MAX_LANES {
            let mut out = [poison; MAX_LANES];
            let (count, [sum, min, max]) = partial(isa, &values, wanted, &mut out);
            assert_eq!(out[..count], values[..count], "{}", isa.level());
            assert!(out[count..].iter().all(|&lane| lane == poison), "{} wrote past {count}", isa.level());
            assert_eq!(sum.to_f64(), (count * (count + 1)) as f64 / 2.0);
            assert_eq!(max.to_f64(), count as f64);
            assert!(min.to_f64() <= 1.0);
        }
    }
}

#[test]
fn partial_loads_and_stores_touch_only_their_lanes() {
    check_partial::<f32>();
    check_partial::<f64>();
}

#[test]
fn a_nan_in_any_lane_is_the_extreme() {
    for isa in Isa::available() {
        for position in 0..MAX_LANES {
            let mut values = [1.0_f32; MAX_LANES];
            values[position] = f32::NAN;
            let (count, [_, min, max]) = partial(isa, &values, MAX_LANES, &mut [0.0; MAX_LANES]);
            assert_eq!(min.is_nan() && max.is_nan(), position < count, "{} lane {position}", isa.level());
        }
    }
}

kernel! {
    /// Both of two vectors, zipped and unzipped.
    fn shuffled<T: Real>(simd: S, values: &[T; 2 * MAX_LANES], out: &mut [[T; 2 * MAX_LANES]; 2]) -> usize {
        let lanes = T::Vector::<S>::LANES;
        // SAFETY: there are two vectors of values, and room for two in each of the results.
        unsafe {
            let x = T::Vector::<S>::load(simd, values.as_ptr());
            let y = T::Vector::<S>::load(simd, values.as_ptr().add(lanes));
            for (out, (first, second)) in out.iter_mut().zip([x.zip(y), x.unzip(y)]) {
                first.store(out.as_mut_ptr());
                second.store(out.as_mut_ptr().add(lanes));
            }
        }
        lanes
    }
}

fn check_shuffled<T: Real>() {
    for isa in Isa::available() {
        let values = core::array::from_fn(|i| T::from_f64(i as f64));
        let mut out = [[T::NAN; 2 * MAX_LANES]; 2];
        let lanes = shuffled(isa, &values, &mut out);
        let [zipped, unzipped] = out.map(|out| out.map(|value| value.to_f64() as usize));
        for (i, (zipped, unzipped)) in zipped.into_iter().zip(unzipped).enumerate().take(2 * lanes) {
            assert_eq!(zipped, i / 2 + i % 2 * lanes, "zip {} [{i}]", isa.level());
            assert_eq!(unzipped, i % lanes * 2 + i / lanes, "unzip {} [{i}]", isa.level());
        }
    }
}

#[test]
fn vectors_are_zipped_and_unzipped() {
    check_shuffled::<f32>();
    check_shuffled::<f64>();
}
