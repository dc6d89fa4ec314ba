//! Against loops that index every element, for rows, columns and the middle of arrays.

use std::vec;
use std::vec::Vec;

use super::*;

/// Arrays of one, two and three axes, with empty ones.
const SHAPES: [AxisBlocks; 7] = [
    AxisBlocks { outer: 1, len: 5, inner: 1 },
    AxisBlocks { outer: 1, len: 4, inner: 7 },
    AxisBlocks { outer: 3, len: 4, inner: 1 },
    AxisBlocks { outer: 2, len: 3, inner: 5 },
    AxisBlocks { outer: 0, len: 3, inner: 5 },
    AxisBlocks { outer: 2, len: 3, inner: 0 },
    AxisBlocks { outer: 2, len: 1, inner: 17 },
];

fn at(shape: AxisBlocks, o: usize, j: usize, i: usize) -> usize {
    (o * shape.len + j) * shape.inner + i
}

fn every(shape: AxisBlocks) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..shape.outer).flat_map(move |o| (0..shape.len).flat_map(move |j| (0..shape.inner).map(move |i| (o, j, i))))
}

fn numbers(len: usize) -> Vec<i64> {
    (0..len as i64).map(|i| i * i % 19 - 5).collect()
}

#[test]
fn rows_there_and_back() {
    for shape in SHAPES {
        for count in [0, 1, 3, 8] {
            let indices: Vec<i64> = (0..count).map(|j| (j * 7 + 2) % shape.len as i64).collect();
            let picked = shape.with_len(indices.len());
            let source = numbers(shape.elements());
            let mut out = vec![77; picked.elements()];
            gather_rows(&source, shape, &indices, &mut out).unwrap();
            for (o, j, i) in every(picked) {
                assert_eq!(out[at(picked, o, j, i)], source[at(shape, o, indices[j] as usize, i)]);
            }
            let mut sums = source.clone();
            scatter_add_rows(&out, &indices, shape, &mut sums).unwrap();
            let mut want = source.clone();
            for (o, j, i) in every(picked) {
                want[at(shape, o, indices[j] as usize, i)] += out[at(picked, o, j, i)];
            }
            assert_eq!(sums, want);
        }
    }
}

#[test]
fn the_range_of_indices_holds_them_all() {
    for isa in Isa::available() {
        assert_eq!(index_range(isa, &[]), [0, -1]);
        for length in [1, 7, 8, 100] {
            for at in [0, length / 2, length - 1] {
                let mut indices = vec![3; length];
                assert_eq!(index_range(isa, &indices), [0, 3]);
                indices[at] = i64::MIN;
                assert_eq!(index_range(isa, &indices)[0], i64::MIN);
                indices[at] = i64::MAX;
                assert_eq!(index_range(isa, &indices), [0, i64::MAX]);
            }
        }
    }
}

#[test]
fn checked_indices_are_followed_and_others_never_leave_the_source() {
    for inner in [1, 3] {
        let shape = AxisBlocks { outer: 2, len: 4, inner };
        let source = numbers(shape.elements());
        let indices: Vec<i64> = (0..shape.elements()).map(|p| (p * 3 % 4) as i64).collect();
        let (mut out, mut want) = (vec![77; indices.len()], vec![0; indices.len()]);
        gather_checked(&source, shape, &indices, 4, &mut out);
        gather(&source, shape, &indices, 4, &mut want).unwrap();
        assert_eq!(out, want);
        // Where a panic ends the process, nobody sees it.
        let wrong: &[i64] = if cfg!(panic = "unwind") { &[-1, 4, i64::MIN] } else { &[] };
        for &wrong in wrong {
            let mut indices = indices.clone();
            indices[inner] = wrong;
            let mut out = out.clone();
            let caught = std::panic::catch_unwind({
                let source = source.clone();
                move || gather_checked(&source, shape, &indices, 4, &mut out)
            });
            assert!(caught.is_err());
        }
    }
}

#[test]
fn elements_there_and_back() {
    for shape in SHAPES {
        for len in [0, 1, 4] {
            let picked = shape.with_len(len);
            let indices: Vec<i64> = (0..picked.elements()).map(|p| (p * p + 1) as i64 % shape.len as i64).collect();
            let source = numbers(shape.elements());
            let mut out = vec![77; picked.elements()];
            gather(&source, shape, &indices, len, &mut out).unwrap();
            let mut want = source.clone();
            for (o, j, i) in every(picked) {
                let position = at(picked, o, j, i);
                let there = at(shape, o, indices[position] as usize, i);
                assert_eq!(out[position], source[there]);
                want[there] += out[position];
            }
            let mut sums = source.clone();
            scatter_add(&out, &indices, len, shape, &mut sums).unwrap();
            assert_eq!(sums, want);
        }
    }
}

#[test]
fn a_bad_index_is_named_and_nothing_is_written() {
    let shape = AxisBlocks { outer: 1, len: 3, inner: 2 };
    let source = [1.0; 6];
    for (indices, index) in [([0, 3], 3), ([1, -1], -1), ([0, i64::MIN], i64::MIN), ([2, i64::MAX], i64::MAX)] {
        let want = Err(IndexError { index, position: 1, size: 3 });
        let mut out = [0.0; 4];
        assert_eq!(gather_rows(&source, shape, &indices, &mut out), want);
        assert_eq!(out, [0.0; 4]);
        let mut sums = source;
        assert_eq!(scatter_add_rows(&out, &indices, shape, &mut sums), want);
        assert_eq!(sums, source);
        let elements = [0, indices[1], 0, 0];
        assert_eq!(gather(&source, shape, &elements, 2, &mut out), want);
        assert_eq!(scatter_add(&out, &elements, 2, shape, &mut sums), want);
    }
}

#[test]
fn an_axis_of_size_zero_has_no_index() {
    let shape = AxisBlocks { outer: 1, len: 0, inner: 2 };
    assert_eq!(gather_rows::<f32>(&[], shape, &[], &mut []), Ok(()));
    let error = gather_rows(&[], shape, &[0], &mut [0.0, 0.0]).unwrap_err();
    assert_eq!(error, IndexError { index: 0, position: 0, size: 0 });
}
