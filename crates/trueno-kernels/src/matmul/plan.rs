//! How a product is cut into blocks.
//!
//! A [`Plan`] is made from the sizes of the whole product. Running it on any block of rows and columns gives
//! the elements the whole would have had, bit for bit: the path and the cuts of the summed axis are the
//! plan's, and neither depends on where the block lies. That is what lets callers split a product among
//! threads as they like.

use super::tile::TileShape;
use super::unit::Unit;
use crate::{CacheSizes, Isa};

/// The way a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// One column or one row: reads the matrix once, packs nothing.
    Vector,
    /// Blocks that fit the caches, packed where that pays.
    Blocks,
}

/// The blocks of a product `[m, k] x [k, n]` of one element type on one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub(crate) path: Path,
    /// Size of the tile that is held in registers.
    pub(crate) tile: TileShape,
    /// Cuts of the summed axis, and of the columns.
    pub(crate) kc: usize,
    pub(crate) nc: usize,
    pub(crate) k: usize,
    pub(crate) element: usize,
}

impl Plan {
    /// The plan for the sizes of the whole product, on this machine's caches.
    pub fn new<T: Unit>(isa: Isa, m: usize, n: usize, k: usize) -> Plan {
        Plan::with_caches::<T>(isa, m, n, k, CacheSizes::detected())
    }

    /// As [`Plan::new`] for other caches. The first level decides the cuts of the summed
    /// axis, so results differ in rounding between different `l1`.
    pub fn with_caches<T: Unit>(isa: Isa, m: usize, n: usize, k: usize, caches: CacheSizes) -> Plan {
        let tile = TileShape::of::<T>(isa);
        let element = size_of::<T>();
        // A panel of A stays in the first level while those of B stream past it: the longer it is, the less often the product is read and
        // written. A unit that multiplies tiles reads as much of B as of A, so there both fit.
        let row = if tile.steps == 1 { tile.rows } else { tile.rows + tile.cols };
        let kc_most = (caches.l1 / (row * element)).clamp(64, 512);
        let kc = even_cut(k, kc_most, tile.steps);
        let column = kc.max(1) * element;
        // A packed block of B is read once per panel of A.
        let nc_most = (caches.streamed / column).max(tile.cols);
        let path = if m == 1 || n == 1 { Path::Vector } else { Path::Blocks };
        Plan { path, tile, kc, nc: even_cut(n, nc_most, tile.cols), k, element }
    }

    /// The plan whose elements are summed as those of [`PackedB`](super::PackedB) are, whatever the sizes.
    pub(crate) fn packed<T: Unit>(isa: Isa, m: usize, n: usize, k: usize) -> Plan {
        Plan { path: Path::Blocks, ..Plan::new::<T>(isa, m, n, k) }
    }

    /// Elements of scratch that running the plan needs.
    pub fn scratch_len(&self) -> usize {
        let packed = self.packed_a_len() + self.packed_b_len();
        match self.path {
            Path::Vector => packed.max(self.k + ALIGNMENT / self.element),
            Path::Blocks => packed,
        }
    }

    /// Rows that are computed together: blocks of rows best start at multiples.
    pub fn row_unit(&self) -> usize {
        self.tile.rows
    }

    /// Columns that are computed together: blocks of columns best start at multiples.
    pub fn col_unit(&self) -> usize {
        self.tile.cols
    }

    /// Whether the plan was made for this instruction set, element type and length of the summed axis.
    pub(crate) fn is_for<T: Unit>(&self, isa: Isa, k: usize) -> bool {
        self.tile == TileShape::of::<T>(isa) && self.element == size_of::<T>() && self.k == k
    }

    /// Elements that a packed panel of A takes, with room to align it.
    pub(crate) fn packed_a_len(&self) -> usize {
        self.tile.rows * self.kc + ALIGNMENT / self.element
    }

    /// Elements that a packed block of B takes, with room to align it.
    pub(crate) fn packed_b_len(&self) -> usize {
        self.nc * self.kc + ALIGNMENT / self.element
    }
}

/// A cache line, and the widest vector.
const ALIGNMENT: usize = 64;

/// The part of `scratch` that starts at a cache line.
pub(crate) fn aligned<T>(scratch: &mut [T]) -> &mut [T] {
    let skip = scratch.as_ptr().align_offset(ALIGNMENT).min(scratch.len());
    &mut scratch[skip..]
}

/// The size of equal cuts of `length`, each at most `most` and a multiple of `unit`.
fn even_cut(length: usize, most: usize, unit: usize) -> usize {
    let most = (most / unit).max(1) * unit;
    let cuts = length.div_ceil(most).max(1);
    length.div_ceil(cuts).next_multiple_of(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_even_and_cover_the_axis() {
        assert_eq!(even_cut(1024, 256, 1), 256);
        assert_eq!(even_cut(300, 256, 1), 150);
        assert_eq!(even_cut(5, 100, 14), 14);
        assert_eq!(even_cut(0, 256, 1), 0);
        for length in 1..200 {
            let cut = even_cut(length, 37, 6);
            assert!(cut.is_multiple_of(6) && cut <= 36 && cut > 0);
            assert!(cut * length.div_ceil(cut) >= length);
        }
    }
}
