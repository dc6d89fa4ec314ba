use bytemuck::{CheckedBitPattern, NoUninit};
use trueno_core::{Element, Layout, bf16, f16};
use trueno_kernels::sort::Sortable;

use super::*;
use crate::device::Device;
use crate::testing::{all, device, samples, shaped, upload};

fn list(result: Result<Buffer>) -> Vec<i64> {
    result.unwrap().download("test").wait().unwrap()
}

/// Positions, sorted elements and the first three positions of rows, against a stable sort by the processor's ranks and keys.
fn both<T>(device: &Device, rows: usize, x: &[T])
where
    T: Element + NoUninit + CheckedBitPattern + Sortable,
{
    let length = x.len() / rows;
    let buffer = Buffer::from_slice(device, "test", x).unwrap();
    let view = shaped(&buffer, &[rows, length]);
    for descending in [false, true] {
        let name = format!("{} {rows} {length} {descending}", T::DTYPE);
        let (mut want, mut sorted) = (Vec::new(), Vec::new());
        for row in x.chunks(length) {
            let mut order: Vec<usize> = (0..length).collect();
            let turn = |rank: i64| if descending { !rank } else { rank };
            order.sort_by_key(|&i| turn(row[i].rank()));
            want.extend(order.iter().map(|&i| i as i64));
            let mut row = row.to_vec();
            if descending {
                row.sort_by_key(|x| x.reversed_key())
            } else {
                row.sort_by_key(|x| x.key())
            }
            sorted.extend(row);
        }
        assert_eq!(list(argsort(&view, 1, descending)), want, "{name}");
        let k = length.min(3);
        let first: Vec<i64> = want.chunks(length).flat_map(|row| row[..k].to_vec()).collect();
        assert_eq!(list(topk(&view, 1, k, descending)), first, "{name}");
        let got: Vec<T> = sort(&view, 1, descending).unwrap().download("test").wait().unwrap();
        // By keys, since no NaN equals another.
        let keys = |x: &[T]| x.iter().map(|x| x.key()).collect::<Vec<_>>();
        assert!(keys(&got) == keys(&sorted), "{name}");
    }
}

#[test]
fn short_and_long_rows_are_sorted_in_any_type() {
    let Some(device) = device() else { return };
    for (rows, length) in [(1, 1), (3, 7), (2, 1024), (2, 1025), (1, 20_001)] {
        let mut x: Vec<f32> =
            samples(1, rows * length, [-4.0, 4.0]).iter().map(|x| (x * 16.0).round() / 16.0).collect();
        both(device, rows, &x.iter().map(|x| (x * 16.0) as i32).collect::<Vec<_>>());
        both(device, rows, &x.iter().map(|x| (x * 16.0) as i64 * 0x0123_4567_89AB).collect::<Vec<_>>());
        both(device, rows, &x.iter().map(|x| (x * 16.0 + 64.0) as u8).collect::<Vec<_>>());
        both(device, rows, &x.iter().map(|x| (x * 32.0) as i8).collect::<Vec<_>>());
        let special = [f32::NAN, 0.0, -0.0, f32::INFINITY, -f32::NAN, f32::NEG_INFINITY, 0.0];
        x.iter_mut().skip(5).step_by(3).zip(special).for_each(|(x, special)| *x = special);
        both(device, rows, &x);
        both(device, rows, &x.iter().map(|&x| f64::from(x) * 1e200).collect::<Vec<_>>());
    }
}

#[test]
fn half_precision_and_truth_values_are_sorted() {
    let Some(device) = device() else { return };
    for length in [9, 1500] {
        let x = samples(2, length, [-4.0, 4.0]);
        let mut order: Vec<i64> = (0..length as i64).collect();
        let halves: Vec<f16> = x.iter().map(|&x| f16::from_f32(x)).collect();
        order.sort_by(|&a, &b| halves[a as usize].total_cmp(&halves[b as usize]));
        assert_eq!(list(argsort(&all(&Buffer::from_slice(device, "test", &halves).unwrap()), 0, false)), order);
        let brains: Vec<bf16> = x.iter().map(|&x| bf16::from_f32(x)).collect();
        let sorted = sort(&all(&Buffer::from_slice(device, "test", &brains).unwrap()), 0, true).unwrap();
        let sorted: Vec<bf16> = sorted.download("test").wait().unwrap();
        assert!(sorted.windows(2).all(|pair| pair[0] >= pair[1]));
        let flags: Vec<bool> = x.iter().map(|&x| x > 0.0).collect();
        let places = list(argsort(&all(&Buffer::from_slice(device, "test", &flags).unwrap()), 0, true));
        let held = flags.iter().filter(|&&flag| flag).count();
        assert!(places[..held].iter().all(|&i| flags[i as usize]) && places[..held].is_sorted());
        assert!(places[held..].iter().all(|&i| !flags[i as usize]) && places[held..].is_sorted());
    }
}

#[test]
fn any_axis_of_a_view_is_sorted_and_nothing_stays_nothing() {
    let Some(device) = device() else { return };
    let x = Buffer::from_slice(device, "test", &[3_i32, 1, 2, 9, 8, 7]).unwrap();
    let sorted = |view: &View<'_>, axis| sort(view, axis, false).unwrap().download::<i32>("test").wait().unwrap();
    assert_eq!(sorted(&shaped(&x, &[3, 2]), 0), [2, 1, 3, 7, 8, 9]);
    assert_eq!(list(argsort(&shaped(&x, &[3, 2]), 0, true)), [2, 1, 0, 2, 1, 0]);
    let turned = Layout::contiguous(&[3, 2]).permute("test", &[1, 0]).unwrap();
    assert_eq!(sorted(&View::new("test", &x, &turned).unwrap(), 1), [2, 3, 8, 1, 7, 9]);
    let none = upload(device, &[]);
    assert!(list(argsort(&shaped(&none, &[2, 0]), 1, false)).is_empty());
    assert!(list(argsort(&shaped(&none, &[2, 0]), 0, false)).is_empty());
    assert!(list(topk(&shaped(&x, &[2, 3]), 1, 0, true)).is_empty());
    assert!(topk(&all(&x), 0, 7, true).unwrap_err().to_string().starts_with("topk: k = 7"));
    assert!(matches!(sort(&all(&x), 1, true), Err(Error::Axis { op: "sort", .. })));
}
