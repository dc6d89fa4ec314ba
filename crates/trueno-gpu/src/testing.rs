//! What tests share: one device, and the way to say that there is none.

use std::sync::OnceLock;

use crate::{Device, Options, Selector};

/// The device that tests run on, or nothing on a machine without one. Where `TRUENO_DEVICE` names one, as in CI on a machine
/// that has a driver, it must be there; a machine without is counted as skipped by its gate.
pub(crate) fn device() -> Option<&'static Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE
        .get_or_init(|| {
            let selector = Selector::from_env().expect("TRUENO_DEVICE names a GPU");
            if Device::list().is_empty() && std::env::var_os(Selector::VARIABLE).is_none() {
                println!("no GPU: nothing is compared");
                return None;
            }
            Some(Device::open(&selector, &Options::default()).expect("a device that is listed opens"))
        })
        .as_ref()
}

/// A device of a test's own, so that its counters and its limit are its own.
pub(crate) fn own() -> Option<Device> {
    device()?;
    Some(Device::open(&Selector::from_env().unwrap(), &Options::default()).unwrap())
}

/// The shared device, if it computes in 64 bits.
pub(crate) fn wide() -> Option<&'static Device> {
    device().filter(|device| {
        let wide = device.capabilities().i64 && device.capabilities().f64;
        if !wide {
            println!("{} has no arithmetic of 64 bits: nothing is compared", device.info());
        }
        wide
    })
}

use trueno_core::{Layout, Philox, Result};

use crate::{Buffer, View};

/// Numbers of a row's domain, evenly at random.
pub(crate) fn samples(stream: u64, count: usize, [low, high]: [f64; 2]) -> Vec<f32> {
    let words = (0..count as u64).map(|i| Philox::new(11).stream(stream).block(i)[0]);
    words.map(|word| (low + (high - low) * f64::from(Philox::unit_f32(word))) as f32).collect()
}

/// Values at which formulas turn: zeros of both signs, infinities, NaN, the smallest normals, halves, large numbers.
pub(crate) const SPECIAL: [f32; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    0.5,
    -0.5,
    2.5,
    -3.5,
    88.0,
    -88.0,
    100.0,
    -200.0,
    1e6,
    2e38,
    -2e38,
];

/// Whether a value is the oracle's: NaN for NaN, the same infinity, and else within `tolerance`, relative to `max(|want|, 1)`.
/// What rounds to an infinity of `f32` may be that or the largest number.
pub(crate) fn is_close(got: f32, want: f64, tolerance: f64) -> bool {
    if want.is_nan() {
        return got.is_nan();
    }
    let single = want as f32;
    if single.is_infinite() || got.is_infinite() {
        return got == single || (got.abs() >= 3.4e38 && single.abs() >= 3.4e38 && got.signum() == single.signum());
    }
    (f64::from(got) - want).abs() <= tolerance * want.abs().max(1.0)
}

/// Panics with the first value that is not the oracle's.
pub(crate) fn assert_close(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        assert!(is_close(got, want, tolerance), "{name}: element {i} is {got:e}, not {want:e}");
    }
}

/// Uploads a slice.
pub(crate) fn upload(device: &Device, elements: &[f32]) -> Buffer {
    Buffer::from_slice(device, "test", elements).unwrap()
}

/// All of a buffer, in order.
pub(crate) fn all(buffer: &Buffer) -> View<'_> {
    View::contiguous("test", buffer, &[buffer.len()]).unwrap()
}

/// A buffer under a shape.
pub(crate) fn shaped<'a>(buffer: &'a Buffer, shape: &[usize]) -> View<'a> {
    View::contiguous("test", buffer, shape).unwrap()
}

/// Reads a result back.
pub(crate) fn read(result: Result<Buffer>) -> Vec<f32> {
    result.unwrap().download("test").wait().unwrap()
}

/// The elements of a layout in row-major order.
pub(crate) fn gather<T: Copy>(elements: &[T], layout: &Layout) -> Vec<T> {
    let walk = trueno_core::Collapsed::new([layout]);
    let [stride] = walk.inner_strides();
    if layout.size() == 0 {
        return Vec::new();
    }
    let at = |start: usize, i: usize| (start as isize + i as isize * stride) as usize;
    walk.runs(0).flat_map(|[start]| (0..walk.inner()).map(move |i| elements[at(start, i)])).collect()
}
