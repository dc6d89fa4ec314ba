use bytemuck::{CheckedBitPattern, NoUninit};
use trueno_core::{Element, bf16};

use super::*;
use crate::device::Device;
use crate::testing::{all, device, gather, read, samples, shaped, upload};

fn back<T: Element + CheckedBitPattern>(result: Result<Buffer>) -> Vec<T> {
    result.unwrap().download("test").wait().unwrap()
}

/// A row-major value of `shape` with the elements of a window replaced.
fn replaced<T: Element>(shape: &[usize], window: &Layout, x: &[T], value: T) -> Vec<T> {
    let count: usize = shape.iter().product();
    let places = gather(&(0..count).collect::<Vec<_>>(), window);
    let mut out = vec![value; count];
    places.into_iter().zip(x).for_each(|(place, &x)| out[place] = x);
    out
}

#[test]
fn slices_are_put_back_where_they_were() {
    let Some(device) = device() else { return };
    let range = |start, stop, step| SliceItem::Range { start, stop, step };
    let cases: Vec<(Vec<usize>, Vec<SliceItem>)> = vec![
        (vec![7], vec![range(Some(2), Some(6), 1)]),
        (vec![7], vec![range(None, None, -2)]),
        (vec![4, 6, 8], vec![range(Some(1), Some(3), 1)]),
        (vec![4, 6, 8], vec![SliceItem::Index(2), range(None, None, 3), range(Some(4), Some(8), 1)]),
        (vec![4, 6, 8], vec![range(None, None, -1), SliceItem::Index(-1), range(Some(7), Some(0), -3)]),
        (vec![3, 1, 5], vec![range(Some(0), Some(1), 1), range(None, None, 1), range(Some(1), None, 2)]),
        (vec![2, 3, 2, 3, 2, 3], vec![range(Some(1), None, 1); 6]),
        (vec![5, 4], vec![range(Some(3), Some(3), 1)]),
        (vec![16, 12], vec![range(Some(4), Some(8), 1), range(Some(4), Some(12), 1)]),
        (vec![], vec![]),
    ];
    for (shape, items) in cases {
        let window = Layout::contiguous(&shape).slice("test", &items).unwrap();
        let values = samples(1, window.size(), [1.0, 2.0]);
        let want = replaced(&shape, &window, &values, 0.0);
        let x = upload(device, &values);
        assert_eq!(read(slice_scatter(&shaped(&x, window.shape()), &shape, &items)), want, "{shape:?} {items:?}");
        let halves: Vec<bf16> = values.iter().map(|&x| bf16::from_f32(x)).collect();
        let want = replaced(&shape, &window, &halves, bf16::ZERO);
        let x = Buffer::from_slice(device, "test", &halves).unwrap();
        assert_eq!(back::<bf16>(slice_scatter(&shaped(&x, window.shape()), &shape, &items)), want, "{shape:?}");
    }
}

#[test]
fn borders_are_of_any_type() {
    fn both<T: Element + NoUninit + CheckedBitPattern>(device: &Device, x: &[T], value: f64, border: T) {
        let buffer = Buffer::from_slice(device, "test", x).unwrap();
        let shapes: [(&[usize], &[[usize; 2]]); 3] =
            [(&[2, 12], &[[0, 1], [4, 4]]), (&[24], &[[1, 2]]), (&[2, 3, 4], &[[0, 0], [1, 0], [0, 3]])];
        for (shape, widths) in shapes {
            let padded: Vec<usize> =
                shape.iter().zip(widths).map(|(size, [before, after])| size + before + after).collect();
            let mut window = Layout::contiguous(&padded);
            for (axis, [before, _]) in widths.iter().enumerate() {
                window = window.narrow("test", axis as isize, *before, shape[axis]).unwrap();
            }
            let want = replaced(&padded, &window, x, border);
            assert_eq!(back::<T>(pad(&shaped(&buffer, shape), widths, value)), want, "{} {shape:?}", T::DTYPE);
        }
    }
    let Some(device) = device() else { return };
    both(device, &samples(1, 24, [-1.0, 1.0]), -2.5, -2.5);
    both(device, &(0..24).map(|i| i * 0x1_0000_0001).collect::<Vec<i64>>(), -3.0, -3_i64);
    both(device, &(0..24).map(f64::from).collect::<Vec<_>>(), 0.1, 0.1);
    both(device, &(0..24).map(|i| i % 3 == 0).collect::<Vec<_>>(), 1.0, true);
    both(device, &(0..24).collect::<Vec<u8>>(), 255.0, 255_u8);
    both(device, &(-12..12).collect::<Vec<i8>>(), -128.0, -128_i8);
    both(device, &(0..24).collect::<Vec<i32>>(), -7.0, -7_i32);
    both(device, &(0..24).map(|i| bf16::from_f32(i as f32)).collect::<Vec<_>>(), 0.5, bf16::from_f32(0.5));
    let x = upload(device, &[]);
    assert_eq!(read(pad(&shaped(&x, &[0, 2]), &[[1, 0], [0, 1]], 3.0)), [3.0; 3]);
    assert!(pad(&all(&x), &[], 0.0).unwrap_err().to_string().contains("one pair per axis"));
}

#[test]
fn operands_are_joined_along_any_axis() {
    let Some(device) = device() else { return };
    for (lead, inner) in [(1, 1), (3, 1), (2, 4), (5, 3)] {
        for lengths in [vec![2], vec![4, 8], vec![1, 0, 3], (0..40).map(|i| i % 4).collect::<Vec<usize>>()] {
            let parts: Vec<Vec<f32>> =
                lengths.iter().zip(1..).map(|(n, s)| samples(s, lead * n * inner, [-1.0, 1.0])).collect();
            let want: Vec<f32> = (0..lead)
                .flat_map(|row| {
                    parts.iter().flat_map(move |part| part.chunks((part.len() / lead).max(1)).nth(row).unwrap_or(&[]))
                })
                .copied()
                .collect();
            let buffers: Vec<Buffer> = parts.iter().map(|part| upload(device, part)).collect();
            let views: Vec<View<'_>> =
                buffers.iter().zip(&lengths).map(|(x, &n)| shaped(x, &[lead, n, inner])).collect();
            assert_eq!(read(concat(&views.iter().collect::<Vec<_>>(), 1)), want, "{lead} {lengths:?} {inner}");
        }
    }
    let (x, y) = (upload(device, &samples(1, 6, [0.0, 1.0])), Buffer::from_slice(device, "test", &[1_i64; 6]).unwrap());
    let turned = Layout::contiguous(&[2, 3]).permute("test", &[1, 0]).unwrap();
    let view = View::new("test", &x, &turned).unwrap();
    let values: Vec<f32> = x.download("test").wait().unwrap();
    let want: Vec<f32> = [gather(&values, &turned), values].concat();
    assert_eq!(read(concat(&[&view, &shaped(&x, &[3, 2])], 0)), want);
    assert_eq!(back::<i64>(concat(&[&all(&y), &all(&y)], 0)), [1; 12]);
    assert!(matches!(concat(&[&all(&x), &all(&y)], 0), Err(Error::DType { .. })));
    assert!(matches!(concat(&[&shaped(&x, &[2, 3]), &shaped(&x, &[3, 2])], 0), Err(Error::ShapePair { .. })));
    assert!(matches!(concat(&[], 0), Err(Error::Argument { .. })));
}

/// Copies by tiles, of elements of 1, 2 and 4 bytes: whole tiles and parts of them, behind an offset, with axes around.
#[test]
fn a_copy_with_another_inner_axis_moves_every_element() {
    let Some(device) = device() else { return };
    let cases = [
        (vec![64, 128], [1, 0].to_vec()),
        (vec![20, 70], [1, 0].to_vec()),
        (vec![68, 17], [1, 0].to_vec()),
        (vec![2, 24, 5, 9], [0, 2, 3, 1].to_vec()),
        (vec![3, 20, 2, 32], [3, 0, 2, 1].to_vec()),
        (vec![2, 3, 16, 36], [1, 3, 0, 2].to_vec()),
    ];
    for (shape, order) in cases {
        let count = shape.iter().product::<usize>() + 2;
        let floats = samples(5, count, [-9.0, 9.0]);
        let halves: Vec<bf16> = floats.iter().map(|&x| bf16::from_f32(x)).collect();
        let bytes: Vec<u8> = (0..count).map(|i| (i % 251) as u8).collect();
        let ints: Vec<i32> = (0..count as i32).map(|i| i.wrapping_mul(-7_919)).collect();
        for skipped in [0, 2] {
            let flat = Layout::contiguous(&[count]).narrow("test", 0, skipped, count - 2).unwrap();
            let layout = flat.reshape(&shape).unwrap().permute("test", &order).unwrap();
            let name = format!("{shape:?} {order:?} {skipped}");
            assert!(
                turned("test", &View::new("test", &upload(device, &floats), &layout).unwrap()).unwrap().is_some(),
                "{name}"
            );
            assert_eq!(copied(device, &floats, &layout), gather(&floats, &layout), "{name}");
            assert_eq!(copied(device, &halves, &layout), gather(&halves, &layout), "{name}");
            assert_eq!(copied(device, &bytes, &layout), gather(&bytes, &layout), "{name}");
            assert_eq!(copied(device, &ints, &layout), gather(&ints, &layout), "{name}");
        }
    }
}

fn copied<T: Element + CheckedBitPattern + NoUninit>(device: &Device, elements: &[T], layout: &Layout) -> Vec<T> {
    let buffer = Buffer::from_slice(device, "test", elements).unwrap();
    back(crate::elementwise::contiguous(&View::new("test", &buffer, layout).unwrap()))
}
