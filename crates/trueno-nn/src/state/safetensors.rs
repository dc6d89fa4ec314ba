//! State dicts in files of the safetensors format (<https://github.com/huggingface/safetensors>).
//!
//! The format has no checksum, so one is kept in the metadata of files written here: without it a flipped bit
//! among the weights would be loaded as a weight.

use super::StateDict;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use trueno_core::{DType, Element, Error, Result, bf16, dispatch_dtype, f16};
use trueno_tensor::{Device, DynTensor};

const _: () = assert!(cfg!(target_endian = "little"), "files are little-endian, and elements are written as they lie");

/// The metadata entry with the checksum of everything else.
const CHECKSUM: &str = "trueno.crc32";

/// The header's entry for metadata, which no tensor can be called.
const METADATA: &str = "__metadata__";

/// Bytes before the header: its length.
const LENGTH: usize = 8;

impl StateDict {
    /// Writes the tensors and the metadata to a file, which is replaced whole or not at all: whenever the
    /// process ends, the file is the old one or the new one. The same state gives the same bytes.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be written to; [`Error::Argument`] for a tensor called `__metadata__`.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if self.contains_key(METADATA) {
            let reason = format!("a tensor cannot be called `{METADATA}`: the file format uses that name").into();
            return Err(Error::Argument { op: "save_safetensors", reason });
        }
        // Widest elements first: readers map the file and want every tensor aligned.
        let mut tensors: Vec<(&str, DynTensor)> = self
            .iter()
            .map(|(name, value)| Ok((name, value.to(&Device::Cpu)?.contiguous()?)))
            .collect::<Result<_>>()?;
        tensors.sort_by_key(|(_, value)| std::cmp::Reverse(value.dtype().size()));
        let header = header(&tensors, &self.metadata).map_err(|reason| file_error(path, None, reason))?;
        write_atomically(path, |file| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(&header)?;
            tensors.iter().try_for_each(|(_, value)| with_bytes(value, |bytes| file.write_all(bytes)))
        })
        .map_err(|error| file_error(path, None, format!("cannot be written: {error}")))
    }

    /// Reads a file of the safetensors format, written here or elsewhere, in the order in which the tensors lie.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read, is cut short or too long, is damaged (as far as its contents
    /// show; files written here have a checksum), or holds an element type that [`DType`] lacks.
    pub fn load_safetensors(path: impl AsRef<Path>) -> Result<StateDict> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| file_error(path, None, format!("cannot be read: {error}")))?;
        parse(&bytes, path)
    }
}

fn file_error(path: &Path, offset: Option<usize>, reason: String) -> Error {
    Error::File { path: path.display().to_string(), offset: offset.map(|offset| offset as u64), reason }
}

/// Runs a closure on the bytes of a row-major tensor.
fn with_bytes<R>(tensor: &DynTensor, run: impl FnOnce(&[u8]) -> R) -> R {
    dispatch_dtype!(tensor.dtype(), all T => run(bytemuck::cast_slice(tensor.as_slice::<T>().unwrap_or_default())))
}

/// The header of tensors that follow one another in this order, padded so that they start aligned.
fn header(tensors: &[(&str, DynTensor)], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    let mut metadata = metadata.clone();
    let views: BTreeMap<&str, &DynTensor> = tensors.iter().map(|(name, value)| (*name, value)).collect();
    metadata.remove(CHECKSUM);
    metadata.insert(CHECKSUM.to_owned(), checksum(&metadata, views.iter().map(|(name, value)| (*name, *value))));
    let mut end = 0;
    let info = |(name, value): &(&str, DynTensor)| {
        let start = end;
        end += value.size() * value.dtype().size();
        let (dtype, shape) = (to_format(value.dtype()), value.shape().to_vec());
        ((*name).to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let infos = Metadata::new(None, tensors.iter().map(info).collect()).map_err(|error| error.to_string())?;
    let infos = serde_json::to_string(&infos).map_err(|error| error.to_string())?;
    let metadata = serde_json::to_string(&metadata).map_err(|error| error.to_string())?;
    // The library keeps metadata in a hash map, whose order changes from run to run; here it is put in sorted.
    let comma = if tensors.is_empty() { "" } else { "," };
    let mut header = format!("{{\"{METADATA}\":{metadata}{comma}{}", &infos[1..]).into_bytes();
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    Ok(header)
}

/// A checksum of tensors in the order of their names, and of the metadata but the checksum itself.
fn checksum<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'a str, &'a DynTensor)>,
) -> String {
    // Lengths come first, so that no two states write the same stream.
    fn text(hasher: &mut crc32fast::Hasher, text: &str) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut hasher = crc32fast::Hasher::new();
    for (key, value) in metadata.iter().filter(|(key, _)| *key != CHECKSUM) {
        text(&mut hasher, key);
        text(&mut hasher, value);
    }
    for (name, value) in tensors {
        text(&mut hasher, name);
        text(&mut hasher, value.dtype().name());
        hasher.update(&(value.rank() as u64).to_le_bytes());
        value.shape().iter().for_each(|&size| hasher.update(&(size as u64).to_le_bytes()));
        with_bytes(value, |bytes| hasher.update(bytes));
    }
    format!("{:08x}", hasher.finalize())
}

/// Writes beside the file and renames, so that nobody ever sees half of it.
fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".saving-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask, as any new file
    let file = builder.tempfile_in(folder)?;
    let mut buffer = BufWriter::new(file.as_file());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename itself is on the disk only once the folder is.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The contents of a file. Allocates for tensors that are there, never for what the header merely claims: offsets
/// are checked against the bytes before anything is copied.
fn parse(bytes: &[u8], path: &Path) -> Result<StateDict> {
    let (header_size, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error, bytes, path))?;
    let data_start = LENGTH + header_size;
    let mut metadata: BTreeMap<String, String> = header.metadata().iter().flatten().map(owned).collect();
    let mut infos: Vec<(String, &TensorInfo)> = header.tensors().into_iter().collect();
    infos.sort_by(|(left_name, left), (right_name, right)| {
        left.data_offsets.cmp(&right.data_offsets).then_with(|| left_name.cmp(right_name))
    });
    let mut state = StateDict::new();
    for (name, info) in infos {
        let (start, end) = info.data_offsets;
        let at = data_start + start;
        let Some(dtype) = from_format(info.dtype) else {
            let reason = format!("`{name}` has elements of type {}, which tensors here cannot hold", info.dtype);
            return Err(file_error(path, Some(at), reason));
        };
        let value = tensor(dtype, &info.shape, &bytes[at..data_start + end]).map_err(|trouble| match trouble {
            Trouble::Byte(index, byte) => {
                file_error(path, Some(at + index), format!("`{name}` is of type bool, but holds the byte {byte}"))
            }
            Trouble::Tensor(error @ Error::OutOfMemory { .. }) => error,
            Trouble::Tensor(error) => file_error(path, Some(at), format!("`{name}`: {error}")),
        })?;
        state.insert(name, value);
    }
    let expected = metadata.remove(CHECKSUM);
    let sorted: BTreeMap<&str, &DynTensor> = state.iter().collect();
    let found = checksum(&metadata, sorted.into_iter());
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let reason = format!("is damaged: its checksum is {found}, and {expected} when it was written");
        return Err(file_error(path, None, reason));
    }
    state.metadata = metadata;
    Ok(state)
}

fn owned((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

/// What the library found wrong, with the place where it is known.
fn damaged(error: &SafeTensorError, bytes: &[u8], path: &Path) -> Error {
    let size = bytes.len();
    let (offset, reason) = match error {
        SafeTensorError::HeaderTooSmall => (Some(0), format!("ends after {size} bytes, within the header's length")),
        SafeTensorError::HeaderTooLarge => (Some(0), "claims a header larger than the format allows".to_owned()),
        SafeTensorError::InvalidHeaderLength => (Some(0), format!("claims a header that {size} bytes do not hold")),
        SafeTensorError::MetadataIncompleteBuffer => {
            (None, format!("is {size} bytes long, which is not where its tensors end"))
        }
        SafeTensorError::InvalidHeader(_) | SafeTensorError::InvalidHeaderDeserialization(_) => {
            (Some(LENGTH), format!("is not a safetensors file: {error}"))
        }
        other => (None, format!("is not a valid safetensors file: {other}")),
    };
    file_error(path, offset, reason)
}

/// Why bytes are not a tensor.
enum Trouble {
    /// A truth value that is neither 0 nor 1, and its place.
    Byte(usize, u8),
    Tensor(Error),
}

fn tensor(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<DynTensor, Trouble> {
    fn of<T: Element + bytemuck::AnyBitPattern>(bytes: &[u8], shape: &[usize]) -> Result<DynTensor> {
        // The file gives no alignment, so that the elements are copied out before they are looked at.
        let elements: Vec<T> = bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect();
        DynTensor::from_slice(&elements, shape)
    }
    let made = match dtype {
        DType::Bool => {
            if let Some((index, &byte)) = bytes.iter().enumerate().find(|(_, byte)| **byte > 1) {
                return Err(Trouble::Byte(index, byte));
            }
            DynTensor::from_slice(&bytes.iter().map(|&byte| byte == 1).collect::<Vec<bool>>(), shape)
        }
        DType::U8 => DynTensor::from_slice(bytes, shape),
        DType::I8 => of::<i8>(bytes, shape),
        DType::I32 => of::<i32>(bytes, shape),
        DType::U32 => of::<u32>(bytes, shape),
        DType::I64 => of::<i64>(bytes, shape),
        DType::F16 => of::<f16>(bytes, shape),
        DType::BF16 => of::<bf16>(bytes, shape),
        DType::F32 => of::<f32>(bytes, shape),
        DType::F64 => of::<f64>(bytes, shape),
    };
    made.map_err(Trouble::Tensor)
}

fn to_format(dtype: DType) -> Dtype {
    match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::I32 => Dtype::I32,
        DType::U32 => Dtype::U32,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

fn from_format(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&own| to_format(own) == dtype)
}
