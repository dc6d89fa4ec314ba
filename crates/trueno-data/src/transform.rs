//! Random changes of images, for [`Dataset::augment`](crate::Dataset::augment).

use crate::dataset::Transform;
use crate::images::Image;
use crate::random::SampleRng;

/// Pads the image with zeros on all sides and crops it to its size at a random place: a shift by up to
/// `padding` pixels along each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomCrop {
    /// How many pixels are added on each side.
    pub padding: usize,
}

impl Transform<Image> for RandomCrop {
    fn apply(&self, mut image: Image, rng: &mut SampleRng) -> Image {
        let [_, height, width] = image.shape();
        // Where the crop starts in the padded image.
        let (top, left) = (rng.below(2 * self.padding + 1), rng.below(2 * self.padding + 1));
        let rows = Overlap::new(top, self.padding, height);
        let columns = Overlap::new(left, self.padding, width);
        let original = image.pixels().to_vec();
        image.pixels_mut().fill(0);
        if rows.len == 0 || columns.len == 0 {
            return image;
        }
        let planes = original.chunks_exact(height * width).zip(image.pixels_mut().chunks_exact_mut(height * width));
        for (from, to) in planes {
            for row in 0..rows.len {
                let from = &from[(rows.from + row) * width + columns.from..][..columns.len];
                to[(rows.to + row) * width + columns.to..][..columns.len].copy_from_slice(from);
            }
        }
        image
    }
}

/// The part of an axis that a crop keeps.
struct Overlap {
    from: usize,
    to: usize,
    len: usize,
}

impl Overlap {
    /// For a crop of `size` that starts at `start` of an axis with `padding` before its `size` pixels.
    fn new(start: usize, padding: usize, size: usize) -> Self {
        let (from, to) = (start.saturating_sub(padding), padding.saturating_sub(start));
        Overlap { from, to, len: size.saturating_sub(from.max(to)) }
    }
}

/// Mirrors the image left to right with a probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomHorizontalFlip {
    /// The probability, 0.5 by default.
    pub probability: f32,
}

impl Default for RandomHorizontalFlip {
    fn default() -> Self {
        RandomHorizontalFlip { probability: 0.5 }
    }
}

impl Transform<Image> for RandomHorizontalFlip {
    fn apply(&self, mut image: Image, rng: &mut SampleRng) -> Image {
        let width = image.shape()[2].max(1);
        if rng.chance(self.probability) {
            image.pixels_mut().chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, ImageSet};
    use std::collections::BTreeSet;

    /// Two channels of 2 x 3 pixels.
    fn image() -> Image {
        ImageSet::new((1..=12).collect(), [2, 2, 3], vec![0], 1).unwrap().get(0)
    }

    fn results(transform: impl Transform<Image>) -> BTreeSet<Vec<u8>> {
        (0..500).map(|i| transform.apply(image(), &mut SampleRng::for_sample(0, 0, i)).pixels().to_vec()).collect()
    }

    #[test]
    fn a_crop_shifts_every_channel_alike_and_fills_with_zeros() {
        let seen = results(RandomCrop { padding: 1 });
        assert_eq!(seen.len(), 9);
        assert!(seen.contains(&(1..=12).collect::<Vec<u8>>()));
        // Up and to the left; down and to the right.
        assert!(seen.contains(&vec![5, 6, 0, 0, 0, 0, 11, 12, 0, 0, 0, 0]));
        assert!(seen.contains(&vec![0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 7, 8]));
        assert_eq!(results(RandomCrop { padding: 0 }).len(), 1);
    }

    #[test]
    fn a_crop_beyond_the_image_is_empty() {
        let seen = results(RandomCrop { padding: 10 });
        assert!(seen.contains(&vec![0; 12]));
    }

    #[test]
    fn a_flip_mirrors_rows() {
        let mirrored = vec![3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10];
        assert_eq!(
            results(RandomHorizontalFlip::default()),
            BTreeSet::from([image().pixels().to_vec(), mirrored.clone()])
        );
        assert_eq!(results(RandomHorizontalFlip { probability: 1.0 }), BTreeSet::from([mirrored]));
    }
}
