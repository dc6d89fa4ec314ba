//! Compiling beside the recording: a driver takes from milliseconds to seconds for a kernel, and compiles several at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use super::Pipeline;
use crate::device::lock;

/// How often a thread that waits for kernels says so.
const INTERVAL: Duration = Duration::from_secs(2);

/// A kernel that is to be compiled.
pub(super) struct Job {
    pub pipeline: Arc<Pipeline>,
    /// Gives the compiled kernel, or what the driver has against it.
    pub work: Box<dyn FnOnce() -> Result<wgpu::ComputePipeline, String> + Send>,
}

impl Job {
    fn run(self) {
        let (pipeline, result) = self.compile();
        pipeline.finish(result);
    }

    /// The kernel, and what became of it: of a compiler that panics too, since whoever waits for the kernel must not wait forever.
    fn compile(self) -> (Arc<Pipeline>, Result<wgpu::ComputePipeline, String>) {
        let result = catch_unwind(AssertUnwindSafe(self.work));
        (self.pipeline, result.unwrap_or_else(|_| Err("its driver's compiler panicked".into())))
    }
}

/// The threads of a device that compile.
#[derive(Debug, Default)]
pub(crate) struct Compiler(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// Told of every kernel that is done, and of every thread that ends.
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Threads. One that was only just begun has no kernel yet: the one it was begun for still waits.
    workers: usize,
    /// Kernels that threads are compiling.
    begun: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("State");
        text.field("waiting", &self.waiting.len()).field("workers", &self.workers).field("begun", &self.begun).finish()
    }
}

impl Compiler {
    /// Compiles a kernel in a thread of its own, or where there are none, now.
    pub(super) fn start(&self, job: Job) {
        if cfg!(target_arch = "wasm32") {
            return job.run();
        }
        let mut state = lock(&self.0.state);
        state.waiting.push_back(job);
        if state.workers < available_parallelism().map_or(1, usize::from) {
            let queue = Arc::clone(&self.0);
            let spawned = std::thread::Builder::new().name("trueno-compile".into()).spawn(move || queue.work());
            state.workers += usize::from(spawned.is_ok());
        }
        if state.workers == 0 {
            let job = state.waiting.pop_front();
            drop(state);
            job.into_iter().for_each(Job::run);
        }
    }

    /// How many kernels are not compiled yet.
    pub fn unfinished(&self) -> usize {
        lock(&self.0.state).unfinished()
    }

    /// Waits until a kernel is compiled, and tells the log if that takes long.
    pub(super) fn wait(&self, pipeline: &Pipeline) {
        let mut state = lock(&self.0.state);
        while !pipeline.is_ready() {
            let waited = self.0.done.wait_timeout(state, INTERVAL);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                log::info!("compiling kernels: {} to go", state.unfinished());
            }
        }
    }

    /// Gives up what was not begun, and waits for the rest: a driver must not compile when its process ends.
    pub fn close(&self) {
        let mut state = lock(&self.0.state);
        state.waiting.clear();
        while state.workers > 0 {
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn unfinished(&self) -> usize {
        self.waiting.len() + self.begun
    }
}

impl Queue {
    /// Compiles what waits until nothing does.
    fn work(&self) {
        let mut state = lock(&self.state);
        while let Some(job) = state.waiting.pop_front() {
            state.begun += 1;
            drop(state);
            let (pipeline, result) = job.compile();
            state = lock(&self.state);
            // Under the lock: a kernel that is ready is not counted any more.
            pipeline.finish(result);
            state.begun -= 1;
            self.done.notify_all();
        }
        state.workers -= 1;
        self.done.notify_all();
    }
}
