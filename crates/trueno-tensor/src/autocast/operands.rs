//! Operands made narrow, and operations on narrow operands.

use super::policy::{Class, class};
use super::{REGION, Region};
use crate::exec;
use crate::{DynTensor, Op, Saved};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use trueno_core::{DType, Result};

/// Operands of one operation.
pub(crate) type Operands = SmallVec<[DynTensor; 4]>;

/// A parameter and what it was rounded to.
struct Rounded {
    whole: DynTensor,
    narrow: DynTensor,
}

thread_local! {
    /// The parameters that the current region has rounded, by their memory and the type. Whoever writes to one while this holds it
    /// gets memory of its own, so that what was rounded stays true.
    static WEIGHTS: RefCell<HashMap<(usize, DType), Rounded>> = RefCell::default();
}

/// Forgets what a region has rounded.
pub(super) fn forget_weights() {
    WEIGHTS.with_borrow_mut(HashMap::clear);
}

/// The operands of a product as the thread's region wants them: narrow. `None` where they stay as they are.
pub(crate) fn narrowed(op: &Op, inputs: &[&DynTensor]) -> Result<Option<Operands>> {
    let Region { half, follows } = REGION.get();
    let half = match half {
        None if !follows => return Ok(None),
        None => inputs.iter().find(|x| x.is_narrow()).map(|x| x.storage_dtype()),
        half => half,
    };
    let Some(half) = half.filter(|_| matches!(class(op), Class::Product | Class::WeightGrad)) else {
        return Ok(None);
    };
    // Whoever brings another type has chosen it.
    if inputs.iter().any(|x| x.dtype().is_float() && x.dtype() != DType::F32) {
        return Ok(None);
    }
    let operand = |x: &&DynTensor| {
        if x.dtype() == DType::F32 && x.storage_dtype() != half { narrow(x, half) } else { Ok((*x).clone()) }
    };
    inputs.iter().map(operand).collect::<Result<_>>().map(Some)
}

/// An `f32` rounded to half precision, at its place in the gradient graph. Leaves are rounded once in a region.
fn narrow(x: &DynTensor, half: DType) -> Result<DynTensor> {
    let round = || Ok(exec::execute(&Op::Cast(half), &[&x.as_stored()], &mut Saved::new())?.into_narrow());
    let is_leaf = x.recorder().is_some_and(|recorder| recorder.is_leaf());
    if !is_leaf || super::autocast_dtype().is_none() {
        return Ok(round()?.with_recorder(x.recorder().cloned()));
    }
    let key = (x.address(), half);
    let known = WEIGHTS.with_borrow(|weights| {
        weights.get(&key).filter(|known| known.whole.layout() == x.layout()).map(|known| known.narrow.clone())
    });
    let narrow = match known {
        Some(narrow) => narrow,
        None => {
            let narrow = round()?;
            let rounded = Rounded { whole: x.detach(), narrow: narrow.clone() };
            WEIGHTS.with_borrow_mut(|weights| weights.insert(key, rounded));
            narrow
        }
    };
    Ok(narrow.with_recorder(x.recorder().cloned()))
}

/// Computes an operation of which some operand is narrow.
pub(crate) fn execute_mixed(op: &Op, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let class = class(op);
    match class {
        Class::Opaque => exec::compute(op, inputs, saved),
        Class::Converts => exec::compute(op, &[&inputs[0].as_stored()], saved),
        Class::Product | Class::WeightGrad | Class::Whole | Class::Follows | Class::Moves => {
            match result_type(op, class, inputs) {
                None => execute_whole(op, inputs, saved),
                Some(half) => narrow_result(execute_narrow(op, class, inputs, half, saved)?, half),
            }
        }
    }
}

/// What the result is kept in, if it is narrow.
fn result_type(op: &Op, class: Class, inputs: &[&DynTensor]) -> Option<DType> {
    let Region { half, follows } = REGION.get();
    let may = match class {
        Class::Moves => true,
        Class::Product | Class::Follows => half.is_some() || follows,
        Class::WeightGrad | Class::Whole | Class::Converts | Class::Opaque => false,
    };
    let counting = inputs.iter().enumerate().filter(|(i, x)| counts(op, *i, x)).map(|(_, x)| *x);
    common_half(counting).filter(|_| may)
}

/// The one type that narrow operands are kept in; `None` if one of them is whole.
fn common_half<'a>(mut operands: impl Iterator<Item = &'a DynTensor>) -> Option<DType> {
    let half = operands.next().filter(|x| x.is_narrow())?.storage_dtype();
    operands.all(|x| x.is_narrow() && x.storage_dtype() == half).then_some(half)
}

/// Whether an operand has a say in what the result is kept in.
fn counts(op: &Op, index: usize, x: &DynTensor) -> bool {
    // A number is no reason for a whole result.
    let broadcasts = matches!(op, Op::Binary(_) | Op::Ternary(_) | Op::Compare(_) | Op::Where | Op::Fused(_));
    let is_number = broadcasts && !x.is_narrow() && x.repeats();
    let is_parameter = matches!(op, Op::BatchNorm { .. }) && index > 0;
    x.dtype() == DType::F32 && !is_number && !is_parameter
}

/// Computes in `f32`, from operands as they are stored where a kernel reads them so.
fn execute_whole(op: &Op, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    #[cfg(feature = "gpu")]
    if let Some(device) = exec::gpu::device_of(inputs).filter(|_| common_half(inputs.iter().copied()).is_some()) {
        let stored: Operands = inputs.iter().map(|x| x.as_stored()).collect();
        if let Some(output) =
            exec::gpu::execute_wide(op, device, &stored.iter().collect::<SmallVec<[&DynTensor; 4]>>())?
        {
            return Ok(output);
        }
    }
    run(op, inputs.iter().map(|x| x.widened()).collect::<Result<_>>()?, saved)
}

/// Computes with operands as they are stored where kernels read them so, else in `f32`.
fn execute_narrow(op: &Op, class: Class, inputs: &[&DynTensor], half: DType, saved: &mut Saved) -> Result<DynTensor> {
    #[cfg(feature = "gpu")]
    if let Some(device) = exec::gpu::device_of(inputs) {
        let stored: Operands = inputs.iter().map(|x| x.as_stored()).collect();
        return exec::gpu::execute(op, device, &stored.iter().collect::<SmallVec<[&DynTensor; 4]>>(), saved);
    }
    if class == Class::Product {
        let stored: Operands = inputs.iter().map(|x| x.as_stored()).collect();
        let stored: SmallVec<[&DynTensor; 4]> = stored.iter().collect();
        if exec::bf16::multiplies(op, &stored) {
            return exec::compute(op, &stored, saved);
        }
    }
    if class == Class::Moves {
        let stored = |x: &&DynTensor| if x.dtype() == DType::F32 { x.as_stored().cast(half) } else { Ok(x.detach()) };
        return run(op, inputs.iter().map(stored).collect::<Result<_>>()?, saved);
    }
    run(op, inputs.iter().map(|x| x.widened()).collect::<Result<_>>()?, saved)
}

fn run(op: &Op, operands: Operands, saved: &mut Saved) -> Result<DynTensor> {
    exec::compute(op, &operands.iter().collect::<SmallVec<[&DynTensor; 4]>>(), saved)
}

/// A float result as a narrow `f32`; truth values and positions as they are.
fn narrow_result(output: DynTensor, half: DType) -> Result<DynTensor> {
    match output.dtype() {
        DType::F16 | DType::BF16 => Ok(output.into_narrow()),
        DType::F32 => narrow(&output, half),
        DType::F64 | DType::I64 | DType::I32 | DType::U32 | DType::U8 | DType::I8 | DType::Bool => Ok(output),
    }
}

/// How a fused backward kernel takes its operands, and gives its results.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// What results are kept in, if they are narrow.
    half: Option<DType>,
    /// Whether operands are read as they are stored, rather than in `f32`.
    stored: bool,
}

impl Manner {
    /// By the operands that decide: narrow if all of them are and a backward pass is run.
    pub(crate) fn of<'a>(deciding: impl Iterator<Item = &'a DynTensor> + Clone) -> Manner {
        if deciding.clone().all(|x| !x.is_narrow()) {
            return Manner { half: None, stored: true };
        }
        let on_device = deciding.clone().any(|x| x.device() != crate::Device::Cpu);
        let half = common_half(deciding).filter(|_| REGION.get().follows);
        Manner { half, stored: half.is_some() && on_device }
    }

    /// An operand in a type that it is kept in.
    pub(crate) fn take(self, x: &DynTensor) -> Result<DynTensor> {
        if self.stored { Ok(x.as_stored()) } else { x.widened() }
    }

    /// A gradient as narrow as the operands.
    pub(crate) fn finish(self, result: DynTensor) -> Result<DynTensor> {
        match self.half {
            Some(half) => narrow_result(result, half),
            None => Ok(result),
        }
    }
}

/// Operands of a fused backward kernel, all of which decide.
pub(crate) struct Settled<const N: usize> {
    operands: [DynTensor; N],
    manner: Manner,
}

impl<const N: usize> Settled<N> {
    pub(crate) fn new(operands: [&DynTensor; N]) -> Result<Settled<N>> {
        let manner = Manner::of(operands.into_iter());
        let mut settled = operands.map(DynTensor::as_stored);
        for (settled, x) in settled.iter_mut().zip(operands).filter(|_| !manner.stored) {
            *settled = manner.take(x)?;
        }
        Ok(Settled { operands: settled, manner })
    }

    /// The operands.
    pub(crate) fn each(&self) -> [&DynTensor; N] {
        self.operands.each_ref()
    }

    /// An operand that follows the others.
    pub(crate) fn take(&self, x: &DynTensor) -> Result<DynTensor> {
        self.manner.take(x)
    }

    pub(crate) fn finish(&self, result: DynTensor) -> Result<DynTensor> {
        self.manner.finish(result)
    }

    /// Of several gradients, all as narrow as the operands.
    pub(crate) fn finish_each<const M: usize>(&self, results: [DynTensor; M]) -> Result<[DynTensor; M]> {
        let mut finished = results;
        for result in &mut finished {
            *result = self.finish(result.detach())?;
        }
        Ok(finished)
    }

    /// Of gradients of which the first is as narrow as the operands; the others are by parameters.
    pub(crate) fn finish_first<const M: usize>(
        &self,
        mut results: [Option<DynTensor>; M],
    ) -> Result<[Option<DynTensor>; M]> {
        results[0] = results[0].take().map(|first| self.finish(first)).transpose()?;
        Ok(results)
    }
}
