//! Arrays as a user of NumPy or PyTorch expects them: making, viewing, joining, reducing, comparing. Expected values follow
//! those libraries' documentation.

#[macro_use]
mod refusal;

use refusal::panic_of;
use trueno_tensor::core::{Float, bf16, f16};
use trueno_tensor::prelude::*;
use trueno_tensor::{DynTensor, try_concat, try_stack};

#[test]
fn arange_counts_as_numpy_does() {
    assert_eq!(Tensor::arange(0, 5, 2).unwrap(), tensor![0, 2, 4]);
    assert_eq!(Tensor::arange(5, 0, -2).unwrap(), tensor![5, 3, 1]);
    assert!(Tensor::arange(5, 0, 1).unwrap().is_empty());
    assert!(Tensor::arange(0_u8, 0, 1).unwrap().is_empty());
    assert_eq!(Tensor::arange(0.0_f64, 1.0, 0.3).unwrap(), tensor![0.0_f64, 0.3, 0.6, 3.0 * 0.3]);
    let past = (1_i64 << 53) + 1;
    assert_eq!(Tensor::arange(past, past + 3, 1).unwrap(), tensor![past, past + 1, past + 2]);
    let refusal = Tensor::arange(0.0, f32::INFINITY, 1.0).unwrap_err().to_string();
    assert!(refusal.contains("arange") && refusal.contains("inf"), "{refusal}");
    assert_eq!(Tensor::arange(i64::MAX - 1, i64::MAX, 1).unwrap(), tensor![i64::MAX - 1]);
    assert!(Tensor::arange(i64::MIN, i64::MAX, 1).unwrap_err().to_string().contains("cannot allocate"));
    assert!(Tensor::arange(0.0_f64, 1e15, 1.0).unwrap_err().to_string().contains("cannot allocate"));
    assert!(Tensor::arange(0.0_f64, 1e300, 1.0).unwrap_err().to_string().contains("cannot allocate"));
}

#[test]
fn linspace_includes_both_ends_exactly() {
    let x = Tensor::linspace(0.1_f64, 0.7, 4);
    assert_eq!((x.to_vec()[0], x.to_vec()[3]), (0.1, 0.7));
    assert_eq!(Tensor::linspace(3.0, 1.0, 3), tensor![3.0, 2.0, 1.0]);
    assert_eq!(Tensor::linspace(0, 10, 3), tensor![0, 5, 10]);
    assert!(Tensor::linspace(0.0_f32, 1.0, 0).is_empty());
}

#[test]
fn filled_tensors_have_the_type_and_shape_that_were_asked_for() {
    assert_eq!(Tensor::<bool, 2>::zeros([1, 2]), tensor![[false, false]]);
    assert_eq!(Tensor::<bool, 1>::ones([2]), tensor![true, true]);
    assert_eq!(Tensor::full([2, 1], u32::MAX), tensor![[u32::MAX], [u32::MAX]]);
    let like = tensor![[1_u8, 2, 3]];
    assert_eq!((like.zeros_like(), like.ones_like()), (tensor![[0_u8, 0, 0]], tensor![[1_u8, 1, 1]]));
    assert_eq!(like.full_like(9), tensor![[9_u8, 9, 9]]);
    assert_eq!(like.t().full_like(4).shape(), [3, 1]);
    assert_eq!(Tensor::<i32, 2>::eye(3).sum_axis(0), tensor![1_i64, 1, 1]);
    assert_eq!(Tensor::<f32, 2>::eye(0).shape(), [0, 0]);
    assert_eq!(Tensor::scalar(2.5_f64).item(), Tensor::from(2.5_f64).item());
    assert_eq!(Tensor::from(vec![1_i64, 2]), tensor![1_i64, 2]);
    assert!(Tensor::from_fn([2, 0, 3], |_| 1.0_f32).is_empty());
    let refusal = Tensor::from_slice(&[1, 2, 3], [2, 2]).unwrap_err().to_string();
    assert!(refusal.contains("[2, 2]") && refusal.contains('4') && refusal.contains('3'), "{refusal}");
    assert!(panic_of(|| Tensor::<f32, 2>::zeros([usize::MAX, 2])).contains("zeros"));
    assert!(panic_of(|| Tensor::from_fn([usize::MAX, 2], |_| 0_u8)).contains("from_fn"));
}

#[test]
fn an_engine_value_converts_to_the_type_and_rank_it_has_and_to_no_other() {
    let x = tensor![[1.0, 2.0]];
    let engine: DynTensor = x.clone().into();
    assert_eq!(Tensor::<f32, 2>::try_from(engine.clone()).unwrap(), x);
    assert!(Tensor::<f32, 1>::try_from(engine.clone()).unwrap_err().to_string().contains("rank 1"));
    assert!(Tensor::<i32, 2>::try_from(engine).unwrap_err().to_string().contains("int32"));
}

#[test]
fn a_tensor_is_on_the_processor_and_moving_it_there_copies_nothing() {
    let x = tensor![1.0, 2.0];
    assert_eq!((x.device(), Device::default()), (Device::cpu(), Device::Cpu));
    assert_eq!(x.device().to_string(), "cpu");
    let moved = x.to(&Device::cpu()).unwrap();
    assert_eq!(moved.as_slice().unwrap().as_ptr(), x.as_slice().unwrap().as_ptr());
    assert!(x.as_dyn().to(&Device::cpu()).unwrap().layout().is_contiguous());
}

#[test]
fn views_share_memory_and_step_through_it() {
    let x = Tensor::arange(0, 6, 1).unwrap().reshape([2, 3]);
    let t = x.t();
    assert_eq!((t.strides(), t.is_contiguous(), t.as_slice()), ([1, 3], false, None));
    assert_eq!(t.to_vec(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(t.contiguous().as_slice().unwrap(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(x.transpose(0, -1), t);
    assert_eq!(x.permute([-1, 0]), t);
    assert_eq!(x.flip(&[1]), tensor![[2, 1, 0], [5, 4, 3]]);
    assert_eq!(x.flip(&[]), x);
    assert_eq!(x.flip(&[0, -1]).strides(), [-3, -1]);
    assert_eq!(x.narrow(1, 1, 2), tensor![[1, 2], [4, 5]]);
    assert_eq!(x.narrow(1, 3, 0).shape(), [2, 0]);
    assert_eq!(x.flatten(), tensor![0, 1, 2, 3, 4, 5]);
    assert_eq!(t.flatten(), tensor![0, 3, 1, 4, 2, 5]);
    assert_eq!(t.reshape([-1]), t.flatten());
    assert_eq!(x.slice(i![1, 2]).flatten(), tensor![5]);
    assert_eq!(x.slice(i![1, 2]).reshape([1, 1, 1]).shape(), [1; 3]);
    let wide = tensor![7].broadcast_to([2, 3]);
    assert_eq!((wide.strides(), wide.to_vec()), ([0, 0], vec![7; 6]));
    assert_eq!(x.unsqueeze(1).shape(), [2, 1, 3]);
    assert_eq!(x.unsqueeze(-1).squeeze(2), x);
    assert_eq!(x.cast::<bool>().cast::<u8>(), tensor![[0_u8, 1, 1], [1, 1, 1]]);
}

#[test]
fn a_view_that_does_not_exist_is_refused_in_the_same_words_by_both_twins() {
    let x = Tensor::<f32, 2>::zeros([2, 3]);
    assert_refused!(x.permute, try_permute([0, 0]), "permute");
    assert_refused!(x.permute, try_permute([0, 2]), "permute", "axis 2", "rank 2");
    assert_refused!(x.transpose, try_transpose(0, -3), "transpose", "axis -3");
    assert_refused!(x.reshape, try_reshape([4, 2]), "reshape", "[2, 3]");
    assert_refused!(x.reshape, try_reshape([4, -1]), "reshape");
    assert_refused!(x.reshape, try_reshape([-1, -1]), "reshape");
    assert_refused!(x.unsqueeze, try_unsqueeze(3), "unsqueeze", "axis 3");
    assert_refused!(x.squeeze, try_squeeze(0), "squeeze", "[2, 3]");
    assert_refused!(x.broadcast_to, try_broadcast_to([2, 4]), "broadcast_to", "[2, 3]", "[2, 4]");
    assert_refused!(x.broadcast_to, try_broadcast_to([3]), "broadcast_to", "[2, 3]", "[3]");
    assert_refused!(x.flip, try_flip(&[2]), "flip", "axis 2");
    assert_refused!(x.narrow, try_narrow(1, 2, 2), "narrow", "axis 1");
    assert_refused!(x.narrow, try_narrow(1, usize::MAX, 2), "narrow");
    assert_refused!(x.slice, try_slice(i![.., 3]), "slice", "index 3", "axis 1", "size 3");
    assert_refused!(x.split, try_split(&[1, 2], 0), "split", "[1, 2]", "[2, 3]");
    assert_refused!(x.split, try_split(&[usize::MAX, 3], 0), "split");
    assert_refused!(x.chunk, try_chunk(0, 1), "chunk", "0 parts");
    assert_refused!(x.chunk, try_chunk(2, 2), "chunk", "axis 2");
    assert_refused!(x.pad, try_pad([[usize::MAX, 1], [0, 0]], 0.0), "pad");
}

#[test]
fn parts_of_an_axis_join_to_the_whole() {
    let x = Tensor::arange(0, 14, 1).unwrap().reshape([2, 7]);
    for parts in 1..9 {
        let chunks = x.chunk(parts, -1);
        let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.shape()[1]).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[0] - sizes[parts - 1] <= 1, "{sizes:?}");
        assert_eq!(concat(&chunks.iter().collect::<Vec<_>>(), -1), x);
    }
    let [left, right] = &x.split(&[3, 4], 1)[..] else { panic!("two parts") };
    assert_eq!((left, right), (&x.slice(i![.., :3]), &x.slice(i![.., 3:])));
    assert_eq!(right.strides(), x.strides());
    let rows = x.split(&[1, 1], 0);
    let rows = [rows[0].squeeze(0), rows[1].squeeze(0)];
    assert_eq!(stack(&[&rows[0], &rows[1]], 0), x);
    assert_eq!(stack(&[&rows[0], &rows[1]], -1), x.t());
    let border = tensor![[1, 2]].pad([[1, 0], [0, 2]], -1);
    assert_eq!(border, tensor![[-1, -1, -1, -1], [1, 2, -1, -1]]);
    assert_eq!(tensor![true].pad([[1, 1]], false), tensor![false, true, false]);
}

#[test]
fn what_does_not_join_is_refused_with_both_shapes() {
    let (a, b) = (Tensor::<f32, 2>::zeros([2, 3]), Tensor::<f32, 2>::zeros([2, 4]));
    let refusal = try_concat(&[&a, &b], 0).unwrap_err().to_string();
    assert!(refusal.contains("[2, 3]") && refusal.contains("[2, 4]"), "{refusal}");
    assert_eq!(panic_of(|| concat(&[&a, &b], 0)), refusal);
    assert_eq!(concat(&[&a, &b], 1).shape(), [2, 7]);
    assert!(try_concat(&[&a], 2).unwrap_err().to_string().contains("axis 2"));
    assert!(try_concat::<f32, 2>(&[], 0).unwrap_err().to_string().contains("at least one"));
    let refusal = try_stack(&[&a, &b], 0).unwrap_err().to_string();
    assert_eq!(panic_of(|| stack(&[&a, &b], 0)), refusal);
    assert!(try_stack(&[&a, &a], 3).is_err() && try_stack::<f32, 2>(&[], 0).is_err());
}

#[test]
fn float_reductions_agree_with_numpy_over_every_choice_of_axes() {
    let x = Tensor::from_fn([2, 2, 3], |[i, j, k]| (6 * i + 3 * j + k) as f32);
    assert_eq!(x.sum().item(), 66.0);
    assert_eq!(x.sum_axis(-1), tensor![[3.0, 12.0], [21.0, 30.0]]);
    assert_eq!(x.sum_axes([0, 2]), tensor![24.0, 42.0]);
    assert_eq!(x.sum_axes([2, 0]), x.sum_axes([0, -1]));
    assert_eq!(x.mean_axes([0, 1, 2]).item(), 5.5);
    assert_eq!(x.max_keepdims(1), tensor![[[3.0, 4.0, 5.0]], [[9.0, 10.0, 11.0]]]);
    assert_eq!(x.min_axes([1, 2]), tensor![0.0, 6.0]);
    assert_eq!(x.prod_axis(2), tensor![[0.0, 60.0], [336.0, 990.0]]);
    assert_eq!(x.var(0.0).item(), 143.0 / 12.0);
    assert_eq!(x.var_axis(0, 0.0), Tensor::full([2, 3], 9.0));
    assert_eq!(x.std_keepdims(0, 1.0), Tensor::full([1, 2, 3], 18.0_f32.sqrt()));
    let v = tensor![3.0, -4.0];
    assert_eq!((v.norm_l1().item(), v.norm_l2().item(), v.norm_inf().item()), (7.0, 5.0, 4.0));
    assert_eq!(x.sum_axis(0).sum_axes([0, 1]).item(), x.sum().item());
    let scalar = Tensor::scalar(2.0);
    assert_eq!((scalar.sum().item(), scalar.max().item(), scalar.argmax().item()), (2.0, 2.0, 0));
    assert_refused!(x.sum_axes, try_sum_axes([1, -2]), "sum", "[1, -2]");
    assert_refused!(x.mean_keepdims, try_mean_keepdims(3), "mean", "axis 3", "rank 3");
    assert_refused!(x.argmin_axis, try_argmin_axis(-4), "axis -4");
    assert_refused!(x.cumsum, try_cumsum(3), "cumsum", "axis 3");
}

#[test]
fn nan_and_nothing_reduce_as_in_numpy() {
    let x = tensor![[1.0, f32::NAN], [3.0, 2.0]];
    assert!(x.max().item().is_nan() && x.min_axis(1).to_vec()[0].is_nan());
    assert_eq!(x.argmax_axis(1), tensor![1_i64, 0]);
    assert_eq!((x.argmin().item(), x.argmax().item()), (1, 1));
    assert!(x.any().item() && x.all().item());
    let empty = Tensor::<f32, 2>::zeros([0, 3]);
    assert_eq!((empty.sum().item(), empty.prod().item()), (0.0, 1.0));
    assert_eq!(empty.sum_axis(0), tensor![0.0, 0.0, 0.0]);
    assert!(empty.mean().item().is_nan() && empty.all().item() && !empty.any().item());
    assert_refused!(empty.max, try_max(), "max", "[0, 3]");
    assert_refused!(empty.argmin, try_argmin(), "argmin");
    assert_eq!(empty.max_axis(1).shape(), [0]);
    assert_eq!(empty.argmax_axis(1).shape(), [0]);
    assert_eq!(empty.cumsum(0).shape(), [0, 3]);
}

#[test]
fn integers_and_truth_values_add_up_in_i64() {
    let x = tensor![[200_u8, 100], [50, 250]];
    assert_eq!((x.sum().item(), x.sum_axis(0)), (600_i64, tensor![250_i64, 350]));
    assert_eq!(x.prod_axis(1), tensor![20_000_i64, 12_500]);
    assert_eq!(x.cumsum(0), tensor![[200_i64, 100], [250, 350]]);
    assert_eq!((x.max_axis(0), x.min_keepdims(1)), (tensor![200_u8, 250], tensor![[100_u8], [50]]));
    assert_eq!((x.argmax().item(), x.argmin_axis(1)), (3, tensor![1_i64, 0]));
    let big = tensor![i64::MAX, 1];
    assert_eq!((big.sum().item(), big.max().item()), (i64::MIN, i64::MAX));
    let truth = tensor![[true, false], [true, true]];
    assert_eq!((truth.sum().item(), truth.sum_axis(1)), (3_i64, tensor![1_i64, 2]));
    assert_eq!((truth.any_axis(1), truth.all_axis(1)), (tensor![true, true], tensor![false, true]));
    assert_eq!((truth.max_axis(0), truth.min_axis(0)), (tensor![true, true], tensor![true, false]));
    assert_eq!((truth.argmin().item(), truth.argmax_axis(0)), (1, tensor![0_i64, 1]));
    assert_eq!(tensor![1, 0].any().item(), tensor![1, 0].max().item() == 1);
}

#[test]
fn integer_arithmetic_wraps_and_the_quotient_asks_for_floats() {
    assert_eq!(tensor![250_u8, 1] + 10_u8, tensor![4_u8, 11]);
    assert_eq!(tensor![1_u8] - tensor![2_u8], tensor![255_u8]);
    assert_eq!(tensor![i32::MAX] * 2, tensor![-2]);
    assert_eq!((-tensor![i32::MIN], tensor![i32::MIN].abs()), (tensor![i32::MIN], tensor![i32::MIN]));
    assert_eq!(tensor![16_u8].square(), tensor![0_u8]);
    assert_eq!(tensor![-7, 0, 7].sign(), tensor![-1, 0, 1]);
    assert_eq!(tensor![-7_i64, 7].relu(), tensor![0_i64, 7]);
    assert_eq!(tensor![-7, 0, 7].clamp(-2.0, 3.0), tensor![-2, 0, 3]);
    let (x, y) = (tensor![6].into_dyn(), tensor![3].into_dyn());
    let refusal = x.binary(trueno_tensor::core::table::BinaryOp::Div, &y).unwrap_err().to_string();
    assert!(refusal.contains("div") && refusal.contains("int32"), "{refusal}");
}

#[test]
fn signed_bytes_are_those_of_numpy() {
    let x = tensor![[-128_i8, 127], [5, -6]];
    assert_eq!(
        (x.sum().item(), x.sum_axis(0), x.prod_axis(1)),
        (-2_i64, tensor![-123_i64, 121], tensor![-16_256_i64, -30])
    );
    assert_eq!((&x + 1_i8, &x - 1_i8), (tensor![[-127_i8, -128], [6, -5]], tensor![[127_i8, 126], [4, -7]]));
    assert_eq!((x.abs(), -&x), (tensor![[-128_i8, 127], [5, 6]], tensor![[-128_i8, -127], [-5, 6]]));
    assert_eq!(x.matmul(&x), tensor![[123_i8, -122], [98, -97]]);
    assert_eq!((x.max_axis(0), x.argmin().item()), (tensor![5_i8, 127], 0));
    assert_eq!(x.sort(-1), tensor![[-128_i8, 127], [-6, 5]]);
    assert_eq!(x.lt(0), tensor![[true, false], [false, true]]);
    assert_eq!(
        (x.cast::<u8>(), x.cast::<bool>()),
        (tensor![[128_u8, 127], [5, 250]], tensor![[true, true], [true, true]])
    );
    assert_eq!(tensor![200_u8, 1].cast::<i8>(), tensor![-56_i8, 1]);
    assert_eq!(tensor![-300.0, 1.9, f32::NAN].cast::<i8>(), tensor![-128_i8, 1, 0]);
    assert_eq!(format!("{x} {:?}", x.as_dyn().dtype()), "[[-128  127]\n [   5   -6]] I8");
}

#[test]
fn comparisons_and_logic_take_every_type() {
    let x = tensor![1.0, f32::NAN, 3.0];
    assert_eq!(x.eq(&x), tensor![true, false, true]);
    assert_eq!(x.ne(&x), tensor![false, true, false]);
    assert_eq!((x.lt(3.0), x.ge(3.0)), (tensor![true, false, false], tensor![false, false, true]));
    assert_eq!(tensor![1, 2, 3].gt(&tensor![[2], [0]]), tensor![[false, false, true], [true, true, true]]);
    assert_eq!(tensor![1_u8, 2].le(1), tensor![true, false]);
    let (a, b) = (tensor![0, 0, 5, 5], tensor![0, 7, 0, 7]);
    assert_eq!(a.logical_and(&b), tensor![false, false, false, true]);
    assert_eq!(a.logical_or(&b), tensor![false, true, true, true]);
    assert_eq!(a.logical_xor(&b), tensor![false, true, true, false]);
    assert_eq!(tensor![true, false].eq(true), tensor![true, false]);
    assert_eq!(tensor![true, false].gt(tensor![false, false]), tensor![true, false]);
    assert_refused!(x.eq, try_eq(&tensor![1.0, 2.0]), "eq", "[3]", "[2]");
    assert_refused!(a.logical_and, try_logical_and(&tensor![1, 2]), "logical_and", "axis -1");
}

#[test]
fn where_chooses_between_operands_that_broadcast() {
    let mask = tensor![[true], [false]];
    let (yes, no) = (tensor![1_i64, 2, 3], tensor![[10_i64, 20, 30], [40, 50, 60]]);
    assert_eq!(mask.select(&yes, &no), tensor![[1_i64, 2, 3], [40, 50, 60]]);
    assert_eq!(mask.select(&yes, 0), tensor![[1_i64, 2, 3], [0, 0, 0]]);
    assert_eq!(mask.select(&tensor![true], tensor![false]), mask);
    assert_eq!(tensor![true, false].select(&tensor![f32::NAN, f32::NAN], 1.0).to_vec()[1], 1.0);
    let short = tensor![1_i64, 2];
    let refusal = mask.try_select(&short, &no).unwrap_err().to_string();
    assert_eq!(panic_of(|| mask.select(&short, &no)), refusal);
    assert!(refusal.contains("where"), "{refusal}");
}

#[test]
fn two_operands_that_do_not_broadcast_are_refused_by_every_row_alike() {
    let (x, y) = (Tensor::<f32, 2>::ones([2, 3]), Tensor::<f32, 1>::ones([2]));
    assert_refused!(x.pow, try_pow(&y), "pow", "[2, 3]", "[2]", "axis -1");
    assert_refused!(x.maximum, try_maximum(&y), "maximum");
    assert_refused!(x.fma, try_fma(1.0, &y), "fma");
    assert_refused!(x.lerp, try_lerp(&y, 0.5), "lerp");
    assert_eq!(x.pow(tensor![[2.0], [3.0]]).shape(), [2, 3]);
    assert_eq!(tensor![2.0, 3.0].pow(2.0), tensor![4.0, 9.0]);
}

#[test]
fn half_precision_sums_beyond_its_own_steps_and_generic_code_takes_it() {
    // 1 is less than half a step at 2048 in f16 and at 256 in bf16: running sums of that precision would stand still.
    let ones = Tensor::<f16, 1>::ones([4000]);
    assert_eq!(ones.sum().item(), f16::from_f32(4000.0));
    assert_eq!(ones.cumsum(0).slice(i![-1]).item(), f16::from_f32(4000.0));
    assert_eq!(Tensor::<bf16, 1>::ones([1000]).mean().item(), bf16::ONE);
    let x = tensor![f16::from_f32(0.1), f16::from_f32(3.0)];
    assert_eq!(x.exp(), x.cast::<f32>().exp().cast::<f16>());
    assert_eq!(x.argmax().item(), 1);
    assert_eq!(x.gt(f16::ONE), tensor![false, true]);
    assert_eq!(at_most_one(&x), tensor![f16::from_f32(0.1), f16::ONE]);
    assert_eq!(at_most_one(&tensor![0.1_f64, 3.0]), tensor![0.1_f64, 1.0]);

    fn at_most_one<T: Float>(x: &Tensor<T, 1>) -> Tensor<T, 1> {
        let one = T::from_f64(1.0);
        x.lt(one).select(x, one)
    }
}

#[test]
fn arrangements_are_those_of_numpy() {
    let x = Tensor::from_fn([3, 4], |[r, c]| 10 * r as i64 + c as i64);
    assert_eq!(x.tril(-1), tensor![[0_i64, 0, 0, 0], [10, 0, 0, 0], [20, 21, 0, 0]]);
    assert_eq!(x.triu(2), tensor![[0_i64, 0, 2, 3], [0, 0, 0, 13], [0, 0, 0, 0]]);
    assert_eq!(x.t().tril(0).t(), x.triu(0));
    assert_eq!((x.diagonal(0), x.diagonal(2)), (tensor![0_i64, 11, 22], tensor![2_i64, 13]));
    assert_eq!((x.diagonal(-2), x.t().diagonal(1)), (tensor![20_i64], tensor![10_i64, 21]));
    assert_eq!((x.diagonal(4).size(), x.diagonal(-9).size()), (0, 0));
    assert_eq!(x.roll(-1, 1).diagonal(0), tensor![1_i64, 12, 23]);
    assert_eq!(x.roll(7, 0), x.roll(1, 0));
    assert_eq!(x.repeat(2, 0).shape(), [6, 4]);
    assert_eq!(x.repeat(2, 1).diagonal(0), tensor![0_i64, 10, 21]);
    assert_eq!(x.tile([2, 3]).slice(i![3:, 8:]), x);
    assert_eq!((x.tile([0, 1]).shape(), x.repeat(0, 1).shape()), ([0, 4], [3, 0]));
    assert_eq!(x.diff(0), Tensor::full([2, 4], 10_i64));
    assert_eq!((x.at([2, 3]), x.t().at([-1, 0])), (23, 3));
    assert!(x.try_at([3, 0]).unwrap_err().to_string().starts_with("at: index 3"));
    assert!(x.try_roll(1, 2).unwrap_err().to_string().starts_with("roll: axis 2"));
}

#[test]
fn nearness_is_that_of_numpy() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let a: Tensor<f64, 1> = tensor![1.0, 1.0, inf, inf, nan, 0.0, 5.0];
    let b: Tensor<f64, 1> = tensor![1.000_001, 1.1, inf, -inf, nan, 1e-9, inf];
    assert_eq!(a.isclose(&b, 1e-5, 1e-8), tensor![true, false, true, false, false, true, false]);
    assert!(!a.allclose(&b, 1e-5, 1e-8) && a.slice(i![:1]).allclose(&b.slice(i![:1]), 1e-5, 0.0));
    assert!(a.try_allclose(&b.slice(i![:3]), 0.0, 0.0).unwrap_err().to_string().starts_with("allclose"));
}

#[test]
fn order_is_that_of_numpy() {
    let x = tensor![3.0, f32::NAN, -1.0, 3.0, f32::NEG_INFINITY];
    let sorted = x.sort(0);
    assert_eq!(sorted.slice(i![:4]), tensor![f32::NEG_INFINITY, -1.0, 3.0, 3.0]);
    assert_eq!(x.argsort(0), tensor![4_i64, 2, 0, 3, 1]);
    assert_eq!(x.argsort_descending(0), tensor![1_i64, 0, 3, 2, 4]);
    assert_eq!(x.bottomk(2, 0).1, tensor![4_i64, 2]);
    assert_eq!(x.unique().slice(i![:3]), tensor![f32::NEG_INFINITY, -1.0, 3.0]);
    assert_eq!(tensor![f32::NAN, 1.0, f32::NAN].unique().size(), 2);
    assert_eq!(tensor![true, false, true].sort(0), tensor![false, true, true]);
    assert_eq!(tensor![i64::MIN, i64::MAX, 0].sort_descending(0), tensor![i64::MAX, 0, i64::MIN]);
    assert_eq!(tensor![[2, 0], [1, 3]].sort(0), tensor![[1, 0], [2, 3]]);
    let counted = tensor![1_i64, 3, 1].bincount(0);
    assert_eq!(counted, tensor![0_i64, 2, 0, 1]);
    assert!(tensor![-1_i64].try_bincount(0).unwrap_err().to_string().contains("-1 is negative"));
}
