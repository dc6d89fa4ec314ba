//! Trainable tensors.

use crate::{Module, Visitor, VisitorMut};
use trueno_core::{DType, Error, Result};
use trueno_tensor::DynTensor;

/// A trainable parameter of rank `N`.
#[derive(Debug)]
pub struct Param<const N: usize> {
    value: DynTensor,
}

impl<const N: usize> Param<N> {
    /// A parameter that starts from this value.
    ///
    /// # Errors
    /// [`Error::DType`] or [`Error::Shape`] unless it is `f32` of rank `N`.
    pub fn from_dyn(value: DynTensor) -> Result<Param<N>> {
        if value.dtype() != DType::F32 {
            return Err(Error::DType { op: "Param", got: value.dtype(), expected: "parameters are float32".into() });
        }
        if value.rank() != N {
            let reason = format!("is not of rank {N}").into();
            return Err(Error::Shape { op: "Param", got: value.shape().into(), reason });
        }
        Ok(Param { value })
    }

    /// The engine value.
    pub fn as_dyn(&self) -> &DynTensor {
        &self.value
    }
}

impl<const N: usize> Module for Param<N> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.parameter("", &self.value);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        visitor.parameter("", &mut self.value);
    }
}
