//! The text of pooling.

use trueno_core::DType;

use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, fill, slot};

/// What is made of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The largest elements and where they lie.
    Max,
    /// From the gradient by the result and those places.
    MaxGrad,
    Avg,
    AvgGrad,
    Adaptive,
    AdaptiveGrad,
}

/// A kernel over planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub kind: Kind,
    pub dtype: DType,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    /// Results.
    pub const COUNT: usize = 0;
    /// Planes of an image.
    pub const CHANNELS: usize = 1;
    /// Rows and columns of the operand's planes and of the result's.
    pub const GIVEN: usize = 2;
    pub const MADE: usize = 4;
    pub const KERNEL: usize = 6;
    pub const STRIDE: usize = 8;
    pub const PADDING: usize = 10;
    /// Where the operand begins, and its four strides.
    pub const FROM_X: usize = 12;
    pub const X: usize = 13;
    /// Elements of a window, as a float of the type that is computed in.
    pub const AREA: usize = 17;
}

impl Program {
    pub fn shader(&self) -> Shader {
        let format = Format::computed(self.dtype);
        let mut text = format!("{IMMEDIATES}{}{}", storage::reals(self.dtype, ""), storage::PACKING);
        text += &storage::reader(0, "x", format, false);
        let (reads, writes) = match self.kind {
            Kind::MaxGrad => (2, 1),
            Kind::Max => (1, 2),
            Kind::Avg | Kind::AvgGrad | Kind::Adaptive | Kind::AdaptiveGrad => (1, 1),
        };
        if reads == 2 {
            text += "@group(0) @binding(1) var<storage, read> positions: array<u32>;\n";
        }
        text += &storage::writer(reads, "out", format);
        if writes == 2 {
            text += "@group(0) @binding(2) var<storage, read_write> positions: array<vec4<u32>>;\n";
        }
        let value = match self.kind {
            Kind::Max => include_str!("max.wgsl"),
            Kind::MaxGrad => include_str!("max_grad.wgsl"),
            Kind::Avg => include_str!("avg.wgsl"),
            Kind::AvgGrad => include_str!("avg_grad.wgsl"),
            Kind::Adaptive => include_str!("adaptive.wgsl"),
            Kind::AdaptiveGrad => include_str!("adaptive_grad.wgsl"),
        };
        let call = "value(plane, place / MADE_X, place % MADE_X)";
        let (declare, assign, store) = if self.kind == Kind::Max {
            let assign = format!("let largest = {call}; v[lane] = largest.value; at[lane] = largest.place;");
            ("var at = vec4<u32>();", assign, "store_out(own, v); positions[own] = at;")
        } else {
            ("", format!("v[lane] = {call};"), "store_out(own, v);")
        };
        let template = include_str!("pool.wgsl")
            .replace("VALUE", value)
            .replace("POSITIONS", declare)
            .replace("ASSIGN", &assign)
            .replace("STORE", store);
        text += &fill(&template, &names(self.dtype));
        Shader { text, reads, writes }
    }
}

/// Every scalar by its name in the templates.
fn names(dtype: DType) -> Vec<(&'static str, String)> {
    let single = [("COUNT", slots::COUNT), ("CHANNELS", slots::CHANNELS), ("FROM_X", slots::FROM_X)];
    let several: [(&[&str], usize); 6] = [
        (&["GIVEN_Y", "GIVEN_X"], slots::GIVEN),
        (&["MADE_Y", "MADE_X"], slots::MADE),
        (&["KERNEL_Y", "KERNEL_X"], slots::KERNEL),
        (&["STRIDE_Y", "STRIDE_X"], slots::STRIDE),
        (&["PADDING_Y", "PADDING_X"], slots::PADDING),
        (&["X_N", "X_C", "X_Y", "X_X"], slots::X),
    ];
    let several = several.into_iter().flat_map(|(names, first)| names.iter().copied().zip(first..));
    let area = ("AREA", storage::number(storage::scalar(dtype), slots::AREA));
    single.into_iter().chain(several).map(|(name, at)| (name, slot(at))).chain([area]).collect()
}

/// Every kind and type.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let kinds = [Kind::Max, Kind::MaxGrad, Kind::Avg, Kind::AvgGrad, Kind::Adaptive, Kind::AdaptiveGrad];
    let dtypes = [DType::F32, DType::F16, DType::BF16, DType::F64];
    kinds.into_iter().flat_map(move |kind| dtypes.map(|dtype| Program { kind, dtype }))
}
