//! A run that is killed and resumed ends with the same bits as one that was left alone, on any number of threads.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use trueno::data::mnist;
use trueno::prelude::*;
use trueno::tensor::with_num_threads;

/// Set for the process that trains until it is killed: the folder for its checkpoint.
const CHILD: &str = "TRUENO_TEST_TRAIN_INTO";
const EPOCHS: u64 = 2;

#[derive(Module)]
struct Net {
    conv: Conv2d,
    norm: BatchNorm2d,
    dropout: Dropout,
    head: Linear,
}

impl Net {
    fn new() -> Net {
        let rng = &mut Rng::seed(3);
        Net {
            conv: Conv2d::with_config(1, 4, 5, Conv2dConfig { stride: [2, 2], ..default() }, rng),
            norm: BatchNorm2d::new(4),
            dropout: Dropout::new(0.25, rng),
            head: Linear::new(4 * 12 * 12, 10, rng),
        }
    }

    fn forward(&self, images: &Tensor<f32, 4>, mode: Mode) -> Tensor<f32, 2> {
        let x = self.norm.forward(&self.conv.forward(images, mode), mode).relu();
        self.head.forward(&self.dropout.forward(&Flatten.forward(&x, mode), mode), mode)
    }
}

/// Trains from where `checkpoint` is, or from the start, saving after every batch if `save`.
fn train(checkpoint: Option<&Path>, save: Option<&Path>) -> Vec<(String, Vec<u8>)> {
    let images = mnist::subset().0.subset(0..320).unwrap();
    let config = DataLoaderConfig { batch_size: 32, shuffle: true, seed: 5, ..default() };
    let loader = DataLoader::new(images, config).unwrap();
    let mut net = Net::new();
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    let (mut first, mut done) = (0, 0);
    if let Some(path) = checkpoint {
        let words = load(&mut net, &mut optimizer, path).unwrap();
        (first, done) = (words["epoch"].parse().unwrap(), words["batches"].parse().unwrap());
    }
    for epoch in first..EPOCHS {
        for (images, labels) in loader.epoch(epoch).skip_to(done) {
            let loss = cross_entropy(&net.forward(&images, Mode::Train), &labels);
            optimizer.step(&mut net, &loss.backward());
            done += 1;
            if let Some(path) = save {
                let words = [("epoch", epoch.to_string()), ("batches", done.to_string())];
                save_with(&net, &optimizer, &words, path).unwrap();
            }
        }
        done = 0;
    }
    let tensors = net.state_dict();
    tensors.iter().map(|(name, value)| (name.to_owned(), format!("{:?}", bits(value)).into_bytes())).collect()
}

fn bits(value: &trueno::tensor::DynTensor) -> Vec<u64> {
    let wide = value.cast(DType::F64).unwrap();
    wide.to_vec::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
}

/// Not a test of its own: the process that [`a_killed_run_resumes_bit_for_bit`] starts and kills.
#[test]
fn child() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let path = PathBuf::from(folder).join("last.safetensors");
        train(path.exists().then_some(path.as_path()), Some(&path));
    }
}

#[test]
fn a_killed_run_resumes_bit_for_bit() {
    let undisturbed = train(None, None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let start = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child"]).env(CHILD, folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        child.spawn().unwrap()
    };
    let mut kills = 0;
    for wait in [0, 3, 11, 27] {
        let mut child = start();
        let began = Instant::now();
        // A while after the first checkpoint exists; wherever that is, the file must be whole.
        while !path.exists() && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let mut net = Net::new();
        let mut optimizer = AdamW::new(&net, AdamWConfig::default());
        load(&mut net, &mut optimizer, &path).unwrap();
    }
    assert!(kills > 0, "every child had finished before it was killed");
    assert_eq!(train(Some(&path), None), undisturbed);
}

#[test]
fn threads_do_not_change_a_bit() {
    let one = with_num_threads(1, || train(None, None));
    for threads in [2, 7] {
        assert_eq!(with_num_threads(threads, || train(None, None)), one, "{threads} threads");
    }
}

#[test]
fn a_checkpoint_of_another_network_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let other: Linear = Linear::new(3, 2, &mut Rng::seed(0));
    save(&other, &AdamW::new(&other, AdamWConfig::default()), &path).unwrap();
    let mut net = Net::new();
    let mut optimizer = AdamW::new(&net, AdamWConfig::default());
    let before: Vec<Vec<u64>> = net.parameters().iter().map(bits).collect();
    let error = load(&mut net, &mut optimizer, &path).unwrap_err();
    assert!(error.to_string().contains("conv.weight"), "{error}");
    assert_eq!(net.parameters().iter().map(bits).collect::<Vec<_>>(), before);
}
