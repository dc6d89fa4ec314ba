//! Every row of the operation table against PyTorch, forward and backward, in `f32` and `f64`, row-major and not.
//!
//! The fixtures are made by `cargo xtask oracle`, which also checks that they are what PyTorch says.

mod fixture;
mod run;

use fixture::{Case, Fixture};
use std::collections::BTreeSet;
use trueno::autograd::Autograd;
use trueno::tensor::DynTensor;
use trueno_core::DType;
use trueno_core::table::{BinaryOp, CompareOp, Family, Gradient, ReduceOp, RowInfo, TernaryOp, UnaryOp};

/// Largest error of a gradient against the fixtures, relative to `max(|value|, 1)`. A value must be as near as its row says.
const LIMITS: [f64; 2] = [1e-5, 1e-10];

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug)]
enum Memory {
    RowMajor,
    /// Every axis backwards, so that all strides are negative.
    Backwards,
    /// The first and last axes exchanged.
    Transposed,
}

impl Memory {
    /// The same value, lying in memory this way.
    fn lay(self, x: &DynTensor) -> DynTensor {
        match self {
            Memory::RowMajor => x.clone(),
            Memory::Backwards => {
                let axes = x.all_axes();
                x.flip(&axes).unwrap().contiguous().unwrap().flip(&axes).unwrap()
            }
            Memory::Transposed if x.rank() < 2 => x.clone(),
            Memory::Transposed => x.swap_axes(0, -1).unwrap().contiguous().unwrap().swap_axes(0, -1).unwrap(),
        }
    }
}

/// The largest difference relative to `max(|want|, 1)`; infinite if shapes or NaNs differ.
fn error(got: &DynTensor, want: &DynTensor) -> f64 {
    if got.shape() != want.shape() {
        return f64::INFINITY;
    }
    let (got, want) = (fixture::values(got), fixture::values(want));
    let differences = got.iter().zip(&want).map(|(got, want)| {
        let same = got == want || (got.is_nan() && want.is_nan());
        if same { 0.0 } else { (got - want).abs() / want.abs().max(1.0) }
    });
    // A NaN difference must not get lost in a maximum.
    differences
        .fold(0.0, |worst, d| if d > worst || d.is_nan() { if d.is_nan() { f64::INFINITY } else { d } } else { worst })
}

fn info(case: &Case) -> &'static RowInfo {
    let rows = UnaryOp::ALL.iter().map(|op| op.info());
    let rows = rows.chain(BinaryOp::ALL.iter().map(|op| op.info())).chain(CompareOp::ALL.iter().map(|op| op.info()));
    let rows = rows.chain(TernaryOp::ALL.iter().map(|op| op.info())).chain(ReduceOp::ALL.iter().map(|op| op.info()));
    let mut rows = rows.chain(Family::ALL.iter().map(|op| op.info()));
    rows.find(|row| row.name == case.row).unwrap_or_else(|| panic!("{} is no row", case.row))
}

/// A leaf of the gradient graph, if the type has gradients.
fn leaf(x: &DynTensor) -> DynTensor {
    if x.dtype().is_float() { x.requires_grad() } else { x.clone() }
}

/// Compares one case in one type and memory order, and returns what is wrong.
fn check(case: &Case, fixture: &Fixture, dtype: DType, memory: Memory) -> Vec<String> {
    let limit = LIMITS[usize::from(dtype == DType::F64)];
    let inputs: Vec<DynTensor> = fixture.inputs(case, dtype).iter().map(|x| memory.lay(x)).collect();
    let tracked: Vec<DynTensor> = inputs.iter().map(leaf).collect();
    let output = run::run(case, &tracked.iter().collect::<Vec<_>>());
    let mut wrong = Vec::new();
    let of_value = info(case).tolerance[usize::from(dtype == DType::F64)].min(limit);
    let mut compare = |what: &str, limit: f64, got: &DynTensor, want: &DynTensor| {
        let found = error(got, want);
        if found > limit {
            wrong.push(format!("{} {dtype} {memory:?}: {what} is off by {found:e}", case.name));
        }
    };
    compare("the value", of_value, &output, fixture.output(case));
    let differentiable = !matches!(info(case).gradient, Gradient::None(_));
    if let (true, Some(seed)) = (differentiable, fixture.seed(case, dtype)) {
        let gradients = output.backward_with(&memory.lay(&seed));
        for (index, x) in tracked.iter().enumerate() {
            if let Some(want) = fixture.gradient(case, index) {
                let got = gradients.get(x).unwrap_or_else(|| panic!("{}: no gradient by operand {index}", case.name));
                compare(&format!("the gradient by operand {index}"), limit, &got, want);
            }
        }
    }
    wrong
}

#[test]
fn every_row_agrees_with_pytorch() {
    let fixture = Fixture::load();
    let mut wrong = Vec::new();
    for case in &fixture.cases {
        for dtype in [DType::F32, DType::F64] {
            for memory in [Memory::RowMajor, Memory::Backwards, Memory::Transposed] {
                wrong.extend(check(case, &fixture, dtype, memory));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_row_has_a_case() {
    let fixture = Fixture::load();
    let covered: BTreeSet<&str> = fixture.cases.iter().map(|case| case.row.as_str()).collect();
    let mut rows: Vec<&str> = UnaryOp::ALL.iter().map(|op| op.name()).collect();
    rows.extend(BinaryOp::ALL.iter().map(|op| op.name()));
    rows.extend(CompareOp::ALL.iter().map(|op| op.name()));
    rows.extend(TernaryOp::ALL.iter().map(|op| op.name()));
    rows.extend(ReduceOp::ALL.iter().map(|op| op.name()));
    // PyTorch draws other random numbers, and a custom function is the user's own.
    let exempt = [Family::Dropout, Family::Custom];
    rows.extend(Family::ALL.iter().filter(|family| !exempt.contains(family)).map(|family| family.name()));
    let missing: Vec<&&str> = rows.iter().filter(|row| !covered.contains(**row)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}: run `cargo xtask oracle`");
}

#[test]
fn the_comparison_notices_a_wrong_value() {
    let want = DynTensor::from_slice(&[1.0_f64, 2.0], &[2]).unwrap();
    assert!(error(&DynTensor::from_slice(&[1.0_f64, 2.1], &[2]).unwrap(), &want) > 0.04);
    assert!(error(&DynTensor::from_slice(&[1.0_f64, f64::NAN], &[2]).unwrap(), &want).is_infinite());
    assert!(error(&DynTensor::from_slice(&[1.0_f64], &[1]).unwrap(), &want).is_infinite());
}
