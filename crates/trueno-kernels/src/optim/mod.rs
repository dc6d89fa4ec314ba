//! Steps of optimizers: parameter, gradient and state read and written once, in one pass.
//!
//! Each operation is rounded by itself (no fused multiply-add), as the rule states it, so that every instruction set gives the same bits.

use trueno_core::optim::{MAX_STATES, NUMBERS, Step, Update};

use crate::simd::{Lanes, Real, RealVector, Simd, kernel};

kernel! {
    /// One step of a parameter, or of a part of one, by the rule `R`.
    ///
    /// Unlike most kernels this one is compiled in the crate that calls it: only there is the rule known.
    ///
    /// # Panics
    /// If the lengths differ, or there are more than [`MAX_STATES`] states.
    pub fn step<T: Real, R: Update>(
        simd: S, step: &Step, parameter: &mut [T], grad: &[T], state: &mut [&mut [T]],
    ) {
        match state {
            [] => walk::<S, T, R, 0>(simd, step, parameter, grad, []),
            [a] => walk::<S, T, R, 1>(simd, step, parameter, grad, [a]),
            [a, b] => walk::<S, T, R, 2>(simd, step, parameter, grad, [a, b]),
            [a, b, c] => walk::<S, T, R, 3>(simd, step, parameter, grad, [a, b, c]),
            [a, b, c, d] => walk::<S, T, R, MAX_STATES>(simd, step, parameter, grad, [a, b, c, d]),
            _ => panic!("a rule keeps at most {MAX_STATES} states, not {}", state.len()),
        }
    }
}

/// The step, with the number of states known.
#[inline(always)]
fn walk<S: Simd, T: Real, R: Update, const N: usize>(
    simd: S,
    step: &Step,
    parameter: &mut [T],
    grad: &[T],
    state: [&mut [T]; N],
) {
    let len = parameter.len();
    let fits = grad.len() == len && state.iter().all(|state| state.len() == len);
    assert!(fits, "one gradient and one of each state per parameter");
    let numbers = spread::<S, T>(simd, &step.numbers);
    let factor = splat::<T, S>(simd, step.factor);
    let lanes = <T::Vector<S> as RealVector>::LANES;
    for start in (0..len).step_by(lanes) {
        let range = start..len.min(start + lanes);
        let mut states = [Lanes(factor); N];
        let mut index = 0;
        while index < N {
            states[index] = Lanes(load(simd, &state[index][range.clone()]));
            index += 1;
        }
        let p = Lanes(load(simd, &parameter[range.clone()]));
        let g = Lanes(load::<T, S>(simd, &grad[range.clone()]).mul(factor));
        let Lanes(p) = R::update(step.flags, p, g, &mut states, numbers);
        store(p, &mut parameter[range.clone()]);
        index = 0;
        while index < N {
            store(states[index].0, &mut state[index][range.clone()]);
            index += 1;
        }
    }
}

/// Each number in every lane of a vector.
#[inline(always)]
fn spread<S: Simd, T: Real>(simd: S, numbers: &[f64; NUMBERS]) -> [Lanes<T::Vector<S>>; NUMBERS] {
    let mut vectors = [Lanes(splat::<T, S>(simd, 0.0)); NUMBERS];
    let mut index = 0;
    while index < NUMBERS {
        vectors[index] = Lanes(splat::<T, S>(simd, numbers[index]));
        index += 1;
    }
    vectors
}

#[inline(always)]
fn splat<T: Real, S: Simd>(simd: S, value: f64) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, T::from_f64(value))
}

/// Up to a vector of elements, zeros behind them.
#[inline(always)]
fn load<T: Real, S: Simd>(simd: S, from: &[T]) -> T::Vector<S> {
    let lanes = <T::Vector<S> as RealVector>::LANES;
    debug_assert!(from.len() <= lanes);
    // SAFETY: both read `from.len()` elements, which is `LANES` in the first case and less in the second.
    unsafe {
        if from.len() == lanes {
            T::Vector::<S>::load(simd, from.as_ptr())
        } else {
            T::Vector::<S>::load_partial(simd, from.as_ptr(), from.len())
        }
    }
}

/// Writes the first lanes, up to a vector.
#[inline(always)]
fn store<T: Real, V: RealVector<Elem = T>>(vector: V, to: &mut [T]) {
    debug_assert!(to.len() <= V::LANES);
    // SAFETY: both write `to.len()` elements, which is `LANES` in the first case and less in the second.
    unsafe {
        if to.len() == V::LANES {
            vector.store(to.as_mut_ptr());
        } else {
            vector.store_partial(to.as_mut_ptr(), to.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use std::vec::Vec;
    use trueno_core::math::Math;
    use trueno_core::optim::FLAGS;

    /// As many states as there are slices, each moved by the one before it; what the formula gives depends on all it gets.
    struct Chain;

    impl Update for Chain {
        fn state(&self) -> Vec<(&'static str, f64)> {
            Vec::new()
        }

        fn step(&self, _: u64, _: &mut [f64]) -> Step {
            Step { factor: -0.5, ..Step::new([false, true], [0.1, 0.9, 0.25]) }
        }

        #[inline(always)]
        fn update<M: Math>(
            flags: [bool; FLAGS],
            p: M,
            g: M,
            state: &mut [M],
            [lr, momentum, offset, ..]: [M; NUMBERS],
        ) -> M {
            let mut moved = g;
            for state in state {
                *state = *state * momentum + moved;
                moved = *state;
            }
            let moved = if flags[1] { moved.abs().sqrt() / (g.abs() + offset) } else { moved };
            if flags[0] { p } else { p - moved * lr }
        }
    }

    fn ramp(len: usize, scale: f64) -> Vec<f64> {
        (0..len).map(|i| (i as f64 - len as f64 / 3.0) * scale).collect()
    }

    /// The formula on numbers is the reference: `f64` interprets it too.
    #[test]
    fn vectors_of_every_level_and_length_follow_the_formula_bit_for_bit() {
        let step = Chain.step(1, &mut []);
        for isa in Isa::available() {
            for len in [0, 1, 7, 16, 33] {
                for states in 0..=MAX_STATES {
                    let (mut p, g) = (ramp(len, 1.1), ramp(len, 0.3));
                    let mut kept: Vec<Vec<f64>> = (0..states).map(|at| ramp(len, 0.2 + at as f64)).collect();
                    let (mut want, mut want_kept) = (p.clone(), kept.clone());
                    let mut slices: Vec<&mut [f64]> = kept.iter_mut().map(Vec::as_mut_slice).collect();
                    super::step::<f64, Chain>(isa, &step, &mut p, &g, &mut slices);
                    for i in 0..len {
                        let mut own: Vec<f64> = want_kept.iter().map(|state| state[i]).collect();
                        want[i] = Chain::update(step.flags, want[i], g[i] * step.factor, &mut own, step.numbers);
                        want_kept.iter_mut().zip(own).for_each(|(state, own)| state[i] = own);
                    }
                    assert_eq!((p, kept), (want, want_kept), "{isa:?} {len} {states}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_type_once() {
        let (mut p, g, mut kept) = ([1.0_f32; 19], [2.0_f32; 19], [0.5_f32; 19]);
        let step = Step { flags: [false; FLAGS], factor: 1.0, ..Chain.step(1, &mut []) };
        super::step::<f32, Chain>(Isa::best(), &step, &mut p, &g, &mut [&mut kept]);
        let velocity = 0.5 * 0.9_f32 + 2.0;
        assert_eq!((p, kept), ([1.0 - velocity * 0.1_f32; 19], [velocity; 19]));
    }

    #[test]
    #[should_panic(expected = "one gradient and one of each state per parameter")]
    fn lengths_that_differ_are_refused() {
        let step = Chain.step(1, &mut []);
        super::step::<f64, Chain>(Isa::best(), &step, &mut [0.0; 3], &[0.0; 3], &mut [&mut [0.0; 2]]);
    }
}
