//! Who walks over a module's state.

use crate::RngState;
use trueno_tensor::DynTensor;

/// Code that is shown a module's state.
///
/// Names are full paths, such as `layers.0.weight`.
pub trait Visitor {
    /// A parameter. It carries a place in the gradient graph unless it is frozen.
    fn parameter(&mut self, name: &str, value: &DynTensor);

    /// State that is saved but not trained, such as running statistics.
    fn buffer(&mut self, _name: &str, _value: &DynTensor) {}

    /// The state of a random stream.
    fn rng_state(&mut self, _name: &str, _state: &RngState) {}
}

/// Code that may change a module's state. Shapes and types must stay.
///
/// Names are full paths, such as `layers.0.weight`.
pub trait VisitorMut {
    /// A parameter. It carries a place in the gradient graph unless it is frozen; what the visitor leaves
    /// there is what the module has from now on.
    fn parameter(&mut self, name: &str, value: &mut DynTensor);

    /// State that is saved but not trained.
    fn buffer(&mut self, _name: &str, _value: &mut DynTensor) {}

    /// The state of a random stream.
    fn rng_state(&mut self, _name: &str, _state: &mut RngState) {}
}

/// A visitor inside a module's field: puts the field's name before the names below it.
///
/// Implementations of [`Module`](crate::Module) by hand pass this to their fields; the derive does.
pub struct Scoped<'a, V: ?Sized> {
    scope: &'a str,
    visitor: &'a mut V,
}

impl<'a, V: ?Sized> Scoped<'a, V> {
    /// What `visitor` sees from inside the field called `scope`.
    pub fn new(scope: &'a str, visitor: &'a mut V) -> Self {
        Scoped { scope, visitor }
    }
}

/// The name of `name` in `scope`; a leaf's own name is empty.
fn join(scope: &str, name: &str) -> String {
    if name.is_empty() { scope.to_owned() } else { format!("{scope}.{name}") }
}

impl<V: Visitor + ?Sized> Visitor for Scoped<'_, V> {
    fn parameter(&mut self, name: &str, value: &DynTensor) {
        self.visitor.parameter(&join(self.scope, name), value);
    }

    fn buffer(&mut self, name: &str, value: &DynTensor) {
        self.visitor.buffer(&join(self.scope, name), value);
    }

    fn rng_state(&mut self, name: &str, state: &RngState) {
        self.visitor.rng_state(&join(self.scope, name), state);
    }
}

impl<V: VisitorMut + ?Sized> VisitorMut for Scoped<'_, V> {
    fn parameter(&mut self, name: &str, value: &mut DynTensor) {
        self.visitor.parameter(&join(self.scope, name), value);
    }

    fn buffer(&mut self, name: &str, value: &mut DynTensor) {
        self.visitor.buffer(&join(self.scope, name), value);
    }

    fn rng_state(&mut self, name: &str, state: &mut RngState) {
        self.visitor.rng_state(&join(self.scope, name), state);
    }
}
