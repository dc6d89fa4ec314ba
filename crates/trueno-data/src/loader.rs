//! The loader: batches in a reproducible order, made ahead of time by worker threads if asked.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use trueno_core::{Error, Result};

use crate::collate::Collate;
use crate::dataset::Dataset;
use crate::progress::Progress;
use crate::random::{SampleRng, shuffled};
use crate::stack::{Stack, Stacked};

/// How a [`DataLoader`] makes batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataLoaderConfig {
    /// Samples per batch; 32 by default.
    pub batch_size: usize,
    /// Visit the samples in a new random order in each epoch; off by default.
    pub shuffle: bool,
    /// Decides every random order and every random change of a sample.
    pub seed: u64,
    /// Leave out the last batch of an epoch if it is smaller than the others; off by default.
    pub drop_last: bool,
    /// Threads that make batches; with 0, the default, the calling thread does. No batch depends on it.
    pub workers: usize,
    /// Batches that each worker keeps ready; 2 by default.
    pub prefetch: usize,
}

impl Default for DataLoaderConfig {
    fn default() -> Self {
        DataLoaderConfig { batch_size: 32, shuffle: false, seed: 0, drop_last: false, workers: 0, prefetch: 2 }
    }
}

/// Makes batches of a data set, epoch by epoch.
///
/// What batch `b` of epoch `e` holds is a pure function of the data set, the configuration, `e` and `b`:
/// neither the number of workers nor what was read before matters, so a run can be resumed anywhere.
///
/// ```
/// use trueno_data::{DataLoader, DataLoaderConfig, Dataset};
/// use trueno_tensor::Tensor;
///
/// struct Squares;
///
/// impl Dataset for Squares {
///     type Item = i64;
///     fn len(&self) -> usize { 10 }
///     fn get(&self, index: usize) -> i64 { (index * index) as i64 }
/// }
///
/// let config = DataLoaderConfig { batch_size: 4, shuffle: true, seed: 42, ..Default::default() };
/// let loader = DataLoader::new(Squares, config)?;
/// let batches: Vec<Tensor<i64, 1>> = loader.epoch(0).collect();
/// assert_eq!(batches.iter().map(Tensor::size).collect::<Vec<_>>(), [4, 4, 2]);
///
/// let resumed: Vec<Tensor<i64, 1>> = loader.epoch(0).skip_to(1).collect();
/// assert_eq!(resumed, batches[1..]);
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Debug)]
pub struct DataLoader<D, C = Stacked> {
    dataset: Arc<D>,
    collate: Arc<C>,
    config: DataLoaderConfig,
}

impl<D: Dataset<Item: Stack>> DataLoader<D> {
    /// A loader whose batches are the samples stacked: see [`Stack`].
    ///
    /// # Errors
    /// [`Error::Argument`] if `batch_size` is 0.
    pub fn new(dataset: D, config: DataLoaderConfig) -> Result<Self> {
        DataLoader::with_collate(dataset, Stacked, config)
    }
}

impl<D: Dataset, C: Collate<D::Item>> DataLoader<D, C> {
    /// A loader that makes its batches with `collate`.
    ///
    /// # Errors
    /// [`Error::Argument`] if `batch_size` is 0.
    pub fn with_collate(dataset: D, collate: C, config: DataLoaderConfig) -> Result<Self> {
        if config.batch_size == 0 {
            return Err(Error::Argument { op: "DataLoader", reason: "batch_size must be at least 1".into() });
        }
        Ok(DataLoader { dataset: Arc::new(dataset), collate: Arc::new(collate), config })
    }

    /// The set that the batches come from.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How batches are made.
    pub fn config(&self) -> &DataLoaderConfig {
        &self.config
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let (samples, size) = (self.dataset.len(), self.config.batch_size);
        if self.config.drop_last { samples / size } else { samples.div_ceil(size) }
    }

    /// True if an epoch has no batches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches of one epoch, numbered from 0. Workers start with the first batch that is taken and end with the
    /// iterator.
    pub fn epoch(&self, number: u64) -> Epoch<D, C> {
        let samples = self.dataset.len();
        let order =
            if self.config.shuffle { shuffled(samples, self.config.seed, number) } else { (0..samples).collect() };
        let (dataset, collate) = (Arc::clone(&self.dataset), Arc::clone(&self.collate));
        let plan = Arc::new(Plan { dataset, collate, config: self.config, epoch: number, order });
        Epoch { plan, next: 0, end: self.len(), source: Source::Idle }
    }
}

/// All that a batch of one epoch depends on.
#[derive(Debug)]
struct Plan<D, C> {
    dataset: Arc<D>,
    collate: Arc<C>,
    config: DataLoaderConfig,
    epoch: u64,
    order: Vec<usize>,
}

impl<D: Dataset, C: Collate<D::Item>> Plan<D, C> {
    fn batch(&self, number: usize) -> C::Batch {
        let start = number * self.config.batch_size;
        let end = self.order.len().min(start + self.config.batch_size);
        let draw = |&index| self.dataset.draw(index, &mut SampleRng::for_sample(self.config.seed, self.epoch, index));
        self.collate.collate(self.order[start..end].iter().map(draw).collect())
    }
}

/// The batches of one epoch, in order: see [`DataLoader::epoch`].
///
/// A panic while a sample or a batch is made reaches the thread that takes the batch.
#[derive(Debug)]
pub struct Epoch<D: Dataset, C: Collate<D::Item>> {
    plan: Arc<Plan<D, C>>,
    next: usize,
    end: usize,
    source: Source<C::Batch>,
}

/// Who makes the batches.
#[derive(Debug)]
enum Source<Batch> {
    /// Nobody yet.
    Idle,
    /// The thread that asks for them.
    Caller,
    /// These threads in turn, the first of them for the batch `first`.
    Workers { workers: Vec<Worker<Batch>>, first: usize },
}

impl<D: Dataset, C: Collate<D::Item>> Epoch<D, C> {
    /// The number of this epoch.
    pub fn number(&self) -> u64 {
        self.plan.epoch
    }

    /// The number of the batch that comes next: what a checkpoint keeps for [`skip_to`](Self::skip_to).
    pub fn position(&self) -> usize {
        self.next
    }

    /// Continues with this batch without making those before it. Beyond the last, nothing is left.
    #[must_use]
    pub fn skip_to(self, batch: usize) -> Self {
        Epoch { next: batch.min(self.end), source: Source::Idle, ..self }
    }
}

impl<D, C> Epoch<D, C>
where
    D: Dataset + 'static,
    C: Collate<D::Item> + 'static,
    C::Batch: 'static,
{
    /// Shows how far the epoch is: a bar on a terminal, else a line on standard error now and then.
    pub fn progress(self) -> Progress<Self> {
        let (label, position) = (format!("epoch {}", self.number()), self.position());
        Progress::starting_at(self, label, position)
    }

    /// Starts the workers. Where threads cannot be had, as on some WASM hosts, the caller does the work.
    fn start(&self) -> Source<C::Batch> {
        let count = self.plan.config.workers.min(self.len());
        let workers: Option<Vec<_>> = (0..count)
            .map(|worker| Worker::start(Arc::clone(&self.plan), (self.next + worker..self.end).step_by(count)))
            .collect();
        match workers {
            Some(workers) if !workers.is_empty() => Source::Workers { workers, first: self.next },
            _ => Source::Caller,
        }
    }
}

impl<D, C> Iterator for Epoch<D, C>
where
    D: Dataset + 'static,
    C: Collate<D::Item> + 'static,
    C::Batch: 'static,
{
    type Item = C::Batch;

    fn next(&mut self) -> Option<C::Batch> {
        if self.next == self.end {
            self.source = Source::Idle;
            return None;
        }
        if let Source::Idle = self.source {
            self.source = self.start();
        }
        let batch = match &mut self.source {
            Source::Workers { workers, first } => {
                let turn = (self.next - *first) % workers.len();
                workers[turn].take()
            }
            Source::Caller | Source::Idle => self.plan.batch(self.next),
        };
        self.next += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl<D, C> ExactSizeIterator for Epoch<D, C>
where
    D: Dataset + 'static,
    C: Collate<D::Item> + 'static,
    C::Batch: 'static,
{
}

/// A thread that makes every n-th batch, and the channel they come through. Both are there until dropped.
#[derive(Debug)]
struct Worker<Batch> {
    batches: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl<Batch: Send + 'static> Worker<Batch> {
    fn start<D, C>(plan: Arc<Plan<D, C>>, numbers: impl Iterator<Item = usize> + Send + 'static) -> Option<Self>
    where
        D: Dataset + 'static,
        C: Collate<D::Item, Batch = Batch> + 'static,
    {
        let (sender, receiver) = sync_channel(plan.config.prefetch);
        let work = move || make(&plan, numbers, &sender);
        let thread = thread::Builder::new().name("trueno-data".into()).spawn(work).ok()?;
        Some(Worker { batches: Some(receiver), thread: Some(thread) })
    }

    fn take(&mut self) -> Batch {
        if let Some(batch) = self.batches.as_ref().and_then(|batches| batches.recv().ok()) {
            return batch;
        }
        // The channel closed before its last batch: the worker panicked, and so does the caller.
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => panic!("DataLoader: a worker that failed was asked for another batch"),
        }
    }
}

/// Sends these batches until nobody listens any more.
fn make<D: Dataset, C: Collate<D::Item>>(
    plan: &Plan<D, C>,
    numbers: impl Iterator<Item = usize>,
    sender: &SyncSender<C::Batch>,
) {
    for number in numbers {
        if sender.send(plan.batch(number)).is_err() {
            return;
        }
    }
}

impl<Batch> Drop for Worker<Batch> {
    fn drop(&mut self) {
        // Without a receiver a worker that waits to send gives up, so joining takes one batch at most.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic in a batch that nobody will take is nobody's concern.
            let _ = thread.join();
        }
    }
}
