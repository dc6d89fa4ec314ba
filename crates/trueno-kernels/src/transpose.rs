//! Transposed copies, by squares that keep both sides in whole cache lines.

/// Rows and columns of a square.
const SQUARE: usize = 16;

/// A matrix in memory: `out[c * out_step + r] = source[r * source_step + c]` for `rows` and `cols` of the source.
///
/// ```
/// use trueno_kernels::transpose;
///
/// let mut out = [0; 6];
/// transpose(&[1, 2, 3, 4, 5, 6], 3, &mut out, 2, [2, 3]);
/// assert_eq!(out, [1, 4, 2, 5, 3, 6]);
/// ```
///
/// # Panics
/// If a slice ends before the matrix does.
pub fn transpose<T: Copy + Default>(
    source: &[T],
    source_step: usize,
    out: &mut [T],
    out_step: usize,
    [rows, cols]: [usize; 2],
) {
    for row in (0..rows).step_by(SQUARE) {
        for col in (0..cols).step_by(SQUARE) {
            let (source, out) = (&source[row * source_step + col..], &mut out[col * out_step + row..]);
            if row + SQUARE <= rows && col + SQUARE <= cols {
                square(source, source_step, out, out_step);
            } else {
                for r in 0..SQUARE.min(rows - row) {
                    for c in 0..SQUARE.min(cols - col) {
                        out[c * out_step + r] = source[r * source_step + c];
                    }
                }
            }
        }
    }
}

/// Lines are read and written once each: where rows are a power of two apart they would push each other out of the cache.
#[inline(always)]
fn square<T: Copy + Default>(source: &[T], source_step: usize, out: &mut [T], out_step: usize) {
    let mut square = [[T::default(); SQUARE]; SQUARE];
    for (r, line) in square.iter_mut().enumerate() {
        line.copy_from_slice(&source[r * source_step..][..SQUARE]);
    }
    for c in 0..SQUARE {
        let line = &mut out[c * out_step..][..SQUARE];
        for (to, from) in line.iter_mut().zip(&square) {
            *to = from[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn every_size_is_transposed_and_nothing_else_is_touched() {
        for (rows, cols) in [(0, 3), (1, 1), (3, 40), (16, 16), (17, 33), (48, 31)] {
            let (source_step, out_step) = (cols + 3, rows + 2);
            let source: Vec<usize> = (0..rows * source_step + cols).collect();
            let mut out = vec![usize::MAX; cols * out_step + rows];
            transpose(&source, source_step, &mut out, out_step, [rows, cols]);
            for (i, &got) in out.iter().enumerate() {
                let (c, r) = (i / out_step, i % out_step);
                let want = if r < rows && c < cols { source[r * source_step + c] } else { usize::MAX };
                assert_eq!(got, want, "{rows} x {cols} at {c}, {r}");
            }
        }
    }
}
