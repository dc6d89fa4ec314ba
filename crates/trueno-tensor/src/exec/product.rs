//! One matrix product, cut among threads. Each cut computes what the whole would, bit for bit, by the contract of [`Plan`]:
//! so the cuts may follow the number of threads.

use super::isa::isa;
use super::prepacking::is_prepacking_enabled;
use crate::parallel::{for_each_piece, num_threads, try_for_each_piece};
use crate::storage::{Buffer, PackedPlace};
use std::ops::Range;
use std::sync::Arc;
use trueno_core::{Element, Result};
use trueno_kernels::matmul::{Finish, MatMut, MatRef, PackedB, Plan, Unit, gemm, gemm_packed_b};

/// Multiply-adds that are worth a thread of their own.
pub(super) const JOB: usize = 1 << 20;
/// Blocks per thread: a thread that is held up leaves its share to the others.
const PER_THREAD: usize = 4;
/// Tiles that a block is high and wide at least, so that packing it is worth little beside its products.
const TILES: usize = 4;
/// Columns of the right operand that are packed as one piece.
const PACKED_COLUMNS: usize = 512;

/// `c = a * b`, or what else `epilogue` makes of the product. `lasting` says where `b` lies, if that may be met again.
pub(super) fn product<T: Unit>(
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    lasting: Option<Lasting<'_>>,
    c: MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
) -> Result<()> {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let plan = Plan::new::<T>(isa(), m, n, k);
    let blocks = blocks([m, n, k], &plan, num_threads());
    let panels = Panels::new(&plan, k, n);
    // Columns that are adjacent are read where they lie.
    let lasting = lasting.filter(|_| b.col_stride() != 1);
    if let Some(packed) = kept(m, [k, n], lasting, || pack(&panels, b))? {
        return packed_product(&plan, a, &panels, &packed, c, epilogue);
    }
    if blocks == [1, 1] {
        return with_scratch(&plan, |scratch| gemm(isa(), &plan, a, b, c, epilogue, scratch));
    }
    if blocks[0] > 1 && n > 1 && b.col_stride() != 1 {
        return packed_product(&plan, a, &panels, &pack(&panels, b)?, c, epilogue);
    }
    let mut jobs = Vec::new();
    for (rows, c) in rows_of(c, cuts(m, plan.row_unit(), blocks[0])) {
        for (cols, c) in cols_of(c, cuts(n, plan.col_unit(), blocks[1])) {
            jobs.push((rows.clone(), cols, c));
        }
    }
    run_jobs(&mut jobs, |(rows, cols, c)| {
        with_scratch(&plan, |scratch| {
            let (a, b) = (a.block(rows.clone(), 0..k), b.block(0..k, cols.clone()));
            gemm(isa(), &plan, a, b, c.reborrow(), &epilogue.block(rows.clone(), cols.clone()), scratch);
        })
    })
}

/// Multiply-adds of a product, each of a vector's counted as several: they wait for an element from memory.
pub(super) fn cost([m, n, k]: [usize; 3]) -> usize {
    const FROM_MEMORY: usize = 8;
    (m * n).saturating_mul(k).saturating_mul(if m.min(n) == 1 { FROM_MEMORY } else { 1 })
}

/// How many blocks of rows and of columns a product is cut into.
pub(super) fn blocks([m, n, k]: [usize; 3], plan: &Plan, threads: usize) -> [usize; 2] {
    let worth = cost([m, n, k]) / JOB;
    if threads == 1 || worth < 2 {
        return [1, 1];
    }
    let wanted = worth.min(threads * PER_THREAD);
    // Rows first: a block of rows packs its own part of the left operand, and reads the right one in place.
    let rows = (m / (TILES * plan.row_unit())).clamp(1, wanted);
    let cols = (n / (TILES * plan.col_unit())).clamp(1, wanted.div_ceil(rows));
    [rows, cols]
}

/// Cuts of `length` into up to `count` parts of whole units, of which none has more than one unit more than another.
pub(super) fn cuts(length: usize, unit: usize, count: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let unit = unit.max(1);
    let units = length.div_ceil(unit);
    let count = count.min(units);
    let place = move |part: usize| length.min(units * part / count * unit);
    (0..count).map(move |part| place(part)..place(part + 1))
}

/// A right operand that may be met again, and then be packed already: the buffer that it lies in, and where.
#[derive(Clone, Copy)]
pub(super) struct Lasting<'a> {
    pub buffer: &'a Buffer,
    pub place: PackedPlace,
}

/// Rows of the left operand up to which packing the right one costs enough that it is kept: it is as much work as a few rows of
/// the product.
const KEPT_ROWS: usize = 256;

/// A right operand `[k, n]` that products with `m` rows would pack every time, as `pack` packs it, if this is not the first product with it.
pub(super) fn kept(
    m: usize,
    [k, n]: [usize; 2],
    lasting: Option<Lasting<'_>>,
    pack: impl FnOnce() -> Result<Buffer>,
) -> Result<Option<Arc<Buffer>>> {
    let worth = (2..=KEPT_ROWS).contains(&m) && n > 1 && k > 0;
    match lasting.filter(|_| worth && is_prepacking_enabled()) {
        Some(Lasting { buffer, place }) => buffer.packed(place, pack),
        None => Ok(None),
    }
}

/// How a packed right operand is cut into panels of columns.
pub(super) struct Panels {
    k: usize,
    n: usize,
    /// Columns of each but the last.
    pub width: usize,
}

impl Panels {
    pub fn new(plan: &Plan, k: usize, n: usize) -> Panels {
        Panels::of_width(plan, k, n, n.div_ceil(n.div_ceil(PACKED_COLUMNS).max(1)))
    }

    /// Panels of `width` columns, or a few more.
    pub(super) fn of_width(plan: &Plan, k: usize, n: usize, width: usize) -> Panels {
        Panels { k, n, width: width.next_multiple_of(plan.col_unit()) }
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = Range<usize>> + Clone {
        let (n, width) = (self.n, self.width);
        (0..n).step_by(width).map(move |start| start..n.min(start + width))
    }

    /// The panels that [`pack`] left in a buffer.
    pub(super) fn packed<'p, T: Unit>(&self, packed: &'p Buffer) -> Vec<PackedB<'p, T>> {
        let places = T::of(packed.as_slice()).chunks(self.len::<T>());
        self.columns().zip(places).map(|(cols, place)| PackedB::packed(isa(), place, self.k, cols.len())).collect()
    }

    /// Elements from one panel to the next.
    fn len<T: Unit>(&self) -> usize {
        PackedB::<T>::len(isa(), self.k, self.width)
    }
}

/// The panels of `b`, packed by all threads.
pub(super) fn pack<T: Unit>(panels: &Panels, b: MatRef<'_, T>) -> Result<Buffer> {
    packed_by(panels, |columns, place: &mut [T]| {
        PackedB::pack(isa(), b.block(0..panels.k, columns), place);
    })
}

/// Panels that all threads make: `pack` that of the given columns, at its place.
pub(super) fn packed_by<T: Unit>(
    panels: &Panels,
    pack: impl Fn(Range<usize>, &mut [T]) + Sync + Send,
) -> Result<Buffer> {
    let (len, columns) = (panels.len::<T>(), panels.columns().collect::<Vec<_>>());
    let mut packed = Buffer::new("matmul", T::Held::DTYPE, len * columns.len())?;
    for_each_piece(T::of_mut(packed.as_mut_slice()), len, 1, |index, place| {
        pack(columns[index].clone(), place);
    });
    Ok(packed)
}

/// A product whose right operand is packed, which all threads read.
pub(super) fn packed_product<T: Unit>(
    plan: &Plan,
    a: MatRef<'_, T>,
    panels: &Panels,
    packed: &Buffer,
    c: MatMut<'_, T>,
    epilogue: &T::Epilogue<'_>,
) -> Result<()> {
    let mut jobs = packed_jobs::<T, T>(plan, panels, packed, c, usize::MAX);
    run_jobs(&mut jobs, |PackedJob { panel, rows, cols, c }| {
        with_scratch(plan, |scratch| {
            let (a, epilogue) = (a.block(rows.clone(), 0..panels.k), epilogue.block(rows.clone(), cols.clone()));
            gemm_packed_b(isa(), plan, a, panel, c.reborrow(), &epilogue, scratch);
        })
    })
}

/// A block of a product whose right operand is packed: its place, and the part of that operand that it takes.
pub(super) struct PackedJob<'p, 'c, T, C> {
    pub panel: PackedB<'p, T>,
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    pub c: MatMut<'c, C>,
}

/// The blocks of such a product, of `most_rows` at most.
pub(super) fn packed_jobs<'p, 'c, T: Unit, C>(
    plan: &Plan,
    panels: &Panels,
    packed: &'p Buffer,
    c: MatMut<'c, C>,
    most_rows: usize,
) -> Vec<PackedJob<'p, 'c, T, C>> {
    let m = c.rows();
    let [row_blocks, col_blocks] = blocks([m, panels.n, panels.k], plan, num_threads());
    let row_blocks = row_blocks.max(m.div_ceil(most_rows));
    let panel_blocks = panels.packed::<T>(packed);
    // Each part of a panel packs the left operand again: so there are no more of them than give every thread a block.
    let wanted = num_threads().min(row_blocks * col_blocks);
    let parts = wanted.div_ceil(row_blocks * panel_blocks.len().max(1));
    let mut jobs = Vec::new();
    for (rows, c) in rows_of(c, cuts(m, plan.row_unit(), row_blocks)) {
        for (panel, (cols, c)) in panel_blocks.iter().zip(cols_of(c, panels.columns())) {
            for (part, c) in cols_of(c, cuts(cols.len(), plan.col_unit(), parts)) {
                let cols = cols.start + part.start..cols.start + part.end;
                jobs.push(PackedJob { panel: panel.columns(part), rows: rows.clone(), cols, c });
            }
        }
    }
    jobs
}

/// A matrix cut into blocks of consecutive rows.
pub(super) fn rows_of<T>(
    c: MatMut<'_, T>,
    cuts: impl Iterator<Item = Range<usize>>,
) -> Vec<(Range<usize>, MatMut<'_, T>)> {
    let mut rest = c;
    let mut blocks = Vec::new();
    for rows in cuts {
        let (block, below) = rest.split_at_row(rows.len());
        blocks.push((rows, block));
        rest = below;
    }
    blocks
}

/// A matrix cut into blocks of consecutive columns.
pub(super) fn cols_of<T>(
    c: MatMut<'_, T>,
    cuts: impl Iterator<Item = Range<usize>>,
) -> Vec<(Range<usize>, MatMut<'_, T>)> {
    let mut rest = c;
    let mut blocks = Vec::new();
    for cols in cuts {
        let (block, right) = rest.split_at_col(cols.len());
        blocks.push((cols, block));
        rest = right;
    }
    blocks
}

pub(super) fn run_jobs<J: Send>(jobs: &mut [J], work: impl Fn(&mut J) -> Result<()> + Sync + Send) -> Result<()> {
    try_for_each_piece(jobs, 1, JOB, |_, job| job.iter_mut().try_for_each(&work))
}

/// Runs `work` with scratch for `plan`, from the pool.
pub(super) fn with_scratch<T: Unit>(plan: &Plan, work: impl FnOnce(&mut [T])) -> Result<()> {
    let mut scratch = Buffer::new("matmul", T::Held::DTYPE, plan.scratch_len())?;
    work(T::of_mut(scratch.as_mut_slice()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_even_and_cover_the_axis() {
        let sizes = |length, unit, count| cuts(length, unit, count).map(|part| part.len()).collect::<Vec<_>>();
        assert_eq!(sizes(1024, 14, 8), [126, 126, 126, 140, 126, 126, 126, 128]);
        assert_eq!(sizes(30, 14, 8), [14, 14, 2]);
        assert_eq!(sizes(5, 14, 3), [5]);
        assert_eq!(sizes(0, 14, 3), []);
        for (length, count) in (0..300).flat_map(|length| (1..9).map(move |count| (length, count))) {
            let parts: Vec<_> = cuts(length, 6, count).collect();
            assert!(parts.iter().all(|part| part.start % 6 == 0 && !part.is_empty()));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(parts.iter().map(Range::len).sum::<usize>(), length);
        }
    }
}
