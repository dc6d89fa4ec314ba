use crate::exec::fixtures::{assert_close, assert_threads_agree, numbers, single, values};
use crate::{DynTensor, Extreme};
use trueno_core::DType;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp};
use trueno_kernels::reduce as kernel;

/// Rows of several blocks and a part of one.
const LONG: usize = 5 * kernel::BLOCK + 77;

#[test]
fn positions_in_long_rows_are_of_the_first_extreme() {
    let mut row: Vec<f64> = (0..LONG).map(|i| ((i * 37) % 1009) as f64).collect();
    let expect = |row: &[f64], extreme, want: &[i64]| {
        let x = DynTensor::from_slice(row, &[want.len(), row.len() / want.len()]).unwrap();
        assert_eq!(x.arg_reduce(extreme, 1, false).unwrap().to_vec::<i64>().unwrap(), want);
    };
    for place in [kernel::BLOCK + 3, kernel::BLOCK - 1, 0] {
        row[place] = 5000.0;
        row[place + 1] = -1.0;
        expect(&row, Extreme::Max, &[place as i64]);
        expect(&row, Extreme::Min, &[place as i64 + 1]);
    }
    row[LONG - 1] = f64::NAN;
    expect(&row, Extreme::Max, &[LONG as i64 - 1]);
    let two = [row.clone(), row.iter().map(|v| -v).collect()].concat();
    expect(&two, Extreme::Min, &[LONG as i64 - 1, LONG as i64 - 1]);
}

/// Sums over some axes, by index arithmetic alone.
fn slow_sums(x: &DynTensor, axes: &[usize]) -> Vec<f64> {
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let mut sums = vec![0.0; kept.iter().map(|&axis| x.shape()[axis]).product()];
    for (i, value) in values(x).into_iter().enumerate() {
        let at = |axis: usize| i / x.shape()[axis + 1..].iter().product::<usize>() % x.shape()[axis];
        sums[kept.iter().fold(0, |place, &axis| place * x.shape()[axis] + at(axis))] += value;
    }
    sums
}

#[test]
fn axes_in_any_order_and_direction_are_reduced() {
    let x = numbers(&[3, 5, 4, 17]);
    let views = [
        x.clone(),
        x.permute(&[3, 2, 1, 0]).unwrap(),
        x.permute(&[3, 0, 1, 2]).unwrap(),
        x.permute(&[0, 2, 1, 3]).unwrap(),
        x.flip(&[0, 3]).unwrap(),
        x.permute(&[3, 1, 0, 2]).unwrap().flip(&[0, 1, 2, 3]).unwrap(),
        x.narrow(1, 1, 3).unwrap(),
        x.narrow(0, 1, 1).unwrap().broadcast_to(&[3, 5, 4, 17]).unwrap(),
    ];
    let integers = |x: &DynTensor| x.binary_scalar(BinaryOp::Mul, 16.0).unwrap();
    for view in views {
        for axes in 0..16_usize {
            let axes: Vec<usize> = (0..4).filter(|axis| axes >> axis & 1 == 1).collect();
            let signed: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
            let want = slow_sums(&view, &axes);
            let got = view.reduce(ReduceOp::Sum, &signed, false, 0.0).unwrap();
            assert_close(&got, &want, 1e-12);
            let mean = view.reduce(ReduceOp::Mean, &signed, true, 0.0).unwrap();
            let count = view.size() as f64 / want.len() as f64;
            assert_close(&mean, &want.iter().map(|sum| sum / count).collect::<Vec<_>>(), 1e-12);
            let centered = view.binary(BinaryOp::Sub, &mean).unwrap();
            let squares = slow_sums(&centered.binary(BinaryOp::Mul, &centered).unwrap(), &axes);
            let var = view.reduce(ReduceOp::Var, &signed, false, 0.0).unwrap();
            assert_close(&var, &squares.iter().map(|sum| sum / count).collect::<Vec<_>>(), 1e-12);
            let whole = integers(&view).cast(DType::I32).unwrap();
            let sums = whole.reduce(ReduceOp::Sum, &signed, false, 0.0).unwrap();
            assert_close(&sums, &want.iter().map(|sum| sum * 16.0).collect::<Vec<_>>(), 0.0);
            let positive = view.compare(CompareOp::Gt, &view.constant(2.5).unwrap()).unwrap();
            let counts = slow_sums(&positive, &axes);
            let any = positive.reduce(ReduceOp::Any, &signed, false, 0.0).unwrap();
            assert_close(&any, &counts.iter().map(|&n| f64::from(n > 0.0)).collect::<Vec<_>>(), 0.0);
            let all = positive.reduce(ReduceOp::All, &signed, false, 0.0).unwrap();
            assert_close(&all, &counts.iter().map(|&n| f64::from(n == count)).collect::<Vec<_>>(), 0.0);
        }
    }
}

#[test]
fn all_of_a_transposed_matrix_is_reduced_where_it_lies() {
    let x = numbers(&[300, 700]);
    let sum = |x: &DynTensor| x.reduce(ReduceOp::Sum, &[0, 1], false, 0.0).unwrap().item::<f64>().unwrap();
    assert_eq!(sum(&x.transpose().unwrap()).to_bits(), sum(&x).to_bits());
    assert!(super::frame::in_memory_order(&x.transpose().unwrap(), &[0, 1]).is_some());
    assert!(super::frame::in_memory_order(&x.transpose().unwrap(), &[0]).is_some());
    assert!(super::frame::in_memory_order(&x.narrow(1, 0, 3).unwrap(), &[0, 1]).is_none());
    // What is kept would change places.
    let three = numbers(&[2, 3, 4]).permute(&[1, 0, 2]).unwrap();
    assert!(super::frame::in_memory_order(&three, &[2]).is_none());
}

#[test]
fn the_number_of_threads_changes_no_bit_of_reductions() {
    let [x, long] = single([&numbers(&[40, 30, 200]), &numbers(&[20 * kernel::SCAN_BLOCK + 1003])]);
    let over = |x: &DynTensor, op, axes: &[isize]| x.reduce(op, axes, false, 0.0).unwrap();
    assert_threads_agree(|| over(&x, ReduceOp::Std, &[0, 2]));
    assert_threads_agree(|| over(&x.permute(&[2, 0, 1]).unwrap(), ReduceOp::Sum, &[0, 1, 2]));
    assert_threads_agree(|| over(&x.cast(DType::I64).unwrap(), ReduceOp::Sum, &[0, 1, 2]));
    assert_threads_agree(|| over(&x.cast(DType::I32).unwrap(), ReduceOp::Max, &[1]));
    assert_threads_agree(|| x.arg_reduce(Extreme::Max, 2, false).unwrap());
    assert_threads_agree(|| long.cumsum(0).unwrap());
    let whole = long.narrow(0, 0, 16 * kernel::SCAN_BLOCK).unwrap();
    assert_threads_agree(|| whole.cumsum(0).unwrap());
    assert_threads_agree(|| whole.reshape_to(&[1, whole.size()]).unwrap().cumsum(1).unwrap());
}

#[test]
fn products_of_long_vectors_are_sums_of_products() {
    let (a, b) = (numbers(&[LONG]), numbers(&[LONG + 3]).narrow(0, 3, LONG).unwrap());
    let want: f64 = values(&a).iter().zip(values(&b)).map(|(a, b)| a * b).sum();
    assert_close(&a.matmul(&b).unwrap(), &[want], 1e-12);
    let flipped = b.flip(&[0]).unwrap();
    let want = values(&a).iter().zip(values(&flipped)).map(|(a, b)| a * b).sum();
    assert_close(&a.matmul(&flipped).unwrap(), &[want], 1e-12);
    let [x, y] = single([&a, &b]);
    assert_threads_agree(|| x.matmul(&y).unwrap());
    assert_close(&numbers(&[0]).matmul(&numbers(&[0])).unwrap(), &[0.0], 0.0);
}
