//! Casts.

use trueno_core::Element;

use crate::Isa;

/// `out[i]` is `x[i]` in another type: rounded to nearest even, truncated and saturated, or compared with 0.
///
/// # Panics
/// If the slices differ in length.
pub fn convert<A: Element, B: Element>(_isa: Isa, x: &[A], out: &mut [B]) {
    assert_eq!(x.len(), out.len(), "a cast keeps the number of elements");
    for (out, x) in out.iter_mut().zip(x) {
        *out = B::from_f64(x.to_f64());
    }
}
