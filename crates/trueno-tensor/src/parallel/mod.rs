//! Threads: one pool for the process, an override for a scope, and splitting by cost.
//!
//! Work is always cut into the same pieces, and partial results join in a fixed order; how many threads there
//! are decides only who computes a piece. So results never depend on the number of threads.

mod crew;

use crew::Crew;
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use trueno_core::Result;

/// Cost units (about one element of a simple loop, a quarter of a nanosecond) that a piece should have to be worth
/// taking by itself.
const PIECE: usize = 1 << 14;

thread_local! {
    static OVERRIDE: RefCell<Option<Pool>> = const { RefCell::new(None) };
    /// Whether this thread is at work on pieces: what it calls meanwhile stays on it.
    static SHARING: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone)]
struct Pool {
    threads: usize,
    /// The threads beside the one that calls; `None` if there are none.
    crew: Option<Arc<Crew>>,
}

impl Pool {
    fn new(threads: usize) -> Pool {
        // If the system refuses threads, the work still gets done, on this one.
        let crew = Crew::new(threads.saturating_sub(1));
        Pool { threads: if crew.is_some() { threads } else { 1 }, crew }
    }

    fn current() -> Pool {
        static DEFAULT: OnceLock<Pool> = OnceLock::new();
        let scoped = OVERRIDE.with_borrow(Clone::clone);
        scoped.unwrap_or_else(|| DEFAULT.get_or_init(|| Pool::new(default_threads())).clone())
    }
}

/// `TRUENO_NUM_THREADS`, or the number of processors.
fn default_threads() -> usize {
    let wanted = std::env::var("TRUENO_NUM_THREADS").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// How many threads operations of this thread use: `TRUENO_NUM_THREADS`, by default one per processor.
pub fn num_threads() -> usize {
    Pool::current().threads
}

/// Runs `work` with operations on this thread limited to `threads` threads. Results are the same for any number.
///
/// ```
/// use trueno_tensor::{num_threads, with_num_threads};
/// assert_eq!(with_num_threads(3, num_threads), 3);
/// ```
pub fn with_num_threads<R>(threads: usize, work: impl FnOnce() -> R) -> R {
    struct Restore(Option<Pool>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0.take());
        }
    }
    let _restore = Restore(OVERRIDE.replace(Some(Pool::new(threads))));
    work()
}

/// Cuts `out` into pieces of `size` elements (the last may be shorter) and calls `work(index, piece)` on each, on several
/// threads if `out.len() * cost` is worth it. `cost` is in units of a simple elementwise step.
pub(crate) fn for_each_piece<T: Send>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let size = size.max(1);
    let count = out.len().div_ceil(size);
    hand_out(out.chunks_mut(size).enumerate(), count, size.saturating_mul(cost), |(index, piece)| work(index, piece));
}

/// As [`for_each_piece`] for work that can fail. Every piece is visited all the same; one of the errors comes back.
pub(crate) fn try_for_each_piece<T: Send>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: impl Fn(usize, &mut [T]) -> Result<()> + Sync + Send,
) -> Result<()> {
    let failure = OnceLock::new();
    for_each_piece(out, size, cost, |index, piece| {
        if let Err(error) = work(index, piece) {
            // Only the first error is kept.
            let _ = failure.set(error);
        }
    });
    failure.into_inner().map_or(Ok(()), Err)
}

/// As [`for_each_piece`], over two outputs cut in step.
pub(crate) fn for_each_piece_pair<A: Send, B: Send>(
    outs: (&mut [A], usize),
    others: (&mut [B], usize),
    cost: usize,
    work: impl Fn(usize, &mut [A], &mut [B]) + Sync + Send,
) {
    let ((a, size_a), (b, size_b)) = (outs, others);
    let (size_a, size_b) = (size_a.max(1), size_b.max(1));
    let count = a.len().div_ceil(size_a);
    let pieces = a.chunks_mut(size_a).zip(b.chunks_mut(size_b)).enumerate();
    hand_out(pieces, count, size_a.saturating_mul(cost), |(index, (a, b))| work(index, a, b));
}

/// Does every job, on several threads if their costs are worth it. Neighbours that cost little are done by one thread
/// together, so a job may be as small as it comes; one that is large should be cut by the caller, by size alone.
///
/// `cost` is in units of a simple step on one element. Which thread does a job, and when, is not told: jobs that
/// write must write apart.
///
/// ```
/// use trueno_tensor::for_each_job;
/// let (mut a, mut b) = ([1, 2, 3], [4]);
/// for_each_job(vec![&mut a[..], &mut b[..]], |job| job.len(), |job| job.iter_mut().for_each(|x| *x *= 10));
/// assert_eq!((a, b), ([10, 20, 30], [40]));
/// ```
pub fn for_each_job<J: Send>(jobs: Vec<J>, cost: impl Fn(&J) -> usize, work: impl Fn(J) + Sync + Send) {
    let total = jobs.iter().fold(0_usize, |total, job| total.saturating_add(cost(job)));
    let count = jobs.len();
    let (mut bundles, mut bundle, mut weight) = (Vec::new(), Vec::new(), 0_usize);
    for job in jobs {
        weight = weight.saturating_add(cost(&job));
        bundle.push(job);
        if weight >= PIECE {
            bundles.push(std::mem::take(&mut bundle));
            weight = 0;
        }
    }
    bundles.push(bundle);
    hand_out(bundles.into_iter(), count, total / count.max(1), |bundle| bundle.into_iter().for_each(&work));
}

/// Does `work` on every piece, on several threads if `count` pieces of `cost` each are worth it. Each thread takes the next
/// piece when it is done with one.
fn hand_out<I: Iterator + Send>(pieces: I, count: usize, cost: usize, work: impl Fn(I::Item) + Sync) {
    let Some((crew, others)) = others(count, cost) else { return pieces.for_each(work) };
    let pieces = Mutex::new(pieces);
    // Pieces are taken whole, so a panic on another thread leaves the rest as good as they were.
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    share(&crew, others, &|| {
        while let Some(piece) = next() {
            work(piece);
        }
    });
}

/// Calls `work` on this thread and on `others` of the crew. Returns when all are done.
///
/// `work` is a trait object so that the machinery of threads is compiled once and not for each operation and type.
fn share(crew: &Arc<Crew>, others: usize, work: &(dyn Fn() + Sync)) {
    struct Done;
    impl Drop for Done {
        fn drop(&mut self) {
            SHARING.set(false);
        }
    }
    SHARING.set(true);
    let _done = Done;
    crew.share(others, work);
}

/// The threads beside this one and how many of them to use, if `count` pieces of `cost` each are worth it.
fn others(count: usize, cost: usize) -> Option<(Arc<Crew>, usize)> {
    let cost = count.saturating_mul(cost);
    if count < 2 || cost < crew::WARM || SHARING.get() || rayon::current_thread_index().is_some() {
        return None;
    }
    let Pool { threads, crew } = Pool::current();
    let crew = crew?;
    let others = crew.worth_asking(cost, (threads - 1).min(count - 1));
    (others > 0).then_some((crew, others))
}

/// A piece size for `len` elements of `cost` each: large enough to be worth a thread, small enough to balance. It
/// depends on the problem alone.
pub(crate) fn piece_size(len: usize, cost: usize) -> usize {
    (PIECE / cost.max(1)).max(len.div_ceil(64)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_visited_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let mut out = vec![0_u32; 1_000_003];
            with_num_threads(threads, || {
                for_each_piece(&mut out, 65_536, 1, |index, piece| {
                    for (i, value) in piece.iter_mut().enumerate() {
                        *value += (index * 65_536 + i) as u32;
                    }
                });
            });
            assert!(out.iter().enumerate().all(|(i, &v)| v == i as u32), "{threads} threads");
        }
    }

    #[test]
    fn every_job_is_done_once_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            // Sizes around what is worth a thread, and many that are not.
            let sizes = [PIECE * 3, 1, PIECE, 0].into_iter().chain(std::iter::repeat_n(100, 5000));
            let mut outs: Vec<Vec<u8>> = sizes.map(|size| vec![0; size]).collect();
            let jobs = outs.iter_mut().map(Vec::as_mut_slice).collect();
            with_num_threads(threads, || {
                for_each_job(jobs, |job| job.len(), |job| job.iter_mut().for_each(|x| *x += 1))
            });
            assert!(outs.iter().flatten().all(|&x| x == 1), "{threads} threads");
        }
        for_each_job(Vec::<u8>::new(), |_| 1, |_| panic!("there is no job"));
    }

    #[test]
    fn work_inside_work_stays_on_its_thread() {
        // Both are worth waking threads for. Work that is not, and finds none awake, is not shared itself, and what is
        // inside it may be.
        let cost = usize::MAX;
        with_num_threads(3, || {
            for_each_piece(&mut [0_u8; 4], 1, cost, |_, _| {
                let outer = std::thread::current().id();
                for_each_piece(&mut [0_u8; 4], 1, cost, |_, _| assert_eq!(std::thread::current().id(), outer));
            });
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_threads_go_on_after_it() {
        with_num_threads(2, || {
            let mut out = [0_u8; 8];
            let doomed = || for_each_piece(&mut out, 1, PIECE, |index, _| assert_ne!(index, 5, "the sixth piece"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(doomed)).is_err());
            for_each_piece(&mut out, 1, PIECE, |index, piece| piece[0] = index as u8);
            assert_eq!(out, [0, 1, 2, 3, 4, 5, 6, 7]);
            assert!(others(2, usize::MAX).is_some());
        });
    }

    #[test]
    fn the_override_ends_with_its_scope() {
        let before = num_threads();
        with_num_threads(5, || assert_eq!(num_threads(), 5));
        assert_eq!(num_threads(), before);
    }
}
