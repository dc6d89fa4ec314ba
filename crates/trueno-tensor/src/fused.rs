//! `fuse!`: a closure over numbers as one operation on tensors.

use crate::engine::apply_owned;
use crate::exec::fused::Outs;
use crate::tensor::{Operand, Rank, Ranked, Shell};
use crate::{DynTensor, Op, Tensor, apply};
use smallvec::SmallVec;
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use trueno_core::{Element, Float, Result};
use trueno_kernels::elementwise::{self, FusedKernels};
use trueno_kernels::{Isa, Operand as Elements};

pub use trueno_core::fuse::{Adjoint, Formula, Listing, Rows, Scalar, Step, Term, Value};
pub use trueno_core::math::Math;
#[doc(hidden)]
pub use trueno_fuse::expand;

/// A closure over numbers as one operation on tensors: one pass over memory forward, one backward.
///
/// The closure takes from 1 to 6 operands and is made of operators, methods of tensors' elementwise operations and `let`. What names no
/// operand is computed when `fuse!` is reached, as an `f64`, and captured; up to 8 numbers may be. The value of `fuse!` is a
/// [`Fused`](crate::fused::Fused): call it with tensors that broadcast.
///
/// ```
/// use trueno_tensor::prelude::*;
/// let scale = 0.5;
/// let f = fuse!(|a, b, c| (a * b + c * scale).relu());
/// let (a, b, c) = (tensor![1.0, 2.0], tensor![3.0, -4.0], tensor![[2.0], [4.0]]);
/// assert_eq!(f.call(&a, &b, &c), (&a * &b + &c * 0.5).relu());
///
/// let smooth = fuse!(|x, target| {
///     let error = x - target;
///     error.abs().lt(1.0).select(error.square() * 0.5, error.abs() - 0.5)
/// });
/// assert_eq!(smooth.call(tensor![0.0, 3.0], 1.0).to_vec(), [0.5, 1.5]);
/// ```
///
/// Fusion does not change results. Every element is what the operations give one by one, bit for bit (in half precision, which
/// is computed in `f32`, there is one rounding at the end), and nothing is contracted: `a * b + c` rounds twice, `a.fma(b, c)`
/// once. Gradients are those of the operations too, of any order; by an operand that was broadcast, they are summed at the end.
///
/// A closure with branches or with operations that no row states does not compile:
///
/// ```compile_fail
/// let f = trueno_tensor::fuse!(|x| if x > 0.0 { x } else { 0.0 });
/// ```
#[macro_export]
macro_rules! fuse {
    ($($closure:tt)*) => {
        $crate::fused::expand!([$crate] $($closure)*)
    };
}

/// A formula of `N` operands and its `P` captured numbers: what [`fuse!`](crate::fuse) gives.
pub struct Fused<F, const N: usize, const P: usize> {
    parameters: [f64; P],
    formula: PhantomData<F>,
}

impl<F, const N: usize, const P: usize> Clone for Fused<F, N, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, const N: usize, const P: usize> Copy for Fused<F, N, P> {}

impl<F: Formula<N, P>, const N: usize, const P: usize> Debug for Fused<F, N, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fusion().fmt(f)
    }
}

impl<F: Formula<N, P>, const N: usize, const P: usize> Fused<F, N, P> {
    /// The formula with these numbers.
    pub fn new(parameters: [f64; P]) -> Self {
        Fused { parameters, formula: PhantomData }
    }

    /// The formula as the engine passes it on.
    pub fn fusion(&self) -> Fusion {
        let formula = const { &Compiled::<F, N, P>(PhantomData) };
        Fusion { formula, parameters: SmallVec::from_slice(&self.parameters) }
    }

    /// The value for operands that are known at run time. They broadcast.
    ///
    /// # Errors
    /// [`Error::Broadcast`](trueno_core::Error::Broadcast); [`Error::DType`](trueno_core::Error::DType) if their types differ
    /// or are not floats.
    pub fn apply(&self, operands: [&DynTensor; N]) -> Result<DynTensor> {
        apply(&Op::Fused(self.fusion()), &operands)
    }

    /// As [`apply`](Self::apply) for a first operand that is given away: its memory takes the result if nobody else uses it and
    /// nothing is recorded.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn run<T: Element, const R: usize>(&self, first: impl First<T, R>, rest: &[&DynTensor]) -> Result<DynTensor> {
        first.run(&Op::Fused(self.fusion()), rest)
    }
}

/// The first operand of a fused formula: a tensor that is lent, or one that is given away and may become the result.
pub trait First<T: Element, const N: usize>: Sized {
    #[doc(hidden)]
    fn run(self, op: &Op, rest: &[&DynTensor]) -> Result<DynTensor>;
}

impl<T: Element, const N: usize> First<T, N> for &Tensor<T, N> {
    fn run(self, op: &Op, rest: &[&DynTensor]) -> Result<DynTensor> {
        let all: SmallVec<[&DynTensor; 6]> = std::iter::once(self.as_dyn()).chain(rest.iter().copied()).collect();
        apply(op, &all)
    }
}

impl<T: Element, const N: usize> First<T, N> for Tensor<T, N> {
    fn run(self, op: &Op, rest: &[&DynTensor]) -> Result<DynTensor> {
        apply_owned(op, self.into_dyn(), rest)
    }
}

/// `call` and `try_call` for one number of operands.
macro_rules! calls {
    ($($count:literal: $($name:ident $type:ident beside $left:ty),* => $last:ty;)*) => {$(
        impl<F: Formula<$count, P>, const P: usize> Fused<F, $count, P> {
            /// The value. The first operand is a tensor, lent or given away; the others are tensors or elements. All broadcast.
            ///
            /// # Panics
            /// At the caller's line if the shapes do not broadcast.
            #[must_use]
            #[track_caller]
            pub fn call<T: Float, A: First<T, R>, $($type: Operand<T, $left>,)* const R: usize>(
                &self,
                a: A,
                $($name: $type),*
            ) -> <$last as Ranked>::Tensor<T> {
                crate::tensor::expect(self.try_call(a, $($name),*))
            }

            /// As `call`, for shapes that are not known to fit.
            ///
            /// # Errors
            /// [`Error::Broadcast`](trueno_core::Error::Broadcast).
            pub fn try_call<T: Float, A: First<T, R>, $($type: Operand<T, $left>,)* const R: usize>(
                &self,
                a: A,
                $($name: $type),*
            ) -> Result<<$last as Ranked>::Tensor<T>> {
                calls!(@with [$($name)*] self.run(a, &[$($name),*])).map(Shell::shell)
            }
        }
    )*};
    (@with [] $call:expr) => { $call };
    (@with [$name:ident $($rest:ident)*] $call:expr) => { $name.with(|$name| calls!(@with [$($rest)*] $call)) };
}

calls! {
    1: => Rank<R>;
    2: b B beside Rank<R> => B::Rank;
    3: b B beside Rank<R>, c C beside B::Rank => C::Rank;
    4: b B beside Rank<R>, c C beside B::Rank, d D beside C::Rank => D::Rank;
    5: b B beside Rank<R>, c C beside B::Rank, d D beside C::Rank, e E beside D::Rank => E::Rank;
    6: b B beside Rank<R>, c C beside B::Rank, d D beside C::Rank, e E beside D::Rank, g G beside E::Rank => G::Rank;
}

/// A formula with its captured numbers as the engine passes it on: its kernels, and its steps as data.
#[derive(Clone)]
pub struct Fusion {
    formula: &'static dyn Kernels,
    parameters: SmallVec<[f64; 2]>,
}

impl Fusion {
    /// The steps.
    pub fn listing(&self) -> &'static Listing {
        self.formula.listing()
    }

    /// The captured numbers.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }
}

impl Debug for Fusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fuse!({})", self.formula.text())?;
        if self.parameters.is_empty() { Ok(()) } else { write!(f, " with {:?}", &self.parameters[..]) }
    }
}

/// A formula whose type is forgotten.
trait Kernels: Send + Sync {
    fn text(&self) -> &'static str;
    fn listing(&self) -> &'static Listing;
    fn value_f32(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f32>], out: &mut [f32]);
    fn value_f64(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f64>], out: &mut [f64]);
    fn gradients_f32(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f32>], outs: Outs<'_, f32>);
    fn gradients_f64(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f64>], outs: Outs<'_, f64>);
}

struct Compiled<F, const N: usize, const P: usize>(PhantomData<F>);

impl<F: Formula<N, P>, const N: usize, const P: usize> Compiled<F, N, P> {
    fn value<T: FusedKernels>(isa: Isa, parameters: &[f64], operands: &[Elements<'_, T>], out: &mut [T]) {
        let (parameters, operands) = (std::array::from_fn(|i| parameters[i]), std::array::from_fn(|i| operands[i]));
        elementwise::fused::<F, T, N, P>(isa, parameters, operands, out);
    }

    fn gradients<T: FusedKernels>(isa: Isa, parameters: &[f64], operands: &[Elements<'_, T>], outs: Outs<'_, T>) {
        let (parameters, inputs) = (std::array::from_fn(|i| parameters[i]), std::array::from_fn(|i| operands[i]));
        let mut outs = outs.into_iter();
        let outs = std::array::from_fn(|_| outs.next().flatten());
        elementwise::fused_grad::<F, T, N, P>(isa, parameters, inputs, operands[N], outs);
    }
}

impl<F: Formula<N, P>, const N: usize, const P: usize> Kernels for Compiled<F, N, P> {
    fn text(&self) -> &'static str {
        F::TEXT
    }

    fn listing(&self) -> &'static Listing {
        F::listing()
    }

    fn value_f32(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f32>], out: &mut [f32]) {
        Self::value(isa, parameters, operands, out);
    }

    fn value_f64(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f64>], out: &mut [f64]) {
        Self::value(isa, parameters, operands, out);
    }

    fn gradients_f32(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f32>], outs: Outs<'_, f32>) {
        Self::gradients(isa, parameters, operands, outs);
    }

    fn gradients_f64(&self, isa: Isa, parameters: &[f64], operands: &[Elements<'_, f64>], outs: Outs<'_, f64>) {
        Self::gradients(isa, parameters, operands, outs);
    }
}

/// The kernels of a formula for one type.
pub(crate) trait Kernel: FusedKernels {
    fn compute(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, Self>], out: &mut [Self]);
    /// The gradient by the value comes last among the operands.
    fn differentiate(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, Self>], outs: Outs<'_, Self>);
}

impl Kernel for f32 {
    fn compute(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, f32>], out: &mut [f32]) {
        fusion.formula.value_f32(isa, &fusion.parameters, operands, out);
    }

    fn differentiate(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, f32>], outs: Outs<'_, f32>) {
        fusion.formula.gradients_f32(isa, &fusion.parameters, operands, outs);
    }
}

impl Kernel for f64 {
    fn compute(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, f64>], out: &mut [f64]) {
        fusion.formula.value_f64(isa, &fusion.parameters, operands, out);
    }

    fn differentiate(fusion: &Fusion, isa: Isa, operands: &[Elements<'_, f64>], outs: Outs<'_, f64>) {
        fusion.formula.gradients_f64(isa, &fusion.parameters, operands, outs);
    }
}
