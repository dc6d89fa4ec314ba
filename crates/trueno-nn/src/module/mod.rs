//! What a module is: something whose state can be visited.

mod containers;
mod visitor;

pub use visitor::{Scoped, Visitor, VisitorMut};

use crate::layer::expect;
use crate::state::{Incompatible, StateDict, load};
use trueno_autograd::Autograd;
use trueno_core::Result;
use trueno_tensor::{Device, DynTensor};

/// A value that holds parameters, buffers and random state, or holds modules that do.
///
/// `#[derive(Module)]` writes it for a struct or an enum whose fields are modules. Everything that is done to a network as
/// a whole (optimizers, checkpoints, freezing) is a [`Visitor`] or a [`VisitorMut`], and most of it is here.
///
/// There is no `forward` in it and no training flag: what a network computes is a plain method of its type, or
/// [`Layer`](crate::Layer), with the [`Mode`](crate::Mode) as an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "this holds no parameters that `Module` could find",
    note = "a tensor that is trained is a `Param`, one that is only kept is a `Buffer`",
    note = "add `#[derive(Module)]` to `{Self}`, or `#[module(skip)]` to the field if it holds no state"
)]
pub trait Module {
    /// Shows every parameter, buffer and random state to a visitor, in the order of declaration.
    fn visit(&self, visitor: &mut dyn Visitor);

    /// The same, to change them. Shapes and types stay.
    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut);

    /// The parameters with their names. The tensors share memory with the module's.
    fn named_parameters(&self) -> Vec<(String, DynTensor)> {
        struct Collect(Vec<(String, DynTensor)>);
        impl Visitor for Collect {
            fn parameter(&mut self, name: &str, value: &DynTensor) {
                self.0.push((name.to_owned(), value.clone()));
            }
        }
        let mut found = Collect(Vec::new());
        self.visit(&mut found);
        found.0
    }

    /// The parameters.
    fn parameters(&self) -> Vec<DynTensor> {
        self.named_parameters().into_iter().map(|(_, value)| value).collect()
    }

    /// The buffers with their names.
    fn named_buffers(&self) -> Vec<(String, DynTensor)> {
        struct Collect(Vec<(String, DynTensor)>);
        impl Visitor for Collect {
            fn parameter(&mut self, _: &str, _: &DynTensor) {}
            fn buffer(&mut self, name: &str, value: &DynTensor) {
                self.0.push((name.to_owned(), value.clone()));
            }
        }
        let mut found = Collect(Vec::new());
        self.visit(&mut found);
        found.0
    }

    /// The number of trainable values: the elements of all parameters.
    fn num_parameters(&self) -> usize {
        struct Count(usize);
        impl Visitor for Count {
            fn parameter(&mut self, _: &str, value: &DynTensor) {
                self.0 += value.size();
            }
        }
        let mut count = Count(0);
        self.visit(&mut count);
        count.0
    }

    /// A snapshot of parameters and buffers under PyTorch's names. It shares memory with the module until either
    /// changes, and later training does not change it.
    ///
    /// ```
    /// use trueno_nn::{Linear, Module, Rng};
    /// let layer: Linear = Linear::new(3, 2, &mut Rng::seed(0));
    /// let names: Vec<_> = layer.state_dict().keys().map(str::to_owned).collect();
    /// assert_eq!(names, ["weight", "bias"]);
    /// ```
    fn state_dict(&self) -> StateDict {
        struct Collect(StateDict);
        impl Visitor for Collect {
            fn parameter(&mut self, name: &str, value: &DynTensor) {
                self.0.insert(name, value.detach());
            }
            fn buffer(&mut self, name: &str, value: &DynTensor) {
                self.0.insert(name, value.detach());
            }
        }
        let mut found = Collect(StateDict::new());
        self.visit(&mut found);
        found.0
    }

    /// Takes parameters and buffers from a state dict. Floating-point values are converted to the module's types.
    ///
    /// All or nothing: on an error the module is as before. With `strict`, both sides must have the same names;
    /// without, names that only one side has are left alone and returned.
    ///
    /// # Errors
    /// [`Error::Argument`](trueno_core::Error::Argument) naming every missing and unexpected name (if `strict`), and
    /// every tensor whose shape or type differs with both shapes.
    fn load_state_dict(&mut self, dict: &StateDict, strict: bool) -> Result<Incompatible>
    where
        Self: Sized,
    {
        load::load_state_dict(self, dict, strict)
    }

    /// The state of every random stream (those of [`Dropout`](crate::Dropout)), for a checkpoint that continues bit for bit.
    /// It is no part of [`state_dict`](Module::state_dict), which holds what PyTorch's holds.
    fn rng_state_dict(&self) -> StateDict {
        load::rng_state_dict(self)
    }

    /// Takes back what [`rng_state_dict`](Module::rng_state_dict) gave. All or nothing.
    ///
    /// # Errors
    /// [`Error::Argument`](trueno_core::Error::Argument) if names differ or a value is not a stream's state.
    fn load_rng_state_dict(&mut self, dict: &StateDict) -> Result<()>
    where
        Self: Sized,
    {
        load::load_rng_state_dict(self, dict)
    }

    /// Forgets the gradients that backward passes left in the parameters.
    fn zero_grad(&self) {
        struct Zero;
        impl Visitor for Zero {
            fn parameter(&mut self, _: &str, value: &DynTensor) {
                value.zero_grad();
            }
        }
        self.visit(&mut Zero);
    }

    /// Takes the parameters out of training: nothing is recorded for them, and optimizers leave them as they are.
    ///
    /// ```
    /// use trueno_nn::{Linear, Module, Rng};
    /// let mut layer: Linear = Linear::new(3, 2, &mut Rng::seed(0));
    /// layer.freeze();
    /// assert!(layer.weight.is_frozen());
    /// layer.unfreeze();
    /// assert!(!layer.weight.is_frozen());
    /// ```
    fn freeze(&mut self) {
        struct Freeze;
        impl VisitorMut for Freeze {
            fn parameter(&mut self, _: &str, value: &mut DynTensor) {
                *value = value.detach();
            }
        }
        self.visit_mut(&mut Freeze);
    }

    /// Takes frozen parameters back into training, as new leaves of the gradient graph.
    fn unfreeze(&mut self) {
        struct Unfreeze;
        impl VisitorMut for Unfreeze {
            fn parameter(&mut self, _: &str, value: &mut DynTensor) {
                *value = value.requires_grad();
            }
        }
        self.visit_mut(&mut Unfreeze);
    }

    /// The module with its parameters and buffers on a device; counters (integers of rank 0) stay in main memory.
    ///
    /// # Panics
    /// At the caller's line, with the error of [`try_to`](Module::try_to) as the message.
    #[must_use]
    #[track_caller]
    fn to(self, device: &Device) -> Self
    where
        Self: Sized,
    {
        expect(self.try_to(device))
    }

    /// As [`to`](Module::to), for a device whose memory may not be enough.
    ///
    /// # Errors
    /// Those of moving a tensor.
    fn try_to(mut self, device: &Device) -> Result<Self>
    where
        Self: Sized,
    {
        struct Move<'a>(&'a Device, Result<()>);
        impl Move<'_> {
            fn tensor(&mut self, value: &mut DynTensor) {
                // What counts batches is read at each of them, and stays where that costs nothing.
                let counts = value.rank() == 0 && !value.dtype().is_float();
                if self.1.is_ok() && !counts && value.device() != *self.0 {
                    self.1 =
                        value.detach().to(self.0).map(|moved| *value = moved.with_recorder(value.recorder().cloned()));
                }
            }
        }
        impl VisitorMut for Move<'_> {
            fn parameter(&mut self, _: &str, value: &mut DynTensor) {
                self.tensor(value);
            }
            fn buffer(&mut self, _: &str, value: &mut DynTensor) {
                self.tensor(value);
            }
        }
        let mut mover = Move(device, Ok(()));
        self.visit_mut(&mut mover);
        mover.1.map(|()| self)
    }
}
