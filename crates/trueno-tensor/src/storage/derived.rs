//! What was computed from the elements of a buffer alone and is kept beside them until they are written.

use super::Buffer;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trueno_core::Result;
use trueno_kernels::Isa;

/// What a derived buffer was made of: a matrix in the elements, and the instruction set it was packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedPlace {
    /// Whose tiles it is packed for.
    pub isa: Isa,
    /// The position of the matrix's first element.
    pub first: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Elements from a row to the next, and from a column.
    pub steps: [isize; 2],
}

/// A matrix of a buffer, packed for products: the one that was asked for last.
#[derive(Debug, Default)]
pub struct Derived(Mutex<Option<Entry>>);

#[derive(Debug)]
struct Entry {
    place: PackedPlace,
    /// `None` after the first time: what is multiplied with once need not be kept.
    packed: Option<Arc<Buffer>>,
}

impl Derived {
    /// What `make` gives for the matrix at `place`, kept from the second time on that it is asked for.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn packed(&self, place: PackedPlace, make: impl FnOnce() -> Result<Buffer>) -> Result<Option<Arc<Buffer>>> {
        {
            let mut entry = self.lock();
            match &mut *entry {
                Some(known) if known.place == place => {
                    if let Some(packed) = &known.packed {
                        return Ok(Some(packed.clone()));
                    }
                }
                other => {
                    *other = Some(Entry { place, packed: None });
                    return Ok(None);
                }
            }
        }
        // Not under the lock: packing may wait for threads that wait for it. Two at once make the same.
        let packed = Arc::new(make()?);
        if let Some(known) = self.lock().as_mut().filter(|known| known.place == place) {
            known.packed = Some(packed.clone());
        }
        Ok(Some(packed))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Entry>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets it: the elements are about to change.
    pub fn forget(&mut self) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
