//! Whether this thread records operations.

use std::cell::{Cell, RefCell};
use trueno_tensor::DynTensor;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
    /// While a function is only watched ([`watch`]), the tracked tensors that its operations took.
    static WATCHED: RefCell<Option<Vec<DynTensor>>> = const { RefCell::new(None) };
}

/// Whether operations on tracked tensors are recorded on this thread.
///
/// A [`Function`](trueno_tensor::Function)'s `backward` learns from it whether gradients of its gradients are wanted.
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Runs `f` without recording: results carry no graph, whatever they are made of.
///
/// ```
/// use trueno_autograd::prelude::*;
/// use trueno_tensor::prelude::*;
/// let x = tensor![1.0, 2.0].requires_grad();
/// assert!((&x * 2.0).tracks_gradient());
/// assert!(!no_grad(|| &x * 2.0).tracks_gradient());
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad(false, f)
}

/// Runs `f` with recording, inside a [`no_grad`].
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    with_grad(true, f)
}

/// Restores a thread's setting when dropped, after a panic too.
struct Restore<F: FnMut()>(F);

impl<F: FnMut()> Drop for Restore<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn with_grad<R>(enabled: bool, f: impl FnOnce() -> R) -> R {
    let before = ENABLED.replace(enabled);
    let _restore = Restore(|| ENABLED.set(before));
    f()
}

/// Runs `f` without building a graph and gives, beside its result, the tracked tensors that it reached for: those
/// it closed over. Each appears once per operation that took it.
pub(crate) fn watch<R>(f: impl FnOnce() -> R) -> (R, Vec<DynTensor>) {
    let before = WATCHED.replace(Some(Vec::new()));
    let mut watched = Vec::new();
    let result = {
        let _restore = Restore(|| watched = WATCHED.replace(before.clone()).unwrap_or_default());
        f()
    };
    (result, watched)
}

/// Runs `f` with recording, even inside a [`watch`].
pub(crate) fn recording<R>(f: impl FnOnce() -> R) -> R {
    let before = WATCHED.take();
    let _restore = Restore(|| drop(WATCHED.replace(before.clone())));
    with_grad(true, f)
}

/// Whether a graph is being built. If operations are only watched, notes their tracked operands instead.
pub(crate) fn records(inputs: &[&DynTensor]) -> bool {
    ENABLED.get()
        && WATCHED.with_borrow_mut(|watched| match watched {
            None => true,
            Some(seen) => {
                seen.extend(inputs.iter().filter(|x| x.recorder().is_some()).map(|x| (*x).clone()));
                false
            }
        })
}
