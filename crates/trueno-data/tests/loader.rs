//! The loader: what a batch holds depends on the seed, the epoch and its number, and on nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use trueno_core::{Error, Result};
use trueno_data::{
    DataLoader, DataLoaderConfig, Dataset, ImageSet, RandomCrop, RandomHorizontalFlip, SampleRng, Stacked, TryCollate,
};

type Batch = Vec<(usize, u32)>;

/// Gives each index with a number drawn for it, and counts how often it is asked.
#[derive(Clone)]
struct Numbers {
    len: usize,
    drawn: Arc<AtomicUsize>,
}

impl Numbers {
    fn new(len: usize) -> Self {
        Numbers { len, drawn: Arc::default() }
    }
}

impl Dataset for Numbers {
    type Item = (usize, u32);

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> (usize, u32) {
        (index, 0)
    }

    fn draw(&self, index: usize, rng: &mut SampleRng) -> (usize, u32) {
        self.drawn.fetch_add(1, Ordering::SeqCst);
        (index, rng.next_u32())
    }
}

fn loader(len: usize, config: DataLoaderConfig) -> DataLoader<Numbers, impl Fn(Vec<(usize, u32)>) -> Batch> {
    DataLoader::with_collate(Numbers::new(len), |items: Vec<(usize, u32)>| items, config).unwrap()
}

fn indices(batches: &[Batch]) -> Vec<usize> {
    batches.iter().flatten().map(|&(index, _)| index).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..Default::default() })]
    #[test]
    fn workers_prefetch_and_resuming_change_nothing(
        len in 0usize..40, batch_size in 1usize..9, workers in 1usize..5, prefetch in 0usize..3,
        shuffle: bool, drop_last: bool, seed: u64, epoch: u64, skip in 0usize..45,
    ) {
        let plain = DataLoaderConfig { batch_size, shuffle, seed, drop_last, ..Default::default() };
        let expected: Vec<Batch> = loader(len, plain).epoch(epoch).collect();
        let threaded = loader(len, DataLoaderConfig { workers, prefetch, ..plain });
        prop_assert_eq!(&threaded.epoch(epoch).collect::<Vec<_>>(), &expected);

        let resumed = threaded.epoch(epoch).skip_to(skip);
        let rest = &expected[skip.min(expected.len())..];
        prop_assert_eq!(resumed.len(), rest.len());
        prop_assert_eq!(resumed.collect::<Vec<_>>(), rest);

        prop_assert_eq!(expected.len(), threaded.len());
        let mut visited = indices(&expected);
        visited.sort_unstable();
        visited.dedup();
        prop_assert_eq!(visited.len(), if drop_last { len / batch_size * batch_size } else { len });
    }
}

#[test]
fn order_and_changes_are_new_in_every_epoch() {
    let config = DataLoaderConfig { batch_size: 10, shuffle: true, seed: 5, ..Default::default() };
    let epochs: Vec<Vec<Batch>> = (0..3).map(|epoch| loader(100, config).epoch(epoch).collect()).collect();
    assert_ne!(indices(&epochs[0]), indices(&epochs[1]));
    assert_ne!(indices(&epochs[1]), indices(&epochs[2]));
    let number_of_17 = |batches: &[Batch]| batches.iter().flatten().find(|item| item.0 == 17).unwrap().1;
    assert_ne!(number_of_17(&epochs[0]), number_of_17(&epochs[1]));
    let other_seed = loader(100, DataLoaderConfig { seed: 6, ..config });
    assert_ne!(indices(&other_seed.epoch(0).collect::<Vec<_>>()), indices(&epochs[0]));
}

#[test]
fn without_shuffling_the_order_is_that_of_the_set() {
    let config = DataLoaderConfig { batch_size: 3, ..Default::default() };
    assert_eq!(indices(&loader(7, config).epoch(9).collect::<Vec<_>>()), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn skipping_in_the_middle_continues_from_there() {
    let config = DataLoaderConfig { batch_size: 1, workers: 2, ..Default::default() };
    let loader = loader(20, config);
    let mut epoch = loader.epoch(3);
    epoch.next();
    assert_eq!((epoch.number(), epoch.position(), epoch.len()), (3, 1, 19));
    let mut epoch = epoch.skip_to(15);
    assert_eq!(epoch.next().unwrap()[0].0, 15);
    assert_eq!(epoch.position(), 16);
}

/// Each worker holds at most `prefetch` batches in its channel and one in its hands.
#[test]
fn workers_do_not_run_ahead_further_than_allowed() {
    let config = DataLoaderConfig { batch_size: 1, workers: 2, prefetch: 3, ..Default::default() };
    let loader = loader(1000, config);
    let drawn = Arc::clone(&loader.dataset().drawn);
    let mut epoch = loader.epoch(0);
    assert_eq!(drawn.load(Ordering::SeqCst), 0);
    epoch.next();
    let limit = 1 + 2 * (3 + 1);
    let deadline = Instant::now() + Duration::from_secs(10);
    while drawn.load(Ordering::SeqCst) < limit && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(drawn.load(Ordering::SeqCst), limit);
    // Dropping the epoch ends the workers, which wait to send.
    drop(epoch);
    assert_eq!(drawn.load(Ordering::SeqCst), limit);
    assert_eq!(Arc::strong_count(&drawn), 2);
}

struct Failing;

impl Dataset for Failing {
    type Item = usize;

    fn len(&self) -> usize {
        10
    }

    fn get(&self, index: usize) -> usize {
        assert!(index != 5, "sample 5 is broken");
        index
    }
}

#[test]
fn a_panic_in_a_worker_reaches_the_caller_in_its_turn() {
    for workers in [0, 1, 3] {
        let config = DataLoaderConfig { batch_size: 1, workers, ..Default::default() };
        let loader = DataLoader::with_collate(Failing, |items: Vec<usize>| items[0], config).unwrap();
        let mut epoch = loader.epoch(0);
        assert!(epoch.by_ref().take(5).eq(0..5));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| epoch.next())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"sample 5 is broken"));
    }
}

#[test]
fn a_batch_size_of_zero_is_refused() {
    let config = DataLoaderConfig { batch_size: 0, ..Default::default() };
    let error = DataLoader::with_collate(Failing, |items: Vec<usize>| items, config).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "DataLoader: batch_size must be at least 1");
}

#[test]
fn progress_gives_the_batches_of_its_epoch() {
    let config = DataLoaderConfig { batch_size: 4, workers: 2, ..Default::default() };
    let loader = loader(10, config);
    let shown = loader.epoch(0).skip_to(1).progress();
    assert_eq!(shown.len(), 2);
    assert_eq!(indices(&shown.collect::<Vec<_>>()), [4, 5, 6, 7, 8, 9]);
}

#[test]
fn augmented_images_are_the_same_from_workers_and_after_resuming() {
    let pixels = (0..6 * 2 * 5 * 5).map(|value| (value % 251) as u8).collect();
    let set = ImageSet::new(pixels, [2, 5, 5], vec![0, 1, 2, 0, 1, 2], 3).unwrap();
    let batches = |workers, start| {
        let augmented = set.clone().augment(RandomCrop { padding: 2 }).augment(RandomHorizontalFlip::default());
        let config = DataLoaderConfig { batch_size: 4, shuffle: true, seed: 9, workers, ..Default::default() };
        let loader = DataLoader::new(augmented, config).unwrap();
        loader.epoch(2).skip_to(start).map(|(x, y)| (x.shape(), x.to_vec(), y.to_vec())).collect::<Vec<_>>()
    };
    let expected = batches(0, 0);
    assert_eq!((expected[0].0, expected[1].0), ([4, 2, 5, 5], [2, 2, 5, 5]));
    assert_eq!(batches(2, 0), expected);
    assert_eq!(batches(1, 1), expected[1..]);
}

/// Samples of which one cannot be loaded.
struct Unreliable;

impl Dataset for Unreliable {
    type Item = Result<i64>;

    fn len(&self) -> usize {
        6
    }

    fn get(&self, index: usize) -> Result<i64> {
        let unreadable = || Error::File { path: format!("{index}.idx"), offset: Some(3), reason: "is cut".into() };
        if index == 3 { Err(unreadable()) } else { Ok(index as i64) }
    }
}

#[test]
fn a_sample_that_fails_to_load_fails_its_batch_and_no_other() {
    let config = DataLoaderConfig { batch_size: 2, workers: 2, ..Default::default() };
    let loader = DataLoader::with_collate(Unreliable, TryCollate(Stacked), config).unwrap();
    let batches: Vec<Result<Vec<i64>>> = loader.epoch(0).map(|batch| batch.map(|x| x.to_vec())).collect();
    assert_eq!((&batches[0], &batches[2]), (&Ok(vec![0, 1]), &Ok(vec![4, 5])));
    assert_eq!(batches[1].as_ref().unwrap_err().to_string(), "3.idx at byte 3: is cut");
}
