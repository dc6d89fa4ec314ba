//! What may stand on the right of an operation: a tensor that broadcasts, or a plain number.

use super::rank::{Broadcast, Rank, Ranked};
use super::{Tensor, expect};
use crate::DynTensor;
use crate::numbers::number;
use trueno_core::{Element, Result};

/// An operand beside a tensor of rank `Left`: another tensor of the same type, or one element.
///
/// So `x.maximum(0.0)`, `x.gt(&y)` and `x.pow(2.0)` are all one method each.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand beside a tensor of `{T}`",
    label = "expected a `{T}` or a tensor of `{T}`",
    note = "element types are not converted silently: `cast` one side"
)]
pub trait Operand<T: Element, Left> {
    /// The rank that both broadcast to.
    type Rank: Ranked;

    /// Hands the operand to `f` as an engine value.
    ///
    /// # Errors
    /// Those of `f`.
    fn with<V>(&self, f: impl FnOnce(&DynTensor) -> Result<V>) -> Result<V>;
}

#[diagnostic::do_not_recommend]
impl<T: Element, const N: usize> Operand<T, Rank<N>> for T {
    type Rank = Rank<N>;

    fn with<V>(&self, f: impl FnOnce(&DynTensor) -> Result<V>) -> Result<V> {
        let number = number(*self)?;
        f(&number)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Element, Left: Broadcast<M>, const M: usize> Operand<T, Left> for &Tensor<T, M> {
    type Rank = Left::Output;

    fn with<V>(&self, f: impl FnOnce(&DynTensor) -> Result<V>) -> Result<V> {
        f(self.as_dyn())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Element, Left: Broadcast<M>, const M: usize> Operand<T, Left> for Tensor<T, M> {
    type Rank = Left::Output;

    fn with<V>(&self, f: impl FnOnce(&DynTensor) -> Result<V>) -> Result<V> {
        f(self.as_dyn())
    }
}

impl<const N: usize> Tensor<bool, N> {
    /// `yes` where `self` holds, else `no`; all three broadcast (NumPy's and PyTorch's `where`).
    ///
    /// ```
    /// use trueno_tensor::prelude::*;
    /// let x = tensor![-1.0, 2.0];
    /// assert_eq!(x.gt(0.0).select(&x, &x.zeros_like()), tensor![0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// At the caller's line, with the error of [`Tensor::try_select`] as the message.
    #[track_caller]
    pub fn select<T: Element, const Y: usize, No>(&self, yes: &Tensor<T, Y>, no: No) -> <No::Rank as Ranked>::Tensor<T>
    where
        Rank<N>: Broadcast<Y>,
        No: Operand<T, <Rank<N> as Broadcast<Y>>::Output>,
    {
        expect(self.try_select(yes, no))
    }

    /// As [`Tensor::select`], for shapes that are not known to fit.
    ///
    /// # Errors
    /// [`trueno_core::Error::Broadcast`].
    pub fn try_select<T: Element, const Y: usize, No>(
        &self,
        yes: &Tensor<T, Y>,
        no: No,
    ) -> Result<<No::Rank as Ranked>::Tensor<T>>
    where
        Rank<N>: Broadcast<Y>,
        No: Operand<T, <Rank<N> as Broadcast<Y>>::Output>,
    {
        use super::Shell;
        no.with(|no| self.as_dyn().select(yes.as_dyn(), no)).map(Shell::shell)
    }
}
