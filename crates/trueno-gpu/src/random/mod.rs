//! What is random: dropout, by the numbers that the processor draws too.

use trueno_core::math::wgsl::PRELUDE;
use trueno_core::{DType, Error, Result};

use crate::dense::Dense;
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch, Shader};
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, index, slot};

/// Threads of a workgroup.
const THREADS: usize = 256;

/// Which elements a dropout drops: a pure function of these, and of where an element is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of dropping an element, in `[0, 1)`.
    pub p: f64,
    /// Seed of the random stream.
    pub seed: u64,
    /// Number of the call: a stream of its own.
    pub call: u64,
}

/// A kernel that drops elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    dtype: DType,
}

/// The places of scalars among the immediates.
mod slots {
    pub const VECTORS: usize = 0;
    pub const FROM_X: usize = 1;
    pub const SEED: usize = 2;
    pub const CALL: usize = 4;
    /// The largest word that keeps its element.
    pub const LIMIT: usize = 6;
    pub const SCALE: usize = 7;
}

/// Zeros where the stream says so, the rest divided by `1 - p`, row-major. The gradient is the same of the gradient.
///
/// Element `i` looks at word `i % 4` of block `i / 4` of [`Philox`](trueno_core::Philox), as on the processor.
///
/// # Errors
/// [`Error::Argument`] if `p` is no probability below 1; [`Error::DType`] for what is no float, or none of the device's; and what the
/// device refuses.
pub fn dropout(config: &Dropout, x: &View<'_>) -> Result<Buffer> {
    let op = "dropout";
    if !(0.0..1.0).contains(&config.p) {
        let reason = format!("p = {} is not a probability below 1", config.p).into();
        return Err(Error::Argument { op, reason });
    }
    let dtype = storage::float(op, x.buffer())?;
    let device = x.buffer().device();
    let output = Buffer::new(device, op, dtype, x.layout().size())?;
    if output.is_empty() {
        return Ok(output);
    }
    let x = Dense::new(x, 4)?;
    let mut immediates = Immediates::default();
    let vectors = output.len().div_ceil(4);
    immediates[slots::VECTORS] = index(op, vectors)?;
    immediates[slots::FROM_X] = index(op, x.from() / 4)?;
    for (at, value) in [(slots::SEED, config.seed), (slots::CALL, config.call)] {
        immediates[at] = value as u32;
        immediates[at + 1] = (value >> 32) as u32;
    }
    // A whole word is less than a number where it is at most the one below that number, rounded up.
    immediates[slots::LIMIT] = (((1.0 - config.p) * 4_294_967_296.0).ceil() - 1.0) as u32;
    storage::put_number(&mut immediates, slots::SCALE, dtype, 1.0 / (1.0 - config.p));
    let program = record::Program::Random(Program { dtype });
    let groups = record::grid(device, vectors.div_ceil(THREADS));
    Launch { op, program, reads: &[x.buffer()], writes: &[&output], immediates, groups }.record(device)?;
    Ok(output)
}

impl Program {
    pub fn shader(&self) -> Shader {
        let format = Format::computed(self.dtype);
        let mut text = format!("{IMMEDIATES}{PRELUDE}{}", storage::PACKING);
        text += &storage::reader(0, "x", format, true);
        text += &storage::writer(1, "out", format);
        text += &include_str!("dropout.wgsl")
            .replace("REAL", storage::scalar(self.dtype).name())
            .replace("VECTORS", &slot(slots::VECTORS))
            .replace("FROM_X", &slot(slots::FROM_X))
            .replace("SEED_LOW", &slot(slots::SEED))
            .replace("SEED_HIGH", &slot(slots::SEED + 1))
            .replace("CALL_LOW", &slot(slots::CALL))
            .replace("CALL_HIGH", &slot(slots::CALL + 1))
            .replace("LIMIT", &slot(slots::LIMIT))
            .replace("SCALE", &storage::number(storage::scalar(self.dtype), slots::SCALE));
        Shader { text, reads: 1, writes: 1 }
    }
}

/// Every type.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    [DType::F32, DType::F16, DType::BF16, DType::F64].into_iter().map(|dtype| Program { dtype })
}

#[cfg(test)]
mod tests {
    use trueno_core::{Layout, Philox, f16};

    use super::*;
    use crate::testing::{all, device, gather, read, samples, upload};

    /// By the definition, with the processor's numbers.
    fn reference(config: &Dropout, x: &[f32]) -> Vec<f32> {
        let stream = Philox::new(config.seed).stream(config.call);
        let (keep, scale) = ((1.0 - config.p) * 4_294_967_296.0, (1.0 / (1.0 - config.p)) as f32);
        let kept = |i: usize| f64::from(stream.block(i as u64 / 4)[i % 4]) < keep;
        x.iter().enumerate().map(|(i, &x)| if kept(i) { x * scale } else { 0.0 }).collect()
    }

    #[test]
    fn the_same_elements_are_dropped_as_on_the_processor() {
        let Some(device) = device() else { return };
        for (p, seed, call) in [(0.5, 1, 0), (0.1, u64::MAX - 5, 1 << 40), (0.0, 3, 7), (0.999, 4, 1)] {
            let config = Dropout { p, seed, call };
            for len in [0, 1, 3, 4, 70_001] {
                let x = samples(1, len, [-2.0, 2.0]);
                let got = read(dropout(&config, &all(&upload(device, &x))));
                assert_eq!(got, reference(&config, &x), "{config:?} {len}");
            }
        }
    }

    #[test]
    fn views_and_half_precision_are_taken() {
        let Some(device) = device() else { return };
        let config = Dropout { p: 0.25, seed: 9, call: 2 };
        let x = samples(1, 60, [-2.0, 2.0]);
        let layout = Layout::contiguous(&[6, 10]).permute("test", &[1, 0]).unwrap().narrow("test", 0, 1, 7).unwrap();
        let want = reference(&config, &gather(&x, &layout));
        assert_eq!(read(dropout(&config, &View::new("test", &upload(device, &x), &layout).unwrap())), want);
        let halves: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
        let single: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
        let want: Vec<f16> = reference(&config, &single).iter().map(|&x| f16::from_f32(x)).collect();
        let got = dropout(&config, &all(&Buffer::from_slice(device, "test", &halves).unwrap())).unwrap();
        assert_eq!(got.download::<f16>("test").wait().unwrap(), want);
        let x = upload(device, &x);
        assert!(dropout(&Dropout { p: 1.0, ..config }, &all(&x)).unwrap_err().to_string().contains("p = 1"));
    }
}
