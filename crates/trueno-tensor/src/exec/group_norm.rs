//! Group normalisation, with its gradients.

use super::isa::isa;
use super::movement::contiguous;
use super::norm::{COST, Gradients, expect};
use super::operand::elements;
use super::{FLOATS, unsupported};
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_job, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Saved};
use trueno_core::{Element, Error, Result, dispatch_dtype};
use trueno_kernels::norm::{self as kernel, GroupShape};
use trueno_kernels::simd::Real;

pub(super) const GROUP: &str = "group_norm";

/// A batch of samples in groups of channels.
#[derive(Clone, Copy)]
pub(super) struct Groups {
    pub batch: usize,
    pub shape: GroupShape,
}

impl Groups {
    pub fn new(shape: &[usize], groups: usize) -> Result<Groups> {
        let refuse = |reason: String| Err(Error::Shape { op: GROUP, got: shape.into(), reason: reason.into() });
        let [batch, channels, rest @ ..] = shape else {
            return refuse("has no axis of channels; [N, C, ...] is needed".into());
        };
        if groups == 0 || channels % groups != 0 {
            return refuse(format!("axis 1, the channels, has size {channels}, which {groups} groups do not divide"));
        }
        // An empty tensor may have axes of any size.
        checked_size(GROUP, &[*batch, groups])?;
        let shape = GroupShape { groups, channels: channels / groups, spatial: checked_size(GROUP, rest)? };
        Ok(Groups { batch: *batch, shape })
    }

    /// Groups of all samples.
    pub fn rows(&self) -> usize {
        self.batch * self.shape.groups
    }

    pub fn channels(&self) -> usize {
        self.shape.groups * self.shape.channels
    }

    /// Refuses parameters that are not one element per channel.
    pub fn expect_parameters(&self, x: &DynTensor, [weight, bias]: [Option<&DynTensor>; 2]) -> Result<()> {
        for (parameter, what) in [(weight, "weight"), (bias, "bias")] {
            if let Some(parameter) = parameter {
                expect(GROUP, x, parameter, &[self.channels()], what)?;
            }
        }
        Ok(())
    }
}

/// Normalisation of `[x]` or `[x, weight, bias]` in groups of channels; saves mean and reciprocal deviation, `[N, groups]`.
pub(super) fn group_norm(groups: usize, eps: f64, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let layout = Groups::new(inputs[0].shape(), groups)?;
    let parameters = [1, 2].map(|i| inputs.get(i).copied());
    layout.expect_parameters(inputs[0], parameters)?;
    let x = contiguous(inputs[0])?;
    let [weight, bias] = parameters.map(|p| p.map(contiguous).transpose());
    let (weight, bias) = (weight?, bias?);
    let (rows, width) = (layout.rows(), layout.shape.per_row());
    let mut buffer = Buffer::new(GROUP, x.dtype(), x.size())?;
    let (mut mean, mut rstd) = (Buffer::new(GROUP, x.dtype(), rows)?, Buffer::new(GROUP, x.dtype(), rows)?);
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let [weight, bias] = [&weight, &bias].map(|p| p.as_deref().map(elements::<T>));
        let (mean, rstd) = (mean.as_mut_slice::<T>(), rstd.as_mut_slice::<T>());
        let together = piece_size(rows, width * COST);
        let stats = mean.chunks_mut(together).zip(rstd.chunks_mut(together));
        let jobs = buffer.as_mut_slice::<T>().chunks_mut((together * width).max(1)).zip(stats).enumerate();
        for_each_job(jobs.collect(), |(_, (out, _))| out.len() * COST, |(index, (out, (mean, rstd)))| {
            let (first, x) = (index * together, &x[index * together * width..][..out.len()]);
            kernel::group_norm(isa(), x, layout.shape, first, weight, bias, eps, out, [mean, rstd]);
        });
        if width == 0 {
            // Groups of nothing have no moments.
            mean.fill(T::NAN);
            rstd.fill(T::NAN);
        }
    }, else return Err(unsupported(GROUP, x.dtype(), FLOATS)));
    let stats = [mean, rstd].map(|buffer| DynTensor::from_buffer(buffer, &[layout.batch, groups]));
    saved.extend(stats);
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

/// The gradients of [`group_norm`].
pub(super) fn group_norm_grad(
    groups: usize,
    [x, mean, rstd, g]: [&DynTensor; 4],
    weight: Option<&DynTensor>,
    needs: [bool; 3],
) -> Result<Gradients> {
    let layout = Groups::new(x.shape(), groups)?;
    expect(GROUP, x, g, x.shape(), "gradient")?;
    expect(GROUP, x, mean, &[layout.batch, groups], "mean")?;
    expect(GROUP, x, rstd, &[layout.batch, groups], "reciprocal deviation")?;
    layout.expect_parameters(x, [weight, None])?;
    let [x, mean, rstd, g] = [contiguous(x)?, contiguous(mean)?, contiguous(rstd)?, contiguous(g)?];
    let weight = weight.map(contiguous).transpose()?;
    dispatch_dtype!(x.dtype(), real T => {
        let operands = Gradient {
            x: elements::<T>(&x),
            g: elements(&g),
            stats: [elements(&mean), elements(&rstd)],
            weight: weight.as_deref().map(elements),
            layout,
        };
        let mut by_input = if needs[0] { Some(Buffer::new(GROUP, T::DTYPE, x.size())?) } else { None };
        let sums = operands.pass(by_input.as_mut().map(Buffer::as_mut_slice::<T>))?;
        let [by_bias, by_weight] = sums.map(|sums| operands.over_samples(sums.as_slice::<T>()));
        let parameter = |needed: bool, by: Result<Buffer>| match needed {
            true => by.map(|by| Some(DynTensor::from_buffer(by, &[layout.channels()]))),
            false => Ok(None),
        };
        let by_input = by_input.map(|by| DynTensor::from_buffer(by, x.shape()));
        Ok([by_input, parameter(needs[1], by_weight)?, parameter(needs[2], by_bias)?])
    }, else Err(unsupported(GROUP, x.dtype(), FLOATS)))
}

struct Gradient<'a, T> {
    x: &'a [T],
    g: &'a [T],
    stats: [&'a [T]; 2],
    weight: Option<&'a [T]>,
    layout: Groups,
}

/// A run of rows: the first one, their sums by channel, and where the gradient by their elements goes, if that is wanted.
struct Job<'a, T> {
    first: usize,
    sums: [&'a mut [T]; 2],
    out: Option<&'a mut [T]>,
}

impl<T: Real> Gradient<'_, T> {
    /// The sums by channel and sample of `g` and of `g` times the normalised `x`; writes the gradient by `x` while its row is in cache.
    fn pass(&self, out: Option<&mut [T]>) -> Result<[Buffer; 2]> {
        let Groups { shape, .. } = self.layout;
        let (rows, width, channels) = (self.layout.rows(), shape.per_row(), shape.channels);
        let mut buffers =
            [Buffer::new(GROUP, T::DTYPE, rows * channels)?, Buffer::new(GROUP, T::DTYPE, rows * channels)?];
        let together = piece_size(rows, width * COST);
        let [totals, products] =
            buffers.each_mut().map(|b| b.as_mut_slice::<T>().chunks_mut((together * channels).max(1)));
        let mut outs = out.map(|out| out.chunks_mut((together * width).max(1)));
        let jobs = totals.zip(products).enumerate().map(|(i, (totals, products))| Job {
            first: i * together,
            sums: [totals, products],
            out: outs.as_mut().map(|outs| outs.next().unwrap_or_default()),
        });
        let cost = |job: &Job<'_, T>| job.sums[0].len() * shape.spatial * COST;
        for_each_job(jobs.collect(), cost, |Job { first, sums, out }| {
            let last = first + sums[0].len() / channels;
            let [x, g] = [self.x, self.g].map(|x| &x[first * width..last * width]);
            let stats = self.stats.map(|stat| &stat[first..last]);
            kernel::group_norm_gradient(isa(), x, g, shape, first, self.weight, stats, sums, out);
        });
        Ok(buffers)
    }

    /// The sum over the samples of what was summed by sample and channel.
    fn over_samples(&self, sums: &[T]) -> Result<Buffer> {
        let channels = self.layout.channels();
        let mut totals = vec![0.0; channels];
        for sample in sums.chunks_exact(channels.max(1)) {
            for (total, sum) in totals.iter_mut().zip(sample) {
                *total += sum.to_f64();
            }
        }
        let mut buffer = Buffer::new(GROUP, T::DTYPE, channels)?;
        for (out, total) in buffer.as_mut_slice::<T>().iter_mut().zip(totals) {
            *out = T::from_f64(total);
        }
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::backward;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, values, with_saved};

    const EPS: f64 = 1e-3;

    #[test]
    fn one_group_per_channel_and_one_group_of_all_are_what_other_norms_say() {
        let x = numbers(&[3, 4, 5, 2]).transpose().unwrap();
        let x = x.permute(&[1, 2, 0, 3]).unwrap();
        let rows = x.reshape_to(&[x.shape()[0], x.size() / x.shape()[0]]).unwrap();
        let whole = with_saved(|saved| group_norm(1, EPS, &[&x], saved)).unwrap().0;
        assert_close(&whole, &values(&rows.layer_norm(1, None, EPS).unwrap()), 1e-12);
        let planes = x.reshape_to(&[x.shape()[0] * x.shape()[1], x.size() / (x.shape()[0] * x.shape()[1])]).unwrap();
        let each = with_saved(|saved| group_norm(x.shape()[1], EPS, &[&x], saved)).unwrap().0;
        assert_close(&each, &values(&planes.layer_norm(1, None, EPS).unwrap()), 1e-12);
    }

    #[test]
    fn nothing_stays_nothing() {
        for shape in [[0, 4, 3], [2, 4, 0], [2, 0, 3]] {
            let x = numbers(&shape);
            let (w, b) = (numbers(&[shape[1]]), numbers(&[shape[1]]));
            let (y, saved) = with_saved(|saved| group_norm(2, EPS, &[&x, &w, &b], saved)).unwrap();
            assert_eq!((y.shape(), saved[0].shape()), (&shape[..], &[shape[0], 2][..]));
            let [gx, gw, gb] = backward::group_norm(&x, Some(&w), &saved[0], &saved[1], &x, 2, [true; 3]).unwrap();
            assert_eq!(gx.unwrap().shape(), shape);
            assert_close(&gw.unwrap(), &vec![0.0; shape[1]], 0.0);
            assert_close(&gb.unwrap(), &vec![0.0; shape[1]], 0.0);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for shape in [&[5, 24, 31, 33][..], &[3000, 60]] {
            let (x, w) = (numbers(shape), numbers(&shape[1..2]));
            let (_, saved) = with_saved(|saved| group_norm(6, EPS, &[&x, &w, &w], saved)).unwrap();
            assert_threads_agree(|| with_saved(|saved| group_norm(6, EPS, &[&x, &w, &w], saved)).unwrap().0);
            for i in 0..3 {
                let all = || backward::group_norm(&x, Some(&w), &saved[0], &saved[1], &x, 6, [true; 3]).unwrap();
                assert_threads_agree(|| all()[i].clone().unwrap());
            }
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let (x, w) = (numbers(&[2, 6, 3]), numbers(&[6]));
        let run =
            |groups, inputs: &[&DynTensor]| with_saved(|saved| group_norm(groups, EPS, inputs, saved)).map(|(y, _)| y);
        assert_refused(run(4, &[&x]), &["group_norm", "[2, 6, 3]", "size 6", "4 groups"]);
        assert_refused(run(0, &[&x]), &["0 groups"]);
        assert_refused(run(1, &[&w]), &["[6]", "[N, C, ...]"]);
        assert_refused(run(2, &[&x, &w, &numbers(&[3])]), &["bias of shape [6]", "[3]"]);
        let g = backward::group_norm(&x, None, &w, &w, &x, 2, [true; 3]);
        assert_refused(g.map(|_| w.clone()), &["mean of shape [2, 2]"]);
    }
}
