use trueno_core::table::{BinaryOp, UnaryOp};
use trueno_core::{DType, Error};

use crate::record::{Launch, Program};
use crate::testing::{all, own, upload};
use crate::{Buffer, elementwise};

fn double(x: &Buffer) -> Buffer {
    elementwise::binary(BinaryOp::Add, &all(x), &all(x)).unwrap()
}

#[test]
fn chained_operations_move_nothing_and_steady_state_creates_nothing() {
    let Some(device) = own() else { return };
    let input = vec![1.0_f32; 1000];
    let step = || {
        let mut x = upload(&device, &input);
        for _ in 0..10 {
            x = double(&x);
        }
        x.download::<f32>("test").wait().unwrap()[0]
    };
    assert_eq!(step(), 1024.0);
    assert_eq!(step(), 1024.0);
    let before = device.stats();
    assert_eq!(step(), 1024.0);
    let after = device.stats();
    assert_eq!(after.uploads - before.uploads, 1);
    assert_eq!(after.downloads - before.downloads, 1);
    assert_eq!(after.downloaded_bytes - before.downloaded_bytes, 4000);
    assert_eq!(after.dispatches - before.dispatches, 10);
    assert_eq!(after.submissions - before.submissions, 1);
    assert_eq!((after.buffers, after.pipelines), (before.buffers, before.pipelines));
    assert_eq!((after.bind_groups, after.pool_bytes), (before.bind_groups, before.pool_bytes));
    assert_eq!(after.used_bytes, 0);
}

#[test]
fn uploads_are_ordered_after_what_uses_the_memory() {
    let Some(device) = own() else { return };
    let results: Vec<Buffer> = (0..50).map(|i| double(&upload(&device, &[i as f32; 100]))).collect();
    for (i, result) in results.iter().enumerate() {
        assert_eq!(result.download::<f32>("test").wait().unwrap(), vec![2.0 * i as f32; 100]);
    }
}

#[test]
fn large_values_pass_in_pieces() {
    let Some(device) = own() else { return };
    let input: Vec<u32> = (0..(5 << 20) + 3).collect();
    let buffer = Buffer::from_slice(&device, "test", &input).unwrap();
    assert_eq!(buffer.download::<u32>("test").wait().unwrap(), input);
    assert_eq!(pollster::block_on(buffer.download::<u32>("test")).unwrap(), input);
    let mut again = vec![0; input.len()];
    buffer.download("test").wait_into(&mut again).unwrap();
    assert_eq!(again, input);
    assert!(matches!(buffer.download("test").wait_into(&mut again[1..]), Err(Error::Argument { .. })));
    assert!(matches!(buffer.download::<f32>("test").wait(), Err(Error::DType { .. })));
    let bytes: Vec<bool> = (0..7).map(|i| i % 3 == 0).collect();
    assert_eq!(Buffer::from_slice(&device, "test", &bytes).unwrap().download::<bool>("test").wait().unwrap(), bytes);
    let nothing = Buffer::from_slice::<f32>(&device, "test", &[]).unwrap();
    assert!(nothing.is_empty() && nothing.download::<f32>("test").wait().unwrap().is_empty());
}

#[test]
fn a_low_limit_is_out_of_memory_and_the_next_operation_works() {
    let Some(device) = own() else { return };
    let x = upload(&device, &[1.0; 1000]);
    device.set_memory_limit(device.stats().pool_bytes + 1000);
    let error = Buffer::new(&device, "zeros", DType::F32, 1000).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { op: "zeros", bytes: 4000 }), "{error}");
    assert!(elementwise::unary(UnaryOp::Neg, [0.0; 2], &all(&x)).is_err());
    device.set_memory_limit(u64::MAX);
    assert_eq!(double(&x).download::<f32>("test").wait().unwrap(), vec![2.0; 1000]);
    device.trim();
    assert_eq!(device.stats().pool_bytes, device.stats().used_bytes);
}

#[test]
fn free_memory_makes_room_for_another_size() {
    let Some(device) = own() else { return };
    device.set_memory_limit(1 << 20);
    for len in [200_000, 100_000, 150_000, 250_000] {
        drop(Buffer::new(&device, "test", DType::F32, len).unwrap());
    }
    assert!(device.stats().pool_bytes <= 1 << 20);
}

#[test]
fn a_value_beyond_what_shaders_see_is_refused_before_any_work() {
    let Some(device) = own() else { return };
    let len = device.capabilities().binding_bytes as usize / 4 + 1;
    let error = Buffer::new(&device, "zeros", DType::F32, len).unwrap_err();
    assert!(error.to_string().contains("split the value"), "{error}");
    assert!(matches!(Buffer::new(&device, "zeros", DType::F32, usize::MAX), Err(Error::OutOfMemory { .. })));
}

#[test]
fn an_invalid_shader_is_an_error_and_the_next_operation_works() {
    let Some(device) = own() else { return };
    let out = Buffer::new(&device, "test", DType::F32, 4).unwrap();
    let bad = [
        "fn main( {",
        "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }",
        "@group(0) @binding(9) var<storage, read_write> b: array<u32>; @compute @workgroup_size(1) fn main() { b[0] = 1u; }",
    ];
    for text in bad {
        let launch = || {
            let (program, writes) = (Program::Text(text), &[&out][..]);
            Launch { op: "broken", program, reads: &[], writes, immediates: [0; 32], groups: [1, 1, 1] }.record(&device)
        };
        let told = launch().and_then(|()| out.download::<f32>("test").wait()).unwrap_err();
        assert!(told.to_string().contains("refuses the shader of `broken`"), "{told}");
        let again = launch().unwrap_err();
        assert!(matches!(again, Error::Device { op: "broken", .. }), "{again}");
    }
    let x = upload(&device, &[3.0; 4]);
    assert_eq!(double(&x).download::<f32>("test").wait().unwrap(), [6.0; 4]);
}

#[test]
fn a_lost_device_is_an_error_and_another_works() {
    let Some(lost) = own() else { return };
    let x = upload(&lost, &[1.0; 4]);
    let recorded = double(&x);
    lost.destroy();
    let error = recorded.download::<f32>("test").wait().unwrap_err();
    assert!(error.to_string().contains("lost"), "{error}");
    assert!(elementwise::binary(BinaryOp::Add, &all(&x), &all(&x)).is_err());
    assert!(lost.synchronize().is_err());
    let Some(healthy) = own() else { return };
    let x = upload(&healthy, &[1.0; 4]);
    assert_eq!(double(&x).download::<f32>("test").wait().unwrap(), [2.0; 4]);
}

#[test]
fn operands_of_two_devices_are_refused() {
    let (Some(one), Some(two)) = (own(), own()) else { return };
    let (a, b) = (upload(&one, &[1.0; 4]), upload(&two, &[1.0; 4]));
    let error = elementwise::binary(BinaryOp::Add, &all(&a), &all(&b)).unwrap_err();
    assert!(error.to_string().contains("another device"), "{error}");
}
