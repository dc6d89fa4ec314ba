//! The IDX format of the MNIST family: a magic number that names the element type and the rank, the
//! sizes, then the elements, all big-endian and row-major.
//!
//! Files may be gzip-compressed; offsets in errors count decompressed bytes. Format: Y. LeCun,
//! C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".

use std::path::Path;

use trueno_core::{Error, Result};

use crate::source::Source;

/// The elements of an IDX file, row-major. The variants are the types that the format knows.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Elements {
    U8(Vec<u8>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Elements {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Elements::U8(v) => v.len(),
            Elements::I8(v) => v.len(),
            Elements::I16(v) => v.len(),
            Elements::I32(v) => v.len(),
            Elements::F32(v) => v.len(),
            Elements::F64(v) => v.len(),
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn code(&self) -> u8 {
        match self {
            Elements::U8(_) => 0x08,
            Elements::I8(_) => 0x09,
            Elements::I16(_) => 0x0B,
            Elements::I32(_) => 0x0C,
            Elements::F32(_) => 0x0D,
            Elements::F64(_) => 0x0E,
        }
    }
}

/// An n-dimensional array as an IDX file holds it.
///
/// ```
/// use trueno_data::idx::{self, Elements, IdxArray};
///
/// let labels = IdxArray::new(vec![3], Elements::U8(vec![5, 0, 4]))?;
/// let bytes = labels.to_bytes();
/// assert_eq!(bytes, [0, 0, 0x08, 1, 0, 0, 0, 3, 5, 0, 4]);
/// assert_eq!(idx::parse("labels", &bytes)?, labels);
///
/// let cut = idx::parse("labels", &bytes[..9]).unwrap_err();
/// assert_eq!(cut.to_string(), "labels at byte 9: ends after 1 of the 3 bytes of elements");
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct IdxArray {
    shape: Vec<usize>,
    elements: Elements,
}

impl IdxArray {
    /// An array of this shape.
    ///
    /// # Errors
    /// If the shape does not hold exactly the elements, or cannot be written: the format has 1 to 255
    /// axes, each below 2^32.
    pub fn new(shape: Vec<usize>, elements: Elements) -> Result<Self> {
        let writable = (1..=255).contains(&shape.len()) && shape.iter().all(|&size| u32::try_from(size).is_ok());
        if !writable || count(&shape) != Some(elements.len()) {
            return Err(Error::Shape {
                op: "IdxArray::new",
                got: shape.as_slice().into(),
                reason: format!(
                    "does not describe {} elements on 1 to 255 axes of less than 2^32 each",
                    elements.len()
                )
                .into(),
            });
        }
        Ok(IdxArray { shape, elements })
    }

    /// The sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The shape and the elements.
    pub fn into_parts(self) -> (Vec<usize>, Elements) {
        (self.shape, self.elements)
    }

    /// The array as an uncompressed IDX file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0, self.elements.code(), self.shape.len() as u8];
        for &size in &self.shape {
            bytes.extend_from_slice(&(size as u32).to_be_bytes());
        }
        match &self.elements {
            Elements::U8(v) => bytes.extend_from_slice(v),
            Elements::I8(v) => bytes.extend(v.iter().map(|&x| x as u8)),
            Elements::I16(v) => bytes.extend(v.iter().flat_map(|x| x.to_be_bytes())),
            Elements::I32(v) => bytes.extend(v.iter().flat_map(|x| x.to_be_bytes())),
            Elements::F32(v) => bytes.extend(v.iter().flat_map(|x| x.to_be_bytes())),
            Elements::F64(v) => bytes.extend(v.iter().flat_map(|x| x.to_be_bytes())),
        }
        bytes
    }
}

/// Reads an IDX file, plain or gzip-compressed.
///
/// # Errors
/// [`Error::File`] if the file cannot be read, is no IDX file, is shorter or longer than its header
/// says, or fails gzip's checksum.
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    from_source(Source::open(path.as_ref())?)
}

/// [`read`] from memory; `name` stands for the path in errors.
pub fn parse(name: &str, bytes: &[u8]) -> Result<IdxArray> {
    from_source(Source::from_bytes(name, bytes)?)
}

fn from_source(mut source: Source<'_>) -> Result<IdxArray> {
    let magic = source.exactly(4, "the magic number")?;
    let (code, rank) = match magic[..] {
        [0, 0, code, rank] if rank > 0 => (code, rank),
        _ => return Err(source.error(0, format!("no IDX file: it starts with {magic:02x?}, not 00 00 TYPE RANK"))),
    };
    let Some((size, decode)) = element_type(code) else {
        return Err(source.error(2, format!("element type {code:#04x} is none of 08, 09, 0B, 0C, 0D, 0E")));
    };
    let sizes = source.exactly(4 * usize::from(rank), "the sizes")?;
    let shape: Vec<usize> = be_chunks(&sizes, |bytes| u32::from_be_bytes(bytes) as usize);
    let Some(len) = count(&shape).and_then(|count| count.checked_mul(size)) else {
        return Err(source.error(4, format!("shape {shape:?} is larger than memory can be")));
    };
    let bytes = source.exactly(len, "elements")?;
    source.finish("has more bytes than its header promises")?;
    Ok(IdxArray { shape, elements: decode(&bytes) })
}

/// The bytes of one element and the way from all of them to values.
type ElementType = (usize, fn(&[u8]) -> Elements);

fn element_type(code: u8) -> Option<ElementType> {
    Some(match code {
        0x08 => (1, |bytes| Elements::U8(bytes.to_vec())),
        0x09 => (1, |bytes| Elements::I8(be_chunks(bytes, i8::from_be_bytes))),
        0x0B => (2, |bytes| Elements::I16(be_chunks(bytes, i16::from_be_bytes))),
        0x0C => (4, |bytes| Elements::I32(be_chunks(bytes, i32::from_be_bytes))),
        0x0D => (4, |bytes| Elements::F32(be_chunks(bytes, f32::from_be_bytes))),
        0x0E => (8, |bytes| Elements::F64(be_chunks(bytes, f64::from_be_bytes))),
        _ => return None,
    })
}

/// The number of elements, if an array of this shape could exist. As in NumPy, sizes of zero do not
/// excuse the others: a shape that would overflow without them is refused.
fn count(shape: &[usize]) -> Option<usize> {
    let nonzero = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size.max(1)))?;
    isize::try_from(nonzero).ok()?;
    Some(if shape.contains(&0) { 0 } else { nonzero })
}

fn be_chunks<T, const SIZE: usize>(bytes: &[u8], convert: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| convert(chunk)).collect()
}
