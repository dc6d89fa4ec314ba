//! Against the definition in `f64`, on every instruction set.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;

fn numbers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 37 + seed * 11) % 101) as f64 / 10.0 - 5.0)).collect()
}

/// Loss and gradient (for a scale of 1) of one row.
fn reference(row: &[f64], label: usize, smoothing: f64) -> (f64, Vec<f64>) {
    let sum: f64 = row.iter().map(|x| x.exp()).sum();
    let target = |c| smoothing / row.len() as f64 + if c == label { 1.0 - smoothing } else { 0.0 };
    let loss = row.iter().enumerate().map(|(c, x)| target(c) * (sum.ln() - x)).sum();
    (loss, row.iter().enumerate().map(|(c, x)| x.exp() / sum - target(c)).collect())
}

fn against_the_definition<T: Real>() {
    let tolerance = 20.0 * T::EPSILON.to_f64();
    for isa in Isa::available() {
        for (rows, classes) in [(0, 3), (1, 1), (4, 3), (3, 10), (5, 33), (2, 1000)] {
            for smoothing in [0.0, 0.1, 1.0] {
                let options = CrossEntropy { classes, ignore: -100, smoothing };
                let logits = numbers::<T>(1, rows * classes);
                let labels: Vec<i64> =
                    (0..rows).map(|r| if r == 2 { -100 } else { (r * 7 % classes) as i64 }).collect();
                let scale = numbers::<T>(2, rows);
                let (mut losses, mut gradient) = (vec![T::NAN; rows], vec![T::NAN; rows * classes]);
                cross_entropy(isa, options, &logits, &labels, &mut losses).unwrap();
                cross_entropy_gradient(isa, options, &logits, &labels, &scale, &mut gradient).unwrap();
                for r in 0..rows {
                    let row: Vec<f64> = logits[r * classes..][..classes].iter().map(|x| x.to_f64()).collect();
                    let (loss, slopes) =
                        if r == 2 { (0.0, vec![0.0; classes]) } else { reference(&row, labels[r] as usize, smoothing) };
                    assert!(
                        (losses[r].to_f64() - loss).abs() <= tolerance * (1.0 + loss),
                        "{classes} classes: {} {loss}",
                        losses[r].to_f64()
                    );
                    for (c, slope) in slopes.iter().enumerate() {
                        let (got, want) = (gradient[r * classes + c].to_f64(), slope * scale[r].to_f64());
                        assert!((got - want).abs() <= tolerance, "{classes} classes [{r}, {c}]: {got} {want}");
                    }
                }
            }
        }
    }
}

#[test]
fn against_the_definition_f32() {
    against_the_definition::<f32>();
}

#[test]
fn against_the_definition_f64() {
    against_the_definition::<f64>();
}

#[test]
fn far_logits_keep_their_digits() {
    let options = CrossEntropy { classes: 2, ignore: -100, smoothing: 0.0 };
    for isa in Isa::available() {
        let mut loss = [0.0_f32];
        cross_entropy(isa, options, &[10_000.0, 10_000.0], &[0], &mut loss).unwrap();
        assert_eq!(loss, [core::f32::consts::LN_2]);
    }
}

#[test]
fn labels_are_checked_before_anything_is_written() {
    let options = CrossEntropy { classes: 3, ignore: -100, smoothing: 0.0 };
    for bad in [3, -1, i64::MIN, i64::MAX] {
        let want = Err(IndexError { index: bad, position: 1, size: 3 });
        let mut losses = [7.0; 2];
        assert_eq!(cross_entropy(Isa::best(), options, &[0.0; 6], &[0, bad], &mut losses), want);
        assert_eq!(losses, [7.0; 2]);
        let mut out = [7.0; 6];
        assert_eq!(cross_entropy_gradient(Isa::best(), options, &[0.0; 6], &[0, bad], &[1.0; 2], &mut out), want);
        assert_eq!(out, [7.0; 6]);
    }
}

#[test]
fn ignored_rows_are_counted_out() {
    let options = CrossEntropy { classes: 3, ignore: 1, smoothing: 0.0 };
    assert_eq!(options.counted(&[0, 1, 2, 1]), 2);
}
