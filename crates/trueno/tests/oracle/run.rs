//! Trueno's side of a case.

use crate::fixture::Case;
use serde_json::Value;
use trueno::tensor::{
    AttentionConfig, Conv2dConfig, ConvTranspose2dConfig, CrossEntropyConfig, Device, DynTensor, Extreme, Op,
    Pool2dConfig, apply,
};
use trueno_core::table::{BinaryOp, CompareOp, Family, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{DType, Dims, Result, SliceItem};

/// The result for the case's operands.
pub fn run(case: &Case, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let p = &case.parameters;
    let x = inputs[0];
    match case.kind.as_str() {
        "unary" => {
            let op = find(UnaryOp::ALL, &case.row, UnaryOp::name);
            let mut parameters = [0.0; 2];
            for (value, (name, _)) in parameters.iter_mut().zip(op.info().parameters) {
                *value = number(&p[name]);
            }
            x.unary(op, parameters)
        }
        "binary" => x.binary(find(BinaryOp::ALL, &case.row, BinaryOp::name), inputs[1]),
        "compare" => x.compare(find(CompareOp::ALL, &case.row, CompareOp::name), inputs[1]),
        "ternary" => x.ternary(find(TernaryOp::ALL, &case.row, TernaryOp::name), inputs[1], inputs[2]),
        "reduce" => {
            let op = find(ReduceOp::ALL, &case.row, ReduceOp::name);
            x.reduce(op, &list(&p["axes"]), keep_dims(p), number(&p["correction"]))
        }
        _ => family(find(Family::ALL, &case.row, Family::name), p, inputs),
    }
}

fn find<R: Copy>(rows: &[R], name: &str, name_of: fn(R) -> &'static str) -> R {
    rows.iter().copied().find(|&row| name_of(row) == name).unwrap_or_else(|| panic!("{name} is no row"))
}

/// JSON has no infinities: they are text.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn flag(p: &Value, name: &str) -> bool {
    p[name].as_bool().unwrap_or(false)
}

fn keep_dims(p: &Value) -> bool {
    flag(p, "keep_dims")
}

fn index(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn list(value: &Value) -> Vec<isize> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap() as isize).collect()
}

fn sizes<const N: usize>(value: &Value) -> [usize; N] {
    let sizes: Vec<usize> = value.as_array().unwrap().iter().map(index).collect();
    sizes.try_into().unwrap()
}

fn convolution(p: &Value) -> Conv2dConfig {
    Conv2dConfig {
        stride: sizes(&p["stride"]),
        padding: sizes(&p["padding"]),
        dilation: sizes(&p["dilation"]),
        groups: index(&p["groups"]),
    }
}

fn pooling(p: &Value) -> Pool2dConfig {
    Pool2dConfig { kernel: sizes(&p["kernel"]), stride: sizes(&p["stride"]), padding: sizes(&p["padding"]) }
}

fn cross_entropy(p: &Value) -> CrossEntropyConfig {
    CrossEntropyConfig {
        mean: p["reduction"] != "sum",
        ignore_index: p["ignore_index"].as_i64(),
        label_smoothing: p["label_smoothing"].as_f64().unwrap_or(0.0),
    }
}

/// NumPy's items, as the fixtures spell them.
fn items(text: &str) -> Vec<SliceItem> {
    let bound = |text: &str| text.trim().parse::<isize>().ok();
    let item = |text: &str| match text.trim() {
        "..." => SliceItem::Ellipsis,
        "new" => SliceItem::NewAxis,
        text if text.contains(':') => {
            let parts: Vec<&str> = text.split(':').collect();
            let step = parts.get(2).and_then(|text| bound(text)).unwrap_or(1);
            SliceItem::Range { start: bound(parts[0]), stop: bound(parts[1]), step }
        }
        text => SliceItem::Index(text.parse().unwrap()),
    };
    text.split(',').map(item).collect()
}

/// To a type and on to one that fixtures have.
fn cast(x: &DynTensor, dtype: &str) -> Result<DynTensor> {
    let find = |name: &str| DType::ALL.into_iter().find(|dtype| dtype.name() == name);
    let to = find(dtype).unwrap_or_else(|| panic!("{dtype} is no type"));
    match to {
        DType::F32 => x.cast(to)?.cast(x.dtype()),
        DType::Bool => x.cast(to),
        _ => x.cast(to)?.cast(DType::I64),
    }
}

/// Whole numbers in fixtures' types as what the operation takes.
fn eight_bit(x: &DynTensor) -> Result<DynTensor> {
    x.detach().cast(DType::I8)
}

/// No `_` arm: a new family is asked for here.
fn family(family: Family, p: &Value, inputs: &[&DynTensor]) -> Result<DynTensor> {
    let x = inputs[0];
    let axis = || p["axis"].as_i64().unwrap() as isize;
    match family {
        Family::Matmul => x.matmul(inputs[1]),
        Family::Linear => x.linear(inputs[1], inputs.get(2).copied()),
        Family::MatmulInteger => eight_bit(x)?.matmul_integer(&eight_bit(inputs[1])?)?.cast(DType::I64),
        Family::LinearInt8 => {
            eight_bit(x)?.linear_int8(&eight_bit(inputs[1])?, [inputs[2], inputs[3]], inputs.get(4).copied())
        }
        Family::Conv2d => x.conv2d(inputs[1], inputs.get(2).copied(), convolution(p)),
        Family::ConvTranspose2d => {
            let Conv2dConfig { stride, padding, dilation, groups } = convolution(p);
            let output_padding = sizes(&p["output_padding"]);
            let config = ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups };
            x.conv_transpose2d(inputs[1], inputs.get(2).copied(), config)
        }
        Family::Conv2dInputGrad => apply(&Op::Conv2dInputGrad(convolution(p), sizes(&p["shape"])), inputs),
        Family::Conv2dWeightGrad => apply(&Op::Conv2dWeightGrad(convolution(p), sizes(&p["shape"])), inputs),
        Family::MaxPool2d => x.max_pool2d(pooling(p)),
        Family::AvgPool2d => x.avg_pool2d(pooling(p)),
        Family::AvgPool2dGrad => apply(&Op::AvgPool2dGrad(pooling(p), sizes(&p["shape"])), inputs),
        Family::AdaptiveAvgPool2d => x.adaptive_avg_pool2d(sizes(&p["size"])),
        Family::AdaptiveAvgPool2dGrad => apply(&Op::AdaptiveAvgPool2dGrad(sizes(&p["shape"])), inputs),
        Family::Softmax => x.softmax(axis()),
        Family::LogSoftmax => x.log_softmax(axis()),
        Family::LogSumExp => x.logsumexp(axis(), keep_dims(p)),
        Family::ScaledDotProductAttention => {
            let config = AttentionConfig { scale: p["scale"].as_f64(), causal: flag(p, "causal") };
            x.scaled_dot_product_attention(inputs[1], inputs[2], inputs.get(3).copied(), config)
        }
        Family::LayerNorm => {
            let affine = inputs.get(1).map(|weight| (*weight, inputs[2]));
            x.layer_norm(index(&p["axes"]), affine, number(&p["eps"]))
        }
        Family::BatchNorm => {
            let running = inputs.get(3).map(|mean| (*mean, inputs[4]));
            x.batch_norm(inputs[1], inputs[2], running, number(&p["eps"]))
        }
        Family::GroupNorm => {
            let affine = inputs.get(1).map(|weight| (*weight, inputs[2]));
            x.group_norm(index(&p["groups"]), affine, number(&p["eps"]))
        }
        Family::IndexSelect => x.index_select(axis(), inputs[1]),
        Family::Gather => x.gather(axis(), inputs[1]),
        Family::IndexAdd => apply(&Op::IndexAdd { axis: axis() as usize, size: index(&p["size"]) }, inputs),
        Family::ScatterAdd => {
            let shape = Dims::from_vec(p["shape"].as_array().unwrap().iter().map(index).collect());
            apply(&Op::ScatterAdd { axis: axis() as usize, shape }, inputs)
        }
        Family::Where => x.select(inputs[1], inputs[2]),
        Family::Concat => DynTensor::concat(inputs, axis()),
        Family::Pad => {
            let widths: Vec<[usize; 2]> = p["widths"].as_array().unwrap().iter().map(sizes).collect();
            x.pad(&widths, number(&p["value"]))
        }
        Family::CumSum => x.cumsum(axis()),
        Family::CrossEntropy => x.cross_entropy(inputs[1], cross_entropy(p)),
        Family::ArgReduce => {
            x.arg_reduce(if p["extreme"] == "max" { Extreme::Max } else { Extreme::Min }, axis(), keep_dims(p))
        }
        Family::Cast => cast(x, p["dtype"].as_str().unwrap()),
        Family::To => x.to(&Device::Cpu),
        Family::Contiguous => x.transpose().and_then(|y| y.contiguous()),
        Family::Permute => x.permute(&list(&p["axes"])),
        Family::Reshape => x.permute(&list(&p["permute"])).and_then(|y| y.reshape(&list(&p["shape"]))),
        Family::Slice => x.slice(&items(p["items"].as_str().unwrap())),
        Family::SliceScatter => {
            let shape = Dims::from_vec(p["shape"].as_array().unwrap().iter().map(index).collect());
            apply(&Op::SliceScatter(shape, items(p["items"].as_str().unwrap()).into()), inputs)
        }
        Family::Broadcast => {
            let shape: Vec<usize> = p["shape"].as_array().unwrap().iter().map(index).collect();
            x.broadcast_to(&shape)
        }
        Family::Sort => x.sort(axis(), flag(p, "descending")),
        Family::ArgSort => x.argsort(axis(), flag(p, "descending")),
        Family::TopK => {
            let extreme = if flag(p, "largest") { Extreme::Max } else { Extreme::Min };
            Ok(x.topk(index(&p["k"]), axis(), extreme)?.1)
        }
        Family::MaskedSelect => x.masked_select(inputs[1]),
        Family::NonZero => x.nonzero(),
        Family::Unfold => x.unfold(axis(), index(&p["size"]), index(&p["step"])),
        Family::Flip => x.flip(&list(&p["axes"])),
        Family::Dropout | Family::Fused | Family::Custom => {
            unreachable!("exempt: PyTorch has no answer for {}", family.name())
        }
    }
}
