//! The committed fixtures.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;
use std::collections::BTreeMap;
use trueno::tensor::{Device, DynTensor};
use trueno_core::DType;

/// One question that PyTorch answered.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name in the file.
    pub name: String,
    /// `unary`, `binary`, ..., `family`.
    pub kind: String,
    /// The row of the table.
    pub row: String,
    /// Axes, strides and the like.
    pub parameters: Value,
}

/// All of them.
pub struct Fixture {
    pub cases: Vec<Case>,
    tensors: BTreeMap<String, DynTensor>,
}

impl Fixture {
    pub fn load() -> Fixture {
        let bytes = include_bytes!("../fixtures/ops.safetensors");
        let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
        let words = metadata.metadata().as_ref().unwrap();
        let listed: Vec<Value> = serde_json::from_str(&words["cases"]).unwrap();
        let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_owned();
        let case = |case: &Value| Case {
            name: text(case, "name"),
            kind: text(case, "kind"),
            row: text(case, "row"),
            parameters: case["parameters"].clone(),
        };
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| (name.to_owned(), from_view(&view))).collect();
        Fixture { cases: listed.iter().map(case).collect(), tensors }
    }

    fn tensor(&self, name: &str) -> Option<&DynTensor> {
        self.tensors.get(name)
    }

    /// The operands; floating-point ones in `dtype`.
    pub fn inputs(&self, case: &Case, dtype: DType) -> Vec<DynTensor> {
        let operand = |index: usize| self.tensor(&format!("{}.in{index}", case.name));
        (0..).map_while(operand).map(|x| in_type(x, dtype)).collect()
    }

    /// The result, if PyTorch does not refuse.
    pub fn output(&self, case: &Case) -> Option<&DynTensor> {
        self.tensor(&format!("{}.out", case.name))
    }

    /// The gradient by the result that the backward pass began with, if there was one.
    pub fn seed(&self, case: &Case, dtype: DType) -> Option<DynTensor> {
        self.tensor(&format!("{}.g", case.name)).map(|x| in_type(x, dtype))
    }

    /// The gradient by an operand, if it has one.
    pub fn gradient(&self, case: &Case, index: usize) -> Option<&DynTensor> {
        self.tensor(&format!("{}.grad{index}", case.name))
    }
}

fn in_type(x: &DynTensor, dtype: DType) -> DynTensor {
    if x.dtype().is_float() { x.cast(dtype).unwrap() } else { x.clone() }
}

fn from_view(view: &TensorView<'_>) -> DynTensor {
    let (bytes, shape) = (view.data(), view.shape());
    match view.dtype() {
        Dtype::F64 => {
            let values: Vec<f64> = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
            DynTensor::from_slice(&values, shape)
        }
        Dtype::I64 => {
            let values: Vec<i64> = bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
            DynTensor::from_slice(&values, shape)
        }
        Dtype::BOOL => DynTensor::from_slice(&bytes.iter().map(|&b| b != 0).collect::<Vec<_>>(), shape),
        other => panic!("fixtures have no {other:?}"),
    }
    .unwrap()
}

/// The elements as `f64`.
pub fn values(x: &DynTensor) -> Vec<f64> {
    x.detach().to(&Device::Cpu).unwrap().cast(DType::F64).unwrap().to_vec().unwrap()
}
