//! The product of a matrix and its own transpose: what is on and above the diagonal is computed, the rest is its mirror image.
//!
//! Both are the same bit for bit: a sum goes through the same steps in the same order wherever its element lies (the contract of
//! [`Plan`]), and `a b` rounds as `b a` does.

use super::isa::isa;
use super::product::{Panels, blocks, cols_of, cuts, pack, rows_of, run_jobs, with_scratch};
use crate::parallel::{for_each_piece, num_threads};
use trueno_core::Result;
use trueno_kernels::matmul::{Epilogue, MatMut, MatRef, Plan, gemm_packed_b};
use trueno_kernels::simd::Real;
use trueno_kernels::transpose;

/// Panels of columns: of each, what is below its square of the diagonal is left out. More of them would leave out little more, and
/// pack the left operand more often.
const PANELS: usize = 8;
/// Rows that one thread mirrors at a time.
const MIRRORED: usize = 16;

/// Fills the row-major `out` with `a aᵀ`.
pub(super) fn product_with_transpose<T: Real>(a: MatRef<'_, T>, out: &mut [T]) -> Result<()> {
    let (n, k) = (a.rows(), a.cols());
    let plan = Plan::new::<T>(isa(), n, n, k);
    let panels = Panels::of_width(&plan, k, n, n.div_ceil(PANELS));
    upper_half(&plan, a, &panels, MatMut::row_major(out, n, n))?;
    for columns in panels.columns() {
        let (above, rows) = out.split_at_mut(columns.start * n);
        for_each_piece(&mut rows[..columns.len() * n], MIRRORED * n, 2, |index, rows| {
            let (first, count) = (columns.start + index * MIRRORED, rows.len() / n);
            if columns.start > 0 {
                transpose(isa(), &above[first..], n, rows, n, [columns.start, count]);
            }
        });
    }
    Ok(())
}

/// The elements on and above the diagonal, and some below it.
fn upper_half<T: Real>(plan: &Plan, a: MatRef<'_, T>, panels: &Panels, c: MatMut<'_, T>) -> Result<()> {
    let (n, k) = (a.rows(), a.cols());
    let packed = pack(panels, a.transposed())?;
    let packed = panels.packed::<T>(&packed);
    let [row_blocks, _] = blocks([n, n, k], plan, num_threads());
    let mut jobs = Vec::new();
    for (rows, c) in rows_of(c, cuts(n, plan.row_unit(), row_blocks)) {
        for (panel, (cols, c)) in packed.iter().zip(cols_of(c, panels.columns())) {
            let count = rows.len().min(cols.end.saturating_sub(rows.start));
            let (c, _) = c.split_at_row(count);
            jobs.push((panel, rows.start..rows.start + count, c));
        }
    }
    run_jobs(&mut jobs, |(panel, rows, c)| {
        with_scratch(plan, |scratch| {
            gemm_packed_b(isa(), plan, a.block(rows.clone(), 0..k), panel, c.reborrow(), &Epilogue::STORE, scratch);
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::DynTensor;
    use crate::exec::fixtures::{assert_threads_agree, numbers, single, values};
    use trueno_core::table::UnaryOp;

    /// Numbers whose sums of products are rounded at every step.
    fn fractions(shape: &[usize]) -> DynTensor {
        numbers(shape).unary(UnaryOp::Sin, [0.0; 2]).unwrap()
    }

    #[test]
    fn half_of_the_work_gives_the_bits_of_the_whole() {
        for [n, k] in [[300, 301], [170, 700], [2100, 4], [64, 1100]] {
            let (rows, columns) = (fractions(&[n, k]), fractions(&[k, n]).transpose().unwrap());
            let part = fractions(&[n + 2, k + 3]).narrow(0, 1, n).unwrap().narrow(1, 2, k).unwrap();
            for x in [&rows, &columns, &part, &single([&rows])[0]] {
                let turned = x.transpose().unwrap();
                let whole = x.matmul(&turned.contiguous().unwrap()).unwrap();
                assert!(values(&x.matmul(&turned).unwrap()) == values(&whole), "{x:?}");
                assert_threads_agree(|| x.matmul(&turned).unwrap());
            }
        }
    }

    #[test]
    fn another_part_of_the_same_memory_is_no_transpose() {
        let x = fractions(&[2, 200, 200]);
        let turned = x.flip(&[0]).unwrap().permute(&[0, 2, 1]).unwrap();
        let whole = x.matmul(&turned.contiguous().unwrap()).unwrap();
        assert!(values(&x.matmul(&turned).unwrap()) == values(&whole));
    }
}
