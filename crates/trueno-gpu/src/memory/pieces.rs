//! Values that go between host and device in pieces.

use trueno_core::Result;

/// Bytes that pass through one staging buffer; larger values go in pieces, so that the host fills or empties one while the
/// device does another.
pub(super) const PIECE: u64 = 8 << 20;

/// The most threads that copy the pieces of a value.
#[cfg(not(target_arch = "wasm32"))]
const COPIERS: usize = 4;

/// Calls `copy` for every piece, and returns the first error.
///
/// Several threads copy, each the next piece: one alone copies slower than the device does.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn copy_pieces<P: Send>(pieces: Vec<P>, copy: impl Fn(P) -> Result<()> + Sync) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(COPIERS).min(pieces.len());
    let queue = std::sync::Mutex::new(pieces.into_iter());
    let work = || -> Result<()> {
        loop {
            let next = crate::device::lock(&queue).next();
            let Some(piece) = next else { return Ok(()) };
            copy(piece)?;
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.fold(own, Result::and)
    })
}

/// Calls `copy` for every piece, and returns the first error.
#[cfg(target_arch = "wasm32")]
pub(super) fn copy_pieces<P>(pieces: Vec<P>, copy: impl Fn(P) -> Result<()>) -> Result<()> {
    pieces.into_iter().try_for_each(copy)
}
