use trueno_core::{Layout, f16};

use super::*;
use crate::testing::{all, assert_close, device, gather as elements, read, samples, shaped, upload, wide};
use crate::{Device, Options, Selector};

fn positions(device: &Device, list: &[i64]) -> Buffer {
    Buffer::from_slice(device, "test", list).unwrap()
}

fn wrap(position: i64, size: usize) -> usize {
    if position < 0 { (position + size as i64) as usize } else { position as usize }
}

/// The coordinates of every element of a row-major shape.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let steps: Vec<usize> = (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect();
    (0..shape.iter().product()).map(|at| (0..shape.len()).map(|i| at / steps[i] % shape[i]).collect()).collect()
}

fn flat(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, size)| at * size + i)
}

#[test]
fn slices_are_selected_and_added_back() {
    let Some(device) = device() else { return };
    let list = [2, -1, 0, 2, -3, 1, 2];
    let cases: [(&[usize], usize); 6] =
        [(&[3], 0), (&[3, 4], 0), (&[3, 64], 0), (&[5, 3], 1), (&[2, 3, 4], 1), (&[2, 4, 3], 2)];
    for (shape, axis) in cases {
        let values = samples(1, shape.iter().product(), [-1.0, 1.0]);
        let reversed: Vec<usize> = shape.iter().rev().copied().collect();
        let back: Vec<isize> = (0..shape.len() as isize).rev().collect();
        let turned = Layout::contiguous(&reversed).permute("test", &back).unwrap();
        let (x, index) = (upload(device, &values), positions(device, &list));
        let mut selected = shape.to_vec();
        selected[axis] = list.len();
        let from = |index: &[usize]| {
            let mut index = index.to_vec();
            index[axis] = wrap(list[index[axis]], 3);
            flat(&index, shape)
        };
        for layout in [Layout::contiguous(shape), turned] {
            let source = elements(&values, &layout);
            let want: Vec<f32> = indices(&selected).iter().map(|index| source[from(index)]).collect();
            let view = View::new("test", &x, &layout).unwrap();
            assert_eq!(read(index_select(&view, axis, &all(&index))), want, "{layout:?} {axis}");
        }
        let g = samples(2, selected.iter().product(), [-1.0, 1.0]);
        let mut sums = vec![0.0_f32; values.len()];
        indices(&selected).iter().zip(&g).for_each(|(index, g)| sums[from(index)] += g);
        let dg = upload(device, &g);
        // In the order of the axis, so that no bit differs.
        assert_eq!(read(index_add(&shaped(&dg, &selected), axis, 3, &all(&index))), sums, "{shape:?} {axis}");
    }
}

#[test]
fn elements_are_gathered_and_added_back() {
    let Some(device) = device() else { return };
    let cases: [(&[usize], &[usize], usize); 4] =
        [(&[3], &[5], 0), (&[4, 3], &[2, 6], 1), (&[3, 2, 4], &[2, 2, 3], 0), (&[300, 5], &[1000, 5], 0)];
    for (shape, reach, axis) in cases {
        let size = shape[axis] as i64;
        let values = samples(1, shape.iter().product(), [-1.0, 1.0]);
        let all_of = indices(reach);
        let list: Vec<i64> = (0..all_of.len() as i64).map(|i| i * 5 % (2 * size) - size).collect();
        let (x, index) = (upload(device, &values), positions(device, &list));
        let index = shaped(&index, reach);
        let from = |i: usize| {
            let mut index = all_of[i].clone();
            index[axis] = wrap(list[i], shape[axis]);
            flat(&index, shape)
        };
        let want: Vec<f32> = (0..list.len()).map(|i| values[from(i)]).collect();
        assert_eq!(read(gather(&shaped(&x, shape), axis, &index)), want, "{shape:?}");
        let g = samples(2, list.len(), [-1.0, 1.0]);
        let mut sums = vec![0.0_f32; values.len()];
        g.iter().enumerate().for_each(|(i, g)| sums[from(i)] += g);
        let g = upload(device, &g);
        assert_eq!(read(scatter_add(&shaped(&g, reach), axis, shape, &index)), sums, "{shape:?}");
    }
}

#[test]
fn any_type_is_selected_and_nothing_stays_nothing() {
    let Some(device) = device() else { return };
    let (index, none) = (positions(device, &[1, -1, 1]), positions(device, &[]));
    let flags = Buffer::from_slice(device, "test", &[true, false, true]).unwrap();
    let picked = index_select(&all(&flags), 0, &all(&index)).unwrap();
    assert_eq!(picked.download::<bool>("test").wait().unwrap(), [false, true, false]);
    let wide = positions(device, &[7, 1 << 40, -9, 3, 5, 8, 4, 6]);
    let picked = index_select(&shaped(&wide, &[2, 4]), 0, &all(&index)).unwrap();
    assert_eq!(picked.download::<i64>("test").wait().unwrap(), [[5, 8, 4, 6]; 3].concat());
    let halves: Vec<f16> = (0..12).map(|i| f16::from_f32(i as f32)).collect();
    let g = Buffer::from_slice(device, "test", &halves).unwrap();
    let sums = index_add(&shaped(&g, &[3, 4]), 0, 2, &all(&index)).unwrap();
    let sums: Vec<f32> = sums.download::<f16>("test").wait().unwrap().iter().map(|x| x.to_f32()).collect();
    assert_eq!(sums, [0.0, 0.0, 0.0, 0.0, 12.0, 15.0, 18.0, 21.0]);
    let x = upload(device, &[1.0; 6]);
    assert!(read(index_select(&shaped(&x, &[3, 2]), 0, &all(&none))).is_empty());
    let nothing = upload(device, &[]);
    assert_close("zeros", &read(index_add(&shaped(&nothing, &[0, 3]), 0, 2, &all(&none))), &[0.0; 6], 0.0);
    let empty = shaped(&none, &[0, 2]);
    assert!(read(gather(&shaped(&x, &[3, 2]), 0, &empty)).is_empty());
    assert_close("zeros", &read(scatter_add(&shaped(&nothing, &[0, 2]), 0, &[2, 2], &empty)), &[0.0; 4], 0.0);
}

#[test]
fn positions_outside_are_an_error_once_something_is_read() {
    let Some(_) = device() else { return };
    // A device of its own: others may read at any time.
    let device = &Device::open(&Selector::from_env().unwrap(), &Options::default()).unwrap();
    let x = upload(device, &[1.0; 6]);
    for bad in [3, -4, i64::MIN, 1 << 32, -(1 << 32)] {
        let list = positions(device, &[0, bad]);
        let view = shaped(&x, &[2, 3]);
        let told = |result: Result<Buffer>, op: &'static str| {
            let error = result.unwrap().download::<f32>("read").wait().unwrap_err();
            assert_eq!(error, Error::Index { op, index: bad, axis: 1, size: 3 });
        };
        told(index_select(&view, 1, &all(&list)), "index_select");
        told(gather(&view, 1, &shaped(&list, &[2, 1])), "gather");
        let g = upload(device, &[1.0; 4]);
        told(index_add(&shaped(&g, &[2, 2]), 1, 3, &all(&list)), "index_add");
        let g = upload(device, &[1.0; 2]);
        told(scatter_add(&shaped(&g, &[2, 1]), 1, &[2, 3], &shaped(&list, &[2, 1])), "scatter_add");
        // Told once.
        assert_eq!(x.download::<f32>("read").wait().unwrap(), [1.0; 6]);
    }
    let none = upload(device, &[]);
    let error = index_select(&shaped(&none, &[0, 2]), 0, &all(&positions(device, &[0]))).unwrap_err();
    assert!(matches!(error, Error::Index { size: 0, .. }), "{error}");
}

#[test]
fn errors_name_what_is_wrong() {
    let Some(device) = device() else { return };
    let (x, list) = (upload(device, &[1.0; 6]), positions(device, &[0; 12]));
    let view = shaped(&x, &[2, 3]);
    let refused = |result: Result<Buffer>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refused(index_select(&view, 0, &all(&x)), "positions are int64");
    refused(index_select(&view, 2, &all(&list)), "axis 2");
    refused(index_select(&view, 0, &shaped(&list, &[2, 2])), "rank 1");
    refused(gather(&view, 0, &all(&list)), "rank 2");
    refused(gather(&view, 1, &shaped(&list, &[4, 3])), "not larger than [2, 3]");
    refused(index_add(&view, 0, 5, &all(&list)), "one slice per position");
    refused(scatter_add(&view, 0, &[2, 3], &shaped(&list, &[2, 2])), "one position per element");
    refused(index_add(&shaped(&list, &[2, 6]), 0, 5, &shaped(&list, &[2])), "int64");
}

#[test]
fn doubles_are_added_at_their_places() {
    let Some(device) = wide() else { return };
    let list = positions(device, &[2, 0, -1, 2]);
    for width in [3, 4] {
        let g: Vec<f64> = (0..4 * width).map(|i| 1.0 + i as f64 * 1e-12).collect();
        let there = Buffer::from_slice(device, "test", &g).unwrap();
        let row = |i: usize| &g[i * width..][..width];
        let sums: Vec<f64> = (0..width).map(|i| row(0)[i] + row(2)[i] + row(3)[i]).collect();
        let want = [row(1), &vec![0.0; width], &sums].concat();
        let got = index_add(&shaped(&there, &[4, width]), 0, 3, &all(&list)).unwrap();
        assert_eq!(got.download::<f64>("test").wait().unwrap(), want);
    }
    let g = Buffer::from_slice(device, "test", &[0.1_f64, 0.2, 0.4, 0.8]).unwrap();
    let got = scatter_add(&all(&g), 0, &[3], &all(&list)).unwrap();
    assert_eq!(got.download::<f64>("test").wait().unwrap(), [0.2, 0.0, 0.1 + 0.4 + 0.8]);
    let integers = Buffer::from_slice(device, "test", &[1_i64; 4]).unwrap();
    assert!(matches!(scatter_add(&all(&integers), 0, &[3], &all(&list)), Err(Error::DType { .. })));
}
