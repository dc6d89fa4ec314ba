//! Whether 3x3 convolutions may be computed with fewer multiplications.

use std::cell::Cell;
use std::sync::OnceLock;

thread_local! {
    static OVERRIDE: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whether `f32` convolutions with 3x3 kernels and stride 1 use Winograd's algorithm where it is faster: unless the environment variable
/// `TRUENO_WINOGRAD` is `0` or [`with_winograd`] says otherwise.
///
/// It takes a quarter of the multiplications and rounds about as well as a plain sum does where the elements under a kernel are of
/// similar magnitude; errors are relative to the largest of them. Results that are not all finite are computed again directly.
/// `f64` always is.
pub fn is_winograd_enabled() -> bool {
    static DEFAULT: OnceLock<bool> = OnceLock::new();
    let default = || *DEFAULT.get_or_init(|| std::env::var("TRUENO_WINOGRAD").map_or(true, |value| value != "0"));
    OVERRIDE.get().unwrap_or_else(default)
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
    struct Restore(Option<bool>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    let _restore = Restore(OVERRIDE.replace(Some(enabled)));
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_override_ends_with_its_scope() {
        let before = is_winograd_enabled();
        with_winograd(!before, || assert_eq!(is_winograd_enabled(), !before));
        assert_eq!(is_winograd_enabled(), before);
    }
}
