//! Every row of the operation table against PyTorch, forward and backward, in `f32` and `f64`, row-major and not.
//!
//! The fixtures are made by `cargo xtask oracle`, which also checks that they are what PyTorch says.

mod fixture;
mod run;

use fixture::{Case, Fixture};
use std::collections::BTreeSet;
use trueno::autograd::{Autograd, BackwardOptions};
use trueno::tensor::{Device, DynTensor, Row};
use trueno_core::DType;
use trueno_core::table::{Family, Gradient, RowInfo};

/// Largest error of a gradient against the fixtures, relative to it. A value must be as near as its row says.
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

/// The largest difference relative to the larger of `|want|` and `floor`; infinite if shapes or NaNs differ.
fn error(got: &DynTensor, want: &DynTensor, floor: f64) -> f64 {
    if got.shape() != want.shape() {
        return f64::INFINITY;
    }
    let (got, want) = (fixture::values(got), fixture::values(want));
    let differences = got.iter().zip(&want).map(|(got, want)| {
        let same = got == want || (got.is_nan() && want.is_nan());
        if same { 0.0 } else { (got - want).abs() / want.abs().max(floor) }
    });
    // A NaN difference must not get lost in a maximum.
    differences.fold(0.0, |worst, d| if d.is_nan() { f64::INFINITY } else { d.max(worst) })
}

/// The largest finite magnitude among floating-point values.
fn largest<'a>(values: impl IntoIterator<Item = &'a DynTensor>) -> f64 {
    let floats = values.into_iter().filter(|x| x.dtype().is_float()).flat_map(fixture::values);
    floats.map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

fn info(case: &Case) -> &'static RowInfo {
    let mut rows = Row::all().map(Row::info);
    rows.find(|row| row.name == case.row).unwrap_or_else(|| panic!("{} is no row", case.row))
}

/// A leaf of the gradient graph, if the type has gradients.
fn leaf(x: &DynTensor) -> DynTensor {
    if x.dtype().is_float() { x.requires_grad() } else { x.clone() }
}

/// Compares one case in one type and memory order, and returns what is wrong.
fn check(case: &Case, fixture: &Fixture, dtype: DType, memory: Memory, device: &Device) -> Vec<String> {
    let (info, single) = (info(case), usize::from(dtype == DType::F64));
    let there = |x: &DynTensor| memory.lay(&x.to(device).unwrap());
    let inputs: Vec<DynTensor> = fixture.inputs(case, dtype).iter().map(there).collect();
    let tracked: Vec<DynTensor> = inputs.iter().map(leaf).collect();
    // What a device finds wrong with values shows when they are read.
    let output = run::run(case, &tracked.iter().collect::<Vec<_>>());
    let output = output.and_then(|output| output.detach().to(&Device::Cpu).map(|_| output));
    let output = match (output, fixture.output(case)) {
        (Ok(output), Some(_)) => output,
        (Err(_), None) => return Vec::new(),
        (Ok(_), None) => return vec![format!("{} {dtype}: PyTorch refuses it", case.name)],
        (Err(error), Some(_)) => return vec![format!("{} {dtype} {memory:?}: {error}", case.name)],
    };
    let mut wrong = Vec::new();
    let mut compare = |what: &str, limit: f64, floor: f64, got: &DynTensor, want: &DynTensor| {
        let found = error(got, want, floor);
        if found > limit {
            wrong.push(format!("{} {dtype} {memory:?}: {what} is off by {found:e}", case.name));
        }
    };
    let floor = if info.cancels.in_value() { largest(&inputs) } else { 0.0 };
    let want = fixture.output(case).expect("was there above");
    compare("the value", info.tolerance[single].min(LIMITS[single]), floor, &output, want);
    let differentiable = !matches!(info.gradient, Gradient::None(_));
    if let (true, Some(seed)) = (differentiable, fixture.seed(case, dtype)) {
        let gradients = match output.try_backward_with(&there(&seed), BackwardOptions::default()) {
            Ok(gradients) => gradients,
            Err(error) => return vec![format!("{} {dtype} {memory:?}: {error}", case.name)],
        };
        for (index, x) in tracked.iter().enumerate() {
            if let Some(want) = fixture.gradient(case, index) {
                let got = gradients.get(x).unwrap_or_else(|| panic!("{}: no gradient by operand {index}", case.name));
                // The gradient by an operand that was broadcast is a sum, in which terms cancel.
                let cancels = info.cancels.in_gradient() || x.size() < output.size();
                let floor = if cancels { largest(inputs.iter().chain([&seed])) } else { 0.0 };
                compare(&format!("the gradient by operand {index}"), LIMITS[single], floor, &got, want);
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
                wrong.extend(check(case, &fixture, dtype, memory, &Device::Cpu));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same on a GPU. A machine without one is counted as skipped by the gate that looks for it.
#[cfg(feature = "gpu")]
#[test]
fn every_row_agrees_with_pytorch_on_a_gpu() {
    let Some(device) = gpu() else { return };
    agrees_on_a_gpu(DType::F32, &device);
}

/// The same in `f64`, where the GPU computes in it.
#[cfg(feature = "gpu")]
#[test]
fn every_row_agrees_with_pytorch_in_double_precision_on_a_gpu() {
    let Some(device) = gpu() else { return };
    match &device {
        Device::Gpu(gpu) if gpu.capabilities().f64 => agrees_on_a_gpu(DType::F64, &device),
        _ => println!("nothing is compared: {device:?} does not compute in float64"),
    }
}

#[cfg(feature = "gpu")]
fn agrees_on_a_gpu(dtype: DType, device: &Device) {
    let fixture = Fixture::load();
    let orders = [Memory::RowMajor, Memory::Backwards, Memory::Transposed];
    let checked = |case| orders.map(|memory| check(case, &fixture, dtype, memory, device));
    let wrong: Vec<String> = fixture.cases.iter().flat_map(checked).flatten().collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The GPU that `TRUENO_DEVICE` names, which must be there, or the best; nothing if there is none.
#[cfg(feature = "gpu")]
fn gpu() -> Option<Device> {
    if std::env::var_os(Device::VARIABLE).is_some() {
        return Some(Device::from_env().unwrap()).filter(|device| *device != Device::Cpu);
    }
    Device::gpu(0).inspect_err(|error| println!("nothing is compared: {error}")).ok()
}

#[test]
fn every_row_has_a_case() {
    let fixture = Fixture::load();
    let covered: BTreeSet<&str> = fixture.cases.iter().map(|case| case.row.as_str()).collect();
    // PyTorch draws other random numbers; a formula or a custom function is the user's own.
    let exempt = [Family::Dropout, Family::Fused, Family::Custom].map(Row::Family);
    let rows: Vec<&str> = Row::all().filter(|row| !exempt.contains(row)).map(|row| row.info().name).collect();
    let missing: Vec<&&str> = rows.iter().filter(|row| !covered.contains(**row)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}: run `cargo xtask oracle`");
}

#[test]
fn every_row_is_asked_for_the_awkward() {
    let fixture = Fixture::load();
    let has =
        |row: &str, wanted: &dyn Fn(&Case) -> bool| fixture.cases.iter().any(|case| case.row == row && wanted(case));
    let operands = |case: &Case| fixture.inputs(case, DType::F64);
    let elementwise = |row: &Row| match row {
        Row::Unary(_) | Row::Binary(_) | Row::Compare(_) | Row::Ternary(_) => true,
        Row::Reduce(_) | Row::Family(_) => false,
    };
    for row in Row::all() {
        let name = row.info().name;
        if elementwise(&row) {
            assert!(has(name, &|case| operands(case).iter().all(|x| x.rank() == 0)), "{name}: rank 0");
            assert!(has(name, &|case| operands(case)
                .iter()
                .any(|x| fixture::values(x)[..].iter().any(|v| v.is_nan()))));
        }
        if elementwise(&row) || matches!(row, Row::Reduce(_)) {
            assert!(has(name, &|case| operands(case)[0].size() == 0), "{name}: nothing");
            assert!(has(name, &|case| operands(case)[0].size() == 1), "{name}: one element");
        }
        if !row.info().parameters.is_empty() {
            let default = |case: &Case| row.info().parameters.iter().all(|(p, value)| case.parameters[p] == *value);
            assert!(has(name, &|case| !default(case)), "{name}: parameters other than the defaults");
        }
    }
}

#[test]
fn the_comparison_notices_a_wrong_value() {
    let want = DynTensor::from_slice(&[1.0_f64, 2.0], &[2]).unwrap();
    assert!(error(&DynTensor::from_slice(&[1.0_f64, 2.1], &[2]).unwrap(), &want, 0.0) > 0.04);
    assert!(error(&DynTensor::from_slice(&[1.0_f64, f64::NAN], &[2]).unwrap(), &want, 0.0).is_infinite());
    assert!(error(&DynTensor::from_slice(&[1.0_f64], &[1]).unwrap(), &want, 0.0).is_infinite());
}
