//! Ranks as types: what an operation does to the number of axes, worked out by the compiler.

use super::Tensor;
use crate::DynTensor;
use trueno_core::Element;

/// A number of axes as a type, for bounds such as `Rank<N>: Lower`.
#[derive(Clone, Copy, Debug)]
pub struct Rank<const N: usize>;

/// The tensors of a rank.
pub trait Ranked: sealed::Sealed {
    /// The tensor of this rank.
    type Tensor<T: Element>: Shell;
}

impl<const N: usize> Ranked for Rank<N> {
    type Tensor<T: Element> = Tensor<T, N>;
}

/// A rank that an operation may take `BY` axes from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has too few axes for this operation",
    label = "would have to lose {BY} of its axes",
    note = "reductions, `squeeze` and indexing with an integer take axes away; a value of rank 0 has none"
)]
pub trait Lower<const BY: usize = 1>: sealed::Sealed {
    /// The rank less `BY`.
    type Output: Ranked;
}

/// A rank that an operation may add `BY` axes to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be given {BY} more axes: ranks end at 6",
    label = "would have more than 6 axes"
)]
pub trait Raise<const BY: usize = 1>: sealed::Sealed {
    /// The rank and `BY` more.
    type Output: Ranked;
}

/// Two ranks that broadcast together.
#[diagnostic::on_unimplemented(
    message = "cannot tell that `{Self}` and `Rank<{M}>` broadcast together",
    label = "ranks from 0 to 6 do, and any rank with itself"
)]
pub trait Broadcast<const M: usize>: sealed::Sealed {
    /// The larger of the two.
    type Output: Ranked;
}

/// Two ranks whose matrix product exists.
#[diagnostic::on_unimplemented(
    message = "there is no matrix product of `{Self}` and `Rank<{M}>`",
    label = "both sides need at least one axis",
    note = "a value of rank 0 is a plain factor: use `*`"
)]
pub trait Product<const M: usize>: sealed::Sealed {
    /// The rank of the product: a vector's axis goes, leading axes broadcast.
    type Output: Ranked;
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Lower<0> for Rank<N> {
    type Output = Rank<N>;
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Raise<0> for Rank<N> {
    type Output = Rank<N>;
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Broadcast<N> for Rank<N> {
    type Output = Rank<N>;
}

macro_rules! ranks {
    ($($low:literal + $by:literal = $high:literal),* $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl Lower<$by> for Rank<$high> {
            type Output = Rank<$low>;
        }
        #[diagnostic::do_not_recommend]
        impl Raise<$by> for Rank<$low> {
            type Output = Rank<$high>;
        }
        #[diagnostic::do_not_recommend]
        impl Broadcast<$low> for Rank<$high> {
            type Output = Rank<$high>;
        }
        #[diagnostic::do_not_recommend]
        impl Broadcast<$high> for Rank<$low> {
            type Output = Rank<$high>;
        }
    )*};
}

ranks! {
    0 + 1 = 1, 1 + 1 = 2, 2 + 1 = 3, 3 + 1 = 4, 4 + 1 = 5, 5 + 1 = 6,
    0 + 2 = 2, 1 + 2 = 3, 2 + 2 = 4, 3 + 2 = 5, 4 + 2 = 6,
    0 + 3 = 3, 1 + 3 = 4, 2 + 3 = 5, 3 + 3 = 6,
    0 + 4 = 4, 1 + 4 = 5, 2 + 4 = 6,
    0 + 5 = 5, 1 + 5 = 6,
    0 + 6 = 6,
}

macro_rules! products {
    ($($left:literal x $right:literal = $result:literal),* $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl Product<$right> for Rank<$left> {
            type Output = Rank<$result>;
        }
    )*};
}

products! {
    1 x 1 = 0, 1 x 2 = 1, 1 x 3 = 2, 1 x 4 = 3, 1 x 5 = 4, 1 x 6 = 5,
    2 x 1 = 1, 2 x 2 = 2, 2 x 3 = 3, 2 x 4 = 4, 2 x 5 = 5, 2 x 6 = 6,
    3 x 1 = 2, 3 x 2 = 3, 3 x 3 = 3, 3 x 4 = 4, 3 x 5 = 5, 3 x 6 = 6,
    4 x 1 = 3, 4 x 2 = 4, 4 x 3 = 4, 4 x 4 = 4, 4 x 5 = 5, 4 x 6 = 6,
    5 x 1 = 4, 5 x 2 = 5, 5 x 3 = 5, 5 x 4 = 5, 5 x 5 = 5, 5 x 6 = 6,
    6 x 1 = 5, 6 x 2 = 6, 6 x 3 = 6, 6 x 4 = 6, 6 x 5 = 6, 6 x 6 = 6,
}

/// The tensor of rank `N - 1`.
pub type Lowered<T, const N: usize> = <<Rank<N> as Lower>::Output as Ranked>::Tensor<T>;
/// The tensor of rank `N + 1`.
pub type Raised<T, const N: usize> = <<Rank<N> as Raise>::Output as Ranked>::Tensor<T>;

mod sealed {
    pub trait Sealed {}
    impl<const N: usize> Sealed for super::Rank<N> {}
}

/// A typed tensor as generic code makes it from an engine value of the right type and rank.
#[doc(hidden)]
pub trait Shell: Sized {
    fn shell(inner: DynTensor) -> Self;
}

impl<T: Element, const N: usize> Shell for Tensor<T, N> {
    fn shell(inner: DynTensor) -> Self {
        Tensor::new(inner)
    }
}
