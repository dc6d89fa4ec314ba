//! CIFAR-10 and CIFAR-100 in their binary version: records of one (two for CIFAR-100) label bytes and
//! 3,072 pixel bytes, the red plane first, without any header.
//!
//! Format: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Files may be
//! gzip-compressed. The images are not embedded and not fetched: name a folder that holds them.

use std::path::Path;

use trueno_core::{Error, Result};

use crate::files;
use crate::images::ImageSet;
use crate::source::Source;

/// Channels, rows and columns of every image.
pub const IMAGE_SHAPE: [usize; 3] = [3, 32, 32];
/// Mean of each channel over the training images of CIFAR-10, of pixels in 0..=1.
pub const CIFAR10_MEAN: [f32; 3] = [0.49140, 0.48216, 0.44653];
/// Standard deviation of each channel over the training images of CIFAR-10.
pub const CIFAR10_STD: [f32; 3] = [0.24703, 0.24349, 0.26159];

const PIXELS: usize = 3 * 32 * 32;

/// Which of the two data sets, and so how a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// One label byte, 10 classes.
    Cifar10,
    /// A byte for the superclass, which is skipped, then one for the class, of 100.
    Cifar100,
}

impl Variant {
    /// How many classes there are.
    pub const fn classes(self) -> usize {
        match self {
            Variant::Cifar10 => 10,
            Variant::Cifar100 => 100,
        }
    }

    const fn label_bytes(self) -> usize {
        match self {
            Variant::Cifar10 => 1,
            Variant::Cifar100 => 2,
        }
    }
}

/// Reads one file of records.
///
/// # Errors
/// [`Error::File`] if the file cannot be read, is empty, stops inside a record, or has a label that is
/// no class: a file without a header shows damage nowhere else.
pub fn read(path: impl AsRef<Path>, variant: Variant) -> Result<ImageSet> {
    let mut records = Records::default();
    records.append(Source::open(path.as_ref())?, variant, usize::MAX)?;
    records.into_set(variant)
}

/// [`read`] from memory; `name` stands for the path in errors.
pub fn parse(name: &str, bytes: &[u8], variant: Variant) -> Result<ImageSet> {
    let mut records = Records::default();
    records.append(Source::from_bytes(name, bytes)?, variant, usize::MAX)?;
    records.into_set(variant)
}

/// Reads the training and the test images of a folder as the authors' archive lays it out:
/// `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or `train.bin` and `test.bin` for
/// CIFAR-100; each may end in `.gz` too.
///
/// # Errors
/// As [`read`], and if a file does not hold the number of images that it has in the archive.
pub fn load_dir(dir: impl AsRef<Path>, variant: Variant) -> Result<(ImageSet, ImageSet)> {
    let dir = dir.as_ref();
    match variant {
        Variant::Cifar10 => {
            let batches = [1, 2, 3, 4, 5].map(|number| format!("data_batch_{number}.bin"));
            Ok((load_split(dir, &batches, 10_000, variant)?, load_split(dir, &["test_batch.bin"], 10_000, variant)?))
        }
        Variant::Cifar100 => {
            Ok((load_split(dir, &["train.bin"], 50_000, variant)?, load_split(dir, &["test.bin"], 10_000, variant)?))
        }
    }
}

fn load_split(dir: &Path, names: &[impl AsRef<str>], records_per_file: usize, variant: Variant) -> Result<ImageSet> {
    let mut records = Records::default();
    for name in names {
        let name = name.as_ref();
        let path = files::find(dir, &[name.to_owned(), format!("{name}.gz")])?;
        let found = records.append(Source::open(&path)?, variant, records_per_file)?;
        if found != records_per_file {
            return Err(Error::File {
                path: path.display().to_string(),
                offset: None,
                reason: format!("holds {found} images, not the {records_per_file} of the published file"),
            });
        }
    }
    records.into_set(variant)
}

#[derive(Default)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Records {
    /// Appends all records, of which there must be at least one and at most `limit`, and says how many there were.
    fn append(&mut self, mut source: Source<'_>, variant: Variant, limit: usize) -> Result<usize> {
        let mut label = Vec::new();
        let mut count = 0;
        loop {
            if count == limit {
                source.finish(&format!("has more than the {limit} images of the published file"))?;
                return Ok(count);
            }
            let start = source.offset();
            label.clear();
            let arrived = source.read_up_to(variant.label_bytes(), &mut label)?;
            if arrived == 0 && count > 0 {
                return Ok(count);
            }
            let arrived = arrived + source.read_up_to(PIXELS, &mut self.pixels)?;
            let record = variant.label_bytes() + PIXELS;
            if arrived < record {
                let reason = format!("ends after {arrived} of the {record} bytes of the record at byte {start}");
                return Err(source.error(source.offset(), reason));
            }
            let class = label[variant.label_bytes() - 1];
            if usize::from(class) >= variant.classes() {
                let at = start + variant.label_bytes() as u64 - 1;
                return Err(source.error(at, format!("label {class} is not below {}", variant.classes())));
            }
            self.labels.push(class);
            count += 1;
        }
    }

    fn into_set(self, variant: Variant) -> Result<ImageSet> {
        let set = ImageSet::new(self.pixels, IMAGE_SHAPE, self.labels, variant.classes())?;
        match variant {
            Variant::Cifar10 => set.normalized(&CIFAR10_MEAN, &CIFAR10_STD),
            Variant::Cifar100 => Ok(set),
        }
    }
}
