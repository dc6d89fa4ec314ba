//! Mixed precision: products in half precision, and their results kept so, in networks whose types say `f32`.
//!
//! A tensor of `float32` may be **narrow**: its memory holds `float16` or `bfloat16`, half the bytes. That is a matter of storage
//! and not of type: it is computed with in `f32`, read as `f32`, and has gradients of `f32`. Only inside a region of [`autocast`],
//! and in backward passes of what was computed there, do operations leave narrow results; anywhere else results are whole.

mod operands;
mod policy;

pub(crate) use operands::{Manner, Settled, execute_mixed, narrowed};

use std::cell::Cell;
use trueno_core::{DType, Error, Result};

/// How operations of this thread treat precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Region {
    /// What products are computed in.
    half: Option<DType>,
    /// Whether results are as narrow as their operands although no region asks for it: a backward pass.
    follows: bool,
}

thread_local! {
    static REGION: Cell<Region> = const { Cell::new(Region { half: None, follows: false }) };
}

/// Runs `f` with automatic mixed precision (PyTorch's `autocast`) on this thread, on whatever device its tensors are.
///
/// Inside, by the lists that PyTorch documents for CUDA:
///
/// - **products** (`matmul`, `linear`, `conv2d`, `conv_transpose2d`, `scaled_dot_product_attention`) round their `f32` operands to
///   `dtype`, accumulate in `f32` and give a narrow result;
/// - **what loses too much or overflows** (`exp`, `ln`, `pow`, `recip`, `softplus`, sums, means, norms, `softmax`, `layer_norm`,
///   losses, ...) computes and gives `f32`;
/// - **everything else** (`relu`, `add`, `batch_norm`, pooling, views, ...) is computed in `f32` and gives a result as narrow as its
///   operands, or a whole one if any of them is whole (single numbers and the parameters of `batch_norm` do not count).
///
/// The types stay: results are `Tensor<f32, N>`, and only the memory behind them is narrow
/// ([`storage_dtype`](crate::Tensor::storage_dtype)). Parameters stay whole, and are the master weights; each is rounded once in a
/// region. Backward passes are called outside, as in PyTorch, and are as narrow as the forward pass was; gradients of leaves
/// are whole. In `float16` small gradients vanish and large ones overflow: scale the loss (`GradScaler` of `trueno-optim`).
///
/// Regions nest; one of `float32` turns the others off. Operands that are no `f32` are left as they are.
///
/// ```
/// use trueno_tensor::{prelude::*, autocast, core::DType};
/// let (x, w) = (tensor![[1.0, 1.0 / 3.0]], tensor![[1.0], [1.0]]);
/// let y = autocast(DType::F16, || x.matmul(&w));
/// assert_eq!((y.storage_dtype(), y.to_vec()), (DType::F16, vec![1.3330078])); // the nearest of `float16`
/// assert_eq!((&y + 1.0).storage_dtype(), DType::F32); // outside, results are whole
/// ```
///
/// # Panics
/// At the caller's line if `dtype` is none of `float16`, `bfloat16` and `float32`.
#[track_caller]
pub fn autocast<R>(dtype: DType, f: impl FnOnce() -> R) -> R {
    try_autocast(dtype, f).unwrap_or_else(|error| panic!("{error}"))
}

/// As [`autocast`], for a type that is not known to be one of those.
///
/// # Errors
/// [`Error::Argument`] if it is not; then `f` has not run.
pub fn try_autocast<R>(dtype: DType, f: impl FnOnce() -> R) -> Result<R> {
    let half = match dtype {
        DType::F16 | DType::BF16 => Some(dtype),
        DType::F32 => None,
        DType::F64 | DType::I64 | DType::I32 | DType::U32 | DType::U8 | DType::I8 | DType::Bool => {
            let reason = format!("{dtype} is not half precision; float16, bfloat16 and float32 (off) are").into();
            return Err(Error::Argument { op: "autocast", reason });
        }
    };
    Ok(within(Region { half, follows: false }, f))
}

/// What products of this thread are computed in: `float16` or `bfloat16` inside a region of [`autocast`], `None` outside.
pub fn autocast_dtype() -> Option<DType> {
    REGION.get().half
}

/// Runs a backward pass: outside of every region of [`autocast`], with results as narrow as their operands.
pub fn following_storage<R>(f: impl FnOnce() -> R) -> R {
    within(Region { half: None, follows: true }, f)
}

/// Whether operations of this thread may be narrow.
#[inline]
pub(crate) fn is_active() -> bool {
    REGION.get() != Region::default()
}

fn within<R>(region: Region, f: impl FnOnce() -> R) -> R {
    /// Restores the thread's region when dropped, after a panic too.
    struct Leave(Region);
    impl Drop for Leave {
        fn drop(&mut self) {
            REGION.set(self.0);
            if self.0.half.is_none() {
                operands::forget_weights();
            }
        }
    }
    let _leave = Leave(REGION.replace(region));
    f()
}

#[cfg(test)]
mod tests;
