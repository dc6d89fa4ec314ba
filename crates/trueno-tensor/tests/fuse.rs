//! `fuse!` against the operations one by one: bit for bit, whatever the layouts, the type, the values and the threads.

use std::fmt::Debug;
use trueno_core::fuse::{Listing, Node};
use trueno_core::table::CompareOp;
use trueno_core::{DType, Result, SliceItem};
use trueno_tensor::fused::Fusion;
use trueno_tensor::prelude::*;
use trueno_tensor::{DynTensor, Op, apply, apply_owned, with_num_threads};

/// The formula without fusion: every step is an operation of its own.
fn one_by_one(fusion: &Fusion, operands: &[&DynTensor]) -> Result<DynTensor> {
    let listing: &Listing = fusion.listing();
    let mut values: Vec<DynTensor> = Vec::new();
    for node in listing.nodes() {
        let value = |at: usize| &values[at];
        let logic = |op: CompareOp, [a, b]: [usize; 2]| value(a).compare(op, value(b));
        let next = match *node {
            Node::Operand(i) => Ok(operands[i].clone()),
            Node::Parameter(i) => operands[0].constant(fusion.parameters()[i]),
            Node::Literal(bits) => operands[0].constant(f64::from_bits(bits)),
            Node::Unary(op, x, parameters) => {
                let number = |at: Option<usize>| at.map_or(Ok(0.0), |at| value(at).cast(DType::F64)?.item());
                value(x).unary(op, [number(parameters[0])?, number(parameters[1])?])
            }
            Node::Binary(op, [a, b]) => value(a).binary(op, value(b)),
            Node::Ternary(op, [a, b, c]) => value(a).ternary(op, value(b), value(c)),
            Node::Compare(op, places) => logic(op, places),
            Node::Select([mask, yes, no]) => value(mask).select(value(yes), value(no)),
            Node::And(places) => logic(CompareOp::LogicalAnd, places),
            Node::Or(places) => logic(CompareOp::LogicalOr, places),
            Node::Xor(places) => logic(CompareOp::LogicalXor, places),
            Node::Not(a) => value(a).compare(CompareOp::Eq, &DynTensor::scalar(false)?),
        }?;
        values.push(next);
    }
    Ok(values[listing.result()].clone())
}

/// Formulas of three operands with steps of every kind.
fn formulas() -> Vec<Fusion> {
    let (scale, low) = (0.7_f32, -0.5);
    vec![
        fuse!(|a, b, c| a * b + c * 0.5).fusion(),
        fuse!(|a, b, c| (a * b + c * scale).relu()).fusion(),
        fuse!(|a, b, c| a.fma(b, c)).fusion(),
        fuse!(|a, b, c| -(2.0 / (a - b).square() + 1.0).sqrt() * c).fusion(),
        fuse!(|a, b, c| {
            let s = (a * scale).sigmoid();
            let t = s * b.tanh();
            t.exp() - t / s + c.maximum(a).minimum(1.5)
        })
        .fusion(),
        fuse!(|a, b, c| (a.lt(b) & !c.gt(low) | a.ne(a)).select(a.gelu(), b.clamp(low, scale * 2.0) - c)).fusion(),
        fuse!(|a, b, c| a.silu() * b.leaky_relu(0.1) + c.lerp(a, b)).fusion(),
    ]
}

/// Ordinary and special values, the special ones in every position as the shape goes.
fn numbers(shape: &[usize], salt: usize) -> DynTensor {
    const SPECIAL: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e-41];
    let value = |i: usize| match (i * 7 + salt * 5) % 23 {
        special @ 0..6 => SPECIAL[special],
        _ => ((i * 67 + salt * 31) % 101) as f64 / 25.0 - 2.0,
    };
    DynTensor::from_slice(&(0..shape.iter().product()).map(value).collect::<Vec<f64>>(), shape).unwrap()
}

/// The bits of every element; all NaN are one.
fn bits(x: &DynTensor) -> Vec<u64> {
    let wide = x.cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
    wide.into_iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

fn assert_same(got: &DynTensor, want: &DynTensor, context: &dyn Debug) {
    assert_eq!((got.shape(), got.dtype()), (want.shape(), want.dtype()), "{context:?}");
    assert_eq!(bits(got), bits(want), "{context:?}");
}

/// Operands that broadcast together, row-major and not.
fn layouts() -> Vec<[DynTensor; 3]> {
    let back = SliceItem::Range { start: None, stop: None, step: -2 };
    let plain = |shapes: [&[usize]; 3]| [0, 1, 2].map(|i| numbers(shapes[i], i));
    let [a, b, c] = plain([&[40, 31], &[31, 40], &[40, 62]]);
    let views = [a, b.transpose().unwrap(), c.slice(&[SliceItem::FULL, back]).unwrap()];
    vec![
        plain([&[1], &[1], &[1]]),
        plain([&[], &[], &[]]),
        plain([&[0, 3], &[3], &[1]]),
        plain([&[67], &[67], &[67]]),
        plain([&[5, 67], &[67], &[5, 1]]),
        plain([&[1], &[3, 1, 65], &[7, 1]]),
        plain([&[2000], &[1], &[]]),
        views,
    ]
}

#[test]
fn fusion_changes_no_bit() {
    for fusion in formulas() {
        for operands in layouts() {
            for dtype in [DType::F32, DType::F64] {
                let operands = operands.each_ref().map(|x| x.cast(dtype).unwrap());
                let operands = operands.each_ref();
                let want = one_by_one(&fusion, &operands).unwrap();
                assert_same(&apply(&Op::Fused(fusion.clone()), &operands).unwrap(), &want, &fusion);
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let operands = [0, 1, 2].map(|salt| numbers(&[300, 1000], salt));
    let strided = operands[1].clone().reshape(&[1000, 300]).unwrap().transpose().unwrap();
    for fusion in formulas() {
        for operands in [operands.each_ref(), [&operands[0], &strided, &operands[2]]] {
            let run = |threads| with_num_threads(threads, || apply(&Op::Fused(fusion.clone()), &operands).unwrap());
            let want = one_by_one(&fusion, &operands).unwrap();
            for threads in [1, 2, 7] {
                assert_same(&run(threads), &want, &(&fusion, threads));
            }
        }
    }
}

#[test]
fn half_precision_rounds_once() {
    for fusion in formulas() {
        for half in [DType::F16, DType::BF16] {
            let narrow = [0, 1, 2].map(|salt| numbers(&[70], salt).cast(half).unwrap());
            let wide = narrow.each_ref().map(|x| x.cast(DType::F32).unwrap());
            let want = one_by_one(&fusion, &wide.each_ref()).unwrap().cast(half).unwrap();
            assert_same(&apply(&Op::Fused(fusion.clone()), &narrow.each_ref()).unwrap(), &want, &fusion);
        }
    }
}

#[test]
fn memory_that_is_given_away_takes_the_result() {
    let operands = [0, 1, 2].map(|salt| numbers(&[1000], salt));
    for fusion in formulas() {
        let want = one_by_one(&fusion, &operands.each_ref()).unwrap();
        let [a, b, c] = operands.each_ref();
        let given = numbers(&[1000], 0);
        let address = given.as_slice::<f64>().unwrap().as_ptr();
        let got = apply_owned(&Op::Fused(fusion.clone()), given, &[b, c]).unwrap();
        assert_same(&got, &want, &fusion);
        assert_eq!(got.as_slice::<f64>().unwrap().as_ptr(), address);
        // Somebody else's memory is left alone.
        let shared = apply_owned(&Op::Fused(fusion.clone()), a.clone(), &[b, c]).unwrap();
        assert_same(&shared, &want, &fusion);
        assert_same(a, &numbers(&[1000], 0), &"the operand");
    }
}

#[test]
fn ranks_and_elements_are_those_of_tensors() {
    let f = fuse!(|a, b| a * b + 1.0);
    let (row, grid) = (tensor![1.0, 2.0], tensor![[1.0, 2.0], [3.0, 4.0]]);
    let wide: Tensor<f32, 2> = f.call(&row, &grid);
    assert_eq!(wide, tensor![[2.0, 5.0], [4.0, 9.0]]);
    assert_eq!(f.call(&row, 3.0), tensor![4.0, 7.0]);
    assert_eq!(f.call(row.clone(), &row), tensor![2.0, 5.0]);
    assert_eq!(fuse!(|x| x.exp()).call(tensor![0.0_f64]), tensor![1.0_f64]);
    let six = fuse!(|a, b, c, d, e, f| a + b * c - d / e + f);
    assert_eq!(six.call(&row, 1.0, &row, 4.0, 2.0, &row).to_vec(), [1.0, 4.0]);
}

#[test]
fn numbers_are_captured_by_value() {
    struct Config {
        scale: f32,
    }
    let config = Config { scale: 0.5 };
    let with = |offset: f64| fuse!(|x| x * config.scale + offset + (2.0 * offset).sqrt());
    let x = tensor![2.0, 4.0];
    assert_eq!(with(0.5).call(&x).to_vec(), [2.5, 3.5]);
    assert_eq!(with(2.0).call(&x).to_vec(), [5.0, 6.0]);
    assert_eq!(with(2.0).fusion().parameters(), [0.5, 2.0, 2.0]);
    assert_eq!(with(2.0).fusion().listing(), with(0.5).fusion().listing());
    assert_eq!(format!("{:?}", with(2.0)).split(" with ").last(), Some("[0.5, 2.0, 2.0]"));
}

#[test]
fn names_in_a_formula_are_its_own() {
    let (y, value0) = (10.0, 100.0);
    let f = fuse!(|x| {
        let y = x + y;
        let z = {
            let y = y * 2.0;
            y + value0
        };
        z - y
    });
    assert_eq!(f.call(tensor![1.0]).to_vec(), [111.0]);
}

#[test]
fn misfits_are_refused_in_words() {
    let f = fuse!(|a, b| a * b);
    let refusal = f.try_call(tensor![1.0, 2.0], &tensor![1.0, 2.0, 3.0]).unwrap_err().to_string();
    assert!(refusal.contains("fused") && refusal.contains("[2]") && refusal.contains("[3]"), "{refusal}");
    let (single, double) = (numbers(&[2], 0).cast(DType::F32).unwrap(), numbers(&[2], 0));
    assert!(f.apply([&single, &double]).unwrap_err().to_string().contains("cast"));
    let whole = double.cast(DType::I32).unwrap();
    assert!(f.apply([&whole, &whole]).unwrap_err().to_string().contains("floats"));
    assert!(apply(&Op::Fused(f.fusion()), &[&double]).unwrap_err().to_string().contains("1 operands"));
    let owned = apply_owned(&Op::Fused(f.fusion()), double.clone(), &[&double, &double]);
    assert!(owned.unwrap_err().to_string().contains("3 operands"));
    let unique = apply_owned(&Op::Fused(f.fusion()), numbers(&[2], 0), &[]);
    assert!(unique.unwrap_err().to_string().contains("1 operands"));
}
