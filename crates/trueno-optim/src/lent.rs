//! Parameters taken out of their module, so that a step has all of them at once and each in its own memory.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use trueno_autograd::{Autograd, Gradients};
use trueno_core::Result;
use trueno_nn::{Module, VisitorMut};
use trueno_tensor::{DynTensor, Recorder};

/// A parameter outside its module.
pub(crate) struct Taken {
    /// Outside the gradient graph, and nobody else's unless somebody shares it.
    pub(crate) value: DynTensor,
    pub(crate) gradient: DynTensor,
    /// Where the parameter is in the graph.
    place: Option<Arc<dyn Recorder>>,
}

/// The parameters of a module that have a gradient. They return to it when this is dropped, after a panic too.
pub(crate) struct Lent<'a, M: Module + ?Sized> {
    module: &'a mut M,
    pub(crate) taken: BTreeMap<String, Taken>,
    /// Whether the `.grad()` slots are emptied on return.
    pub(crate) moved: bool,
}

impl<'a, M: Module + ?Sized> Lent<'a, M> {
    /// Takes the parameters that have a gradient, and leaves something of their shape instead.
    pub(crate) fn take(module: &'a mut M, gradients: &Gradients) -> Result<Lent<'a, M>> {
        struct Take<'g> {
            gradients: &'g Gradients,
            taken: BTreeMap<String, Taken>,
            result: Result<()>,
        }
        impl Take<'_> {
            fn one(&mut self, name: &str, value: &mut DynTensor, gradient: &DynTensor) -> Result<()> {
                let gradient = gradient.detach().cast(value.dtype())?.contiguous()?;
                let stand_in = DynTensor::zeros(&[], value.dtype())?.broadcast_to(value.shape())?;
                let place = value.recorder().cloned();
                let value = mem::replace(value, stand_in).with_recorder(None);
                self.taken.insert(name.to_owned(), Taken { value, gradient, place });
                Ok(())
            }
        }
        impl VisitorMut for Take<'_> {
            fn parameter(&mut self, name: &str, value: &mut DynTensor) {
                if self.result.is_ok()
                    && let Some(gradient) = self.gradients.get(value)
                {
                    self.result = self.one(name, value, &gradient);
                }
            }
        }
        let mut take = Take { gradients, taken: BTreeMap::new(), result: Ok(()) };
        module.visit_mut(&mut take);
        let Take { taken, result, .. } = take;
        let lent = Lent { module, taken, moved: false };
        result.map(|()| lent)
    }
}

impl<M: Module + ?Sized> Drop for Lent<'_, M> {
    fn drop(&mut self) {
        struct Return<'t>(&'t mut BTreeMap<String, Taken>, bool);
        impl VisitorMut for Return<'_> {
            fn parameter(&mut self, name: &str, value: &mut DynTensor) {
                if let Some(taken) = self.0.remove(name) {
                    *value = taken.value.with_recorder(taken.place);
                    if self.1 {
                        value.zero_grad();
                    }
                }
            }
        }
        self.module.visit_mut(&mut Return(&mut self.taken, self.moved));
    }
}
