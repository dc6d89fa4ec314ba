//! Matrix products: `C = A B` and `C += A B` for matrices of any strides.
//!
//! Products are blocked for the caches ([`Plan`]) and factors packed where that pays: a right factor of adjacent columns is read in
//! place, and products with a vector stream the matrix once. An [`Epilogue`] adds a bias and activates while the result is
//! still in registers.
//!
//! ```
//! use trueno_kernels::{Isa, matmul::{Epilogue, MatMut, MatRef, Plan, gemm}};
//!
//! let a = MatRef::row_major(&[1.0, 2.0, 3.0, 4.0], 2, 2);
//! let b = MatRef::row_major(&[1.0, 1.0, 0.0, 1.0], 2, 2).transposed();
//! let mut c = [0.0; 4];
//! let isa = Isa::best();
//! let plan = Plan::new::<f64>(isa, 2, 2, 2);
//! let mut scratch = vec![0.0; plan.scratch_len()];
//! gemm(isa, &plan, a, b, MatMut::row_major(&mut c, 2, 2), &Epilogue::STORE, &mut scratch);
//! assert_eq!(c, [3.0, 2.0, 7.0, 4.0]);
//! ```
//!
//! # Splitting among threads
//!
//! Make one [`Plan`] for the whole product, cut `A` into blocks of rows ([`MatRef::block`]), `B` into blocks of
//! columns, `C` into the blocks that belong to them ([`MatMut::split_at_row`], [`MatMut::split_at_col`]), and call [`gemm`] for each
//! with that plan and a scratch of its own. The result is the same, bit for bit, as that of one call. Blocks best start at multiples of
//! [`Plan::row_unit`] and [`Plan::col_unit`].
//!
//! Where many blocks of rows, or many calls, share one `B`, pack it once: [`PackedB`].

mod block;
mod epilogue;
mod pack;
mod packed;
mod plan;
mod prepacked;
mod roof;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod vector;
mod view;

pub use epilogue::{Activation, Bias, Epilogue};
pub(crate) use pack::PanelSource;
pub(crate) use packed::packed_product;
pub use plan::Plan;
pub use prepacked::{PackedB, gemm_packed_b};
pub use roof::multiply_adds;
pub(crate) use tile::cols as tile_cols;
pub(crate) use transpose::transpose_square;
pub use view::{MatMut, MatRef};

use crate::Isa;
use crate::simd::Real;
use packed::strip_product;
use plan::{Path, aligned};
use tile::{Target, finish_in_place};
use vector::dot_rows;

/// `c = a * b`, or what else `epilogue` makes of the product.
///
/// `plan` is that of the whole product of which this is a block of rows and columns; `scratch` has at least
/// [`Plan::scratch_len`] elements, whose values do not matter. Where the summed axis is empty the product is 0.
///
/// # Panics
/// If the sizes do not fit together, the bias is not as long as `c` is high (or wide), or `scratch` is too short.
pub fn gemm<T: Real>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    mut c: MatMut<'_, T>,
    epilogue: &Epilogue<'_, T>,
    scratch: &mut [T],
) {
    check(isa, plan, [a.rows(), a.cols()], [b.rows(), b.cols()], &c, epilogue, scratch);
    if c.rows() == 0 || c.cols() == 0 {
        return;
    }
    if a.cols() == 0 {
        empty_product(isa, c, epilogue);
        return;
    }
    match plan.path {
        Path::Vector if a.rows() == 1 && b.row_stride() == 1 => {
            dot_product(isa, b.transposed(), a.transposed(), c, epilogue, scratch)
        }
        Path::Vector if b.cols() == 1 && a.col_stride() == 1 => dot_product(isa, a, b, c, epilogue, scratch),
        Path::Vector | Path::Blocks if b.col_stride() == 1 || b.cols() == 1 => {
            strip_product(isa, plan, a, b, &mut c, epilogue, scratch)
        }
        Path::Vector | Path::Blocks => packed_product(isa, plan, a, &b, &mut c, epilogue, scratch),
    }
}

/// Panics where sizes do not fit together or the plan does not belong to the product.
fn check<T: Real>(
    isa: Isa,
    plan: &Plan,
    a: [usize; 2],
    b: [usize; 2],
    c: &MatMut<'_, T>,
    epilogue: &Epilogue<'_, T>,
    scratch: &[T],
) {
    assert!(a[0] == c.rows() && b[1] == c.cols() && a[1] == b[0], "{a:?} x {b:?} is not [{}, {}]", c.rows(), c.cols());
    assert!(plan.is_for::<T>(isa, a[1]), "the plan is for another instruction set, element type or summed axis");
    assert!(scratch.len() >= plan.scratch_len(), "scratch of {} elements, needs {}", scratch.len(), plan.scratch_len());
    epilogue.check(c.rows(), c.cols());
}

/// A product over no steps: zeros, or what was there.
fn empty_product<T: Real>(isa: Isa, mut c: MatMut<'_, T>, epilogue: &Epilogue<'_, T>) {
    if !epilogue.accumulate {
        c.fill(T::ZERO);
    }
    finish_in_place(isa, Target { c, accumulate: false, epilogue: Some(*epilogue) });
}

/// The product of a matrix whose rows lie along the result and are adjacent, and a column.
fn dot_product<T: Real>(
    isa: Isa,
    matrix: MatRef<'_, T>,
    column: MatRef<'_, T>,
    mut c: MatMut<'_, T>,
    epilogue: &Epilogue<'_, T>,
    scratch: &mut [T],
) {
    let vector = &mut aligned(scratch)[..column.rows()];
    column.copy_to(vector);
    dot_rows(isa, matrix, vector, c.reborrow(), epilogue.accumulate);
    finish_in_place(isa, Target { c, accumulate: false, epilogue: Some(*epilogue) });
}
