//! The typed shell as a user writes it.

use trueno_tensor::core::Error;
use trueno_tensor::prelude::*;

#[test]
fn the_designs_sample_infers_and_computes() {
    let a = tensor![[1.0, 2.0], [3.0, 4.0]];
    let rows = a.sum_axis(1);
    let b = &a + &rows.unsqueeze(1) * 0.5;
    let c = a.slice(i![.., ::-1]);
    assert_eq!(b, tensor![[2.5, 3.5], [6.5, 7.5]]);
    assert_eq!(c, tensor![[2.0, 1.0], [4.0, 3.0]]);
    let _: (Tensor<f32, 2>, Tensor<f32, 1>) = (a, rows);
}

#[test]
fn literals_take_the_type_that_is_asked_for_and_default_to_f32() {
    let annotated: Tensor<f64, 1> = tensor![0.1, 0.2];
    assert_eq!(annotated.to_vec(), [0.1_f64, 0.2]);
    let suffixed = tensor![0.1_f64, 0.2];
    assert_eq!(suffixed, annotated);
    let variable = 0.1_f64;
    assert_eq!(tensor![variable, 0.2], annotated);
    let open = tensor![0.1, 0.2];
    let _: &Tensor<f32, 1> = &open;
    let integers = tensor![1, 2];
    let _: &Tensor<i32, 1> = &integers;
    let labels: Tensor<i64, 1> = tensor![1, 2];
    assert_eq!(labels.to_vec(), [1_i64, 2]);
    fn takes(x: Tensor<f64, 2>) -> [usize; 2] {
        x.shape()
    }
    assert_eq!(takes(tensor![[1.0], [2.0]]), [2, 1]);
    assert_eq!(tensor![[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]].shape(), [3, 1, 2]);
    assert_eq!(tensor![[[[[[true]]]]]].shape(), [1; 6]);
    let empty: Tensor<f32, 1> = tensor![];
    assert!(empty.is_empty());
    let no_columns: Tensor<f32, 2> = tensor![[], []];
    assert_eq!(no_columns.shape(), [2, 0]);
    assert_eq!((2.0 * tensor![1.0, 2.0] - 1.0).to_vec(), [1.0_f32, 3.0]);
    assert_eq!((&tensor![1.0, 2.0] * &tensor![1.0, 2.0]).sum().item(), 5.0_f32);
}

#[test]
fn every_mix_of_owned_and_borrowed_operands_works() {
    let (a, b) = (tensor![[1.0, 2.0]], tensor![[10.0], [20.0]]);
    let sum = tensor![[11.0, 12.0], [21.0, 22.0]];
    assert_eq!(&a + &b, sum);
    assert_eq!(a.clone() + &b, sum);
    assert_eq!(&a + b.clone(), sum);
    assert_eq!(a.clone() + b.clone(), sum);
    assert_eq!(1.0 - &a, tensor![[0.0, -1.0]]);
    assert_eq!(-&a, tensor![[-1.0, -2.0]]);
    assert_eq!(-a.clone() / 2.0, tensor![[-0.5, -1.0]]);
    assert_eq!(2 * tensor![1_i64, 2], tensor![2_i64, 4]);
    let mut total = sum.clone();
    total += &a;
    total *= 2.0;
    total -= tensor![[0.0], [1.0]];
    assert_eq!(total, tensor![[24.0, 28.0], [43.0, 47.0]]);
    assert_eq!(sum.slice(i![0]), tensor![11.0, 12.0]);
    let (yes, no) = (tensor![true, true, false], tensor![true, false, false]);
    assert_eq!(&yes & &no, tensor![true, false, false]);
    assert_eq!(&yes | !&no, tensor![true, true, true]);
    assert_eq!(yes ^ no, tensor![false, true, false]);
}

/// The panic's message and the line it blames.
fn panic_of(work: impl FnOnce()) -> (String, u32) {
    use std::sync::{Arc, Mutex};
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap();
    let seen = Arc::new(Mutex::new(0));
    let (hook, line) = (std::panic::take_hook(), seen.clone());
    std::panic::set_hook(Box::new(move |info| {
        *line.lock().unwrap() = info.location().filter(|at| at.file().ends_with("shell.rs")).map_or(0, |at| at.line());
    }));
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_err();
    std::panic::set_hook(hook);
    drop(guard);
    let line = *seen.lock().unwrap();
    (*payload.downcast::<String>().unwrap(), line)
}

#[test]
fn a_wrong_shape_panics_at_the_callers_line_and_try_returns_the_same() {
    let (a, b) = (Tensor::<f32, 2>::zeros([2, 3]), Tensor::<f32, 2>::zeros([4, 2]));
    let (message, line) = panic_of(|| drop(&a + &b));
    assert_eq!(line, line!() - 1);
    assert_eq!(message, a.try_add(&b).unwrap_err().to_string());
    for part in ["add", "[2, 3]", "[4, 2]", "axis -1"] {
        assert!(message.contains(part), "{message}");
    }
    let (message, line) = panic_of(|| drop(a.matmul(&a)));
    assert_eq!(line, line!() - 1);
    assert_eq!(message, a.try_matmul(&a).unwrap_err().to_string());
    let (message, line) = panic_of(|| drop(a.sum_axis(2)));
    assert_eq!(line, line!() - 1);
    assert_eq!(message, Error::Axis { op: "sum", axis: 2, rank: 2 }.to_string());
    let (message, line) = panic_of(|| {
        let mut small = Tensor::<f32, 2>::zeros([1, 3]);
        small += &a;
    });
    assert_eq!(line, line!() - 2);
    assert!(message.contains("keeps its shape"), "{message}");
}
