use trueno_core::{Layout, f16};
use trueno_kernels::attention as cpu;
use trueno_kernels::matmul::MatRef;
use trueno_kernels::{Isa, attention::QUERIES};

use super::*;
use crate::device::{Device, Options, Selector};
use crate::testing::{all, assert_close, device, gather, samples, shaped, upload};

fn values(buffer: &Buffer) -> Vec<f32> {
    buffer.download("test").wait().unwrap()
}

/// A result in the order of its axes.
fn ordered(x: &Placed) -> Vec<f32> {
    gather(&values(&x.buffer), &x.layout)
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Result, logarithms of sums and gradients of every head, by the processor in `f64`. `mask` is `[heads, queries, keys]`.
fn reference(config: &Attention, sizes: [usize; 4], operands: [&[f64]; 4], mask: Option<&[f64]>) -> [Vec<f64>; 5] {
    let ([queries, keys, width, columns], isa) = (sizes, Isa::best());
    let [q, k, v, g] = operands;
    let heads = q.len() / (queries * width);
    let mut out = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let mut scratch = vec![0.0; cpu::scratch_len::<f64>(isa, sizes).max(cpu::gradient_scratch_len::<f64>(isa, sizes))];
    for head in 0..heads {
        let part =
            |x: &'_ [f64], rows: usize, cols: usize| -> Vec<f64> { x[head * rows * cols..][..rows * cols].to_vec() };
        let (q, k, v) = (part(q, queries, width), part(k, keys, width), part(v, keys, columns));
        let (g, mask) = (part(g, queries, columns), mask.map(|mask| part(mask, queries, keys)));
        let settings = cpu::Attention {
            scale: config.scale,
            causal: config.causal,
            mask: mask.as_ref().map(|mask| MatRef::row_major(mask, queries, keys)),
        };
        let [mq, mk] = [(&q, queries), (&k, keys)].map(|(x, rows)| MatRef::row_major(x, rows, width));
        let mv = MatRef::row_major(&v, keys, columns);
        let (mut result, mut log_sum) = (vec![0.0; queries * columns], vec![0.0; queries]);
        for first in (0..queries).step_by(QUERIES) {
            let end = queries.min(first + QUERIES);
            let block = mq.block(first..end, 0..width);
            let (result, log_sum) = (&mut result[first * columns..end * columns], &mut log_sum[first..end]);
            cpu::attention(isa, &settings, first, [block, mk, mv], result, log_sum, &mut scratch);
        }
        let (mut gq, mut gk, mut gv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
        let results = [&result, &g].map(|x| MatRef::row_major(x, queries, columns));
        let gradients = [&mut gq[..], &mut gk[..], &mut gv[..]];
        cpu::attention_gradient(isa, &settings, [mq, mk, mv], results, &log_sum, gradients, &mut scratch);
        out.iter_mut().zip([result, log_sum, gq, gk, gv]).for_each(|(all, part)| all.extend(part));
    }
    out
}

/// Compares results and gradients of random operands of a shape.
fn both(device: &Device, heads: &[usize], sizes: [usize; 4], causal: bool, mask: Option<&[usize]>) {
    let [queries, keys, width, columns] = sizes;
    let config = Attention { scale: 1.0 / (width as f64).sqrt(), causal };
    let count: usize = heads.iter().product();
    let shapes = [(queries, width), (keys, width), (keys, columns), (queries, columns)];
    let elements = [0, 1, 2, 3].map(|i| samples(i as u64, count * shapes[i].0 * shapes[i].1, [-2.0, 2.0]));
    let buffers = [0, 1, 2, 3].map(|i| upload(device, &elements[i]));
    let [q, k, v, g] = [0, 1, 2, 3].map(|i| shaped(&buffers[i], &[heads, &[shapes[i].0, shapes[i].1]].concat()));
    let mask_values = mask.map(|shape| {
        let hide = |(i, x): (usize, f32)| if i % 7 == 3 { f32::NEG_INFINITY } else { x };
        samples(9, shape.iter().product(), [-1.0, 1.0]).into_iter().enumerate().map(hide).collect::<Vec<f32>>()
    });
    let mask_buffer = mask_values.as_ref().map(|values| upload(device, values));
    let mask_view = mask_buffer.as_ref().zip(mask).map(|(buffer, shape)| shaped(buffer, shape));
    let scores = [heads, &[queries, keys]].concat();
    let mask_wide = mask_view
        .as_ref()
        .zip(mask_values.as_ref())
        .map(|(view, values)| wide(&gather(values, view.broadcast_to("test", &scores).unwrap().layout())));
    let exact = elements.each_ref().map(|x| wide(x));
    let want = reference(&config, sizes, exact.each_ref().map(|x| &x[..]), mask_wide.as_deref());
    let name = format!("{heads:?} {sizes:?} {causal} {mask:?}");
    let got = attention(&config, [&q, &k, &v], mask_view.as_ref()).unwrap();
    assert_close(&name, &ordered(&got.output), &want[0], 3e-6);
    assert_close(&name, &values(&got.log_sum), &want[1], 3e-6);
    let output = got.output.view().unwrap();
    let slopes = attention_grad(&config, [&q, &k, &v], mask_view.as_ref(), &output, &got.log_sum, &g).unwrap();
    for (slope, want) in slopes.iter().zip(&want[2..]) {
        assert_close(&name, &ordered(slope), want, 1e-5);
    }
}

#[test]
fn results_and_gradients_agree_with_the_processor() {
    let Some(device) = device() else { return };
    for causal in [false, true] {
        both(device, &[2, 2], [5, 7, 8, 4], causal, None);
        both(device, &[3], [70, 65, 20, 68], causal, None);
        both(device, &[], [33, 40, 3, 5], causal, None);
        both(device, &[1, 2], [1, 130, 16, 16], causal, None);
        both(device, &[2], [64, 64, 64, 64], causal, None);
    }
}

#[test]
fn masks_broadcast_over_heads_and_queries() {
    let Some(device) = device() else { return };
    both(device, &[2, 3], [9, 11, 8, 8], false, Some(&[2, 1, 1, 11]));
    both(device, &[2, 3], [9, 11, 8, 8], true, Some(&[9, 11]));
    both(device, &[2, 3], [40, 70, 4, 4], false, Some(&[3, 40, 70]));
}

#[test]
fn a_row_that_sees_nothing_is_zero_and_booleans_hide() {
    let Some(device) = device() else { return };
    let config = Attention { scale: 0.5, causal: false };
    let x = upload(device, &samples(1, 3 * 4, [-1.0, 1.0]));
    let x = shaped(&x, &[3, 4]);
    let flags =
        Buffer::from_slice(device, "test", &[false, false, false, true, false, false, true, true, true]).unwrap();
    let mask = shaped(&flags, &[3, 3]);
    let got = attention(&config, [&x, &x, &x], Some(&mask)).unwrap();
    let rows = values(x.buffer());
    let (output, log_sum) = (ordered(&got.output), values(&got.log_sum));
    assert_eq!(output[..4], [0.0; 4]);
    assert_eq!(log_sum[0], f32::NEG_INFINITY);
    assert_close("one key", &output[4..8], &wide(&rows[..4]), 1e-6);
    let g = upload(device, &[1.0; 12]);
    let output = got.output.view().unwrap();
    let [gq, _, gv] =
        attention_grad(&config, [&x, &x, &x], Some(&mask), &output, &got.log_sum, &shaped(&g, &[3, 4])).unwrap();
    assert_eq!(ordered(&gq)[..4], [0.0; 4]);
    assert_close("weights sum to 1", &[ordered(&gv).iter().sum::<f32>()], &[8.0], 1e-6);
}

#[test]
fn views_and_half_precision_are_taken() {
    let Some(device) = device() else { return };
    let config = Attention { scale: 0.25, causal: true };
    // Heads beside each other, as a projection leaves them.
    let packed = samples(1, 2 * 6 * 3 * 8, [-1.0, 1.0]);
    let heads = Layout::contiguous(&[2, 6, 3, 8]).permute("test", &[0, 2, 1, 3]).unwrap();
    let exact = wide(&gather(&packed, &heads));
    let want = reference(&config, [6, 6, 8, 8], [&exact, &exact, &exact, &exact], None);
    let x = upload(device, &packed);
    let view = View::new("test", &x, &heads).unwrap();
    let got = attention(&config, [&view, &view, &view], None).unwrap();
    assert_close("view", &ordered(&got.output), &want[0], 1e-6);
    assert_eq!(got.output.layout, heads, "results lie as the operands do");
    let output = got.output.view().unwrap();
    let slopes = attention_grad(&config, [&view, &view, &view], None, &output, &got.log_sum, &view).unwrap();
    for (slope, want) in slopes.iter().zip(&want[2..]) {
        assert_eq!(slope.layout, heads);
        assert_close("view", &ordered(slope), want, 1e-5);
    }
    let half = cast(&view, DType::F16).unwrap();
    let half = shaped(&half, &[2, 3, 6, 8]);
    let got = attention(&config, [&half, &half, &half], None).unwrap();
    let rounded: Vec<f32> =
        got.output.buffer.download::<f16>("test").wait().unwrap().iter().map(|x| x.to_f32()).collect();
    assert_close("half", &rounded, &want[0], 1e-3);
    let output = got.output.view().unwrap();
    let slopes = attention_grad(&config, [&half, &half, &half], None, &output, &got.log_sum, &half).unwrap();
    for (slope, want) in slopes.iter().zip(&want[2..]) {
        let slope: Vec<f32> = slope.buffer.download::<f16>("test").wait().unwrap().iter().map(|x| x.to_f32()).collect();
        assert_close("half", &slope, want, 4e-3);
    }
}

#[test]
fn heads_are_read_in_one_projection_of_all_three() {
    if device().is_none() {
        return;
    }
    // A device of its own, whose dispatches no other test adds to.
    let device = &Device::open(&Selector::from_env().unwrap(), &Options::default()).unwrap();
    let config = Attention { scale: 0.25, causal: false };
    let packed = samples(1, 2 * 70 * 3 * 2 * 8, [-1.0, 1.0]);
    let x = upload(device, &packed);
    let before = device.stats().dispatches;
    let all = Layout::contiguous(&[2, 70, 6, 8]).swap_axes("test", 1, 2).unwrap();
    let layouts = [0, 2, 4].map(|head| all.narrow("test", 1, head, 2).unwrap());
    let exact = layouts.each_ref().map(|layout| wide(&gather(&packed, layout)));
    let want = reference(&config, [70, 70, 8, 8], [&exact[0], &exact[1], &exact[2], &exact[0]], None);
    let [q, k, v] = layouts.each_ref().map(|layout| View::new("test", &x, layout).unwrap());
    let got = attention(&config, [&q, &k, &v], None).unwrap();
    assert_eq!(device.stats().dispatches - before, 1, "nothing is copied first");
    assert_close("projected", &ordered(&got.output), &want[0], 3e-6);
    let output = got.output.view().unwrap();
    let slopes = attention_grad(&config, [&q, &k, &v], None, &output, &got.log_sum, &q).unwrap();
    for (slope, want) in slopes.iter().zip(&want[2..]) {
        assert_close("projected", &ordered(slope), want, 1e-5);
    }
}

#[test]
fn empty_axes_and_what_does_not_fit() {
    let Some(device) = device() else { return };
    let config = Attention { scale: 1.0, causal: false };
    let (none, x) = (upload(device, &[]), upload(device, &[1.0; 12]));
    let q = shaped(&x, &[3, 4]);
    let (k, v) = (shaped(&none, &[0, 4]), shaped(&none, &[0, 2]));
    let got = attention(&config, [&q, &k, &v], None).unwrap();
    assert_eq!(ordered(&got.output), [0.0; 6]);
    assert_eq!(values(&got.log_sum), [f32::NEG_INFINITY; 3]);
    let g = upload(device, &[1.0; 6]);
    let output = got.output.view().unwrap();
    let [gq, gk, gv] =
        attention_grad(&config, [&q, &k, &v], None, &output, &got.log_sum, &shaped(&g, &[3, 2])).unwrap();
    assert_eq!(ordered(&gq), [0.0; 12]);
    assert!(gk.buffer.is_empty() && gv.buffer.is_empty());
    let refused = |result: Result<Attended>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(attention(&config, [&q, &shaped(&x, &[4, 3]), &q], None), "the width of the queries");
    refused(attention(&config, [&q, &q, &shaped(&x, &[4, 3])], None), "one value per key");
    refused(attention(&config, [&all(&x), &q, &q], None), "two axes or more");
    refused(attention(&config, [&q, &q, &q], Some(&q)), "broadcast");
}
