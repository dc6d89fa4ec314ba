//! What a checkpointed function does once although it runs twice: the random numbers that it draws, the statistics that it
//! keeps.

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    /// The checkpointed functions that this thread is inside of, the innermost last.
    static RUNS: RefCell<Vec<Run>> = const { RefCell::new(Vec::new()) };
}

/// A run of a checkpointed function.
enum Run {
    /// The first: what is drawn is noted.
    First(Vec<u64>),
    /// A later one: what was noted is drawn again.
    Again { drawn: Arc<[u64]>, next: usize },
}

/// A number drawn from outside, such as the position of a random stream: `draw()`, but for a function that a
/// [`checkpoint`](crate::checkpoint()) runs again, which gets the number of its first run (PyTorch's `preserve_rng_state`).
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use trueno_autograd::draw_once;
/// static CALLS: AtomicU64 = AtomicU64::new(0);
/// assert_eq!(draw_once(|| CALLS.fetch_add(1, Ordering::Relaxed)), 0);
/// ```
pub fn draw_once(draw: impl FnOnce() -> u64) -> u64 {
    let (noted, inside) = RUNS.with_borrow_mut(|runs| {
        let again = runs.iter().rposition(|run| matches!(run, Run::Again { .. }));
        let noted = again.and_then(|at| match &mut runs[at] {
            Run::Again { drawn, next } => {
                *next += 1;
                drawn.get(*next - 1).copied()
            }
            Run::First(_) => None,
        });
        (noted, again.map_or(0, |at| at + 1))
    });
    // A function that draws more than it did the first time is not the same function; its result will show it.
    let number = noted.unwrap_or_else(draw);
    // First runs inside the one that is repeated note what they were told.
    RUNS.with_borrow_mut(|runs| {
        for run in runs.iter_mut().skip(inside) {
            if let Run::First(drawn) = run {
                drawn.push(number);
            }
        }
    });
    number
}

/// Whether what is computed now was computed before, and a [`checkpoint`](crate::checkpoint()) needs it once more: what a
/// function leaves behind, such as running statistics, is there already.
pub fn is_recomputing() -> bool {
    RUNS.with_borrow(|runs| runs.iter().any(|run| matches!(run, Run::Again { .. })))
}

/// Leaves the innermost run when dropped, after a panic too.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        RUNS.with_borrow_mut(Vec::pop);
    }
}

/// Runs `f` for the first time, and notes what it draws.
pub(crate) fn first<R>(f: impl FnOnce() -> R) -> (R, Arc<[u64]>) {
    RUNS.with_borrow_mut(|runs| runs.push(Run::First(Vec::new())));
    let _leave = Leave;
    let result = f();
    let drawn = RUNS.with_borrow_mut(|runs| match runs.last_mut() {
        Some(Run::First(drawn)) => std::mem::take(drawn),
        Some(Run::Again { .. }) | None => Vec::new(),
    });
    (result, drawn.into())
}

/// Runs `f` again, which draws what was noted.
pub(crate) fn again<R>(drawn: &Arc<[u64]>, f: impl FnOnce() -> R) -> R {
    RUNS.with_borrow_mut(|runs| runs.push(Run::Again { drawn: drawn.clone(), next: 0 }));
    let _leave = Leave;
    f()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_was_drawn_is_drawn_again_however_runs_nest() {
        let calls = Cell::new(10);
        let draw = || {
            draw_once(|| {
                calls.set(calls.get() + 1);
                calls.get()
            })
        };
        // Two draws, the second inside an inner first run.
        let piece = || (draw(), first(draw));
        let ((a, (b, inner)), outer) = first(piece);
        assert_eq!(((a, b), &*inner, &*outer), ((11, 12), &[12][..], &[11, 12][..]));
        assert!(!is_recomputing());
        for _ in 0..2 {
            let (a, (b, inner)) = again(&outer, || {
                assert!(is_recomputing());
                piece()
            });
            assert_eq!(((a, b), &*inner), ((11, 12), &[12][..]));
        }
        assert_eq!(again(&inner, || (draw(), draw())), (12, 13), "what was not noted is drawn");
        assert_eq!(first(|| again(&inner, draw)).1.len(), 0, "a repetition is none of the outer run's draws");
        assert!(std::panic::catch_unwind(|| again(&Arc::from([]), || panic!("no"))).is_err());
        assert!(!is_recomputing());
    }
}
