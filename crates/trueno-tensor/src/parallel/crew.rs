//! The threads beside the one that calls, and how they are kept ready.
//!
//! To wake a thread that the system has put to sleep takes some 40 microseconds, and as long again to wake the caller that
//! waits for it: more than most operations take. So a thread that has worked stays awake for [`LINGER`], asking for more,
//! and a caller that has run out of pieces asks whether the others are done before it goes to sleep. Between threads that
//! are awake a piece of work changes hands in half a microsecond.

use rayon::{ThreadPool, ThreadPoolBuilder, Yield};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a thread without work stays awake, and how long a caller does that waits for others.
const LINGER: Duration = Duration::from_micros(200);
/// Cost units (a quarter of a nanosecond) from which work is worth handing to threads that are awake.
pub(super) const WARM: usize = 1 << 15;
/// Cost units from which work is worth waking threads for.
const COLD: usize = 1 << 19;

thread_local! {
    /// Whether this thread is in [`Crew::linger`].
    static LINGERS: Cell<bool> = const { Cell::new(false) };
}

/// Threads that wait for work.
pub(super) struct Crew {
    threads: ThreadPool,
    /// How many of them are awake without work, or were when they took what they work on.
    awake: AtomicUsize,
    /// When there last was work that threads could have shared, in nanoseconds since `start`.
    last: AtomicU64,
    start: Instant,
}

impl Crew {
    /// `None` if there are to be no threads, or the system refuses them.
    pub(super) fn new(threads: usize) -> Option<Arc<Crew>> {
        let name = |i| format!("trueno-{i}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
        let threads = (threads > 0).then(|| pool.build().ok()).flatten()?;
        let (awake, last) = (AtomicUsize::new(0), AtomicU64::new(0));
        Some(Arc::new(Crew { threads, awake, last, start: Instant::now() }))
    }

    /// How many of the crew, of `most`, are worth asking to share work of this cost.
    ///
    /// Those that are awake, unless the cost is so large that waking the others pays. Work that would have been shared had
    /// any been awake wakes them if it follows on other such work, so that what comes next can be.
    pub(super) fn worth_asking(self: &Arc<Self>, cost: usize, most: usize) -> usize {
        let awake = self.awake.load(Ordering::Relaxed);
        if cost >= COLD || awake >= most {
            return most;
        }
        let now = self.start.elapsed().as_nanos() as u64;
        let last = self.last.swap(now, Ordering::Relaxed);
        if now.saturating_sub(last) < LINGER.as_nanos() as u64 {
            let crew = self.clone();
            self.threads.spawn_broadcast(move |_| crew.linger());
        }
        awake
    }

    /// Calls `work` on this thread and on up to `others` of the crew, and returns when all are done.
    pub(super) fn share(self: &Arc<Self>, others: usize, work: &(dyn Fn() + Sync)) {
        let busy = AtomicUsize::new(others);
        self.threads.in_place_scope(|scope| {
            for _ in 0..others {
                scope.spawn(|_| {
                    let _done = Leave(&busy);
                    work();
                    if !LINGERS.get() {
                        self.stay();
                    }
                });
            }
            work();
            wait_for(|| busy.load(Ordering::Acquire) == 0);
        });
    }

    /// Makes this thread of the crew linger after what it does now.
    fn stay(self: &Arc<Self>) {
        let crew = self.clone();
        // This goes to the head of the thread's own queue.
        rayon::spawn(move || crew.linger());
    }

    /// Does whatever work comes until none has come for a while.
    fn linger(&self) {
        if LINGERS.get() {
            return;
        }
        let _awake = Awake::new(&self.awake);
        let mut since = Instant::now();
        while since.elapsed() < LINGER {
            match rayon::yield_now() {
                Some(Yield::Executed) => since = Instant::now(),
                Some(Yield::Idle) | None => std::hint::spin_loop(),
            }
        }
    }
}

/// Asks until `done` says yes, or for as long as a thread may linger.
fn wait_for(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() && start.elapsed() < LINGER {
        std::hint::spin_loop();
    }
}

/// Counts a thread out when it leaves, by a panic too.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Counts a thread among those awake while it lingers.
struct Awake<'a>(&'a AtomicUsize);

impl Awake<'_> {
    fn new(awake: &AtomicUsize) -> Awake<'_> {
        LINGERS.set(true);
        awake.fetch_add(1, Ordering::Relaxed);
        Awake(awake)
    }
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        LINGERS.set(false);
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_by_each_that_is_asked() {
        let crew = Crew::new(3).unwrap();
        for others in [0, 1, 3] {
            let calls = AtomicUsize::new(0);
            crew.share(others, &|| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(calls.into_inner(), others + 1);
        }
        assert!(Crew::new(0).is_none());
    }

    #[test]
    fn large_work_asks_all_and_small_work_those_that_it_woke() {
        let crew = Crew::new(2).unwrap();
        assert_eq!(crew.worth_asking(COLD, 2), 2);
        assert_eq!(crew.worth_asking(WARM, 2), 0);
        let start = Instant::now();
        while crew.worth_asking(WARM, 2) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "nobody woke");
        }
        while crew.awake.load(Ordering::Relaxed) > 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "nobody went to sleep");
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let crew = Crew::new(1).unwrap();
        let doomed = std::panic::AssertUnwindSafe(|| crew.share(1, &|| panic!("work fails")));
        assert!(std::panic::catch_unwind(doomed).is_err());
        crew.share(1, &|| ());
    }
}
