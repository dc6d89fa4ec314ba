//! The batches that samples make by themselves: tensors with one more axis, the batch's.

use trueno_core::Element;
use trueno_tensor::{Raise, Raised, Rank, Tensor, stack};

use crate::collate::Collate;
use crate::images::Image;

/// A sample that knows how to be put into a batch.
///
/// Numbers make a vector, tensors a tensor with one more axis in front, tuples a tuple of batches, and
/// images what a classifier trains on.
///
/// ```
/// use trueno_data::Stack;
/// use trueno_tensor::prelude::*;
///
/// let samples = vec![(tensor![1.0, 2.0], 5_i64), (tensor![3.0, 4.0], 7)];
/// let (x, y) = Stack::stack(samples);
/// assert_eq!(x, tensor![[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(y, tensor![5_i64, 7]);
/// ```
pub trait Stack: Sized {
    /// What several samples become.
    type Batch: Send;

    /// The batch of these samples, in this order.
    ///
    /// # Panics
    /// If the samples have different shapes, which a data set must not let happen, or if there are none and they
    /// would have had to say what shape the batch has.
    fn stack(items: Vec<Self>) -> Self::Batch;
}

/// Makes batches with [`Stack`]: what a [`DataLoader`](crate::DataLoader) does unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stacked;

impl<Item: Stack> Collate<Item> for Stacked {
    type Batch = Item::Batch;

    fn collate(&self, items: Vec<Item>) -> Item::Batch {
        Item::stack(items)
    }
}

/// The tensor of elements that were counted while they were gathered, so only memory can be missing.
fn gathered<T: Element, const N: usize>(elements: &[T], shape: [usize; N]) -> Tensor<T, N> {
    Tensor::from_slice(elements, shape).unwrap_or_else(|error| panic!("Stack: {error}"))
}

macro_rules! stack_numbers {
    ($($number:ty),*) => {$(
        impl Stack for $number {
            type Batch = Tensor<$number, 1>;

            fn stack(items: Vec<$number>) -> Tensor<$number, 1> {
                gathered(&items, [items.len()])
            }
        }
    )*};
}

stack_numbers!(bool, u8, i32, u32, i64, f32, f64);

impl<T: Element, const N: usize> Stack for Tensor<T, N>
where
    Rank<N>: Raise,
    Raised<T, N>: Send,
{
    type Batch = Raised<T, N>;

    fn stack(items: Vec<Tensor<T, N>>) -> Raised<T, N> {
        stack(&items.iter().collect::<Vec<_>>(), 0)
    }
}

macro_rules! stack_tuples {
    ($(($($name:ident $position:tt $part:ident),+))*) => {$(
        impl<$($name: Stack),+> Stack for ($($name,)+) {
            type Batch = ($($name::Batch,)+);

            fn stack(items: Vec<Self>) -> Self::Batch {
                $(let mut $part = Vec::with_capacity(items.len());)+
                for item in items {
                    $($part.push(item.$position);)+
                }
                ($($name::stack($part),)+)
            }
        }
    )*};
}

stack_tuples! { (A 0 a, B 1 b) (A 0 a, B 1 b, C 2 c) (A 0 a, B 1 b, C 2 c, D 3 d) }

/// Normalised pixels `[batch, channel, row, column]` and classes `[batch]`.
impl Stack for Image {
    type Batch = (Tensor<f32, 4>, Tensor<i64, 1>);

    fn stack(items: Vec<Image>) -> Self::Batch {
        let [channels, height, width] = items.first().map_or([0; 3], Image::shape);
        let mut values = Vec::with_capacity(items.len() * channels * height * width);
        let mut labels = Vec::with_capacity(items.len());
        for image in &items {
            assert_eq!(image.shape(), [channels, height, width], "Stack: the images of a batch differ in shape");
            values.extend(image.values());
            labels.push(i64::from(image.label()));
        }
        (gathered(&values, [items.len(), channels, height, width]), gathered(&labels, [items.len()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, ImageSet};
    use trueno_tensor::prelude::*;

    #[test]
    fn numbers_and_nested_tuples_stack() {
        let (flags, (small, halves)) = Stack::stack(vec![(true, (1_u8, 0.5_f64)), (false, (2, 1.5))]);
        assert_eq!(flags, tensor![true, false]);
        assert_eq!(small, tensor![1_u8, 2]);
        assert_eq!(halves, tensor![0.5_f64, 1.5]);
        let (a, b, c, d) = Stack::stack(vec![(1_i32, 2_u32, 3_i64, 4.0_f32)]);
        assert_eq!((a, b, c, d), (tensor![1_i32], tensor![2_u32], tensor![3_i64], tensor![4.0]));
    }

    #[test]
    fn tensors_gain_an_axis_in_front() {
        let rows = vec![tensor![[1, 2]], tensor![[3, 4]], tensor![[5, 6]]];
        assert_eq!(Stack::stack(rows), tensor![[[1, 2]], [[3, 4]], [[5, 6]]]);
        assert_eq!(Stack::stack(vec![Tensor::scalar(1.0), Tensor::scalar(2.0)]), tensor![1.0, 2.0]);
    }

    #[test]
    fn images_become_normalised_values_and_labels() {
        let set = ImageSet::new(vec![0, 255, 255, 0], [1, 1, 2], vec![3, 1], 4).unwrap().normalized(&[0.5], &[0.5]);
        let set = set.unwrap();
        let (images, labels) = Stack::stack(vec![set.get(0), set.get(1)]);
        assert_eq!(images, tensor![[[[-1.0, 1.0]]], [[[1.0, -1.0]]]]);
        assert_eq!(labels, tensor![3_i64, 1]);
    }

    #[test]
    #[should_panic(expected = "the images of a batch differ in shape")]
    fn images_of_two_sizes_do_not_stack() {
        let image = |width| ImageSet::new(vec![0; width], [1, 1, width], vec![0], 1).unwrap().get(0);
        Stack::stack(vec![image(1), image(2)]);
    }
}
