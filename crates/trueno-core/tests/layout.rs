//! Views against a model that really moves elements: after any chain of views, a layout must lead to the same elements
//! in the same order as the model.

use proptest::collection::vec;
use proptest::prelude::*;
use trueno_core::{Collapsed, Error, Layout, SliceItem, broadcast_shapes};

/// An array that holds its elements in row-major order. An element is the place it had in the original storage.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    shape: Vec<usize>,
    elements: Vec<usize>,
}

impl Model {
    fn contiguous(shape: &[usize]) -> Self {
        Model { shape: shape.to_vec(), elements: (0..shape.iter().product()).collect() }
    }

    /// What a layout leads to.
    fn of(layout: &Layout) -> Self {
        let place = |index: &[usize]| {
            let steps = index.iter().zip(layout.strides()).map(|(&i, &stride)| i as isize * stride);
            (layout.offset() as isize + steps.sum::<isize>()) as usize
        };
        let elements = indices(layout.shape()).map(|index| place(&index)).collect();
        Model { shape: layout.shape().to_vec(), elements }
    }

    /// The array of `shape` whose element at an index is this array's at `source` of that index.
    fn gather(&self, shape: Vec<usize>, source: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let elements = indices(&shape).map(|index| self.at(&source(&index))).collect();
        Model { shape, elements }
    }

    fn at(&self, index: &[usize]) -> usize {
        let place = index.iter().zip(&self.shape).fold(0, |place, (&i, &size)| {
            assert!(i < size, "{index:?} is outside {:?}", self.shape);
            place * size + i
        });
        self.elements[place]
    }
}

/// Every index of a shape, in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let shape = shape.to_vec();
    (0..shape.iter().product()).map(move |mut number: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = number % shape[axis];
            number /= shape[axis];
        }
        index
    })
}

/// A view, with numbers that are fitted to the shape it is applied to.
#[derive(Clone, Debug)]
enum View {
    Permute(u8),
    Swap(u8, u8),
    Flip(u8),
    Unsqueeze(u8),
    Squeeze(u8),
    Narrow(u8, u8, u8),
    Unfold(u8, u8, u8),
    Broadcast(u8),
    Slice(u8, Option<i8>, Option<i8>, i8),
    Index(u8, i8),
}

fn any_view() -> impl Strategy<Value = View> {
    let bound = || proptest::option::of(-7_i8..7);
    prop_oneof![
        any::<u8>().prop_map(View::Permute),
        any::<(u8, u8)>().prop_map(|(a, b)| View::Swap(a, b)),
        any::<u8>().prop_map(View::Flip),
        any::<u8>().prop_map(View::Unsqueeze),
        any::<u8>().prop_map(View::Squeeze),
        any::<(u8, u8, u8)>().prop_map(|(a, b, c)| View::Narrow(a, b, c)),
        any::<(u8, u8, u8)>().prop_map(|(a, b, c)| View::Unfold(a, b, c)),
        any::<u8>().prop_map(View::Broadcast),
        (any::<u8>(), bound(), bound(), prop_oneof![-3_i8..0, 1_i8..4])
            .prop_map(|(a, b, c, d)| View::Slice(a, b, c, d)),
        (any::<u8>(), any::<i8>()).prop_map(|(a, b)| View::Index(a, b)),
    ]
}

/// Applies a view to both; `None` where it does not fit this shape.
fn apply(layout: &Layout, model: &Model, view: &View) -> Option<(Layout, Model)> {
    let rank = model.shape.len();
    let axis_of = |number: u8| (rank > 0).then(|| number as usize % rank);
    // Alternately from the front and from the end.
    let signed =
        |axis: usize, number: u8| if number.is_multiple_of(2) { axis as isize } else { axis as isize - rank as isize };
    match *view {
        View::Permute(number) => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.rotate_left(if rank > 0 { number as usize % rank } else { 0 });
            if number > 127 && rank > 1 {
                order.swap(0, 1);
            }
            let axes: Vec<isize> = order.iter().map(|&axis| signed(axis, number)).collect();
            let shape = order.iter().map(|&axis| model.shape[axis]).collect();
            let source = |index: &[usize]| {
                let mut from = vec![0; index.len()];
                order.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
                from
            };
            Some((layout.permute("test", &axes).unwrap(), model.gather(shape, source)))
        }
        View::Swap(a, b) => {
            let (first, second) = (axis_of(a)?, axis_of(b)?);
            let mut shape = model.shape.clone();
            shape.swap(first, second);
            let swapped = model.gather(shape, |index| {
                let mut from = index.to_vec();
                from.swap(first, second);
                from
            });
            Some((layout.swap_axes("test", signed(first, b), signed(second, a)).unwrap(), swapped))
        }
        View::Flip(number) => {
            let axis = axis_of(number)?;
            let flipped = model.gather(model.shape.clone(), |index| {
                let mut from = index.to_vec();
                from[axis] = model.shape[axis] - 1 - index[axis];
                from
            });
            Some((layout.flip("test", &[signed(axis, number / 2)]).unwrap(), flipped))
        }
        View::Unsqueeze(number) => {
            let axis = number as usize % (rank + 1);
            let mut shape = model.shape.clone();
            shape.insert(axis, 1);
            let request = if number > 127 { axis as isize - rank as isize - 1 } else { axis as isize };
            let model = Model { shape, elements: model.elements.clone() };
            Some((layout.unsqueeze("test", request).unwrap(), model))
        }
        View::Squeeze(number) => {
            let axis = axis_of(number)?;
            let squeezed = layout.squeeze("test", axis as isize);
            if model.shape[axis] != 1 {
                assert!(matches!(squeezed, Err(Error::Shape { .. })));
                return None;
            }
            let mut shape = model.shape.clone();
            shape.remove(axis);
            Some((squeezed.unwrap(), Model { shape, elements: model.elements.clone() }))
        }
        View::Narrow(number, start, length) => {
            let axis = axis_of(number)?;
            let (start, length) = (start as usize % 6, length as usize % 6);
            let narrowed = layout.narrow("test", axis as isize, start, length);
            if start + length > model.shape[axis] {
                assert!(matches!(narrowed, Err(Error::Argument { .. })));
                return None;
            }
            let mut shape = model.shape.clone();
            shape[axis] = length;
            let model = model.gather(shape, |index| {
                let mut from = index.to_vec();
                from[axis] += start;
                from
            });
            Some((narrowed.unwrap(), model))
        }
        View::Unfold(number, size, step) => {
            let axis = axis_of(number)?;
            let (size, step) = (size as usize % 5, step as usize % 4);
            let unfolded = layout.unfold("test", axis as isize, size, step);
            if step == 0 || size > model.shape[axis] {
                assert!(matches!(unfolded, Err(Error::Argument { .. })));
                return None;
            }
            let mut shape = model.shape.clone();
            shape[axis] = (model.shape[axis] - size) / step + 1;
            shape.push(size);
            let model = model.gather(shape, |index| {
                let (&inside, position) = index.split_last().unwrap();
                let mut from = position.to_vec();
                from[axis] = position[axis] * step + inside;
                from
            });
            Some((unfolded.unwrap(), model))
        }
        View::Broadcast(number) => {
            let lead = (number % 2) as usize;
            let widen = |&size: &usize| if size == 1 { 1 + number as usize % 3 } else { size };
            let shape: Vec<usize> = std::iter::repeat_n(2, lead).chain(model.shape.iter().map(widen)).collect();
            let model = model.gather(shape.clone(), |index| {
                index[lead..].iter().zip(&model.shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
            });
            Some((layout.broadcast_to("test", &shape).unwrap(), model))
        }
        View::Slice(number, start, stop, step) => {
            let axis = axis_of(number)?;
            let taken = python_range(start, stop, step, model.shape[axis]);
            let mut shape = model.shape.clone();
            shape[axis] = taken.len();
            let model = model.gather(shape, |index| {
                let mut from = index.to_vec();
                from[axis] = taken[index[axis]];
                from
            });
            let range = SliceItem::Range {
                start: start.map(isize::from),
                stop: stop.map(isize::from),
                step: isize::from(step),
            };
            let mut items = vec![SliceItem::FULL; axis];
            items.push(range);
            Some((layout.slice("test", &items).unwrap(), model))
        }
        View::Index(number, index) => {
            let axis = axis_of(number)?;
            let size = model.shape[axis] as isize;
            let index = isize::from(index) % 6;
            // The axis is counted from the end here, behind an ellipsis.
            let mut items = vec![SliceItem::Ellipsis, SliceItem::Index(index)];
            items.extend(vec![SliceItem::FULL; rank - axis - 1]);
            let picked = layout.slice("test", &items);
            if !(-size..size).contains(&index) {
                assert!(matches!(picked, Err(Error::Index { .. })));
                return None;
            }
            let mut shape = model.shape.clone();
            shape.remove(axis);
            let model = model.gather(shape, |rest| {
                let mut from = rest.to_vec();
                from.insert(axis, index.rem_euclid(size) as usize);
                from
            });
            Some((picked.unwrap(), model))
        }
    }
}

/// The positions of `range(size)[start:stop:step]`, found by walking: Python's rule without its arithmetic.
fn python_range(start: Option<i8>, stop: Option<i8>, step: i8, size: usize) -> Vec<usize> {
    let size = size as i64;
    let from_end = |bound: i8| if bound < 0 { i64::from(bound) + size } else { i64::from(bound) };
    let forward = step > 0;
    let mut position = match start.map(from_end) {
        None => {
            if forward {
                0
            } else {
                size - 1
            }
        }
        Some(start) => {
            if forward {
                start.max(0)
            } else {
                start.min(size - 1)
            }
        }
    };
    let ends = |position: i64| match stop.map(from_end) {
        None => !(0..size).contains(&position),
        Some(stop) => !(0..size).contains(&position) || if forward { position >= stop } else { position <= stop },
    };
    let mut taken = Vec::new();
    while !ends(position) {
        taken.push(position as usize);
        position += i64::from(step);
    }
    taken
}

proptest! {
    #[test]
    fn any_chain_of_views_leads_to_the_right_elements(
        shape in vec(0_usize..5, 0..4),
        views in vec(any_view(), 0..6),
    ) {
        let mut layout = Layout::contiguous(&shape);
        let mut model = Model::contiguous(&shape);
        let storage = model.elements.len();
        for view in &views {
            if let Some(next) = apply(&layout, &model, view) {
                (layout, model) = next;
            }
            prop_assert_eq!(Model::of(&layout), model.clone(), "after {:?}", view);
            prop_assert_eq!(layout.size(), model.elements.len());
            let reached = model.elements.iter().min().copied().zip(model.elements.iter().max().copied());
            prop_assert_eq!(layout.extent(), reached);
            prop_assert!(reached.is_none_or(|(_, last)| last < storage));
            let in_order = model.elements.windows(2).all(|pair| pair[1] == pair[0] + 1);
            prop_assert_eq!(layout.is_contiguous(), in_order, "{:?}", layout);
        }
    }

    #[test]
    fn a_reshape_keeps_the_elements_in_order(
        shape in vec(1_usize..5, 0..4),
        views in vec(any_view(), 0..4),
        cuts in vec(1_usize..4, 0..4),
    ) {
        let mut layout = Layout::contiguous(&shape);
        let mut model = Model::contiguous(&shape);
        for view in &views {
            if let Some(next) = apply(&layout, &model, view) {
                (layout, model) = next;
            }
        }
        // A shape of as many elements: factors that divide what is left, then the rest, then a 1.
        let mut rest = layout.size();
        let mut target: Vec<usize> = Vec::new();
        for cut in cuts {
            if rest > 0 && rest.is_multiple_of(cut) {
                target.push(cut);
                rest /= cut;
            }
        }
        target.extend([rest, 1]);
        let wanted = Model { shape: target.clone(), elements: model.elements };
        match layout.reshape(&target) {
            Some(reshaped) => prop_assert_eq!(Model::of(&reshaped), wanted),
            None => prop_assert!(!can_be_strided(&wanted), "{:?} as {:?}", layout, target),
        }
    }

    #[test]
    fn collapsed_runs_visit_every_element_in_order(
        shape in vec(0_usize..4, 0..4),
        views in vec(any_view(), 0..4),
        first in 0_usize..6,
    ) {
        let mut layout = Layout::contiguous(&shape);
        let mut model = Model::contiguous(&shape);
        for view in &views {
            if let Some(next) = apply(&layout, &model, view) {
                (layout, model) = next;
            }
        }
        let other = Layout::contiguous(&model.shape);
        let walk = Collapsed::new([&layout, &other]);
        prop_assert_eq!(walk.outer() * walk.inner(), layout.size());
        let [step, other_step] = walk.inner_strides();
        let mut visited = Vec::new();
        for (run, [start, other_start]) in walk.runs(0).enumerate() {
            prop_assert_eq!(walk.run_offsets(run), [start, other_start]);
            for i in 0..walk.inner() as isize {
                visited.push((start as isize + i * step) as usize);
                prop_assert_eq!((other_start as isize + i * other_step) as usize, visited.len() - 1);
            }
        }
        prop_assert_eq!(visited, model.elements);
        let late: Vec<_> = walk.runs(first).collect();
        prop_assert_eq!(late, walk.runs(0).skip(first).collect::<Vec<_>>());
    }

    #[test]
    fn broadcasting_is_symmetric_and_takes_the_larger_size(
        lhs in vec(0_usize..4, 0..4),
        rhs in vec(0_usize..4, 0..4),
    ) {
        let size = |dims: &[usize], back: usize| dims.len().checked_sub(back).map(|axis| dims[axis]);
        let rank = lhs.len().max(rhs.len());
        let wrong = (1..=rank).find(|&back| match (size(&lhs, back), size(&rhs, back)) {
            (Some(a), Some(b)) => a != b && a != 1 && b != 1,
            _ => false,
        });
        match (broadcast_shapes("test", &lhs, &rhs), wrong) {
            (Ok(shape), None) => {
                prop_assert_eq!(&shape, &broadcast_shapes("test", &rhs, &lhs).unwrap());
                prop_assert_eq!(shape.len(), rank);
                for back in 1..=rank {
                    let sizes = [size(&lhs, back), size(&rhs, back)].map(|size| size.unwrap_or(1));
                    let wanted = if sizes[0] == 1 { sizes[1] } else { sizes[0] };
                    prop_assert_eq!(shape[rank - back], wanted);
                }
            }
            (Err(Error::Broadcast { axis, .. }), Some(back)) => prop_assert_eq!(axis, -(back as isize)),
            (result, wrong) => prop_assert!(false, "{:?} and {:?}", result, wrong),
        }
    }
}

/// Whether some strides over the storage give these elements in this order.
fn can_be_strided(model: &Model) -> bool {
    let steps: Vec<isize> = (0..model.shape.len())
        .map(|axis| {
            let mut index = vec![0; model.shape.len()];
            let start = model.at(&index) as isize;
            if model.shape[axis] > 1 {
                index[axis] = 1;
            }
            model.at(&index) as isize - start
        })
        .collect();
    let start = model.elements[0] as isize;
    indices(&model.shape).zip(&model.elements).all(|(index, &element)| {
        let place = start + index.iter().zip(&steps).map(|(&i, step)| i as isize * step).sum::<isize>();
        place == element as isize
    })
}

#[test]
fn axes_that_do_not_exist_are_errors() {
    let layout = Layout::contiguous(&[2, 3]);
    for axis in [2, -3, 7] {
        assert!(matches!(layout.axis("test", axis), Err(Error::Axis { rank: 2, .. })), "{axis}");
        assert!(matches!(layout.flip("test", &[axis]), Err(Error::Axis { .. })));
        assert!(matches!(layout.swap_axes("test", 0, axis), Err(Error::Axis { .. })));
    }
    assert!(layout.unsqueeze("test", 2).is_ok());
    assert!(layout.unsqueeze("test", 3).is_err());
    assert!(matches!(layout.permute("test", &[0, 0]), Err(Error::Argument { .. })));
    assert!(matches!(layout.permute("test", &[0]), Err(Error::Argument { .. })));
    assert!(matches!(layout.broadcast_to("test", &[3]), Err(Error::Broadcast { axis: -2, .. })));
    assert!(matches!(layout.broadcast_to("test", &[2, 4]), Err(Error::Broadcast { axis: -1, .. })));
}

#[test]
fn slices_that_make_no_sense_are_errors() {
    let layout = Layout::contiguous(&[2, 3]);
    let still = SliceItem::Range { start: None, stop: None, step: 0 };
    assert!(matches!(layout.slice("test", &[still]), Err(Error::Argument { .. })));
    assert!(matches!(layout.slice("test", &[SliceItem::Ellipsis; 2]), Err(Error::Argument { .. })));
    assert!(matches!(layout.slice("test", &[SliceItem::FULL; 3]), Err(Error::Argument { .. })));
    let grown = layout.slice("test", &[SliceItem::NewAxis, SliceItem::Ellipsis, SliceItem::NewAxis]).unwrap();
    assert_eq!(grown.shape(), [1, 2, 3, 1]);
}

#[test]
fn one_size_may_be_left_open() {
    let layout = Layout::contiguous(&[2, 6]);
    let infer = |shape: &[isize]| layout.infer_shape("test", shape).map(|shape| shape.to_vec());
    assert_eq!(infer(&[-1]).unwrap(), [12]);
    assert_eq!(infer(&[3, -1, 2]).unwrap(), [3, 2, 2]);
    assert_eq!(infer(&[4, 3]).unwrap(), [4, 3]);
    for wrong in [&[-1, -1][..], &[5, -1], &[4, 4], &[0, -1], &[-2, 6], &[isize::MAX, isize::MAX]] {
        assert!(matches!(infer(wrong), Err(Error::Shape { .. })), "{wrong:?}");
    }
    assert_eq!(Layout::contiguous(&[0, 3]).infer_shape("test", &[3, -1]).unwrap().as_slice(), [3, 0]);
}
