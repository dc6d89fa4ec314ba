//! Places in the gradient graph: leaves, which hold gradients, and nodes, which hold what made a value.

use crate::keeps::keeps;
use crate::mode;
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueno_core::{DType, Dims, Error, Result};
use trueno_tensor::{Device, DynTensor, Op, Recorder, Saved};

/// A hook on a gradient: sees it, may replace it.
pub(crate) type Hook = Arc<dyn Fn(&DynTensor) -> Option<DynTensor> + Send + Sync>;

/// A place in the gradient graph.
///
/// Edges point from results to operands only, and kept values are detached, so there are no cycles: a graph
/// goes when the last tensor that it leads to goes.
pub(crate) struct Variable {
    /// Greater than that of every variable this one was made from: descending ids are a topological order.
    id: u64,
    hooks: Mutex<Vec<(u64, Hook)>>,
    kind: Kind,
}

enum Kind {
    Leaf {
        gradient: Mutex<Option<DynTensor>>,
    },
    /// `None` once a backward pass has consumed it.
    Node {
        record: Mutex<Option<Box<Record>>>,
    },
}

/// How a value was made, with as much of the operands and the result as the gradient will ask for.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) op: Op,
    pub(crate) inputs: Box<[Input]>,
    pub(crate) output: Option<DynTensor>,
    pub(crate) saved: Box<[DynTensor]>,
}

/// An operand of a recorded operation.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) shape: Dims,
    pub(crate) dtype: DType,
    pub(crate) device: Device,
    pub(crate) value: Option<DynTensor>,
    pub(crate) variable: Option<Arc<Variable>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Locks; what a panicking thread left behind is whole, since nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Variable {
    pub(crate) fn leaf() -> Arc<Variable> {
        let kind = Kind::Leaf { gradient: Mutex::new(None) };
        Arc::new(Variable { id: next_id(), hooks: Mutex::default(), kind })
    }

    /// The place of a tensor in the graph.
    pub(crate) fn of(tensor: &DynTensor) -> Option<Arc<Variable>> {
        tensor.recorder()?.clone().into_any().downcast().ok()
    }

    fn node(op: &Op, inputs: &[&DynTensor], output: &DynTensor, saved: Saved) -> Variable {
        let variables: Vec<Option<Arc<Variable>>> = inputs.iter().map(|x| Variable::of(x)).collect();
        let kept = keeps(op, |i| variables[i].is_some());
        let input = |(i, (x, variable)): (usize, (&&DynTensor, Option<Arc<Variable>>))| Input {
            shape: Dims::from_slice(x.shape()),
            dtype: x.dtype(),
            device: x.device(),
            value: kept.input(i).then(|| x.detach()),
            variable,
        };
        let record = Record {
            op: op.clone(),
            inputs: inputs.iter().zip(variables).enumerate().map(input).collect(),
            output: kept.output.then(|| output.detach()),
            saved: if kept.saved { saved.into_vec().into() } else { Box::default() },
        };
        Variable {
            id: next_id(),
            hooks: Mutex::default(),
            kind: Kind::Node { record: Mutex::new(Some(Box::new(record))) },
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn is_leaf(&self) -> bool {
        matches!(self.kind, Kind::Leaf { .. })
    }

    /// The gradient accumulated in a leaf.
    pub(crate) fn gradient(&self) -> Option<DynTensor> {
        match &self.kind {
            Kind::Leaf { gradient } => lock(gradient).clone(),
            Kind::Node { .. } => None,
        }
    }

    pub(crate) fn set_gradient(&self, value: Option<DynTensor>) {
        if let Kind::Leaf { gradient } = &self.kind {
            *lock(gradient) = value;
        }
    }

    /// Adds to the gradient of a leaf, in its memory if nobody shares it.
    pub(crate) fn accumulate(&self, value: &DynTensor) -> Result<()> {
        if let Kind::Leaf { gradient } = &self.kind {
            let mut slot = lock(gradient);
            *slot = Some(match slot.take() {
                None => value.detach(),
                Some(old) => crate::walk::sum(old.to(&value.device())?, value.detach())?,
            });
        }
        Ok(())
    }

    /// What a node recorded, for good or for this walk only.
    pub(crate) fn record(&self, retain: bool) -> Result<Option<Box<Record>>> {
        match &self.kind {
            Kind::Leaf { .. } => Ok(None),
            Kind::Node { record } => {
                let mut slot = lock(record);
                let found = if retain { slot.clone() } else { slot.take() };
                found.map(Some).ok_or_else(consumed)
            }
        }
    }

    /// The variables a node was made from; none for a leaf.
    pub(crate) fn edges(&self) -> Result<Vec<Arc<Variable>>> {
        match &self.kind {
            Kind::Leaf { .. } => Ok(Vec::new()),
            Kind::Node { record } => match &*lock(record) {
                Some(record) => Ok(record.inputs.iter().filter_map(|input| input.variable.clone()).collect()),
                None => Err(consumed()),
            },
        }
    }

    pub(crate) fn add_hook(&self, hook: Hook) -> u64 {
        let id = next_id();
        lock(&self.hooks).push((id, hook));
        id
    }

    pub(crate) fn remove_hook(&self, id: u64) {
        lock(&self.hooks).retain(|(hook, _)| *hook != id);
    }

    /// The gradient as the hooks leave it. They run outside the lock: a hook may add or remove hooks.
    pub(crate) fn run_hooks(&self, mut gradient: DynTensor) -> Result<DynTensor> {
        let hooks: Vec<Hook> = lock(&self.hooks).iter().map(|(_, hook)| hook.clone()).collect();
        for hook in hooks {
            let Some(replaced) = hook(&gradient) else { continue };
            if (replaced.shape(), replaced.dtype()) != (gradient.shape(), gradient.dtype()) {
                let reason = format!(
                    "a hook replaced a gradient of shape {:?} and type {} by one of shape {:?} and type {}",
                    gradient.shape(),
                    gradient.dtype(),
                    replaced.shape(),
                    replaced.dtype()
                );
                return Err(Error::Gradient { op: "register_hook", reason: reason.into() });
            }
            gradient = replaced;
        }
        Ok(gradient)
    }

    /// Moves the edges out, for a drop that does not recurse.
    fn take_edges(&mut self, into: &mut Vec<Arc<Variable>>) {
        if let Kind::Node { record } = &mut self.kind
            && let Some(record) = record.get_mut().unwrap_or_else(PoisonError::into_inner).take()
        {
            into.extend(record.inputs.into_iter().filter_map(|input| input.variable));
        }
    }
}

fn consumed() -> Error {
    let reason = "an earlier backward pass consumed this part of the graph; pass `retain_graph: true` to that one, \
                  or compute the value again";
    Error::Gradient { op: "backward", reason: reason.into() }
}

impl Recorder for Variable {
    fn record(&self, op: &Op, inputs: &[&DynTensor], output: &DynTensor, saved: Saved) -> Option<Arc<dyn Recorder>> {
        mode::records(inputs).then(|| Arc::new(Variable::node(op, inputs, output, saved)) as Arc<dyn Recorder>)
    }

    fn is_recording(&self) -> bool {
        mode::is_grad_enabled()
    }

    fn is_leaf(&self) -> bool {
        Variable::is_leaf(self)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Drop for Variable {
    fn drop(&mut self) {
        // A chain of operations is as long as the program that made it; recursion would end in a stack overflow.
        let mut edges = Vec::new();
        self.take_edges(&mut edges);
        while let Some(edge) = edges.pop() {
            if let Some(mut orphan) = Arc::into_inner(edge) {
                orphan.take_edges(&mut edges);
            }
        }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match &self.kind {
            Kind::Leaf { .. } => "leaf",
            Kind::Node { record } => lock(record).as_ref().map_or("consumed", |record| record.op.name()),
        };
        write!(f, "Variable({op} #{})", self.id)
    }
}
