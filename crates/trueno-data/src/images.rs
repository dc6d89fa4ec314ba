//! Classified images held in memory as bytes and turned into normalised floats when a batch is made.

use std::sync::Arc;

use trueno_core::{Error, Result};

use crate::dataset::Dataset;

/// Images of one size with a class each: bytes in memory, four times smaller than floats, which
/// become `(value / 255 - mean) / std` per channel on the way into a batch.
///
/// Cloning and taking subsets share the memory.
///
/// ```
/// use trueno_data::{Dataset, ImageSet};
///
/// // Two grey images of 1 x 2 pixels.
/// let set = ImageSet::new(vec![0, 255, 51, 102], [1, 1, 2], vec![0, 1], 2)?.normalized(&[0.5], &[0.5])?;
/// assert_eq!(set.len(), 2);
/// assert_eq!(set.get(1).pixels(), [51, 102]);
/// assert_eq!(set.get(0).values().collect::<Vec<f32>>(), [-1.0, 1.0]);
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageSet {
    pixels: Arc<[u8]>,
    labels: Arc<[u8]>,
    /// Channels, rows, columns.
    image_shape: [usize; 3],
    classes: usize,
    values: Arc<ValueTable>,
}

/// What each byte becomes, per channel.
type ValueTable = Vec<[f32; 256]>;

impl ImageSet {
    /// A set of `labels.len()` images. `pixels` is `[image, channel, row, column]`, row-major. Values
    /// are scaled to 0..=1 until [`normalized`](Self::normalized) says otherwise.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not exactly the pixels of the images; [`Error::Argument`] if a label is not
    /// below `classes`.
    pub fn new(pixels: Vec<u8>, image_shape: [usize; 3], labels: Vec<u8>, classes: usize) -> Result<Self> {
        const OP: &str = "ImageSet::new";
        let shape = [labels.len(), image_shape[0], image_shape[1], image_shape[2]];
        let len = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if len != Some(pixels.len()) {
            let reason = format!("(images, channels, rows, columns) does not hold {} pixels", pixels.len());
            return Err(Error::Shape { op: OP, got: shape.as_slice().into(), reason: reason.into() });
        }
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
            let reason = format!("label {} of image {index} is not below {classes}", labels[index]);
            return Err(Error::Argument { op: OP, reason: reason.into() });
        }
        let unit = value_table(&vec![0.0; image_shape[0]], &vec![1.0; image_shape[0]]);
        Ok(ImageSet { pixels: pixels.into(), labels: labels.into(), image_shape, classes, values: Arc::new(unit) })
    }

    /// The same images, normalised with a mean and a standard deviation per channel, both of values
    /// scaled to 0..=1.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is not one of each per channel, or a deviation is not positive.
    pub fn normalized(self, mean: &[f32], std: &[f32]) -> Result<Self> {
        let channels = self.image_shape[0];
        let usable = mean.len() == channels && std.len() == channels && std.iter().all(|&deviation| deviation > 0.0);
        if !usable {
            let reason = format!("mean {mean:?} and std {std:?} must have {channels} values, the latter above 0");
            return Err(Error::Argument { op: "ImageSet::normalized", reason: reason.into() });
        }
        Ok(ImageSet { values: Arc::new(value_table(mean, std)), ..self })
    }

    /// Channels, rows and columns of each image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.image_shape
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

impl Dataset for ImageSet {
    type Item = Image;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn get(&self, index: usize) -> Image {
        let len = self.image_shape.iter().product::<usize>();
        Image {
            pixels: self.pixels[index * len..(index + 1) * len].to_vec(),
            label: self.labels[index],
            shape: self.image_shape,
            values: Arc::clone(&self.values),
        }
    }
}

/// One image of an [`ImageSet`] and its class.
#[derive(Clone, Debug)]
pub struct Image {
    pixels: Vec<u8>,
    label: u8,
    shape: [usize; 3],
    values: Arc<ValueTable>,
}

impl Image {
    /// Channels, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The class.
    pub fn label(&self) -> u8 {
        self.label
    }

    /// The bytes, `[channel, row, column]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, to be changed: what a [`Transform`](crate::Transform) does.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The normalised pixels in the order of the bytes.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        let plane = (self.shape[1] * self.shape[2]).max(1);
        let channels = self.pixels.chunks(plane).zip(self.values.iter());
        channels.flat_map(|(bytes, values)| bytes.iter().map(|&byte| values[usize::from(byte)]))
    }
}

/// The order of operations is torchvision's (`ToTensor`, then `Normalize`), so that values agree to the bit.
fn value_table(mean: &[f32], std: &[f32]) -> ValueTable {
    let channel = |(mean, std)| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
    mean.iter().zip(std).map(channel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(torch.arange(256, dtype=torch.uint8).to(torch.float32) / 255 - 0.1307) / 0.3081` in PyTorch 2.15.
    #[test]
    fn values_are_those_of_pytorch_to_the_bit() {
        let table = value_table(&[0.1307], &[0.3081]);
        let bits = [0, 1, 2, 77, 128, 200, 254, 255].map(|byte: usize| table[0][byte].to_bits());
        let expected =
            [0xbed9_3271, 0xbed2_ae20, 0xbecc_29d0, 0x3f0e_4ce9, 0x3f9a_3d7a, 0x4007_c593, 0x4033_c2b3, 0x4034_933d];
        assert_eq!(bits, expected);
    }

    #[test]
    fn each_channel_has_its_own_normalisation() {
        let set = ImageSet::new(vec![0, 255, 0, 255], [2, 1, 2], vec![0], 1).unwrap();
        let plain: Vec<f32> = set.get(0).values().collect();
        assert_eq!(plain, [0.0, 1.0, 0.0, 1.0]);
        let normalized: Vec<f32> = set.normalized(&[0.0, 1.0], &[0.5, 0.25]).unwrap().get(0).values().collect();
        assert_eq!(normalized, [0.0, 2.0, -4.0, 0.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |result: Result<ImageSet>| result.map(|_| ()).unwrap_err().to_string();
        let wrong_count = message(ImageSet::new(vec![0; 5], [1, 2, 2], vec![0], 1));
        assert!(
            wrong_count.contains("[1, 1, 2, 2]") && wrong_count.contains("does not hold 5 pixels"),
            "{wrong_count}"
        );
        let overflow = message(ImageSet::new(vec![], [usize::MAX, 2, 2], vec![0], 1));
        assert!(overflow.contains("does not hold 0 pixels"), "{overflow}");
        let label = message(ImageSet::new(vec![0; 2], [1, 1, 1], vec![0, 3], 3));
        assert_eq!(label, "ImageSet::new: label 3 of image 1 is not below 3");
        let set = || ImageSet::new(vec![0], [1, 1, 1], vec![0], 1).unwrap();
        for (mean, std) in
            [(vec![0.0; 2], vec![1.0]), (vec![0.0], vec![]), (vec![0.0], vec![0.0]), (vec![0.0], vec![f32::NAN])]
        {
            assert!(message(set().normalized(&mean, &std)).starts_with("ImageSet::normalized: mean"));
        }
    }
}
