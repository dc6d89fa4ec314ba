//! Against loops over windows in `f64`, on every instruction set.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::Isa;
use crate::simd::Real;

fn numbers<T: Real>(seed: usize, len: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 37 + seed * 11) % 23) as f64 - 11.0)).collect()
}

fn shapes() -> Vec<Pool2dShape> {
    let mut shapes = vec![];
    for (planes, height, width) in [(1, 1, 1), (2, 4, 4), (3, 7, 5), (1, 9, 70), (0, 4, 4), (2, 6, 33)] {
        for (kernel, stride, padding) in [
            ([1, 1], [1, 1], [0, 0]),
            ([2, 2], [2, 2], [0, 0]),
            ([3, 3], [2, 2], [1, 1]),
            ([3, 3], [1, 1], [1, 1]),
            ([2, 3], [1, 2], [1, 0]),
            ([3, 2], [3, 1], [0, 1]),
            ([2, 2], [3, 3], [1, 1]),
            ([4, 4], [1, 3], [2, 2]),
        ] {
            let shape = Pool2dShape { planes, height, width, kernel, stride, padding };
            if shape.output("test").is_ok() {
                shapes.push(shape);
            }
        }
    }
    shapes
}

/// Calls `f` with the position of every window in the output and those of its elements in the input.
fn windows(shape: &Pool2dShape, mut f: impl FnMut(usize, Vec<usize>)) {
    let [height, width] = shape.output("test").unwrap();
    for plane in 0..shape.planes {
        for oy in 0..height {
            for ox in 0..width {
                let mut inside = vec![];
                for ky in 0..shape.kernel[0] {
                    for kx in 0..shape.kernel[1] {
                        let y = (oy * shape.stride[0] + ky).wrapping_sub(shape.padding[0]);
                        let x = (ox * shape.stride[1] + kx).wrapping_sub(shape.padding[1]);
                        if y < shape.height && x < shape.width {
                            inside.push((plane * shape.height + y) * shape.width + x);
                        }
                    }
                }
                f((plane * height + oy) * width + ox, inside);
            }
        }
    }
}

fn every_shape<T: Real>() {
    for isa in Isa::available() {
        for shape in shapes() {
            let [height, width] = shape.output("test").unwrap();
            let x = numbers::<T>(1, shape.input_elements());
            let g = numbers::<T>(2, shape.planes * height * width);
            let (mut largest, mut mean) = (vec![T::NAN; g.len()], vec![T::NAN; g.len()]);
            let mut argmax = vec![-1; g.len()];
            max_pool2d(isa, &shape, &x, &mut largest, Some(&mut argmax));
            let mut gradient = vec![T::NAN; x.len()];
            max_pool2d_gradient(&shape, &g, &argmax, &mut gradient).unwrap();
            let mut without = vec![T::NAN; g.len()];
            max_pool2d(isa, &shape, &x, &mut without, None);
            assert_eq!(largest, without);
            avg_pool2d(isa, &shape, &x, &mut mean);
            let mut avg_gradient = vec![T::NAN; x.len()];
            avg_pool2d_gradient(isa, &shape, &g, &mut avg_gradient);

            let count = (shape.kernel[0] * shape.kernel[1]) as f64;
            let (mut want_avg, mut want_max) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            windows(&shape, |at, inside| {
                let mut first = inside[0];
                for &p in &inside {
                    if x[p] > x[first] {
                        first = p;
                    }
                }
                assert_eq!(largest[at], x[first], "{shape:?} [{at}]");
                assert_eq!(argmax[at] as usize, first % (shape.height * shape.width), "{shape:?} [{at}]");
                want_max[first] += g[at].to_f64();
                let sum: f64 = inside.iter().map(|&p| x[p].to_f64()).sum();
                assert!((mean[at].to_f64() - sum / count).abs() < 1e-5, "{shape:?} [{at}]");
                for p in inside {
                    want_avg[p] += g[at].to_f64() / count;
                }
            });
            for p in 0..x.len() {
                assert_eq!(gradient[p].to_f64(), want_max[p], "{shape:?} [{p}]");
                assert!((avg_gradient[p].to_f64() - want_avg[p]).abs() < 1e-4, "{shape:?} [{p}]");
            }
        }
    }
}

#[test]
fn every_shape_f32() {
    every_shape::<f32>();
}

#[test]
fn every_shape_f64() {
    every_shape::<f64>();
}

#[test]
fn nan_wins_and_the_first_of_equals() {
    let shape = Pool2dShape { planes: 1, height: 2, width: 40, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    for isa in Isa::available() {
        for position in [0, 1, 40, 41, 76, 79] {
            let mut x = [1.0_f32; 80];
            x[position] = f32::NAN;
            let (mut out, mut argmax) = ([0.0; 20], [0; 20]);
            max_pool2d(isa, &shape, &x, &mut out, Some(&mut argmax));
            for window in 0..20 {
                let hit = (position % 40) / 2 == window;
                assert_eq!(out[window].is_nan(), hit);
                assert_eq!(argmax[window] as usize, if hit { position } else { 2 * window });
            }
        }
        let mut x = [f32::NEG_INFINITY; 80];
        x[79] = f32::INFINITY;
        let (mut out, mut argmax) = ([0.0; 20], [-1; 20]);
        max_pool2d(isa, &shape, &x, &mut out, Some(&mut argmax));
        assert_eq!((out[0], argmax[0], out[19], argmax[19]), (f32::NEG_INFINITY, 0, f32::INFINITY, 79));
    }
}

#[test]
fn adaptive_windows_cover_the_plane() {
    for isa in Isa::available() {
        for (input, output) in
            [([7, 5], [3, 2]), ([4, 4], [1, 1]), ([3, 3], [5, 4]), ([8, 40], [2, 1]), ([6, 6], [6, 6])]
        {
            let planes = 2;
            let x = numbers::<f64>(1, planes * input[0] * input[1]);
            let g = numbers::<f64>(2, planes * output[0] * output[1]);
            let (mut y, mut dx) = (vec![0.0; g.len()], vec![7.0; x.len()]);
            adaptive_avg_pool2d(isa, &x, input, output, &mut y);
            adaptive_avg_pool2d_gradient(&g, output, input, &mut dx);
            let mut want = vec![0.0; x.len()];
            for (at, &y) in y.iter().enumerate() {
                let (plane, oy, ox) = (at / output[0] / output[1], at / output[1] % output[0], at % output[1]);
                let rows = oy * input[0] / output[0]..((oy + 1) * input[0]).div_ceil(output[0]);
                let cols = ox * input[1] / output[1]..((ox + 1) * input[1]).div_ceil(output[1]);
                let positions: Vec<usize> =
                    rows.flat_map(|r| cols.clone().map(move |c| (plane * input[0] + r) * input[1] + c)).collect();
                let mean = positions.iter().map(|&p| x[p]).sum::<f64>() / positions.len() as f64;
                assert!((y - mean).abs() < 1e-12, "{input:?} to {output:?} [{at}]: {y} {mean}");
                for &p in &positions {
                    want[p] += g[at] / positions.len() as f64;
                }
            }
            assert!(dx.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-12), "{input:?} to {output:?}");
        }
    }
}

#[test]
fn shapes_that_make_no_sense_are_errors() {
    let good = Pool2dShape { planes: 1, height: 4, width: 4, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    assert!(good.output("max_pool2d").is_ok());
    let bad = [
        Pool2dShape { kernel: [0, 2], ..good },
        Pool2dShape { stride: [2, 0], ..good },
        Pool2dShape { padding: [2, 0], ..good },
        Pool2dShape { kernel: [5, 2], ..good },
    ];
    for shape in bad {
        assert!(shape.output("max_pool2d").is_err(), "{shape:?}");
    }
}
