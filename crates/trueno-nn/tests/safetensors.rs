//! Files: what is saved comes back, and what is damaged is refused by name.

use proptest::prelude::*;
use std::path::PathBuf;
use trueno_core::{DType, Error, dispatch_dtype};
use trueno_nn::StateDict;
use trueno_nn::tensor::DynTensor;

/// The tensor's elements as bits that compare NaN with NaN.
fn bits(tensor: &DynTensor) -> (DType, Vec<usize>, Vec<u64>) {
    let values = dispatch_dtype!(tensor.dtype(), all T => {
        tensor.to_vec::<T>().unwrap().iter().map(|&v| trueno_core::Element::to_f64(v).to_bits()).collect()
    });
    (tensor.dtype(), tensor.shape().to_vec(), values)
}

fn same(left: &StateDict, right: &StateDict) -> bool {
    left.len() == right.len()
        && left.metadata() == right.metadata()
        && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| bits(value) == bits(other)))
}

/// One tensor of every type, and the shapes that go wrong first.
fn sample() -> StateDict {
    let mut state = StateDict::new();
    for dtype in DType::ALL {
        let values = DynTensor::from_slice(&[0.0_f64, 1.0, 2.0, 100.0, 0.0, 1.0], &[2, 3]).unwrap();
        state.insert(format!("{dtype}.plain"), values.cast(dtype).unwrap());
        state.insert(format!("{dtype}.scalar"), DynTensor::full(&[], dtype, 1.0).unwrap());
        state.insert(format!("{dtype}.empty"), DynTensor::zeros(&[0, 4], dtype).unwrap());
        state.insert(format!("{dtype}.transposed"), values.cast(dtype).unwrap().transpose().unwrap());
    }
    state
        .insert("nan", DynTensor::from_slice(&[f32::NAN, f32::INFINITY, -0.0, f32::MIN_POSITIVE / 2.0], &[4]).unwrap());
    state.metadata_mut().insert("epoch".into(), "3".into());
    state.metadata_mut().insert("note".into(), "quotes \" and \u{e4} \\".into());
    state
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("state.safetensors")
    }

    fn load(&self, bytes: &[u8]) -> Result<StateDict, Error> {
        std::fs::write(self.path(), bytes).unwrap();
        StateDict::load_safetensors(self.path())
    }

    /// The sample's file.
    fn saved(&self) -> Vec<u8> {
        sample().save_safetensors(self.path()).unwrap();
        std::fs::read(self.path()).unwrap()
    }

    fn assert_refused(&self, bytes: &[u8], reason: &str) {
        let error = self.load(bytes).unwrap_err();
        let Error::File { path, .. } = &error else { panic!("{error}") };
        assert_eq!(*path, self.path().display().to_string());
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn every_type_and_shape_comes_back() {
    let folder = Folder::new();
    sample().save_safetensors(folder.path()).unwrap();
    let back = StateDict::load_safetensors(folder.path()).unwrap();
    assert!(same(&back, &sample()));
}

#[test]
fn names_of_one_type_keep_their_order() {
    let folder = Folder::new();
    let mut state = StateDict::new();
    for name in ["weight", "bias", "a"] {
        state.insert(name, DynTensor::scalar(1.0_f32).unwrap());
    }
    state.save_safetensors(folder.path()).unwrap();
    let back = StateDict::load_safetensors(folder.path()).unwrap();
    assert_eq!(back.keys().collect::<Vec<_>>(), ["weight", "bias", "a"]);
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    let folder = Folder::new();
    assert_eq!(folder.saved(), folder.saved());
}

#[test]
fn nothing_is_a_file_too() {
    let folder = Folder::new();
    StateDict::new().save_safetensors(folder.path()).unwrap();
    assert!(StateDict::load_safetensors(folder.path()).unwrap().is_empty());
}

#[test]
fn a_failed_save_leaves_the_old_file_and_nothing_else() {
    let folder = Folder::new();
    let before = folder.saved();
    let mut state = StateDict::new();
    state.insert("__metadata__", DynTensor::scalar(1.0_f32).unwrap());
    assert!(matches!(state.save_safetensors(folder.path()), Err(Error::Argument { .. })));
    assert_eq!(std::fs::read(folder.path()).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 1);
    let missing = folder.0.path().join("missing").join("state.safetensors");
    let error = sample().save_safetensors(&missing).unwrap_err();
    assert!(matches!(&error, Error::File { path, .. } if *path == missing.display().to_string()), "{error}");
}

#[test]
fn files_of_other_writers_need_no_checksum() {
    let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(1.5_f32.to_le_bytes());
    let state = Folder::new().load(&bytes).unwrap();
    assert_eq!(state.get("x").unwrap().to_vec::<f32>().unwrap(), [1.5]);
}

#[test]
fn damage_is_named() {
    let folder = Folder::new();
    folder.assert_refused(b"", "within the header's length");
    folder.assert_refused(&[255; 64], "claims a header larger than the format allows");
    folder.assert_refused(&[64, 0, 0, 0, 0, 0, 0, 0, b'{'], "claims a header that 9 bytes do not hold");
    folder.assert_refused(b"\x02\0\0\0\0\0\0\0no", "is not a safetensors file");
    let mut longer = folder.saved();
    longer.push(0);
    folder.assert_refused(&longer, "is not where its tensors end");
    let mut flipped = folder.saved();
    *flipped.last_mut().unwrap() ^= 4;
    let error = folder.load(&flipped).unwrap_err().to_string();
    assert!(error.contains("holds the byte") || error.contains("checksum"), "{error}");
    let error = StateDict::load_safetensors("no/such/file").unwrap_err();
    assert!(error.to_string().starts_with("no/such/file: cannot be read"), "{error}");
}

/// A header may claim anything; what is allocated is bounded by what follows it.
#[test]
fn claims_are_not_allocated() {
    let claims = [
        r#"{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}"#,
        r#"{"x":{"dtype":"F32","shape":[18446744073709551615,18446744073709551615],"data_offsets":[0,4]}}"#,
        r#"{"x":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}"#,
        r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"x":{"dtype":"C64","shape":[0],"data_offsets":[0,0]}}"#,
    ];
    let folder = Folder::new();
    for claim in claims {
        let mut bytes = (claim.len() as u64).to_le_bytes().to_vec();
        bytes.extend(claim.as_bytes());
        match folder.load(&bytes) {
            Err(Error::File { .. }) => {}
            Ok(state) => assert_eq!(state.get("x").unwrap().size(), 0, "{claim}"),
            Err(other) => panic!("{claim}: {other}"),
        }
    }
}

proptest! {
    #[test]
    fn a_cut_file_is_refused(part in 0.0..1.0_f64) {
        let folder = Folder::new();
        let bytes = folder.saved();
        let end = (bytes.len() as f64 * part) as usize;
        let refused = matches!(folder.load(&bytes[..end]), Err(Error::File { .. }));
        prop_assert!(refused, "cut at {end}");
    }

    /// One flipped bit is an error, or changes nothing that is loaded (in the checksum's own name, say).
    #[test]
    fn a_flipped_bit_is_refused(place in 0.0..1.0_f64, bit in 0..8_u32) {
        let folder = Folder::new();
        let mut bytes = folder.saved();
        let place = (bytes.len() as f64 * place) as usize;
        bytes[place] ^= 1 << bit;
        match folder.load(&bytes) {
            Err(Error::File { .. }) => {}
            Err(other) => prop_assert!(false, "byte {place}: {other}"),
            Ok(mut state) => {
                state.metadata_mut().retain(|key, _| ["epoch", "note"].contains(&key.as_str()));
                prop_assert!(same(&state, &sample()), "byte {place}");
            }
        }
    }

    /// Any bytes at all: an error or a state, never a panic.
    #[test]
    fn any_bytes_are_an_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..200), header in 0..200_u64) {
        if bytes.len() > 8 {
            bytes[..8].copy_from_slice(&header.to_le_bytes());
        }
        let loaded = Folder::new().load(&bytes);
        let answered = matches!(loaded, Ok(_) | Err(Error::File { .. }));
        prop_assert!(answered, "{loaded:?}");
    }
}
