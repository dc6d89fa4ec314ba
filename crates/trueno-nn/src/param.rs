//! Tensors that a module holds: trained ones and kept ones.

use crate::{Module, Visitor, VisitorMut};
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::sync::{PoisonError, RwLock};
use trueno_autograd::Autograd;
use trueno_core::{Element, Float};
use trueno_tensor::{DynTensor, Tensor};

/// A trainable parameter of rank `N`: a tensor of floats that is a leaf of the gradient graph. It is used as a tensor is.
///
/// ```
/// use trueno_nn::{Module, Param};
/// use trueno_nn::tensor::tensor;
///
/// let mut weight = Param::new(tensor![1.0, 2.0]);
/// assert_eq!((&*weight * 3.0).to_vec(), [3.0, 6.0]);
/// weight.freeze();
/// assert!(weight.is_frozen());
/// ```
pub struct Param<const N: usize, T: Float = f32> {
    value: Tensor<T, N>,
}

impl<const N: usize, T: Float> Param<N, T> {
    /// A parameter that starts from this value, outside the graph that the value may be in.
    pub fn new(value: Tensor<T, N>) -> Param<N, T> {
        Param { value: value.detach().requires_grad() }
    }

    /// Whether training leaves this parameter as it is.
    pub fn is_frozen(&self) -> bool {
        !self.value.tracks_gradient()
    }
}

/// A parameter of its own with the same value: frozen if this one is, without its gradient.
impl<const N: usize, T: Float> Clone for Param<N, T> {
    fn clone(&self) -> Param<N, T> {
        if self.is_frozen() { Param { value: self.value.clone() } } else { Param::new(self.value.clone()) }
    }
}

impl<const N: usize, T: Float> Deref for Param<N, T> {
    type Target = Tensor<T, N>;

    fn deref(&self) -> &Tensor<T, N> {
        &self.value
    }
}

impl<const N: usize, T: Float> From<Tensor<T, N>> for Param<N, T> {
    fn from(value: Tensor<T, N>) -> Param<N, T> {
        Param::new(value)
    }
}

impl<const N: usize, T: Float> fmt::Debug for Param<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frozen = if self.is_frozen() { ", frozen" } else { "" };
        write!(f, "Param({:?}{frozen})", self.value.shape())
    }
}

impl<const N: usize, T: Float> Module for Param<N, T> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.parameter("", self.value.as_dyn());
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        lend(&mut self.value, |value| visitor.parameter("", value));
    }
}

/// Lets a visitor change a tensor in its own memory. The tensor is taken out for that time: a second handle would
/// make every write a copy.
///
/// # Panics
/// If the visitor leaves another shape or type, which its contract forbids.
fn lend<T: Element, const N: usize>(tensor: &mut Tensor<T, N>, visit: impl FnOnce(&mut DynTensor)) {
    let shape = tensor.shape();
    let mut value = mem::replace(tensor, Tensor::zeros([0; N])).into_dyn();
    visit(&mut value);
    assert_eq!(value.shape(), shape, "a visitor left another shape in a module");
    match Tensor::from_dyn(value) {
        Ok(value) => *tensor = value,
        Err(error) => panic!("a visitor left another type in a module: {error}"),
    }
}

/// State of rank `N` that is saved with a module but not trained, such as running statistics.
///
/// `forward` takes a module by shared reference and may still replace it.
pub struct Buffer<const N: usize, T: Element = f32> {
    value: RwLock<Tensor<T, N>>,
}

impl<const N: usize, T: Element> Buffer<N, T> {
    /// A buffer that starts from this value.
    pub fn new(value: Tensor<T, N>) -> Buffer<N, T> {
        Buffer { value: RwLock::new(value.detach()) }
    }

    /// The value; shares memory.
    pub fn get(&self) -> Tensor<T, N> {
        // Nothing panics while it holds the lock for writing, so a poisoned value is whole.
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value.
    pub fn set(&self, value: Tensor<T, N>) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value.detach();
    }
}

impl<const N: usize, T: Element> Clone for Buffer<N, T> {
    fn clone(&self) -> Buffer<N, T> {
        Buffer::new(self.get())
    }
}

impl<const N: usize, T: Element> fmt::Debug for Buffer<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({:?})", self.get().shape())
    }
}

impl<const N: usize, T: Element> Module for Buffer<N, T> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.buffer("", self.get().as_dyn());
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        lend(self.value.get_mut().unwrap_or_else(PoisonError::into_inner), |value| visitor.buffer("", value));
    }
}
