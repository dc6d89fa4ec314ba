//! Sums that several threads make: fixed chunks are summed apart and join in order, so that the number of threads
//! changes no bit.

use crate::parallel::for_each_piece;
use trueno_kernels::simd::Real;

/// Elements that are joined at a time.
const BLOCK: usize = 4096;

/// `out` becomes the sum of the chunks, each as long as `out`, first to last.
pub(super) fn join<T: Real>(chunks: &[T], out: &mut [T]) {
    let size = out.len();
    let count = chunks.len() / size.max(1);
    for_each_piece(out, BLOCK, count, |index, out| {
        out.fill(T::ZERO);
        for chunk in chunks.chunks_exact(size) {
            let chunk = &chunk[index * BLOCK..][..out.len()];
            out.iter_mut().zip(chunk).for_each(|(out, &value)| *out = *out + value);
        }
    });
}
