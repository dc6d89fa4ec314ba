//! Steps of optimizers: parameter, gradient and state read and written once, in one pass.
//!
//! Each operation is rounded by itself (no fused multiply-add), in PyTorch's order, so that every instruction set
//! gives the same bits and PyTorch's within rounding.

use crate::simd::{MAX_LANES, Real, RealVector, Simd, kernel};

/// What a step of stochastic gradient descent does with momentum (Sutskever et al., 2013; PyTorch's `SGD`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Momentum factor; with 0 the velocity is neither read nor written.
    pub momentum: f64,
    /// Share of the gradient that does not enter the velocity.
    pub dampening: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
    /// Whether the step looks ahead along the velocity.
    pub nesterov: bool,
    /// Whether this is the first step: the velocity then begins as the gradient.
    pub first: bool,
}

/// What a step of Adam does (Kingma and Ba, 2014; PyTorch's `Adam` and `AdamW`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the denominator.
    pub eps: f64,
    /// L2 penalty, or, if `decoupled`, decay of the parameter itself (Loshchilov and Hutter, 2017).
    pub weight_decay: f64,
    /// Whether `weight_decay` acts on the parameter rather than on the gradient.
    pub decoupled: bool,
    /// Number of this step, from 1.
    pub step: u64,
    /// Whether the largest mean of squares so far is used (Reddi et al., 2018).
    pub amsgrad: bool,
}

kernel! {
    /// One step of stochastic gradient descent.
    ///
    /// # Panics
    /// If the lengths differ (`velocity` may be empty without momentum).
    pub fn sgd<T: Real>(simd: S, step: SgdStep, parameter: &mut [T], grad: &[T], velocity: &mut [T]) {
        let moving = step.momentum != 0.0;
        assert_eq!(parameter.len(), grad.len(), "one gradient per parameter");
        assert!(!moving || velocity.len() == parameter.len(), "one velocity per parameter");
        let rule = SgdRule::<T, S>::new(simd, &step);
        let lanes = <T::Vector<S> as RealVector>::LANES;
        let mut unmoved = [T::ZERO; MAX_LANES];
        for start in (0..parameter.len()).step_by(lanes) {
            let count = lanes.min(parameter.len() - start);
            let velocity = if moving { &mut velocity[start..start + count] } else { &mut unmoved[..count] };
            let (next, moved) = rule.apply(
                load(simd, &parameter[start..start + count]),
                load(simd, &grad[start..start + count]),
                load(simd, velocity),
            );
            store(next, &mut parameter[start..start + count]);
            store(moved, velocity);
        }
    }
}

/// The constants of a step, in every lane.
#[derive(Clone, Copy)]
struct SgdRule<T: Real, S: Simd> {
    lr: T::Vector<S>,
    momentum: T::Vector<S>,
    fresh: T::Vector<S>,
    weight_decay: T::Vector<S>,
    moving: bool,
    first: bool,
    nesterov: bool,
}

impl<T: Real, S: Simd> SgdRule<T, S> {
    #[inline(always)]
    fn new(simd: S, step: &SgdStep) -> Self {
        SgdRule {
            lr: splat::<T, S>(simd, step.lr),
            momentum: splat::<T, S>(simd, step.momentum),
            fresh: splat::<T, S>(simd, 1.0 - step.dampening),
            weight_decay: splat::<T, S>(simd, step.weight_decay),
            moving: step.momentum != 0.0,
            first: step.first,
            nesterov: step.nesterov,
        }
    }

    /// The next parameter and velocity.
    #[inline(always)]
    fn apply(self, p: T::Vector<S>, g: T::Vector<S>, v: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>) {
        let g = g.add(p.mul(self.weight_decay));
        let v = if self.first { g } else { v.mul(self.momentum).add(g.mul(self.fresh)) };
        let direction = match (self.moving, self.nesterov) {
            (false, _) => g,
            (true, true) => g.add(v.mul(self.momentum)),
            (true, false) => v,
        };
        (p.sub(direction.mul(self.lr)), v)
    }
}

kernel! {
    /// One step of Adam or AdamW. `largest` is read and written with `amsgrad` only.
    ///
    /// # Panics
    /// If the lengths differ (`largest` may be empty without `amsgrad`).
    pub fn adam<T: Real>(simd: S, step: AdamStep, parameter: &mut [T], grad: &[T], state: AdamState<'_, T>) {
        let AdamState { mean, square, largest } = state;
        let len = parameter.len();
        assert!(grad.len() == len && mean.len() == len && square.len() == len, "one gradient and state per parameter");
        assert!(!step.amsgrad || largest.len() == len, "one largest square per parameter");
        let rule = AdamRule::<T, S>::new(simd, &step);
        let lanes = <T::Vector<S> as RealVector>::LANES;
        let mut unused = [T::ZERO; MAX_LANES];
        for start in (0..len).step_by(lanes) {
            let range = start..len.min(start + lanes);
            let largest = if step.amsgrad { &mut largest[range.clone()] } else { &mut unused[..range.len()] };
            let [p, m, v, l] = rule.apply(
                load(simd, &parameter[range.clone()]),
                load(simd, &grad[range.clone()]),
                load(simd, &mean[range.clone()]),
                load(simd, &square[range.clone()]),
                load(simd, largest),
            );
            store(p, &mut parameter[range.clone()]);
            store(m, &mut mean[range.clone()]);
            store(v, &mut square[range]);
            store(l, largest);
        }
    }
}

/// What Adam keeps per parameter.
#[derive(Debug)]
pub struct AdamState<'a, T> {
    /// Running mean of gradients.
    pub mean: &'a mut [T],
    /// Running mean of squared gradients.
    pub square: &'a mut [T],
    /// The largest of those means, for `amsgrad`.
    pub largest: &'a mut [T],
}

/// The constants of a step, in every lane.
#[derive(Clone, Copy)]
struct AdamRule<T: Real, S: Simd> {
    keep: T::Vector<S>,
    weight_decay: T::Vector<S>,
    fresh1: T::Vector<S>,
    beta2: T::Vector<S>,
    fresh2: T::Vector<S>,
    root_correction: T::Vector<S>,
    eps: T::Vector<S>,
    step_size: T::Vector<S>,
    amsgrad: bool,
}

impl<T: Real, S: Simd> AdamRule<T, S> {
    #[inline(always)]
    fn new(simd: S, step: &AdamStep) -> Self {
        let steps = step.step as f64;
        let correction = |beta: f64| 1.0 - libm::pow(beta, steps);
        let (keep, penalty) = match step.decoupled {
            true => (1.0 - step.lr * step.weight_decay, 0.0),
            false => (1.0, step.weight_decay),
        };
        AdamRule {
            keep: splat::<T, S>(simd, keep),
            weight_decay: splat::<T, S>(simd, penalty),
            fresh1: splat::<T, S>(simd, 1.0 - step.beta1),
            beta2: splat::<T, S>(simd, step.beta2),
            fresh2: splat::<T, S>(simd, 1.0 - step.beta2),
            root_correction: splat::<T, S>(simd, libm::sqrt(correction(step.beta2))),
            eps: splat::<T, S>(simd, step.eps),
            step_size: splat::<T, S>(simd, step.lr / correction(step.beta1)),
            amsgrad: step.amsgrad,
        }
    }

    /// The next parameter, mean, mean square and largest mean square.
    #[inline(always)]
    fn apply(
        self,
        p: T::Vector<S>,
        g: T::Vector<S>,
        m: T::Vector<S>,
        v: T::Vector<S>,
        largest: T::Vector<S>,
    ) -> [T::Vector<S>; 4] {
        let p = p.mul(self.keep);
        let g = g.add(p.mul(self.weight_decay));
        let m = m.add(g.sub(m).mul(self.fresh1));
        let v = v.mul(self.beta2).add(g.mul(g).mul(self.fresh2));
        let largest = if self.amsgrad { largest.max(v) } else { v };
        let denominator = largest.sqrt().div(self.root_correction).add(self.eps);
        [p.sub(m.div(denominator).mul(self.step_size)), m, v, largest]
    }
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

    fn ramp(len: usize, scale: f64) -> Vec<f64> {
        (0..len).map(|i| (i as f64 - len as f64 / 3.0) * scale).collect()
    }

    #[test]
    fn sgd_follows_the_textbook_on_every_level_and_length() {
        let base = SgdStep { lr: 0.1, momentum: 0.9, dampening: 0.2, weight_decay: 0.01, nesterov: true, first: false };
        for isa in Isa::available() {
            for len in [0, 1, 7, 16, 33] {
                let (g, v0, p0) = (ramp(len, 0.3), ramp(len, -0.2), ramp(len, 1.1));
                let (mut p, mut v) = (p0.clone(), v0.clone());
                sgd(isa, base, &mut p, &g, &mut v);
                for i in 0..len {
                    let d = g[i] + p0[i] * 0.01;
                    let velocity = v0[i] * 0.9 + d * (1.0 - 0.2);
                    assert_eq!((v[i], p[i]), (velocity, p0[i] - (d + velocity * 0.9) * 0.1), "{isa:?} {len}");
                }
                let mut plain = p0.clone();
                sgd(isa, SgdStep { momentum: 0.0, weight_decay: 0.0, ..base }, &mut plain, &g, &mut []);
                assert!(plain.iter().zip(&p0).zip(&g).all(|((p, p0), g)| *p == p0 - g * 0.1));
            }
        }
    }

    #[test]
    fn adam_follows_the_textbook_on_every_level_and_length() {
        let step = AdamStep {
            lr: 0.01,
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
            decoupled: true,
            step: 3,
            amsgrad: true,
        };
        for isa in Isa::available() {
            for len in [0, 1, 9, 32, 35] {
                let (g, p0, m0) = (ramp(len, 0.3), ramp(len, 1.1), ramp(len, 0.05));
                let v0: Vec<f64> = g.iter().map(|g| g * g * 0.5).collect();
                let (mut p, mut m, mut v, mut largest) = (p0.clone(), m0.clone(), v0.clone(), ramp(len, 0.1));
                let before = largest.clone();
                let state = AdamState { mean: &mut m, square: &mut v, largest: &mut largest };
                adam(isa, step, &mut p, &g, state);
                for i in 0..len {
                    let mean = m0[i] + (g[i] - m0[i]) * (1.0 - 0.9);
                    let square = v0[i] * 0.99 + g[i] * g[i] * (1.0 - 0.99);
                    let most = before[i].max(square);
                    let denominator = most.sqrt() / (1.0 - 0.99_f64.powi(3)).sqrt() + 1e-8;
                    let want = p0[i] * (1.0 - 0.01 * 0.1) - 0.01 / (1.0 - 0.9_f64.powi(3)) * mean / denominator;
                    assert_eq!((m[i], v[i], largest[i]), (mean, square, most), "{isa:?} {len}");
                    assert!((p[i] - want).abs() <= 1e-14 * want.abs().max(1.0), "{isa:?} {len}: {} {want}", p[i]);
                }
            }
        }
    }
}
