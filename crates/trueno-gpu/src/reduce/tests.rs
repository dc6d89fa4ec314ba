use trueno_core::table::ReduceOp;
use trueno_core::{DType, Error, Layout, f16};

use super::*;
use crate::testing::{all, assert_close, device, gather, is_close, read, samples, shaped, upload, wide};

/// The reduced elements of each kept position of a view.
fn groups<T: Copy>(values: &[T], layout: &Layout, axes: &[usize]) -> Vec<Vec<T>> {
    let rank = layout.rank();
    let kept: Vec<isize> = (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| axis as isize).collect();
    let order: Vec<isize> = kept.iter().copied().chain(axes.iter().map(|&axis| axis as isize)).collect();
    let moved = layout.permute("test", &order).unwrap();
    let length: usize = axes.iter().map(|&axis| layout.shape()[axis]).product();
    gather(values, &moved).chunks(length.max(1)).map(<[T]>::to_vec).collect()
}

/// The oracle over the axes of a view.
fn oracle(op: ReduceOp, values: &[f32], layout: &Layout, axes: &[usize], correction: f64) -> Vec<f64> {
    let groups = groups(values, layout, axes).into_iter();
    groups.map(|group| op.eval(&group.into_iter().map(f64::from).collect::<Vec<_>>(), correction)).collect()
}

fn cases() -> Vec<(Layout, Vec<usize>)> {
    let cube = Layout::contiguous(&[6, 20, 36]);
    vec![
        (Layout::contiguous(&[3, 4096]), vec![1]),
        (Layout::contiguous(&[4320]), vec![0]),
        (Layout::contiguous(&[90, 48]), vec![0]),
        (Layout::contiguous(&[61, 7]), vec![1]),
        (Layout::contiguous(&[61, 7]), vec![0]),
        (cube.clone(), vec![1]),
        (cube.clone(), vec![0, 2]),
        (cube.clone(), vec![2, 0, 1]),
        (cube.permute("test", &[2, 0, 1]).unwrap(), vec![0]),
        (cube.flip("test", &[1, 2]).unwrap(), vec![1]),
        (cube.narrow("test", 2, 3, 17).unwrap(), vec![1, 2]),
        (Layout::contiguous(&[8]).broadcast_to("test", &[5, 8]).unwrap(), vec![0]),
        (Layout::contiguous(&[1, 1]), vec![0]),
        (cube, vec![]),
    ]
}

#[test]
fn rows_agree_with_the_oracle_over_any_axes() {
    let Some(device) = device() else { return };
    let values = samples(1, 12_288, [-2.0, 2.0]);
    let x = upload(device, &values);
    for &op in ReduceOp::ALL {
        for (layout, axes) in cases() {
            let view = View::new("test", &x, &layout).unwrap();
            let want = oracle(op, &values, &layout, &axes, 0.0);
            let result = reduce(op, &view, &axes, 0.0).unwrap();
            if result.dtype() == DType::Bool {
                let got: Vec<bool> = result.download("test").wait().unwrap();
                assert_eq!(got, want.iter().map(|&w| w != 0.0).collect::<Vec<_>>(), "{} {layout:?}", op.name());
                continue;
            }
            let got: Vec<f32> = result.download("test").wait().unwrap();
            // A sum is off by what its terms round to, whatever cancels.
            let scale = if op == ReduceOp::Sum { 20.0 } else { 1.0 };
            let name = format!("{} over {axes:?} of {layout:?}", op.name());
            assert_close(&name, &got, &want, op.info().tolerance[0].max(2e-6) * scale);
        }
    }
}

#[test]
fn long_rows_are_made_in_parts_that_join_the_same_way_twice() {
    let Some(device) = device() else { return };
    let values = samples(2, 300_000, [-1.0, 1.0]);
    let x = upload(device, &values);
    let sum = |view: &View<'_>, axes: &[usize]| read(reduce(ReduceOp::Sum, view, axes, 0.0));
    let want: f64 = values.iter().map(|&x| f64::from(x)).sum();
    let got = sum(&all(&x), &[0]);
    assert!((f64::from(got[0]) - want).abs() < 1e-3, "{} against {want}", got[0]);
    assert_eq!(got, sum(&all(&x), &[0]));
    let columns = shaped(&x, &[3000, 100]);
    let got = sum(&columns, &[0]);
    let want = oracle(ReduceOp::Sum, &values, &Layout::contiguous(&[3000, 100]), &[0], 0.0);
    assert_close("columns", &got, &want, 1e-4);
    let spread = read(reduce(ReduceOp::Std, &columns, &[0], 1.0));
    let want = oracle(ReduceOp::Std, &values, &Layout::contiguous(&[3000, 100]), &[0], 1.0);
    assert_close("std", &spread, &want, 2e-6);
}

#[test]
fn extremes_see_nan_and_integers() {
    let Some(device) = device() else { return };
    for at in [0, 3, 700] {
        let mut values = samples(3, 1024, [-2.0, 2.0]);
        values[at] = f32::NAN;
        let x = upload(device, &values);
        for op in [ReduceOp::Max, ReduceOp::Min, ReduceOp::NormInf, ReduceOp::Sum] {
            assert!(read(reduce(op, &all(&x), &[0], 0.0))[0].is_nan(), "{} with NaN at {at}", op.name());
        }
    }
    let x = upload(device, &[f32::NEG_INFINITY; 8]);
    assert!(is_close(read(reduce(ReduceOp::Max, &all(&x), &[0], 0.0))[0], f64::NEG_INFINITY, 0.0));
    let integers = Buffer::from_slice(device, "test", &[3_i32, -9, 7, i32::MIN, 5, 0]).unwrap();
    let view = shaped(&integers, &[2, 3]);
    let largest: Vec<i32> = reduce(ReduceOp::Max, &view, &[1], 0.0).unwrap().download("test").wait().unwrap();
    assert_eq!(largest, [7, 5]);
    let every: Vec<bool> = reduce(ReduceOp::All, &view, &[1], 0.0).unwrap().download("test").wait().unwrap();
    assert_eq!(every, [true, false]);
    let sums = |x: &View<'_>, axes: &[usize]| -> Vec<i64> {
        reduce(ReduceOp::Sum, x, axes, 0.0).unwrap().download("test").wait().unwrap()
    };
    assert_eq!(sums(&view, &[1]), [1, i64::from(i32::MIN) + 5]);
    assert_eq!(sums(&view, &[0]), [3 + i64::from(i32::MIN), -4, 7]);
    let many: Vec<i64> = (0..5000).map(|i| (i - 2000) << 40).collect();
    let many = Buffer::from_slice(device, "test", &many).unwrap();
    assert_eq!(
        sums(&shaped(&many, &[1250, 2, 2]), &[0, 2]),
        [0_i64, 2].map(|first| { (0..1250).map(|i| 2 * ((4 * i + first - 2000) << 40) + (1 << 40)).sum::<i64>() })
    );
    assert_eq!(sums(&shaped(&many, &[0, 3]), &[0]), [0; 3]);
    assert!(matches!(reduce(ReduceOp::Mean, &view, &[1], 0.0), Err(Error::DType { .. })));
}

#[test]
fn halves_join_in_single_precision() {
    let Some(device) = device() else { return };
    let halves: Vec<f16> = (0..5000).map(|i| f16::from_f32((i % 7) as f32 * 0.01)).collect();
    let x = Buffer::from_slice(device, "test", &halves).unwrap();
    let mean: Vec<f16> = reduce(ReduceOp::Mean, &all(&x), &[0], 0.0).unwrap().download("test").wait().unwrap();
    let want = f16::from_f64(halves.iter().map(|x| x.to_f64()).sum::<f64>() / 5000.0);
    assert!(mean[0].to_bits().abs_diff(want.to_bits()) <= 1);
}

#[test]
fn nothing_and_wrong_axes() {
    let Some(device) = device() else { return };
    let x = upload(device, &[1.0; 6]);
    let empty = View::contiguous("test", &x, &[2, 0]).unwrap();
    assert_eq!(read(reduce(ReduceOp::Sum, &empty, &[1], 0.0)), [0.0; 2]);
    assert!(matches!(reduce(ReduceOp::Max, &empty, &[1], 0.0), Err(Error::Shape { .. })));
    assert!(read(reduce(ReduceOp::Max, &empty, &[0], 0.0)).is_empty());
    let view = shaped(&x, &[2, 3]);
    assert!(matches!(reduce(ReduceOp::Sum, &view, &[2], 0.0), Err(Error::Axis { .. })));
    assert!(matches!(reduce(ReduceOp::Sum, &view, &[1, 1], 0.0), Err(Error::Argument { .. })));
}

#[test]
fn sums_of_truths_count_them() {
    let Some(device) = device() else { return };
    let truths: Vec<bool> = (0..70_001).map(|i| i % 3 == 0).collect();
    let x = Buffer::from_slice(device, "test", &truths).unwrap();
    let count = reduce(ReduceOp::Sum, &View::contiguous("test", &x, &[70_001]).unwrap(), &[0], 0.0).unwrap();
    assert_eq!(count.download::<i64>("test").wait().unwrap(), [23_334]);
    let rows = View::new("test", &x, &Layout::contiguous(&[70_001]).narrow("test", 0, 1, 7).unwrap()).unwrap();
    let empty = reduce(ReduceOp::Sum, &rows, &[], 0.0).unwrap();
    assert_eq!(empty.download::<i64>("test").wait().unwrap(), [0, 0, 1, 0, 0, 1, 0]);
}

#[test]
fn doubles_agree_with_the_oracle_over_any_axes() {
    let Some(device) = wide() else { return };
    let values: Vec<f64> = samples(1, 12_288, [-2.0, 2.0]).into_iter().map(|x| f64::from(x) * (1.0 + 1e-10)).collect();
    let x = Buffer::from_slice(device, "test", &values).unwrap();
    for &op in ReduceOp::ALL {
        for (layout, axes) in cases() {
            let view = View::new("test", &x, &layout).unwrap();
            let groups = groups(&values, &layout, &axes);
            let want: Vec<f64> = groups.iter().map(|group| op.eval(group, 0.0)).collect();
            let result = reduce(op, &view, &axes, 0.0).unwrap();
            if result.dtype() == DType::Bool {
                let got: Vec<bool> = result.download("test").wait().unwrap();
                assert_eq!(got, want.iter().map(|&w| w != 0.0).collect::<Vec<_>>(), "{} {layout:?}", op.name());
                continue;
            }
            let got: Vec<f64> = result.download("test").wait().unwrap();
            assert_eq!(got.len(), want.len());
            for ((got, want), group) in got.iter().zip(&want).zip(&groups) {
                // Terms cancel in sums: errors are relative to the terms.
                let scale = group.iter().map(|x| x.abs()).sum::<f64>().max(want.abs()) + 1e-300;
                let bound = if op == ReduceOp::Prod { 1e-12 * want.abs() } else { 1e-14 * scale };
                let near = (got - want).abs() <= bound;
                assert!(
                    got == want || near || (got.is_nan() && want.is_nan()),
                    "{} {layout:?}: {got} {want}",
                    op.name()
                );
            }
        }
    }
    let corrected = reduce(ReduceOp::Var, &shaped(&x, &[2, 3]), &[1], 1.0).unwrap();
    let got: Vec<f64> = corrected.download("test").wait().unwrap();
    let want = ReduceOp::Var.eval(&values[..3], 1.0);
    assert!((got[0] - want).abs() <= 1e-14 * want, "{got:?} {want}");
}

#[test]
fn integers_of_64_bits_agree_with_the_processor() {
    use trueno_kernels::{Isa, reduce::reduce_int};
    let Some(device) = wide() else { return };
    // Sums and products overflow, and wrap.
    let mut values: Vec<i64> = (0..12_288_i64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) | 1).collect();
    for (at, value) in [(5, i64::MIN), (77, i64::MAX), (4100, 0), (9000, i64::MIN)] {
        values[at] = value;
    }
    let narrow: Vec<i32> = values.iter().map(|&x| (x >> 40) as i32 | 1).collect();
    let [x, n] = [Buffer::from_slice(device, "test", &values), Buffer::from_slice(device, "test", &narrow)];
    let (x, n) = (x.unwrap(), n.unwrap());
    let joined = |op: ReduceOp, group: &[i64]| {
        let mut acc = [0];
        reduce_int(Isa::best(), op, group, &mut acc);
        acc[0]
    };
    for (layout, axes) in cases() {
        for op in [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min] {
            let got = reduce(op, &View::new("test", &x, &layout).unwrap(), &axes, 0.0).unwrap();
            let want: Vec<i64> = groups(&values, &layout, &axes).iter().map(|group| joined(op, group)).collect();
            assert_eq!(got.download::<i64>("test").wait().unwrap(), want, "{} {layout:?}", op.name());
        }
        let got = reduce(ReduceOp::Prod, &View::new("test", &n, &layout).unwrap(), &axes, 0.0).unwrap();
        let wide: Vec<i64> = narrow.iter().map(|&x| i64::from(x)).collect();
        let want: Vec<i64> = groups(&wide, &layout, &axes).iter().map(|group| joined(ReduceOp::Prod, group)).collect();
        assert_eq!(got.download::<i64>("test").wait().unwrap(), want, "products of int32, {layout:?}");
        for op in [ReduceOp::Any, ReduceOp::All] {
            let got = reduce(op, &View::new("test", &x, &layout).unwrap(), &axes, 0.0).unwrap();
            let want: Vec<bool> = groups(&values, &layout, &axes).iter().map(|group| joined(op, group) != 0).collect();
            assert_eq!(got.download::<bool>("test").wait().unwrap(), want, "{} {layout:?}", op.name());
        }
    }
    let none = Buffer::from_slice::<i64>(device, "test", &[]).unwrap();
    let product = reduce(ReduceOp::Prod, &shaped(&none, &[2, 0]), &[1], 0.0).unwrap();
    assert_eq!(product.download::<i64>("test").wait().unwrap(), [1, 1]);
    assert!(matches!(reduce(ReduceOp::Max, &shaped(&none, &[2, 0]), &[1], 0.0), Err(Error::Shape { .. })));
    assert!(matches!(reduce(ReduceOp::Mean, &all(&x), &[0], 0.0), Err(Error::DType { .. })));
}
