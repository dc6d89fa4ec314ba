use std::sync::mpsc::{Sender, channel};
use std::thread::available_parallelism;
use std::time::Duration;

use trueno_core::table::{BinaryOp, UnaryOp};

use super::compile::Job;
use super::*;
use crate::testing::{all, own, upload};
use crate::{Buffer, elementwise};

/// Has every thread that compiles wait at a kernel, until what this gives beside that is dropped.
fn occupy(device: &Device) -> Vec<(Arc<Pipeline>, Sender<()>)> {
    let occupied = available_parallelism().map_or(1, usize::from);
    let hold = |_| {
        let (release, held) = channel::<()>();
        let work = move || {
            _ = held.recv();
            Err("it never was one".into())
        };
        let pipeline = device.shared.pipelines.placeholder(&device.shared.raw);
        device.shared.pipelines.compiler.start(Job { pipeline: Arc::clone(&pipeline), work: Box::new(work) });
        (pipeline, release)
    };
    (0..occupied).map(hold).collect()
}

/// Four kernels, one of them twice, and memory that is used again.
fn chain(x: &Buffer) -> Buffer {
    let double = |x: &Buffer| elementwise::binary(BinaryOp::Add, &all(x), &all(x)).unwrap();
    let x = double(&elementwise::unary(UnaryOp::Neg, [0.0; 2], &all(x)).unwrap());
    let x = elementwise::binary(BinaryOp::Mul, &all(&x), &all(&x)).unwrap();
    elementwise::unary(UnaryOp::Sqrt, [0.0; 2], &all(&double(&x))).unwrap()
}

#[test]
fn recording_goes_on_while_kernels_are_compiled_and_keeps_its_order() {
    let Some(device) = own() else { return };
    let held = occupy(&device);
    let before = device.stats();
    let results: Vec<Buffer> = (1..100).map(|i| chain(&upload(&device, &[i as f32; 64]))).collect();
    let recorded = device.stats();
    assert_eq!(recorded.dispatches - before.dispatches, 99 * 5);
    assert_eq!(recorded.submissions, before.submissions, "nothing can have run");
    assert_eq!(recorded.compiling as usize, held.len() + 4);
    let occupied: Vec<Arc<Pipeline>> = held.into_iter().map(|(pipeline, _)| pipeline).collect();
    for (i, result) in (1..).zip(&results) {
        let want = (8.0 * (i * i) as f32).sqrt();
        assert_eq!(result.download::<f32>("test").wait().unwrap(), [want; 64]);
    }
    // Nothing that was read needed these.
    occupied.iter().for_each(|pipeline| device.shared.pipelines.compiler.wait(pipeline));
    assert_eq!(device.stats().compiling, 0);
}

#[test]
fn more_is_not_recorded_than_may_wait() {
    let Some(device) = own() else { return };
    let x = upload(&device, &[1.0; 4]);
    let held = occupy(&device);
    let recording = std::thread::scope(|scope| {
        let work = scope.spawn(|| (0..MOST_WAITING).for_each(|_| _ = chain(&x)));
        std::thread::sleep(Duration::from_millis(50));
        while device.stats().dispatches < MOST_WAITING as u64 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let recording = !work.is_finished();
        drop(held);
        recording
    });
    assert!(recording, "it waits");
    assert_eq!(chain(&x).download::<f32>("test").wait().unwrap(), [8.0_f32.sqrt(); 4]);
}

#[test]
fn a_compiler_that_panics_ends_no_thread_and_nobody_waits_for_it() {
    let Some(device) = own() else { return };
    let pipelines = &device.shared.pipelines;
    for _ in 0..100 {
        let pipeline = pipelines.placeholder(&device.shared.raw);
        let work = Box::new(|| std::panic::resume_unwind(Box::new("a driver's bug")));
        pipelines.compiler.start(Job { pipeline: Arc::clone(&pipeline), work });
        pipelines.compiler.wait(&pipeline);
        assert!(matches!(pipeline.compiled(), Some(Err(_))));
    }
    let x = upload(&device, &[1.0; 4]);
    assert_eq!(chain(&x).download::<f32>("test").wait().unwrap(), [8.0_f32.sqrt(); 4]);
}

#[test]
fn a_shader_that_is_refused_while_its_dispatch_waits_is_one_error_of_the_reading() {
    let Some(device) = own() else { return };
    let out = Buffer::new(&device, "test", trueno_core::DType::F32, 4).unwrap();
    let held = occupy(&device);
    let (program, writes) = (Program::Text("fn main( {"), &[&out][..]);
    let launch = Launch { op: "broken", program, reads: &[], writes, immediates: [0; 32], groups: [1, 1, 1] };
    launch.record(&device).unwrap();
    let x = upload(&device, &[1.0; 4]);
    let result = chain(&x);
    drop(held);
    let error = result.download::<f32>("test").wait().unwrap_err();
    assert!(error.to_string().contains("refuses the shader of `broken`"), "{error}");
    assert_eq!(chain(&x).download::<f32>("test").wait().unwrap(), [8.0_f32.sqrt(); 4]);
}

#[test]
fn a_device_that_goes_gives_up_what_was_not_begun() {
    let Some(device) = own() else { return };
    let held = occupy(&device);
    let x = upload(&device, &[1.0; 4]);
    let result = chain(&x);
    let pipelines = device.stats().pipelines;
    drop((x, result));
    let ended = std::thread::spawn(move || drop(device));
    drop(held);
    ended.join().unwrap();
    assert_eq!(pipelines, 4);
}
