use super::*;
use crate::exec::fixtures::{assert_refused, assert_threads_agree, numbers};
use crate::{with_num_threads, with_prepacking};
use trueno_core::SliceItem;

const EVERY_OTHER: SliceItem = SliceItem::Range { start: None, stop: None, step: 2 };

/// All of the type's values, in an order that differs with the size.
fn integers(shape: &[usize]) -> DynTensor {
    let size: usize = shape.iter().product();
    let elements: Vec<i8> = (0..size).map(|i| (i * 37 + size * 11) as i8).collect();
    DynTensor::from_slice(&elements, shape).unwrap()
}

/// The product of 64-bit integers, which is computed row by row.
fn plainly(a: &DynTensor, b: &DynTensor) -> DynTensor {
    let [a, b] = [a, b].map(|x| x.cast(DType::I64).unwrap());
    a.matmul(&b).unwrap().cast(DType::I32).unwrap()
}

fn assert_same(got: &DynTensor, want: &DynTensor, what: &str) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{what}");
    let values = |x: &DynTensor| x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
    assert!(values(got).iter().zip(values(want)).all(|(got, want)| got.to_bits() == want.to_bits()), "{what}");
}

#[test]
fn any_strides_and_batches_agree_with_wide_integers() {
    let cases = [
        (integers(&[3, 4]), integers(&[4, 5])),
        (integers(&[1, 1]), integers(&[1, 1])),
        (integers(&[9]), integers(&[9])),
        (integers(&[4, 3]).transpose().unwrap(), integers(&[5, 4]).transpose().unwrap()),
        (integers(&[7, 33]).flip(&[0, 1]).unwrap(), integers(&[33, 2])),
        (integers(&[165, 170]), integers(&[170, 267])),
        (integers(&[200, 300]).transpose().unwrap(), integers(&[110, 200]).transpose().unwrap()),
        (integers(&[6, 2, 3, 4]), integers(&[2, 4, 5])),
        (integers(&[1, 3, 4]), integers(&[6, 4, 5])),
        (integers(&[6, 1, 3, 4]), integers(&[1, 5, 4, 2])),
        (integers(&[2, 3, 4]), integers(&[4, 5])),
        (integers(&[3, 2, 4]).permute(&[1, 0, 2]).unwrap(), integers(&[1, 4, 5])),
        (integers(&[5, 1]).broadcast_to(&[5, 6]).unwrap(), integers(&[6, 3])),
        (integers(&[40, 1, 50]), integers(&[40, 50, 3])),
        (integers(&[1, 700]), integers(&[700, 900])),
        (integers(&[1, 700]), integers(&[900, 700]).transpose().unwrap()),
        (integers(&[900, 1400]).slice(&[EVERY_OTHER; 2]).unwrap(), integers(&[700])),
        (integers(&[2, 3, 0]), integers(&[0, 4])),
        (integers(&[0, 3]), integers(&[3, 4])),
        (integers(&[5, 2, 3]), integers(&[5, 3, 0])),
    ];
    for (a, b) in cases {
        let what = format!("{:?} by {:?}", a.shape(), b.shape());
        assert_same(&a.matmul_integer(&b).unwrap(), &plainly(&a, &b), &what);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let cases = [
        (integers(&[300, 301]), integers(&[301, 1030])),
        (integers(&[3, 1000]), integers(&[3000, 1000]).transpose().unwrap()),
        (integers(&[1000, 300]).transpose().unwrap(), integers(&[1000, 70])),
        (integers(&[5000, 900]), integers(&[900, 1])),
        (integers(&[1, 900]), integers(&[900, 5000])),
        (integers(&[70, 64, 65]), integers(&[70, 65, 66])),
    ];
    for (a, b) in cases {
        assert_threads_agree(|| a.matmul_integer(&b).unwrap());
    }
}

#[test]
fn a_kept_packing_changes_no_bit_and_goes_with_the_first_write() {
    for (rows, inputs, outputs) in [(2, 5, 3), (9, 300, 33), (64, 130, 1170), (20, 1000, 500), (300, 64, 70)] {
        let (x, mut w) = (integers(&[rows, inputs]), integers(&[outputs, inputs]));
        for _ in 0..2 {
            let product = |w: &DynTensor| x.matmul_integer(&w.transpose().unwrap()).unwrap();
            let want = with_prepacking(false, || product(&w));
            for threads in [1, 2, 7, 1] {
                let what = format!("{rows} {inputs} {outputs}");
                assert_same(&with_num_threads(threads, || product(&w)), &want, &what);
            }
            // Another matrix of the same elements.
            let row_major = w.reshape(&[inputs as isize, -1]).unwrap();
            for _ in 0..3 {
                assert_same(&x.matmul_integer(&row_major).unwrap(), &plainly(&x, &row_major), "reshaped");
            }
            w.make_mut::<i8>().unwrap()[inputs - 1] ^= 1;
        }
    }
}

#[test]
fn a_quantised_layer_is_a_product_scaled_step_by_step() {
    for (x, outputs) in
        [(&[4, 9][..], 3), (&[1, 50], 70), (&[50], 4), (&[3, 40, 200], 90), (&[2, 3, 8], 1), (&[0, 5], 2)]
    {
        let (lead, inputs) = (&x[..x.len() - 1], x[x.len() - 1]);
        let (x, weight) = (integers(x), integers(&[outputs, inputs]));
        let by_row = numbers(&[lead, &[1]].concat()).cast(DType::F32).unwrap();
        let [by_output, bias] =
            [2, 3].map(|skip| numbers(&[outputs + skip]).narrow(0, skip, outputs).unwrap().cast(DType::F32).unwrap());
        let one = DynTensor::scalar(0.37_f32).unwrap();
        for scales in [[&by_row, &by_output], [&one, &by_output], [&by_row, &one], [&one, &one]] {
            for bias in [None, Some(&bias)] {
                let operands: Vec<&DynTensor> = [&x, &weight, scales[0], scales[1]].into_iter().chain(bias).collect();
                let what = format!("{:?} {outputs}", x.shape());
                let want = composed(&operands).unwrap();
                assert_same(&x.linear_int8(&weight, scales, bias).unwrap(), &want, &what);
                if x.size() > 0 {
                    assert_threads_agree(|| x.linear_int8(&weight, scales, bias).unwrap());
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let product = |a: &[usize], b: &[usize]| integers(a).matmul_integer(&integers(b));
    assert_refused(product(&[2, 3], &[4, 5]), &["matmul_integer", "[2, 3]", "[4, 5]", "axis -1"]);
    assert_refused(product(&[2, 3, 4], &[5, 4, 3]), &["matmul_integer", "[2, 3, 4]", "[5, 4, 3]", "axis -3"]);
    assert_refused(product(&[], &[4]), &["matmul_integer", "rank 0"]);
    assert_refused(numbers(&[2, 3]).matmul_integer(&integers(&[3, 2])), &["matmul_integer", "float64", "int8"]);

    let (x, weight, one) = (integers(&[2, 3]), integers(&[4, 3]), DynTensor::scalar(1.0_f32).unwrap());
    let layer = |scales: [&[usize]; 2], bias: &[usize]| {
        let [a, b, bias] = [scales[0], scales[1], bias].map(|shape| numbers(shape).cast(DType::F32).unwrap());
        x.linear_int8(&weight, [&a, &b], Some(&bias))
    };
    assert_refused(layer([&[2], &[4]], &[4]), &["linear_int8", "[2, 3]", "[2]", "[2, 1]"]);
    assert_refused(layer([&[2, 1], &[3]], &[4]), &["linear_int8", "[4, 3]", "[3]", "[4]"]);
    assert_refused(layer([&[], &[]], &[3]), &["linear_int8", "bias", "[4]"]);
    assert_refused(x.linear_int8(&x.transpose().unwrap(), [&one, &one], None), &["linear_int8", "size 2"]);
    assert_refused(x.linear_int8(&weight, [&weight, &one], None), &["linear_int8", "int8", "floats"]);
    assert_refused(x.linear_int8(&weight, [&one, &numbers(&[4])], None), &["linear_int8", "float32", "float64"]);
}
