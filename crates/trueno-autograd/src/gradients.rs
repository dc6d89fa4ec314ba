//! What a backward pass gives.

use crate::Autograd;
use crate::variable::Variable;
use crate::walk::Found;
use std::collections::BTreeMap;
use std::fmt;
use trueno_core::Result;
use trueno_tensor::DynTensor;

/// The gradients of one backward pass, by leaf.
///
/// ```
/// use trueno_autograd::prelude::*;
/// use trueno_tensor::prelude::*;
/// let x = tensor![1.0, 2.0, 3.0].requires_grad();
/// let gradients = x.sum().backward();
/// assert_eq!(gradients.get(&x).unwrap(), tensor![1.0, 1.0, 1.0]);
/// ```
#[derive(Clone, Default)]
pub struct Gradients {
    /// By age of the leaf, so that whoever adds them up does it in the same order every time.
    by_leaf: BTreeMap<u64, DynTensor>,
}

impl Gradients {
    pub(crate) fn new(found: Found) -> Gradients {
        Gradients { by_leaf: found.into_iter().map(|(id, (_, gradient))| (id, gradient)).collect() }
    }

    /// The gradient by a leaf; `None` if the pass did not reach it, or `leaf` is none.
    pub fn get<X: Autograd>(&self, leaf: &X) -> Option<X> {
        let gradient = self.by_leaf.get(&Variable::of(leaf.as_dyn())?.id())?;
        X::from_dyn(gradient.clone()).ok()
    }

    /// As [`Gradients::get`], taking the gradient out, so that its memory is the caller's alone if no `grad()` shares it.
    pub fn remove<X: Autograd>(&mut self, leaf: &X) -> Option<X> {
        let gradient = self.by_leaf.remove(&Variable::of(leaf.as_dyn())?.id())?;
        X::from_dyn(gradient).ok()
    }

    /// Puts a gradient in a leaf's place (a clipped one, say) and gives the one that was there. What is no leaf
    /// has no place.
    pub fn insert<X: Autograd>(&mut self, leaf: &X, gradient: &X) -> Option<X> {
        let id = Variable::of(leaf.as_dyn())?.id();
        X::from_dyn(self.by_leaf.insert(id, gradient.as_dyn().clone())?).ok()
    }

    /// The gradients, those by older leaves first.
    pub fn iter(&self) -> impl Iterator<Item = &DynTensor> {
        self.by_leaf.values()
    }

    /// Adds the gradients of another pass, leaf by leaf: several batches, one step.
    ///
    /// ```
    /// use trueno_autograd::prelude::*;
    /// use trueno_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0].requires_grad();
    /// let mut total = x.sum().backward();
    /// total.accumulate(&(&x * &x).sum().backward())?;
    /// assert_eq!(total.get(&x).unwrap(), tensor![3.0, 5.0]);
    /// # Ok::<(), trueno_tensor::core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`trueno_core::Error::OutOfMemory`].
    pub fn accumulate(&mut self, other: &Gradients) -> Result<()> {
        for (id, gradient) in &other.by_leaf {
            let sum = match self.by_leaf.remove(id) {
                Some(own) => crate::walk::sum(own, gradient.clone())?,
                None => gradient.clone(),
            };
            self.by_leaf.insert(*id, sum);
        }
        Ok(())
    }

    /// Replaces each gradient by what `change` makes of it (clipped, scaled). On an error those before are replaced.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn try_map(&mut self, mut change: impl FnMut(&DynTensor) -> Result<DynTensor>) -> Result<()> {
        for gradient in self.by_leaf.values_mut() {
            *gradient = change(gradient)?;
        }
        Ok(())
    }

    /// The number of leaves that the pass reached.
    pub fn len(&self) -> usize {
        self.by_leaf.len()
    }

    /// Whether the pass reached no leaf.
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }
}

impl fmt::Debug for Gradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.by_leaf).finish()
    }
}
