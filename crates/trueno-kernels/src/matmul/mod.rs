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
//!
//! # Integers
//!
//! Factors of 8-bit integers are first made [`Word`]s of, which are then multiplied as floats are; the sums are `i32`. A [`WordEpilogue`] scales
//! them to floats. Products with a vector need no words: [`product_with_vector`].
//!
//! ```
//! use trueno_kernels::{Isa, matmul::{Grouped, MatMut, MatRef, Plan, Side, Unit, Word, WordEpilogue, gemm}};
//!
//! let (isa, a, b) = (Isa::best(), [-128_i8; 6], [-128_i8; 12]);
//! let (a, b) = (MatRef::row_major(&a, 2, 3), MatRef::row_major(&b, 3, 4));
//! let steps = Word::steps(isa, 3);
//! let (mut left, mut right, mut terms) = (vec![Word::NOTHING; 2 * steps], vec![Word::NOTHING; 4 * steps], [0; 2]);
//! Word::row_terms(isa, a, &mut terms);
//! let left = Word::lines(isa, Side::Left, a, &mut left);
//! let right = Word::lines(isa, Side::Right, b.transposed(), &mut right).transposed();
//!
//! let plan = Plan::new::<Word>(isa, 2, 4, steps);
//! let (mut c, mut scratch) = ([0; 8], vec![Word::NOTHING; plan.scratch_len()]);
//! let epilogue = WordEpilogue { row_terms: &terms, dequantize: None };
//! gemm(isa, &plan, left, right, MatMut::row_major(Word::of_mut(&mut c), 2, 4), &epilogue, &mut scratch);
//! assert_eq!(c, [3 * 128 * 128; 8]);
//! ```
//!
//! # `bfloat16`
//!
//! Factors of `bfloat16` are [`Pair`]s in the same way, with sums of `f32` that [`Pair::round`] brings back: for machines that multiply them
//! ([`Isa::has_bf16_dots`]); on others pairs are multiplied one by one. Products with a vector: [`bf16_product_with_vector`].
//!
//! # Tiles
//!
//! Where the machine multiplies whole tiles of words or pairs ([`Isa::has_amx`]), all products but those with a vector do so. The summed axis
//! then has words for whole tiles, and those past its end are 0: [`Grouped::steps`] says how many there are.

mod amx;
mod block;
mod epilogue;
mod grouped;
mod half_vector;
mod integer;
mod pack;
mod packed;
#[cfg(test)]
mod pair_tests;
mod pairs;
mod plan;
mod prepacked;
mod roof;
mod small;
#[cfg(test)]
mod small_tests;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod unit;
mod vector;
mod view;
#[cfg(test)]
mod word_tests;
mod words;
mod wrapping;

pub use epilogue::{Activation, Bias, Epilogue};
pub use grouped::{Grouped, Side};
pub use half_vector::bf16_product_with_vector;
pub use integer::{ByteVector, product_with_vector};
pub(crate) use pack::PanelSource;
pub(crate) use packed::packed_product;
pub use pairs::Pair;
pub(crate) use pairs::Pairs;
pub use plan::Plan;
pub use prepacked::{PackedB, gemm_packed_b};
pub use roof::multiply_adds;
pub use small::{is_small, small_products, small_scratch_len};
pub(crate) use tile::cols as tile_cols;
pub(crate) use transpose::transpose_square;
pub(crate) use unit::ProductVector;
#[doc(hidden)]
pub use unit::{DotRows, Kind};
pub use unit::{Finish, Unit};
pub use view::{MatMut, MatRef, MatRefs};
pub(crate) use words::Words;
pub use words::{Dequantize, Scale, Word, WordEpilogue};
pub(crate) use wrapping::product as product_of_integers;
pub use wrapping::{wrapping_product, wrapping_scratch_len};

use crate::Isa;
use packed::strip_product;
use plan::{Path, aligned};
use tile::{Target, finish_in_place};

/// `c = a * b`, or what else `epilogue` makes of the product.
///
/// `plan` is that of the whole product of which this is a block of rows and columns; `scratch` has at least
/// [`Plan::scratch_len`] elements, whose values do not matter. Where the summed axis is empty the product is 0.
///
/// # Panics
/// If the sizes do not fit together, the bias is not as long as `c` is high (or wide), or `scratch` is too short.
pub fn gemm<T: Unit>(
    isa: Isa,
    plan: &Plan,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    mut c: MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
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
    match T::DOT_ROWS.filter(|_| plan.path == Path::Vector) {
        Some(dot_rows) if a.rows() == 1 && b.row_stride() == 1 => {
            dot_product(isa, dot_rows, [b.transposed(), a.transposed()], c, epilogue, scratch)
        }
        Some(dot_rows) if b.cols() == 1 && a.col_stride() == 1 => {
            dot_product(isa, dot_rows, [a, b], c, epilogue, scratch)
        }
        // Instructions for tiles read panels alone.
        _ if (b.col_stride() == 1 || b.cols() == 1) && amx::multiplier::<T>(isa).is_none() => {
            strip_product(isa, plan, a, b, &mut c, epilogue, scratch)
        }
        _ => packed_product(isa, plan, a, &b, &mut c, epilogue, scratch),
    }
}

/// Panics where sizes do not fit together or the plan does not belong to the product.
fn check<T: Unit>(
    isa: Isa,
    plan: &Plan,
    a: [usize; 2],
    b: [usize; 2],
    c: &MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
    scratch: &[T],
) {
    assert!(a[0] == c.rows() && b[1] == c.cols() && a[1] == b[0], "{a:?} x {b:?} is not [{}, {}]", c.rows(), c.cols());
    assert!(plan.is_for::<T>(isa, a[1]), "the plan is for another instruction set, element type or summed axis");
    assert!(a[1].is_multiple_of(plan.tile.steps), "{} words are not what `Grouped::steps` makes of elements", a[1]);
    assert!(scratch.len() >= plan.scratch_len(), "scratch of {} elements, needs {}", scratch.len(), plan.scratch_len());
    epilogue.check(c.rows(), c.cols());
}

/// A product over no steps: zeros, or what was there.
fn empty_product<T: Unit>(isa: Isa, mut c: MatMut<'_, T>, epilogue: &T::Epilogue<'_>) {
    if !epilogue.accumulates() {
        c.fill(T::NOTHING);
    }
    finish_in_place(isa, Target { c, accumulate: false, epilogue: Some(*epilogue) });
}

/// The product of a matrix whose rows lie along the result and are adjacent, and a column.
fn dot_product<T: Unit>(
    isa: Isa,
    dot_rows: DotRows<T>,
    [matrix, column]: [MatRef<'_, T>; 2],
    mut c: MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
    scratch: &mut [T],
) {
    let vector = &mut aligned(scratch)[..column.rows()];
    column.copy_to(vector);
    dot_rows(isa, matrix, vector, c.reborrow(), epilogue.accumulates());
    finish_in_place(isa, Target { c, accumulate: false, epilogue: Some(*epilogue) });
}
