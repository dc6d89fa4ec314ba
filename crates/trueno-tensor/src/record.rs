//! The seam to automatic differentiation: what this crate asks of a tape, and nothing more.

use crate::{DynTensor, Op};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// What a forward pass leaves for its backward pass besides operands and result: positions of maxima, means, ...
///
/// Most leave nothing, so nothing has room inside: results pass through many hands and should be small.
pub type Saved = smallvec::SmallVec<[DynTensor; 0]>;

/// A place in a gradient graph, attached to a tensor. `trueno-autograd` implements it.
pub trait Recorder: Debug + Send + Sync {
    /// Notes that `output` was made by `op` from `inputs`, at least one of which carries a recorder, and
    /// returns the place of `output` in the graph, or `None` while recording is off. `saved` is what the forward pass left.
    fn record(&self, op: &Op, inputs: &[&DynTensor], output: &DynTensor, saved: Saved) -> Option<Arc<dyn Recorder>>;

    /// Whether operations of this thread are being recorded. While they are not, a tracked value may be overwritten
    /// in its place.
    fn is_recording(&self) -> bool {
        true
    }

    /// Whether the value is one that gradients are asked for by, rather than the result of a recorded operation. Replacing
    /// a leaf by a result would lose the place where its gradient is left.
    fn is_leaf(&self) -> bool {
        false
    }

    /// The implementor itself.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}
