//! Elements that move: sorted, transposed, picked and joined. Their shapes are those of `movement.py`.

use trueno_core::table::{BinaryOp, CompareOp};
use trueno_tensor::DynTensor;

use super::{Row, Work, operand, work};

/// Rows and columns of a matrix.
const SIDE: usize = 2048;
/// Rows that are taken from it.
const TAKEN: usize = 4096;

pub(super) const SORTS: [Row; 2] = [("sort 1e5", || sort(100_000)), ("sort 4e6", || sort(4_000_000))];

pub(super) const ROWS: [Row; 6] = [
    ("transpose copy 2048x2048", || {
        let x = matrix(1);
        work(move || x.transpose()?.contiguous())
    }),
    ("x + x.T 2048x2048", || {
        let x = matrix(1);
        work(move || x.binary(BinaryOp::Add, &x.transpose()?))
    }),
    ("take 4096 rows 2048x2048", || {
        let x = matrix(1);
        let rows: Vec<i64> = (0..TAKEN).map(|i| (i * 1_237 % SIDE) as i64).collect();
        let rows = DynTensor::from_slice(&rows, &[TAKEN]).expect("a list has one axis");
        work(move || x.index_select(0, &rows))
    }),
    ("where 2048x2048", || {
        let (mask, a, b) = (mask(), matrix(1), matrix(2));
        work(move || mask.select(&a, &b))
    }),
    ("mask select 2048x2048", || {
        let (mask, x) = (mask(), matrix(1));
        work(move || x.masked_select(&mask))
    }),
    ("concat 2048x2048", || {
        let (a, b) = (operand(&[SIDE / 2, SIDE], 1), operand(&[SIDE / 2, SIDE], 2));
        work(move || DynTensor::concat(&[&a, &b], 0))
    }),
];

fn matrix(seed: u32) -> DynTensor {
    operand(&[SIDE, SIDE], seed)
}

/// True for about half of the elements, in no pattern.
fn mask() -> DynTensor {
    let x = matrix(3);
    let zero = x.constant(0.0).expect("a constant has memory");
    x.compare(CompareOp::Gt, &zero).expect("a number compares with one of its type")
}

fn sort(n: usize) -> Work {
    let x = operand(&[n], 1);
    work(move || x.sort(0, false))
}
