//! The embedded part of MNIST is what its README says, and folders of IDX files are read or refused.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use trueno_core::Error;
use trueno_data::{Dataset, mnist};

fn asset(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist").join(name)).unwrap()
}

const FILES: [(&str, &str); 4] = [
    ("train-images-idx3-ubyte", "96448e792027ae8c3d693bf7f6685beb422442276734ffe24b7860a3581dcb08"),
    ("train-labels-idx1-ubyte", "dfa6309ccbfc44ab3df730fa9d1b133e2baeb0fe7db8e4bbdcd05d3e5bd811ea"),
    ("t10k-images-idx3-ubyte", "780e99a56e963f3affe4791a03545a6ddbdc0904dd880c7f3c50753282177303"),
    ("t10k-labels-idx1-ubyte", "b547e409b08f1d55c77b7f0964dfb27202f97c41c014d9427a3acecfcf6a7129"),
];

fn unzipped(name: &str) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(asset(&format!("{name}.gz")).as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn embedded_files_have_the_checksums_in_their_readme() {
    let readme = String::from_utf8(asset("../README.md")).unwrap();
    for (name, expected) in FILES {
        let digest: String = Sha256::digest(unzipped(name)).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected, "{name}");
        assert!(readme.contains(expected), "{name}");
    }
}

#[test]
#[cfg(feature = "mnist-subset")]
fn the_subset_has_every_class_equally_often() {
    let (train, test) = mnist::subset();
    for (set, per_class) in [(&train, 1000), (&test, 200)] {
        assert_eq!((set.len(), set.classes(), set.image_shape()), (per_class * 10, 10, [1, 28, 28]));
        for class in 0..10 {
            assert_eq!(set.labels().iter().filter(|&&label| label == class).count(), per_class);
        }
    }
    assert_eq!(train.get(0).values().next(), Some(-mnist::MEAN / mnist::STD));
}

/// Files as downloaded: with `.gz` or without, with `-` or `.` before `idx`.
#[test]
fn a_folder_is_read_whatever_its_files_are_called() {
    let labels = unzipped("t10k-labels-idx1-ubyte");
    for (separator, suffix) in [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")] {
        let dir = tempfile::tempdir().unwrap();
        for split in ["train", "t10k"] {
            for (kind, format) in [("images", "idx3"), ("labels", "idx1")] {
                let source = format!("t10k-{kind}-{format}-ubyte");
                let bytes = if suffix.is_empty() { unzipped(&source) } else { asset(&format!("{source}.gz")) };
                fs::write(dir.path().join(format!("{split}-{kind}{separator}{format}-ubyte{suffix}")), bytes).unwrap();
            }
        }
        let (train, test) = mnist::load_dir(dir.path()).unwrap();
        assert_eq!(train.labels(), &labels[8..]);
        assert_eq!(test.len(), 2000);
    }
}

/// A folder of four files of two 2 x 2 images, with one of them replaced.
fn refusal(replaced: &str, bytes: &[u8]) -> (String, Error) {
    let dir = tempfile::tempdir().unwrap();
    for split in ["train", "t10k"] {
        let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        fs::write(dir.path().join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.path().join(format!("{split}-labels-idx1-ubyte")), [0, 0, 8, 1, 0, 0, 0, 2, 9, 0]).unwrap();
    }
    assert_eq!(mnist::load_dir(dir.path()).unwrap().0.get(1).pixels(), [5, 6, 7, 8]);
    let path = dir.path().join(replaced);
    fs::write(&path, bytes).unwrap();
    (path.display().to_string(), mnist::load_dir(dir.path()).unwrap_err())
}

#[test]
fn wrong_contents_are_refused_by_name() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 9, 10], " at byte 9: label 10 is not below 10"),
        ("t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 9], ": holds 1 labels for the 2 images of "),
        ("t10k-labels-idx1-ubyte", &[0, 0, 9, 1, 0, 0, 0, 2, 9, 1], ": is not an array of bytes with one axis"),
        ("train-images-idx3-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 9], ": is not an array of bytes with three axes"),
        ("train-images-idx3-ubyte", b"<html>", " at byte 0: no IDX file"),
    ];
    for (name, bytes, expected) in cases {
        let (path, error) = refusal(name, bytes);
        let message = error.to_string();
        assert!(message.starts_with(&format!("{path}{expected}")), "{message}");
    }
}

#[test]
fn a_missing_file_is_named_with_every_name_that_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    let message = mnist::load_dir(dir.path()).unwrap_err().to_string();
    for name in ["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", &dir.path().display().to_string()] {
        assert!(message.contains(name), "{message}");
    }
}
