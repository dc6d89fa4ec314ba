//! Layer, batch and group normalisation, with their gradients.
//!
//! Means and variances are taken in two passes (the mean first, then the squares of the distances from it), in lanes
//! for a few hundred elements each and in `f64` from there, so that neither a large mean nor a long row costs digits.
//!
//! ```
//! use trueno_kernels::{Isa, norm::layer_norm};
//!
//! let (mut y, mut mean, mut rstd) = ([0.0; 4], [0.0; 1], [0.0; 1]);
//! layer_norm(Isa::best(), &[1.0, 3.0, 1.0, 3.0], 4, None, None, 0.0, &mut y, [&mut mean, &mut rstd]);
//! assert_eq!((y, mean, rstd), ([-1.0, 1.0, -1.0, 1.0], [2.0], [1.0]));
//! ```

mod batch;
mod columns;
mod group;
mod layer;
mod moments;
#[cfg(test)]
mod tests;

pub use batch::{
    ChannelShape, batch_moments, batch_norm, batch_norm_gradient_eval, batch_norm_gradient_sums,
    batch_norm_gradient_train, rstd,
};
pub use group::{GroupShape, group_norm, group_norm_gradient};
pub use layer::{layer_norm, layer_norm_gradient_input, layer_norm_gradient_params};
