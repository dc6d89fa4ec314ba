//! Layer and batch normalisation, with their gradients.

use super::isa::isa;
use super::movement::contiguous;
use super::operand::elements;
use super::{FLOATS, chunks, misfit, mixed, unsupported};
use crate::parallel::{for_each_piece, for_each_piece_pair, piece_size};
use crate::storage::Buffer;
use crate::{DynTensor, Saved};
use smallvec::smallvec;
use trueno_core::{Error, Result, dispatch_dtype};
use trueno_kernels::norm::{self as kernel, ChannelShape};
use trueno_kernels::simd::Real;

const LAYER: &str = "layer_norm";
const BATCH: &str = "batch_norm";
/// Steps per element: two passes for the moments, one to normalise.
pub(super) const COST: usize = 4;

/// The gradients by operand, weight and bias; those that were not asked for are `None`.
pub(super) type Gradients = [Option<DynTensor>; 3];

/// Refuses an operand of another type or shape.
pub(super) fn expect(op: &'static str, x: &DynTensor, other: &DynTensor, shape: &[usize], what: &str) -> Result<()> {
    if other.dtype() != x.dtype() {
        return Err(mixed(op, x.dtype(), other.dtype()));
    }
    if other.shape() != shape {
        return Err(misfit(op, x, other, format!("a {what} of shape {shape:?} is needed")));
    }
    Ok(())
}

/// How many of the leading axes are left when the trailing `axes` are normalised together.
pub(super) fn lead(shape: &[usize], axes: usize) -> Result<usize> {
    shape.len().checked_sub(axes).filter(|_| axes > 0).ok_or_else(|| {
        let reason = format!("has rank {}; it cannot be normalised over {axes} trailing axes", shape.len());
        Error::Shape { op: LAYER, got: shape.into(), reason: reason.into() }
    })
}

/// Normalisation of `[x]` or `[x, weight, bias]` over the trailing axes; saves mean and reciprocal deviation, of the
/// shape of the leading axes.
pub(crate) fn layer_norm(axes: usize, eps: f64, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let lead = lead(inputs[0].shape(), axes)?;
    let (batch, row) = inputs[0].shape().split_at(lead);
    for (other, what) in inputs[1..].iter().zip(["weight", "bias"]) {
        expect(LAYER, inputs[0], other, row, what)?;
    }
    let x = contiguous(inputs[0])?;
    let [weight, bias] = [1, 2].map(|i| inputs.get(i).map(|p| contiguous(p)).transpose());
    let (weight, bias) = (weight?, bias?);
    let (rows, cols) = (batch.iter().product(), row.iter().product::<usize>());
    let mut buffer = Buffer::new(LAYER, x.dtype(), x.size())?;
    let (mut mean, mut rstd) = (Buffer::new(LAYER, x.dtype(), rows)?, Buffer::new(LAYER, x.dtype(), rows)?);
    dispatch_dtype!(x.dtype(), real T => {
        let x = elements::<T>(&x);
        let [weight, bias] = [&weight, &bias].map(|p| p.as_deref().map(elements::<T>));
        let (mean, rstd) = (mean.as_mut_slice::<T>(), rstd.as_mut_slice::<T>());
        let together = piece_size(rows, cols * COST);
        let stats = mean.chunks_mut(together).zip(rstd.chunks_mut(together));
        let mut jobs: Vec<_> = buffer.as_mut_slice::<T>().chunks_mut((together * cols).max(1)).zip(stats).collect();
        for_each_piece(&mut jobs, 1, together * cols * COST, |index, jobs| {
            for (out, (mean, rstd)) in jobs {
                let x = &x[index * together * cols..][..out.len()];
                kernel::layer_norm(isa(), x, cols, weight, bias, eps, out, [mean, rstd]);
            }
        });
        if cols == 0 {
            // Rows of nothing have no moments.
            mean.fill(T::NAN);
            rstd.fill(T::NAN);
        }
    }, else return Err(unsupported(LAYER, x.dtype(), FLOATS)));
    *saved = smallvec![DynTensor::from_buffer(mean, batch), DynTensor::from_buffer(rstd, batch)];
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

/// The gradients of [`layer_norm`].
pub(super) fn layer_norm_grad(
    axes: usize,
    [x, mean, rstd, g]: [&DynTensor; 4],
    weight: Option<&DynTensor>,
    needs: [bool; 3],
) -> Result<Gradients> {
    let lead = lead(x.shape(), axes)?;
    let (batch, row) = x.shape().split_at(lead);
    expect(LAYER, x, g, x.shape(), "gradient")?;
    expect(LAYER, x, mean, batch, "mean")?;
    expect(LAYER, x, rstd, batch, "reciprocal deviation")?;
    if let Some(weight) = weight {
        expect(LAYER, x, weight, row, "weight")?;
    }
    let [x, mean, rstd, g] = [contiguous(x)?, contiguous(mean)?, contiguous(rstd)?, contiguous(g)?];
    let weight = weight.map(contiguous).transpose()?;
    dispatch_dtype!(x.dtype(), real T => {
        let operands = LayerGradient {
            x: elements::<T>(&x),
            g: elements(&g),
            stats: [elements(&mean), elements(&rstd)],
            weight: weight.as_deref().map(elements),
            rows: mean.size(),
            cols: row.iter().product(),
        };
        let by_input = if needs[0] { Some(DynTensor::from_buffer(operands.by_input()?, x.shape())) } else { None };
        let [by_weight, by_bias] = match needs[1] || needs[2] {
            true => operands.by_parameters()?.map(|buffer| Some(DynTensor::from_buffer(buffer, row))),
            false => [None, None],
        };
        Ok([by_input, by_weight.filter(|_| needs[1]), by_bias.filter(|_| needs[2])])
    }, else Err(unsupported(LAYER, x.dtype(), FLOATS)))
}

struct LayerGradient<'a, T> {
    x: &'a [T],
    g: &'a [T],
    stats: [&'a [T]; 2],
    weight: Option<&'a [T]>,
    rows: usize,
    cols: usize,
}

impl<T: Real> LayerGradient<'_, T> {
    /// Rows of `x` and `g` and their moments, from row `first` on.
    fn part(&self, first: usize, rows: usize) -> ([&[T]; 2], [&[T]; 2]) {
        let part = |x: &'_ [T]| first * self.cols..(first * self.cols + rows * self.cols).min(x.len());
        ([&self.x[part(self.x)], &self.g[part(self.g)]], self.stats.map(|stat| &stat[first..first + rows]))
    }

    fn by_input(&self) -> Result<Buffer> {
        let mut buffer = Buffer::new(LAYER, T::DTYPE, self.x.len())?;
        let together = piece_size(self.rows, self.cols * COST);
        for_each_piece(buffer.as_mut_slice::<T>(), together * self.cols, COST, |index, out| {
            let ([x, g], stats) = self.part(index * together, out.len() / self.cols);
            kernel::layer_norm_gradient_input(isa(), x, g, self.cols, self.weight, stats, out);
        });
        Ok(buffer)
    }

    /// Weight's and bias's, from chunks of rows.
    fn by_parameters(&self) -> Result<[Buffer; 2]> {
        let together = piece_size(self.rows, self.cols * COST);
        let (cols, count) = (self.cols, self.rows.div_ceil(together));
        let (mut weights, mut biases) =
            (Buffer::zeros(LAYER, T::DTYPE, count * cols)?, Buffer::zeros(LAYER, T::DTYPE, count * cols)?);
        let outs = ((weights.as_mut_slice::<T>(), cols), (biases.as_mut_slice::<T>(), cols));
        for_each_piece_pair(outs.0, outs.1, together * COST, |index, weight, bias| {
            let first = index * together;
            let ([x, g], stats) = self.part(first, together.min(self.rows - first));
            kernel::layer_norm_gradient_params(isa(), x, g, cols, stats, weight, bias);
        });
        let mut results = [Buffer::new(LAYER, T::DTYPE, cols)?, Buffer::new(LAYER, T::DTYPE, cols)?];
        for (sums, result) in [weights, biases].iter().zip(&mut results) {
            chunks::join(sums.as_slice::<T>(), result.as_mut_slice::<T>());
        }
        Ok(results)
    }
}

/// `[batch, channels, spatial]` of an operand whose channels are axis 1.
fn channels(x: &DynTensor) -> Result<ChannelShape> {
    match x.shape() {
        [batch, channels, rest @ ..] => {
            Ok(ChannelShape { batch: *batch, channels: *channels, spatial: rest.iter().product() })
        }
        shape => {
            let reason = "has no axis of channels; [N, C, ...] is needed".into();
            Err(Error::Shape { op: BATCH, got: shape.into(), reason })
        }
    }
}

/// Normalisation of each channel of `[x, weight, bias]` by the moments of the batch, or of `[x, weight, bias, mean, var]` by given ones.
/// Saves mean and reciprocal deviation, and the (biased) variance if it was computed.
pub(crate) fn batch_norm(eps: f64, inputs: &[&DynTensor], saved: &mut Saved) -> Result<DynTensor> {
    let shape = channels(inputs[0])?;
    for (other, what) in inputs[1..].iter().zip(["weight", "bias", "mean", "variance"]) {
        expect(BATCH, inputs[0], other, &[shape.channels], what)?;
    }
    let (x, weight, bias) = (contiguous(inputs[0])?, contiguous(inputs[1])?, contiguous(inputs[2])?);
    let (mean, var) = match inputs.get(3).zip(inputs.get(4)) {
        Some((mean, var)) => (contiguous(mean)?.into_owned(), contiguous(var)?.into_owned()),
        None => moments(&x)?,
    };
    let mut buffer = Buffer::new(BATCH, x.dtype(), x.size())?;
    let mut rstd = Buffer::new(BATCH, x.dtype(), shape.channels)?;
    dispatch_dtype!(x.dtype(), real T => {
        kernel::rstd(elements::<T>(&var), eps, rstd.as_mut_slice::<T>());
        let (x, stats) = (elements::<T>(&x), [elements(&mean), rstd.as_slice::<T>()]);
        let (weight, bias) = (elements(&weight), elements(&bias));
        by_images(shape, buffer.as_mut_slice::<T>(), |part, elements, out| {
            kernel::batch_norm(isa(), &x[elements], part, stats, Some(weight), Some(bias), out);
        });
    }, else return Err(unsupported(BATCH, x.dtype(), FLOATS)));
    *saved = smallvec![mean, DynTensor::from_buffer(rstd, &[shape.channels])];
    if inputs.len() < 5 {
        saved.push(var);
    }
    Ok(DynTensor::from_buffer(buffer, x.shape()))
}

/// Runs `work` on the images of `out`, some at a time: their shape, where they lie, and their part of `out`.
fn by_images<T: Real>(
    shape: ChannelShape,
    out: &mut [T],
    work: impl Fn(ChannelShape, std::ops::Range<usize>, &mut [T]) + Sync + Send,
) {
    let image = shape.channels * shape.spatial;
    let piece = piece_size(shape.batch, image * 2) * image;
    for_each_piece(out, piece, 2, |index, out| {
        let start = index * piece;
        work(ChannelShape { batch: out.len() / image, ..shape }, start..start + out.len(), out);
    });
}

/// Mean and biased variance of each channel of a row-major tensor.
fn moments(x: &DynTensor) -> Result<(DynTensor, DynTensor)> {
    let shape = channels(x)?;
    let count = shape.channels;
    let (mut mean, mut var) = (Buffer::new(BATCH, x.dtype(), count)?, Buffer::new(BATCH, x.dtype(), count)?);
    dispatch_dtype!(x.dtype(), real T => {
        let (x, cost) = (elements::<T>(x), shape.per_channel() * 2);
        let together = piece_size(count, cost);
        let outs = ((mean.as_mut_slice::<T>(), together), (var.as_mut_slice::<T>(), together));
        for_each_piece_pair(outs.0, outs.1, cost, |index, mean, var| {
            let range = index * together..index * together + mean.len();
            kernel::batch_moments(isa(), x, shape, range, mean, var);
        });
    }, else return Err(unsupported(BATCH, x.dtype(), FLOATS)));
    Ok((DynTensor::from_buffer(mean, &[count]), DynTensor::from_buffer(var, &[count])))
}

/// The gradients of [`batch_norm`]; `training` if the moments were those of the batch.
pub(super) fn batch_norm_grad(
    training: bool,
    [x, weight, mean, rstd, g]: [&DynTensor; 5],
    needs: [bool; 3],
) -> Result<Gradients> {
    let shape = channels(x)?;
    expect(BATCH, x, g, x.shape(), "gradient")?;
    for (other, what) in [(weight, "weight"), (mean, "mean"), (rstd, "reciprocal deviation")] {
        expect(BATCH, x, other, &[shape.channels], what)?;
    }
    let [x, weight, g] = [contiguous(x)?, contiguous(weight)?, contiguous(g)?];
    let [mean, rstd] = [contiguous(mean)?, contiguous(rstd)?];
    dispatch_dtype!(x.dtype(), real T => {
        let stats = [elements::<T>(&mean), elements(&rstd)];
        let (xs, gs, weight) = (elements::<T>(&x), elements::<T>(&g), elements::<T>(&weight));
        let sums = match needs[1] || needs[2] || training {
            true => Some(gradient_sums(shape, xs, gs, stats)?),
            false => None,
        };
        let mut by_input = None;
        if needs[0] {
            let mut buffer = Buffer::new(BATCH, x.dtype(), x.size())?;
            let count = shape.per_channel();
            let sums = sums.as_ref().filter(|_| training).map(|sums| [0, 1].map(|i| sums[i].as_slice::<T>()));
            by_images(shape, buffer.as_mut_slice::<T>(), |part, range, out| match sums {
                Some(sums) => {
                    let (x, g) = (&xs[range.clone()], &gs[range]);
                    kernel::batch_norm_gradient_train(isa(), x, g, part, stats, Some(weight), sums, count, out);
                }
                None => kernel::batch_norm_gradient_eval(isa(), &gs[range], part, stats[1], Some(weight), out),
            });
            by_input = Some(DynTensor::from_buffer(buffer, x.shape()));
        }
        let [by_bias, by_weight] = match sums {
            Some(sums) => sums.map(|buffer| Some(DynTensor::from_buffer(buffer, &[shape.channels]))),
            None => [None, None],
        };
        Ok([by_input, by_weight.filter(|_| needs[1]), by_bias.filter(|_| needs[2])])
    }, else Err(unsupported(BATCH, x.dtype(), FLOATS)))
}

/// The sums of `g` and of `g` times the normalised `x`, by channel: the gradients by bias and weight.
fn gradient_sums<T: Real>(shape: ChannelShape, x: &[T], g: &[T], stats: [&[T]; 2]) -> Result<[Buffer; 2]> {
    let mut sums = [Buffer::new(BATCH, T::DTYPE, shape.channels)?, Buffer::new(BATCH, T::DTYPE, shape.channels)?];
    let cost = shape.per_channel() * 2;
    let together = piece_size(shape.channels, cost);
    let [first, second] = sums.each_mut().map(|buffer| (buffer.as_mut_slice::<T>(), together));
    for_each_piece_pair(first, second, cost, |index, sum, product| {
        let range = index * together..index * together + sum.len();
        kernel::batch_norm_gradient_sums(isa(), x, g, shape, range, stats, [sum, product]);
    });
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::backward;
    use crate::exec::fixtures::{
        assert_close, assert_refused, assert_threads_agree, numbers, single, values, with_saved,
    };

    const EPS: f64 = 1e-3;

    /// Mean and `1 / sqrt(var + eps)`.
    fn moments_of(x: &[f64]) -> [f64; 2] {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / x.len() as f64;
        [mean, 1.0 / (var + EPS).sqrt()]
    }

    /// Result and the gradients by `x`, weight and bias, where `x[i]` belongs to group `group(i)` with moments of its
    /// own and to the parameters at `place(i)`.
    fn naive(
        [x, w, b, g]: [&[f64]; 4],
        group: impl Fn(usize) -> usize,
        place: impl Fn(usize) -> usize,
        given: Option<&[[f64; 2]]>,
    ) -> [Vec<f64>; 4] {
        let groups = (0..x.len()).map(&group).max().map_or(0, |last| last + 1);
        let (mut y, mut gx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut gw, mut gb) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        for i in 0..groups {
            let members: Vec<usize> = (0..x.len()).filter(|&j| group(j) == i).collect();
            let [mean, rstd] =
                given.map_or_else(|| moments_of(&members.iter().map(|&j| x[j]).collect::<Vec<_>>()), |given| given[i]);
            let h = |j: usize| (x[j] - mean) * rstd;
            let average = |f: &dyn Fn(usize) -> f64| members.iter().map(|&j| f(j)).sum::<f64>() / members.len() as f64;
            let (m1, m2) = (average(&|j| g[j] * w[place(j)]), average(&|j| g[j] * w[place(j)] * h(j)));
            for &j in &members {
                y[j] = h(j) * w[place(j)] + b[place(j)];
                let drawn = if given.is_some() { 0.0 } else { m1 + h(j) * m2 };
                gx[j] = rstd * (g[j] * w[place(j)] - drawn);
                gw[place(j)] += g[j] * h(j);
                gb[place(j)] += g[j];
            }
        }
        [y, gx, gw, gb]
    }

    #[test]
    fn layers_and_their_gradients_agree_with_the_definition() {
        for (shape, axes) in [(vec![5, 7], 1), (vec![2, 3, 4], 2), (vec![6], 1), (vec![3, 2, 2], 1), (vec![4, 1], 1)] {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let x = numbers(&reversed).transpose().unwrap();
            let row = &shape[shape.len() - axes..];
            let cols: usize = row.iter().product();
            let (w, b) = (numbers(row), numbers(row).flip(&[0]).unwrap());
            let g = numbers(&shape).flip(&[0]).unwrap();
            let [xs, ws, bs, gs] = [&x, &w, &b, &g].map(values);
            let want = naive([&xs, &ws, &bs, &gs], |i| i / cols, |i| i % cols, None);
            for ([x, w, b, g], tolerance) in
                [([x.clone(), w.clone(), b.clone(), g.clone()], 1e-11), (single([&x, &w, &b, &g]), 2e-4)]
            {
                let (y, saved) = with_saved(|saved| layer_norm(axes, EPS, &[&x, &w, &b], saved)).unwrap();
                assert_close(&y, &want[0], tolerance);
                assert_eq!(saved[0].shape(), &shape[..shape.len() - axes]);
                let all = backward::layer_norm(&x, Some(&w), &saved[0], &saved[1], &g, axes, [true; 3]).unwrap();
                for (got, want) in all.iter().zip(&want[1..]) {
                    assert_close(got.as_ref().unwrap(), want, tolerance);
                }
                let some = backward::layer_norm(&x, Some(&w), &saved[0], &saved[1], &g, axes, [false, false, true]);
                assert!(matches!(some.unwrap(), [None, None, Some(_)]));
                let ones = vec![1.0; cols];
                let plain = naive([&xs, &ones, &vec![0.0; cols], &gs], |i| i / cols, |i| i % cols, None);
                assert_close(&with_saved(|saved| layer_norm(axes, EPS, &[&x], saved)).unwrap().0, &plain[0], tolerance);
                let [gx, ..] =
                    backward::layer_norm(&x, None, &saved[0], &saved[1], &g, axes, [true, false, false]).unwrap();
                assert_close(&gx.unwrap(), &plain[1], tolerance);
            }
        }
    }

    #[test]
    fn batches_and_their_gradients_agree_with_the_definition() {
        for shape in [vec![6, 3], vec![4, 3, 5], vec![2, 5, 3, 4], vec![1, 2, 1, 3]] {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let (x, channels) = (numbers(&reversed).transpose().unwrap(), shape[1]);
            let spatial: usize = shape[2..].iter().product();
            let channel = |i: usize| i / spatial % channels;
            let (w, b) = (numbers(&[channels]), numbers(&[channels]).flip(&[0]).unwrap());
            let g = numbers(&shape).flip(&[1]).unwrap();
            let (m, v) = (numbers(&[channels]), DynTensor::from_slice(&vec![0.5; channels], &[channels]).unwrap());
            let [xs, ws, bs, gs] = [&x, &w, &b, &g].map(values);
            let given: Vec<[f64; 2]> = values(&m).iter().map(|&mean| [mean, 1.0 / (0.5 + EPS).sqrt()]).collect();
            let train = naive([&xs, &ws, &bs, &gs], channel, channel, None);
            let running = naive([&xs, &ws, &bs, &gs], channel, channel, Some(&given));
            for ([x, w, b, g, m, v], tolerance) in
                [([&x, &w, &b, &g, &m, &v].map(Clone::clone), 1e-11), (single([&x, &w, &b, &g, &m, &v]), 2e-4)]
            {
                for (inputs, want) in [(vec![&x, &w, &b], &train), (vec![&x, &w, &b, &m, &v], &running)] {
                    let (y, saved) = with_saved(|saved| batch_norm(EPS, &inputs, saved)).unwrap();
                    assert_close(&y, &want[0], tolerance);
                    let training = inputs.len() == 3;
                    let all = backward::batch_norm(&x, &w, &saved[0], &saved[1], &g, training, [true; 3]).unwrap();
                    for (got, want) in all.iter().zip(&want[1..]) {
                        assert_close(got.as_ref().unwrap(), want, tolerance);
                    }
                    let one =
                        backward::batch_norm(&x, &w, &saved[0], &saved[1], &g, training, [true, false, false]).unwrap();
                    assert!(matches!(one, [Some(_), None, None]));
                }
            }
        }
    }

    #[test]
    fn statistics_come_with_the_result() {
        let (x, w, b) = (numbers(&[4, 3, 5]), numbers(&[3]), numbers(&[3]));
        let (y, [mean, var]) = crate::batch_norm_with_stats(&x, &w, &b, EPS).unwrap();
        assert_close(&y, &values(&with_saved(|saved| batch_norm(EPS, &[&x, &w, &b], saved)).unwrap().0), 0.0);
        use trueno_core::table::ReduceOp;
        assert_close(&mean, &values(&x.reduce(ReduceOp::Mean, &[0, 2], false, 0.0).unwrap()), 1e-13);
        assert_close(&var, &values(&x.reduce(ReduceOp::Var, &[0, 2], false, 1.0).unwrap()), 1e-13);
        let halves = [&x, &w, &b].map(|x| x.cast(trueno_core::DType::BF16).unwrap());
        let (y, [mean, _]) = crate::batch_norm_with_stats(&halves[0], &halves[1], &halves[2], EPS).unwrap();
        assert_eq!((y.dtype(), mean.dtype()), (trueno_core::DType::BF16, trueno_core::DType::F32));
    }

    #[test]
    fn nothing_stays_nothing() {
        let row = numbers(&[3]);
        assert_eq!(
            with_saved(|saved| layer_norm(1, EPS, &[&numbers(&[0, 3]), &row, &row], saved)).unwrap().0.shape(),
            [0, 3]
        );
        let (y, saved) = with_saved(|saved| layer_norm(1, EPS, &[&numbers(&[2, 0])], saved)).unwrap();
        assert_eq!(y.shape(), [2, 0]);
        assert_close(&saved[0], &[f64::NAN; 2], 0.0);
        let g = numbers(&[0, 3]);
        let (_, saved) = with_saved(|saved| layer_norm(1, EPS, &[&g], saved)).unwrap();
        let [gx, gw, _] = backward::layer_norm(&g, Some(&row), &saved[0], &saved[1], &g, 1, [true; 3]).unwrap();
        assert_eq!(gx.unwrap().shape(), [0, 3]);
        assert_close(&gw.unwrap(), &[0.0; 3], 0.0);
        let (y, saved) = with_saved(|saved| batch_norm(EPS, &[&g, &row, &row], saved)).unwrap();
        assert_eq!((y.shape(), saved[0].shape()), (&[0, 3][..], &[3][..]));
        let [_, gw, gb] = backward::batch_norm(&g, &row, &row, &row, &g, false, [true; 3]).unwrap();
        assert_close(&gw.unwrap(), &[0.0; 3], 0.0);
        assert_close(&gb.unwrap(), &[0.0; 3], 0.0);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, w) = (numbers(&[3000, 301]), numbers(&[301]));
        let (_, saved) = with_saved(|saved| layer_norm(1, EPS, &[&x, &w, &w], saved)).unwrap();
        assert_threads_agree(|| with_saved(|saved| layer_norm(1, EPS, &[&x, &w, &w], saved)).unwrap().0);
        for i in 0..3 {
            let all = || backward::layer_norm(&x, Some(&w), &saved[0], &saved[1], &x, 1, [true; 3]).unwrap();
            assert_threads_agree(|| all()[i].clone().unwrap());
        }
        let (x, w) = (numbers(&[40, 32, 14, 15]), numbers(&[32]));
        let (_, saved) = with_saved(|saved| batch_norm(EPS, &[&x, &w, &w], saved)).unwrap();
        assert_threads_agree(|| with_saved(|saved| batch_norm(EPS, &[&x, &w, &w], saved)).unwrap().0);
        for i in 0..3 {
            let all = || backward::batch_norm(&x, &w, &saved[0], &saved[1], &x, true, [true; 3]).unwrap();
            assert_threads_agree(|| all()[i].clone().unwrap());
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let (x, w) = (numbers(&[2, 3]), numbers(&[2]));
        let layer =
            |axes, inputs: &[&DynTensor]| with_saved(|saved| layer_norm(axes, EPS, inputs, saved)).map(|(y, _)| y);
        assert_refused(layer(1, &[&x, &w, &w]), &["layer_norm", "[2, 3]", "[2]", "weight of shape [3]"]);
        assert_refused(layer(3, &[&x]), &["[2, 3]", "rank 2", "3 trailing axes"]);
        assert_refused(layer(0, &[&x]), &["0 trailing axes"]);
        let batch = |inputs: &[&DynTensor]| with_saved(|saved| batch_norm(EPS, inputs, saved)).map(|(y, _)| y);
        assert_refused(batch(&[&x, &w, &w]), &["batch_norm", "weight of shape [3]"]);
        assert_refused(batch(&[&w, &w, &w]), &["[2]", "[N, C, ...]"]);
        let three = numbers(&[3]);
        assert_refused(batch(&[&x, &three, &three, &three, &w]), &["variance of shape [3]"]);
        assert_refused(batch(&[&x, &single([&three])[0], &three]), &["float64", "float32"]);
        let g = backward::batch_norm(&x, &three, &three, &three, &w, true, [true; 3]);
        assert_refused(g.map(|_| w.clone()), &["gradient of shape [2, 3]"]);
    }
}
