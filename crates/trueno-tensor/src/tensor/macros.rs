//! `tensor![]`: literals as NumPy's `array` takes them.

use super::Tensor;
use trueno_core::Element;

/// A tensor from nested lists of elements, all rows of one length.
///
/// The type is what the annotation or the elements say. Plain float literals without either are `f32`.
///
/// ```
/// use trueno_tensor::prelude::*;
/// let a = tensor![[1.0, 2.0], [3.0, 4.0]]; // Tensor<f32, 2>
/// let b: Tensor<f64, 1> = tensor![0.1, 0.2];
/// let c = tensor![1_i64, 2, 3];
/// assert_eq!((a.shape(), b.shape(), c.shape()), ([2, 2], [2], [3]));
/// assert_eq!(b.to_vec(), [0.1, 0.2]);
/// ```
///
/// Rows of different lengths do not compile:
///
/// ```compile_fail
/// let ragged = trueno_tensor::tensor![[1.0, 2.0], [3.0]];
/// ```
#[macro_export]
macro_rules! tensor {
    ($([$([$([$([$([$($x:expr),* $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?) => {
        $crate::nested::rank6([$([$([$([$([$([$($x),*]),+]),+]),+]),+]),+], $crate::tensor!(@settle))
    };
    ($([$([$([$([$($x:expr),* $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?) => {
        $crate::nested::rank5([$([$([$([$([$($x),*]),+]),+]),+]),+], $crate::tensor!(@settle))
    };
    ($([$([$([$($x:expr),* $(,)?]),+ $(,)?]),+ $(,)?]),+ $(,)?) => {
        $crate::nested::rank4([$([$([$([$($x),*]),+]),+]),+], $crate::tensor!(@settle))
    };
    ($([$([$($x:expr),* $(,)?]),+ $(,)?]),+ $(,)?) => {
        $crate::nested::rank3([$([$([$($x),*]),+]),+], $crate::tensor!(@settle))
    };
    ($([$($x:expr),* $(,)?]),+ $(,)?) => {
        $crate::nested::rank2([$([$($x),*]),+], $crate::tensor!(@settle))
    };
    (@settle) => {
        |witness| {
            #[allow(unused_imports, reason = "used only where the type is not open")]
            use $crate::SettleOther as _;
            witness.settle()
        }
    };
    ($($x:expr),* $(,)?) => {
        $crate::nested::rank1([$($x),*], $crate::tensor!(@settle))
    };
}

/// Stands for the element type while the compiler still looks for it.
///
/// `settle` has two meanings: an inherent method on `Settle<f32>`, and a trait method on every other type. A type that is
/// known picks its own. A float literal whose type is still open fits the inherent one, which makes it `f32`, before
/// the language would have made it `f64`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Settle<T>(std::marker::PhantomData<T>);

impl Settle<f32> {
    pub fn settle(self) {}
}

#[doc(hidden)]
pub trait SettleOther {
    fn settle(self);
}

impl<T> SettleOther for Settle<T> {
    fn settle(self) {}
}

/// What `tensor!` calls, by depth. The elements come before the closure that settles their type, so that an annotation
/// on the result reaches them first.
#[doc(hidden)]
pub mod nested {
    use super::*;
    use crate::tensor::expect;

    fn make<T: Element, const N: usize>(
        elements: &[T],
        shape: [usize; N],
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, N> {
        settle(Settle(std::marker::PhantomData));
        expect(Tensor::from_slice(elements, shape))
    }

    type Cube<T, const A: usize, const B: usize, const C: usize> = [[[T; C]; B]; A];

    pub fn rank1<T: Element, const A: usize>(x: [T; A], settle: impl FnOnce(Settle<T>)) -> Tensor<T, 1> {
        make(&x, [A], settle)
    }

    pub fn rank2<T: Element, const A: usize, const B: usize>(
        x: [[T; B]; A],
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, 2> {
        make(x.as_flattened(), [A, B], settle)
    }

    pub fn rank3<T: Element, const A: usize, const B: usize, const C: usize>(
        x: [[[T; C]; B]; A],
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, 3> {
        make(x.as_flattened().as_flattened(), [A, B, C], settle)
    }

    pub fn rank4<T: Element, const A: usize, const B: usize, const C: usize, const D: usize>(
        x: [[[[T; D]; C]; B]; A],
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, 4> {
        make(x.as_flattened().as_flattened().as_flattened(), [A, B, C, D], settle)
    }

    pub fn rank5<T: Element, const A: usize, const B: usize, const C: usize, const D: usize, const E: usize>(
        x: [[[[[T; E]; D]; C]; B]; A],
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, 5> {
        make(x.as_flattened().as_flattened().as_flattened().as_flattened(), [A, B, C, D, E], settle)
    }

    pub fn rank6<
        T: Element,
        const A: usize,
        const B: usize,
        const C: usize,
        const D: usize,
        const E: usize,
        const F: usize,
    >(
        x: Cube<Cube<T, D, E, F>, A, B, C>,
        settle: impl FnOnce(Settle<T>),
    ) -> Tensor<T, 6> {
        let flat = x.as_flattened().as_flattened().as_flattened().as_flattened().as_flattened();
        make(flat, [A, B, C, D, E, F], settle)
    }
}
