//! CIFAR: records are read in order, and damage is an error at its byte.

use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use trueno_core::Error;
use trueno_data::Dataset;
use trueno_data::cifar::{self, Variant};

const PIXELS: usize = 3072;

/// `count` records, whose pixels all equal the record's number.
fn records(count: usize, variant: Variant) -> Vec<u8> {
    let label = |index: usize| match variant {
        Variant::Cifar10 => vec![(index % 10) as u8],
        Variant::Cifar100 => vec![255, (index % 100) as u8],
    };
    (0..count).flat_map(|index| [label(index), vec![index as u8; PIXELS]].concat()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn records_are_read_in_order() {
    for (variant, last) in [(Variant::Cifar10, 1), (Variant::Cifar100, 11)] {
        let bytes = records(12, variant);
        for bytes in [&bytes, &gzip(&bytes)] {
            let set = cifar::parse("batch", bytes, variant).unwrap();
            assert_eq!((set.len(), set.image_shape(), set.classes()), (12, [3, 32, 32], variant.classes()));
            assert_eq!(set.labels()[11], last);
            assert!(set.get(11).pixels().iter().all(|&byte| byte == 11));
        }
    }
}

#[test]
fn damage_is_an_error_at_its_byte() {
    let mut bytes = records(2, Variant::Cifar10);
    let message = |bytes: &[u8]| cifar::parse("batch", bytes, Variant::Cifar10).unwrap_err().to_string();
    assert_eq!(
        message(&bytes[..4000]),
        "batch at byte 4000: ends after 927 of the 3073 bytes of the record at byte 3073"
    );
    assert_eq!(message(&[]), "batch at byte 0: ends after 0 of the 3073 bytes of the record at byte 0");
    bytes[3073] = 10;
    assert_eq!(message(&bytes), "batch at byte 3073: label 10 is not below 10");
}

proptest! {
    #[test]
    fn damage_never_panics(
        hundred: bool, compress: bool, keep: prop::sample::Index, at: prop::sample::Index, bit in 0..8, flip: bool,
    ) {
        let variant = if hundred { Variant::Cifar100 } else { Variant::Cifar10 };
        let original = records(3, variant);
        let mut bytes = if compress { gzip(&original) } else { original.clone() };
        if flip {
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
        } else {
            bytes.truncate(keep.index(bytes.len()));
        }
        match cifar::parse("damaged", &bytes, variant) {
            Err(error) => prop_assert!(matches!(error, Error::File { offset: Some(_), .. }), "{}", error),
            // A file without header or checksum cannot betray a flipped pixel or a missing record.
            Ok(set) if !compress => prop_assert!(set.len() <= 3),
            Ok(set) => prop_assert_eq!(set.len(), 3),
        }
    }
}

#[test]
fn a_folder_must_hold_the_published_number_of_images() {
    let dir = tempfile::tempdir().unwrap();
    let full = gzip(&records(10_000, Variant::Cifar10));
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    for number in 1..=5 {
        write(&format!("data_batch_{number}.bin.gz"), &full);
    }
    let message = || cifar::load_dir(dir.path(), Variant::Cifar10).map(|_| ()).unwrap_err().to_string();
    assert!(message().ends_with("has no file named test_batch.bin or test_batch.bin.gz"), "{}", message());
    write("test_batch.bin.gz", &records(3, Variant::Cifar10));
    assert!(message().ends_with("holds 3 images, not the 10000 of the published file"), "{}", message());
    write("test_batch.bin.gz", &[full.clone(), gzip(&records(1, Variant::Cifar10))].concat());
    let expected = "test_batch.bin.gz at byte 30730000: has more than the 10000 images of the published file";
    assert!(message().ends_with(expected), "{}", message());
    write("test_batch.bin.gz", &full);
    let (train, test) = cifar::load_dir(dir.path(), Variant::Cifar10).unwrap();
    assert_eq!((train.len(), test.len()), (50_000, 10_000));
}

#[test]
fn a_file_of_any_length_can_be_read_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.bin");
    fs::write(&path, records(3, Variant::Cifar10)).unwrap();
    let set = cifar::read(&path, Variant::Cifar10).unwrap();
    assert_eq!(set.labels(), [0, 1, 2]);
    let first_values = [0, 1, 2].map(|channel| -cifar::CIFAR10_MEAN[channel] / cifar::CIFAR10_STD[channel]);
    assert_eq!(set.get(0).values().step_by(1024).collect::<Vec<_>>(), first_values);
    let missing = cifar::read(dir.path().join("none.bin"), Variant::Cifar10).unwrap_err();
    assert!(missing.to_string().contains("none.bin"), "{missing}");
}

#[test]
fn a_folder_of_cifar_100_has_its_own_names_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let message = || cifar::load_dir(dir.path(), Variant::Cifar100).map(|_| ()).unwrap_err().to_string();
    assert!(message().ends_with("has no file named train.bin or train.bin.gz"), "{}", message());
    fs::write(dir.path().join("train.bin"), records(2, Variant::Cifar100)).unwrap();
    assert!(message().ends_with("train.bin: holds 2 images, not the 50000 of the published file"), "{}", message());
}
