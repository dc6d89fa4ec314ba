//! IDX: what is written is read back, and no damage gets through or panics.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use trueno_core::Error;
use trueno_data::idx::{self, Elements, IdxArray};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The message of the error that these bytes give.
fn refusal(bytes: &[u8]) -> String {
    match idx::parse("file", bytes) {
        Err(error @ Error::File { .. }) => error.to_string(),
        other => panic!("expected Error::File, got {other:?}"),
    }
}

fn elements(len: usize) -> impl Strategy<Value = Elements> {
    use proptest::collection::vec;
    prop_oneof![
        vec(any::<u8>(), len).prop_map(Elements::U8),
        vec(any::<i8>(), len).prop_map(Elements::I8),
        vec(any::<i16>(), len).prop_map(Elements::I16),
        vec(any::<i32>(), len).prop_map(Elements::I32),
        vec(any::<f32>(), len).prop_map(Elements::F32),
        vec(any::<f64>(), len).prop_map(Elements::F64),
    ]
}

fn arrays() -> impl Strategy<Value = IdxArray> {
    proptest::collection::vec(0usize..5, 1..4).prop_flat_map(|shape| {
        elements(shape.iter().product()).prop_map(move |elements| IdxArray::new(shape.clone(), elements).unwrap())
    })
}

proptest! {
    #[test]
    fn round_trips_plain_and_compressed(array in arrays()) {
        let bytes = array.to_bytes();
        // Bytes are compared because NaN elements are not equal to themselves.
        prop_assert_eq!(&idx::parse("plain", &bytes).unwrap().to_bytes(), &bytes);
        prop_assert_eq!(idx::parse("gzip", &gzip(&bytes)).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn every_truncation_is_an_error(array in arrays(), compress: bool, cut: prop::sample::Index) {
        let bytes = if compress { gzip(&array.to_bytes()) } else { array.to_bytes() };
        refusal(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn anything_appended_is_an_error(array in arrays(), compress: bool, extra in proptest::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = if compress { gzip(&array.to_bytes()) } else { array.to_bytes() };
        bytes.extend(extra);
        refusal(&bytes);
    }

    /// Gzip has a checksum, so a flipped bit is an error or was in a byte without meaning (a time stamp).
    #[test]
    fn a_bit_flipped_under_gzip_never_changes_the_result(array in arrays(), at: prop::sample::Index, bit in 0..8) {
        let original = array.to_bytes();
        let mut bytes = gzip(&original);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(read) = idx::parse("flipped", &bytes) {
            prop_assert_eq!(read.to_bytes(), original);
        }
    }

    /// Without gzip only the header can be checked; there a flip never leaves the bytes' meaning as it was.
    #[test]
    fn a_bit_flipped_in_a_plain_file_never_panics(array in arrays(), at: prop::sample::Index, bit in 0..8) {
        let original = array.to_bytes();
        let mut bytes = original.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(read) = idx::parse("flipped", &bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), rank in 0u8..5, kind in 0u8..16) {
        let _ = idx::parse("noise", &bytes);
        let with_magic = [&[0, 0, kind, rank][..], &bytes].concat();
        let _ = idx::parse("noise", &with_magic);
        let _ = idx::parse("noise", &gzip(&with_magic));
    }
}

#[test]
fn a_header_that_claims_more_than_there_is_costs_nothing() {
    // 2^32-1 bytes are within an address space, so only reading finds out that they are not there.
    let huge = [0, 0, 8, 1, 255, 255, 255, 255, 1, 2, 3];
    assert_eq!(refusal(&huge), "file at byte 11: ends after 3 of the 4294967295 bytes of elements");
    assert_eq!(refusal(&gzip(&huge)), "file at byte 11: ends after 3 of the 4294967295 bytes of elements");
}

#[test]
fn a_shape_beyond_memory_is_refused_even_beside_a_zero() {
    let sizes = |sizes: &[u32]| {
        let header = [0, 0, 0x0D, sizes.len() as u8];
        [&header[..], &sizes.iter().flat_map(|size| size.to_be_bytes()).collect::<Vec<_>>()].concat()
    };
    for shape in [[u32::MAX; 4], [0, u32::MAX, u32::MAX, u32::MAX]] {
        let message = refusal(&sizes(&shape));
        assert!(message.contains("larger than memory can be"), "{message}");
    }
    assert_eq!(idx::parse("empty", &sizes(&[0, 28, 28])).unwrap().elements(), &Elements::F32(vec![]));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    assert_eq!(refusal(b""), "file at byte 0: ends after 0 of the 4 bytes of the magic number");
    assert_eq!(
        refusal(b"\x89PNG\r\n"),
        "file at byte 0: no IDX file: it starts with [89, 50, 4e, 47], not 00 00 TYPE RANK"
    );
    assert_eq!(
        refusal(&[0, 0, 0x0A, 1, 0, 0, 0, 0]),
        "file at byte 2: element type 0x0a is none of 08, 09, 0B, 0C, 0D, 0E"
    );
    assert_eq!(refusal(&[0, 0, 8, 1, 0, 0, 0, 1, 7, 7]), "file at byte 9: has more bytes than its header promises");
    assert!(refusal(&[0, 0, 8, 0, 1]).contains("no IDX file"));
}

#[test]
fn a_path_is_read_like_bytes_and_named_in_errors() {
    let dir = tempfile::tempdir().unwrap();
    let array = IdxArray::new(vec![2, 2], Elements::I16(vec![1, -2, 300, i16::MIN])).unwrap();
    for (name, bytes) in [("plain", array.to_bytes()), ("not-named-gz", gzip(&array.to_bytes()))] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(idx::read(&path).unwrap(), array);
    }
    let missing = dir.path().join("missing");
    let message = idx::read(&missing).unwrap_err().to_string();
    assert!(message.starts_with(&missing.display().to_string()), "{message}");
}

#[test]
fn an_array_must_fit_its_shape() {
    assert!(IdxArray::new(vec![3], Elements::U8(vec![0; 2])).is_err());
    assert!(IdxArray::new(vec![], Elements::U8(vec![0])).is_err());
    assert!(IdxArray::new(vec![0; 256], Elements::U8(vec![])).is_err());
}
