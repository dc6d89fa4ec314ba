use trueno_core::math::Math;
use trueno_core::optim::{FLAGS, MAX_STATES, NUMBERS};
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

/// As many states as there are buffers, each moved by the one before it; what the formula gives depends on all it gets.
pub(crate) struct Chain;

impl Update for Chain {
    fn state(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn step(&self, _: u64, _: &mut [f64]) -> Step {
        Step { factor: -0.5, ..Step::new([false, true], [0.1, 0.9, 0.25]) }
    }

    #[inline(always)]
    fn update<M: Math>(
        flags: [bool; FLAGS],
        p: M,
        g: M,
        state: &mut [M],
        [lr, momentum, offset, ..]: [M; NUMBERS],
    ) -> M {
        let mut moved = g;
        for state in state {
            *state = *state * momentum + moved;
            moved = *state;
        }
        // The root of what may cancel to nothing would make much of its rounding.
        let moved = if flags[1] { (moved.abs() + offset).sqrt() / (g.abs() + offset) } else { moved };
        if flags[0] { p.max(moved * lr) } else { p - moved * lr }
    }
}

#[test]
fn steps_agree_with_the_processor() {
    let Some(device) = device() else { return };
    let base = Chain.step(1, &mut []);
    for flags in [[false, false], [false, true], [true, true]] {
        for (len, factor) in [(0, None), (1, None), (7, Some(0.5)), (5000, None), (4099, Some(0.5))] {
            for states in 0..=MAX_STATES {
                let [p, g] = [1, 2].map(|stream| samples(stream, len, [-2.0, 2.0]));
                let kept: Vec<Vec<f32>> = (3..).take(states).map(|s| samples(s, len, [-1.0, 1.0])).collect();
                let (mut want, mut want_kept) = (wide(&p), kept.iter().map(|kept| wide(kept)).collect::<Vec<_>>());
                let mut slices: Vec<&mut [f64]> = want_kept.iter_mut().map(Vec::as_mut_slice).collect();
                let step = Step { flags, ..base };
                let whole = Step { factor: step.factor * factor.unwrap_or(1.0), ..step };
                cpu::step::<f64, Chain>(Isa::best(), &whole, &mut want, &wide(&g), &mut slices);
                let (mut there, g) = (upload(device, &p), upload(device, &g));
                let mut there_kept: Vec<Buffer> = kept.iter().map(|kept| upload(device, kept)).collect();
                let mut buffers: Vec<&mut Buffer> = there_kept.iter_mut().collect();
                let factor = factor.map(|factor| upload(device, &[factor as f32]));
                super::step::<Chain>("chain", &step, &mut there, &all(&g), &mut buffers, factor.as_ref()).unwrap();
                assert_close("parameter", &values(&there), &want, 1e-6);
                for (kept, want) in there_kept.iter().zip(&want_kept) {
                    assert_close("state", &values(kept), want, 1e-6);
                }
            }
        }
    }
}

#[test]
fn gradients_may_be_views_of_half_precision() {
    let Some(device) = device() else { return };
    let step = Step { factor: 1.0, flags: [false; FLAGS], ..Step::new([], [0.5]) };
    let halves: Vec<bf16> = samples(1, 35, [-2.0, 2.0]).iter().map(|&x| bf16::from_f32(x)).collect();
    let layout = Layout::contiguous(&[5, 7]).permute("test", &[1, 0]).unwrap();
    let g = Buffer::from_slice(device, "test", &halves).unwrap();
    let mut p = upload(device, &[1.0; 35]);
    super::step::<Chain>("chain", &step, &mut p, &View::new("test", &g, &layout).unwrap(), &mut [], None).unwrap();
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
    let step = Chain.step(1, &mut []);
    let chain = |p: &mut Buffer, g: &Buffer, state: &mut [&mut Buffer], factor: Option<&Buffer>, part: &str| {
        let error = super::step::<Chain>("chain", &step, p, &all(g), state, factor).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let (mut p, g, mut v) = (upload(device, &[1.0; 3]), upload(device, &[1.0; 4]), upload(device, &[1.0; 4]));
    let mut whole = Buffer::from_slice(device, "test", &[1_i32; 4]).unwrap();
    chain(&mut p, &g, &mut [], None, "4 gradients do not fit");
    chain(&mut v, &g, &mut [&mut p], None, "4 gradients do not fit");
    chain(&mut v, &g, &mut [&mut whole], None, "float32");
    chain(&mut v, &whole, &mut [], None, "int32");
    chain(&mut v, &g, &mut [], Some(&p), "the factor is one float32");
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
    let [p, g, v] = [1, 2, 3].map(|stream| double(stream, [-2.0, 2.0]));
    let step = Chain.step(1, &mut []);
    let (mut want_p, mut want_v) = (p.clone(), v.clone());
    let whole = Step { factor: step.factor * 0.3, ..step };
    cpu::step::<f64, Chain>(Isa::best(), &whole, &mut want_p, &g, &mut [&mut want_v]);
    let (mut dp, mut dv) = (there(&p), there(&v));
    super::step::<Chain>("chain", &step, &mut dp, &all(&there(&g)), &mut [&mut dv], Some(&there(&[0.3]))).unwrap();
    near("parameter", &dp, &want_p);
    near("state", &dv, &want_v);

    let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
    let got = grad_norm(device, &[all(&there(&g))], 1.0).unwrap();
    near("norm", &got.norm, &[norm]);
    near("factor", &got.factor, &[1.0 / (norm + 1e-6)]);
    let single = upload(device, &[1.0; 3]);
    assert!(matches!(grad_norm(device, &[all(&there(&g)), all(&single)], 1.0), Err(Error::DType { .. })));
    let mixed = super::step::<Chain>("chain", &step, &mut dp, &all(&single), &mut [&mut dv], None);
    assert!(matches!(mixed, Err(Error::DType { .. })));
}
