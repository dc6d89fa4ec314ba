//! Whether 3x3 convolutions may be computed with fewer multiplications.

use crate::exec::switch::Switch;
use std::cell::Cell;

thread_local!(static SCOPED: Cell<Option<bool>> = const { Cell::new(None) });
static SWITCH: Switch = Switch::new("TRUENO_WINOGRAD", &SCOPED);

/// Whether `f32` convolutions with 3x3 kernels and stride 1 use Winograd's algorithm where it is faster: unless the environment variable
/// `TRUENO_WINOGRAD` is `0` or [`with_winograd`] says otherwise.
///
/// It takes a quarter of the multiplications and rounds about as well as a plain sum does where the elements under a kernel are of
/// similar magnitude; errors are relative to the largest of them. Results that are not all finite are computed again directly.
/// `f64` always is.
pub fn is_winograd_enabled() -> bool {
    SWITCH.is_on()
}

/// Runs `work` with [`is_winograd_enabled`] as given, on this thread.
///
/// ```
/// use trueno_tensor::{Tensor, with_winograd};
/// let (x, weight) = (Tensor::<f32, 4>::ones([1, 16, 32, 32]), Tensor::<f32, 4>::ones([16, 16, 3, 3]));
/// let exact = with_winograd(false, || x.conv2d(&weight, None, Default::default()));
/// assert_eq!(exact.at([0, 0, 0, 0]), 144.0);
/// ```
pub fn with_winograd<R>(enabled: bool, work: impl FnOnce() -> R) -> R {
    SWITCH.with(enabled, work)
}
