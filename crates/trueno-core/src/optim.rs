//! Update rules of optimizers: what a step does to one element of a parameter, for every backend.
//!
//! An [`Update`] is a formula over [`Math`], as a row of the operation table is. Read by vectors it is the processor's kernel, read by
//! [`wgsl`](crate::math::wgsl) the text of the GPU's. What changes from step to step enters it as numbers, so that its text is made once;
//! what changes the formula itself are flags.

use crate::math::Math;
use crate::math::wgsl::{Scalar, functions};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::array;

/// The most numbers that a formula has.
pub const NUMBERS: usize = 12;

/// The most flags that a formula has.
pub const FLAGS: usize = 2;

/// The most states that are kept for a parameter.
pub const MAX_STATES: usize = 4;

/// The name of the function that [`shader`] writes.
pub const FUNCTION: &str = "updated";

/// What one step is, the same for all elements of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// What chooses among formulas.
    pub flags: [bool; FLAGS],
    /// The numbers of the formula, followed by zeros.
    pub numbers: [f64; NUMBERS],
    /// What the gradient is multiplied by before anything else.
    pub factor: f64,
}

impl Step {
    /// A step along the gradient as it is.
    ///
    /// # Panics
    /// If there are more than [`NUMBERS`] numbers or [`FLAGS`] flags.
    pub fn new<const F: usize, const N: usize>(flags: [bool; F], numbers: [f64; N]) -> Self {
        let mut step = Step { flags: [false; FLAGS], numbers: [0.0; NUMBERS], factor: 1.0 };
        step.flags[..F].copy_from_slice(&flags);
        step.numbers[..N].copy_from_slice(&numbers);
        step
    }
}

/// The rule by which an optimizer moves a parameter, made of its hyperparameters.
///
/// ```
/// use trueno_core::math::Math;
/// use trueno_core::optim::{FLAGS, NUMBERS, Step, Update};
///
/// /// Gradient descent with a velocity.
/// struct Momentum { lr: f64, momentum: f64 }
///
/// impl Update for Momentum {
///     fn state(&self) -> Vec<(&'static str, f64)> {
///         vec![("velocity", 0.0)]
///     }
///
///     fn step(&self, _number: u64, _counters: &mut [f64]) -> Step {
///         Step::new([], [self.lr, self.momentum])
///     }
///
///     #[inline(always)]
///     fn update<M: Math>(_: [bool; FLAGS], p: M, g: M, state: &mut [M], [lr, momentum, ..]: [M; NUMBERS]) -> M {
///         state[0] = state[0] * momentum + g;
///         p - state[0] * lr
///     }
/// }
///
/// let rule = Momentum { lr: 0.1, momentum: 0.5 };
/// let step = rule.step(1, &mut []);
/// let mut velocity = [4.0];
/// assert_eq!(Momentum::update(step.flags, 1.0, 3.0, &mut velocity, step.numbers), 0.5);
/// assert_eq!(velocity, [5.0]);
/// ```
pub trait Update: 'static {
    /// What is kept for each element of a parameter, by the names of PyTorch's `state_dict`, and the value that it begins with. It is as
    /// many states as the formula reads, at most [`MAX_STATES`], in that order.
    fn state(&self) -> Vec<(&'static str, f64)>;

    /// What is counted for a parameter as a whole beside its steps, by name, and the value that it begins with.
    fn counters(&self) -> &'static [(&'static str, f64)] {
        &[]
    }

    /// Step number `number`, from 1. Takes the counters on.
    fn step(&self, number: u64, counters: &mut [f64]) -> Step;

    /// The formula: the next value of an element `p` with the gradient `g`, and its next state.
    ///
    /// It must be `#[inline(always)]`, for else it does not get the instructions of the kernel that calls it.
    fn update<M: Math>(flags: [bool; FLAGS], p: M, g: M, state: &mut [M], numbers: [M; NUMBERS]) -> M;
}

/// The formula of `R` for a number of states as a function of WGSL, [`FUNCTION`], of the parameter, the gradient, the states and all
/// [`NUMBERS`] numbers. It gives the next parameter, or where there are states an array of it and of the next states.
pub fn shader<R: Update>(scalar: Scalar, flags: [bool; FLAGS], states: usize) -> String {
    let mut names = vec![String::from("parameter"), String::from("gradient")];
    names.extend((0..states).map(|state| format!("state{state}")));
    names.extend((0..NUMBERS).map(|number| format!("number{number}")));
    functions(scalar, FUNCTION, &names, |values| {
        let (own, numbers) = values.split_at(2 + states);
        let mut state = own[2..].to_vec();
        let next = R::update(flags, own[0], own[1], &mut state, array::from_fn(|number| numbers[number]));
        [next].into_iter().chain(state).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Update for Sample {
        fn state(&self) -> Vec<(&'static str, f64)> {
            vec![("mean", 0.0)]
        }

        fn step(&self, number: u64, _: &mut [f64]) -> Step {
            Step::new([number == 1], [0.5])
        }

        fn update<M: Math>(flags: [bool; FLAGS], p: M, g: M, state: &mut [M], [lr, ..]: [M; NUMBERS]) -> M {
            if let [mean] = state {
                *mean = if flags[0] { g } else { *mean + g };
            }
            p - g * lr
        }
    }

    #[test]
    fn a_step_pads_its_flags_and_numbers() {
        let step = Sample.step(1, &mut []);
        assert_eq!((step.flags, step.factor), ([true, false], 1.0));
        assert_eq!((step.numbers[0], step.numbers[1..].iter().all(|&number| number == 0.0)), (0.5, true));
    }

    #[test]
    fn text_has_the_flags_formula_and_all_results() {
        let [first, later] = [true, false].map(|first| shader::<Sample>(Scalar::F32, [first, false], 1));
        assert_ne!(first, later);
        assert!(later.contains("fn updated(parameter: f32, gradient: f32, state0: f32, number0: f32, "), "{later}");
        assert!(later.contains("-> array<f32, 2>"), "{later}");
        assert!(shader::<Sample>(Scalar::F64, [false; FLAGS], 0).contains("number11: f64) -> f64 {"));
        for text in [first, later] {
            naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(&text)));
        }
    }
}
