//! Activations that are trained, or that take their input apart.

use crate::{Layer, Mode, Module, Param};
use trueno_core::{Error, Float, Result};
use trueno_tensor::{Lower, Rank, Tensor, fuse};

/// `x` where positive, a trained slope times `x` elsewhere (He et al., 2015): one slope for all, or one per channel of axis 1.
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Layer, Mode, PRelu};
/// assert_eq!(PRelu::new(1).forward(&tensor![-1.0, 2.0], Mode::Eval), tensor![-0.25, 2.0]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct PRelu<T: Float = f32> {
    /// `[1]` or `[C]`.
    pub weight: Param<1, T>,
}

impl<T: Float> PRelu<T> {
    /// So many slopes, 0.25 each.
    pub fn new(slopes: usize) -> PRelu<T> {
        PRelu { weight: Tensor::full([slopes], T::from_f64(0.25)).into() }
    }
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for PRelu<T> {
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        let [slopes] = self.weight.shape();
        if slopes != 1 && input.shape().get(1) != Some(&slopes) {
            let reason = format!("axis 1 must have size {slopes}, the number of slopes").into();
            return Err(Error::Shape { op: "prelu", got: input.shape().as_slice().into(), reason });
        }
        let mut spread = vec![1; N];
        if slopes != 1 {
            spread[1] = slopes;
        }
        let weight = self.weight.as_dyn().reshape_to(&spread)?;
        let formula = fuse!(|x, slope| x.gt(0.0).select(x, x * slope));
        Tensor::from_dyn(formula.apply([input.as_dyn(), &weight])?)
    }
}

/// One half of an axis times the sigmoid of the other (Dauphin et al., 2016).
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Glu, Layer, Mode};
/// assert_eq!(Glu { axis: -1 }.forward(&tensor![3.0, 0.0], Mode::Eval), tensor![1.5]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Glu {
    /// The axis; negative ones count from the end.
    #[module(skip)]
    pub axis: isize,
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for Glu
where
    Rank<N>: Lower,
{
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        let axis = input.as_dyn().layout().axis("glu", self.axis)?;
        let size = input.shape()[axis];
        if !size.is_multiple_of(2) {
            let reason = format!("axis {axis} has an odd size, which has no halves").into();
            return Err(Error::Shape { op: "glu", got: input.shape().as_slice().into(), reason });
        }
        let half = |start| input.as_dyn().narrow(axis as isize, start, size / 2);
        Tensor::from_dyn(fuse!(|value, gate| value * gate.sigmoid()).apply([&half(0)?, &half(size / 2)?])?)
    }
}
