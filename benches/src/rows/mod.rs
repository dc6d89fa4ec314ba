//! The rows. Their names, shapes and arithmetic are those of `peers.py`.

mod arrays;
mod conv;
mod matmul;
mod movement;
mod others;

use std::hint::black_box;

use crate::networks;

use trueno_core::Result;
use trueno_tensor::DynTensor;

/// One call of a prepared row.
pub type Work = Box<dyn FnMut()>;

/// A name and what prepares the row; that panics if the operation fails on the row's own operands, which is a mistake here.
pub type Row = (&'static str, fn() -> Work);

/// Rows by what they time, in the order of the page.
const GROUPS: [(&str, &[Row]); 11] = [
    ("vectors", &arrays::VECTORS),
    ("chains", &arrays::CHAINS),
    ("functions", &arrays::FUNCTIONS),
    ("matrices", &arrays::MATRICES),
    ("sorts", &movement::SORTS),
    ("movement", &movement::ROWS),
    ("matrix products", &matmul::ROWS),
    ("convolutions", &conv::ROWS),
    ("training", &networks::TRAINING),
    ("inference", &networks::INFERENCE),
    ("others", &others::ROWS),
];

/// The names of all rows, each after that of its group.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    GROUPS.into_iter().flat_map(|(group, rows)| rows.iter().map(move |(name, _)| (group, *name)))
}

/// Prepares the row called `name`; `None` if there is none.
pub fn prepare(name: &str) -> Option<Work> {
    let mut rows = GROUPS.into_iter().flat_map(|(_, rows)| rows);
    rows.find(|(known, _)| *known == name).map(|(_, prepare)| prepare())
}

/// A call whose result cannot be optimised away.
fn work(mut call: impl FnMut() -> Result<DynTensor> + 'static) -> Work {
    Box::new(move || {
        black_box(call().expect("a row fits its operands"));
    })
}

/// Numbers in -2..2 from a multiplicative generator, so that no operand is special.
pub fn values(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    }
}

fn operand(shape: &[usize], seed: u32) -> DynTensor {
    let elements: Vec<f32> = std::iter::repeat_with(values(seed)).take(shape.iter().product()).collect();
    DynTensor::from_slice(&elements, shape).expect("as many elements as the shape says")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_spread_over_their_range() {
        let values = operand(&[1000], 3).to_vec::<f32>().unwrap();
        let mean = values.iter().sum::<f32>() / 1000.0;
        assert!(values.iter().all(|v| (-2.0..2.0).contains(v)) && mean.abs() < 0.2, "{mean}");
    }

    #[test]
    fn unknown_rows_are_absent() {
        assert!(prepare("no such row").is_none());
        assert!(prepare("add 1e3").is_some());
        assert_eq!(names().next(), Some(("vectors", "add 1e3")));
    }
}
