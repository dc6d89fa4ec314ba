//! Progress of a loop: a bar for a person at a terminal, lines for a log.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// How long a log stays silent.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// An iterator that shows on standard error how far it is, and gives what the one inside gives.
///
/// [`Epoch::progress`](crate::Epoch::progress) makes one for a training loop.
///
/// ```
/// use trueno_data::Progress;
///
/// let files = Progress::new(["a", "b", "c"].into_iter(), "files");
/// let status = files.status();
/// for file in files {
///     status.message(format!("reading {file}"));
/// }
/// ```
#[derive(Debug)]
pub struct Progress<I> {
    inner: I,
    status: Status,
    started: bool,
}

impl<I: ExactSizeIterator> Progress<I> {
    /// Shows the progress of `inner` under this label.
    pub fn new(inner: I, label: impl Into<String>) -> Self {
        Progress::starting_at(inner, label, 0)
    }

    /// As [`new`](Self::new), for a loop of which `done` rounds were made before.
    pub fn starting_at(inner: I, label: impl Into<String>, done: usize) -> Self {
        let (label, total) = (label.into(), done + inner.len());
        let display = if std::io::stderr().is_terminal() {
            Display::Bar(bar(label, done, total, ProgressDrawTarget::stderr()))
        } else {
            let log = Log::new(label, done, total, Instant::now(), Box::new(std::io::stderr()));
            Display::Log(Arc::new(Mutex::new(log)))
        };
        Progress { inner, status: Status(display), started: false }
    }

    /// Lets the loop's body add what it knows, such as the loss.
    pub fn status(&self) -> Status {
        self.status.clone()
    }
}

impl<I: ExactSizeIterator> Iterator for Progress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        // The round of the item given before is over when the next is asked for.
        if self.started {
            self.status.advance();
        }
        let item = self.inner.next();
        self.started = item.is_some();
        if item.is_none() {
            self.status.finish();
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for Progress<I> {}

/// A handle to the display of a [`Progress`]; clones write to the same one.
#[derive(Clone, Debug)]
pub struct Status(Display);

#[derive(Clone, Debug)]
enum Display {
    Bar(ProgressBar),
    Log(Arc<Mutex<Log>>),
}

impl Status {
    /// Shows this text beside the count, in place of the text before.
    pub fn message(&self, text: impl Into<String>) {
        match &self.0 {
            Display::Bar(bar) => bar.set_message(text.into()),
            Display::Log(log) => locked(log).say(text.into(), Instant::now()),
        }
    }

    fn advance(&self) {
        match &self.0 {
            Display::Bar(bar) => bar.inc(1),
            Display::Log(log) => locked(log).advance(Instant::now()),
        }
    }

    fn finish(&self) {
        match &self.0 {
            Display::Bar(bar) => bar.abandon(),
            Display::Log(log) => locked(log).finish(Instant::now()),
        }
    }
}

/// A display stays usable if a thread panicked while it wrote.
fn locked(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bar(label: String, done: usize, total: usize, target: ProgressDrawTarget) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {elapsed}<{eta} {per_sec} {msg}")
        .expect("the template is constant and a test makes a bar with it");
    ProgressBar::with_draw_target(Some(total as u64), target)
        .with_style(style)
        .with_prefix(label)
        .with_position(done as u64)
        .with_finish(ProgressFinish::Abandon)
}

/// Progress as lines: one each [`LOG_INTERVAL`] and one at the end.
struct Log {
    label: String,
    message: String,
    before: usize,
    done: usize,
    total: usize,
    start: Instant,
    last_line: Instant,
    out: Box<dyn Write + Send>,
}

impl Log {
    fn new(label: String, done: usize, total: usize, start: Instant, out: Box<dyn Write + Send>) -> Self {
        Log { label, message: String::new(), before: done, done, total, start, last_line: start, out }
    }

    fn advance(&mut self, now: Instant) {
        self.done += 1;
        if self.done < self.total {
            self.write_line_in_turn(now);
        }
    }

    /// A loop that stands still for long may have something to say as well.
    fn say(&mut self, message: String, now: Instant) {
        self.message = message;
        self.write_line_in_turn(now);
    }

    fn write_line_in_turn(&mut self, now: Instant) {
        if now.duration_since(self.last_line) >= LOG_INTERVAL {
            self.write_line(now);
        }
    }

    fn finish(&mut self, now: Instant) {
        self.write_line(now);
    }

    fn write_line(&mut self, now: Instant) {
        self.last_line = now;
        let seconds = now.duration_since(self.start).as_secs_f64();
        let rate = (self.done - self.before) as f64 / seconds.max(f64::MIN_POSITIVE);
        let Log { label, message, done, total, .. } = self;
        let separator = if message.is_empty() { "" } else { "  " };
        // A log that cannot be written to must not stop the training that it reports.
        let _ = writeln!(self.out, "{label}: {done}/{total} in {seconds:.1} s, {rate:.1}/s{separator}{message}");
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("label", &self.label).field("done", &self.done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_log_has_a_line_per_interval_and_one_at_the_end() {
        let (out, start) = (Shared::default(), Instant::now());
        let mut log = Log::new("epoch 3".into(), 10, 14, start, Box::new(out.clone()));
        let after = |seconds| start + Duration::from_secs(seconds);
        log.advance(after(4));
        assert_eq!(out.text(), "");
        log.advance(after(10));
        log.say("loss 0.5".into(), after(11));
        log.advance(after(12));
        log.advance(after(20));
        log.finish(after(20));
        assert_eq!(out.text(), "epoch 3: 12/14 in 10.0 s, 0.2/s\nepoch 3: 14/14 in 20.0 s, 0.2/s  loss 0.5\n");
    }

    #[test]
    fn a_loop_that_stands_still_says_why() {
        let (out, start) = (Shared::default(), Instant::now());
        let mut log = Log::new("epoch 1".into(), 0, 4, start, Box::new(out.clone()));
        for second in 1..=20 {
            log.say(format!("{} kernels to go", 50 - second), start + Duration::from_secs(second));
        }
        let want = "epoch 1: 0/4 in 10.0 s, 0.0/s  40 kernels to go\nepoch 1: 0/4 in 20.0 s, 0.0/s  30 kernels to go\n";
        assert_eq!(out.text(), want);
    }

    #[test]
    fn a_bar_shows_label_count_and_message_and_stays() {
        let terminal = InMemoryTerm::new(4, 120);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let inner = 0..2;
        let status = Status(Display::Bar(bar("epoch 7".into(), 3, 5, target)));
        let mut progress = Progress { inner, status, started: false };
        progress.next();
        progress.status().message("loss 0.25");
        assert_eq!(progress.by_ref().count(), 1);
        let shown = terminal.contents();
        assert!(shown.starts_with("epoch 7 ") && shown.contains(" 5/5 ") && shown.ends_with("loss 0.25"), "{shown}");
    }

    #[test]
    fn items_pass_through_unchanged() {
        let mut progress = Progress::new(vec![1, 2, 3].into_iter(), "test");
        assert_eq!((progress.len(), progress.next(), progress.len()), (3, Some(1), 2));
        assert_eq!(progress.collect::<Vec<_>>(), [2, 3]);
    }
}
