//! Products of integers, which wrap, and of `float64`. No matrix unit and no tile: they are as rare as they are short.

use trueno_core::{DType, Result};

use super::program::{batches, slots};
use super::{Job, OP, Program};
use crate::memory::{Buffer, View};
use crate::record::{self, Launch, Shader};
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, fill, slot};

/// A matrix product in the operands' own type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plain {
    pub dtype: DType,
    pub batch_rank: usize,
}

impl Plain {
    pub(super) fn run(job: &Job<'_>) -> Result<Buffer> {
        let [a, b] = job.operands.map(View::buffer);
        let program = Self { dtype: a.dtype(), batch_rank: job.sizes.len() };
        let output = Buffer::new(a.device(), OP, a.dtype(), job.batch() * job.m * job.n)?;
        let mut immediates = job.immediates(job.k, 1)?;
        immediates[slots::COUNT] = output.len() as u32;
        let groups = record::grid(a.device(), output.len().div_ceil(4 * 256));
        let program = record::Program::Matmul(Program::Plain(program));
        Launch { op: OP, program, reads: &[a, b], writes: &[&output], immediates, groups }.record(a.device())?;
        Ok(output)
    }

    pub fn shader(&self) -> Shader {
        let mut text = format!("{IMMEDIATES}{}", storage::PACKING);
        let scalar = storage::scalar(self.dtype);
        let format = Format::of(self.dtype, scalar);
        text += &(storage::reader(0, "a", format, false) + &storage::reader(1, "b", format, false));
        text += &(storage::writer(2, "out", format) + &batches(self.batch_rank));
        let names = [
            ("SCALAR", scalar.name().into()),
            ("SIZE_M", slot(slots::M)),
            ("SIZE_N", slot(slots::N)),
            ("SIZE_K", slot(slots::K)),
            ("COUNT", slot(slots::COUNT)),
            ("OFFSET_A", slot(slots::OFFSETS)),
            ("OFFSET_B", slot(slots::OFFSETS + 1)),
            ("STRIDE_M", slot(slots::STRIDES)),
            ("LEFT_K", slot(slots::STRIDES + 1)),
            ("RIGHT_K", slot(slots::STRIDES + 2)),
            ("STRIDE_N", slot(slots::STRIDES + 3)),
        ];
        Shader { text: text + &fill(include_str!("plain.wgsl"), &names), reads: 2, writes: 1 }
    }
}
