//! Chains of views against a model that moves every element by its index, and slices against NumPy's rules.

use proptest::prelude::*;
use trueno_tensor::DynTensor;
use trueno_tensor::core::{Error, SliceItem};

/// A value as a list of elements in row-major order: what a view must look like from outside.
#[derive(Clone, Debug)]
struct Model {
    shape: Vec<usize>,
    elements: Vec<i64>,
}

fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |prefixes, &size| {
        prefixes.iter().flat_map(|prefix| (0..size).map(move |i| [prefix.as_slice(), &[i]].concat())).collect()
    })
}

impl Model {
    fn ramp(shape: &[usize]) -> Model {
        Model { shape: shape.to_vec(), elements: (0..shape.iter().product::<usize>() as i64).collect() }
    }

    fn at(&self, index: &[usize]) -> i64 {
        assert_eq!(index.len(), self.shape.len());
        self.elements[index.iter().zip(&self.shape).fold(0, |flat, (&i, &size)| flat * size + i)]
    }

    /// The value of `shape` whose element at an index is this one's at `from(index)`.
    fn gather(&self, shape: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Model {
        let elements = indices(&shape).iter().map(|index| self.at(&from(index))).collect();
        Model { shape, elements }
    }
}

/// One step of a chain; what its numbers mean depends on the rank it meets.
#[derive(Clone, Debug)]
struct Step {
    kind: usize,
    a: usize,
    b: usize,
    range: (Option<isize>, Option<isize>, isize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bound = || proptest::option::of(-7_isize..7);
    let step = prop_oneof![-3_isize..0, 1_isize..4];
    let one = (0_usize..8, 0_usize..24, 0_usize..24, (bound(), bound(), step));
    proptest::collection::vec(one.prop_map(|(kind, a, b, range)| Step { kind, a, b, range }), 0..6)
}

/// The positions that Python's `start:stop:step` takes from an axis.
fn positions((start, stop, step): (Option<isize>, Option<isize>, isize), size: usize) -> Vec<usize> {
    let size = size as isize;
    let inside = |bound: isize| {
        let bound = if bound < 0 { bound + size } else { bound };
        if step > 0 { bound.clamp(0, size) } else { bound.clamp(-1, size - 1) }
    };
    let mut at = start.map_or(if step > 0 { 0 } else { size - 1 }, inside);
    let end = stop.map_or(if step > 0 { size } else { -1 }, inside);
    let mut found = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        found.push(at as usize);
        at += step;
    }
    found
}

fn take(step: &Step, x: &DynTensor, model: &Model) -> Result<(DynTensor, Model), Error> {
    let rank = model.shape.len();
    let (axis, shape) = (step.a % rank.max(1), &model.shape);
    Ok(match step.kind {
        0 if rank > 0 => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.rotate_left(axis);
            order.swap(0, step.b % rank);
            let axes: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
            let permuted = model.gather(order.iter().map(|&axis| shape[axis]).collect(), |index| {
                (0..rank).map(|axis| index[order.iter().position(|&from| from == axis).unwrap()]).collect()
            });
            (x.permute(&axes)?, permuted)
        }
        1 if rank > 0 => {
            let flipped = model.gather(shape.clone(), |index| {
                (0..rank).map(|i| if i == axis { shape[i] - 1 - index[i] } else { index[i] }).collect()
            });
            (x.flip(&[axis as isize - rank as isize])?, flipped)
        }
        2 if rank > 0 => {
            let kept = positions(step.range, shape[axis]);
            let mut items = vec![SliceItem::FULL; axis];
            let (start, stop, by) = step.range;
            items.push(SliceItem::Range { start, stop, step: by });
            let mut sizes = shape.clone();
            sizes[axis] = kept.len();
            let sliced = model
                .gather(sizes, |index| (0..rank).map(|i| if i == axis { kept[index[i]] } else { index[i] }).collect());
            (x.slice(&items)?, sliced)
        }
        3 if rank > 0 && shape[axis] > 0 => {
            let at = step.b % shape[axis];
            let mut items = vec![SliceItem::FULL; axis];
            items.push(SliceItem::Index(at as isize - shape[axis] as isize));
            let mut sizes = shape.clone();
            sizes.remove(axis);
            let indexed = model.gather(sizes, |index| [&index[..axis], &[at], &index[axis..]].concat());
            (x.slice(&items)?, indexed)
        }
        4 if rank < 5 => {
            let axis = step.a % (rank + 1);
            let mut sizes = shape.clone();
            sizes.insert(axis, 1);
            (x.unsqueeze(axis as isize)?, Model { shape: sizes, elements: model.elements.clone() })
        }
        5 if rank < 5 => {
            let repeats = 1 + step.b % 3;
            let sizes: Vec<usize> =
                std::iter::once(repeats).chain(shape.iter().map(|&s| if s == 1 { repeats } else { s })).collect();
            let wide = model.gather(sizes.clone(), |index| {
                index[1..].iter().zip(shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
            });
            (x.broadcast_to(&sizes)?, wide)
        }
        6 => {
            let size: usize = shape.iter().product();
            let front = (1..=size.max(1)).filter(|n| size.is_multiple_of(*n)).nth(step.b % 4).unwrap_or(1);
            let sizes = vec![front, size / front];
            (x.reshape(&[front as isize, -1])?, Model { shape: sizes, elements: model.elements.clone() })
        }
        7 if rank > 0 => {
            let start = step.b % (shape[axis] + 1);
            let length = step.a % (shape[axis] - start + 1);
            let mut sizes = shape.clone();
            sizes[axis] = length;
            let narrowed = model.gather(sizes, |index| {
                (0..rank).map(|i| if i == axis { start + index[i] } else { index[i] }).collect()
            });
            (x.narrow(axis as isize, start, length)?, narrowed)
        }
        _ => (x.clone(), model.clone()),
    })
}

proptest! {
    #[test]
    fn chains_of_views_show_what_index_arithmetic_says(
        shape in proptest::collection::vec(0_usize..6, 0..4),
        steps in steps(),
    ) {
        let mut model = Model::ramp(&shape);
        let mut x = DynTensor::from_slice(&model.elements, &shape).unwrap();
        for step in &steps {
            (x, model) = take(step, &x, &model).unwrap();
            prop_assert_eq!(x.shape(), &model.shape[..]);
        }
        prop_assert_eq!(x.to_vec::<i64>().unwrap(), model.elements.clone());
        let copy = x.contiguous().unwrap();
        prop_assert!(copy.layout().is_contiguous());
        prop_assert_eq!(copy.as_slice::<i64>().unwrap(), &model.elements[..]);
    }

    #[test]
    fn new_axes_and_ellipses_stand_where_they_are_written(
        shape in proptest::collection::vec(1_usize..4, 1..4),
        before in 0_usize..3,
        cut in 0_usize..4,
    ) {
        let model = Model::ramp(&shape);
        let x = DynTensor::from_slice(&model.elements, &shape).unwrap();
        let (rank, front) = (shape.len(), cut % (shape.len() + 1));
        let back = before.min(rank - front);
        let items: Vec<SliceItem> = [
            vec![SliceItem::FULL; front], vec![SliceItem::NewAxis, SliceItem::Ellipsis], vec![SliceItem::FULL; back],
        ].concat();
        let sliced = x.slice(&items).unwrap();
        let expected = [&shape[..front], &[1], &shape[front..]].concat();
        prop_assert_eq!(sliced.shape(), &expected[..]);
        prop_assert_eq!(sliced.to_vec::<i64>().unwrap(), model.elements);
    }
}

#[test]
fn positions_that_do_not_exist_are_errors() {
    let x = DynTensor::from_slice(&[1_i64, 2, 3], &[3]).unwrap();
    let index = |at| x.slice(&[SliceItem::Index(at)]);
    assert!(matches!(index(3), Err(Error::Index { index: 3, axis: 0, size: 3, .. })));
    assert!(matches!(index(-4), Err(Error::Index { index: -4, .. })));
    assert!(x.slice(&[SliceItem::Range { start: None, stop: None, step: 0 }]).is_err());
    assert!(x.slice(&[SliceItem::Ellipsis, SliceItem::Ellipsis]).is_err());
    assert!(x.slice(&[SliceItem::FULL, SliceItem::FULL]).is_err());
}
