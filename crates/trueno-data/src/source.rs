//! A stream of bytes that knows its name and its offset, so that every reader's errors can say where.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use trueno_core::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Bytes from a file or from memory, decompressed if they start as gzip does.
///
/// Memory grows with what arrives, never with what a header claims.
pub(crate) struct Source<'a> {
    name: String,
    reader: Box<dyn Read + 'a>,
    offset: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Source::new(name, file),
            Err(error) => Err(Error::File { path: name, offset: None, reason: error.to_string() }),
        }
    }

    pub(crate) fn from_bytes(name: &str, bytes: &'a [u8]) -> Result<Self> {
        Source::new(name.to_owned(), bytes)
    }

    fn new(name: String, mut reader: impl Read + 'a) -> Result<Self> {
        let mut start = Vec::with_capacity(GZIP_MAGIC.len());
        let peeked = reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start);
        if let Err(error) = peeked {
            return Err(Error::File { path: name, offset: Some(0), reason: error.to_string() });
        }
        let compressed = start == GZIP_MAGIC;
        let whole = Cursor::new(start).chain(reader);
        let reader: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Source { name, reader, offset: 0 })
    }

    /// Where the next byte is, counted after decompression.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn error(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::File { path: self.name.clone(), offset: Some(offset), reason: reason.into() }
    }

    /// Appends up to `limit` bytes to `buffer`; fewer arrive only at the end of the data.
    pub(crate) fn read_up_to(&mut self, limit: usize, buffer: &mut Vec<u8>) -> Result<usize> {
        let before = buffer.len();
        let outcome = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        let arrived = buffer.len() - before;
        self.offset += arrived as u64;
        match outcome {
            Ok(_) => Ok(arrived),
            Err(error) => Err(self.error(self.offset, format!("cannot be read further: {error}"))),
        }
    }

    /// Exactly `len` bytes, which the errors call `what`.
    pub(crate) fn exactly(&mut self, len: usize, what: &str) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        let arrived = self.read_up_to(len, &mut buffer)?;
        if arrived < len {
            return Err(self.error(self.offset, format!("ends after {arrived} of the {len} bytes of {what}")));
        }
        Ok(buffer)
    }

    /// Checks that nothing follows, else fails for this reason. This is also what makes gzip compare its checksum.
    pub(crate) fn finish(mut self, reason: &str) -> Result<()> {
        let end = self.offset;
        match self.read_up_to(1, &mut Vec::new())? {
            0 => Ok(()),
            _ => Err(self.error(end, reason)),
        }
    }
}
