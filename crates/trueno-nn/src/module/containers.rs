//! Modules made of modules, and values that hold none.

use super::{Module, Scoped, Visitor, VisitorMut};
use std::marker::PhantomData;
use std::sync::Arc;

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        (**self).visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        (**self).visit_mut(visitor);
    }
}

/// A part that closures can hold too, such as a piece of a [`checkpoint`](trueno_autograd::checkpoint()).
///
/// `visit_mut` (a step of an optimizer, say) wants it alone: backward passes release what they ran.
impl<M: Module> Module for Arc<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        (**self).visit(visitor);
    }

    /// # Panics
    /// If anything else holds the module: a graph that no backward pass has consumed, or another handle.
    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        match Arc::get_mut(self) {
            Some(module) => module.visit_mut(visitor),
            None => panic!(
                "a module in an `Arc` is changed while something else holds it; drop the losses made with it first"
            ),
        }
    }
}

/// A part that may be absent; it adds no name of its own.
impl<M: Module> Module for Option<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.iter().for_each(|module| module.visit(visitor));
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.iter_mut().for_each(|module| module.visit_mut(visitor));
    }
}

/// Parts named by their position, as PyTorch's `ModuleList`.
impl<M: Module> Module for [M] {
    fn visit(&self, visitor: &mut dyn Visitor) {
        for (index, module) in self.iter().enumerate() {
            module.visit(&mut Scoped::new(&index.to_string(), visitor));
        }
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        for (index, module) in self.iter_mut().enumerate() {
            module.visit_mut(&mut Scoped::new(&index.to_string(), visitor));
        }
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.as_slice().visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

impl<M: Module, const LEN: usize> Module for [M; LEN] {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.as_slice().visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

/// Implements [`Module`] for tuples, whose parts are named by their position.
macro_rules! tuple_modules {
    ($($part:ident $output:ident $index:tt),*) => {
        impl<$($part: Module),*> Module for ($($part,)*) {
            fn visit(&self, visitor: &mut dyn Visitor) {
                $(self.$index.visit(&mut Scoped::new(stringify!($index), visitor));)*
            }

            fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
                $(self.$index.visit_mut(&mut Scoped::new(stringify!($index), visitor));)*
            }
        }
    };
}

crate::for_each_tuple!(tuple_modules);

/// Implements [`Module`] for values without state of their own, so that a module's plain fields need no attribute.
macro_rules! stateless {
    ($($ty:ty),* $(,)?) => {$(
        impl Module for $ty {
            fn visit(&self, _: &mut dyn Visitor) {}
            fn visit_mut(&mut self, _: &mut dyn VisitorMut) {}
        }
    )*};
}

stateless!((), bool, char, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64, String, &'static str);

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit(&self, _: &mut dyn Visitor) {}
    fn visit_mut(&mut self, _: &mut dyn VisitorMut) {}
}
