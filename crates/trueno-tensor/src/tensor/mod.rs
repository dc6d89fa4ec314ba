//! The typed shell: an engine value whose element type and rank the compiler knows.
#![forbid(unsafe_code)]

mod arrange;
mod create;
mod display;
mod elementwise;
mod index;
mod linalg;
mod macros;
mod nn;
mod operand;
mod operators;
mod order;
mod random;
mod rank;
mod reduce;
mod views;

pub use index::{Items, Position, after};
#[doc(hidden)]
pub use macros::{Settle, SettleOther, nested};
pub use operand::Operand;
pub use random::Rng;
pub use rank::{Broadcast, Lower, Lowered, Product, Raise, Raised, Rank, Ranked, Shell};
pub use views::{concat, stack, try_concat, try_stack};

use crate::{Device, DynTensor};
use std::marker::PhantomData;
use trueno_core::table::{CompareOp, ReduceOp};
use trueno_core::{DType, Element, Error, Result};

/// An n-dimensional array with elements of type `T` and `N` axes.
///
/// Cloning and views share memory, and a write through one handle never shows through another. Operations whose
/// operands can be of the wrong shape panic at the caller's line, naming the operation, the shapes and the axis; each
/// has a `try_` twin that returns the same as an [`Error`].
///
/// ```
/// use trueno_tensor::prelude::*;
/// let a = tensor![[1.0, 2.0], [3.0, 4.0]]; // Tensor<f32, 2>
/// let rows = a.sum_axis(1); // Tensor<f32, 1>: the rank is inferred
/// let b = &a + &rows.unsqueeze(1) * 0.5; // broadcasts
/// assert_eq!(b, tensor![[2.5, 3.5], [6.5, 7.5]]);
/// assert_eq!(a.slice(i![.., ::-1]), tensor![[2.0, 1.0], [4.0, 3.0]]);
/// ```
///
/// A wrong rank does not compile:
///
/// ```compile_fail
/// use trueno_tensor::prelude::*;
/// let a = tensor![[1.0, 2.0], [3.0, 4.0]];
/// let rows: Tensor<f32, 2> = a.sum_axis(1);
/// ```
#[derive(Clone)]
pub struct Tensor<T: Element, const N: usize> {
    inner: DynTensor,
    element: PhantomData<T>,
}

/// The value, or a panic with the error's message at the caller's line.
#[track_caller]
pub(crate) fn expect<V>(result: Result<V>) -> V {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// Writes functions twice from their fallible bodies: once panicking at the caller's line, once as `try_`. Generics and
/// bounds stand in brackets.
macro_rules! twins {
    () => {};
    (
        $(#[doc = $doc:expr])*
        pub fn $name:ident $([$($generic:tt)*])? (&$this:ident $(, $arg:ident: $type:ty)* $(,)?) -> $output:ty
        $(where [$($bound:tt)*])? $body:block
        $($rest:tt)*
    ) => {
        twins! {
            @pair [$($doc,)*] $name [$($($generic)*)?] [&$this, $($arg: $type),*] [$output] [$($($bound)*)?] $body,
            [$this.] ($($arg),*)
        }
        twins! { $($rest)* }
    };
    (
        $(#[doc = $doc:expr])*
        pub fn $name:ident $([$($generic:tt)*])? (&mut $this:ident $(, $arg:ident: $type:ty)* $(,)?) -> $output:ty
        $(where [$($bound:tt)*])? $body:block
        $($rest:tt)*
    ) => {
        twins! {
            @pair [$($doc,)*] $name [$($($generic)*)?] [&mut $this, $($arg: $type),*] [$output] [$($($bound)*)?] $body,
            [$this.] ($($arg),*)
        }
        twins! { $($rest)* }
    };
    (
        $(#[doc = $doc:expr])*
        pub fn $name:ident $([$($generic:tt)*])? ($($arg:ident: $type:ty),* $(,)?) -> $output:ty
        $(where [$($bound:tt)*])? $body:block
        $($rest:tt)*
    ) => {
        twins! {
            @pair [$($doc,)*] $name [$($($generic)*)?] [$($arg: $type),*] [$output] [$($($bound)*)?] $body,
            [Self::] ($($arg),*)
        }
        twins! { $($rest)* }
    };
    (
        @pair [$($doc:expr,)*] $name:ident [$($generic:tt)*] [$($argument:tt)*] [$output:ty] [$($bound:tt)*] $body:block,
        [$($path:tt)*] $passed:tt
    ) => { pastey::paste! {
        $(#[doc = $doc])*
        ///
        /// # Panics
        #[doc = concat!("At the caller's line, with the error of `try_", stringify!($name), "` as the message.")]
        #[track_caller]
        pub fn $name<$($generic)*>($($argument)*) -> $output where $($bound)* {
            $crate::tensor::expect($($path)* [<try_ $name>] $passed)
        }

        #[doc = concat!("As `", stringify!($name), "`, for operands that are not known to fit.")]
        ///
        /// # Errors
        /// What does not fit, with the operation's name, the shapes and the axis; [`trueno_core::Error::OutOfMemory`].
        pub fn [<try_ $name>]<$($generic)*>($($argument)*) -> trueno_core::Result<$output> where $($bound)* $body
    } };
}
pub(crate) use twins;

impl<T: Element, const N: usize> Tensor<T, N> {
    /// The caller vouches for type and rank.
    pub(crate) fn new(inner: DynTensor) -> Self {
        debug_assert_eq!((inner.dtype(), inner.rank()), (T::DTYPE, N));
        Tensor { inner, element: PhantomData }
    }

    /// An engine value whose type and rank are checked.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`] if they are not `T` and `N`.
    pub fn from_dyn(inner: DynTensor) -> Result<Self> {
        let op = "from_dyn";
        if inner.dtype() != T::DTYPE {
            let expected = format!("a tensor of {} was asked for; cast it first", T::DTYPE);
            return Err(Error::DType { op, got: inner.dtype(), expected: expected.into() });
        }
        if inner.rank() != N {
            let reason = format!("has rank {}, but rank {N} was asked for", inner.rank());
            return Err(Error::Shape { op, got: inner.shape().into(), reason: reason.into() });
        }
        Ok(Tensor::new(inner))
    }

    /// The engine value.
    pub fn as_dyn(&self) -> &DynTensor {
        &self.inner
    }

    /// The engine value.
    pub fn into_dyn(self) -> DynTensor {
        self.inner
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> [usize; N] {
        std::array::from_fn(|axis| self.inner.shape()[axis])
    }

    /// Steps, in elements, from one index to the next along each axis; negative or zero in some views.
    pub fn strides(&self) -> [isize; N] {
        std::array::from_fn(|axis| self.inner.layout().strides()[axis])
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.inner.size()
    }

    /// True if there is no element.
    pub fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// The type that the elements are kept in: `T`, or `float16` or `bfloat16` for results of [`autocast`](crate::autocast()), which are
    /// of `f32`. [`cast`](Tensor::cast) and [`contiguous`](Tensor::contiguous) give a value that is kept in its own type.
    pub fn storage_dtype(&self) -> DType {
        self.inner.storage_dtype()
    }

    /// Where the elements live.
    pub fn device(&self) -> Device {
        self.inner.device()
    }

    /// The same value on a device; shares memory if it is there already. Gradients flow back to where it was.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::Device`] for what a GPU refuses.
    pub fn to(&self, device: &Device) -> Result<Self> {
        self.inner.to(device).map(Tensor::new)
    }

    /// The elements, if they lie in main memory in row-major order without gaps, kept in their type.
    pub fn as_slice(&self) -> Option<&[T]> {
        self.inner.as_slice::<T>()
    }

    twins! {
        /// The elements in row-major order.
        pub fn to_vec(&self) -> Vec<T> {
            self.inner.to_vec::<T>()
        }

        /// The same elements in another type (NumPy's `astype`): floats round to nearest, integers truncate and
        /// saturate, `bool` is "not 0".
        pub fn cast[U: Element](&self) -> Tensor<U, N> {
            self.inner.cast(U::DTYPE).map(Tensor::new)
        }

        /// The same elements in row-major order; no copy if they lie so already.
        pub fn contiguous(&self) -> Tensor<T, N> {
            self.inner.contiguous().map(Tensor::new)
        }
    }

    /// As [`Tensor::to_vec`], for those who do not wait for a GPU but await it: the only form in a browser.
    ///
    /// # Errors
    /// [`Error::Device`] for what went wrong on a GPU; [`Error::OutOfMemory`].
    pub async fn to_vec_async(&self) -> Result<Vec<T>> {
        self.inner.to_vec_async::<T>().await
    }

    /// True if the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.inner.layout().is_contiguous()
    }

    /// The same value outside any gradient graph.
    #[must_use]
    pub fn detach(&self) -> Self {
        Tensor::new(self.inner.detach())
    }
}

impl<T: Element> Tensor<T, 0> {
    twins! {
        /// The element of a value of rank 0.
        pub fn item(&self) -> T {
            self.inner.item::<T>()
        }
    }
}

impl<T: Element, const N: usize> TryFrom<DynTensor> for Tensor<T, N> {
    type Error = Error;

    fn try_from(inner: DynTensor) -> Result<Self> {
        Tensor::from_dyn(inner)
    }
}

impl<T: Element, const N: usize> From<Tensor<T, N>> for DynTensor {
    fn from(tensor: Tensor<T, N>) -> DynTensor {
        tensor.inner
    }
}

/// Equal shapes and equal elements; as everywhere, NaN equals nothing.
impl<T: Element, const N: usize> PartialEq for Tensor<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && expect(all_equal(&self.inner.detach(), &other.inner.detach()))
    }
}

fn all_equal(a: &DynTensor, b: &DynTensor) -> Result<bool> {
    let equal = a.compare(CompareOp::Eq, b)?;
    equal.reduce(ReduceOp::All, &equal.all_axes(), false, 0.0)?.item::<bool>()
}
