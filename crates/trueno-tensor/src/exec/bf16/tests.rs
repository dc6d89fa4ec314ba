use super::*;
use crate::exec::fixtures::{assert_refused, assert_threads_agree, numbers, values};
use crate::{autocast, with_num_threads, with_prepacking};
use trueno_core::SliceItem;
use trueno_core::table::{BinaryOp, UnaryOp};

const EVERY_OTHER: SliceItem = SliceItem::Range { start: None, stop: None, step: 2 };

/// Numbers whose products are rounded when they are summed.
fn halves(shape: &[usize]) -> DynTensor {
    numbers(shape).unary(UnaryOp::Sin, [0.0; 2]).unwrap().cast(DType::BF16).unwrap()
}

/// The result is what sums in `f32` may round to: those in `f64` and their largest error, each rounded once.
#[track_caller]
fn assert_rounded_once(got: &DynTensor, a: &DynTensor, b: &DynTensor, bias: Option<&DynTensor>, what: &str) {
    let [a, b] = [a, b].map(|x| x.cast(DType::F64).unwrap());
    let size = |x: &DynTensor| x.unary(UnaryOp::Abs, [0.0; 2]).unwrap();
    let (mut sums, mut sizes) = (a.matmul(&b).unwrap(), size(&a).matmul(&size(&b)).unwrap());
    if let Some(bias) = bias.map(|bias| bias.cast(DType::F64).unwrap()) {
        sums = sums.binary(BinaryOp::Add, &bias).unwrap();
        sizes = sizes.binary(BinaryOp::Add, &size(&bias)).unwrap();
    }
    assert_eq!((got.dtype(), got.shape()), (DType::BF16, sums.shape()), "{what}");
    let error = f64::from(f32::EPSILON) / 2.0 * (a.shape()[a.rank() - 1] + 1) as f64;
    for (i, ((got, sum), size)) in values(got).into_iter().zip(values(&sums)).zip(values(&sizes)).enumerate() {
        let round = |x: f64| bf16::from_f64(x).to_f64();
        let range = round(sum - error * size)..=round(sum + error * size);
        assert!(range.contains(&got), "{what}, element {i}: {got}, not one of {range:?}");
    }
}

#[test]
fn any_strides_and_batches_agree_with_sums() {
    let turned = |shape: &[usize]| halves(shape).transpose().unwrap();
    let cases = [
        (halves(&[3, 4]), halves(&[4, 5])),
        (halves(&[1, 1]), halves(&[1, 1])),
        (halves(&[9]), halves(&[9])),
        (turned(&[4, 3]), turned(&[5, 4])),
        (halves(&[7, 33]).flip(&[0, 1]).unwrap(), halves(&[33, 2])),
        (halves(&[165, 171]), halves(&[171, 267])),
        (turned(&[200, 300]), turned(&[110, 200])),
        (halves(&[300, 700]), turned(&[600, 700])),
        (halves(&[6, 2, 3, 4]), halves(&[2, 4, 5])),
        (halves(&[1, 3, 4]), halves(&[6, 4, 5])),
        (halves(&[6, 1, 3, 4]), halves(&[1, 5, 4, 2])),
        (halves(&[2, 3, 4]), halves(&[4, 5])),
        (halves(&[3, 2, 4]).permute(&[1, 0, 2]).unwrap(), halves(&[1, 4, 5])),
        (halves(&[5, 1]).broadcast_to(&[5, 6]).unwrap(), halves(&[6, 3])),
        (halves(&[40, 1, 51]), halves(&[40, 51, 3])),
        (halves(&[3, 200, 160]), halves(&[3, 160, 200])),
        (halves(&[1, 701]), halves(&[701, 5000])),
        (halves(&[1, 700]), turned(&[900, 700])),
        (halves(&[900, 1400]).slice(&[EVERY_OTHER; 2]).unwrap(), halves(&[700])),
        (turned(&[701, 900]), halves(&[701, 1])),
        (halves(&[50, 1]), halves(&[1, 40])),
    ];
    for (a, b) in cases {
        let what = format!("{:?} by {:?}", a.shape(), b.shape());
        let got = a.matmul(&b).unwrap();
        let matrix = |x: &DynTensor, axis| if x.rank() == 1 { x.unsqueeze(axis).unwrap() } else { x.detach() };
        let (row, column) = (matrix(&a, 0), matrix(&b, 1));
        let got = if a.rank() == 1 || b.rank() == 1 { got.reshape(&[-1, 1]).unwrap() } else { got };
        assert_rounded_once(&got, &row, &column, None, &what);
        assert_threads_agree(|| a.matmul(&b).unwrap());
    }
    assert_eq!(values(&halves(&[2, 3, 0]).matmul(&halves(&[0, 4])).unwrap()), [0.0; 24]);
    assert_eq!(halves(&[0, 3]).matmul(&halves(&[3, 4])).unwrap().shape(), [0, 4]);
    assert_eq!(halves(&[5, 2, 3]).matmul(&halves(&[5, 3, 0])).unwrap().shape(), [5, 2, 0]);
}

#[test]
fn a_bias_is_added_before_the_sums_are_rounded() {
    for (rows, inputs, outputs) in [(1, 5, 3), (1, 64, 2500), (2, 7, 40), (9, 300, 33), (200, 131, 170), (30, 50, 1)] {
        let (x, w) = (halves(&[rows, 1, inputs]), halves(&[outputs, inputs]));
        let bias = halves(&[2 * outputs]).slice(&[EVERY_OTHER]).unwrap();
        let turned = halves(&[inputs, outputs]).transpose().unwrap();
        for w in [&w, &turned] {
            let y = x.linear(w, Some(&bias)).unwrap();
            assert_eq!(y.shape(), [rows, 1, outputs]);
            let what = format!("{rows} {inputs} {outputs}");
            assert_rounded_once(&y, &x, &w.transpose().unwrap(), Some(&bias), &what);
            assert_threads_agree(|| x.linear(w, Some(&bias)).unwrap());
        }
    }
    let nothing = halves(&[2, 0]).linear(&halves(&[3, 0]), Some(&halves(&[3]))).unwrap();
    assert_eq!(values(&nothing), values(&halves(&[3])).repeat(2));
}

#[test]
fn a_kept_packing_changes_no_bit_and_goes_with_the_first_write() {
    for (rows, inputs, outputs) in [(2, 64, 33), (9, 300, 33), (64, 131, 1170), (20, 700, 500), (256, 64, 70)] {
        let (x, mut w) = (halves(&[rows, inputs]), halves(&[outputs, inputs]));
        for _ in 0..2 {
            let product = |w: &DynTensor| values(&x.linear(w, None).unwrap());
            let want = with_prepacking(false, || product(&w));
            for threads in [1, 2, 7, 1] {
                assert_eq!(with_num_threads(threads, || product(&w)), want, "{rows} {inputs} {outputs}");
            }
            if isa().has_bf16_dots() {
                let Lasting { buffer, place } = Factor::<bf16>::of(&w).transposed().lasting(&w);
                assert!(buffer.packed(place, || unreachable!("it is kept")).unwrap().is_some());
            }
            // Another matrix of the same elements.
            let row_major = w.reshape(&[inputs as isize, -1]).unwrap();
            for _ in 0..3 {
                assert_rounded_once(&x.matmul(&row_major).unwrap(), &x, &row_major, None, "reshaped");
            }
            w.make_mut::<bf16>().unwrap()[inputs - 1] += bf16::ONE;
            assert_ne!(product(&w), want);
        }
    }
}

/// Subnormal numbers, which AVX512-BF16 takes for 0 and which are products like others in `f32`.
fn by_subnormal(shapes: [&[usize]; 2]) -> [DynTensor; 2] {
    let filled = |shape: &[usize], x: f32| numbers(shape).constant(f64::from(x)).unwrap().broadcast_to(shape).unwrap();
    let [tiny, large] =
        [(shapes[0], f32::MIN_POSITIVE / 4.0), (shapes[1], 1.0 / f32::MIN_POSITIVE)].map(|(shape, x)| filled(shape, x));
    [tiny, large].map(|x| x.contiguous().unwrap().cast(DType::F32).unwrap())
}

#[test]
fn the_instruction_is_taken_where_it_is_there() {
    let has = isa().has_bf16_dots();
    for [rows, inputs, outputs] in [[40, 64, 80], [1, 64, 80]] {
        let [x, w] = by_subnormal([&[rows, inputs], &[outputs, inputs]]);
        let by_dots = |y: &DynTensor| values(y).iter().all(|&y| y == 0.0);
        let narrow = autocast(DType::BF16, || x.linear(&w, None).unwrap());
        assert_eq!(by_dots(&narrow.as_stored()), has, "autocast");
        let [x, w] = [x, w].map(|x| x.cast(DType::BF16).unwrap());
        assert_eq!(by_dots(&x.linear(&w, None).unwrap()), has);
        assert_eq!(by_dots(&x.matmul(&w.transpose().unwrap()).unwrap()), has);
        assert!(!by_dots(&x.cast(DType::F32).unwrap().linear(&w.cast(DType::F32).unwrap(), None).unwrap()));
    }
}

#[test]
fn batches_of_small_products_are_widened_together() {
    let is_small = |a: &[usize], b: &[usize]| is_batch_of_small(a, b);
    assert!(is_small(&[1000, 8, 8], &[1000, 8, 8]) && is_small(&[8, 8], &[2, 8, 8]));
    assert!(
        !is_small(&[1000, 8, 8], &[8, 8]) && !is_small(&[8, 8], &[1, 8, 8]) && !is_small(&[2, 64, 64], &[2, 64, 64])
    );
    assert!(!multiplies(&Op::Matmul, &[&halves(&[3, 4]).cast(DType::F16).unwrap(), &halves(&[4, 5])]));
    assert!(!multiplies(&Op::MatmulInteger, &[&halves(&[3, 4]), &halves(&[4, 5])]));
    assert_eq!(multiplies(&Op::Matmul, &[&halves(&[3, 4]), &halves(&[4, 5])]), isa().has_bf16_dots());
}

#[test]
fn autocast_multiplies_what_is_stored() {
    let [x, w, bias] = [&[70, 65][..], &[90, 65], &[90]].map(|shape| halves(shape).cast(DType::F32).unwrap());
    let narrow = autocast(DType::BF16, || x.linear(&w, Some(&bias)).unwrap());
    assert_eq!((narrow.dtype(), narrow.storage_dtype()), (DType::F32, DType::BF16));
    let [x, w, bias] = [x, w, bias].map(|x| x.cast(DType::BF16).unwrap());
    assert_eq!(values(&narrow.as_stored()), values(&x.linear(&w, Some(&bias)).unwrap()));
}

#[test]
fn what_does_not_fit_is_named() {
    assert_refused(halves(&[2, 3]).matmul(&halves(&[4, 5])), &["matmul", "[2, 3]", "[4, 5]", "axis -1"]);
    assert_refused(halves(&[2, 3]).matmul(&numbers(&[3, 2])), &["matmul", "bfloat16", "float64"]);
    assert_refused(halves(&[2, 3]).linear(&halves(&[4, 5]), None), &["linear", "[2, 3]", "[4, 5]"]);
}
