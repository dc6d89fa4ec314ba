//! Normalisation of each row by its own moments.

use super::moments::{gradient_sums, reciprocal_deviation, squares, sum};
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, kernel};

kernel! {
    /// `out = (x - mean) * rstd * weight + bias` for every row of `cols` elements, `rstd = 1 / sqrt(var + eps)` with the biased variance.
    ///
    /// `weight` and `bias` have `cols` elements (1 and 0 where absent). Writes the mean and `rstd` of every row to `stats`, for the gradient.
    ///
    /// # Panics
    /// If a slice is not as long as the shapes say.
    #[allow(clippy::too_many_arguments, reason = "those of the definition")]
    pub fn layer_norm<T: Real>(
        simd: S,
        x: &[T],
        cols: usize,
        weight: Option<&[T]>,
        bias: Option<&[T]>,
        eps: f64,
        out: &mut [T],
        stats: [&mut [T]; 2],
    ) {
        let [means, rstds] = stats;
        check(cols, means.len(), &[x, out], &[weight, bias]);
        assert_eq!(rstds.len(), means.len(), "rstd");
        let rows = x.chunks_exact(cols.max(1)).zip(out.chunks_exact_mut(cols.max(1)));
        for ((x, out), (mean, rstd)) in rows.zip(means.iter_mut().zip(rstds)) {
            *mean = T::from_f64(sum::<T::Vector<S>>(simd, x) / cols as f64);
            *rstd = reciprocal_deviation(squares::<T::Vector<S>>(simd, x, *mean) / cols as f64, eps);
            normalise_row::<T::Vector<S>>(simd, x, *mean, *rstd, weight, bias, out);
        }
    }
}

/// `out = (x - mean) * rstd * weight + bias`.
#[inline(always)]
pub(super) fn normalise_row<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    mean: V::Elem,
    rstd: V::Elem,
    weight: Option<&[V::Elem]>,
    bias: Option<&[V::Elem]>,
    out: &mut [V::Elem],
) {
    let (mean, rstd) = (V::splat(simd, mean), V::splat(simd, rstd));
    for from in (0..x.len()).step_by(V::LANES) {
        let mut y = read::<V>(simd, x, from).sub(mean).mul(rstd);
        if let Some(weight) = weight {
            y = y.mul(read::<V>(simd, weight, from));
        }
        if let Some(bias) = bias {
            y = y.add(read::<V>(simd, bias, from));
        }
        write(y, out, from);
    }
}

kernel! {
    /// The gradient of [`layer_norm`] by `x`, from the gradient `g` of its result and the `[mean, rstd]` that it gave.
    ///
    /// # Panics
    /// If a slice is not as long as the shapes say.
    pub fn layer_norm_gradient_input<T: Real>(
        simd: S, x: &[T], g: &[T], cols: usize, weight: Option<&[T]>, stats: [&[T]; 2], out: &mut [T],
    ) {
        let [means, rstds] = stats;
        check(cols, means.len(), &[x, g, out], &[weight]);
        assert_eq!(rstds.len(), means.len(), "rstd");
        let width = cols.max(1);
        let rows = x.chunks_exact(width).zip(g.chunks_exact(width)).zip(out.chunks_exact_mut(width));
        for (((x, g), out), (&mean, &rstd)) in rows.zip(means.iter().zip(rstds)) {
            let [total, product] = gradient_sums::<T::Vector<S>>(simd, x, g, weight, mean);
            let (n, r) = (cols as f64, rstd.to_f64());
            // dx = rstd * (gw - mean(gw) - xhat * mean(gw * xhat))
            let slope = T::from_f64(product / n * r * r);
            let mean_g = T::from_f64(total / n);
            input_row::<T::Vector<S>>(simd, x, g, weight, [mean, rstd, slope, mean_g], out);
        }
    }
}

/// `out = rstd * (g * weight - mean_g - (x - mean) * slope)`.
#[inline(always)]
pub(super) fn input_row<V: RealVector>(
    simd: V::Token,
    x: &[V::Elem],
    g: &[V::Elem],
    weight: Option<&[V::Elem]>,
    [mean, rstd, slope, mean_g]: [V::Elem; 4],
    out: &mut [V::Elem],
) {
    let (mean, rstd) = (V::splat(simd, mean), V::splat(simd, rstd));
    let (slope, mean_g) = (V::splat(simd, slope), V::splat(simd, mean_g));
    for from in (0..x.len()).step_by(V::LANES) {
        let mut g = read::<V>(simd, g, from);
        if let Some(weight) = weight {
            g = g.mul(read::<V>(simd, weight, from));
        }
        let distance = read::<V>(simd, x, from).sub(mean);
        write(distance.neg_mul_add(slope, g.sub(mean_g)).mul(rstd), out, from);
    }
}

kernel! {
    /// Adds the gradients of [`layer_norm`] by `weight` and `bias` to `d_weight` and `d_bias`, `cols` elements each, row by row.
    ///
    /// Callers that use threads give each a fixed run of rows and its own sums, and add those in order.
    ///
    /// # Panics
    /// If a slice is not as long as the shapes say.
    pub fn layer_norm_gradient_params<T: Real>(
        simd: S, x: &[T], g: &[T], cols: usize, stats: [&[T]; 2], d_weight: &mut [T], d_bias: &mut [T],
    ) {
        let [means, rstds] = stats;
        check(cols, means.len(), &[x, g], &[Some(&*d_weight), Some(&*d_bias)]);
        assert_eq!(rstds.len(), means.len(), "rstd");
        let rows = x.chunks_exact(cols.max(1)).zip(g.chunks_exact(cols.max(1)));
        for ((x, g), (&mean, &rstd)) in rows.zip(means.iter().zip(rstds)) {
            let (mean, rstd) = (T::Vector::<S>::splat(simd, mean), T::Vector::<S>::splat(simd, rstd));
            for from in (0..cols).step_by(T::Vector::<S>::LANES) {
                let g = read::<T::Vector<S>>(simd, g, from);
                let normal = read::<T::Vector<S>>(simd, x, from).sub(mean).mul(rstd);
                write(g.mul_add(normal, read::<T::Vector<S>>(simd, d_weight, from)), d_weight, from);
                write(g.add(read::<T::Vector<S>>(simd, d_bias, from)), d_bias, from);
            }
        }
    }
}

/// Panics unless arrays have `rows` of `cols` elements and parameters `cols`.
fn check<T>(cols: usize, rows: usize, arrays: &[&[T]], params: &[Option<&[T]>]) {
    for array in arrays {
        assert_eq!(array.len(), rows * cols, "array of {rows} rows of {cols}");
    }
    for param in params.iter().flatten() {
        assert_eq!(param.len(), cols, "parameter");
    }
}
