//! Factors as words of several elements: see [`Grouped`].

use super::isa::isa;
use super::product::{Panels, pack, packed_by};
use crate::parallel::for_each_piece;
use crate::storage::Buffer;
use trueno_core::{Element, Result};
use trueno_kernels::matmul::{Grouped, MatRef, PackedB, Side, Unit};

/// Elements of a factor that are made words of as one piece.
const PIECE: usize = 1 << 15;

/// A factor as words, made by all threads.
pub(super) struct Lines<W: Unit> {
    words: Buffer,
    size: [usize; 2],
    lie_across: bool,
    kind: std::marker::PhantomData<W>,
}

impl<W: Grouped> Lines<W> {
    /// Of a matrix whose rows run along the summed axis.
    pub fn new(side: Side, x: MatRef<'_, W::Of>) -> Result<Lines<W>> {
        let (isa, rows, k, lie_across) = (isa(), x.rows(), x.cols(), W::lie_across(&x));
        let (steps, per_word) = (W::steps(isa, k), W::per_word(isa));
        let mut words = Buffer::new("matmul", W::Held::DTYPE, rows * steps)?;
        let line = if lie_across { rows } else { steps };
        let unit = if lie_across { W::step_unit(isa) } else { 1 };
        let together = (PIECE / line.max(1)).max(1).next_multiple_of(unit);
        for_each_piece(W::of_mut(words.as_mut_slice()), together * line, 1, |index, words| {
            let from = index * together;
            let to = from + words.len() / line;
            let part = if lie_across {
                x.block(0..rows, from * per_word..k.min(to * per_word))
            } else {
                x.block(from..to, 0..k)
            };
            W::lines(isa, side, part, words);
        });
        Ok(Lines { words, size: [rows, steps], lie_across, kind: std::marker::PhantomData })
    }

    pub fn matrix(&self) -> MatRef<'_, W> {
        let (words, [rows, steps]) = (W::of(self.words.as_slice()), self.size);
        if self.lie_across {
            MatRef::row_major(words, steps, rows).transposed()
        } else {
            MatRef::row_major(words, rows, steps)
        }
    }
}

/// The panels of a right factor, whose words are made on the way where they are not there yet.
pub(super) fn pack_words<W: Grouped>(panels: &Panels, b: MatRef<'_, W::Of>) -> Result<Buffer> {
    let (isa, k, along) = (isa(), b.rows(), b.transposed());
    if let Some(words) = W::in_place(isa, Side::Right, along) {
        pack(panels, words.transposed())
    } else if W::lie_across(&along) {
        packed_by(panels, |columns, place: &mut [W]| {
            PackedB::pack_elements(isa, b.block(0..k, columns), place);
        })
    } else {
        pack(panels, Lines::<W>::new(Side::Right, along)?.matrix().transposed())
    }
}
