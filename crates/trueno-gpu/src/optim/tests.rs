use trueno_core::{Layout, bf16};
use trueno_kernels::{Isa, optim as cpu};

use super::*;
use crate::testing::{self, all, assert_close, device, gather, samples, upload};

fn values(buffer: &Buffer) -> Vec<f32> {
    buffer.download("test").wait().unwrap()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn sgd_agrees_with_the_processor() {
    let Some(device) = device() else { return };
    let base = SgdStep { lr: 0.1, momentum: 0.9, dampening: 0.2, weight_decay: 0.01, nesterov: true, first: false };
    let still = SgdStep { momentum: 0.0, weight_decay: 0.0, ..base };
    for step in [base, still, SgdStep { first: true, ..base }, SgdStep { nesterov: false, dampening: 0.0, ..base }] {
        for len in [0, 1, 7, 5000] {
            let [p, g, v] = [1, 2, 3].map(|stream| samples(stream, len, [-2.0, 2.0]));
            let (mut want_p, mut want_v) = (wide(&p), wide(&v));
            let scaled: Vec<f64> = wide(&g).iter().map(|g| g * 0.5).collect();
            cpu::sgd(Isa::best(), step, &mut want_p, &scaled, &mut want_v);
            let [mut dp, dg, mut dv] = [&p, &g, &v].map(|x| upload(device, x));
            sgd(&step, &mut dp, &all(&dg), Some(&mut dv), Some(&upload(device, &[0.5]))).unwrap();
            assert_close("parameter", &values(&dp), &want_p, 3e-7);
            assert_close("velocity", &values(&dv), &want_v, 3e-7);
            if step.momentum == 0.0 {
                assert_eq!(values(&dv), v);
                sgd(&step, &mut dp, &all(&dg), None, None).unwrap();
                let twice: Vec<f64> = want_p.iter().zip(wide(&g)).map(|(p, g)| p - g * step.lr).collect();
                assert_close("parameter", &values(&dp), &twice, 3e-7);
            }
        }
    }
}

#[test]
fn adam_agrees_with_the_processor() {
    let Some(device) = device() else { return };
    let base = AdamStep {
        lr: 0.01,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weight_decay: 0.1,
        decoupled: true,
        step: 3,
        amsgrad: true,
    };
    for step in [base, AdamStep { decoupled: false, step: 1, ..base }, AdamStep { amsgrad: false, step: 1000, ..base }]
    {
        for len in [1, 9, 4099] {
            let [p, g, m] = [1, 2, 3].map(|stream| samples(stream, len, [-2.0, 2.0]));
            let [v, most] = [4, 5].map(|stream| samples(stream, len, [1e-4, 4.0]));
            let mut want = [&p, &m, &v, &most].map(|x| wide(x));
            let [want_p, want_m, want_v, want_most] = &mut want;
            let state = cpu::AdamState { mean: want_m, square: want_v, largest: want_most };
            cpu::adam(Isa::best(), step, want_p, &wide(&g), state);
            let [mut dp, dg, mut dm, mut dv, mut dl] = [&p, &g, &m, &v, &most].map(|x| upload(device, x));
            let state = AdamState { mean: &mut dm, square: &mut dv, largest: step.amsgrad.then_some(&mut dl) };
            adam(&step, &mut dp, &all(&dg), state, None).unwrap();
            for (name, got, want) in [("p", &dp, &want[0]), ("m", &dm, &want[1]), ("v", &dv, &want[2])] {
                assert_close(name, &values(got), want, 1e-6);
            }
            if step.amsgrad {
                assert_close("largest", &values(&dl), &want[3], 1e-6);
            }
        }
    }
}

#[test]
fn gradients_may_be_views_of_half_precision() {
    let Some(device) = device() else { return };
    let step = SgdStep { lr: 0.5, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, first: true };
    let halves: Vec<bf16> = samples(1, 35, [-2.0, 2.0]).iter().map(|&x| bf16::from_f32(x)).collect();
    let layout = Layout::contiguous(&[5, 7]).permute("test", &[1, 0]).unwrap();
    let g = Buffer::from_slice(device, "test", &halves).unwrap();
    let mut p = upload(device, &[1.0; 35]);
    sgd(&step, &mut p, &View::new("test", &g, &layout).unwrap(), None, None).unwrap();
    let want: Vec<f32> = gather(&halves, &layout).iter().map(|g| 1.0 - 0.5 * g.to_f32()).collect();
    assert_eq!(values(&p), want);
}

#[test]
fn the_norm_of_all_gradients_stays_on_the_device() {
    let Some(device) = device() else { return };
    let gradients: Vec<Vec<f32>> =
        [5, 0, 20_001, 8192, 1].iter().zip(1..).map(|(&len, stream)| samples(stream, len, [-1.0, 1.0])).collect();
    let buffers: Vec<Buffer> = gradients.iter().map(|g| upload(device, g)).collect();
    let views: Vec<View<'_>> = buffers.iter().map(all).collect();
    let norm = gradients.iter().flatten().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    for max_norm in [1.0, 1e6] {
        let got = grad_norm(device, &views, max_norm).unwrap();
        assert_close("norm", &values(&got.norm), &[norm], 1e-6);
        assert_close("factor", &values(&got.factor), &[(max_norm / (norm + 1e-6)).min(1.0)], 1e-6);
    }
    let lost = [upload(device, &[f32::NAN, 1.0])];
    assert!(values(&grad_norm(device, &[all(&lost[0])], 1.0).unwrap().factor)[0].is_nan());
    assert_eq!(values(&grad_norm(device, &[], 1.0).unwrap().norm), [0.0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let Some(device) = device() else { return };
    let step = SgdStep { lr: 0.5, momentum: 0.9, dampening: 0.0, weight_decay: 0.0, nesterov: false, first: true };
    let (mut p, g) = (upload(device, &[1.0; 3]), upload(device, &[1.0; 4]));
    let refused = |result: Result<()>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(sgd(&step, &mut p, &all(&g), None, None), "momentum needs a velocity");
    let mut v = upload(device, &[1.0; 4]);
    refused(sgd(&step, &mut p, &all(&g), Some(&mut v), None), "4 gradients do not fit");
    let mut whole = Buffer::from_slice(device, "test", &[1_i32; 4]).unwrap();
    refused(sgd(&step, &mut whole, &all(&g), Some(&mut v), None), "float32");
    refused(sgd(&step, &mut v, &all(&whole), Some(&mut p), None), "int32");
}

#[test]
fn steps_and_norms_of_doubles_are_the_processors() {
    let Some(device) = testing::wide() else { return };
    let near = |name: &str, buffer: &Buffer, want: &[f64]| {
        let got: Vec<f64> = buffer.download("test").wait().unwrap();
        let far = |(got, want): (&f64, &f64)| (got - want).abs() > 1e-14 * want.abs().max(1.0);
        assert!(got.len() == want.len() && !got.iter().zip(want).any(far), "{name}: {got:?}, not {want:?}");
    };
    let double =
        |stream, range| wide(&samples(stream, 37, range)).iter().map(|x| x * 1.000_000_001).collect::<Vec<_>>();
    let there = |x: &[f64]| Buffer::from_slice(device, "test", x).unwrap();
    let [p, g, m] = [1, 2, 3].map(|stream| double(stream, [-2.0, 2.0]));
    let [v, most] = [4, 5].map(|stream| double(stream, [1e-4, 4.0]));
    let step = SgdStep { lr: 0.1, momentum: 0.9, dampening: 0.2, weight_decay: 0.01, nesterov: true, first: false };
    let (mut want_p, mut want_v) = (p.clone(), m.clone());
    cpu::sgd(Isa::best(), step, &mut want_p, &g.iter().map(|g| g * 0.3).collect::<Vec<_>>(), &mut want_v);
    let (mut dp, mut dv) = (there(&p), there(&m));
    sgd(&step, &mut dp, &all(&there(&g)), Some(&mut dv), Some(&there(&[0.3]))).unwrap();
    near("parameter", &dp, &want_p);
    near("velocity", &dv, &want_v);

    let (beta1, beta2) = (0.9, 0.99);
    let step =
        AdamStep { lr: 0.01, beta1, beta2, eps: 1e-8, weight_decay: 0.1, decoupled: true, step: 3, amsgrad: true };
    let mut want = [p.clone(), m.clone(), v.clone(), most.clone()];
    let [want_p, want_m, want_v, want_most] = &mut want;
    let state = cpu::AdamState { mean: want_m, square: want_v, largest: want_most };
    cpu::adam(Isa::best(), step, want_p, &g, state);
    let [mut dp, mut dm, mut dv, mut dl] = [&p, &m, &v, &most].map(|x| there(x));
    let state = AdamState { mean: &mut dm, square: &mut dv, largest: Some(&mut dl) };
    adam(&step, &mut dp, &all(&there(&g)), state, None).unwrap();
    for (name, got, want) in [("p", &dp, &want[0]), ("m", &dm, &want[1]), ("v", &dv, &want[2]), ("l", &dl, &want[3])] {
        near(name, got, want);
    }

    let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
    let got = grad_norm(device, &[all(&there(&g))], 1.0).unwrap();
    near("norm", &got.norm, &[norm]);
    near("factor", &got.factor, &[1.0 / (norm + 1e-6)]);
    let single = upload(device, &[1.0; 3]);
    assert!(matches!(grad_norm(device, &[all(&there(&g)), all(&single)], 1.0), Err(Error::DType { .. })));
    assert!(matches!(
        adam(&step, &mut dp, &all(&single), AdamState { mean: &mut dm, square: &mut dv, largest: Some(&mut dl) }, None),
        Err(Error::DType { .. })
    ));
}
