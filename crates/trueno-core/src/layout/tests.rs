//! What layouts say of themselves, and single cases; chains of views are in tests/layout.rs.

use super::*;
use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;

/// Storage positions in row-major order of the indices.
fn positions(layout: &Layout) -> Vec<usize> {
    let mut found = Vec::new();
    let mut index = std::vec![0_usize; layout.rank()];
    for _ in 0..layout.size() {
        let offset: isize = index.iter().zip(layout.strides()).map(|(&i, &s)| i as isize * s).sum();
        found.push((layout.offset() as isize + offset) as usize);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < layout.shape()[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    found
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..5, 0..5)
}

/// A view of some contiguous layout: axes permuted, some reversed, some cut.
fn views() -> impl Strategy<Value = Layout> {
    (shapes(), any::<[u8; 5]>(), any::<[bool; 5]>(), any::<[bool; 5]>()).prop_map(|(shape, order, flips, cuts)| {
        let mut layout = Layout::contiguous(&shape);
        let mut axes: Vec<isize> = (0..shape.len() as isize).collect();
        axes.sort_by_key(|&axis| order[axis as usize]);
        layout = layout.permute("test", &axes).unwrap();
        for axis in 0..layout.rank() {
            if flips[axis] {
                layout = layout.flip("test", &[axis as isize]).unwrap();
            }
            if cuts[axis] && layout.shape()[axis] > 1 {
                let size = layout.shape()[axis];
                layout = layout.narrow("test", axis as isize, 1, size - 1).unwrap();
            }
        }
        layout
    })
}

proptest! {
    #[test]
    fn contiguous_layouts_count_up(shape in shapes()) {
        let layout = Layout::contiguous(&shape);
        prop_assert!(layout.is_contiguous());
        prop_assert_eq!(positions(&layout), (0..layout.size()).collect::<Vec<_>>());
    }

    #[test]
    fn every_element_lies_within_the_extent(layout in views()) {
        let found = positions(&layout);
        let bounds = found.iter().min().copied().zip(found.iter().max().copied());
        prop_assert_eq!(layout.extent(), bounds);
    }

    #[test]
    fn contiguous_means_row_major_without_gaps(layout in views()) {
        let found = positions(&layout);
        let row_major = found.windows(2).all(|pair| pair[1] == pair[0] + 1);
        prop_assert_eq!(layout.is_contiguous(), row_major);
    }

    #[test]
    fn walks_start_anywhere(layout in views(), first in 0_usize..30) {
        let walk = Collapsed::new([&layout]);
        let all: Vec<[usize; 1]> = walk.runs(0).collect();
        prop_assert_eq!(walk.runs(first).collect::<Vec<_>>(), all.get(first..).unwrap_or(&[]).to_vec());
        for (run, offsets) in all.into_iter().enumerate() {
            prop_assert_eq!(walk.run_offsets(run), offsets);
        }
    }
}

#[test]
fn windows_slide() {
    let windows = Layout::contiguous(&[2, 5]).unfold("test", 1, 3, 2).unwrap();
    assert_eq!(windows.shape(), [2, 2, 3]);
    assert_eq!(positions(&windows), [0, 1, 2, 2, 3, 4, 5, 6, 7, 7, 8, 9]);
    assert!(Layout::contiguous(&[2]).unfold("test", 0, 3, 1).is_err());
    assert!(Layout::contiguous(&[2]).unfold("test", 0, 1, 0).is_err());
}

#[test]
fn axes_come_and_go() {
    let layout = Layout::contiguous(&[2, 3]);
    let wide = layout.unsqueeze("test", -1).unwrap();
    assert_eq!(wide.shape(), [2, 3, 1]);
    assert_eq!(wide.squeeze("test", 2).unwrap(), layout);
    assert_eq!(layout.unsqueeze("test", 0).unwrap().shape(), [1, 2, 3]);
    assert_eq!(layout.swap_axes("test", 0, -1).unwrap().strides(), [1, 3]);
    assert!(layout.squeeze("test", 0).unwrap_err().to_string().contains("size 2 at axis 0"));
    assert!(layout.unsqueeze("test", 4).is_err());
}

#[test]
fn indexing_with_integers_new_axes_and_an_ellipsis() {
    let layout = Layout::contiguous(&[2, 3, 4]);
    let picked = layout.slice("test", &[SliceItem::Ellipsis, SliceItem::NewAxis, SliceItem::Index(-1)]).unwrap();
    assert_eq!((picked.shape(), picked.offset()), (&[2, 3, 1][..], 3));
    let row = layout.slice("test", &[SliceItem::Index(1)]).unwrap();
    assert_eq!(positions(&row), (12..24).collect::<Vec<_>>());
    let beyond = layout.slice("test", &[SliceItem::Index(0), SliceItem::Index(3)]).unwrap_err();
    assert_eq!(beyond, Error::Index { op: "test", index: 3, axis: 1, size: 3 });
    assert!(layout.slice("test", &[SliceItem::Index(0); 4]).is_err());
    assert!(layout.slice("test", &[SliceItem::Ellipsis; 2]).is_err());
    assert!(layout.slice("test", &[SliceItem::Range { start: None, stop: None, step: 0 }]).is_err());
}

#[test]
fn shapes_are_inferred_and_refused() {
    let layout = Layout::contiguous(&[2, 6]);
    assert_eq!(layout.infer_shape("test", &[-1, 4]).unwrap().as_slice(), [3, 4]);
    assert_eq!(Layout::contiguous(&[0, 3]).infer_shape("test", &[-1, 3]).unwrap().as_slice(), [0, 3]);
    for bad in [&[5, -1][..], &[-1, -1], &[13], &[-2, 6]] {
        assert!(layout.infer_shape("test", bad).is_err(), "{bad:?}");
    }
    assert!(Layout::contiguous(&[0]).infer_shape("test", &[0, -1]).is_err());
}

#[test]
fn broadcasting_refuses_what_numpy_refuses() {
    let error = broadcast_shapes("add", &[2, 3], &[2, 4]).unwrap_err();
    let text = "add: shapes [2, 3] and [2, 4] do not broadcast: axis -1 is 3 on the left and 4 on the right \
                (sizes must be equal or 1)";
    assert_eq!(error.to_string(), text);
    assert!(Layout::contiguous(&[3]).broadcast_to("test", &[1]).is_err());
    assert!(Layout::contiguous(&[2, 3]).broadcast_to("test", &[3]).is_err());
    assert!(Layout::contiguous(&[2]).permute("test", &[0, 0]).is_err());
    assert!(Layout::contiguous(&[2, 2]).permute("test", &[0]).is_err());
    assert!(Layout::contiguous(&[2]).narrow("test", 0, 1, 2).is_err());
    assert!(Layout::contiguous(&[2]).narrow("test", 0, usize::MAX, 2).is_err());
    assert_eq!(Layout::contiguous(&[]).axis("sum", 0), Err(Error::Axis { op: "sum", axis: 0, rank: 0 }));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_broadcast_beyond_counting_is_refused() {
    let one = Layout::contiguous(&[1, 1]);
    for shape in [&[1 << 33, 1 << 33][..], &[1 << 33, 1 << 30], &[0, 1 << 33, 1 << 33]] {
        let error = one.broadcast_to("test", shape).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    assert_eq!(one.broadcast_to("test", &[1 << 33, 1 << 29]).unwrap().size(), 1 << 62);
}
