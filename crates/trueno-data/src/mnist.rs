//! MNIST and the data sets that share its form (Fashion-MNIST, Kuzushiji-MNIST): 28 x 28 grey images in
//! ten classes.
//!
//! MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges, under CC BY-SA 3.0. A subset of
//! it is embedded (feature `mnist-subset`, on by default), so that examples and tests need no network.

use std::path::Path;

use trueno_core::{Error, Result};

use crate::files;
use crate::idx::{self, Elements, IdxArray};
use crate::images::ImageSet;

/// Mean over the training pixels of MNIST, of pixels in 0..=1.
pub const MEAN: f32 = 0.1307;
/// Standard deviation over the training pixels of MNIST.
pub const STD: f32 = 0.3081;

const CLASSES: usize = 10;

/// The embedded part of MNIST: 10,000 training and 2,000 test images, each class alike, normalised with
/// [`MEAN`] and [`STD`].
///
/// They are the first 1,000 (200) images of each class of the original, in its order.
///
/// ```
/// use trueno_data::{Dataset, mnist};
///
/// let (train, test) = mnist::subset();
/// assert_eq!((train.len(), test.len()), (10_000, 2_000));
/// assert_eq!(train.image_shape(), [1, 28, 28]);
/// assert_eq!(train.labels()[..5], [5, 0, 4, 1, 9]);
/// ```
#[cfg(feature = "mnist-subset")]
pub fn subset() -> (ImageSet, ImageSet) {
    macro_rules! asset {
        ($name:literal) => {
            idx::parse($name, include_bytes!(concat!("../assets/mnist/", $name)))
        };
    }
    let split = |images, labels| combine("embedded MNIST images", images?, "embedded MNIST labels", labels?);
    let train = split(asset!("train-images-idx3-ubyte.gz"), asset!("train-labels-idx1-ubyte.gz"));
    let test = split(asset!("t10k-images-idx3-ubyte.gz"), asset!("t10k-labels-idx1-ubyte.gz"));
    let intact = "the embedded files are part of the program and a test pins their checksums";
    (train.expect(intact), test.expect(intact))
}

/// Reads the training and the test images of a folder that holds the four IDX files of a data set of the
/// MNIST family: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`, with or
/// without `.gz`; `.idx3` instead of `-idx3` is accepted too. Normalised with [`MEAN`] and [`STD`].
///
/// # Errors
/// [`Error::File`] if a file is missing or damaged, if images and labels differ in number, or if a label
/// is above 9.
pub fn load_dir(dir: impl AsRef<Path>) -> Result<(ImageSet, ImageSet)> {
    let dir = dir.as_ref();
    Ok((load_split(dir, "train")?, load_split(dir, "t10k")?))
}

fn load_split(dir: &Path, split: &str) -> Result<ImageSet> {
    let find = |kind: &str, format: &str| {
        let stems = [format!("{split}-{kind}-{format}-ubyte"), format!("{split}-{kind}.{format}-ubyte")];
        files::find(dir, &stems.map(|stem| [format!("{stem}.gz"), stem]).concat())
    };
    let (images, labels) = (find("images", "idx3")?, find("labels", "idx1")?);
    combine(&images.display().to_string(), idx::read(&images)?, &labels.display().to_string(), idx::read(&labels)?)
}

/// One set from the contents of an image and a label file; the names are for errors.
fn combine(images_name: &str, images: IdxArray, labels_name: &str, labels: IdxArray) -> Result<ImageSet> {
    let wrong = |name: &str, offset, reason| Err(Error::File { path: name.to_owned(), offset, reason });
    let (&[count, height, width], (_, Elements::U8(pixels))) = (&images.shape().to_owned()[..], images.into_parts())
    else {
        return wrong(images_name, None, "is not an array of bytes with three axes: image, row, column".into());
    };
    let (&[labelled], (_, Elements::U8(labels))) = (&labels.shape().to_owned()[..], labels.into_parts()) else {
        return wrong(labels_name, None, "is not an array of bytes with one axis".into());
    };
    if labelled != count {
        return wrong(labels_name, None, format!("holds {labelled} labels for the {count} images of {images_name}"));
    }
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        let reason = format!("label {} is not below {CLASSES}", labels[index]);
        return wrong(labels_name, Some(8 + index as u64), reason);
    }
    ImageSet::new(pixels, [1, height, width], labels, CLASSES)?.normalized(&[MEAN], &[STD])
}
