//! The backward pass: from results to leaves in descending order of ids, without recursion.

use crate::mode;
use crate::rules::{self, Grads, Step};
use crate::variable::{Record, Variable};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use trueno_core::table::BinaryOp;
use trueno_core::{Error, Result};
use trueno_tensor::{DynTensor, Op, apply_owned, following_storage};

/// How a backward pass treats the graph it walks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackwardOptions {
    /// Keep the graph, so that another pass can walk it. Without it a pass releases what the forward pass kept as it
    /// goes, and a second pass is an error.
    pub retain_graph: bool,
    /// Record the pass itself, so that gradients have gradients. Keeps the graph too.
    pub create_graph: bool,
}

impl BackwardOptions {
    pub(crate) fn retains(self) -> bool {
        self.retain_graph || self.create_graph
    }
}

/// Variables whose gradients are asked for by name; everything else need not be computed.
pub(crate) struct Targets {
    ids: HashSet<u64>,
    /// Variables with a path to a target.
    needed: HashSet<u64>,
    /// Whether a target's own operands are beyond the walk.
    cut: bool,
}

impl Targets {
    /// Finds the paths from `roots` to `targets`.
    ///
    /// With `cut`, targets count as independent: none is looked for behind another.
    pub(crate) fn find(roots: &[Arc<Variable>], targets: &[Arc<Variable>], cut: bool) -> Result<Targets> {
        let ids: HashSet<u64> = targets.iter().map(|target| target.id()).collect();
        let oldest = ids.iter().min().copied().unwrap_or(u64::MAX);
        // Edges of everything that could lead to a target: nothing older than the oldest target can.
        let mut edges: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut stack: Vec<Arc<Variable>> = roots.to_vec();
        while let Some(variable) = stack.pop() {
            let id = variable.id();
            if id < oldest || edges.contains_key(&id) {
                continue;
            }
            let behind = if id == oldest || (cut && ids.contains(&id)) { Vec::new() } else { variable.edges()? };
            edges.insert(id, behind.iter().map(|edge| edge.id()).collect());
            stack.extend(behind);
        }
        let mut needed = HashSet::new();
        for (id, behind) in edges {
            if ids.contains(&id) || behind.iter().any(|edge| needed.contains(edge)) {
                needed.insert(id);
            }
        }
        Ok(Targets { ids, needed, cut })
    }
}

/// A variable on the walk's way with what has arrived of its gradient.
type Pending = BTreeMap<u64, (Arc<Variable>, DynTensor)>;

/// Gradients by variable id, with the variables.
pub(crate) type Found = HashMap<u64, (Arc<Variable>, DynTensor)>;

/// Walks from `roots`, each with the gradient of what is differentiated by it, and gives the gradients of the
/// targets, or of all leaves.
pub(crate) fn walk(
    roots: Vec<(Arc<Variable>, DynTensor)>,
    options: BackwardOptions,
    targets: Option<&Targets>,
) -> Result<Found> {
    let pass = || {
        let mut pending = Pending::new();
        for (root, seed) in roots {
            arrive(&mut pending, root, if options.create_graph { seed } else { seed.detach() })?;
        }
        let mut found = Found::new();
        // A variable's id is greater than those of its operands, so the greatest pending one has its whole gradient.
        while let Some((id, (variable, gradient))) = pending.pop_last() {
            if targets.is_some_and(|targets| !targets.needed.contains(&id)) {
                continue;
            }
            let gradient = variable.run_hooks(gradient)?;
            let is_target = targets.is_some_and(|targets| targets.ids.contains(&id));
            if is_target || (targets.is_none() && variable.is_leaf()) {
                found.insert(id, (variable.clone(), gradient.contiguous()?));
            }
            if is_target && targets.is_some_and(|targets| targets.cut) {
                continue;
            }
            if let Some(record) = variable.record(options.retains())? {
                descend(&mut pending, &variable, record, gradient, options, targets)?;
            }
        }
        Ok(found)
    };
    mode::with_grad(options.create_graph, || following_storage(pass))
}

/// Takes one operation back: its operands' gradients from its result's.
fn descend(
    pending: &mut Pending,
    variable: &Arc<Variable>,
    record: Box<Record>,
    gradient: DynTensor,
    options: BackwardOptions,
    targets: Option<&Targets>,
) -> Result<()> {
    let needed = |edge: &Arc<Variable>| targets.is_none_or(|targets| targets.needed.contains(&edge.id()));
    let wanted = record.inputs.iter().map(|input| input.variable.as_ref().is_some_and(needed)).collect();
    let gradients = rules::gradients(Step::new(&record, variable, wanted, gradient, options.create_graph))?;
    check_count(&record.op, record.inputs.len(), &gradients)?;
    for (input, gradient) in record.inputs.into_vec().into_iter().zip(gradients) {
        let (Some(edge), Some(gradient)) = (input.variable.filter(needed), gradient) else {
            continue;
        };
        if (gradient.shape(), gradient.dtype()) != (&*input.shape, input.dtype) {
            let reason = format!(
                "its gradient has shape {:?} and type {}, but the operand has shape {:?} and type {}",
                gradient.shape(),
                gradient.dtype(),
                input.shape,
                input.dtype
            );
            return Err(Error::Gradient { op: record.op.name(), reason: reason.into() });
        }
        // Constants of a rule stay in main memory until they meet a value of a device.
        let gradient = gradient.to(&input.device)?;
        // A user's rule may return something tracked although nobody asked for a graph.
        arrive(pending, edge, if options.create_graph { gradient } else { gradient.detach() })?;
    }
    Ok(())
}

fn check_count(op: &Op, operands: usize, gradients: &Grads) -> Result<()> {
    if gradients.len() == operands {
        return Ok(());
    }
    let reason = format!("its backward gave {} gradients for {operands} operands", gradients.len());
    Err(Error::Gradient { op: op.name(), reason: reason.into() })
}

fn arrive(pending: &mut Pending, variable: Arc<Variable>, gradient: DynTensor) -> Result<()> {
    let id = variable.id();
    let gradient = match pending.remove(&id) {
        Some((_, before)) => sum(before, gradient)?,
        None => gradient,
    };
    pending.insert(id, (variable, gradient));
    Ok(())
}

/// The sum of two gradients, in the memory of one of them if nobody shares it.
pub(crate) fn sum(a: DynTensor, b: DynTensor) -> Result<DynTensor> {
    let (first, second) = if a.is_unique() { (a, b) } else { (b, a) };
    apply_owned(&Op::Binary(BinaryOp::Add), first, &[&second])
}
