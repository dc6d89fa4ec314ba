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

#[test]
fn in_place_methods_reuse_memory_only_when_nobody_else_sees_it() {
    let mut x = tensor![-1.0, 2.0];
    let address = x.as_slice().unwrap().as_ptr();
    x.relu_();
    assert_eq!((x.as_slice().unwrap().as_ptr(), x.to_vec()), (address, vec![0.0, 2.0]));
    let kept = x.clone();
    x.exp_().clamp_(0.0, 5.0);
    assert_eq!(kept, tensor![0.0, 2.0]);
    assert_eq!(x, tensor![1.0, 5.0]);
    let square = tensor![[-1.0, 2.0], [3.0, -4.0]];
    let mut view = square.t();
    view.relu_();
    assert_eq!(view, tensor![[0.0, 3.0], [2.0, 0.0]]);
    assert_eq!(square, tensor![[-1.0, 2.0], [3.0, -4.0]]);
}

#[test]
fn sums_over_a_shape_without_elements_are_empty_or_zero() {
    let flat = Tensor::<f32, 2>::zeros([3, 0]);
    assert_eq!(flat.try_sum_axis(0).unwrap(), Tensor::zeros([0]));
    assert_eq!(flat.try_sum_axis(1).unwrap(), Tensor::zeros([3]));
    let deep = Tensor::<f32, 3>::zeros([2, 0, 3]);
    assert_eq!(deep.try_sum_axis(0).unwrap(), Tensor::zeros([0, 3]));
    assert_eq!(deep.try_sum_axis(1).unwrap(), Tensor::zeros([2, 3]));
    assert_eq!(Tensor::<i32, 2>::zeros([3, 0]).try_sum_axis(0).unwrap(), Tensor::zeros([0]));
}

/// A stand-in for a tape, which only lets itself be carried on.
#[derive(Clone, Debug)]
struct Tape;

impl trueno_tensor::Recorder for Tape {
    fn record(
        &self,
        _: &trueno_tensor::Op,
        _: &[&trueno_tensor::DynTensor],
        _: &trueno_tensor::DynTensor,
        _: trueno_tensor::Saved,
    ) -> Option<std::sync::Arc<dyn trueno_tensor::Recorder>> {
        Some(std::sync::Arc::new(Tape))
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn into_any(self: std::sync::Arc<Self>) -> std::sync::Arc<dyn std::any::Any + Send + Sync> {
        self
    }
}

#[test]
fn a_tracked_value_is_not_overwritten_but_may_be_added_to_another() {
    let tracked = tensor![-1.0, 2.0].into_dyn().with_recorder(Some(std::sync::Arc::new(Tape)));
    let mut x: Tensor<f32, 1> = Tensor::from_dyn(tracked).unwrap();
    let (message, line) = panic_of(|| _ = x.relu_());
    assert_eq!(line, line!() - 1);
    assert!(message.contains("relu") && message.contains("detach"), "{message}");
    let (message, line) = panic_of(|| x += 1.0);
    assert_eq!(line, line!() - 1);
    assert!(message.contains("x = &x + y") && message.contains("no_grad"), "{message}");
    assert_eq!(x.detach(), tensor![-1.0, 2.0]);
    let mut total = tensor![1.0, 1.0];
    total += &x;
    x = total;
    assert!(x.as_dyn().recorder().is_some());
    assert_eq!(x, tensor![0.0, 3.0]); // comparing records nothing
    assert_eq!(x.max().item(), 3.0);
}

#[test]
fn what_panics_has_a_twin_that_gives_the_same_message_as_an_error() {
    let tracked = tensor![-1.0, 2.0].into_dyn().with_recorder(Some(std::sync::Arc::new(Tape)));
    let mut x: Tensor<f32, 1> = Tensor::from_dyn(tracked).unwrap();
    assert_eq!(x.try_relu_().unwrap_err().to_string(), panic_of(|| _ = x.relu_()).0);
    assert_eq!(x.try_add_assign(1.0).unwrap_err().to_string(), panic_of(|| x += 1.0).0);
    let mut y = tensor![1.0, 2.0];
    let wide = tensor![1.0, 2.0, 3.0];
    assert_eq!(y.try_mul_assign(&wide).unwrap_err().to_string(), panic_of(|| y *= &wide).0);
    y.try_sub_assign(0.5).unwrap();
    y.try_neg_().unwrap().try_abs_().unwrap();
    assert_eq!(y.try_exp().unwrap(), tensor![0.5, 1.5].exp());
    let endless = [usize::MAX, 2];
    let (message, line) = panic_of(|| drop(Tensor::<f32, 2>::zeros(endless)));
    assert_eq!((line, message), (line!() - 1, Tensor::<f32, 2>::try_zeros(endless).unwrap_err().to_string()));
    assert!(Tensor::<i64, 2>::try_full(endless, 1).is_err() && Tensor::<f32, 2>::try_eye(usize::MAX).is_err());
    assert!(
        Rng::seed(0).try_normal::<f32, 2>(endless, 0.0, 1.0).is_err() && Rng::seed(0).try_randint(1, 1, [2]).is_err()
    );
    assert!(Rng::seed(0).try_permutation(usize::MAX).is_err());
}

#[test]
fn errors_name_the_operation_that_was_called() {
    let (a, b) = (tensor![1.0, 2.0], tensor![1.0, 2.0, 3.0]);
    let message = |error: trueno_tensor::core::Error| error.to_string();
    assert!(message(trueno_tensor::try_stack(&[&a, &b], 0).unwrap_err()).starts_with("stack: shapes [2] and [3]"));
    assert!(message(trueno_tensor::try_stack(&[&a, &a], 4).unwrap_err()).starts_with("stack: axis 4"));
    assert!(message(trueno_tensor::try_concat(&[&a, &a], 1).unwrap_err()).starts_with("concat: axis 1"));
    assert!(message(a.try_split(&[2], 1).unwrap_err()).starts_with("split: axis 1"));
    assert!(
        message(Tensor::<f32, 2>::eye(2).embedding(&tensor![5_i64]).unwrap_err()).starts_with("embedding: index 5")
    );
    assert!(message(a.try_flip(&[0, -1]).unwrap_err()).starts_with("flip: axes"));
    assert!(message(a.try_argmax_axis(3).unwrap_err()).starts_with("argmax: axis 3"));
}

#[test]
fn reductions_have_the_types_and_ranks_of_numpy() {
    let x = tensor![[1, 2, 3], [4, 5, 6]];
    let _: Tensor<i64, 0> = x.sum();
    assert_eq!(x.sum().item(), 21_i64);
    assert_eq!(x.prod_axis(0), tensor![4_i64, 10, 18]);
    assert_eq!(x.max_axis(-1), tensor![3, 6]);
    assert_eq!(x.sum_keepdims(1).shape(), [2, 1]);
    assert_eq!(x.sum_axes([0, 1]).item(), 21_i64);
    assert_eq!(x.gt(2).sum().item(), 4_i64);
    assert!(x.gt(0).all().item() && !x.gt(6).any().item());
    assert_eq!((x.argmax().item(), x.argmin_axis(0)), (5, tensor![0_i64, 0, 0]));
    assert_eq!(x.cumsum(1), tensor![[1_i64, 3, 6], [4, 9, 15]]);
    let y = x.cast::<f64>();
    assert_eq!(y.mean_axis(0), tensor![2.5_f64, 3.5, 4.5]);
    assert_eq!(y.var_axis(1, 1.0), tensor![1.0_f64, 1.0]);
    assert_eq!(y.norm_l1().item(), 21.0);
    assert!(x.slice(i![:0]).try_max().is_err());
    fn generic<T: trueno_tensor::core::Float>(x: &Tensor<T, 2>) -> Tensor<T, 1> {
        x.sum_axis(1) / T::from_f64(2.0)
    }
    assert_eq!(generic(&y), tensor![3.0_f64, 7.5]);
}

#[test]
fn operands_may_be_tensors_or_numbers() {
    let x = tensor![[1.0, 4.0], [9.0, 16.0]];
    assert_eq!(x.maximum(5.0), tensor![[5.0, 5.0], [9.0, 16.0]]);
    assert_eq!(x.minimum(&tensor![2.0, 10.0]), tensor![[1.0, 4.0], [2.0, 10.0]]);
    assert_eq!(x.fma(2.0, &tensor![[1.0], [2.0]]), tensor![[3.0, 9.0], [20.0, 34.0]]);
    assert_eq!(x.lerp(0.0, 0.5), tensor![[0.5, 2.0], [4.5, 8.0]]);
    assert_eq!(x.le(4.0).select(&x, -1.0), tensor![[1.0, 4.0], [-1.0, -1.0]]);
    assert_eq!(x.clamp(2.0, 10.0), tensor![[2.0, 4.0], [9.0, 10.0]]);
}

#[test]
fn items_are_read_as_numpy_reads_them() {
    let x = Tensor::from_fn([4, 5], |[r, c]| (10 * r + c) as i64);
    let n = 3_usize;
    assert_eq!(x.slice(i![1]), x.slice(i![-3, ..]));
    assert_eq!(x.slice(i![n, n + 1]).item(), 34);
    assert_eq!(x.slice(i![(n - 1), :n:2]), tensor![20_i64, 22]);
    assert_eq!(x.slice(i![::-2, -1]), tensor![34_i64, 14]);
    assert_eq!(x.slice(i![:, 1:-1:2]).shape(), [4, 2]);
    assert_eq!(x.slice(i![1:1]).shape(), [0, 5]);
    assert_eq!(x.slice(i![..]), x);
    assert_eq!(x.slice(i![]), x);
    assert_eq!(x.slice(i![:, 100:]).shape(), [4, 0]);
    assert_eq!(x.slice(i![new, .., new]).shape(), [1, 4, 5, 1]);
    assert_eq!(x.slice(i![0, new, :, ]).shape(), [1, 5]);
    assert!(x.try_slice(i![4]).unwrap_err().to_string().contains("index 4"));
    let (message, line) = panic_of(|| drop(x.slice(i![.., ::0])));
    assert_eq!((line, message.contains("step")), (line!() - 1, true));
}

#[test]
fn tensors_are_taken_apart_and_joined() {
    let x = Tensor::arange(0, 7, 1).unwrap();
    let parts = x.chunk(3, 0);
    assert_eq!(parts.iter().map(Tensor::size).collect::<Vec<_>>(), [3, 2, 2]);
    assert_eq!(concat(&parts.iter().collect::<Vec<_>>(), 0), x);
    assert_eq!(stack(&[&parts[1], &parts[2]], 1), tensor![[3, 5], [4, 6]]);
    assert_eq!(x.split(&[1, 6], 0)[1].size(), 6);
    assert!(x.try_split(&[1, 5], 0).is_err() && x.try_chunk(0, 0).is_err());
    assert_eq!(tensor![[1, 2]].pad([[1, 0], [0, 1]], 9), tensor![[9, 9, 9], [1, 2, 9]]);
    assert_eq!(tensor![1, 2].unsqueeze(-1).broadcast_to([2, 2, 2]).sum().item(), 12_i64);
    assert_eq!(tensor![[1, 2]].squeeze(0).flip(&[0]), tensor![2, 1]);
}

#[test]
fn tensors_are_made() {
    assert_eq!(Tensor::<f32, 2>::eye(2), tensor![[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(Tensor::linspace(0.0_f32, 1.0, 5), tensor![0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(Tensor::linspace(2.0_f32, 1.0, 1), tensor![2.0]);
    assert_eq!(Tensor::full([2], i64::MAX).to_vec(), [i64::MAX; 2]);
    assert_eq!(Tensor::<u8, 1>::ones([2]).full_like(7), tensor![7_u8, 7]);
    assert!(Tensor::arange(0.0_f32, 1.0, 0.0).is_err() && Tensor::arange(0.0_f64, f64::NAN, 1.0).is_err());
    assert!(
        Tensor::<f32, 1>::from_dyn(Tensor::<f32, 2>::eye(2).into_dyn()).unwrap_err().to_string().contains("rank 2")
    );
    assert!(
        Tensor::<f64, 2>::from_dyn(Tensor::<f32, 2>::eye(2).into_dyn()).unwrap_err().to_string().contains("float32")
    );
}

#[test]
fn the_parts_of_networks_are_typed() {
    let x: Tensor<f32, 2> = tensor![[1.0, 3.0], [5.0, 7.0]];
    let close = |a: &Tensor<f32, 2>, b: Tensor<f32, 2>| (a - b).abs().max().item() < 1e-5;
    assert!(close(&x.softmax(1).sum_keepdims(1), tensor![[1.0], [1.0]]));
    assert!(close(&(x.log_softmax(0) - &x + x.logsumexp_keepdims(0)), tensor![[0.0, 0.0], [0.0, 0.0]]));
    assert_eq!(x.logsumexp_axis(0).shape(), [2]);
    let (one, zero) = (Tensor::ones([2]), Tensor::zeros([2]));
    assert!(close(&x.layer_norm(&one, &zero, 0.0), tensor![[-1.0, 1.0], [-1.0, 1.0]]));
    assert!(close(&x.batch_norm(&one, &zero, None, 0.0), tensor![[-1.0, -1.0], [1.0, 1.0]]));
    let (_, [mean, variance]) = x.batch_norm_with_stats(&one, &zero, 0.0);
    assert_eq!((mean, variance), (tensor![3.0, 5.0], tensor![8.0, 8.0]));
    assert_eq!(x.index_select(1, &tensor![-1_i64, 0]).unwrap(), tensor![[3.0, 1.0], [7.0, 5.0]]);
    assert_eq!(x.gather(1, &tensor![[1_i64], [0]]).unwrap(), tensor![[3.0], [5.0]]);
    assert_eq!(x.embedding(&tensor![[1_i64], [0]]).unwrap(), tensor![[[5.0, 7.0]], [[1.0, 3.0]]]);
    assert!(x.embedding(&tensor![2_i64]).unwrap_err().to_string().contains("index 2"));
    let loss = x.cross_entropy(&tensor![1_i64, 1], Default::default()).unwrap();
    assert!((loss.item() - 0.126_928).abs() < 1e-5, "{loss}");
    let image: Tensor<f32, 4> = Tensor::ones([1, 1, 3, 3]);
    let kernel = Tensor::ones([2, 1, 2, 2]);
    assert_eq!(image.conv2d(&kernel, None, Default::default()), Tensor::full([1, 2, 2, 2], 4.0));
    let windows = trueno_tensor::Pool2dConfig { kernel: [3, 3], stride: [1, 1], padding: [0, 0] };
    assert_eq!(image.max_pool2d(windows).shape(), [1, 1, 1, 1]);
    assert_eq!(image.avg_pool2d(windows), image.adaptive_avg_pool2d([1, 1]));
    let dropped = image.dropout(trueno_tensor::DropoutConfig { p: 0.5, seed: 1, call: 0 });
    assert!(dropped.to_vec().iter().all(|&v| v == 0.0 || v == 2.0));
}

#[test]
fn rust_ranges_index_as_numpy_ranges_do() {
    let x = Tensor::from_fn([4, 5], |[r, c]| 10 * r as i64 + c as i64);
    let (a, n) = (1, 3_usize);
    assert_eq!(x.slice(i![1..3, ..2]), x.slice(i![1:3, :2]));
    assert_eq!(x.slice(i![a..n + 1, 2..]), x.slice(i![1:4, 2:]));
    assert_eq!(x.slice(i![1..=2, ..=-2]), x.slice(i![1:3, :-1]));
    assert_eq!(x.slice(i![2..=-1]), x.slice(i![2:]));
    assert_eq!(x.slice(i![-2..-1, 0]), tensor![20_i64]);
    assert_eq!(x.slice(i![3..1, ..]).shape(), [0, 5]);
    assert_eq!(x.slice(i![.., 9..]).shape(), [4, 0]);
}
