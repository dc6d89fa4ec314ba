//! Trueno's side of the timings: answers the name of a row with the microseconds that one call takes.
//!
//! `cargo xtask bench` starts it next to its peers and asks them in turn; see the README for what a figure means.
//! With `--list` it prints its rows instead: group, tab, name.
#![forbid(unsafe_code)]

mod networks;
mod rows;

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use rows::Work;

/// One answer covers at least this much time.
const SAMPLE: Duration = Duration::from_millis(50);

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("--list") {
        return rows::names().try_for_each(|(group, name)| writeln!(io::stdout(), "{group}\t{name}"));
    }
    let mut current: Option<(String, Work)> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let name = line.trim();
        // A row is prepared when it is first asked for, and dropped when the next one is.
        if current.as_ref().is_none_or(|(prepared, _)| prepared != name) {
            current = rows::prepare(name).map(|work| (name.to_string(), work));
        }
        match &mut current {
            Some((_, work)) => println!("{:.3}", sample(work)),
            None => println!("absent"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

/// Mean microseconds per call.
fn sample(work: &mut Work) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < SAMPLE {
        work();
        calls += 1;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}
