//! Programs on a GPU: what moves, what is made, what fails, and that the same program gives what it gives on the processor.
//!
//! They run on any adapter, software too. On a machine without one the gate that looks for devices counts it as skipped.
#![cfg(all(feature = "gpu", feature = "mnist-subset"))]

use trueno::data::mnist;
use trueno::nn::{Gru, Lstm};
use trueno::prelude::*;
use trueno_gpu::{Device as Gpu, Options, Selector, Stats};

/// A device of the test's own, so that its counters are its own. Where `TRUENO_DEVICE` names one it must be there.
fn open() -> Option<(Device, Gpu)> {
    if Gpu::list().is_empty() && std::env::var_os(Device::VARIABLE).is_none() {
        println!("no GPU: nothing is compared");
        return None;
    }
    let gpu = Gpu::open(&Selector::from_env().unwrap(), &Options::default()).expect("a device that is listed opens");
    Some((Device::from(gpu.clone()), gpu))
}

#[derive(Module)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm2d,
    dropout: Dropout,
    hidden: Linear,
    layer_norm: LayerNorm,
    head: Linear,
}

impl Net {
    fn new() -> Net {
        let rng = &mut Rng::seed(3);
        Net {
            conv: Conv2d::with_config(1, 4, 5, Conv2dConfig { stride: [2, 2], bias: false, ..default() }, rng),
            norm: BatchNorm2d::new(4),
            dropout: Dropout::new(0.25, rng),
            hidden: Linear::new(4 * 6 * 6, 32, rng),
            layer_norm: LayerNorm::new([32]),
            head: Linear::new(32, 10, rng),
        }
    }

    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.norm.forward(&self.conv.forward(images, mode), mode).relu();
        let x = Flatten.forward(&MaxPool2d::new(2).forward(&x, mode), mode);
        let x = self.layer_norm.forward(&self.hidden.forward(&x, mode), mode).gelu();
        self.head.forward(&self.dropout.forward(&x, mode), mode)
    }
}

/// Losses of some steps on a device, with what the device did after each.
fn train(device: &Device, steps: usize, mut after: impl FnMut()) -> (Vec<f32>, Net) {
    let images = mnist::subset().0.subset(0..32 * steps).unwrap();
    let loader = DataLoader::new(images, DataLoaderConfig { batch_size: 32, ..default() }).unwrap();
    let mut net = Net::new().to(device);
    let mut optimizer = AdamW::new(&net, AdamWConfig { lr: 2e-3, ..default() });
    let mut losses = Vec::new();
    for (images, labels) in loader.epoch(0) {
        let (images, labels) = (images.to(device).unwrap(), labels.to(device).unwrap());
        let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
        optimizer.step(&mut net, &loss.backward());
        losses.push(loss.item());
        after();
    }
    (losses, net)
}

#[test]
fn training_gives_what_it_gives_on_the_processor_and_the_same_bits_twice() {
    let Some((device, _)) = open() else { return };
    let (there, net) = train(&device, 12, || {});
    let (here, _) = train(&Device::Cpu, 12, || {});
    for (step, (there, here)) in there.iter().zip(&here).enumerate() {
        assert!((there - here).abs() <= 1e-4 * here.abs(), "step {step}: {there}, the processor has {here}");
    }
    assert!(net.named_parameters().iter().all(|(_, value)| value.device() == device));
    let (again, _) = train(&device, 12, || {});
    assert_eq!(there, again);
}

#[test]
fn a_step_in_steady_state_makes_nothing_and_moves_the_batch_and_the_loss() {
    let Some((device, gpu)) = open() else { return };
    let mut steps: Vec<Stats> = Vec::new();
    train(&device, 8, || steps.push(gpu.stats()));
    for pair in steps[3..].windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        assert_eq!(after.pipelines, before.pipelines);
        assert_eq!(after.buffers, before.buffers);
        assert_eq!(after.pool_bytes, before.pool_bytes);
        assert_eq!(after.uploads - before.uploads, 2, "images and labels");
        assert_eq!(after.downloads - before.downloads, 1, "the loss");
        assert_eq!(after.downloaded_bytes - before.downloaded_bytes, 4);
    }
}

#[test]
fn layers_that_are_composed_give_what_they_give_on_the_processor() {
    let Some((device, _)) = open() else { return };
    #[derive(Module)]
    struct Net {
        norm: GroupNorm,
        lstm: Lstm,
        gru: Gru,
    }
    let run = |device: &Device| {
        let rng = &mut Rng::seed(3);
        let net = Net { norm: GroupNorm::new(3, 6), lstm: Lstm::new(6, 9, rng), gru: Gru::new(9, 5, rng) }.to(device);
        let x = Tensor::<f32, 3>::randn([4, 6, 7], rng).to(device).unwrap().requires_grad();
        let steps = net.norm.forward(&x, Mode::Train).permute([2, 0, 1]);
        let (y, (_, cells)) = net.lstm.forward(&steps, Mode::Train);
        let loss = net.gru.forward(&y, Mode::Train).0.square().sum() + cells.square().sum();
        loss.backward();
        let tensors = net.parameters().into_iter().chain([x.as_dyn().clone()]);
        let grads = tensors.map(|x| x.grad().unwrap().to_vec::<f32>().unwrap()).collect::<Vec<_>>();
        (loss.item(), grads)
    };
    let (there, here) = (run(&device), run(&Device::Cpu));
    assert!((there.0 - here.0).abs() <= 1e-4 * here.0.abs(), "{} {}", there.0, here.0);
    for (there, here) in there.1.iter().zip(&here.1) {
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs().max(1.0);
        assert!(there.iter().zip(here).all(close), "{there:?} {here:?}");
    }
}

#[test]
fn chained_operations_move_their_operand_and_their_result() {
    let Some((device, gpu)) = open() else { return };
    let x = Tensor::<f32, 2>::randn([64, 64], &mut Rng::seed(1));
    let chain = |x: &Tensor<f32, 2>| {
        let centred = x - x.mean_axis(1).unsqueeze(1);
        let scores = (centred.matmul(&centred.t()) * 0.125).softmax(1);
        fuse!(|a, b| (a * b + 0.5).relu()).call(&scores, x).slice(i![::-1, 1:]).sum_axis(0)
    };
    let before = gpu.stats();
    let got = chain(&x.to(&device).unwrap()).to_vec();
    let after = gpu.stats();
    assert_eq!((after.uploads - before.uploads, after.downloads - before.downloads), (1, 1));
    for (got, want) in got.into_iter().zip(chain(&x).to_vec()) {
        assert!((got - want).abs() <= 1e-4, "{got}, the processor has {want}");
    }
}

#[test]
fn gradients_flow_back_to_the_device_that_a_value_came_from() {
    let Some((device, _)) = open() else { return };
    let x = tensor![1.0, 2.0, 3.0].requires_grad();
    let there = x.to(&device).unwrap();
    (&there * &there).sum().backward();
    let gradient = x.grad().unwrap();
    assert_eq!((gradient.device(), gradient.to_vec()), (Device::Cpu, vec![2.0, 4.0, 6.0]));
}

#[test]
fn operands_of_two_devices_are_an_error_that_says_what_to_do() {
    let Some((device, _)) = open() else { return };
    let (there, here) = (tensor![1.0, 2.0].to(&device).unwrap(), tensor![1.0, 2.0]);
    let error = there.try_add(&here).unwrap_err().to_string();
    assert!(error.contains("processor") && error.contains("to(&device)"), "{error}");
    // Memory that is given away on one side does not make the processor look for values on the other.
    let error = fuse!(|a, b| a + b).try_call(tensor![1.0, 2.0], &there).unwrap_err().to_string();
    assert!(error.contains("processor") && error.contains("to(&device)"), "{error}");
    assert_eq!((tensor![0.5] + tensor![1.0].to(&device).unwrap()).to_vec(), [1.5]);
    // Values of one element go along, those too that `f64` does not hold.
    assert_eq!((&there + &tensor![0.5]).to_vec(), [1.5, 2.5]);
    let (large, numbers) = ((1_i64 << 60) + 1, tensor![(1_i64 << 60) + 1, 1 << 60].to(&device).unwrap());
    assert_eq!(numbers.eq(&tensor![large]).to_vec(), [true, false]);
}

#[test]
fn a_full_device_is_an_error_of_the_operation_and_the_next_one_works() {
    let Some((device, gpu)) = open() else { return };
    let x = Tensor::<f32, 2>::ones([64, 64]).to(&device).unwrap();
    gpu.synchronize().unwrap();
    gpu.trim();
    gpu.set_memory_limit(gpu.stats().pool_bytes);
    for error in [x.try_matmul(&x).unwrap_err(), x.try_add(&x).unwrap_err(), x.try_sum_axis(0).unwrap_err()] {
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    gpu.set_memory_limit(u64::MAX);
    assert_eq!(x.matmul(&x).sum().item(), 64.0 * 64.0 * 64.0);
}

#[test]
fn a_tensor_beyond_what_shaders_see_is_refused_before_any_work() {
    let Some((device, gpu)) = open() else { return };
    let before = gpu.stats().pool_bytes;
    let len = gpu.capabilities().binding_bytes as usize / 4 + 1;
    // On a large card that is more than the machine may have; one value seen so often is as long, and takes no memory.
    let error = tensor![1.0].broadcast_to([len]).try_add(&tensor![1.0].to(&device).unwrap()).unwrap_err();
    assert!(error.to_string().contains("add"), "{error}");
    assert!(gpu.stats().pool_bytes - before < 1 << 20, "room for the result was made");
    assert_eq!((tensor![1.0].to(&device).unwrap() + 1.0).to_vec(), [2.0]);
}

#[test]
fn several_devices_hold_values_of_one_program() {
    let (Some((first, _)), Some((second, _))) = (open(), open()) else { return };
    let x = tensor![1.0, 2.0].to(&first).unwrap().requires_grad();
    let y = (&x * 2.0).to(&second).unwrap();
    assert_eq!((y.device(), y.to_vec()), (second.clone(), vec![2.0, 4.0]));
    (&y * &y).sum().backward();
    let gradient = x.grad().unwrap();
    assert_eq!((gradient.device(), gradient.to_vec()), (first, vec![8.0, 16.0]));
    let error = x.try_mul(&y).unwrap_err().to_string();
    assert!(error.contains("to(&device)"), "{error}");
}

#[test]
fn a_label_that_is_no_class_is_told_when_something_is_read() {
    let Some((device, _)) = open() else { return };
    let logits = Tensor::<f32, 2>::zeros([2, 3]).to(&device).unwrap();
    let loss = cross_entropy(&logits, &tensor![0_i64, 3].to(&device).unwrap());
    let error = loss.try_item().unwrap_err();
    assert!(matches!(error, Error::Index { op: "cross_entropy", index: 3, size: 3, .. }), "{error}");
    assert_eq!(tensor![1.0].to(&device).unwrap().to_vec(), [1.0], "and the next reading works");
}

#[test]
fn checkpoints_go_from_device_to_device() {
    let Some((device, _)) = open() else { return };
    let (_, net) = train(&device, 2, || {});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    net.state_dict().save_safetensors(&path).unwrap();
    let mut here = Net::new();
    here.load_state_dict(&StateDict::load_safetensors(&path).unwrap(), true).unwrap();
    for ((name, here), (_, there)) in here.named_parameters().into_iter().zip(net.named_parameters()) {
        assert_eq!(here.device(), Device::Cpu);
        assert_eq!(here.to_vec::<f32>().unwrap(), there.to_vec::<f32>().unwrap(), "{name}");
    }
}

#[test]
fn what_can_be_awaited_needs_no_thread_that_waits() {
    let Some((device, _)) = open() else { return };
    let x = tensor![[1.0, 2.0], [3.0, 4.0]].to(&device).unwrap();
    let transposed = x.t();
    let mut reading = std::pin::pin!(transposed.to_vec_async());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let elements = loop {
        if let std::task::Poll::Ready(elements) = reading.as_mut().poll(&mut context) {
            break elements.unwrap();
        }
    };
    assert_eq!(elements, [1.0, 3.0, 2.0, 4.0]);
}

/// Losses of some steps with autocast and a scaler. Whatever it is called, every value is kept in what it should be.
fn train_narrow(device: &Device, half: DType, steps: usize, mut after: impl FnMut()) -> Vec<f32> {
    let images = mnist::subset().0.subset(0..32 * steps).unwrap();
    let loader = DataLoader::new(images, DataLoaderConfig { batch_size: 32, ..default() }).unwrap();
    let mut net = Net::new().to(device);
    let mut optimizer = AdamW::new(&net, AdamWConfig { lr: 2e-3, ..default() });
    let mut scaler = GradScaler::default();
    let mut losses = Vec::new();
    for (images, labels) in loader.epoch(0) {
        let (images, labels) = (images.to(device).unwrap(), labels.to(device).unwrap());
        let (logits, loss) = autocast(half, || {
            let logits = net.forward(&images, Mode::Train);
            let loss = cross_entropy(&logits, &labels);
            (logits, loss)
        });
        assert_eq!((logits.storage_dtype(), loss.storage_dtype()), (half, DType::F32));
        let gradients = scaler.scale(&loss).backward();
        for gradient in gradients.iter() {
            assert_eq!((gradient.dtype(), gradient.storage_dtype()), (DType::F32, DType::F32));
        }
        assert_eq!(gradients.len(), net.parameters().len());
        assert!(scaler.step(&mut optimizer, &mut net, &gradients).unwrap(), "all gradients are finite");
        scaler.update().unwrap();
        losses.push(loss.item());
        after();
    }
    assert!(net.parameters().iter().all(|p| p.storage_dtype() == DType::F32));
    losses
}

#[test]
fn autocast_trains_as_on_the_processor() {
    let Some((device, gpu)) = open() else { return };
    for (half, tolerance) in [(DType::F16, 4e-3), (DType::BF16, 3e-2)] {
        let (whole, _) = train(&Device::Cpu, 6, || {});
        let host = train_narrow(&Device::Cpu, half, 6, || {});
        let mut stats = Vec::new();
        let there = train_narrow(&device, half, 6, || stats.push(gpu.stats()));
        for (step, ((host, there), whole)) in host.iter().zip(&there).zip(&whole).enumerate() {
            assert!((host - there).abs() <= tolerance * host, "{half}, step {step}: {host} and {there}");
            assert!(
                (host - whole).abs() <= 10.0 * tolerance * whole,
                "{half}, step {step}: {host}, and {whole} in f32"
            );
        }
        assert_ne!(host, whole, "{half}: nothing was rounded");
        assert_eq!(there, train_narrow(&device, half, 6, || {}), "the same bits, twice");
        let made = |stats: &Stats| [stats.pipelines, stats.buffers];
        assert_eq!(made(&stats[5]), made(&stats[3]), "{half}: a program in steady state creates nothing");
    }
}
