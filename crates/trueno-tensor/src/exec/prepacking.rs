//! Whether matrices that products meet again are kept packed.

use super::switch::Switch;
use std::cell::Cell;

thread_local!(static SCOPED: Cell<Option<bool>> = const { Cell::new(None) });
static SWITCH: Switch = Switch::new("TRUENO_PREPACKING", &SCOPED);

/// Whether the right operand of a product (the weight of `linear`) is kept packed from the second product on: unless the
/// environment variable `TRUENO_PREPACKING` is `0` or [`with_prepacking`] says otherwise.
///
/// It is where products pack it every time and that costs something beside them: if its columns are not adjacent, as those of a
/// transposed weight, and the left operand has 2 to 256 rows. The copy takes as much memory again and goes with the first write to
/// the elements. Results are the same, bit for bit.
pub fn is_prepacking_enabled() -> bool {
    SWITCH.is_on()
}

/// Runs `work` with [`is_prepacking_enabled`] as given, on this thread.
///
/// ```
/// use trueno_tensor::{Tensor, with_prepacking};
/// let (x, weight) = (Tensor::<f32, 2>::ones([8, 64]), Tensor::<f32, 2>::ones([16, 64]));
/// let packed_each_time = with_prepacking(false, || x.linear(&weight, None));
/// assert_eq!(packed_each_time, x.linear(&weight, None));
/// ```
pub fn with_prepacking<R>(enabled: bool, work: impl FnOnce() -> R) -> R {
    SWITCH.with(enabled, work)
}
