//! The gradient of every operation: one exhaustive match, from [`Op`] to the function that knows.
//!
//! Rules are written in operations on tensors. Without `create_graph` their operands are detached, so nothing is
//! recorded, and rules with a fused kernel take that; with it operands are tracked, so rules have gradients themselves.

mod attention;
mod conv;
mod elementwise;
mod fused;
mod index;
mod loss;
mod matmul;
mod norm;
mod pool;
mod reduce;
mod shape;
mod softmax;
mod views;

use crate::variable::{Record, Variable};
use smallvec::SmallVec;
use std::sync::Arc;
use trueno_core::{DType, Error, Result};
use trueno_tensor::{DynTensor, Op, Recorder};

/// A gradient per operand, `None` where none is wanted.
pub(crate) type Grads = SmallVec<[Option<DynTensor>; 3]>;

/// One operation on its way back: what it was, what it kept, and the gradient `g` by its result.
pub(crate) struct Step<'a> {
    record: &'a Record,
    place: &'a Arc<Variable>,
    wanted: SmallVec<[bool; 4]>,
    g: DynTensor,
    create_graph: bool,
    /// Whether operands are read in `f32` although they are of half precision.
    wide: bool,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        record: &'a Record,
        place: &'a Arc<Variable>,
        wanted: SmallVec<[bool; 4]>,
        g: DynTensor,
        create_graph: bool,
    ) -> Step<'a> {
        Step { record, place, wanted, g, create_graph, wide: false }
    }

    /// The same step in `f32` if it is of half precision, so that a rule of many operations rounds once, at its end.
    fn widened(self) -> Result<Step<'a>> {
        match self.g.dtype() {
            DType::F16 | DType::BF16 => Ok(Step { g: self.g.cast(DType::F32)?, wide: true, ..self }),
            _ => Ok(self),
        }
    }

    /// A value in the graph if one is being made of this pass.
    fn place(&self, value: &DynTensor, variable: Option<&Arc<Variable>>) -> Result<DynTensor> {
        let tracked = variable.filter(|_| self.create_graph).map(|variable| variable.clone() as Arc<dyn Recorder>);
        let value = value.clone().with_recorder(tracked);
        if self.wide && value.dtype().is_float() { value.cast(DType::F32) } else { Ok(value) }
    }

    fn kept(&self, index: usize) -> Option<Result<DynTensor>> {
        let input = &self.record.inputs[index];
        input.value.as_ref().map(|value| self.place(value, input.variable.as_ref()))
    }

    fn input(&self, index: usize) -> Result<DynTensor> {
        self.kept(index).unwrap_or_else(|| Err(self.missing("an operand")))
    }

    fn output(&self) -> Result<DynTensor> {
        match &self.record.output {
            Some(value) => self.place(value, Some(self.place)),
            None => Err(self.missing("the result")),
        }
    }

    fn saved(&self, index: usize) -> Result<&DynTensor> {
        self.record.saved.get(index).ok_or_else(|| self.missing("what the forward pass left"))
    }

    fn missing(&self, what: &str) -> Error {
        let reason = format!("{what} is needed for the gradient but was not kept");
        Error::Gradient { op: self.record.op.name(), reason: reason.into() }
    }

    fn shape(&self, index: usize) -> &[usize] {
        &self.record.inputs[index].shape
    }

    fn operands(&self) -> usize {
        self.record.inputs.len()
    }

    fn wants(&self, index: usize) -> bool {
        self.wanted.get(index).copied().unwrap_or(false)
    }

    /// The gradients by the operands that want one, in the operands' types.
    fn each(&self, gradient: impl Fn(usize) -> Result<DynTensor>) -> Result<Grads> {
        let by = |i: usize| match self.wants(i) {
            true => {
                let (gradient, dtype) = (gradient(i)?, self.record.inputs[i].dtype);
                if gradient.dtype() == dtype { Ok(Some(gradient)) } else { gradient.cast(dtype).map(Some) }
            }
            false => Ok(None),
        };
        (0..self.operands()).map(by).collect()
    }
}

/// The gradients of an operation by its operands.
pub(crate) fn gradients(step: Step<'_>) -> Result<Grads> {
    match &step.record.op {
        Op::Unary(row, parameters) => elementwise::unary(*row, *parameters, &step.widened()?),
        Op::Binary(row) => elementwise::binary(*row, &step.widened()?),
        Op::Ternary(row) => elementwise::ternary(*row, &step.widened()?),
        Op::Where => elementwise::select(&step),
        Op::Sort { axis, descending } => index::sort(*axis, *descending, &step),
        Op::MaskedSelect => index::masked_select(&step),
        Op::Unfold { axis, size, step: apart } => index::unfold(*axis, *size, *apart, &step),
        Op::Compare(_)
        | Op::MatmulInteger
        | Op::ArgReduce { .. }
        | Op::ArgSort { .. }
        | Op::TopK { .. }
        | Op::NonZero => step.each(|_| Err(undefined(&step.record.op))),
        Op::Reduce(reduction) => reduce::reduce(reduction, &step.widened()?),
        Op::CumSum(axis) => reduce::cumsum(*axis, &step),
        Op::Matmul => matmul::matmul(&step),
        Op::Linear => matmul::linear(&step),
        Op::LinearInt8 => matmul::linear_int8(&step.widened()?),
        Op::Conv2d(config) => conv::conv2d(*config, &step),
        Op::ConvTranspose2d(config) => conv::conv_transpose2d(*config, &step),
        Op::Conv2dInputGrad(config, _) => conv::input_grad(*config, &step),
        Op::Conv2dWeightGrad(config, _) => conv::weight_grad(*config, &step),
        Op::MaxPool2d(config) => pool::max(*config, &step),
        Op::AvgPool2d(config) => pool::avg(*config, &step),
        Op::AvgPool2dGrad(config, _) => pool::avg_grad(*config, &step),
        Op::AdaptiveAvgPool2d(_) => pool::adaptive(&step),
        Op::AdaptiveAvgPool2dGrad(_) => pool::adaptive_grad(&step),
        Op::Softmax(axis) => softmax::softmax(*axis, &step.widened()?),
        Op::LogSoftmax(axis) => softmax::log_softmax(*axis, &step.widened()?),
        Op::LogSumExp { axis, keep_dims } => softmax::logsumexp(*axis, *keep_dims, &step.widened()?),
        Op::ScaledDotProductAttention(config) => attention::attention(config, &step.widened()?),
        Op::LayerNorm { axes, eps } => norm::layer_norm(*axes, *eps, &step.widened()?),
        Op::BatchNorm { eps } => norm::batch_norm(*eps, &step.widened()?),
        Op::GroupNorm { groups, eps } => norm::group_norm(*groups, *eps, &step.widened()?),
        Op::CrossEntropy(config) => loss::cross_entropy(config, &step.widened()?),
        Op::Dropout(config) => elementwise::dropout(*config, &step),
        Op::IndexSelect(axis) => index::index_select(*axis, &step),
        Op::Gather(axis) => index::gather(*axis, &step),
        Op::IndexAdd { axis, .. } => index::index_add(*axis, &step),
        Op::ScatterAdd { axis, .. } => index::scatter_add(*axis, &step),
        Op::Concat(axis) => views::concat(*axis, &step),
        Op::Pad { widths, .. } => views::pad(widths, &step),
        Op::Cast(_) | Op::To(_) | Op::Contiguous => step.each(|_| Ok(step.g.clone())),
        Op::Permute(axes) => views::permute(axes, &step),
        Op::Reshape(_) => step.each(|i| step.g.reshape_to(step.shape(i))),
        Op::Slice(items) => views::slice(items, &step),
        Op::SliceScatter(_, items) => step.each(|_| step.g.slice(items)),
        Op::Broadcast(_) => step.each(|i| shape::sum_to(&step.g, step.shape(i))),
        Op::Flip(axes) => views::flip(axes, &step),
        Op::Fused(fusion) => fused::fused(fusion, &step.widened()?),
        Op::Custom(function) => custom(function.as_ref(), &step),
    }
}

/// An operation whose result does not vary smoothly is never recorded: the engine asks only for results that are floats.
fn undefined(op: &Op) -> Error {
    Error::Gradient { op: op.name(), reason: "has no gradient".into() }
}

/// A user's function gets its operands with their places in the graph; whether that is extended says
/// [`is_grad_enabled`](crate::is_grad_enabled).
fn custom(function: &dyn trueno_tensor::Function, step: &Step<'_>) -> Result<Grads> {
    let operand = |i: usize| {
        let variable = step.record.inputs[i].variable.clone().map(|variable| variable as Arc<dyn Recorder>);
        step.input(i).map(|value| value.with_recorder(variable))
    };
    let inputs = (0..step.operands()).map(operand).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&DynTensor> = inputs.iter().collect();
    Ok(function.backward(&inputs, &step.output()?, &step.g)?.into())
}
